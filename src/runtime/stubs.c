// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "davit/runtime.h"

/* Adds the directories on the way to `path` that aren't there, the highest first. */
static int add_directories(const struct root *root, const char *path, struct arena *arena,
			   struct strings *ret)
{
	for (const char *end = strchr(path + 1, '/'); end; end = strchr(end + 1, '/')) {
		const char *prefix = arena_strndup(arena, path, (size_t)(end - path));
		struct stat st;

		if (!prefix)
			return -ENOMEM;
		if (!strings_contain(ret, prefix) &&
		    root_stat(root, prefix, AT_SYMLINK_NOFOLLOW, &st) == -ENOENT &&
		    strings_add(arena, ret, prefix) < 0)
			return -ENOMEM;
	}
	return strings_add(arena, ret, path);
}

int spec_find_stubs(const struct root *root, const struct spec_mounts *mounts, struct arena *arena,
		    struct strings *ret)
{
	char parent[PATH_MAX] = "";
	AUTO_FD fd = -1;

	for (size_t i = 0; i < mounts->count; i++) {
		const char *path = mounts->items[i].destination;
		const char *slash = strrchr(path, '/');
		size_t length = slash ? (size_t)(slash - path) : sizeof(parent);
		struct stat st;
		int r = 0;

		if (length == 0 || length >= sizeof(parent))
			continue;
		if (strlen(parent) != length || memcmp(parent, path, length) != 0) {
			memcpy(parent, path, length);
			parent[length] = '\0';
			fd_close(&fd);
			fd = root_openat(root, parent, O_PATH | O_DIRECTORY);
		}
		if (fd == -ENOENT)
			r = add_directories(root, path, arena, ret);
		else if (fd >= 0 && fstatat(fd, slash + 1, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
			 errno == ENOENT)
			r = strings_add(arena, ret, path);
		if (r < 0)
			return r;
	}
	return 0;
}
