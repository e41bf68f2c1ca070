// SPDX-License-Identifier: Apache-2.0
#include "walk.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 40
#define GLOBBED_MAX 2048

void walk_begin(struct walk *walk, const struct root *root, struct arena *arena)
{
	*walk = (struct walk){.root = root, .arena = arena};
	for (size_t i = 0; i < WALK_DIRS; i++)
		walk->dirs[i].fd = -1;
}

void walk_end(struct walk *walk)
{
	for (size_t i = 0; i < WALK_DIRS; i++)
		fd_close(&walk->dirs[i].fd);
}

static int refuse(struct walk *walk, const char *path, const char *why)
{
	walk->refused = arena_printf(walk->arena, "%s %s", path, why);
	return walk->refused ? -EPERM : -ENOMEM;
}

/* 0 if only root can change the file, else -EPERM with walk->refused. */
static int check(struct walk *walk, int fd, const struct stat *st, const char *path)
{
	if (!owner_is_trusted(fd, st))
		return refuse(walk, path, "does not belong to root");
	if (!S_ISLNK(st->st_mode) && (st->st_mode & (S_IWGRP | S_IWOTH)))
		return refuse(walk, path, "is writable by users other than root");
	return 0;
}

static const char *read_link(int fd, struct arena *arena)
{
	char text[PATH_MAX];
	ssize_t length = readlinkat(fd, "", text, sizeof(text));

	return length <= 0 || (size_t)length == sizeof(text)
		       ? NULL
		       : arena_strndup(arena, text, (size_t)length);
}

/* The directory above a clean path, and the name in it. NULL: no memory. */
static const char *above(const char *path, struct arena *arena, const char **ret_name)
{
	const char *slash = strrchr(path, '/');

	*ret_name = slash + 1;
	return slash == path ? "/" : arena_strndup(arena, path, (size_t)(slash - path));
}

static const char *join(const char *directory, const char *text, struct arena *arena)
{
	if (text[0] == '/')
		return csv_clean_path(text, arena);
	text = arena_printf(arena, "%s/%s", directory, text);
	return text ? csv_clean_path(text, arena) : NULL;
}

static int open_dir(struct walk *walk, const char *path, int budget, struct walk_dir *ret);

/* Opens the last component of a clean path, without following a link. */
static int open_leaf(struct walk *walk, const char *path, int budget, struct walk_dir *ret_dir,
		     int *ret_fd, struct stat *ret_st)
{
	const char *name, *directory = above(path, walk->arena, &name);
	AUTO_FD fd = -1;
	int r = directory ? open_dir(walk, directory, budget, ret_dir) : -ENOMEM;

	if (r < 0)
		return r;
	fd = openat(ret_dir->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, ret_st) < 0)
		return -errno;
	r = check(walk, fd, ret_st, path);
	if (r == 0)
		*ret_fd = fd_take(&fd);
	return r;
}

static int remember(struct walk *walk, const char *path, const char *resolved, int *fd,
		    struct walk_dir *ret)
{
	struct walk_dir *dir = &walk->dirs[walk->next];

	walk->next = (walk->next + 1) % WALK_DIRS;
	fd_close(&dir->fd);
	*dir = (struct walk_dir){path, resolved, fd_take(fd)};
	*ret = *dir;
	return 0;
}

/* ret->fd belongs to the walk. */
static int open_dir(struct walk *walk, const char *path, int budget, struct walk_dir *ret)
{
	struct walk_dir parent;
	const char *name, *resolved;
	AUTO_FD fd = -1;
	struct stat st;
	int r;

	for (size_t i = 0; i < WALK_DIRS; i++)
		if (walk->dirs[i].fd >= 0 && strcmp(walk->dirs[i].path, path) == 0) {
			*ret = walk->dirs[i];
			return 0;
		}
	if (strcmp(path, "/") == 0) {
		fd = root_openat(walk->root, "/", O_PATH | O_DIRECTORY);
		return fd < 0 ? fd : remember(walk, "/", "/", &fd, ret);
	}
	r = open_leaf(walk, path, budget, &parent, &fd, &st);
	if (r < 0)
		return r;
	if (S_ISLNK(st.st_mode)) {
		const char *text = read_link(fd, walk->arena);
		const char *to = text ? join(parent.resolved, text, walk->arena) : NULL;

		if (budget <= 0)
			return -ELOOP;
		r = to ? open_dir(walk, to, budget - 1, ret) : -ENOMEM;
		if (r < 0)
			return r;
		fd_close(&fd);
		fd = fcntl(ret->fd, F_DUPFD_CLOEXEC, 3);
		return fd < 0 ? -errno : remember(walk, path, ret->resolved, &fd, ret);
	}
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	(void)above(path, walk->arena, &name);
	path = arena_strdup(walk->arena, path);
	resolved = arena_printf(walk->arena, "%s/%s",
				strcmp(parent.resolved, "/") == 0 ? "" : parent.resolved, name);
	return path && resolved ? remember(walk, path, resolved, &fd, ret) : -ENOMEM;
}

int walk_open(struct walk *walk, const char *path, struct walk_result *ret)
{
	int budget = LINKS_MAX, r = 0;

	*ret = (struct walk_result){.fd = -1};
	walk->refused = NULL;
	while (path && budget-- > 0) {
		struct driver_link *link;
		const char *name, *text;
		struct walk_dir dir;
		AUTO_FD fd = -1;

		if (strcmp(path, "/") == 0)
			return -EISDIR;
		r = open_leaf(walk, path, budget, &dir, &fd, &ret->st);
		if (r < 0)
			return r;
		(void)above(path, walk->arena, &name);
		if (!S_ISLNK(ret->st.st_mode)) {
			ret->path = arena_printf(walk->arena, "%s/%s",
						 strcmp(dir.resolved, "/") == 0 ? "" : dir.resolved,
						 name);
			ret->fd = ret->path ? fd_take(&fd) : -1;
			return ret->path ? 0 : -ENOMEM;
		}
		text = read_link(fd, walk->arena);
		link = ARENA_PUSH(walk->arena, &ret->links);
		if (!text || !link)
			return -ENOMEM;
		*link = (struct driver_link){path, text};
		path = join(dir.resolved, text, walk->arena);
	}
	return path ? -ELOOP : -ENOMEM;
}

/* ---- patterns --------------------------------------------------------------------------- */

static int add_matches(struct walk *walk, const char *directory, const char *pattern,
		       struct strings *ret)
{
	struct strings names = {0};
	struct walk_dir dir;
	int r = open_dir(walk, directory, LINKS_MAX, &dir);

	if (r == 0)
		r = host_list(walk->root, dir.resolved, walk->arena, &names);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; i < names.count && ret->count < GLOBBED_MAX; i++) {
		const char *path;

		if (!csv_matches(pattern, names.items[i]))
			continue;
		path = arena_printf(walk->arena, "%s/%s",
				    strcmp(directory, "/") == 0 ? "" : directory, names.items[i]);
		if (!path || strings_add(walk->arena, ret, path) < 0)
			return -ENOMEM;
	}
	return 0;
}

int walk_glob(struct walk *walk, const char *pattern, struct strings *ret)
{
	struct slice rest = slice_from(pattern + 1), part;
	const char *top[] = {"/"};
	struct strings found = {top, 1, 0};
	int r = 0;

	if (!csv_is_pattern(pattern))
		return strings_add(walk->arena, ret, pattern);
	while (r == 0 && slice_next(&rest, '/', &part)) {
		const char *text = arena_strndup(walk->arena, part.data, part.length);
		struct strings next = {0};

		for (size_t i = 0; text && r == 0 && i < found.count; i++) {
			const char *directory = found.items[i], *path;

			if (csv_is_pattern(text)) {
				r = add_matches(walk, directory, text, &next);
				continue;
			}
			path = arena_printf(walk->arena, "%s/%s",
					    strcmp(directory, "/") == 0 ? "" : directory, text);
			r = path ? strings_add(walk->arena, &next, path) : -ENOMEM;
		}
		found = next;
		r = text ? r : -ENOMEM;
	}
	for (size_t i = 0; r == 0 && i < found.count; i++)
		r = strings_add(walk->arena, ret, found.items[i]);
	return r;
}
