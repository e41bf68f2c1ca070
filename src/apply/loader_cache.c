// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "steps.h"

#define CACHE_MAX ((size_t)4 * 1024 * 1024) /* twenty times the largest seen */

/* The image's cache is parsed with no effective capability. */
static int merge(const char *data, size_t length, const struct loader_cache *libraries,
		 const char *path, struct arena *arena, char **ret, size_t *ret_length,
		 struct error *err)
{
	struct loader_cache cache = {0};
	int r = privilege_set(PRIVILEGE_PARSE, err);

	if (r == 0 && length > 0) {
		r = loader_cache_parse(data, length, arena, &cache, err);
		if (r < 0)
			return error_fix(err, r,
					 "run ldconfig in the image, or remove %s from the image",
					 path);
	}
	if (r == 0)
		r = loader_cache_merge(&cache, libraries, arena, ret, ret_length, err);
	return r < 0 ? r : privilege_set(PRIVILEGE_MOUNT, err);
}

int loader_cache_update(const struct loader_cache *libraries, struct attach *attach,
			const char *path, struct error *err)
{
	size_t length = 0, merged_length = 0;
	char *data = NULL, *merged = NULL;
	int r = root_read(attach->root, path, CACHE_MAX, attach->arena, &data, &length);

	if (r < 0 && r != -ENOENT)
		return error_read(err, ERROR_IMAGE, -r, "remove it from the image",
				  "the image's %s", path);
	r = merge(data, length, libraries, path, attach->arena, &merged, &merged_length, err);
	if (r < 0)
		return r;
	/* If the container is restarted, its cache is already merged. */
	if (length > 0 && merged_length == length && memcmp(merged, data, length) == 0)
		return 0;
	return attach_file(attach, path, merged, merged_length, err);
}
