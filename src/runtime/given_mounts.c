// SPDX-License-Identifier: Apache-2.0
/* Mounts of CDI specs that are written into config.json unchanged. */
#include "davit/runtime.h"

struct giver {
	const struct pipeline *pipeline;
	struct image_volumes *volumes;
	struct arena *arena;
	struct spec_edits *edits;
};

bool spec_has_mount(const struct oci_mounts *mounts, const char *destination, const char *source)
{
	for (size_t i = 0; i < mounts->count; i++)
		if (string_equal(mounts->items[i].destination, destination) &&
		    string_equal(mounts->items[i].source, source))
			return true;
	return false;
}

/*
 * A mount of a CDI spec that is written into config.json unchanged. The runtime makes it, so its
 * place must not be visible outside the container.
 */
static int check_given(struct giver *g, const struct cdi_mount *mount, struct error *err)
{
	static const char fix[] = "mount another volume in the container";
	struct image_place place;
	int r = image_find_place(g->volumes, mount->container_path, true, &place);

	if (r < 0)
		return error_errno(err, -r, "predict the location of %s in the container",
				   mount->container_path);
	if (g->pipeline->spec.shared_propagation)
		return error_set(err, ERROR_BAD_REQUEST, EXDEV, "leave linux.rootfsPropagation out",
				 "apply %.100s: its mount on %.100s would show on the host",
				 mount->because, mount->container_path);
	if (image_place_is_volume(&place))
		return error_set(err, ERROR_BAD_REQUEST, EXDEV, fix,
				 "apply %.100s: its mount on %.100s lies in a volume of the "
				 "container",
				 mount->because, mount->container_path);
	return 0;
}

static int add_given(struct giver *g, const struct cdi_mount *mount, struct oci_mounts *all,
		     struct error *err)
{
	struct oci_mount *added;
	int r;

	if (!mount->as_given ||
	    spec_has_mount(&g->pipeline->spec.mounts, mount->container_path, mount->host_path))
		return 0;
	r = check_given(g, mount, err);
	if (r < 0)
		return r;
	added = ARENA_PUSH(g->arena, all);
	if (!added || strings_add(g->arena, &g->edits->given_mounts, mount->json) < 0)
		return error_memory(err);
	*added = (struct oci_mount){.destination = mount->container_path,
				    .source = mount->host_path,
				    .type = mount->bind ? "bind" : mount->type,
				    .bind = mount->bind,
				    .read_only = mount->flags & MOUNT_FLAG_RDONLY};
	return 0;
}

static size_t depth_of(const char *path)
{
	size_t depth = 0;

	for (; *path; path++)
		depth += path[0] == '/' && path[1] != '/' && path[1];
	return depth;
}

/* Those above come first, as the engines order them. *ret: with config.json's before them. */
static int add_given_mounts(struct giver *g, struct oci_mounts *ret, struct error *err)
{
	const struct oci_mounts *mounts = &g->pipeline->spec.mounts;
	const struct cdi_edits *cdi = &g->pipeline->cdi;
	size_t deepest = 0;
	int r = 0;

	for (size_t i = 0; i < cdi->mounts.count; i++) {
		size_t depth = depth_of(cdi->mounts.items[i].container_path);

		if (cdi->mounts.items[i].as_given && depth > deepest)
			deepest = depth;
	}
	if (deepest == 0)
		return 0;
	if (ARENA_RESERVE(g->arena, ret, mounts->count + cdi->mounts.count) < 0)
		return error_memory(err);
	for (size_t i = 0; i < mounts->count; i++) {
		struct oci_mount *mount = ARENA_PUSH(g->arena, ret);

		if (!mount)
			return error_memory(err);
		*mount = mounts->items[i];
	}
	for (size_t depth = 1; r == 0 && depth <= deepest; depth++)
		for (size_t i = 0; r == 0 && i < cdi->mounts.count; i++)
			if (depth_of(cdi->mounts.items[i].container_path) == depth)
				r = add_given(g, &cdi->mounts.items[i], ret, err);
	return r;
}

/* Places are decided by config.json only, before the plan's own are predicted. */
int spec_take_given_mounts(const struct pipeline *pipeline, const struct root *root,
			   struct arena *arena, struct spec_edits *edits, struct oci_mounts *ret,
			   struct error *err)
{
	AUTO_VOLUMES volumes = IMAGE_VOLUMES_INIT(root, &pipeline->spec.mounts, arena);
	struct giver g = {
		.pipeline = pipeline, .volumes = &volumes, .arena = arena, .edits = edits};

	return add_given_mounts(&g, ret, err);
}
