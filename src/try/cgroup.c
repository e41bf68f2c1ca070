// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "davit/apply.h"
#include "parts.h"

#define CGROUP "/sys/fs/cgroup"
#define REMOVE_TRIES 500 /* 10 ms each */
#define PTS_MAJOR 136

/* The devices that runtimes allow every container, besides /dev/pts. */
static const struct {
	unsigned major, minor;
} usual[] = {{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 2}};

/* ---- version 2 --------------------------------------------------------------------------- */

/* After the rules: all nodes may be created and pseudo-terminals opened, nothing else. */
static int build_program(struct arena *arena, struct bpf_insn **ret, size_t *ret_count)
{
	const struct bpf_insn rest[] = {
		{.code = BPF_LDX | BPF_MEM | BPF_W,
		 .dst_reg = BPF_REG_2,
		 .src_reg = BPF_REG_1,
		 .off = offsetof(struct bpf_cgroup_dev_ctx, access_type)},
		{.code = BPF_LDX | BPF_MEM | BPF_W,
		 .dst_reg = BPF_REG_3,
		 .src_reg = BPF_REG_1,
		 .off = offsetof(struct bpf_cgroup_dev_ctx, major)},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 1},
		{.code = BPF_JMP | BPF_JEQ | BPF_K,
		 .dst_reg = BPF_REG_2,
		 .off = 5,
		 .imm = BPF_DEVCG_ACC_MKNOD << 16 | BPF_DEVCG_DEV_CHAR},
		{.code = BPF_JMP | BPF_JEQ | BPF_K,
		 .dst_reg = BPF_REG_2,
		 .off = 4,
		 .imm = BPF_DEVCG_ACC_MKNOD << 16 | BPF_DEVCG_DEV_BLOCK},
		{.code = BPF_ALU64 | BPF_AND | BPF_K, .dst_reg = BPF_REG_2, .imm = 0xffff},
		{.code = BPF_JMP | BPF_JNE | BPF_K,
		 .dst_reg = BPF_REG_2,
		 .off = 1,
		 .imm = BPF_DEVCG_DEV_CHAR},
		{.code = BPF_JMP | BPF_JEQ | BPF_K,
		 .dst_reg = BPF_REG_3,
		 .off = 1,
		 .imm = PTS_MAJOR},
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	struct plan plan = {0};

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
		struct operation *rule = ARENA_PUSH(arena, &plan);

		if (!rule)
			return -ENOMEM;
		rule->kind = OPERATION_DEVICE_RULE;
		rule->major = usual[i].major;
		rule->minor = usual[i].minor;
	}
	return device_filter_build(&plan, rest, ARRAY_SIZE(rest), arena, ret, ret_count);
}

static int attach_filter(int cgroup_fd, struct arena *arena)
{
	struct bpf_insn *program;
	size_t count;
	int r = build_program(arena, &program, &count);
	AUTO_FD fd = r < 0 ? r : bpf_load_device(program, count);

	return fd < 0 ? fd : bpf_attach_device(cgroup_fd, fd);
}

/* ---- version 1 --------------------------------------------------------------------------- */

static int write_file(int cgroup_fd, const char *name, const char *text)
{
	AUTO_FD fd = openat(cgroup_fd, name, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

static int set_list(int cgroup_fd)
{
	static const char *const always[] = {"c *:* m", "b *:* m", "c 136:* rwm"};
	char rule[32];
	int r = write_file(cgroup_fd, "devices.deny", "a");

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(always); i++)
		r = write_file(cgroup_fd, "devices.allow", always[i]);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(usual); i++) {
		(void)snprintf(rule, sizeof(rule), "c %u:%u rwm", usual[i].major, usual[i].minor);
		r = write_file(cgroup_fd, "devices.allow", rule);
	}
	return r;
}

/* ---- both -------------------------------------------------------------------------------- */

static bool is_unified(void)
{
	struct statfs fs;

	return statfs(CGROUP, &fs) == 0 && (unsigned long)fs.f_type == CGROUP2_SUPER_MAGIC;
}

/*
 * At the top of the hierarchy, because a parent with its own rules, such as a systemd scope, would
 * have to be changed as well.
 */
int try_cgroup_open(struct try_cgroup *ret, struct error *err)
{
	const char *top = is_unified() ? CGROUP : CGROUP "/devices";
	int fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, errno, "open %s", top);
	ret->parent_fd = fd;
	(void)snprintf(ret->name, sizeof(ret->name), "davit-try-%d", (int)getpid());
	return 0;
}

int try_cgroup_make(const struct try_cgroup *cgroup, struct arena *arena, struct error *err)
{
	AUTO_FD fd = -1;
	int r = 0;

	if (mkdirat(cgroup->parent_fd, cgroup->name, 0755) < 0)
		return error_errno(err, errno, "create a cgroup");
	fd = openat(cgroup->parent_fd, cgroup->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		r = -errno;
	if (r == 0)
		r = is_unified() ? attach_filter(fd, arena) : set_list(fd);
	if (r < 0) {
		(void)unlinkat(cgroup->parent_fd, cgroup->name, AT_REMOVEDIR);
		return error_errno(err, -r, "set the device rules of a cgroup");
	}
	return 0;
}

int try_cgroup_enter(const struct try_cgroup *cgroup, pid_t pid, struct error *err)
{
	char number[16];
	AUTO_FD fd = openat(cgroup->parent_fd, cgroup->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : 0;

	(void)snprintf(number, sizeof(number), "%d", (int)pid);
	if (r == 0)
		r = write_file(fd, "cgroup.procs", number);
	return r < 0 ? error_errno(err, -r, "move the container into its cgroup") : 0;
}

bool try_cgroup_remove(const struct try_cgroup *cgroup)
{
	for (int tries = 0; tries < REMOVE_TRIES; tries++) {
		if (unlinkat(cgroup->parent_fd, cgroup->name, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return true;
		if (errno != EBUSY)
			return false;
		(void)poll(NULL, 0, 10);
	}
	return false;
}
