// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "davit/sys.h"

/*
 * The following definitions are from include/uapi/linux/{stat,mount}.h of Linux 6.8, which is newer
 * than the headers that davit is built with.
 */
#ifndef STATX_MNT_ID_UNIQUE
#define STATX_MNT_ID_UNIQUE 0x4000U
#endif
#ifndef SYS_statmount
#define SYS_statmount 457
#endif
#define DAVIT_STATMOUNT_SB_BASIC 0x1U
#define DAVIT_STATMOUNT_MNT_BASIC 0x2U
#define DAVIT_STATMOUNT_MNT_ROOT 0x8U
#define DAVIT_STATMOUNT_FS_TYPE 0x20U
#define DAVIT_STATMOUNT_WANTED                                                             \
	(DAVIT_STATMOUNT_SB_BASIC | DAVIT_STATMOUNT_MNT_BASIC | DAVIT_STATMOUNT_MNT_ROOT | \
	 DAVIT_STATMOUNT_FS_TYPE)
#define DAVIT_MOUNT_ATTR_RDONLY 0x1U

/* The first version of struct mnt_id_req. */
struct mount_request {
	uint32_t size, spare;
	uint64_t id, param;
};
/* struct statmount, and space for its two strings. */
struct mount_answer {
	uint32_t size, options;
	uint64_t mask;
	uint32_t sb_dev_major, sb_dev_minor;
	uint64_t sb_magic;
	uint32_t sb_flags, fs_type;
	uint64_t id, parent_id;
	uint32_t id_old, parent_id_old;
	uint64_t attributes, propagation, peer_group, master, propagate_from;
	uint32_t root, point;
	uint64_t spare[50];
	char strings[4096 + 256];
};

/* Either all ids are of the new kind, which are never reused, or all are of the old kind. */
static bool reused_ids;

int fd_inspect(int fd, struct arena *arena, struct stat *ret_st, uint64_t *ret_mount)
{
	const unsigned id = reused_ids ? STATX_MNT_ID : STATX_MNT_ID_UNIQUE;
	struct statx stx;

	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
		    STATX_TYPE | STATX_MODE | STATX_INO | STATX_SIZE | id, &stx) < 0)
		return -errno;
	if (!(stx.stx_mask & id)) {
		if (!reused_ids) {
			reused_ids = true;
			return fd_inspect(fd, arena, ret_st, ret_mount);
		}
		/* Before Linux 5.8, statx has no mount ids. */
		if (fstat(fd, ret_st) < 0)
			return -errno;
		return mount_id_of(fd, arena, ret_mount);
	}
	*ret_mount = stx.stx_mnt_id;
	*ret_st = (struct stat){
		.st_mode = stx.stx_mode,
		.st_dev = makedev(stx.stx_dev_major, stx.stx_dev_minor),
		.st_ino = stx.stx_ino,
		.st_rdev = makedev(stx.stx_rdev_major, stx.stx_rdev_minor),
		.st_size = (off_t)stx.stx_size,
	};
	return 0;
}

int64_t fd_birth(int fd)
{
	struct statx stx;

	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_BTIME, &stx) < 0 ||
	    !(stx.stx_mask & STATX_BTIME))
		return 0;
	return stx.stx_btime.tv_sec;
}

bool fd_is_top_of_mount(int fd)
{
	struct statx stx;

	return syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &stx) ==
		       0 &&
	       stx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static int ask_kernel(uint64_t id, struct arena *arena, struct mount_facts *ret)
{
	const struct mount_request request = {
		.size = sizeof(request), .id = id, .param = DAVIT_STATMOUNT_WANTED};
	struct mount_answer answer;

	if (syscall(SYS_statmount, &request, &answer, sizeof(answer), 0) < 0)
		return -errno;
	if ((answer.mask & DAVIT_STATMOUNT_WANTED) != DAVIT_STATMOUNT_WANTED)
		return -ENOSYS;
	*ret = (struct mount_facts){
		.parent = answer.parent_id,
		.device = makedev(answer.sb_dev_major, answer.sb_dev_minor),
		.shared = answer.propagation & MS_SHARED,
		.read_only =
			answer.attributes & DAVIT_MOUNT_ATTR_RDONLY || answer.sb_flags & MS_RDONLY,
		.root = arena_strdup(arena, answer.strings + answer.root),
	};
	(void)snprintf(ret->type, sizeof(ret->type), "%s", answer.strings + answer.fs_type);
	return ret->root ? 0 : -ENOMEM;
}

static int find_in_mountinfo(uint64_t id, struct arena *arena, struct mount_facts *ret)
{
	struct mount_infos infos;
	int r = mount_info_read(arena, &infos);

	for (size_t i = 0; r == 0 && i < infos.count; i++) {
		const struct mount_info *info = &infos.items[i];

		if (info->id != id)
			continue;
		*ret = (struct mount_facts){
			.parent = info->parent,
			.device = info->device,
			.shared = info->shared,
			.read_only = info->read_only,
			.root = info->root,
		};
		(void)snprintf(ret->type, sizeof(ret->type), "%s", info->type);
		return 0;
	}
	return r < 0 ? r : -ENOENT;
}

int mount_facts_read(uint64_t id, struct arena *arena, struct mount_facts *ret)
{
	int r = reused_ids ? find_in_mountinfo(id, arena, ret) : ask_kernel(id, arena, ret);

	/*
	 * statmount isn't available: the kernel lacks it, a seccomp profile doesn't know it, the
	 * root of a caller in chroot(2) hides the mount, or the strings are longer than the buffer.
	 */
	if (reused_ids || (r != -ENOSYS && r != -EPERM && r != -EOVERFLOW))
		return r;
	reused_ids = true;
	return -EAGAIN;
}
