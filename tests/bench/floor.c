// SPDX-License-Identifier: Apache-2.0
/*
 * floor PLAN: does what a plan asks for and nothing else: no look at what is there, no check, no
 * message worth reading. What the hook takes longer than this is the hook's own.
 *
 * Standard input is the OCI state, of which only the pid is read. PLAN has a line per step, its
 * paths without blanks (tests/bench.sh makes it of `davit explain --json`):
 *   root PATH             the container's root
 *   rule MAJOR MINOR      a device rule; all go into one program
 *   at DIRECTORY          where the targets that follow lie, made when missing
 *   bind FLAGS PATH NAME  FLAGS: r read-only, s nosuid, d nodev, e noexec, D a directory, else -
 *   link TEXT NAME
 *   cache FILE NAME       the loader cache, or a file for ldconfig: the bytes of FILE
 *   mask NAME GPU...      a tmpfs with the /proc directories of these GPUs
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STEPS_MAX 8192
#define RULES_MAX 1024
#define INSTRUCTIONS_MAX 8192
#define PLAN_SIZE ((size_t)1024 * 1024)
#define PROC_GPUS "/proc/driver/nvidia/gpus/"

struct step {
	char kind; /* the first letter of its word */
	bool directory;
	char *source, *name;
	int fd; /* of a bind, its detached mount */
};

static struct {
	const char *root;
	struct step steps[STEPS_MAX];
	size_t count;
	uint32_t rules[RULES_MAX][2];
	size_t rule_count;
} plan;

static void must(bool did, const char *what)
{
	if (did)
		return;
	perror(what);
	exit(1);
}

static size_t read_file(const char *path, char *data, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, data, size);

	must(length >= 0, path);
	(void)close(fd);
	return (size_t)length;
}

static int clone_source(const char *flags, const char *path)
{
	struct mount_attr attr = {.propagation = 1ul << 18 /* MS_PRIVATE */};
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	must(fd >= 0, path);
	attr.attr_set = (strchr(flags, 'r') ? MOUNT_ATTR_RDONLY : 0) |
			(strchr(flags, 's') ? MOUNT_ATTR_NOSUID : 0) |
			(strchr(flags, 'd') ? MOUNT_ATTR_NODEV : 0) |
			(strchr(flags, 'e') ? MOUNT_ATTR_NOEXEC : 0);
	must(syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0, path);
	return fd;
}

static struct step *add_step(char kind, char *source, char *name)
{
	struct step *step = &plan.steps[plan.count];

	must(plan.count < STEPS_MAX && name, "plan");
	plan.count++;
	*step = (struct step){.kind = kind, .source = source, .name = name, .fd = -1};
	return step;
}

static void parse_line(char *line)
{
	char *word = strsep(&line, " "), *first = strsep(&line, " "), *second, *gpu;
	struct step *step;

	if (!first)
		return;
	if (word[0] == 'r' && word[1] == 'o') {
		plan.root = first;
		return;
	}
	second = strsep(&line, " ");
	if (word[0] == 'r') {
		must(second && plan.rule_count < RULES_MAX, "rule");
		plan.rules[plan.rule_count][0] = (uint32_t)strtoul(first, NULL, 10);
		plan.rules[plan.rule_count++][1] = (uint32_t)strtoul(second, NULL, 10);
	} else if (word[0] == 'b') {
		step = add_step('b', second, line);
		step->directory = strchr(first, 'D');
		step->fd = clone_source(first, second);
	} else if (word[0] == 'm') {
		(void)add_step('m', NULL, first);
		for (gpu = second; gpu; gpu = strsep(&line, " ")) {
			char path[256];

			(void)snprintf(path, sizeof(path), PROC_GPUS "%s", gpu);
			step = add_step('g', NULL, gpu);
			step->fd = clone_source("rsde", path);
		}
	} else {
		(void)add_step(word[0], word[0] == 'a' ? NULL : first,
			       word[0] == 'a' ? first : second);
	}
}

static void read_plan(const char *path)
{
	static char text[PLAN_SIZE + 1];
	char *rest = text, *line;

	text[read_file(path, text, PLAN_SIZE)] = '\0';
	while ((line = strsep(&rest, "\n")))
		parse_line(line);
	must(plan.root, "root");
}

static long read_pid(void)
{
	char state[4096];
	ssize_t length = read(STDIN_FILENO, state, sizeof(state) - 1);
	const char *pid;

	must(length > 0, "state");
	state[length] = '\0';
	pid = strstr(state, "\"pid\":");
	must(pid, "pid");
	return strtol(pid + 6, NULL, 10);
}

/* ---- device rules ----------------------------------------------------------------------- */

static int bpf(enum bpf_cmd command, union bpf_attr *attr)
{
	int r = (int)syscall(SYS_bpf, command, attr, sizeof(*attr));

	must(r >= 0, "bpf");
	return r;
}

#define INSN(CODE, DST, SRC, OFF, IMM)            \
	((struct bpf_insn){.code = (CODE),        \
			   .dst_reg = (DST),      \
			   .src_reg = (SRC),      \
			   .off = (int16_t)(OFF), \
			   .imm = (int32_t)(IMM)})

static size_t put_rules(struct bpf_insn *at)
{
	size_t n = 0;

	at[n++] = INSN(BPF_LDX | BPF_MEM | BPF_W, 4, 1, offsetof(struct bpf_cgroup_dev_ctx, major),
		       0);
	at[n++] = INSN(BPF_LDX | BPF_MEM | BPF_W, 5, 1, offsetof(struct bpf_cgroup_dev_ctx, minor),
		       0);
	for (size_t i = 0; i < plan.rule_count; i++) {
		at[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 4, 0, 3, plan.rules[i][0]);
		at[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, 5, 0, 2, plan.rules[i][1]);
		at[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1);
		at[n++] = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	}
	return n;
}

static void replace_filter(const char *cgroup)
{
	static struct bpf_insn program[2 * INSTRUCTIONS_MAX];
	static char license[] = "Apache-2.0";
	struct bpf_prog_info info = {0};
	size_t count = put_rules(program);
	uint32_t id = 0;
	union bpf_attr query = {0}, get = {0}, text = {0}, load = {0}, attach = {0};

	query.query.target_fd = (uint32_t)open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	query.query.attach_type = BPF_CGROUP_DEVICE;
	query.query.prog_ids = (uint64_t)(uintptr_t)&id;
	query.query.prog_cnt = 1;
	(void)bpf(BPF_PROG_QUERY, &query);
	get.prog_id = id;
	attach.replace_bpf_fd = (uint32_t)bpf(BPF_PROG_GET_FD_BY_ID, &get);
	info.xlated_prog_insns = (uint64_t)(uintptr_t)(program + count);
	info.xlated_prog_len = INSTRUCTIONS_MAX * sizeof(*program);
	text.info.bpf_fd = attach.replace_bpf_fd;
	text.info.info_len = sizeof(info);
	text.info.info = (uint64_t)(uintptr_t)&info;
	(void)bpf(BPF_OBJ_GET_INFO_BY_FD, &text);
	load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	load.insns = (uint64_t)(uintptr_t)program;
	load.insn_cnt = (uint32_t)(count + info.xlated_prog_len / sizeof(*program));
	load.license = (uint64_t)(uintptr_t)license;
	attach.target_fd = query.query.target_fd;
	attach.attach_bpf_fd = (uint32_t)bpf(BPF_PROG_LOAD, &load);
	attach.attach_type = BPF_CGROUP_DEVICE;
	attach.attach_flags = query.query.attach_flags | BPF_F_REPLACE;
	(void)bpf(BPF_PROG_ATTACH, &attach);
}

/* Version 2 only: on version 1 there is no filter to replace, but a line to write per rule. */
static void allow_devices(long pid)
{
	char path[512], text[4096], cgroup[4200];
	char *own;

	if (plan.rule_count == 0)
		return;
	(void)snprintf(path, sizeof(path), "/proc/%ld/cgroup", pid);
	text[read_file(path, text, sizeof(text) - 1)] = '\0';
	own = strncmp(text, "0::", 3) == 0 ? text : strstr(text, "\n0::");
	must(own, "cgroup");
	own += own == text ? 3 : 4;
	own[strcspn(own, "\n")] = '\0';
	(void)snprintf(cgroup, sizeof(cgroup), "/sys/fs/cgroup%s", own);
	replace_filter(cgroup);
}

/* ---- in the container ------------------------------------------------------------------- */

static void move_to(int mount_fd, int dir_fd, const char *name)
{
	must(syscall(SYS_move_mount, mount_fd, "", dir_fd, name, MOVE_MOUNT_F_EMPTY_PATH) == 0,
	     name);
}

static int make_directories(int root_fd, char *path)
{
	char *slash = path;
	int fd = openat(root_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	while (fd < 0 && slash) {
		slash = strchr(slash + 1, '/');
		if (slash)
			*slash = '\0';
		(void)mkdirat(root_fd, path, 0755);
		if (slash)
			*slash = '/';
	}
	if (fd < 0)
		fd = openat(root_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	must(fd >= 0, path);
	return fd;
}

static void write_cache(int dir_fd, const struct step *step)
{
	static char data[16 * 1024 * 1024];
	static const char temporary[] = ".davit-floor";
	size_t length = read_file(step->source, data, sizeof(data));
	int fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	must(fd >= 0 && write(fd, data, length) == (ssize_t)length, step->name);
	must(renameat(dir_fd, temporary, dir_fd, step->name) == 0, step->name);
}

/* The tmpfs with its GPUs' directories, in place. Returns the descriptor of the latter's parent. */
static int mount_mask(int dir_fd, const struct step *step)
{
	int context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC), fd;

	must(context >= 0 &&
		     syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0,
	     "tmpfs");
	fd = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0);
	must(fd >= 0 && mkdirat(fd, "gpus", 0555) == 0, "tmpfs");
	move_to(fd, dir_fd, step->name);
	fd = openat(fd, "gpus", O_PATH | O_DIRECTORY | O_CLOEXEC);
	must(fd >= 0, "gpus");
	return fd;
}

static void do_step(int root_fd, int *dir_fd, int *mask_fd, const struct step *step)
{
	switch (step->kind) {
	case 'a':
		*dir_fd = make_directories(root_fd, step->name);
		break;
	case 'b':
		if (step->directory)
			(void)mkdirat(*dir_fd, step->name, 0755);
		else
			(void)mknodat(*dir_fd, step->name, S_IFREG | 0644, 0);
		move_to(step->fd, *dir_fd, step->name);
		break;
	case 'l':
		must(symlinkat(step->source, *dir_fd, step->name) == 0 || errno == EEXIST,
		     step->name);
		break;
	case 'c':
		write_cache(*dir_fd, step);
		break;
	case 'm':
		*mask_fd = mount_mask(*dir_fd, step);
		break;
	default:
		must(mkdirat(*mask_fd, step->name, 0555) == 0, step->name);
		move_to(step->fd, *mask_fd, step->name);
	}
}

int main(int argc, char **argv)
{
	int root_fd, namespace_fd, dir_fd = -1, mask_fd = -1;
	char path[64];
	long pid;

	must(argc == 2, "usage: floor PLAN <STATE");
	pid = read_pid();
	(void)snprintf(path, sizeof(path), "/proc/%ld/ns/mnt", pid);
	namespace_fd = open(path, O_RDONLY | O_CLOEXEC);
	read_plan(argv[1]);
	allow_devices(pid);
	must(setns(namespace_fd, CLONE_NEWNS) == 0, "setns");
	root_fd = open(plan.root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	must(root_fd >= 0, plan.root);
	for (size_t i = 0; i < plan.count; i++)
		do_step(root_fd, &dir_fd, &mask_fd, &plan.steps[i]);
	return 0;
}
