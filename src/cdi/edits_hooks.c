// SPDX-License-Identifier: Apache-2.0
/* Adds the hooks of a spec: for the loader cache, links, modes and the mask over /proc. */
#include <string.h>

#include "edits.h"

static bool is_disabled(const struct edits_maker *maker, const char *command)
{
	const struct strings *disabled = maker->options->disabled_hooks;

	return disabled && strings_contain(disabled, command);
}

static void add_text_item(struct json_object *list, const char *text)
{
	(void)json_object_array_add(list, json_object_new_string(text));
}

struct json_object *edits_add_hook(struct edits_maker *maker, struct json_object *edits,
				   const char *command)
{
	const char *name = strrchr(maker->options->hook, '/') + 1;
	struct json_object *hook, *args;

	if (is_disabled(maker, command))
		return NULL;
	hook = json_object_new_object();
	args = json_object_new_array();
	edits_add_text(hook, "hookName", "createContainer");
	edits_add_text(hook, "path", maker->options->hook);
	add_text_item(args, name);
	if (string_equal(name, "nvidia-ctk"))
		add_text_item(args, "hook");
	add_text_item(args, command);
	json_object_object_add(hook, "args", args);
	(void)json_object_array_add(edits_list(edits, "hooks"), hook);
	return args;
}

/*
 * As in NVIDIA's toolkit: the two directories that some engines create without permissions for
 * others.
 */
void edits_add_chmod(struct edits_maker *maker, struct json_object *edits)
{
	static const char *const folders[] = {"/dev/dri", "/dev/nvidia-caps"};
	struct json_object *nodes, *args = NULL;

	if (!maker->options->chmod || !json_object_object_get_ex(edits, "deviceNodes", &nodes))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		for (size_t j = 0; j < json_object_array_length(nodes); j++) {
			const char *path = json_object_get_string(json_object_object_get(
				json_object_array_get_idx(nodes, j), "path"));

			if (!string_starts(path, folders[i]) || path[strlen(folders[i])] != '/')
				continue;
			if (!args) {
				args = edits_add_hook(maker, edits, "chmod");
				if (!args)
					return;
				edits_add_argument(args, "--mode", "755");
			}
			edits_add_argument(args, "--path", folders[i]);
			break;
		}
}

/* Adds the hook for the loader cache, with the directories of the plan's libraries. */
static int add_loader_cache(struct edits_maker *maker, const struct plan *plan,
			    struct json_object *edits, struct error *err)
{
	struct strings folders = {0};
	struct json_object *args;

	for (size_t i = 0; i < plan->libraries.count; i++) {
		const char *path = plan->libraries.items[i].path;
		const char *folder =
			arena_strndup(maker->arena, path, (size_t)(strrchr(path, '/') - path));

		if (!folder || (!strings_contain(&folders, folder) &&
				strings_add(maker->arena, &folders, folder) < 0))
			return error_memory(err);
	}
	if (folders.count == 0)
		return 0;
	args = edits_add_hook(maker, edits, "update-ldcache");
	if (!args)
		return 0;
	if (maker->options->ldconfig)
		edits_add_argument(args, "--ldconfig-path", maker->options->ldconfig);
	for (size_t i = 0; i < folders.count; i++)
		edits_add_argument(args, "--folder", folders.items[i]);
	return 0;
}

/*
 * Adds the version with which the image's newer libraries are compared, and their directory. args
 * NULL: the hook is disabled.
 */
static void add_compat_arguments(struct edits_maker *maker, struct json_object *args)
{
	const struct driver *driver = maker->driver;
	const char *version = driver->compat_by_cuda ? driver->cuda_version : driver->version;

	if (!args)
		return;
	edits_add_argument(args,
			   driver->compat_by_cuda ? "--host-cuda-version" : "--host-driver-version",
			   version);
	if (!string_equal(driver->compat_dir, COMPAT_DIR))
		edits_add_argument(args, "--cuda-compat-container-root", driver->compat_dir);
}

static bool has_compat(const struct edits_maker *maker)
{
	const struct driver *driver = maker->driver;

	return maker->options->cuda_compat && driver->compat_dir &&
	       (driver->compat_by_cuda ? driver->cuda_version : driver->version);
}

static bool plan_has_kind(const struct plan *plan, enum operation_kind kind)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].kind == kind)
			return true;
	return false;
}

/* Whether containers get a profile that tells EGL which GPUs to show. */
static bool has_profile(const struct edits_maker *maker)
{
	const struct driver *driver = maker->driver;

	if (!(maker->capabilities & (CAPABILITY_GRAPHICS | CAPABILITY_DISPLAY)))
		return false;
	for (size_t i = 0; i < driver->gpus.count; i++)
		if (driver->gpus.items[i].minor != GPU_NO_MINOR)
			return true;
	return false;
}

/* Adds the loader's entries to the one hook. */
static int add_hook_libraries(struct edits_maker *maker, const struct plan *plan, struct error *err)
{
	struct json_object *args = maker->hook_arguments;

	for (size_t i = 0; i < plan->libraries.count; i++) {
		const struct loader_entry *entry = &plan->libraries.items[i];
		const char *path = edits_hook_target(maker, entry->path);
		const char *value =
			path ? arena_printf(maker->arena, "%s::%s", entry->name, path) : NULL;

		if (!value)
			return error_memory(err);
		edits_add_argument(
			args, entry->flags == LOADER_FLAGS_NATIVE ? "--library" : "--library32",
			value);
	}
	if (has_compat(maker))
		add_compat_arguments(maker, args);
	return 0;
}

/* The hook adds these two by default, so name those that containers don't get. */
static void add_left_out(struct edits_maker *maker, const struct plan *plan)
{
	bool mask = plan_has_kind(plan, OPERATION_PROC_MASK), profile = has_profile(maker);

	if (mask && profile)
		return;
	edits_add_argument(maker->hook_arguments, "--leave-out",
			   mask      ? "egl-profile"
			   : profile ? "proc-mask"
				     : "egl-profile,proc-mask");
}

/* Adds the one hook. Devices add their arguments to it later. */
static int add_one_hook(struct edits_maker *maker, const struct plan *plan,
			struct json_object *edits, struct error *err)
{
	const struct image *image = maker->options->image;
	int r;

	maker->hook_arguments = edits_add_hook(maker, edits, "cdi");
	edits_add_argument(maker->hook_arguments, "--lib-dir", image->lib_dir);
	if (image->lib_dir_32)
		edits_add_argument(maker->hook_arguments, "--lib-dir32", image->lib_dir_32);
	r = edits_add_plan(maker, plan, NULL, edits, err);
	if (r == 0)
		r = add_hook_libraries(maker, plan, err);
	if (r == 0)
		add_left_out(maker, plan);
	return r;
}

int edits_add_common(struct edits_maker *maker, const struct plan *plan, struct json_object *edits,
		     struct error *err)
{
	struct json_object *env = edits_list(edits, "env");
	const char *folder =
		driver_libcuda_folder(maker->driver, maker->options->image->lib_dir, maker->arena);
	const char *directory =
		folder ? arena_printf(maker->arena, LIBCUDA_DIR_VARIABLE "=%s", folder) : NULL;
	int r;

	if (!directory)
		return error_memory(err);
	(void)json_object_array_add(env, json_object_new_string(directory));
	/* Prevents the engine's hooks from acting as well. */
	(void)json_object_array_add(env, json_object_new_string("NVIDIA_VISIBLE_DEVICES=void"));
	if (maker->options->one_hook)
		return add_one_hook(maker, plan, edits, err);
	r = edits_add_plan(maker, plan, NULL, edits, err);
	if (r < 0)
		return r;
	if (has_compat(maker))
		add_compat_arguments(maker, edits_add_hook(maker, edits, "enable-cuda-compat"));
	r = add_loader_cache(maker, plan, edits, err);
	if (r < 0)
		return r;
	/* Containers that manage the driver may create nodes and see all GPUs. */
	if (maker->options->mode == CDI_MODE_MANAGEMENT)
		return 0;
	/* These two hooks inspect the container's nodes, so they suit any requested devices. */
	if (has_profile(maker))
		(void)edits_add_hook(maker, edits, "update-application-profile");
	if (plan_has_kind(plan, OPERATION_PROC_MASK))
		(void)edits_add_hook(maker, edits, "disable-device-node-modification");
	return 0;
}
