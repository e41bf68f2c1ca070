// SPDX-License-Identifier: Apache-2.0
/* The MPS pipes, the image's newer libraries, and the loader's search path. */
#include <string.h>

#include "builder.h"

#define MPS_DIRECTORY "/tmp/nvidia-mps" /* the default directory of programs */

static bool is_at_or_above(const char *directory, const char *path)
{
	size_t length = strlen(directory);

	while (length > 1 && directory[length - 1] == '/')
		length--;
	return strncmp(path, directory, length) == 0 && (path[length] == '/' || !path[length]);
}

/* Pipes there would cover files that the container just got, or lie on them. */
static bool covers_other_target(const struct builder *b, const char *directory)
{
	for (size_t i = 0; i < b->plan->count; i++)
		if (is_at_or_above(directory, b->plan->items[i].target) ||
		    is_at_or_above(b->plan->items[i].target, directory))
			return true;
	return is_at_or_above("/proc", directory) || is_at_or_above("/sys", directory);
}

/*
 * The MPS daemon's pipes. The variable names the directory in the container, not the host's. On the
 * host it must belong to root, because any user can create one in /tmp.
 */
void plan_add_mps(struct builder *b)
{
	const char *target = b->request->mps_pipe_directory;
	struct operation *bind;

	if (!(b->request->capabilities & CAPABILITY_COMPUTE) ||
	    string_equal(b->driver->mps_path, ""))
		return;
	if (target[0] && covers_other_target(b, target))
		return;
	bind = plan_add(b, OPERATION_BIND, target[0] ? target : MPS_DIRECTORY,
			"capability compute: MPS pipes");
	bind->tree = TREE_HOST;
	bind->source = b->driver->mps_path ? b->driver->mps_path : MPS_DIRECTORY;
	bind->flags =
		MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV | MOUNT_FLAG_NOEXEC | MOUNT_FLAG_NOFOLLOW;
	bind->owner_root = true;
	bind->required = false;
}

/* Adds the image's newer libraries before the host's libraries of the same name. */
void plan_add_compat(struct builder *b)
{
	for (size_t i = 0; i < b->image->compat.count; i++) {
		struct loader_entry *entry = ARENA_PUSH(b->arena, &b->plan->libraries);

		if (entry)
			*entry = b->image->compat.items[i];
		b->failed |= !entry;
	}
}

static void add_conf(struct builder *b, const char *path, const char *text)
{
	struct operation *file =
		plan_add(b, OPERATION_FILE, path, "a later ldconfig in the container");

	file->text = text;
	file->required = false;
	b->failed |= !text;
}

/* The directories of the host's libraries that the image's ldconfig wouldn't search; a line each.
 */
static const char *list_folders(struct builder *b)
{
	const struct loader_cache *libraries = &b->plan->libraries;
	struct strings folders = {0};

	/* The image's own come first. */
	for (size_t i = b->image->compat.count; i < libraries->count; i++) {
		const char *path = libraries->items[i].path;
		const char *folder =
			path ? arena_strndup(b->arena, path, (size_t)(strrchr(path, '/') - path))
			     : NULL;

		b->failed |= !folder;
		if (!folder || image_searches(b->image, folder) ||
		    strings_contain(&folders, folder))
			continue;
		b->failed |= strings_add(b->arena, &folders, folder) < 0;
	}
	return folders.count ? strings_join(b->arena, &folders, "\n") : NULL;
}

/*
 * Most images' ldconfig searches the driver's directory without a file. Its built-in directories
 * are listed as well, because the ldconfig of another distribution may run on the root.
 */
static void add_loader_conf(struct builder *b)
{
	const char *folders = list_folders(b);

	if (b->image->compat_stale)
		add_conf(b, COMPAT_CONF, "");
	if (b->image->no_loader_conf)
		add_conf(b, PLAN_LOADER_CONF, PLAN_LOADER_CONF_TEXT);
	if (b->image->compat_used)
		add_conf(b, COMPAT_CONF,
			 arena_printf(b->arena, "%s\n",
				      b->driver->compat_dir ? b->driver->compat_dir : COMPAT_DIR));
	if (folders)
		add_conf(b, PLAN_FOLDERS_CONF, arena_printf(b->arena, "%s\n", folders));
	add_conf(b, PLAN_SYSTEM_CONF, b->image->system_dirs);
}

static void add_musl_path(struct builder *b)
{
	const char *text;
	struct operation *file;

	b->failed |= image_make_musl_path(b->image, &b->plan->libraries, b->arena, &text) < 0;
	if (!text)
		return;
	file = plan_add(b, OPERATION_FILE, IMAGE_MUSL_PATH_FILE,
			"musl searches only the directories that this file names");
	file->text = text;
}

void plan_add_loader_search(struct builder *b)
{
	const struct image *image = b->image;

	if (image->loader == IMAGE_LOADER_MUSL)
		add_musl_path(b);
	if (image->loader != IMAGE_LOADER_GLIBC || b->plan->libraries.count == 0)
		return;
	plan_add(b, OPERATION_LOADER_CACHE, "/etc/ld.so.cache",
		 image->compat_used ? "the loader finds the libraries, the image's newer "
				      "ones (CUDA forward compatibility) first"
				    : "the loader finds the libraries");
	/* After the cache: in a read-only root, both use the cache's private view of /etc. */
	if (image->system_dirs)
		add_loader_conf(b);
}
