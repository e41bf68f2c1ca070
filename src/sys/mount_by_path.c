// SPDX-License-Identifier: Apache-2.0
#include <linux/magic.h>
#include <string.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "mount_by_path.h"
#include "syscalls.h"

#define FD_NAME_MAX 16
#define INODES_MIN 65536u

/*
 * mount(2) with descriptors instead of paths: by their names in /proc/self/fd, as the current
 * directory.
 */
static int mount_fds(int source_fd, int target_fd, const char *type, unsigned long flags,
		     const char *data)
{
	char source[FD_NAME_MAX], target[FD_NAME_MAX];
	AUTO_FD fds = proc_open(0, "fd", O_PATH | O_DIRECTORY);
	AUTO_FD cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (fds < 0)
		return fds;
	if (cwd < 0 || fchdir(fds) < 0)
		return -errno;
	(void)snprintf(source, sizeof(source), "%d", source_fd);
	(void)snprintf(target, sizeof(target), "%d", target_fd);
	if (sys_mount(source_fd < 0 ? "davit" : source, target, type, flags, data) < 0)
		r = -errno;
	return fchdir(cwd) < 0 ? -errno : r;
}

static unsigned long mount_bits(unsigned flags)
{
	return (flags & MOUNT_FLAG_RDONLY ? MS_RDONLY : 0ul) |
	       (flags & MOUNT_FLAG_NOSUID ? MS_NOSUID : 0ul) |
	       (flags & MOUNT_FLAG_NODEV ? MS_NODEV : 0ul) |
	       (flags & MOUNT_FLAG_NOEXEC ? MS_NOEXEC : 0ul);
}

/* The current flags of a mount. A remount must repeat them, or it would clear them. */
static int present_bits(int fd, unsigned long *ret)
{
	static const struct {
		unsigned long statfs_flag, mount_flag;
	} pairs[] = {{ST_RDONLY, MS_RDONLY},    {ST_NOSUID, MS_NOSUID},
		     {ST_NODEV, MS_NODEV},      {ST_NOEXEC, MS_NOEXEC},
		     {ST_NOATIME, MS_NOATIME},  {ST_NODIRATIME, MS_NODIRATIME},
		     {ST_RELATIME, MS_RELATIME}};
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return -errno;
	*ret = 0;
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if ((unsigned long)fs.f_flags & pairs[i].statfs_flag)
			*ret |= pairs[i].mount_flag;
	return 0;
}

static bool same_object(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_rdev == b->st_rdev &&
	       (a->st_mode & S_IFMT) == (b->st_mode & S_IFMT);
}

/* Opens the place again, now through the mount on it. */
static int reopen_place(const struct mount_place *place, struct stat *ret_st)
{
	int fd = root_openat(place->root, place->path, O_PATH);

	if (fd >= 0 && fstat(fd, ret_st) < 0) {
		int r = -errno;

		fd_close(&fd);
		return r;
	}
	return fd;
}

int mount_by_path_private(int fd)
{
	return mount_fds(-1, fd, NULL, MS_PRIVATE, NULL);
}

int mount_by_path_move(int fd, const struct mount_place *place)
{
	int r = mount_fds(fd, place->fd, NULL, MS_MOVE, NULL);

	return r == -EINVAL ? mount_fds(fd, place->fd, NULL, MS_BIND | MS_REC, NULL) : r;
}

int mount_by_path_set_read_only(int fd, bool read_only)
{
	unsigned long flags = 0;
	int r = present_bits(fd, &flags);

	flags = (flags & ~(unsigned long)MS_RDONLY) | (read_only ? MS_RDONLY : 0ul);
	return r < 0 ? r : mount_fds(-1, fd, NULL, MS_REMOUNT | MS_BIND | flags, NULL);
}

/*
 * Opens the source again in the current mount namespace, which has a copy of the host's mounts
 * until the container pivots. A descriptor, or -errno; -ESTALE: it is another object.
 */
static int reopen_source(const struct mount_source *source)
{
	AUTO_ROOT root = {.fd = -1};
	struct error ignored;
	struct stat st;
	AUTO_FD fd = -1;
	int r = root_open(source->root->path, &root, &ignored);

	if (r < 0)
		return r;
	fd = mount_source_open(&root, source->path, source->flags, &st);
	if (fd >= 0 && !same_object(&st, &source->st))
		return -ESTALE;
	return fd_take(&fd);
}

/*
 * Binds the source on the place. The kernel refuses a source of another mount namespace with
 * EINVAL; then it is opened again in this one.
 */
static int bind_on(const struct mount_source *source, const struct mount_place *place)
{
	const unsigned long flags = MS_BIND | (source->recursive ? MS_REC : 0ul);
	int r = mount_fds(source->fd, place->fd, NULL, flags, NULL);
	AUTO_FD fd = -1;

	if (r != -EINVAL)
		return r;
	fd = reopen_source(source);
	return fd < 0 ? fd : mount_fds(fd, place->fd, NULL, flags, NULL);
}

int mount_by_path_bind(const struct mount_source *source, const struct mount_place *place)
{
	const unsigned long deep = source->recursive ? MS_REC : 0ul;
	unsigned long flags = 0;
	struct stat st;
	AUTO_FD top_fd = -1;
	int r = bind_on(source, place);

	if (r < 0)
		return r;
	top_fd = reopen_place(place, &st);
	if (top_fd < 0)
		return top_fd;
	if (!same_object(&st, &source->st))
		return -ESTALE;
	r = present_bits(top_fd, &flags);
	if (r == 0)
		r = mount_fds(-1, top_fd, NULL, MS_PRIVATE | deep, NULL);
	if (r == 0)
		r = mount_fds(-1, top_fd, NULL,
			      MS_REMOUNT | MS_BIND | flags | mount_bits(source->flags), NULL);
	return r;
}

/*
 * If another process replaced a directory of the path, the place doesn't lead to the new mount.
 * davit recognises its own tmpfs by a random number of inodes.
 */
int mount_by_path_new_tmpfs(unsigned size_kib, mode_t mode, unsigned flags,
			    const struct mount_place *place, struct error *err)
{
	char options[96];
	uint32_t inodes = 0;
	struct statfs fs;
	struct stat st;
	AUTO_FD top_fd = -1;
	int r;

	if (getrandom(&inodes, sizeof(inodes), 0) != sizeof(inodes))
		return error_errno(err, errno, "choose a number");
	inodes = INODES_MIN + inodes % (1u << 20);
	(void)snprintf(options, sizeof(options), "size=%uk,mode=%o,nr_inodes=%u", size_kib,
		       (unsigned)mode & 07777u, inodes);
	r = mount_fds(-1, place->fd, "tmpfs", mount_bits(flags), options);
	if (r < 0)
		return error_errno(err, -r, "mount a tmpfs on %s", place->path);
	top_fd = reopen_place(place, &st);
	if (top_fd < 0 || fstatfs(top_fd, &fs) < 0)
		return error_errno(err, top_fd < 0 ? -top_fd : errno, "open %s", place->path);
	if (fs.f_type != TMPFS_MAGIC || fs.f_files != inodes)
		return error_errno(err, ESTALE, "mount a tmpfs on %s", place->path);
	r = fd_reopen(top_fd, O_RDONLY | O_DIRECTORY);
	return r < 0 ? error_errno(err, -r, "open %s", place->path) : r;
}

int mount_by_path_tmpfs(const struct mount_tmpfs *tmpfs, const struct mount_place *place,
			struct error *err)
{
	AUTO_FD fd =
		mount_by_path_new_tmpfs(tmpfs->size_kib, tmpfs->mode,
					tmpfs->flags & ~(unsigned)MOUNT_FLAG_RDONLY, place, err);
	int r;

	if (fd < 0)
		return fd;
	r = tmpfs->fill(fd, tmpfs->arg, err);
	if (r < 0)
		return r;
	r = mount_fds(-1, fd, NULL, MS_PRIVATE, NULL);
	if (r == 0 && (tmpfs->flags & MOUNT_FLAG_RDONLY))
		r = mount_fds(-1, fd, NULL, MS_REMOUNT | MS_BIND | mount_bits(tmpfs->flags), NULL);
	return r < 0 ? error_errno(err, -r, "set the flags of %s", place->path) : fd_take(&fd);
}

int mount_by_path_overlay(const struct mount_place *place, int upper_fd, int work_fd)
{
	char options[96];
	struct statfs fs;
	struct stat st;
	AUTO_FD fd = -1;
	int r;

	/* Relative to /proc/self/fd, like the place. */
	(void)snprintf(options, sizeof(options), "lowerdir=%d,upperdir=%d,workdir=%d", place->fd,
		       upper_fd, work_fd);
	r = mount_fds(-1, place->fd, "overlay", 0, options);
	if (r < 0)
		return r;
	fd = reopen_place(place, &st);
	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return fd < 0 ? fd : -errno;
	return fs.f_type == OVERLAYFS_SUPER_MAGIC ? fd_take(&fd) : -ESTALE;
}

int mount_by_path_new(const char *type, const char *const (*options)[2], size_t count,
		      unsigned flags, const struct mount_place *place)
{
	char data[96] = "";
	size_t length = 0;

	for (size_t i = 0; i < count && length < sizeof(data); i++)
		length += (size_t)snprintf(data + length, sizeof(data) - length, "%s%s=%s",
					   i ? "," : "", options[i][0], options[i][1]);
	if (length >= sizeof(data))
		return -E2BIG;
	return mount_fds(-1, place->fd, type, mount_bits(flags), data);
}
