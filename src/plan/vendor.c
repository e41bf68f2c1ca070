// SPDX-License-Identifier: Apache-2.0
/* GPUs of vendors other than NVIDIA: nodes, rules, and udev's links. */
#include <string.h>

#include "builder.h"

static void add_node(struct builder *b, const struct accelerator_node *node, const char *because)
{
	const struct device_node copy = {
		.name = node->name, .major = node->major, .minor = node->minor, .present = true};

	if (node->present)
		plan_add_node(b, &copy, because, node->required);
}

/* Level Zero finds GPUs only by these links, if the directory exists. */
static void add_links(struct builder *b, const struct accelerator *one, const char *because)
{
	for (size_t i = 0; i < one->nodes.count; i++)
		if (one->nodes.items[i].present)
			plan_add_drm_link(b, one->bus_id, one->nodes.items[i].name, because);
}

/* "AMD GPU 3 (0000:05:00.0, partition 3: amdgpu_xcp_2)" */
static const char *reason(struct builder *b, const struct vendor *vendor,
			  const struct accelerator *one)
{
	const char *part =
		!one->split ? ""
			    : arena_printf(b->arena, ", partition %u%s%s", one->partition,
					   one->device ? ": " : "", one->device ? one->device : "");
	const char *text = part ? arena_printf(b->arena, "%s GPU %u (%s%s)", vendor->title,
					       one->index, one->bus_id, part)
				: NULL;

	b->failed |= !text;
	return text;
}

static void add_accelerator(struct builder *b, const struct vendor *vendor,
			    const struct accelerator *one)
{
	const char *because = reason(b, vendor, one);

	for (size_t i = 0; i < one->nodes.count; i++)
		add_node(b, &one->nodes.items[i], because);
	/* A partition with its own device has no bus address. */
	if (!one->device)
		add_links(b, one, because);
}

void plan_add_choice(struct builder *b, const struct choice *choice)
{
	if (choice->count && choice->all.common.name)
		add_node(b, &choice->all.common,
			 arena_printf(b->arena, "every container with %s GPUs",
				      choice->vendor->title));
	for (size_t i = 0; i < choice->count; i++)
		add_accelerator(b, choice->vendor, choice->items[i]);
}
