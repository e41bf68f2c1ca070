// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "target.h"

#define TEMPORARY_TRIES 64
#define REPLACE_TRIES 16 /* something else creates and removes the same name */

static int target_error(const struct target *target, int errnum, const char *what,
			struct error *err)
{
	return error_errno(err, errnum, "%s %s in the container", what, target->path);
}

/* Nothing is made in a directory of the host's. 0 or -errno, err filled. */
static int check_mount(const struct target_dir *dir, int fd, struct error *err)
{
	AUTO_ARENA arena = {0};
	struct mount_infos infos = {0};
	uint64_t id = 0;
	int r = mount_id_of(fd, &arena, &id);

	if (r == 0 && dir->refuse_shared)
		r = mount_info_read(&arena, &infos);
	if (r < 0)
		return error_errno(err, -r, "look at the mount of %s in the container", dir->path);
	if (dir->has_foreign && id == dir->foreign_mount)
		return error_set(
			err, ERROR_BAD_REQUEST, EPERM, "choose another CUDA_MPS_PIPE_DIRECTORY",
			"write to %s in the container: the host's MPS pipes lie there", dir->path);
	for (size_t i = 0; i < infos.count; i++)
		if (infos.items[i].id == id && infos.items[i].shared)
			return error_set(err, ERROR_BAD_REQUEST, EPERM,
					 "mount that volume elsewhere, or not as shared",
					 "put files into %s in the container: it lies on a shared "
					 "mount, and they would show on the host",
					 dir->path);
	return 0;
}

/* Those that were made below the first `existing` characters of dir->path. */
static void trace_directories(struct target_dir *dir, size_t existing)
{
	char path[PATH_MAX];
	size_t length = strlen(dir->path);

	memcpy(path, dir->path, length + 1);
	while (existing < length) {
		AUTO_FD fd = -1;

		existing += strspn(path + existing, "/");
		existing += strcspn(path + existing, "/");
		path[existing] = '\0';
		fd = root_openat(dir->root, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
		if (fd >= 0)
			traces_add(dir->traces, fd, "", path);
		path[existing] = dir->path[existing];
	}
}

/* Opens the directory in dir->path, made if need be. 0 or -errno, err filled. */
static int open_directory(struct target_dir *dir, struct error *err)
{
	size_t existing = 0;
	int r, fd = root_mkdirs_tell(dir->root, dir->path, &existing, err);

	if (fd == -EROFS) {
		r = target_cover(dir->root, dir->path, &dir->broken, err);
		fd = r < 0 ? r : root_mkdirs_tell(dir->root, dir->path, &existing, err);
	}
	if (dir->traces)
		trace_directories(dir, existing);
	if (fd < 0)
		return fd;
	fd_close(&dir->fd);
	dir->fd = fd;
	return dir->has_foreign || dir->refuse_shared ? check_mount(dir, fd, err) : 0;
}

/* Nothing can be made in the directory as it is: a writable view goes over it. */
static int make_writable(struct target *target, struct error *err)
{
	struct target_dir *dir = target->dir;
	int r = target_cover(dir->root, dir->path, &dir->broken, err);

	if (r == 0)
		r = open_directory(dir, err);
	target->dir_fd = dir->fd;
	return r;
}

int target_open(struct target_dir *dir, const char *path, struct target *ret, struct error *err)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash > path ? (size_t)(slash - path) : 1;
	int r;

	if (!slash || length >= sizeof(dir->path) || !slash[1] || string_equal(slash + 1, ".") ||
	    string_equal(slash + 1, ".."))
		return error_set(err, ERROR_BAD_REQUEST, EINVAL, NULL,
				 "use %s in the container: it names no file", path);
	if (dir->fd < 0 || strlen(dir->path) != length || memcmp(dir->path, path, length) != 0) {
		fd_close(&dir->fd);
		memcpy(dir->path, path, length);
		dir->path[length] = '\0';
		r = open_directory(dir, err);
		if (r < 0)
			return r;
	}
	*ret = (struct target){
		.root = dir->root, .dir = dir, .path = path, .name = slash + 1, .dir_fd = dir->fd};
	return 0;
}

/* A name that nobody uses in the parent, tried by `make`; 0 or -errno. */
static int with_temporary_name(const struct target *target, char name[static NAME_MAX + 1],
			       int (*make)(int dir_fd, const char *name, const void *arg),
			       const void *arg)
{
	static unsigned serial;
	int r = -EEXIST;

	for (int tries = 0; tries < TEMPORARY_TRIES && r == -EEXIST; tries++) {
		(void)snprintf(name, NAME_MAX + 1, ".davit-%d-%u", (int)getpid(), serial++);
		r = make(target->dir_fd, name, arg);
	}
	return r;
}

/* Moves a temporary name onto the target's; the temporary is gone either way. */
static int rename_over(const struct target *target, const char *temporary)
{
	int r = 0;

	if (renameat(target->dir_fd, temporary, target->dir_fd, target->name) < 0) {
		r = -errno;
		(void)unlinkat(target->dir_fd, temporary, 0);
	}
	return r;
}

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

static int make_link(int dir_fd, const char *name, const void *text)
{
	return symlinkat(text, dir_fd, name) < 0 ? -errno : 0;
}

/* One try to have a file at the target. A descriptor, -EAGAIN (look again) or -errno. */
static int try_file(const struct target *target, const void *arg)
{
	char temporary[NAME_MAX + 1];
	struct stat st;
	AUTO_FD fd = create_empty(target->dir_fd, target->name);
	int r;

	(void)arg;
	if (fd >= 0)
		traces_add(target->dir->traces, target->dir_fd, target->name, target->path);
	if (fd != -EEXIST)
		return fd_take(&fd);
	fd = openat(target->dir_fd, target->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISLNK(st.st_mode))
		return fd_take(&fd);
	/* Mounting would follow the link to wherever the image wants it. */
	r = with_temporary_name(target, temporary, make_empty, NULL);
	if (r == 0)
		r = rename_over(target, temporary);
	return r < 0 ? r : -EAGAIN;
}

/*
 * Tries until it is neither beaten by somebody else nor stopped by a read-only file system. What
 * `try` returns, err filled but for -EEXIST; `what` is what it was to do.
 */
static int try_often(struct target *target,
		     int (*try)(const struct target *target, const void *arg), const void *arg,
		     const char *what, struct error *err)
{
	bool covered = false;
	int r = -EAGAIN;

	for (int tries = 0; tries < REPLACE_TRIES && r == -EAGAIN; tries++) {
		r = try(target, arg);
		if (r != -EROFS || covered)
			continue;
		covered = true;
		r = make_writable(target, err);
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

int target_file(struct target *target, struct error *err)
{
	return try_often(target, try_file, NULL, "make the file", err);
}

static int try_directory(const struct target *target, const void *arg)
{
	(void)arg;
	if (mkdirat(target->dir_fd, target->name, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	traces_add(target->dir->traces, target->dir_fd, target->name, target->path);
	return 0;
}

int target_directory(struct target *target, struct error *err)
{
	int fd, r = try_often(target, try_directory, NULL, "make the directory", err);

	if (r < 0)
		return r;
	fd = openat(target->dir_fd, target->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, ERROR_IMAGE, errno, "remove it from the image",
				 "put a directory at %s in the container: the image has "
				 "something else there",
				 target->path);
	return fd;
}

/* What is at a link's place: 0 it is the link, 1 it may be replaced, -EEXIST, -EISDIR, -errno. */
static int look_at_link(const struct target *target, const char *text)
{
	char present[PATH_MAX];
	struct stat st;
	ssize_t length = readlinkat(target->dir_fd, target->name, present, sizeof(present));

	if (length >= 0)
		return (size_t)length != strlen(text) || memcmp(present, text, (size_t)length) != 0;
	if (errno != EINVAL || fstatat(target->dir_fd, target->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? -EAGAIN : -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	/* An empty file is a stub of an earlier run, or of another toolkit's. */
	return S_ISREG(st.st_mode) && st.st_size == 0 ? 1 : -EEXIST;
}

/* One try to have the link. 0, -EAGAIN (look again), -EEXIST (a file with content) or -errno. */
static int try_link(const struct target *target, const void *text)
{
	char temporary[NAME_MAX + 1];
	int r = make_link(target->dir_fd, target->name, text);

	if (r == 0)
		traces_add(target->dir->traces, target->dir_fd, target->name, target->path);
	if (r != -EEXIST)
		return r;
	r = look_at_link(target, text);
	if (r <= 0)
		return r;
	r = with_temporary_name(target, temporary, make_link, text);
	if (r == 0)
		r = rename_over(target, temporary);
	return r == -EBUSY ? -EEXIST : r;
}

int target_link(struct target *target, const char *text, struct error *err)
{
	return try_often(target, try_link, text, "make the link", err);
}

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

/*
 * The target is a mount point (an engine's or user's bind mount): what it leads to isn't the
 * image's, and must not be written to. The new file is mounted over it instead.
 */
static int mount_over(const struct target *target, const char *temporary)
{
	char path[PATH_MAX];
	struct mount_place place = {.root = target->root, .path = target->path};
	struct mount_source source = {.fd = -1};
	AUTO_FD fd = openat(target->dir_fd, target->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	place.fd = fd;
	(void)snprintf(path, sizeof(path), "%.*s%s", (int)(target->name - target->path),
		       target->path, temporary);
	r = mount_source_clone(target->root, path, MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV, false,
			       &source);
	if (r == 0)
		r = mount_source_attach(&source, &place);
	mount_source_close(&source);
	return r;
}

static int try_write(const struct target *target, const void *content)
{
	char temporary[NAME_MAX + 1];
	struct traces *traces = target->dir->traces;
	struct stat st;
	int r = with_temporary_name(target, temporary, make_content, content);

	if (r < 0)
		return r;
	if (traces && fstatat(target->dir_fd, target->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		traces = NULL; /* something is replaced */
	if (renameat(target->dir_fd, temporary, target->dir_fd, target->name) == 0) {
		traces_add(traces, target->dir_fd, target->name, target->path);
		return 0;
	}
	r = -errno;
	if (r == -EBUSY)
		r = mount_over(target, temporary);
	(void)unlinkat(target->dir_fd, temporary, 0);
	return r;
}

int target_write(struct target *target, const void *data, size_t length, struct error *err)
{
	const struct content content = {data, length};

	return try_often(target, try_write, &content, "write the file", err);
}
