// SPDX-License-Identifier: Apache-2.0
#include "container.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/bpf.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CGROUP_NAME "davit-bench"
#define RMDIR_TRIES 1000

__attribute__((format(printf, 2, 3))) static void join(char path[static PATH_MAX],
						       const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(path, PATH_MAX, format, args);
	va_end(args);
	if (length < 0 || length >= PATH_MAX)
		errx(1, "cannot use a path that long");
}

static void make_directory(const char *parent, const char *name)
{
	char path[PATH_MAX];

	join(path, "%s/%s", parent, name);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		err(1, "cannot make %s", path);
}

/* What davit-runtime has written into config.json gives way to what was there before. */
static void renew_config(const char *bundle)
{
	char fresh[PATH_MAX], config[PATH_MAX];

	join(fresh, "%s/%s", bundle, "config.fresh");
	join(config, "%s/%s", bundle, "config.json");
	if (access(fresh, F_OK) < 0)
		return;
	/* It replaces the file, and writes into none. */
	if ((unlink(config) < 0 && errno != ENOENT) || link(fresh, config) < 0)
		err(1, "cannot make %s", config);
}

void container_mount(const struct container *container)
{
	static const char *const folders[] = {"rootfs", "upper", "work"};
	const char *bundle = container->bundle;
	char root[PATH_MAX], options[2 * PATH_MAX];

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		make_directory(bundle, folders[i]);
	renew_config(bundle);
	join(root, "%s/rootfs", bundle);
	if (snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s/upper,workdir=%s/work",
		     container->lower, bundle, bundle) >= (int)sizeof(options))
		errx(1, "cannot use a path that long");
	if (mount("overlay", root, "overlay", 0, options) < 0)
		err(1, "cannot mount an overlay at %s", root);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)at;
	if ((type == FTW_DP ? rmdir(path) : unlink(path)) < 0 && errno != ENOENT)
		err(1, "cannot remove %s", path);
	return 0;
}

static void remove_tree(const char *parent, const char *name)
{
	char path[PATH_MAX];

	join(path, "%s/%s", parent, name);
	if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) < 0 && errno != ENOENT)
		err(1, "cannot remove %s", path);
}

void container_clear(const struct container *container)
{
	char root[PATH_MAX];

	join(root, "%s/rootfs", container->bundle);
	if (umount2(root, MNT_DETACH) < 0 && errno != EINVAL)
		err(1, "cannot unmount %s", root);
	remove_tree(container->bundle, "upper");
	remove_tree(container->bundle, "work");
}

/* ---- the device filter ------------------------------------------------------------------ */

#define INSN(CODE, DST, SRC, OFF, IMM) \
	((struct bpf_insn){            \
		.code = (CODE), .dst_reg = (DST), .src_reg = (SRC), .off = (OFF), .imm = (IMM)})

/* What runc allows every container, about as long as its program: 14 rules. */
static size_t default_filter(struct bpf_insn at[static 128])
{
	static const struct {
		int32_t major, minor;
	} rules[] = {
		{1, 3}, {1, 5},    {1, 7},   {1, 8},   {1, 9},   {5, 0},   {5, 1},
		{5, 2}, {10, 200}, {136, 0}, {136, 1}, {136, 2}, {136, 3}, {136, 4},
	};
	size_t n = 0;

	at[n++] = INSN(BPF_LDX | BPF_MEM | BPF_W, 2, 1,
		       offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
	at[n++] = INSN(BPF_ALU | BPF_AND | BPF_K, 2, 0, 0, 0xffff);
	at[n++] = INSN(BPF_LDX | BPF_MEM | BPF_W, 4, 1, offsetof(struct bpf_cgroup_dev_ctx, major),
		       0);
	at[n++] = INSN(BPF_LDX | BPF_MEM | BPF_W, 5, 1, offsetof(struct bpf_cgroup_dev_ctx, minor),
		       0);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		at[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 2, 0, 4, BPF_DEVCG_DEV_CHAR);
		at[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 4, 0, 3, rules[i].major);
		at[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 5, 0, 2, rules[i].minor);
		at[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1);
		at[n++] = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	}
	at[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0);
	at[n++] = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return n;
}

static void attach_filter(const char *cgroup)
{
	struct bpf_insn program[128];
	union bpf_attr load = {0}, attach = {0};
	int cgroup_fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC), program_fd;

	load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	load.insn_cnt = (uint32_t)default_filter(program);
	load.insns = (uint64_t)(uintptr_t)program;
	load.license = (uint64_t)(uintptr_t) "Apache-2.0";
	program_fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
	if (cgroup_fd < 0 || program_fd < 0)
		err(1, "cannot load a device filter");
	attach.target_fd = (uint32_t)cgroup_fd;
	attach.attach_bpf_fd = (uint32_t)program_fd;
	attach.attach_type = BPF_CGROUP_DEVICE;
	attach.attach_flags = BPF_F_ALLOW_MULTI;
	if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach)) < 0)
		err(1, "cannot attach a device filter to %s", cgroup);
	(void)close(program_fd);
	(void)close(cgroup_fd);
}

static void cgroup_path(const struct container *container, char path[static PATH_MAX])
{
	join(path, "%s/" CGROUP_NAME "-%d", container->cgroup, (int)getpid());
}

static void enter_cgroup(const char *cgroup)
{
	char path[PATH_MAX];
	int fd;

	join(path, "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		err(1, "cannot enter the cgroup %s", cgroup);
	(void)close(fd);
}

/* ---- the process ------------------------------------------------------------------------ */

_Noreturn static void be_container(const struct container *container, const char *cgroup,
				   int ready_fd)
{
	char path[PATH_MAX];

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (container->cgroup)
		enter_cgroup(cgroup);
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		err(1, "cannot make a mount namespace");
	container_mount(container);
	join(path, "%s/rootfs/dev", container->bundle);
	if (mount("tmpfs", path, "tmpfs", MS_NOSUID, "mode=755") < 0)
		err(1, "cannot mount %s", path);
	join(path, "%s/rootfs/proc", container->bundle);
	if (mount("proc", path, "proc", 0, NULL) < 0)
		err(1, "cannot mount %s", path);
	if (write(ready_fd, "", 1) != 1)
		err(1, "cannot report");
	for (;;)
		(void)pause();
}

void container_start(struct container *container)
{
	char cgroup[PATH_MAX] = "", byte;
	int ready[2];

	if (container->cgroup) {
		cgroup_path(container, cgroup);
		if (mkdir(cgroup, 0755) < 0 && errno != EEXIST)
			err(1, "cannot make the cgroup %s", cgroup);
		attach_filter(cgroup);
	}
	if (pipe2(ready, O_CLOEXEC) < 0)
		err(1, "cannot make a pipe");
	container->pid = fork();
	if (container->pid < 0)
		err(1, "cannot fork");
	if (container->pid == 0)
		be_container(container, cgroup, ready[1]);
	(void)close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		errx(1, "cannot start a container");
	(void)close(ready[0]);
}

unsigned container_mounts(const struct container *container)
{
	char path[PATH_MAX];
	unsigned lines = 0;
	FILE *file;
	int c;

	join(path, "/proc/%d/mountinfo", (int)container->pid);
	file = fopen(path, "re");
	if (!file)
		err(1, "cannot read %s", path);
	while ((c = getc(file)) != EOF)
		lines += c == '\n';
	(void)fclose(file);
	return lines;
}

void container_stop(struct container *container)
{
	char cgroup[PATH_MAX];
	int tries = 0;

	(void)kill(container->pid, SIGKILL);
	(void)waitpid(container->pid, NULL, 0);
	if (container->cgroup) {
		cgroup_path(container, cgroup);
		/* The kernel lets go of the last process a moment after it was waited for. */
		while (rmdir(cgroup) < 0) {
			if (errno != EBUSY || ++tries == RMDIR_TRIES)
				err(1, "cannot remove the cgroup %s", cgroup);
			(void)usleep(1000);
		}
	}
	container_clear(container);
}
