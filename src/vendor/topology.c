// SPDX-License-Identifier: Apache-2.0
#include "topology.h"

#include <string.h>

/* Values that identify the node's GPU. -EINVAL: a value that the kernel can't have. */
static int take_place(struct slice name, struct slice value, struct topology_node *ret)
{
	const struct {
		const char *name;
		uint64_t max;
		unsigned *number;
	} known[] = {
		{"drm_render_minor", 0xfffff, &ret->render_minor},
		{"domain", UINT32_MAX, &ret->domain},
		{"location_id", UINT32_MAX, &ret->location},
	};
	uint64_t number;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (!slice_equal(name, known[i].name))
			continue;
		/* -1: unknown to the kernel. */
		if (slice_equal(value, "-1"))
			return 0;
		if (parse_number(value.data, value.length, 10, known[i].max, &number) < 0)
			return -EINVAL;
		*known[i].number = (unsigned)number;
	}
	return 0;
}

/* Additional facts. A GPU without them can be used. */
static void take_detail(struct slice name, struct slice value, struct topology_node *ret)
{
	uint64_t number;

	if (slice_equal(name, "unique_id") &&
	    parse_number(value.data, value.length, 10, UINT64_MAX, &number) == 0)
		ret->unique_id = number;
	if (slice_equal(name, "gfx_target_version") &&
	    parse_number(value.data, value.length, 10, 999999, &number) == 0)
		ret->gfx_version = (unsigned)number;
}

int topology_parse(const char *text, size_t length, struct topology_node *ret)
{
	struct slice rest = {text, length}, line;

	*ret = (struct topology_node){0};
	while (slice_next(&rest, '\n', &line)) {
		struct slice value = slice_trim(line), name;

		if (!slice_next(&value, ' ', &name) || !value.data)
			continue;
		value = slice_trim(value);
		take_detail(name, value, ret);
		if (take_place(name, value, ret) < 0)
			return -EINVAL;
	}
	return 0;
}

const char *topology_arch(unsigned gfx_version, struct arena *arena)
{
	if (!gfx_version)
		return NULL;
	return arena_printf(arena, "gfx%u%x%x", gfx_version / 10000, gfx_version / 100 % 100,
			    gfx_version % 100);
}
