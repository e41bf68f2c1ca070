// SPDX-License-Identifier: Apache-2.0
/* Obstacles that the hook would find in an image, found without changing it. */
#include <fcntl.h>
#include <string.h>

#include "doctor.h"

#define CACHE_MAX ((size_t)4 * 1024 * 1024) /* the hook's limit */

static int check_cache(const struct root *root, const char *path, struct arena *arena,
		       struct error *err)
{
	struct loader_cache cache;
	size_t length = 0;
	char *data = NULL;
	int r = root_read(root, path, CACHE_MAX, arena, &data, &length);

	if (r == -ENOENT || (r == 0 && length == 0))
		return 0;
	if (r < 0)
		return error_read(err, ERROR_IMAGE, -r, "remove it from the image",
				  "the image's %s", path);
	r = loader_cache_parse(data, length, arena, &cache, err);
	return r < 0 ? error_fix(err, r, "run ldconfig in the image, or remove %s from it", path)
		     : 0;
}

/* Below a mount of the container, the image's files don't matter. */
static bool is_below_mount(const struct oci_mounts *mounts, const char *target)
{
	for (size_t i = 0; i < mounts->count; i++) {
		const char *place = mounts->items[i].destination;
		size_t length = strlen(place);

		while (length > 0 && place[length - 1] == '/')
			length--;
		if (length > 0 && strncmp(target, place, length) == 0 &&
		    (target[length] == '/' || !target[length]))
			return true;
	}
	return false;
}

/* The target of a file must not be a directory; the target of a host directory may be. */
static int check_target(const struct root *root, const struct operation *operation,
			struct error *err)
{
	struct stat st;

	if (operation->owner_root ||
	    root_stat(root, operation->target, AT_SYMLINK_NOFOLLOW, &st) < 0 ||
	    !S_ISDIR(st.st_mode))
		return 0;
	return error_set(
		err, ERROR_IMAGE, EISDIR, "remove that directory from the image",
		"create the file %s in the container: the image has a directory of that name",
		operation->target);
}

int doctor_check_image(const struct root *root, const struct pipeline *pipeline,
		       struct arena *arena, struct error *err)
{
	const struct plan *plan = &pipeline->plan;
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->count; i++) {
		const struct operation *operation = &plan->items[i];

		if (!operation->required || !operation->target ||
		    is_below_mount(&pipeline->spec.mounts, operation->target))
			continue;
		if (operation->kind == OPERATION_LOADER_CACHE)
			r = check_cache(root, operation->target, arena, err);
		else if (operation->kind != OPERATION_DEVICE_RULE &&
			 operation->kind != OPERATION_PROC_MASK)
			r = check_target(root, operation, err);
	}
	return r;
}
