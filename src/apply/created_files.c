// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "steps.h"

/*
 * The record, a line each:
 *     root DEVICE INODE PATH
 *     made TYPE DEVICE INODE SIZE MTIME PATH   a file that the hook created
 *     stub PATH                               no file existed there before the runtime's mount
 * Numbers are decimal, and the time is in nanoseconds. A path ends the line.
 */

struct created_files {
	int fd;     /* of the file; never closed, since the process ends soon */
	bool begun; /* the root's line was written */
	struct strings lines;
	bool lost; /* a line is missing, for lack of memory */
	struct arena *arena;
};

int64_t file_mtime(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

static const char *root_line(const struct root *root, struct arena *arena)
{
	struct stat st;

	if (fstat(root->fd, &st) < 0)
		return NULL;
	return arena_printf(arena, "root %ju %ju %s\n", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino,
			    root->path);
}

static int make_file(const char *path)
{
	int fd;

	/* A record of an earlier start of this container, whose poststop hook wasn't called. */
	if (unlinkat(AT_FDCWD, path, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

void created_files_open(const char *bundle, struct container *container, struct arena *arena)
{
	const char *path = arena_printf(arena, "%s/" CREATED_FILES, bundle);
	struct created_files *created = arena_alloc(arena, sizeof(*created));
	int fd = path && created ? make_file(path) : -ENOMEM;

	if (fd < 0) {
		log_line(
			LOG_LEVEL_WARNING,
			"files created in the container will not be removed: cannot create %s/" CREATED_FILES
			": %s",
			bundle, strerror(-fd));
		return;
	}
	*created = (struct created_files){.fd = fd, .arena = arena};
	container->created = created;
}

static void add_line(struct created_files *created, const char *line)
{
	if (!line || strings_add(created->arena, &created->lines, line) < 0)
		created->lost = true;
}

void created_files_add_stubs(struct created_files *created, const struct strings *paths)
{
	for (size_t i = 0; created && i < paths->count; i++)
		if (!strchr(paths->items[i], '\n'))
			add_line(created,
				 arena_printf(created->arena, "stub %s\n", paths->items[i]));
}

void created_files_add(struct created_files *created, int dir_fd, const char *name,
		       const char *path)
{
	struct stat st;

	if (!created || strchr(path, '\n'))
		return;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		return;
	add_line(created,
		 arena_printf(created->arena, "made %u %ju %ju %jd %jd %s\n", st.st_mode & S_IFMT,
			      (uintmax_t)st.st_dev, (uintmax_t)st.st_ino, (intmax_t)st.st_size,
			      (intmax_t)file_mtime(&st), path));
}

void created_files_write(struct created_files *created, const struct root *root)
{
	const char *head = created->begun ? "" : root_line(root, created->arena);
	const char *lines = strings_join(created->arena, &created->lines, "");
	const char *text = head && lines ? arena_printf(created->arena, "%s%s", head, lines) : NULL;
	int r = text && !created->lost ? file_write(created->fd, text, strlen(text)) : -ENOMEM;

	created->begun = true;
	created->lines.count = 0;
	if (r < 0)
		log_line(
			LOG_LEVEL_WARNING,
			"files created in the container will not be removed: cannot write " CREATED_FILES
			": %s",
			strerror(-r));
	else
		log_line(LOG_LEVEL_DEBUG, "recorded the created files for poststop");
}
