// SPDX-License-Identifier: Apache-2.0
/* The outcome of operations whose targets lie in volumes (docs/architecture.md, "Places"). */
#include <fcntl.h>

#include "explain.h"

/* Whether the volume has something at that place; its source is the host's, or the bundle's. */
static bool volume_has(const struct explanation *explanation, const struct image_place *place,
		       struct arena *arena)
{
	const char *source = place->mount->source, *rest = place->path + place->mount_length;
	AUTO_ROOT root = {.fd = -1};
	struct error ignored = {0};
	struct stat st;

	if (!*rest)
		return true; /* it is a mount itself */
	if (source[0] != '/')
		source = arena_printf(arena, "%s/%s", explanation->pipeline.bundle, source);
	return source && root_open(source, &root, &ignored) == 0 &&
	       root_stat(&root, rest, AT_SYMLINK_NOFOLLOW, &st) == 0;
}

enum explain_outcome explain_outcome(const struct explanation *explanation,
				     const struct operation *operation, struct arena *arena,
				     const char **ret_volume)
{
	struct image_place place;

	*ret_volume = NULL;
	/* Rules create nothing. The mask is mounted on the container's own /proc or omitted. */
	if (!explanation->volumes || operation->kind == OPERATION_DEVICE_RULE ||
	    operation->kind == OPERATION_PROC_MASK ||
	    image_find_place(explanation->volumes, operation->target, false, &place) < 0 ||
	    !place.mount || !image_mount_is_volume(place.mount))
		return OUTCOME_OWN;
	*ret_volume = place.mount->destination;
	if (place.mount->read_only)
		return OUTCOME_VIEW;
	return volume_has(explanation, &place, arena) ? OUTCOME_COVERED : OUTCOME_NOTHING;
}

const char *explain_outcome_text(const struct explanation *explanation,
				 const struct operation *operation, struct arena *arena)
{
	const char *volume, *text = "";

	switch (explain_outcome(explanation, operation, arena, &volume)) {
	case OUTCOME_OWN:
		break;
	case OUTCOME_VIEW:
		text = arena_printf(arena,
				    "in a view of the read-only volume %s that only this "
				    "container has",
				    volume);
		break;
	case OUTCOME_COVERED:
		text = arena_printf(arena, "covers a file of the volume %s in this container",
				    volume);
		break;
	case OUTCOME_NOTHING:
		text = arena_printf(
			arena, "%s: the volume %s lacks it, and davit creates nothing in a volume",
			operation->required ? "refused" : "skipped", volume);
		break;
	}
	return text ? text : "";
}
