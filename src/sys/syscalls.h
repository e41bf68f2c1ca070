// SPDX-License-Identifier: Apache-2.0
/*
 * System calls that glibc wraps only since 2.36 (openat2: later). <linux/mount.h> can't be included
 * beside <sys/mount.h>, so mount(2) is called by number as well.
 */
#pragma once

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int sys_openat2(int dir_fd, const char *path, const struct open_how *how)
{
	return (int)syscall(SYS_openat2, dir_fd, path, how, sizeof(*how));
}

static inline int sys_open_tree_at(int dir_fd, const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, dir_fd, path, flags);
}

static inline int sys_open_tree(int fd, unsigned flags)
{
	return sys_open_tree_at(fd, "", flags | AT_EMPTY_PATH);
}

static inline int sys_move_mount(int from_fd, int to_fd)
{
	return (int)syscall(SYS_move_mount, from_fd, "", to_fd, "",
			    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static inline int sys_mount_setattr(int fd, unsigned flags, const struct mount_attr *attr)
{
	return (int)syscall(SYS_mount_setattr, fd, "", flags | AT_EMPTY_PATH, attr, sizeof(*attr));
}

static inline int sys_fsopen(const char *type)
{
	return (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
}

static inline int sys_fsconfig(int fd, unsigned command, const char *key, const char *value)
{
	return (int)syscall(SYS_fsconfig, fd, command, key, value, 0);
}

static inline int sys_fsmount(int fd, unsigned attributes)
{
	return (int)syscall(SYS_fsmount, fd, FSMOUNT_CLOEXEC, attributes);
}

static inline int sys_mount(const char *source, const char *target, const char *type,
			    unsigned long flags, const char *data)
{
	return (int)syscall(SYS_mount, source, target, type, flags, data);
}

/*
 * Whether a call isn't available here: the kernel lacks it, or a seccomp profile that doesn't know
 * it returns EPERM. The fallbacks are as safe as the first choice, so a wrong guess costs only
 * time.
 */
static inline bool sys_unavailable(int errnum)
{
	return errnum == ENOSYS || errnum == EPERM;
}
