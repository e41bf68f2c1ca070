// SPDX-License-Identifier: Apache-2.0
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "davit/sys.h"
#include "syscalls.h"
#include "walk.h"

#define LINKS_MAX 40 /* as the kernel's MAXSYMLINKS */
#define DEPTH_MAX 128

/*
 * The state of a walk. The directories from the root down are held open, so that ".." leads to the
 * previous one even if it was renamed in the meantime.
 */
struct walk {
	int stack[DEPTH_MAX];
	size_t depth; /* stack[0] is the root, not owned */
	char rest[2 * PATH_MAX];
	unsigned links;
};

static void walk_up(struct walk *walk, size_t depth)
{
	while (walk->depth > depth)
		fd_close(&walk->stack[--walk->depth]);
}

static void walk_end(struct walk *walk)
{
	walk_up(walk, 1);
}

/* Removes the next component from walk->rest; false at the end. *last: nothing follows it. */
static bool next_component(struct walk *walk, char name[static NAME_MAX + 1], bool *last, int *r)
{
	size_t start = strspn(walk->rest, "/"), length = strcspn(walk->rest + start, "/"), rest;

	if (length == 0)
		return false;
	if (length > NAME_MAX) {
		*r = -ENAMETOOLONG;
		return false;
	}
	memcpy(name, walk->rest + start, length);
	name[length] = '\0';
	rest = start + length;
	*last = walk->rest[rest + strspn(walk->rest + rest, "/")] == '\0';
	memmove(walk->rest, walk->rest + rest, strlen(walk->rest + rest) + 1);
	return true;
}

/* Inserts a link's text before the rest of the path. */
static int follow_link(struct walk *walk, int link_fd)
{
	char text[PATH_MAX];
	struct statfs fs;
	ssize_t length;
	size_t rest = strlen(walk->rest);

	/* A link on procfs may be a magic link. They can't be distinguished, so all are refused. */
	if (fstatfs(link_fd, &fs) < 0)
		return -errno;
	if (fs.f_type == PROC_SUPER_MAGIC || ++walk->links > LINKS_MAX)
		return -ELOOP;
	length = readlinkat(link_fd, "", text, sizeof(text));
	if (length < 0)
		return -errno;
	if (length == 0)
		return -ENOENT;
	if ((size_t)length + 1 + rest >= sizeof(walk->rest))
		return -ENAMETOOLONG;
	memmove(walk->rest + length + 1, walk->rest, rest + 1);
	memcpy(walk->rest, text, (size_t)length);
	walk->rest[length] = '/';
	/* Don't add a trailing slash: it would require a directory. */
	if (rest == 0)
		walk->rest[length] = '\0';
	if (text[0] == '/')
		walk_up(walk, 1);
	return 0;
}

static int walk_step(struct walk *walk, const char *name, bool last, int flags, int *ret_fd)
{
	struct stat st;
	AUTO_FD fd = -1;
	int r;

	if (string_equal(name, ".")) {
		return 0;
	} else if (string_equal(name, "..")) {
		if (walk->depth > 1)
			walk_up(walk, walk->depth - 1);
		return 0;
	}
	fd = openat(walk->stack[walk->depth - 1], name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode) && !(last && (flags & O_NOFOLLOW)))
		return follow_link(walk, fd);
	if (S_ISLNK(st.st_mode) && !(flags & O_PATH))
		return -ELOOP;
	if (last) {
		if ((flags & O_DIRECTORY) && !S_ISDIR(st.st_mode))
			return -ENOTDIR;
		r = flags & O_PATH ? fd_take(&fd) : fd_reopen(fd, flags & ~O_NOFOLLOW);
		*ret_fd = r;
		return r < 0 ? r : 0;
	}
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (walk->depth == DEPTH_MAX)
		return -ENAMETOOLONG;
	walk->stack[walk->depth++] = fd_take(&fd);
	return 0;
}

int walk_openat(int root_fd, const char *path, int flags)
{
	__attribute__((cleanup(walk_end))) struct walk walk = {.stack = {root_fd}, .depth = 1};
	char name[NAME_MAX + 1];
	size_t length = strlen(path);
	int fd = -1, r = 0;
	bool last;

	if (length == 0)
		return -ENOENT;
	if (length >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(walk.rest, path, length + 1);
	/* "link/" is the directory behind the link. */
	if (path[length - 1] == '/')
		flags = (flags | O_DIRECTORY) & ~O_NOFOLLOW;
	while (fd < 0 && next_component(&walk, name, &last, &r)) {
		r = walk_step(&walk, name, last, flags, &fd);
		if (r < 0)
			return r;
	}
	if (r < 0 || fd >= 0)
		return r < 0 ? r : fd;
	/* The path ended in "/", "." or "..": the result is the current directory of the walk. */
	fd = openat(walk.stack[walk.depth - 1], ".", flags & ~O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}
