// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "capabilities.h"
#include "davit/sys.h"

#define PROC_ROOT_INODE 1                        /* fixed since Linux 2.6: PROC_ROOT_INO */
#define INITIAL_USER_NAMESPACE_INODE 0xEFFFFFFDU /* since Linux 3.8: PROC_USER_INIT_INO */

int proc_fd(void)
{
	static int proven = -1;
	struct statfs fs;
	struct stat st;
	AUTO_FD fd = -1;

	if (proven >= 0)
		return proven;
	fd = open("/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
		return -errno;
	/* Another file system mounted there could give any answer. */
	if (fs.f_type != PROC_SUPER_MAGIC || st.st_ino != PROC_ROOT_INODE)
		return -ENXIO;
	proven = fd_take(&fd);
	return proven;
}

#define PROC_PATH_MAX 64
#define PID_TEXT_MAX 16

static void proc_path(pid_t pid, const char *name, char path[static PROC_PATH_MAX])
{
	if (pid)
		(void)snprintf(path, PROC_PATH_MAX, "%d/%s", (int)pid, name);
	else
		(void)snprintf(path, PROC_PATH_MAX, "self/%s", name);
}

int proc_open(pid_t pid, const char *name, int flags)
{
	char path[PROC_PATH_MAX];
	int fd = proc_fd();

	if (fd < 0)
		return fd;
	proc_path(pid, name, path);
	fd = openat(fd, path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int proc_stat(pid_t pid, const char *name, struct stat *ret)
{
	char path[PROC_PATH_MAX];
	int fd = proc_fd();

	if (fd < 0)
		return fd;
	proc_path(pid, name, path);
	return fstatat(fd, path, ret, 0) < 0 ? -errno : 0;
}

int proc_read(pid_t pid, const char *name, size_t limit, struct arena *arena, char **ret)
{
	AUTO_FD fd = proc_open(pid, name, O_RDONLY);

	if (fd < 0)
		return fd;
	return file_read(fd, limit, arena, ret, NULL);
}

/* This process's number in /proc; "" if it has none there. */
static void read_own_number(char ret[static PID_TEXT_MAX])
{
	int fd = proc_fd();
	ssize_t length = fd < 0 ? -1 : readlinkat(fd, "self", ret, PID_TEXT_MAX - 1);

	ret[length > 0 ? length : 0] = '\0';
}

int proc_check(struct error *err)
{
	char number[PID_TEXT_MAX];
	int fd = proc_fd();

	read_own_number(number);
	if (number[0])
		return 0;
	return error_set(err, ERROR_SYSTEM, fd < 0 ? -fd : ENOENT,
			 "run `mount -t proc proc /proc` in this PID namespace first",
			 "inspect this process in /proc: %s",
			 fd < 0 ? "no procfs is mounted there"
				: "that procfs belongs to a PID namespace without this process");
}

bool proc_has_our_numbers(void)
{
	char number[PID_TEXT_MAX];
	uint64_t pid;

	read_own_number(number);
	return parse_number(number, strlen(number), 10, INT32_MAX, &pid) == 0 &&
	       (pid_t)pid == getpid();
}

bool user_namespace_is_nested(void)
{
	struct stat st;

	return proc_stat(0, "ns/user", &st) == 0 && st.st_ino != INITIAL_USER_NAMESPACE_INODE;
}

int namespace_enter_mount(int fd)
{
	return setns(fd, CLONE_NEWNS) < 0 ? -errno : 0;
}

int files_owned_by(uid_t uid, gid_t gid)
{
	/* setfsuid(2) doesn't report failures. The second call returns the id that is now set. */
	(void)setfsgid(gid);
	(void)setfsuid(uid);
	if ((gid_t)setfsgid((gid_t)-1) != gid || (uid_t)setfsuid((uid_t)-1) != uid)
		return -EPERM;
	return 0;
}

static const struct {
	unsigned capability;
	unsigned phases; /* bit n: enum privilege n */
} needs[] = {
#define IN(phase) (1u << PRIVILEGE_##phase)
	{CAP_DAC_READ_SEARCH, IN(READ) | IN(MOUNT)}, /* a bundle below a directory of mode 0700 */
	{CAP_SYS_PTRACE,
	 IN(READ) | IN(MOUNT)}, /* /proc/PID/root and ns of another user's process */
	{CAP_DAC_OVERRIDE, IN(MOUNT) | IN(BPF)}, /* directories of the image with any owner */
	{CAP_FOWNER, IN(MOUNT)},                 /* replacing a link in a sticky directory */
	{CAP_CHOWN, IN(MOUNT)},                  /* the cache file keeps the image's owner */
	{CAP_MKNOD, IN(MOUNT)},                  /* nodes that the driver would create */
	{CAP_SETUID, IN(MOUNT)},                 /* setfsuid in user namespaces */
	{CAP_SETGID, IN(MOUNT)},
	{CAP_SYS_CHROOT, IN(MOUNT)}, /* setns to a mount namespace */
	{CAP_SYS_ADMIN, IN(MOUNT) | IN(BPF) | IN(FILTER)},
	{CAP_NET_ADMIN, IN(BPF)}, /* BPF_PROG_ATTACH before CAP_BPF (Linux 5.8) */
	{CAP_BPF, IN(BPF)},
	{CAP_PERFMON, IN(BPF)}, /* reading back the instructions of a program */
#undef IN
};

/*
 * The permitted ones of the needed capabilities. Those that the kernel doesn't know, or that a
 * nested root lacks, are not requested.
 */
static int read_permitted(uint64_t *ret)
{
	struct capabilities have = {0};
	int r = capabilities_get(&have);

	*ret = 0;
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		*ret |= have.permitted & CAPABILITY(needs[i].capability);
	return r;
}

static uint64_t permitted;
static bool permitted_is_known;

bool privilege_may_mount(void)
{
	return permitted & CAPABILITY(CAP_SYS_ADMIN);
}

bool privilege_may_make_nodes(void)
{
	uint64_t have = permitted;

	/*
	 * Only the initial user namespace can create device nodes, whatever capabilities another
	 * one gives.
	 */
	return !user_namespace_is_nested() && (have || read_permitted(&have) == 0) &&
	       (have & CAPABILITY(CAP_MKNOD));
}

int namespace_enter_user(int fd)
{
	if (setns(fd, CLONE_NEWUSER) < 0)
		return -errno;
	/* The permitted capabilities are others there. */
	permitted_is_known = false;
	return 0;
}

int privilege_set(enum privilege phase, struct error *err)
{
	struct capabilities want = {0};
	int r = permitted_is_known ? 0 : read_permitted(&permitted);

	permitted_is_known = r == 0;
	want.permitted = permitted;
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		if (needs[i].phases & 1u << phase)
			want.effective |= permitted & CAPABILITY(needs[i].capability);
	if (r == 0)
		r = capabilities_set(&want);
	return r < 0 ? error_errno(err, -r, "set the capabilities") : 0;
}
