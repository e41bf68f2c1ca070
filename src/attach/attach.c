// SPDX-License-Identifier: Apache-2.0
/* What is mounted in a container, and the directories and files that it is mounted on. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "target.h"

/* A new empty file. A descriptor or -errno. */
static int create_empty(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	return fd < 0 ? -errno : fd;
}

static int make_empty(int dir_fd, const char *name, const void *arg)
{
	AUTO_FD fd = create_empty(dir_fd, name);

	(void)arg;
	return fd < 0 ? fd : 0;
}

/*
 * One attempt to create a file to mount on, in the place of nothing or of a link, because a mount
 * would follow the link to a target that the image chose. A descriptor, -EEXIST (something else
 * exists), -EAGAIN or -errno.
 */
static int try_stub(const struct target *target, const void *arg)
{
	int dir_fd = target->attach->dir_fd;
	char temporary[NAME_MAX + 1];
	struct stat st;
	int r, fd = create_empty(dir_fd, target->name);

	(void)arg;
	if (fd >= 0)
		target_report_made(target);
	if (fd != -EEXIST)
		return fd;
	if (fstatat(dir_fd, target->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	if (!S_ISLNK(st.st_mode))
		return -EEXIST;
	r = temporary_make(dir_fd, temporary, make_empty, NULL);
	if (r == 0)
		r = temporary_rename(target, temporary);
	return r < 0 ? r : -EAGAIN;
}

static int try_directory(const struct target *target, const void *arg)
{
	const mode_t *mode = arg;

	if (mkdirat(target->attach->dir_fd, target->name, *mode) < 0)
		return -errno;
	target_report_made(target);
	return 0;
}

static int put_on(struct attach *attach, int fd, const char *path, struct mount_source *source,
		  struct error *err)
{
	const struct mount_place place = {.root = attach->root, .path = path, .fd = fd};
	int r = mount_source_attach(source, &place);

	return r < 0 ? error_errno(err, -r, "mount on %s in the container", path) : 0;
}

/*
 * Whether the place already has the file to be mounted. If the source was cloned by descriptor,
 * only its type is known, so it is inspected.
 */
static bool is_the_same(const struct mount_source *source, const struct place *place)
{
	struct stat st = source->st;

	if ((st.st_mode & S_IFMT) != (place->st.st_mode & S_IFMT))
		return false;
	if (!st.st_ino && fstat(source->fd, &st) < 0)
		return false;
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		return st.st_rdev == place->st.st_rdev;
	return st.st_dev == place->st.st_dev && st.st_ino == place->st.st_ino;
}

/*
 * A file can cover a file; and, in a directory of the container's own, also the only mount at its
 * place.
 */
static bool may_cover_in_volume(const struct attach *attach, const struct place *place,
				const struct mount_source *source)
{
	return (S_ISREG(place->st.st_mode) && S_ISREG(source->st.st_mode)) ||
	       (attach->dir.kind == PLACE_OWN && place->mount != attach->dir.mount);
}

/* A directory is mounted on a directory, anything else on anything else. */
static int check_types(const struct target *target, const struct place *place,
		       const struct mount_source *source, struct error *err)
{
	bool is_directory = S_ISDIR(source->st.st_mode);

	if (is_directory == S_ISDIR(place->st.st_mode))
		return 0;
	if (is_directory)
		return error_set(
			err, ERROR_IMAGE, ENOTDIR, "remove it from the image",
			"create the directory %s in the container: the image has a file of that name",
			target->path);
	return error_set(
		err, ERROR_IMAGE, EISDIR, "remove that directory from the image",
		"create the file %s in the container: the image has a directory of that name",
		target->path);
}

/* Whether the existing target is preserved. */
static bool is_kept(const struct target *target, const struct place *place,
		    const struct mount_source *source)
{
	/* Nodes of the container's own are bound all the same: the host's keep mode and owner. */
	bool is_node = (S_ISCHR(source->st.st_mode) || S_ISBLK(source->st.st_mode)) &&
		       place->kind == PLACE_OWN;

	if (!is_node && is_the_same(source, place)) {
		log_line(LOG_LEVEL_INFO, "%s is already the host's file", target->path);
		return true;
	}
	/* A directory on which something is mounted was chosen for the container by others. */
	if (S_ISDIR(source->st.st_mode) && place->mount != target->attach->dir.mount) {
		log_line(LOG_LEVEL_INFO, "%s is a volume of the container and is not changed",
			 target->path);
		return true;
	}
	return false;
}

/* On something that exists and isn't a link. */
static int mount_on_present(struct target *target, const struct place *place,
			    struct mount_source *source, struct error *err)
{
	struct attach *attach = target->attach;
	int r = check_types(target, place, source, err);

	if (r < 0)
		return r;
	if (is_kept(target, place, source))
		return 0;
	if (place->kind == PLACE_SHARED ||
	    (place->kind == PLACE_VOLUME && !may_cover_in_volume(attach, place, source)))
		return place_refuse(place, target->path, err);
	if (attach->dir.kind == PLACE_OWN && place->mount == attach->dir.mount &&
	    !S_ISDIR(source->st.st_mode))
		target_keep(target);
	return put_on(attach, place->fd, target->path, source, err);
}

/* Mounts on what is at the target now. -EAGAIN: it is gone, or has become a link. */
static int mount_on_target(struct target *target, struct mount_source *source, struct error *err)
{
	AUTO_FD fd = target_open(target);
	struct place place;
	int r;

	if (fd == -ENOENT)
		return -EAGAIN;
	if (fd < 0)
		return target_error(target, -fd, "open", err);
	r = place_inspect(target->attach, fd, target->path, &place, err);
	if (r < 0)
		return r;
	if (S_ISLNK(place.st.st_mode))
		return -EAGAIN;
	return mount_on_present(target, &place, source, err);
}

/*
 * Mounts on a missing place or a link, in a directory in which files may be created. 1: done; 0:
 * inspect again (a directory was created, or something else exists); or -errno, err filled.
 */
static int mount_on_made(struct target *target, struct mount_source *source, struct error *err)
{
	static const mode_t mode = 0755;
	int fd;

	if (S_ISDIR(source->st.st_mode)) {
		fd = target_try(target, try_directory, &mode, "create the directory", err);
		return fd == -EEXIST ? 0 : fd;
	}
	fd = target_try(target, try_stub, NULL, "create the file", err);
	if (fd >= 0) {
		AUTO_FD stub = fd;

		/* Just created by this process, in a directory of the container's own. */
		fd = put_on(target->attach, stub, target->path, source, err);
		return fd < 0 ? fd : 1;
	}
	return fd == -EEXIST ? 0 : fd;
}

int attach_mount(struct attach *attach, const char *path, struct mount_source *source,
		 struct error *err)
{
	struct target target;
	int r = target_reach(attach, path, &target, err);

	if (r < 0)
		return r;
	/* In most containers it is missing, and made in one call. */
	if (attach->dir.kind == PLACE_OWN && !S_ISDIR(source->st.st_mode)) {
		r = mount_on_made(&target, source, err);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	for (int tries = 0; tries < TARGET_TRIES; tries++) {
		r = mount_on_target(&target, source, err);
		if (r != -EAGAIN)
			return r;
		r = mount_on_made(&target, source, err);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return target_error(&target, EAGAIN, "mount on", err);
}

int attach_mount_over(struct attach *attach, const char *path, struct mount_source *source,
		      struct error *err)
{
	AUTO_FD fd = root_openat(attach->root, path, O_PATH);
	struct place place;
	int r;

	if (fd < 0)
		return error_errno(err, -fd, "open %s in the container", path);
	r = place_inspect(attach, fd, path, &place, err);
	if (r == 0 && (place.kind == PLACE_SHARED || place.kind == PLACE_VOLUME))
		r = place_refuse(&place, path, err);
	return r < 0 ? r : put_on(attach, fd, path, source, err);
}

int attach_directory(struct attach *attach, const char *path, mode_t mode, struct error *err)
{
	struct target target;
	int r = target_reach(attach, path, &target, err);

	if (r == 0)
		r = target_try(&target, try_directory, &mode, "create the directory", err);
	if (r == 0 && fchmodat(attach->dir_fd, target.name, mode, 0) < 0)
		return target_error(&target, errno, "set the mode of", err);
	return r == -EEXIST ? 0 : r;
}

/* ---- file systems ------------------------------------------------------------------------- */

/* Nothing may be mounted on what isn't the container's own. */
static int inspect_directory(struct attach *attach, const char *path, int fd, struct place *ret,
			     struct error *err)
{
	int r = place_inspect(attach, fd, path, ret, err);

	if (r < 0)
		return r;
	return ret->kind == PLACE_SHARED || ret->kind == PLACE_VOLUME ? place_refuse(ret, path, err)
								      : 0;
}

int attach_tmpfs(struct attach *attach, const char *path, const struct mount_tmpfs *tmpfs,
		 struct error *err)
{
	AUTO_FD fd = root_openat(attach->root, path, O_PATH | O_DIRECTORY);
	struct mount_place place = {.root = attach->root, .path = path, .fd = fd};
	struct place where;
	int r;

	if (fd < 0)
		return fd == -ENOENT ? fd : error_errno(err, -fd, "open %s in the container", path);
	r = inspect_directory(attach, path, fd, &where, err);
	if (r == -EXDEV && place_is_in_own_proc(attach, &where))
		r = 0;
	return r < 0 ? r : mount_tmpfs_attach(tmpfs, &place, err);
}

int attach_new(struct attach *attach, const char *path, const char *type,
	       const char *const (*options)[2], size_t count, unsigned flags, struct error *err)
{
	AUTO_FD fd = -1;
	struct mount_place place = {.root = attach->root, .path = path};
	struct place where;
	int r = 0;

	fd = root_openat(attach->root, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
	if (fd == -ENOENT) {
		r = attach_directory(attach, path, 0755, err);
		if (r == 0)
			fd = root_openat(attach->root, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
	}
	if (r < 0)
		return r;
	if (fd < 0)
		return error_set(err, ERROR_IMAGE, -fd, "make it a directory in the image",
				 "mount on %s in the container: %s", path, strerror(-fd));
	place.fd = fd;
	r = inspect_directory(attach, path, fd, &where, err);
	if (r < 0)
		return r;
	r = mount_new_attach(type, options, count, flags, &place);
	return r < 0 ? error_errno(err, -r, "mount %s on %s in the container", type, path) : 0;
}

int attach_beneath(int top_fd, const char *path, const char *name, struct mount_source *source,
		   struct error *err)
{
	const struct root top = {.fd = top_fd, .path = path};
	struct mount_place place = {.root = &top, .path = name};
	AUTO_FD fd = root_openat(&top, name, O_PATH);
	int r;

	place.fd = fd;
	r = fd < 0 ? fd : mount_source_attach(source, &place);
	return r < 0 ? error_errno(err, -r, "mount %s/%s in the container", path, name) : 0;
}

void attach_end(struct attach *attach)
{
	fd_close(&attach->dir_fd);
	for (size_t i = 0; i < attach->views.count; i++)
		fd_close(&attach->views.items[i]);
	attach->views.count = 0;
}
