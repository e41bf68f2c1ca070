// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target.h"

#define OVERLAY_SIZE_KIB 16384 /* links, empty files and a loader cache */
#define BENEATH_MAX 64

/* A mount beneath the directory that is covered: cloned before, put back after. */
struct beneath {
	struct mount_source source;
	const char *path; /* in the root */
};

/* The nearest directory at or above path that exists, `path` cut to it. A descriptor or -errno. */
static int open_nearest(const struct root *root, char *path)
{
	int fd = root_openat(root, path, O_PATH | O_DIRECTORY);

	while (fd == -ENOENT && strrchr(path, '/') > path) {
		*strrchr(path, '/') = '\0';
		fd = root_openat(root, path, O_PATH | O_DIRECTORY);
	}
	return fd;
}

/* Where a descriptor's directory is, as mountinfo spells it. */
static int path_of(int fd, char path[static PATH_MAX])
{
	char name[sizeof("self/fd/") + 3 * sizeof(int)];
	ssize_t length;

	(void)snprintf(name, sizeof(name), "self/fd/%d", fd);
	length = readlinkat(proc_fd(), name, path, PATH_MAX - 1);
	if (length < 0)
		return -errno;
	path[length] = '\0';
	return 0;
}

static bool is_beneath_any(const struct beneath *beneath, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(beneath[i].path);

		if (string_starts(path, beneath[i].path) &&
		    (path[length] == '/' || path[length] == '\0'))
			return true;
	}
	return false;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Where mounts lie beneath `top`, relative to it; a mount before those on it. 0 or -errno. */
static int list_beneath(const char *top, struct arena *arena, struct strings *ret)
{
	struct mount_infos infos;
	size_t length = strlen(top);
	int r = mount_info_read(arena, &infos);

	for (size_t i = 0; r == 0 && i < infos.count; i++) {
		const char *point = infos.items[i].mount_point;

		if (string_starts(point, top) && point[length] == '/')
			r = strings_add(arena, ret, point + length);
	}
	/* The kernel lists mounts by their age. */
	if (r == 0 && ret->count)
		qsort(ret->items, ret->count, sizeof(*ret->items), by_path);
	return r;
}

/* Clones the mounts right beneath the directory; what lies on those comes along. */
static int clone_beneath(const struct root *root, const struct root *dir, struct arena *arena,
			 struct beneath ret[static BENEATH_MAX], size_t *ret_count)
{
	struct strings points = {0};
	char top[PATH_MAX];
	int r = path_of(dir->fd, top);

	if (r == 0)
		r = list_beneath(top, arena, &points);
	for (size_t i = 0; r == 0 && i < points.count; i++) {
		struct beneath *beneath = &ret[*ret_count];
		const char *path;

		if (is_beneath_any(ret, *ret_count, points.items[i]))
			continue;
		if (*ret_count == BENEATH_MAX)
			return -E2BIG;
		beneath->path = points.items[i];
		path = arena_printf(arena, "%s%s", dir->path, beneath->path);
		r = path ? mount_source_clone(root, path, 0, true, &beneath->source) : -ENOMEM;
		if (r == 0)
			(*ret_count)++;
	}
	return r;
}

static int put_back(const struct root *dir, struct beneath *beneath)
{
	AUTO_FD fd = root_openat(dir, beneath->path, O_PATH);
	struct mount_place place = {.root = dir, .path = beneath->path, .fd = fd};

	if (fd < 0)
		return fd;
	return mount_source_attach(&beneath->source, &place);
}

static int put_all_back(const struct root *view, struct beneath *beneath, size_t count,
			struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		int r = put_back(view, &beneath[i]);

		if (r < 0)
			return error_errno(err, -r, "keep the mount %s%s in the container",
					   view->path, beneath[i].path);
	}
	return 0;
}

int target_cover(const struct root *root, const char *path, bool *ret_broken, struct error *err)
{
	struct beneath beneath[BENEATH_MAX];
	char nearest[PATH_MAX];
	AUTO_ARENA arena = {0};
	AUTO_ROOT dir = {.fd = -1, .path = nearest};
	AUTO_ROOT view = {.fd = -1, .path = nearest};
	struct mount_place place = {.root = root, .path = nearest};
	size_t count = 0;
	int r;

	(void)snprintf(nearest, sizeof(nearest), "%s", path);
	dir.fd = open_nearest(root, nearest);
	if (dir.fd < 0)
		return error_errno(err, -dir.fd, "open %s in the container", nearest);
	r = clone_beneath(root, &dir, &arena, beneath, &count);
	if (r < 0)
		error_errno(err, -r, "keep the mounts beneath %s in the container", nearest);
	place.fd = dir.fd;
	if (r == 0) {
		*ret_broken = true;
		r = mount_overlay_attach(OVERLAY_SIZE_KIB, &place, err);
	}
	if (r < 0)
		error_fix(err, r, "start the container from a writable file system");
	if (r == 0) {
		view.fd = root_openat(root, nearest, O_PATH | O_DIRECTORY);
		r = view.fd < 0 ? error_errno(err, -view.fd, "open %s in the container", nearest)
				: put_all_back(&view, beneath, count, err);
	}
	for (size_t i = 0; i < count; i++)
		mount_source_close(&beneath[i].source);
	if (r < 0)
		return r;
	*ret_broken = false;
	log_line(LOG_LEVEL_INFO, "%s is read-only: covered by a writable view", nearest);
	return 0;
}
