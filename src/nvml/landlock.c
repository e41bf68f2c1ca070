// SPDX-License-Identifier: Apache-2.0
/*
 * Landlock (Linux 5.13), which needs no privileges. It allows reading below the places, and writing
 * only to the driver's nodes. The constants are defined here because older headers lack some of
 * them.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "nvml.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif
#define CREATE_RULESET_VERSION 1U
#define RULE_PATH_BENEATH 1
enum {
	FS_WRITE_FILE = 1 << 1,
	FS_READ_FILE = 1 << 2,
	FS_READ_DIR = 1 << 3,
	FS_IOCTL_DEV = 1 << 15,
};

struct ruleset {
	uint64_t fs, net, scoped;
};
struct beneath {
	uint64_t access;
	int32_t fd;
} __attribute__((packed));

/* All rights that this version of Landlock handles. */
static size_t all_of(long abi, struct ruleset *ret)
{
	unsigned bits = abi >= 5 ? 16 : abi >= 3 ? 15 : abi == 2 ? 14 : 13;

	*ret = (struct ruleset){
		.fs = (UINT64_C(1) << bits) - 1,
		.net = abi >= 4 ? 3 : 0,    /* TCP: bind, connect */
		.scoped = abi >= 6 ? 3 : 0, /* abstract sockets, signals to others */
	};
	return abi >= 6 ? sizeof(*ret) : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
}

static int allow_fd(int ruleset, int fd, uint64_t access)
{
	struct beneath rule = {.access = access, .fd = fd};

	return syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0) < 0 ? -errno
											: 0;
}

static int allow(int ruleset, const char *path, uint64_t access)
{
	AUTO_FD fd = open(path, O_PATH | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return 0;
	return allow_fd(ruleset, fd,
			S_ISDIR(st.st_mode) ? access : access & ~(uint64_t)FS_READ_DIR);
}

/* Allows the needed nodes of a host's directory, which also contains others. */
static int allow_nodes(int ruleset, const char *dev, bool (*is_needed)(const char *name),
		       uint64_t access)
{
	DIR *list = opendir(dev);
	const struct dirent *entry;
	int r = 0;

	while (list && r == 0 && (entry = readdir(list))) {
		AUTO_FD fd = -1;

		if (!is_needed(entry->d_name))
			continue;
		fd = openat(dirfd(list), entry->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			r = allow_fd(ruleset, fd, access);
	}
	if (list)
		(void)closedir(list);
	return r;
}

static int allow_dev(int ruleset, const char *dev, uint64_t access)
{
	char path[PATH_MAX];
	int r = allow_nodes(ruleset, dev, node_is_needed, access);

	if (r == 0)
		r = allow(ruleset, "/dev/null", access);
	for (size_t i = 0; r == 0 && i < NODE_FOLDERS; i++)
		if (snprintf(path, sizeof(path), "%s/%s", dev, node_folders[i].path) <
		    (int)sizeof(path))
			r = allow_nodes(ruleset, path, node_folders[i].is_needed, access);
	return r;
}

int landlock_enter(const struct places *places, const char *dev, bool own_root, struct error *err)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
	uint64_t node = FS_READ_FILE | FS_WRITE_FILE | (abi >= 5 ? FS_IOCTL_DEV : 0);
	struct ruleset attr;
	size_t size = all_of(abi, &attr);
	AUTO_FD ruleset = -1;
	int r;

	if (abi <= 0)
		return error_errno(err, abi < 0 ? errno : ENOSYS, "use Landlock");
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0)
		return error_errno(err, errno, "use Landlock");
	(void)fcntl(ruleset, F_SETFD, FD_CLOEXEC);
	r = own_root ? allow(ruleset, "/", FS_READ_FILE | FS_READ_DIR)
		     : allow(ruleset, "/proc", FS_READ_FILE | FS_READ_DIR);
	if (r == 0)
		r = allow(ruleset, "/sys", FS_READ_FILE | FS_READ_DIR);
	for (size_t i = 0; r == 0 && i < places->count; i++)
		r = allow(ruleset, places->paths[i], FS_READ_FILE | FS_READ_DIR);
	if (r == 0)
		r = own_root ? allow(ruleset, "/dev", node | FS_READ_DIR)
			     : allow_dev(ruleset, dev, node);
	if (r == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		r = -errno;
	return r < 0 ? error_errno(err, -r, "use Landlock") : 0;
}
