// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/runtime.h"

/* Adds the missing components of a path, the highest first. */
static int add_missing(const struct image_place *place, struct arena *arena, struct strings *ret)
{
	const char *end = place->path + place->existing;

	while (*end) {
		const char *prefix;

		end = strchrnul(end + 1, '/');
		prefix = arena_strndup(arena, place->path, (size_t)(end - place->path));
		if (!prefix)
			return -ENOMEM;
		if (!strings_contain(ret, prefix) && strings_add(arena, ret, prefix) < 0)
			return -ENOMEM;
	}
	return 0;
}

int spec_find_stubs(struct image_volumes *volumes, const struct spec_mounts *mounts,
		    struct arena *arena, struct strings *ret)
{
	for (size_t i = 0; i < mounts->count; i++) {
		struct image_place place;
		int r = image_find_place(volumes, mounts->items[i].destination, true, &place);

		/* What lies in a mount isn't the root's to clean up. */
		if (r == 0 && !place.mount && !place.uncertain)
			r = add_missing(&place, arena, ret);
		if (r < 0)
			return r;
	}
	return 0;
}
