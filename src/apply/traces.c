// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "steps.h"

/*
 * The record, a line each:
 *     root DEVICE INODE PATH
 *     made TYPE DEVICE INODE SIZE MTIME PATH   what the hook made where nothing was
 *     stub PATH                               where nothing was before the runtime's own mount
 * Numbers are decimal, the time is in nanoseconds, a path ends the line.
 */

struct traces {
	int fd;     /* of the file; never closed, since the process ends soon */
	bool begun; /* the root's line is in it, and what was made before */
	struct strings lines;
	bool lost; /* there was no memory for some */
	struct arena *arena;
};

int64_t trace_time(const struct stat *st)
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

	/* What an earlier start of the same container left, whose poststop hook wasn't called. */
	if (unlinkat(AT_FDCWD, path, 0) < 0 && errno != ENOENT)
		return -errno;
	fd = openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? -errno : fd;
}

void traces_open(const char *bundle, struct container *container, struct arena *arena)
{
	const char *path = arena_printf(arena, "%s/" TRACES_FILE, bundle);
	struct traces *traces = arena_alloc(arena, sizeof(*traces));
	int fd = path && traces ? make_file(path) : -ENOMEM;

	if (fd < 0) {
		log_line(
			LOG_LEVEL_WARNING,
			"files created in the container will not be removed: cannot create %s/" TRACES_FILE
			": %s",
			bundle, strerror(-fd));
		return;
	}
	*traces = (struct traces){.fd = fd, .arena = arena};
	container->traces = traces;
}

static void add_line(struct traces *traces, const char *line)
{
	if (!line || strings_add(traces->arena, &traces->lines, line) < 0)
		traces->lost = true;
}

void traces_add_stubs(struct traces *traces, const struct strings *paths)
{
	for (size_t i = 0; traces && i < paths->count; i++)
		if (!strchr(paths->items[i], '\n'))
			add_line(traces, arena_printf(traces->arena, "stub %s\n", paths->items[i]));
}

void traces_add(struct traces *traces, int dir_fd, const char *name, const char *path)
{
	struct stat st;

	if (!traces || strchr(path, '\n'))
		return;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		return;
	add_line(traces,
		 arena_printf(traces->arena, "made %u %ju %ju %jd %jd %s\n", st.st_mode & S_IFMT,
			      (uintmax_t)st.st_dev, (uintmax_t)st.st_ino, (intmax_t)st.st_size,
			      (intmax_t)trace_time(&st), path));
}

void traces_write(struct traces *traces, const struct root *root)
{
	const char *head = traces->begun ? "" : root_line(root, traces->arena);
	const char *lines = strings_join(traces->arena, &traces->lines, "");
	const char *text = head && lines ? arena_printf(traces->arena, "%s%s", head, lines) : NULL;
	int r = text && !traces->lost ? file_write(traces->fd, text, strlen(text)) : -ENOMEM;

	traces->begun = true;
	traces->lines.count = 0;
	if (r < 0)
		log_line(
			LOG_LEVEL_WARNING,
			"files created in the container will not be removed: cannot write " TRACES_FILE
			": %s",
			strerror(-r));
	else
		log_line(LOG_LEVEL_DEBUG, "recorded the created files for poststop");
}
