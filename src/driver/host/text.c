// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

/* The files read here have at most a few kilobytes. */
#define TEXT_MAX ((size_t)64 * 1024)
#define ENTRIES_MAX 4096

int host_read_text(const struct root *root, const char *path, struct arena *arena, char **ret)
{
	AUTO_FD fd = root_openat(root, path, O_RDONLY | O_NONBLOCK);

	return fd < 0 ? fd : file_read(fd, TEXT_MAX, arena, ret, NULL);
}

struct slice host_value(const char *text, const char *key)
{
	struct slice rest = slice_from(text), line;

	while (slice_next(&rest, '\n', &line)) {
		struct slice value = line, name;

		if (slice_next(&value, ':', &name) && value.data &&
		    slice_equal(slice_trim(name), key))
			return slice_trim(value);
	}
	return (struct slice){0};
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int host_list(const struct root *root, const char *path, struct arena *arena, struct strings *ret)
{
	size_t kept = 0;
	int r;

	*ret = (struct strings){0};
	r = root->fd < 0 ? 0 : root_list(root, path, ENTRIES_MAX, arena, ret);

	if (r == -ENOENT)
		r = 0;
	if (r < 0)
		return r == -E2BIG ? -EFBIG : r;
	for (size_t i = 0; i < ret->count; i++)
		if (ret->items[i][0] != '.')
			ret->items[kept++] = ret->items[i];
	ret->count = kept;
	return sort_items(arena, ret->items, ret->count, sizeof(*ret->items), by_text);
}

int host_stat_node(const struct root *dev, const char *name, struct stat *ret)
{
	if (fstatat(dev->fd, name, ret, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISLNK(ret->st_mode) ? root_stat(dev, name, 0, ret) : 0;
}

/* "580.159.04": numbers with dots between them. */
static bool is_version(struct slice word)
{
	size_t dots = 0;

	for (size_t i = 0; i < word.length; i++) {
		bool dot = word.data[i] == '.';

		if (!dot && (word.data[i] < '0' || word.data[i] > '9'))
			return false;
		if (dot && (i == 0 || i + 1 == word.length || word.data[i - 1] == '.'))
			return false;
		dots += dot;
	}
	return dots > 0 && word.length < 32;
}

/*
 * "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug ..." or
 * "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release Build ...": the
 * first word that is a version.
 */
struct slice host_driver_version(const char *text)
{
	struct slice rest = host_value(text, "NVRM version"), word;

	while (slice_next(&rest, ' ', &word))
		if (is_version(slice_trim(word)))
			return slice_trim(word);
	return (struct slice){0};
}

const char *host_own_link(const char *name, struct arena *arena)
{
	AUTO_FD fd = proc_open(0, name, O_PATH | O_NOFOLLOW);
	char text[PATH_MAX];
	ssize_t length = fd < 0 ? -1 : readlinkat(fd, "", text, sizeof(text));

	if (length <= 0 || (size_t)length == sizeof(text))
		return NULL;
	return arena_strndup(arena, text, (size_t)length);
}
