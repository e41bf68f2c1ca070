// SPDX-License-Identifier: Apache-2.0
/*
 * davit-hook cdi: all that a spec of davit's leaves to a hook, in one process and one plan. The
 * spec has the plan of the host's driver in its arguments; here comes what depends on the
 * container: where its image has libraries, its own newer ones, the nodes that it got.
 *
 *   --mount SOURCE::TARGET::OPTIONS   a file, directory or socket of the host; --try-mount: if it
 *                                     exists. The option root-owned: a directory of root's alone
 *   --link TEXT::LINK
 *   --node-link NODE::TEXT::LINK      the link, if the container has the node
 *   --library NAME::PATH              goes into the loader cache; --library32
 *   --host-driver-version VERSION     the image's newer libraries may come before these;
 *                                     --host-cuda-version, --cuda-compat-container-root
 *   --leave-out WHAT                  egl-profile, proc-mask: what this host hasn't
 *
 *   --lib-dir DIR                     where libraries go; --lib-dir32
 *
 * A target "@lib/NAME" is in that directory, "@lib32/NAME" in that of the 32-bit libraries.
 */
#include <fcntl.h>
#include <string.h>

#include "cdi_hook.h"

struct cdi_plan {
	struct cdi_call *call;
	struct image image;
	struct error *err;
};

static int bad_value(const struct cdi_plan *plan, const char *option, const char *value,
		     const char *wanted)
{
	return error_set(plan->err, ERROR_BAD_REQUEST, EINVAL,
			 "generate the CDI spec again with `davit cdi generate`",
			 "use --%s %s: it must be %s", option, value, wanted);
}

/* Splits "A::B" at the first "::". */
static int split(const struct cdi_plan *plan, const char *option, const char *value,
		 const char **ret_first, const char **ret_second)
{
	const char *separator = strstr(value, "::");

	if (!separator || separator == value || !separator[2]) {
		(void)bad_value(plan, option, value, "two parts with :: between them");
		return -EINVAL;
	}
	*ret_first = arena_strndup(plan->call->arena, value, (size_t)(separator - value));
	*ret_second = separator + 2;
	if (!*ret_first) {
		(void)error_memory(plan->err);
		return -ENOMEM;
	}
	return 0;
}

/* NULL: no memory. */
static const char *expand(const struct cdi_plan *plan, const char *target)
{
	static const char lib[] = "@lib/", lib_32[] = "@lib32/";
	struct arena *arena = plan->call->arena;

	if (string_starts(target, lib))
		return arena_printf(arena, "%s/%s", plan->image.lib_dir, target + strlen(lib));
	if (string_starts(target, lib_32))
		return arena_printf(arena, "%s/%s", plan->image.lib_dir_32,
				    target + strlen(lib_32));
	return target;
}

/* ---- mounts ----------------------------------------------------------------------------- */

static int read_options(const struct cdi_plan *plan, const char *options,
			struct operation *operation)
{
	static const struct {
		const char *name;
		unsigned flag;
	} names[] = {
		{"ro", MOUNT_FLAG_RDONLY},         {"nosuid", MOUNT_FLAG_NOSUID},
		{"nodev", MOUNT_FLAG_NODEV},       {"noexec", MOUNT_FLAG_NOEXEC},
		{"nofollow", MOUNT_FLAG_NOFOLLOW}, {"root-owned", 0},
	};
	struct slice rest = slice_from(options), word;

	while (slice_next(&rest, ',', &word)) {
		size_t i = 0;

		if (slice_equal(word, "rw"))
			continue;

		while (i < ARRAY_SIZE(names) && !slice_equal(word, names[i].name))
			i++;
		if (i == ARRAY_SIZE(names))
			return bad_value(plan, "mount", options, "options that davit supports");
		operation->flags |= names[i].flag;
		operation->owner_root |= names[i].flag == 0;
	}
	return 0;
}

static int add_mounts(struct cdi_plan *plan, const char *option, bool required)
{
	struct cdi_call *call = plan->call;
	const char *value;
	size_t at = 0;

	while ((value = cdi_option(call, option, &at))) {
		const char *source = NULL, *target = NULL, *options = NULL;
		struct operation *operation;
		int r = split(plan, option, value, &source, &target);

		if (r == 0)
			r = split(plan, option, target, &target, &options);
		if (r < 0)
			return r;
		if (source[0] != '/')
			return bad_value(plan, option, value, "an absolute path on the host");
		operation = cdi_add(call, OPERATION_BIND, expand(plan, target), "");
		if (!operation)
			return error_memory(plan->err);
		operation->tree = TREE_DRIVER_ROOT;
		operation->source = source;
		operation->required = required;
		call->takes_from_host = true;
		r = read_options(plan, options, operation);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- links ------------------------------------------------------------------------------ */

/*
 * The mount at the link's target. If the image has a file in the link's place, it is mounted there
 * as well.
 */
static const struct operation *find_mount(const struct plan *plan, const struct operation *link)
{
	size_t length = (size_t)(strrchr(link->target, '/') + 1 - link->target);

	for (size_t i = 0; i < plan->count; i++) {
		const struct operation *mount = &plan->items[i];

		if (mount->kind == OPERATION_BIND &&
		    strncmp(mount->target, link->target, length) == 0 &&
		    strcmp(mount->target + length, link->text) == 0)
			return mount;
	}
	return NULL;
}

static int add_link(struct cdi_plan *plan, const char *text, const char *target)
{
	struct cdi_call *call = plan->call;
	struct operation *link = cdi_add(call, OPERATION_SYMLINK, expand(plan, target), text);
	const struct operation *mount;

	if (!link)
		return error_memory(plan->err);
	if (link->target[0] != '/')
		return bad_value(plan, "link", target, "an absolute path in the container");
	/* Links beneath /dev are optional, because only people use them. */
	link->required = !string_starts(link->target, "/dev/");
	mount = strchr(text, '/') ? NULL : find_mount(&call->plan, link);
	/* If the engine makes the spec's mounts, the file is already in the container. */
	if (!mount)
		return call->takes_from_host ? 0 : cdi_cover_link(call, link, plan->err);
	link->tree = mount->tree;
	link->source = mount->source;
	link->flags = mount->flags;
	return 0;
}

static int add_links(struct cdi_plan *plan)
{
	const char *value, *text = NULL, *target = NULL;
	size_t at = 0;
	int r = 0;

	while (r == 0 && (value = cdi_option(plan->call, "link", &at))) {
		r = split(plan, "link", value, &text, &target);
		if (r == 0)
			r = add_link(plan, text, target);
	}
	return r;
}

/* The devices of a spec share this hook. The container's nodes show which of them it has. */
static int add_node_links(struct cdi_plan *plan)
{
	const char *value, *node = NULL, *text = NULL, *target = NULL;
	size_t at = 0;
	int r = 0;

	while (r == 0 && (value = cdi_option(plan->call, "node-link", &at))) {
		r = split(plan, "node-link", value, &node, &text);
		if (r == 0)
			r = split(plan, "node-link", text, &text, &target);
		if (r == 0 && cdi_has_node(plan->call, node))
			r = add_link(plan, text, target);
	}
	return r;
}

/* ---- the loader ------------------------------------------------------------------------- */

static int add_libraries(struct cdi_plan *plan, const char *option, int flags)
{
	struct cdi_call *call = plan->call;
	const char *value;
	size_t at = 0;

	while ((value = cdi_option(call, option, &at))) {
		const char *name = NULL, *path = NULL;
		struct loader_entry *entry;
		int r = split(plan, option, value, &name, &path);

		if (r < 0)
			return r;
		path = expand(plan, path);
		entry = ARENA_PUSH(call->arena, &call->plan.libraries);
		if (!path || !entry)
			return error_memory(plan->err);
		*entry = (struct loader_entry){.flags = flags, .name = name, .path = path};
	}
	return 0;
}

/* Adds the file of directories for a later ldconfig, without the image's newer libraries. */
static int add_loader_conf(struct cdi_plan *plan)
{
	const struct loader_cache *libraries = &plan->call->plan.libraries;
	struct strings folders = {0};

	for (size_t i = plan->image.compat_used ? plan->image.compat.count : 0;
	     i < libraries->count; i++) {
		const char *path = libraries->items[i].path, *slash = strrchr(path, '/');
		const char *folder =
			slash ? arena_strndup(plan->call->arena, path, (size_t)(slash - path)) : "";

		if (!folder || (!strings_contain(&folders, folder) &&
				strings_add(plan->call->arena, &folders, folder) < 0))
			return -ENOMEM;
	}
	return cdi_add_loader_conf(plan->call, &plan->image, &folders);
}

static int add_musl_path(struct cdi_call *call, const struct image *image)
{
	const char *text;
	int r = image_make_musl_path(image, &call->plan.libraries, call->arena, &text);

	return r < 0 || (text && !cdi_add(call, OPERATION_FILE, IMAGE_MUSL_PATH_FILE, text))
		       ? -ENOMEM
		       : 0;
}

static int add_loader_search(struct cdi_plan *plan)
{
	struct cdi_call *call = plan->call;
	const struct image *image = &plan->image;
	int r = cdi_add_compat(call, &plan->image, plan->err);

	if (r == 0)
		r = add_libraries(plan, "library", LOADER_FLAGS_NATIVE);
	if (r == 0)
		r = add_libraries(plan, "library32", LOADER_FLAGS_32);
	if (r < 0)
		return r;
	if (image->loader == IMAGE_LOADER_MUSL && add_musl_path(call, image) < 0)
		return error_memory(plan->err);
	if (image->loader != IMAGE_LOADER_GLIBC || call->plan.libraries.count == 0)
		return 0;
	/*
	 * First, as in the planner: in a read-only root, the others use its private view of /etc.
	 */
	if (!cdi_add(call, OPERATION_LOADER_CACHE, "/etc/ld.so.cache", "") ||
	    add_loader_conf(plan) < 0)
		return error_memory(plan->err);
	return 0;
}

/* ---- all of it -------------------------------------------------------------------------- */

static bool takes_mounts(const struct cdi_call *call)
{
	size_t at = 0, at_try = 0;

	return cdi_option(call, "mount", &at) || cdi_option(call, "try-mount", &at_try);
}

/*
 * The spec's directories of libraries are those of the host's kind of image, and hold everywhere:
 * the loader cache, on musl the path file, leads there. Where they lie in a volume, the container's
 * own root gets others.
 */
static int inspect_image(struct cdi_plan *plan)
{
	struct cdi_call *call = plan->call;
	const struct root *root = &call->container.root;
	struct image *image = &plan->image;
	size_t at = 0, at_32 = 0;
	const char *dir = cdi_option(call, "lib-dir", &at);
	const char *dir_32 = cdi_option(call, "lib-dir32", &at_32);
	int r = image_inspect(root, call->arena, image, plan->err);

	if (r < 0)
		return r;
	image->lib_dir = dir ? dir : image->lib_dir;
	image->lib_dir_32 = dir_32 ? dir_32 : image->lib_dir_32;
	/* Mounts of the spec are where it says. */
	if (!takes_mounts(call))
		return 0;
	return image_place_libraries(root, call->container.mounts, call->shared_propagation,
				     call->arena, image, plan->err);
}

static bool leaves_out(struct cdi_call *call, const char *what)
{
	struct cdi_items items = {0};
	const char *item;

	while ((item = cdi_item(call, "leave-out", &items)))
		if (strcmp(item, what) == 0)
			return true;
	return false;
}

int cdi_apply_spec(struct cdi_call *call, struct error *err)
{
	struct cdi_plan plan = {.call = call, .err = err};
	int r = inspect_image(&plan);

	if (r == 0)
		r = add_mounts(&plan, "mount", true);
	if (r == 0)
		r = add_mounts(&plan, "try-mount", false);
	if (r == 0)
		r = add_links(&plan);
	if (r == 0)
		r = add_node_links(&plan);
	if (r == 0)
		r = add_loader_search(&plan);
	if (r == 0 && !leaves_out(call, "egl-profile"))
		r = cdi_update_profile(call, err);
	if (r == 0 && !leaves_out(call, "proc-mask"))
		r = cdi_mask_proc(call, err);
	return r;
}
