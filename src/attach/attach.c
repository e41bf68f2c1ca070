// SPDX-License-Identifier: Apache-2.0
/* What is made in a container, one thing at a time. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "davit/attach.h"

#define TEMPORARY_TRIES 64
#define REPLACE_TRIES 16 /* something else creates and removes the same name */

/* What is to be made, or mounted on: a name in a directory. */
struct target {
	struct attach *attach;
	const char *path, *name;
};

static int target_error(const struct target *target, int errnum, const char *what,
			struct error *err)
{
	return error_errno(err, errnum, "%s %s in the container", what, target->path);
}

static void tell_made(const struct target *target, const char *name, const char *path)
{
	const struct attach *attach = target->attach;

	if (attach->made)
		attach->made(attach->made_arg, attach->dir_fd, name, path);
}

/* ---- directories -------------------------------------------------------------------------- */

static int in_the_way(const struct attach *attach, const char *path, int errnum, struct error *err)
{
	const char *why = errnum == ENOTDIR  ? "it is no directory"
			  : errnum == ENOENT ? "it is a link to nothing"
			  : errnum == ELOOP  ? "it is a link to nothing, a loop of links, or a "
					       "link that /proc makes"
					     : strerror(errnum);

	return error_set(err, ERROR_IMAGE, errnum, "remove it from the image, or use another image",
			 "open the directory %s in the container's root %s: %s", path,
			 attach->root->path, why);
}

/* Takes fd as the directory to work in; it is looked at before anything is done in it. */
static int enter(struct attach *attach, int fd, struct error *err)
{
	fd_close(&attach->dir_fd);
	attach->dir_fd = fd;
	return place_look(attach, fd, attach->dir_path, &attach->dir, err);
}

/* The working directory, seen through a private view of it from here on. */
static int enter_view(struct attach *attach, struct error *err)
{
	int view = view_make(attach, &attach->dir, err);
	int fd = view < 0 ? view : fcntl(view, F_DUPFD_CLOEXEC, 0);

	if (view >= 0 && fd < 0)
		return error_errno(err, errno, "open %s in the container", attach->dir_path);
	return fd < 0 ? fd : enter(attach, fd, err);
}

/* Before something is made in the working directory: whether it may be. */
static int may_make(struct attach *attach, const char *path, struct error *err)
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
			return in_the_way(attach, length ? attach->dir_path : "/", -fd, err);
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
	r = error_errno(err, errno, "make the directory %s in %s", path, attach->root->path);
	return error_fix(err, r, "let the image have a plain directory there");
}

/* The next name on the way, made when it is missing. `path` is all of the way up to it. */
static int descend(struct attach *attach, const char *name, const char *path, struct error *err)
{
	int fd, made = make_directory(attach, name, path, 0755, err);

	if (made < 0)
		return made;
	fd = openat(attach->dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return in_the_way(attach, path, errno, err);
	(void)snprintf(attach->dir_path, sizeof(attach->dir_path), "%s", path);
	return enter(attach, fd, err);
}

static int make_way(struct attach *attach, const char *path, struct error *err)
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

/*
 * Makes the directory of `path` the working directory; `make` makes what is missing on the way. On
 * failure there is none, so that the next one looks again.
 */
static int reach(struct attach *attach, const char *path, bool make, struct target *ret,
		 struct error *err)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash > path ? (size_t)(slash - path) : 1;
	char directory[PATH_MAX];
	int fd, r;

	*ret = (struct target){.attach = attach, .path = path, .name = slash ? slash + 1 : ""};
	if (path[0] != '/' || !slash || length >= sizeof(directory) || !slash[1] ||
	    string_equal(slash + 1, ".") || string_equal(slash + 1, ".."))
		return error_set(err, ERROR_BAD_REQUEST, EINVAL, NULL,
				 "use %s in the container: it names no file", path);
	if (attach->dir_fd >= 0 && strlen(attach->dir_path) == length &&
	    memcmp(attach->dir_path, path, length) == 0)
		return 0;
	memcpy(directory, path, length);
	directory[length] = '\0';
	memcpy(attach->dir_path, directory, length + 1);
	fd = root_openat(attach->root, directory, O_PATH | O_DIRECTORY);
	if (fd == -ENOENT && make)
		r = make_way(attach, directory, err);
	else if (fd < 0)
		r = in_the_way(attach, directory, -fd, err);
	else
		r = enter(attach, fd, err);
	if (r < 0)
		fd_close(&attach->dir_fd);
	return r;
}

/* ---- names -------------------------------------------------------------------------------- */

/* A name that nobody uses in the directory, tried by `make`; 0 or -errno. */
static int with_temporary_name(int dir_fd, char name[static NAME_MAX + 1],
			       int (*make)(int dir_fd, const char *name, const void *arg),
			       const void *arg)
{
	static unsigned serial;
	int r = -EEXIST;

	for (int tries = 0; tries < TEMPORARY_TRIES && r == -EEXIST; tries++) {
		(void)snprintf(name, NAME_MAX + 1, ".davit-%d-%u", (int)getpid(), serial++);
		r = make(dir_fd, name, arg);
	}
	return r;
}

/* Moves a temporary name onto the target's; the temporary is gone either way. */
static int rename_over(const struct target *target, const char *temporary)
{
	int dir_fd = target->attach->dir_fd, r = 0;

	if (renameat(dir_fd, temporary, dir_fd, target->name) < 0) {
		r = -errno;
		(void)unlinkat(dir_fd, temporary, 0);
	}
	return r;
}

/*
 * Tries until it is neither beaten by somebody else nor stopped by a read-only file system. What
 * `try` returns, err filled but for -EEXIST; `what` is what it was to do.
 */
static int try_often(struct target *target,
		     int (*try)(const struct target *target, const void *arg), const void *arg,
		     const char *what, struct error *err)
{
	bool viewed = false;
	int r = may_make(target->attach, target->path, err);

	if (r < 0)
		return r;
	r = -EAGAIN;
	for (int tries = 0; tries < REPLACE_TRIES && r == -EAGAIN; tries++) {
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
		return error_set(err, ERROR_IMAGE, EISDIR, "remove that directory from the image",
				 "put a file at %s in the container: the image has a directory "
				 "there",
				 target->path);
	return r < 0 && r != -EEXIST ? target_error(target, -r, what, err) : r;
}

/* ---- mounts ------------------------------------------------------------------------------- */

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
 * One try to have a file to mount on, where nothing or a link is: mounting would follow it to
 * wherever the image wants it. A descriptor, -EEXIST (something else is there), -EAGAIN or -errno.
 */
static int try_stub(const struct target *target, const void *arg)
{
	int dir_fd = target->attach->dir_fd;
	char temporary[NAME_MAX + 1];
	struct stat st;
	int r, fd = create_empty(dir_fd, target->name);

	(void)arg;
	if (fd >= 0)
		tell_made(target, target->name, target->path);
	if (fd != -EEXIST)
		return fd;
	if (fstatat(dir_fd, target->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	if (!S_ISLNK(st.st_mode))
		return -EEXIST;
	r = with_temporary_name(dir_fd, temporary, make_empty, NULL);
	if (r == 0)
		r = rename_over(target, temporary);
	return r < 0 ? r : -EAGAIN;
}

static int try_directory(const struct target *target, const void *arg)
{
	const mode_t *mode = arg;

	if (mkdirat(target->attach->dir_fd, target->name, *mode) < 0)
		return -errno;
	tell_made(target, target->name, target->path);
	return 0;
}

/* Opens what is at the target, the link itself if it is one. A descriptor or -errno. */
static int open_target(const struct target *target)
{
	int fd = openat(target->attach->dir_fd, target->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int put_on(struct attach *attach, int fd, const char *path, struct mount_source *source,
		  struct error *err)
{
	const struct mount_place place = {.root = attach->root, .path = path, .fd = fd};
	int r = mount_source_attach(source, &place);

	return r < 0 ? error_errno(err, -r, "mount on %s in the container", path) : 0;
}

/*
 * Whether the place has already what would be mounted. Only the type of what was cloned by
 * descriptor is known, so it is asked for.
 */
static bool is_the_same(const struct mount_source *source, const struct place *place)
{
	struct stat st = source->st;

	if ((st.st_mode & S_IFMT) != (place->st.st_mode & S_IFMT))
		return false;
	if (!st.st_ino && fstat(source->fd, &st) < 0)
		return false;
	if (S_ISCHR(st.st_mode))
		return st.st_rdev == place->st.st_rdev;
	return st.st_dev == place->st.st_dev && st.st_ino == place->st.st_ino;
}

/* A file by a file; and what alone is mounted at its place, in a directory of the container's own.
 */
static bool may_cover_in_volume(const struct attach *attach, const struct place *place,
				const struct mount_source *source)
{
	return (S_ISREG(place->st.st_mode) && S_ISREG(source->st.st_mode)) ||
	       (attach->dir.kind == PLACE_OWN && place->mount != attach->dir.mount);
}

/* On something that is there, and no link. */
static int mount_on_present(struct target *target, const struct place *place,
			    struct mount_source *source, struct error *err)
{
	struct attach *attach = target->attach;
	bool is_directory = S_ISDIR(source->st.st_mode);
	/* Nodes of the container's own are bound all the same: the host's keep mode and owner. */
	bool is_node = S_ISCHR(source->st.st_mode) && place->kind == PLACE_OWN;

	if (S_ISDIR(place->st.st_mode) && !is_directory)
		return error_set(err, ERROR_IMAGE, EISDIR, "remove that directory from the image",
				 "put a file at %s in the container: the image has a directory "
				 "there",
				 target->path);
	if (is_directory && !S_ISDIR(place->st.st_mode))
		return error_set(err, ERROR_IMAGE, ENOTDIR, "remove it from the image",
				 "put a directory at %s in the container: the image has "
				 "something else there",
				 target->path);
	if (!is_node && is_the_same(source, place)) {
		log_line(LOG_LEVEL_INFO, "%s is the host's already", target->path);
		return 0;
	}
	/* A directory on which something is mounted was chosen for the container by others. */
	if (is_directory && place->mount != attach->dir.mount) {
		log_line(LOG_LEVEL_INFO, "%s is a volume of the container: left as it is",
			 target->path);
		return 0;
	}
	if (place->kind == PLACE_SHARED ||
	    (place->kind == PLACE_VOLUME && !may_cover_in_volume(attach, place, source)))
		return place_refuse(place, target->path, err);
	return put_on(attach, place->fd, target->path, source, err);
}

/* Mounts on what is at the target now. -EAGAIN: it is gone, or has become a link. */
static int mount_on_target(struct target *target, struct mount_source *source, struct error *err)
{
	AUTO_FD fd = open_target(target);
	struct place place;
	int r;

	if (fd == -ENOENT)
		return -EAGAIN;
	if (fd < 0)
		return target_error(target, -fd, "open", err);
	r = place_look(target->attach, fd, target->path, &place, err);
	if (r < 0)
		return r;
	if (S_ISLNK(place.st.st_mode))
		return -EAGAIN;
	return mount_on_present(target, &place, source, err);
}

/*
 * On a place that is missing or a link, in a directory where things may be made. 1 done, 0 look
 * again (a directory was made, or something else is there) or -errno, err filled.
 */
static int mount_on_made(struct target *target, struct mount_source *source, struct error *err)
{
	static const mode_t mode = 0755;
	int fd;

	if (S_ISDIR(source->st.st_mode)) {
		fd = try_often(target, try_directory, &mode, "make the directory", err);
		return fd == -EEXIST ? 0 : fd;
	}
	fd = try_often(target, try_stub, NULL, "make the file", err);
	if (fd >= 0) {
		AUTO_FD stub = fd;

		/* Just made, by nobody else, in a directory of the container's own. */
		fd = put_on(target->attach, stub, target->path, source, err);
		return fd < 0 ? fd : 1;
	}
	return fd == -EEXIST ? 0 : fd;
}

int attach_mount(struct attach *attach, const char *path, struct mount_source *source,
		 struct error *err)
{
	struct target target;
	int r = reach(attach, path, true, &target, err);

	if (r < 0)
		return r;
	/* In most containers it is missing, and made in one call. */
	if (attach->dir.kind == PLACE_OWN && !S_ISDIR(source->st.st_mode)) {
		r = mount_on_made(&target, source, err);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	for (int tries = 0; tries < REPLACE_TRIES; tries++) {
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
	r = place_look(attach, fd, path, &place, err);
	if (r == 0 && (place.kind == PLACE_SHARED || place.kind == PLACE_VOLUME))
		r = place_refuse(&place, path, err);
	return r < 0 ? r : put_on(attach, fd, path, source, err);
}

/* ---- links -------------------------------------------------------------------------------- */

static int make_link(int dir_fd, const char *name, const void *text)
{
	return symlinkat(text, dir_fd, name) < 0 ? -errno : 0;
}

struct link {
	const char *text;
	bool over_file;
};

/* What is at a link's place: 0 it is the link, 1 it may be replaced, -ENOENT, -EEXIST, -EISDIR,
 * -errno. */
static int look_at_link(const struct target *target, const struct link *link)
{
	const char *text = link->text;
	int dir_fd = target->attach->dir_fd;
	char present[PATH_MAX];
	struct stat st;
	ssize_t length = readlinkat(dir_fd, target->name, present, sizeof(present));

	if (length >= 0)
		return (size_t)length != strlen(text) || memcmp(present, text, (size_t)length) != 0;
	if (errno != EINVAL || fstatat(dir_fd, target->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	/* An empty file is a stub of an earlier run, or of another toolkit's. */
	return S_ISREG(st.st_mode) && (st.st_size == 0 || link->over_file) ? 1 : -EEXIST;
}

/* One try to have the link. 0, -EAGAIN (look again), -EEXIST (a file with content) or -errno. */
static int try_link(const struct target *target, const void *arg)
{
	const struct link *link = arg;
	int dir_fd = target->attach->dir_fd;
	char temporary[NAME_MAX + 1];
	int r = make_link(dir_fd, target->name, link->text);

	if (r == 0)
		tell_made(target, target->name, target->path);
	if (r != -EEXIST)
		return r;
	r = look_at_link(target, link);
	if (r <= 0)
		return r == -ENOENT ? -EAGAIN : r;
	r = with_temporary_name(dir_fd, temporary, make_link, link->text);
	if (r == 0)
		r = rename_over(target, temporary);
	return r == -EBUSY ? -EEXIST : r;
}

static int put_link(struct attach *attach, const char *path, const struct link *link,
		    struct error *err)
{
	struct target target;
	int r = reach(attach, path, true, &target, err);

	if (r < 0)
		return r;
	/* Where nothing may be made, the right link is as good, and a file can be covered. */
	if (attach->dir.kind != PLACE_OWN) {
		r = look_at_link(&target, link);
		if (r == 0 || r == -EEXIST)
			return r;
	}
	return try_often(&target, try_link, link, "make the link", err);
}

int attach_link(struct attach *attach, const char *path, const char *text, struct error *err)
{
	const struct link link = {.text = text};

	return put_link(attach, path, &link, err);
}

int attach_link_over_file(struct attach *attach, const char *path, const char *text,
			  struct error *err)
{
	const struct link link = {.text = text, .over_file = true};

	return put_link(attach, path, &link, err);
}

/* ---- files -------------------------------------------------------------------------------- */

struct content {
	const void *data;
	size_t length;
};

static int make_content(int dir_fd, const char *name, const void *arg)
{
	const struct content *content = arg;
	AUTO_FD fd =
		openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	int r;

	if (fd < 0)
		return -errno;
	r = file_write(fd, content->data, content->length);
	if (r < 0)
		(void)unlinkat(dir_fd, name, 0);
	return r;
}

/* A new file in the directory, mounted on the place, whose name goes at once. */
static int cover_from(struct attach *attach, const char *directory, const struct place *place,
		      const struct content *content)
{
	AUTO_ROOT scratch = {.fd = root_openat(attach->root, directory, O_PATH | O_DIRECTORY),
			     .path = directory};
	const struct mount_place on = {.root = attach->root, .path = place->path, .fd = place->fd};
	struct mount_source source = {.fd = -1};
	char temporary[NAME_MAX + 1];
	struct error ignored = {0};
	struct place where;
	int r = scratch.fd < 0 ? scratch.fd
			       : place_look(attach, scratch.fd, directory, &where, &ignored);

	if (r == 0 && where.kind != PLACE_OWN)
		r = -EXDEV;
	if (r == 0)
		r = with_temporary_name(scratch.fd, temporary, make_content, content);
	if (r < 0)
		return r;
	/* Read-only: what the container writes there would not reach what it believes to write. */
	r = mount_source_clone(&scratch, temporary,
			       MOUNT_FLAG_RDONLY | MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV, false,
			       &source);
	if (r == 0)
		r = mount_source_attach(&source, &on);
	mount_source_close(&source);
	(void)unlinkat(scratch.fd, temporary, 0);
	return r;
}

/* A file that isn't the container's to write, or is a mount point: covered by one of ours. */
static int cover_file(struct attach *attach, const struct place *place,
		      const struct content *content, struct error *err)
{
	/* Directories of the container's own that hardly any image or engine can have taken. */
	static const char *const directories[] = {"/", "/dev", "/run", "/tmp"};
	int r = -EXDEV;

	if (place->kind == PLACE_SHARED)
		return place_refuse(place, place->path, err);
	for (size_t i = 0; r < 0 && i < ARRAY_SIZE(directories); i++)
		r = cover_from(attach, directories[i], place, content);
	return r < 0 ? error_errno(err, -r, "cover %s in the container by a file of its own",
				   place->path)
		     : 0;
}

static int try_write(const struct target *target, const void *content)
{
	int dir_fd = target->attach->dir_fd;
	char temporary[NAME_MAX + 1];
	struct stat st;
	bool replaces;
	int r = with_temporary_name(dir_fd, temporary, make_content, content);

	if (r < 0)
		return r;
	replaces = fstatat(dir_fd, target->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	r = rename_over(target, temporary);
	if (r == 0 && !replaces)
		tell_made(target, target->name, target->path);
	return r;
}

/* Whether the target is a file to be covered: looked at only where that is to be expected. */
static int cover_target(struct target *target, const struct content *content, bool *ret_covered,
			struct error *err)
{
	AUTO_FD fd = open_target(target);
	struct place place;
	int r;

	*ret_covered = false;
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return target_error(target, -fd, "open", err);
	r = place_look(target->attach, fd, target->path, &place, err);
	if (r < 0 || !S_ISREG(place.st.st_mode))
		return r;
	*ret_covered = true;
	return cover_file(target->attach, &place, content, err);
}

int attach_file(struct attach *attach, const char *path, const void *data, size_t length,
		struct error *err)
{
	const struct content content = {data, length};
	struct target target;
	bool covered = false;
	int r = reach(attach, path, true, &target, err);

	if (r == 0 && attach->dir.kind != PLACE_OWN)
		r = cover_target(&target, &content, &covered, err);
	if (r < 0 || covered)
		return r;
	r = try_often(&target, try_write, &content, "write the file", err);
	/* A mount point: what it leads to isn't the image's. */
	if (r == -EBUSY)
		r = cover_target(&target, &content, &covered, err);
	if (r == 0 && !covered)
		return 0;
	return r == -EEXIST ? target_error(&target, EEXIST, "write the file", err) : r;
}

int attach_directory(struct attach *attach, const char *path, mode_t mode, struct error *err)
{
	struct target target;
	int r = reach(attach, path, true, &target, err);

	if (r == 0)
		r = try_often(&target, try_directory, &mode, "make the directory", err);
	if (r == 0 && fchmodat(attach->dir_fd, target.name, mode, 0) < 0)
		return target_error(&target, errno, "set the mode of", err);
	return r == -EEXIST ? 0 : r;
}

/* ---- file systems ------------------------------------------------------------------------- */

/* Nothing may be mounted on what isn't the container's own. */
static int look_at_directory(struct attach *attach, const char *path, int fd, struct place *ret,
			     struct error *err)
{
	int r = place_look(attach, fd, path, ret, err);

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
	r = look_at_directory(attach, path, fd, &where, err);
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
	r = look_at_directory(attach, path, fd, &where, err);
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
	return r < 0 ? error_errno(err, -r, "show %s/%s in the container", path, name) : 0;
}

void attach_end(struct attach *attach)
{
	fd_close(&attach->dir_fd);
	for (size_t i = 0; i < attach->views.count; i++)
		fd_close(&attach->views.items[i]);
	attach->views.count = 0;
}
