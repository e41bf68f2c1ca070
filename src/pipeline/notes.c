// SPDX-License-Identifier: Apache-2.0
/* What a user should know of a container's GPUs although nothing is wrong with the request. */
#include "notes.h"
#include <string.h>

#include "davit/pipeline.h"

#define OVERFLOW_GID 65534 /* how a user namespace shows groups that it doesn't have */

static int add_note(struct pipeline *pipeline, const char *note, struct arena *arena,
		    struct error *err)
{
	return !note || strings_add(arena, &pipeline->notes, note) < 0 ? error_memory(err) : 0;
}

/* ---- groups ----------------------------------------------------------------------------- */

static bool is_member(const struct oci_user *user, gid_t gid)
{
	bool found = user->gid == gid;

	for (size_t i = 0; i < user->groups.count; i++)
		found |= user->groups.items[i] == gid;
	return found;
}

/* The nodes of one group that are only for it: "/dev/kfd, /dev/dri/renderD128". */
struct group {
	gid_t gid;
	struct strings nodes;
};
struct groups {
	struct group *items;
	size_t count, capacity;
};

static int add_node(struct groups *groups, const struct accelerator_node *node, struct arena *arena)
{
	const char *path = arena_printf(arena, "/dev/%s", node->name);
	size_t i = 0;

	while (i < groups->count && groups->items[i].gid != node->gid)
		i++;
	if (i == groups->count) {
		struct group *group = ARENA_PUSH(arena, groups);

		if (!group)
			return -ENOMEM;
		*group = (struct group){.gid = node->gid};
	}
	return path ? strings_add(arena, &groups->items[i].nodes, path) : -ENOMEM;
}

/*
 * The card node is only for output on a screen. A user with the render node's group doesn't need
 * it.
 */
static int collect(const struct choice *choice, const struct oci_user *user, struct groups *ret,
		   struct arena *arena)
{
	const struct accelerator_node *common = &choice->all.common;
	int r = 0;

	if (choice->count && common->name && common->present &&
	    node_needs_group(common->mode, common->gid) && !is_member(user, common->gid))
		r = add_node(ret, common, arena);
	for (size_t i = 0; r == 0 && i < choice->count; i++)
		for (size_t j = 0; r == 0 && j < choice->items[i]->nodes.count; j++) {
			const struct accelerator_node *node = &choice->items[i]->nodes.items[j];

			if (node->required && node->present &&
			    node_needs_group(node->mode, node->gid) && !is_member(user, node->gid))
				r = add_node(ret, node, arena);
		}
	return r;
}

static const char *group_note(const struct group *group, const struct oci_spec *spec,
			      struct arena *arena)
{
	const char *nodes = strings_list(arena, &group->nodes, 100);
	bool foreign = spec->user_namespace || group->gid == OVERFLOW_GID;

	if (!nodes)
		return NULL;
	if (foreign)
		return arena_printf(
			arena,
			"the container's user %u can't open %s, which needs group %u of the host; the group is not in the container's user namespace (fix: --group-add keep-groups with crun, or a udev rule that lets everyone open it)",
			spec->user.uid, nodes, group->gid);
	return arena_printf(
		arena,
		"the container's user %u can't open %s, which needs group %u (fix: --group-add %u, or davit-runtime, which adds the group)",
		spec->user.uid, nodes, group->gid, group->gid);
}

int pipeline_note_groups(struct pipeline *pipeline, struct arena *arena, struct error *err)
{
	const struct oci_user *user = &pipeline->spec.user;
	struct groups groups = {0};
	int r = 0;

	if (user->uid == 0)
		return 0;
	for (size_t i = 0; r == 0 && i < pipeline->choices.count; i++)
		r = collect(&pipeline->choices.items[i], user, &groups, arena);
	if (r < 0)
		return error_memory(err);
	for (size_t i = 0; r == 0 && i < groups.count; i++)
		r = add_note(pipeline, group_note(&groups.items[i], &pipeline->spec, arena), arena,
			     err);
	return r;
}

/* ---- a choice --------------------------------------------------------------------------- */

/*
 * Where no device rules hold, the container sees all GPUs, and the vendor's library fails when it
 * may open some of them only.
 */
static const char *subset_note(const struct choice *choice, struct arena *arena)
{
	return arena_printf(
		arena,
		"the container gets %zu of %zu %s GPUs, but in a user namespace no device rule hides the others: %s with some of them (fix: request all, and select with %s in the container)",
		choice->count, choice->all.count, choice->vendor->title, choice->subset_problem,
		choice->inside);
}

/*
 * The highest index in a list such as "0,1" or "1.0,3.2" (the numbers before the dots). -1: none.
 */
static int64_t highest_index(const char *list)
{
	struct slice rest = slice_from(list), item;
	int64_t highest = -1;

	while (slice_next(&rest, ',', &item)) {
		struct slice whole = slice_trim(item), first = {0};
		uint64_t index;

		if (slice_next(&whole, '.', &first) &&
		    parse_number(first.data, first.length, 10, UINT32_MAX, &index) == 0 &&
		    (int64_t)index > highest)
			highest = (int64_t)index;
	}
	return highest;
}

/* Programs in the container count the GPUs that they see, from 0. */
static int note_inside(struct pipeline *pipeline, const struct choice *choice, struct arena *arena,
		       struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < pipeline->spec.env.count; i++) {
		const char *entry = pipeline->spec.env.items[i], *value = strchr(entry, '=');

		for (const char *const *name = choice->inside_names; r == 0 && value && *name;
		     name++) {
			size_t length = strlen(*name);

			if ((size_t)(value - entry) != length ||
			    memcmp(entry, *name, length) != 0 ||
			    highest_index(value + 1) < (int64_t)choice->count)
				continue;
			r = add_note(
				pipeline,
				arena_printf(
					arena,
					"%s=%.40s, but the container has %zu %s GPU%s, which it numbers from 0",
					*name, value + 1, choice->count, choice->vendor->title,
					choice->count == 1 ? "" : "s"),
				arena, err);
		}
	}
	return r;
}

int note_choice(struct pipeline *pipeline, const struct choice *choice, struct arena *arena,
		struct error *err)
{
	bool part = choice->count && choice->count < choice->all.count;
	int r = 0;

	if (choice->count && *choice->all.warning)
		r = add_note(
			pipeline,
			arena_printf(arena, "%s: %s", choice->vendor->title, choice->all.warning),
			arena, err);
	if (r == 0 && part && choice->subset_problem &&
	    (user_namespace_is_nested() || !pipeline->config->cgroups))
		r = add_note(pipeline, subset_note(choice, arena), arena, err);
	if (r == 0 && choice->count)
		r = note_inside(pipeline, choice, arena, err);
	return r;
}

void pipeline_log_notes(const struct pipeline *pipeline)
{
	for (size_t i = 0; i < pipeline->notes.count; i++)
		log_line(LOG_LEVEL_WARNING, "%s", pipeline->notes.items[i]);
}
