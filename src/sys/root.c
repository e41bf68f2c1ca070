// SPDX-License-Identifier: Apache-2.0
#include <limits.h>
#include <string.h>

#include "davit/sys.h"
#include "syscalls.h"
#include "walk.h"

/* RESOLVE_IN_ROOT fails with EAGAIN if any rename or mount happened while it resolved a "..". */
#define RACE_RETRIES 128

void root_close(struct root *root)
{
	fd_close(&root->fd);
}

int root_open(const char *path, struct root *ret, struct error *err)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, errno, "open the directory %s", path);
	*ret = (struct root){.fd = fd, .path = path};
	return 0;
}

int root_refuse_own(const struct root *root, struct error *err)
{
	struct stat ours, theirs;

	if (stat("/", &ours) < 0 || fstat(root->fd, &theirs) < 0)
		return error_errno(err, errno, "inspect the container's root %s", root->path);
	/* By any mount, since files created there are in the host's root. */
	if (ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino)
		return 0;
	return error_set(
		err, ERROR_BAD_BUNDLE, EINVAL,
		"use a separate root directory for the container, or an overlay of this one",
		"use %s as a container's root: invalid rootfs directory: it is davit's own root directory",
		root->path);
}

int root_openat(const struct root *root, const char *path, int flags)
{
	struct open_how how = {.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	int fd;

	if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE)
		return -EINVAL;
	flags |= O_CLOEXEC;
	/* openat2 refuses flags that have no meaning with O_PATH. */
	if (!(flags & O_PATH))
		flags |= O_NOCTTY;
	how.flags = (unsigned)flags;
	for (int tries = 0; tries < RACE_RETRIES; tries++) {
		fd = sys_openat2(root->fd, path, &how);
		if (fd >= 0)
			return fd;
		if (errno != EAGAIN && errno != EINTR)
			break;
	}
	if (!sys_unavailable(errno))
		return -errno;
	return walk_openat(root->fd, path, flags);
}

int root_stat(const struct root *root, const char *path, int flags, struct stat *ret)
{
	int nofollow = flags & AT_SYMLINK_NOFOLLOW ? O_NOFOLLOW : 0;
	AUTO_FD fd = root_openat(root, path, O_PATH | nofollow);

	if (fd < 0)
		return fd;
	return fstat(fd, ret) < 0 ? -errno : 0;
}

const char *root_readlink(const struct root *root, const char *path, struct arena *arena)
{
	char text[PATH_MAX];
	AUTO_FD fd = root_openat(root, path, O_PATH | O_NOFOLLOW);
	ssize_t length;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	length = readlinkat(fd, "", text, sizeof(text));
	if (length < 0)
		return NULL;
	return arena_strndup(arena, text, (size_t)length);
}

int root_open_regular(const struct root *root, const char *path)
{
	struct stat st;
	AUTO_FD fd = root_openat(root, path, O_PATH);

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	/* Files of procfs and tracefs look regular, but reading some of them blocks. */
	return fd_reopen(fd, O_RDONLY | O_NONBLOCK | O_NOCTTY);
}

int root_read(const struct root *root, const char *path, size_t limit, struct arena *arena,
	      char **ret, size_t *ret_length)
{
	AUTO_FD fd = root_open_regular(root, path);

	if (fd < 0)
		return fd;
	return file_read(fd, limit, arena, ret, ret_length);
}

static int path_blocked(const struct root *root, const char *path, int errnum, struct error *err)
{
	const char *why = errnum == ENOTDIR  ? "it is not a directory"
			  : errnum == ENOENT ? "it is a dangling link"
			  : errnum == ELOOP  ? "it is a loop of links, or a link of /proc"
					     : strerror(errnum);

	return error_set(err, ERROR_IMAGE, errnum, "remove it from the image, or use another image",
			 "open the directory %s in the container's root %s: %s", path, root->path,
			 why);
}

/* Creates a missing component, then opens it with the resolver like any other. */
static int make_directory(const struct root *root, int parent_fd, const char *name,
			  const char *path, struct error *err)
{
	int fd;

	if (mkdirat(parent_fd, name, 0755) < 0 && errno != EEXIST) {
		int r = error_errno(err, errno, "create the directory %s in %s", path, root->path);

		return error_fix(err, r, "replace it with a plain directory in the image");
	}
	fd = root_openat(root, path, O_PATH | O_DIRECTORY);
	return fd < 0 ? path_blocked(root, path, -fd, err) : fd;
}

/*
 * Opens the deepest existing directory on the way to `path`. *ret_length becomes the length of its
 * part of path. A descriptor, or -errno with err filled.
 */
static int open_deepest(const struct root *root, char *path, size_t *ret_length, struct error *err)
{
	size_t length = strlen(path);
	int fd = -ENOENT;

	while (fd == -ENOENT) {
		char saved;

		while (length > 0 && path[length - 1] != '/')
			length--;
		while (length > 0 && path[length - 1] == '/')
			length--;
		saved = path[length];
		path[length] = '\0';
		fd = root_openat(root, length ? path : "/", O_PATH | O_DIRECTORY);
		if (fd < 0 && (fd != -ENOENT || length == 0))
			return path_blocked(root, length ? path : "/", -fd, err);
		path[length] = saved;
	}
	*ret_length = length;
	return fd;
}

int root_mkdirs(const struct root *root, const char *path, struct error *err)
{
	char prefix[PATH_MAX];
	size_t length = strlen(path), start = 0;
	AUTO_FD parent_fd = -1;
	int fd = root_openat(root, path, O_PATH | O_DIRECTORY);

	if (fd >= 0)
		return fd;
	if (fd != -ENOENT)
		return path_blocked(root, path, -fd, err);
	if (length >= sizeof(prefix))
		return path_blocked(root, path, ENAMETOOLONG, err);
	memcpy(prefix, path, length + 1);
	parent_fd = open_deepest(root, prefix, &start, err);
	while (parent_fd >= 0 && start < length) {
		size_t end;
		char saved;

		start += strspn(prefix + start, "/");
		end = start + strcspn(prefix + start, "/");
		if (end == start)
			break;
		saved = prefix[end];
		prefix[end] = '\0';
		fd = make_directory(root, parent_fd, prefix + start, prefix, err);
		prefix[end] = saved;
		if (fd < 0)
			return fd;
		fd_close(&parent_fd);
		parent_fd = fd;
		start = end;
	}
	return fd_take(&parent_fd);
}

int root_open_parent(const struct root *root, const char *path, bool create, const char **ret_name,
		     struct error *err)
{
	char parent[PATH_MAX] = "/";
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	int fd;

	if (!*name || string_equal(name, ".") || string_equal(name, ".."))
		return path_blocked(root, path, EISDIR, err);
	if (slash && slash != path) {
		if ((size_t)(slash - path) >= sizeof(parent))
			return path_blocked(root, path, ENAMETOOLONG, err);
		memcpy(parent, path, (size_t)(slash - path));
		parent[slash - path] = '\0';
	}
	if (create) {
		fd = root_mkdirs(root, parent, err);
	} else {
		fd = root_openat(root, parent, O_PATH | O_DIRECTORY);
		if (fd < 0)
			path_blocked(root, parent, -fd, err);
	}
	if (fd >= 0)
		*ret_name = name;
	return fd;
}
