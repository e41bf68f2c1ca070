// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>

#include "davit/sys.h"
#include "mount_by_path.h"
#include "syscalls.h"

static uint64_t attributes_of(unsigned flags)
{
	return (flags & MOUNT_FLAG_RDONLY ? MOUNT_ATTR_RDONLY : 0) |
	       (flags & MOUNT_FLAG_NOSUID ? MOUNT_ATTR_NOSUID : 0) |
	       (flags & MOUNT_FLAG_NODEV ? MOUNT_ATTR_NODEV : 0) |
	       (flags & MOUNT_FLAG_NOEXEC ? MOUNT_ATTR_NOEXEC : 0);
}

void mount_source_close(struct mount_source *source)
{
	fd_close(&source->fd);
}

int mount_source_open(const struct root *root, const char *path, unsigned flags,
		      struct stat *ret_st)
{
	AUTO_FD fd =
		root_openat(root, path, O_PATH | (flags & MOUNT_FLAG_NOFOLLOW ? O_NOFOLLOW : 0));

	if (fd < 0)
		return fd;
	if (fstat(fd, ret_st) < 0)
		return -errno;
	return S_ISLNK(ret_st->st_mode) ? -ELOOP : fd_take(&fd);
}

static int clone_opened(int fd, const struct stat *st, const struct root *root, const char *path,
			unsigned flags, bool recursive, struct mount_source *ret)
{
	const unsigned deep = recursive ? AT_RECURSIVE : 0;
	struct mount_attr attr = {
		.attr_set = attributes_of(flags),
		/*
		 * The clone would remain a peer of the host's mount, and mounts in it would
		 * propagate.
		 */
		.propagation = MS_PRIVATE,
	};
	bool by_path = false;
	AUTO_FD clone_fd = sys_open_tree(fd, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | deep);

	if (clone_fd < 0 && !sys_unavailable(errno))
		return -errno;
	if (clone_fd >= 0 && sys_mount_setattr(clone_fd, deep, &attr) < 0) {
		/*
		 * Linux 5.2 to 5.11 can clone, but can't set attributes before the mount is
		 * visible.
		 */
		if (!sys_unavailable(errno))
			return -errno;
		fd_close(&clone_fd);
	}
	if (clone_fd < 0) {
		by_path = true;
		clone_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (clone_fd < 0)
			return -errno;
	}
	*ret = (struct mount_source){
		.fd = fd_take(&clone_fd),
		.by_path = by_path,
		.root = root,
		.path = path,
		.flags = flags,
		.recursive = recursive,
		.st = *st,
	};
	return 0;
}

int mount_source_clone_fd(int fd, mode_t type, const struct root *root, const char *path,
			  unsigned flags, struct mount_source *ret)
{
	struct stat st = {.st_mode = type};
	int r = clone_opened(fd, &st, root, path, flags, false, ret);

	/* Only the fallback for old kernels uses the other fields: to recognise the source. */
	if (r == 0 && ret->by_path && fstat(fd, &ret->st) < 0)
		return -errno;
	return r;
}

/*
 * Opens the directory of a source: the root itself, or the directory of the previous source, if it
 * is the same. Returns its descriptor, or -EAGAIN: the whole path must be resolved.
 */
static int reach_directory(struct mount_directory *directory, const struct root *root,
			   const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	const size_t length = (size_t)(name - path);

	if (name[0] == '\0' || string_equal(name, ".") || string_equal(name, "..") ||
	    length >= sizeof(directory->path))
		return -EAGAIN;
	*ret_name = name;
	if (length == 0)
		return root->fd;
	if (directory->fd >= 0 && directory->root == root && strlen(directory->path) == length &&
	    memcmp(directory->path, path, length) == 0)
		return directory->fd;
	fd_close(&directory->fd);
	directory->root = root;
	memcpy(directory->path, path, length);
	directory->path[length] = '\0';
	directory->fd = root_openat(root, directory->path, O_PATH | O_DIRECTORY);
	return directory->fd < 0 ? -EAGAIN : directory->fd;
}

/*
 * A name in an open directory needs no resolver, since a link isn't followed. -EAGAIN: it is a
 * link, or the kernel is too old.
 */
static int clone_name(int dir_fd, const char *name, unsigned flags, struct mount_source *ret)
{
	struct mount_attr attr = {.attr_set = attributes_of(flags), .propagation = MS_PRIVATE};
	AUTO_FD fd = sys_open_tree_at(dir_fd, name,
				      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);

	if (fd < 0)
		return sys_unavailable(errno) ? -EAGAIN : -errno;
	if (fstat(fd, &ret->st) < 0)
		return -errno;
	if (S_ISLNK(ret->st.st_mode) || sys_mount_setattr(fd, 0, &attr) < 0)
		return -EAGAIN;
	ret->fd = fd_take(&fd);
	return 0;
}

int mount_source_clone(const struct root *root, const char *path, unsigned flags, bool recursive,
		       struct mount_source *ret)
{
	struct stat st;
	AUTO_FD fd = mount_source_open(root, path, flags, &st);

	return fd < 0 ? fd : clone_opened(fd, &st, root, path, flags, recursive, ret);
}

int mount_source_clone_near(struct mount_directory *directory, const struct root *root,
			    const char *path, unsigned flags, struct mount_source *ret)
{
	struct mount_source source = {.root = root, .path = path, .flags = flags};
	const char *name;
	int r = reach_directory(directory, root, path, &name);

	if (r >= 0)
		r = clone_name(r, name, flags, &source);
	if (r == -EAGAIN)
		return mount_source_clone(root, path, flags, false, ret);
	if (r == 0)
		*ret = source;
	return r;
}

int mount_source_attach(struct mount_source *source, const struct mount_place *place)
{
	if (source->by_path)
		return mount_by_path_bind(source, place);
	return sys_move_mount(source->fd, place->fd) < 0 ? -errno : 0;
}

int mount_move(int fd, const struct mount_place *place)
{
	AUTO_FD clone_fd = -1;

	if (sys_move_mount(fd, place->fd) == 0)
		return 0;
	if (sys_unavailable(errno))
		return mount_by_path_move(fd, place);
	if (errno != EINVAL)
		return -errno;
	clone_fd = sys_open_tree(fd, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (clone_fd < 0)
		return -errno;
	return sys_move_mount(clone_fd, place->fd) < 0 ? -errno : 0;
}

/* A configured, detached mount. fd or -errno. */
static int new_mount(const char *type, const char *const (*options)[2], size_t count,
		     unsigned flags)
{
	AUTO_FD context = sys_fsopen(type);
	int fd;

	if (context < 0)
		return -errno;
	for (size_t i = 0; i < count; i++)
		if (sys_fsconfig(context, FSCONFIG_SET_STRING, options[i][0], options[i][1]) < 0)
			return -errno;
	if (sys_fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL) < 0)
		return -errno;
	fd = sys_fsmount(context, (unsigned)attributes_of(flags));
	return fd < 0 ? -errno : fd;
}

int mount_new_attach(const char *type, const char *const (*options)[2], size_t count,
		     unsigned flags, const struct mount_place *place)
{
	AUTO_FD fd = new_mount(type, options, count, flags);

	if (fd < 0)
		return sys_unavailable(-fd) ? mount_by_path_new(type, options, count, flags, place)
					    : fd;
	return sys_move_mount(fd, place->fd) < 0 ? -errno : 0;
}

int mount_make_private(int fd)
{
	struct mount_attr attr = {.propagation = MS_PRIVATE};

	if (sys_mount_setattr(fd, 0, &attr) == 0)
		return 0;
	return sys_unavailable(errno) ? mount_by_path_private(fd) : -errno;
}

int mount_set_read_only(int fd, bool read_only)
{
	struct mount_attr attr = {.attr_set = read_only ? MOUNT_ATTR_RDONLY : 0,
				  .attr_clr = read_only ? 0 : MOUNT_ATTR_RDONLY};

	if (sys_mount_setattr(fd, 0, &attr) == 0)
		return 0;
	return sys_unavailable(errno) ? mount_by_path_set_read_only(fd, read_only) : -errno;
}

static int new_tmpfs(unsigned size_kib, mode_t mode, unsigned flags)
{
	char size[16], mode_text[8];
	const char *const options[][2] = {{"size", size}, {"mode", mode_text}, {"source", "davit"}};

	(void)snprintf(size, sizeof(size), "%uk", size_kib);
	(void)snprintf(mode_text, sizeof(mode_text), "%o", (unsigned)mode & 07777u);
	return new_mount("tmpfs", options, ARRAY_SIZE(options), flags);
}

static int set_flags(int mount_fd, unsigned flags)
{
	struct mount_attr attr = {.attr_set = attributes_of(flags)};

	if (!flags)
		return 0;
	return sys_mount_setattr(mount_fd, 0, &attr) < 0 ? -errno : 0;
}

int mount_tmpfs_attach(const struct mount_tmpfs *tmpfs, const struct mount_place *place,
		       struct error *err)
{
	/* Set read-only last, after the tmpfs was filled. */
	AUTO_FD fd = new_tmpfs(tmpfs->size_kib, tmpfs->mode,
			       tmpfs->flags & ~(unsigned)MOUNT_FLAG_RDONLY);
	int r;

	if (fd < 0 && sys_unavailable(-fd))
		return mount_by_path_tmpfs(tmpfs, place, err);
	if (fd < 0)
		return error_errno(err, -fd, "create a tmpfs");
	r = tmpfs->fill(fd, tmpfs->arg, err);
	if (r < 0)
		return r;
	r = set_flags(fd, tmpfs->flags & MOUNT_FLAG_RDONLY);
	if (r < 0 && sys_unavailable(-r)) {
		/* Linux 5.2 to 5.11 */
		fd_close(&fd);
		return mount_by_path_tmpfs(tmpfs, place, err);
	}
	if (r == 0 && sys_move_mount(fd, place->fd) < 0)
		r = -errno;
	return r < 0 ? error_errno(err, -r, "mount a tmpfs on %s", place->path) : fd_take(&fd);
}

/* Mounts the tmpfs for an overlay's changes. Its top directory, or -errno with err filled. */
static int place_layers(unsigned size_kib, const struct mount_place *place, struct error *err)
{
	const unsigned flags = MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV;
	AUTO_FD fd = new_tmpfs(size_kib, 0700, flags);

	if (fd < 0 && sys_unavailable(-fd))
		return mount_by_path_new_tmpfs(size_kib, 0700, flags, place, err);
	if (fd < 0)
		return error_errno(err, -fd, "create a tmpfs");
	if (sys_move_mount(fd, place->fd) < 0)
		return error_errno(err, errno, "mount a tmpfs on %s", place->path);
	return fd_take(&fd);
}

/* Mounts the overlay. A descriptor of its top, or -errno. */
static int place_overlay(const struct mount_place *place, int upper_fd, int work_fd)
{
	char lower[32], upper[32], work[32];
	const char *const options[][2] = {
		{"source", "davit"}, {"lowerdir", lower}, {"upperdir", upper}, {"workdir", work}};
	AUTO_FD fd = -1;

	/* Layers are paths. /proc/self/fd names exactly the opened directories. */
	(void)snprintf(lower, sizeof(lower), "/proc/self/fd/%d", place->fd);
	(void)snprintf(upper, sizeof(upper), "/proc/self/fd/%d", upper_fd);
	(void)snprintf(work, sizeof(work), "/proc/self/fd/%d", work_fd);
	fd = new_mount("overlay", options, ARRAY_SIZE(options), 0);
	if (fd < 0)
		return sys_unavailable(-fd) ? mount_by_path_overlay(place, upper_fd, work_fd) : fd;
	return sys_move_mount(fd, place->fd) < 0 ? -errno : fd_take(&fd);
}

int mount_overlay_attach(unsigned size_kib, const struct mount_place *place, struct error *err)
{
	/*
	 * Overlay accepts only layers in this mount namespace, so the tmpfs is mounted first, and
	 * the overlay will hide it.
	 */
	AUTO_FD tmpfs_fd = place_layers(size_kib, place, err);
	AUTO_FD upper_fd = -1;
	AUTO_FD work_fd = -1;
	struct stat st;
	int r;

	if (tmpfs_fd < 0)
		return tmpfs_fd;
	/* The view has the directory's mode and owner. */
	if (fstat(place->fd, &st) < 0 || mkdirat(tmpfs_fd, "upper", 0700) < 0 ||
	    mkdirat(tmpfs_fd, "work", 0700) < 0)
		return error_errno(err, errno, "fill a tmpfs");
	upper_fd = openat(tmpfs_fd, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	work_fd = openat(tmpfs_fd, "work", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (upper_fd < 0 || work_fd < 0 || fchown(upper_fd, st.st_uid, st.st_gid) < 0 ||
	    fchmod(upper_fd, st.st_mode & 07777) < 0)
		return error_errno(err, errno, "fill a tmpfs");
	r = place_overlay(place, upper_fd, work_fd);
	return r < 0 ? error_errno(err, -r, "mount a writable view on %s", place->path) : r;
}
