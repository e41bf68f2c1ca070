// SPDX-License-Identifier: Apache-2.0
/*
 * Places in a container at which something is made: the way to their directory, and how names
 * appear in it.
 */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "target.h"

#define TEMPORARY_TRIES 64

int target_error(const struct target *target, int errnum, const char *what, struct error *err)
{
	return error_errno(err, errnum, "%s %s in the container", what, target->path);
}

void target_report_made(const struct target *target)
{
	const struct attach *attach = target->attach;

	if (attach->made)
		attach->made(attach->made_arg, attach->dir_fd, target->name, target->path);
}

/*
 * Whether it was made in this root, not in one of the image's layers: changing a layer's file would
 * copy it. A file system without times of birth has no layers beneath it.
 */
static bool is_of_this_root(struct attach *attach, const struct stat *st)
{
	if (!attach->birth_is_known)
		attach->birth = fd_birth(attach->root->fd);
	attach->birth_is_known = true;
	return st->st_ctim.tv_sec >= attach->birth;
}

/* Created by this run itself: some links are in a plan for two reasons. */
static bool is_made_now(const struct attach *attach, const struct stat *st)
{
	return st->st_ctim.tv_sec > attach->began.tv_sec ||
	       (st->st_ctim.tv_sec == attach->began.tv_sec &&
		st->st_ctim.tv_nsec >= attach->began.tv_nsec);
}

void target_keep(const struct target *target)
{
	int dir_fd = target->attach->dir_fd;
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};
	struct stat st;

	if (fstatat(dir_fd, target->name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !(S_ISLNK(st.st_mode) || (S_ISREG(st.st_mode) && st.st_size == 0)) ||
	    is_made_now(target->attach, &st) || !is_of_this_root(target->attach, &st))
		return;
	/*
	 * File systems may store times with a resolution of two seconds. If the time can't be set,
	 * it is unchanged.
	 */
	times[1] = st.st_mtim;
	times[1].tv_sec += 2;
	(void)utimensat(dir_fd, target->name, times, AT_SYMLINK_NOFOLLOW);
}

/* ---- directories -------------------------------------------------------------------------- */

static int path_blocked(const struct attach *attach, const char *path, int errnum,
			struct error *err)
{
	const char *why = errnum == ENOTDIR  ? "it is not a directory"
			  : errnum == ENOENT ? "it is a dangling link"
			  : errnum == ELOOP
				  ? "it is a dangling link, a loop of links, or a link of /proc"
				  : strerror(errnum);

	return error_set(err, ERROR_IMAGE, errnum, "remove it from the image, or use another image",
			 "open the directory %s in the container's root %s: %s", path,
			 attach->root->path, why);
}

/* Makes fd the current directory. It is inspected before anything is done in it. */
static int enter(struct attach *attach, int fd, struct error *err)
{
	fd_close(&attach->dir_fd);
	attach->dir_fd = fd;
	return place_inspect(attach, fd, attach->dir_path, &attach->dir, err);
}

/* The working directory, seen through a private view of it from here on. */
static int enter_view(struct attach *attach, struct error *err)
{
	int fd = view_make(attach, &attach->dir, err);

	return fd < 0 ? fd : enter(attach, fd, err);
}

/* Before something is made in the working directory: whether it may be. */
int may_make(struct attach *attach, const char *path, struct error *err)
{
	if (attach->dir.kind == PLACE_READ_ONLY)
		return enter_view(attach, err);
	return attach->dir.kind == PLACE_OWN ? 0 : place_refuse(&attach->dir, path, err);
}

/* The deepest directory on the way to `path` that exists; the rest of the path follows `length`. */
static int enter_deepest(struct attach *attach, const char *path, size_t *ret_length,
			 struct error *err)
{
	size_t length = strlen(path);
	int fd = -ENOENT;

	while (fd == -ENOENT) {
		while (length > 0 && path[length - 1] != '/')
			length--;
		while (length > 0 && path[length - 1] == '/')
			length--;
		memcpy(attach->dir_path, path, length);
		attach->dir_path[length] = '\0';
		fd = root_openat(attach->root, length ? attach->dir_path : "/",
				 O_PATH | O_DIRECTORY);
		if (fd < 0 && (fd != -ENOENT || length == 0))
			return path_blocked(attach, length ? attach->dir_path : "/", -fd, err);
	}
	*ret_length = length;
	return enter(attach, fd, err);
}

/* Makes one directory in the working directory. 0 made, 1 there already or -errno, err filled. */
static int make_directory(struct attach *attach, const char *name, const char *path, mode_t mode,
			  struct error *err)
{
	int r = may_make(attach, path, err);

	for (int tries = 0; r == 0 && tries < 2; tries++) {
		if (mkdirat(attach->dir_fd, name, mode) == 0)
			return 0;
		if (errno == EEXIST)
			return 1;
		if (errno != EROFS || tries)
			break;
		r = enter_view(attach, err);
	}
	if (r < 0)
		return r;
	r = error_errno(err, errno, "create the directory %s in %s", path, attach->root->path);
	return error_fix(err, r, "replace it with a plain directory in the image");
}

/* The next name on the way, made when it is missing. `path` is all of the way up to it. */
static int descend(struct attach *attach, const char *name, const char *path, struct error *err)
{
	int fd, made = make_directory(attach, name, path, 0755, err);

	if (made < 0)
		return made;
	fd = openat(attach->dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return path_blocked(attach, path, errno, err);
	(void)snprintf(attach->dir_path, sizeof(attach->dir_path), "%s", path);
	return enter(attach, fd, err);
}

static int make_parents(struct attach *attach, const char *path, struct error *err)
{
	char prefix[PATH_MAX];
	size_t length = strlen(path), at = 0;
	int r = enter_deepest(attach, path, &at, err);

	memcpy(prefix, path, length + 1);
	while (r == 0) {
		size_t start = at + strspn(prefix + at, "/");
		char saved;

		at = start + strcspn(prefix + start, "/");
		if (at == start)
			break;
		saved = prefix[at];
		prefix[at] = '\0';
		r = descend(attach, prefix + start, prefix, err);
		if (r == 0 && attach->made)
			attach->made(attach->made_arg, attach->dir_fd, "", prefix);
		prefix[at] = saved;
	}
	return r;
}

int target_reach(struct attach *attach, const char *path, struct target *ret, struct error *err)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash > path ? (size_t)(slash - path) : 1;
	char directory[PATH_MAX];
	int fd, r;

	*ret = (struct target){.attach = attach, .path = path, .name = slash ? slash + 1 : ""};
	if (path[0] != '/' || !slash || length >= sizeof(directory) || !slash[1] ||
	    string_equal(slash + 1, ".") || string_equal(slash + 1, ".."))
		return error_set(err, ERROR_BAD_REQUEST, EINVAL, NULL,
				 "use %s in the container: the path names no file", path);
	if (attach->dir_fd >= 0 && strlen(attach->dir_path) == length &&
	    memcmp(attach->dir_path, path, length) == 0)
		return 0;
	memcpy(directory, path, length);
	directory[length] = '\0';
	memcpy(attach->dir_path, directory, length + 1);
	fd = root_openat(attach->root, directory, O_PATH | O_DIRECTORY);
	if (fd == -ENOENT)
		r = make_parents(attach, directory, err);
	else if (fd < 0)
		r = path_blocked(attach, directory, -fd, err);
	else
		r = enter(attach, fd, err);
	if (r < 0)
		fd_close(&attach->dir_fd);
	return r;
}

/* ---- names -------------------------------------------------------------------------------- */

int temporary_make(int dir_fd, char name[static NAME_MAX + 1],
		   int (*make)(int dir_fd, const char *name, const void *arg), const void *arg)
{
	static unsigned serial;
	int r = -EEXIST;

	for (int tries = 0; tries < TEMPORARY_TRIES && r == -EEXIST; tries++) {
		(void)snprintf(name, NAME_MAX + 1, ".davit-%d-%u", (int)getpid(), serial++);
		r = make(dir_fd, name, arg);
	}
	return r;
}

int temporary_rename(const struct target *target, const char *temporary)
{
	int dir_fd = target->attach->dir_fd, r = 0;

	if (renameat(dir_fd, temporary, dir_fd, target->name) < 0) {
		r = -errno;
		(void)unlinkat(dir_fd, temporary, 0);
	}
	return r;
}

int target_try(struct target *target, int (*try)(const struct target *target, const void *arg),
	       const void *arg, const char *what, struct error *err)
{
	bool viewed = false;
	int r = may_make(target->attach, target->path, err);

	if (r < 0)
		return r;
	r = -EAGAIN;
	for (int tries = 0; tries < TARGET_TRIES && r == -EAGAIN; tries++) {
		r = try(target, arg);
		if (r != -EROFS || viewed)
			continue;
		viewed = true;
		r = enter_view(target->attach, err);
		if (r < 0)
			return r;
		r = -EAGAIN;
	}
	if (r == -EISDIR)
		return error_set(
			err, ERROR_IMAGE, EISDIR, "remove that directory from the image",
			"create the file %s in the container: the image has a directory of that name",
			target->path);
	return r < 0 && r != -EEXIST ? target_error(target, -r, what, err) : r;
}

int target_open(const struct target *target)
{
	int fd = openat(target->attach->dir_fd, target->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}
