// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "edits.h"

/* ---- JSON ------------------------------------------------------------------------------- */

static struct json_object *list_of(struct json_object *edits, const char *name)
{
	struct json_object *list;

	if (!json_object_object_get_ex(edits, name, &list)) {
		list = json_object_new_array();
		json_object_object_add(edits, name, list);
	}
	return list;
}

static void add_text(struct json_object *object, const char *name, const char *text)
{
	json_object_object_add(object, name, json_object_new_string(text));
}

static void add_number(struct json_object *object, const char *name, unsigned number)
{
	json_object_object_add(object, name, json_object_new_int64(number));
}

/* ---- operations ------------------------------------------------------------------------- */

int edits_leave_out(struct edits_maker *maker, const char *what, const char *why, struct error *err)
{
	const char *line = arena_printf(maker->arena, "%s: %s", what, why);

	if (line && strings_contain(maker->left_out, line))
		return 0;
	return !line || strings_add(maker->arena, maker->left_out, line) < 0 ? error_memory(err)
									     : 0;
}

static const char *host_path(struct edits_maker *maker, const struct operation *operation)
{
	const char *root = driver_root_of(maker->roots, operation->tree)->path;
	const char *path = operation->source;

	while (*path == '/')
		path++;
	return arena_printf(maker->arena, "%s/%s", string_equal(root, "/") ? "" : root, path);
}

/*
 * The file itself, links resolved in its tree: an engine would resolve them in the host's root,
 * where there is nothing or another file. What doesn't exist keeps its own path. NULL without
 * memory.
 */
static const char *resolved_path(struct edits_maker *maker, const struct operation *operation)
{
	AUTO_FD fd = root_openat(driver_root_of(maker->roots, operation->tree), operation->source,
				 O_PATH);
	char name[sizeof("fd/") + 3 * sizeof(int)], text[PATH_MAX];
	ssize_t length = -1;

	if (fd >= 0) {
		AUTO_FD link = -1;

		(void)snprintf(name, sizeof(name), "fd/%d", fd);
		link = proc_open(0, name, O_PATH | O_NOFOLLOW);
		length = link < 0 ? -1 : readlinkat(link, "", text, sizeof(text));
	}
	if (length <= 0 || (size_t)length == sizeof(text) || text[0] != '/')
		return host_path(maker, operation);
	return arena_strndup(maker->arena, text, (size_t)length);
}

/* A user of the container needs the group where others may not open the node. */
static void add_group(struct json_object *edits, gid_t gid)
{
	struct json_object *list = list_of(edits, "additionalGids");

	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (json_object_get_int64(json_object_array_get_idx(list, i)) == (int64_t)gid)
			return;
	(void)json_object_array_add(list, json_object_new_int64(gid));
}

/* Owner and mode are the host's: the engine doesn't take them from the node itself. */
static void add_owner(const struct edits_maker *maker, struct json_object *node,
		      struct json_object *edits, const struct stat *st)
{
	add_number(node, "fileMode", st->st_mode & 0777);
	if (st->st_uid)
		add_number(node, "uid", st->st_uid);
	if (!st->st_gid)
		return;
	add_number(node, "gid", st->st_gid);
	if (!maker->options->no_groups && (st->st_mode & 0060) == 0060 &&
	    (st->st_mode & 0006) != 0006)
		add_group(edits, st->st_gid);
}

/*
 * Of a node that exists the engine finds type and numbers itself when a container starts: so the
 * spec stays right when nvidia-uvm gets another major at the next boot.
 */
static int add_node(struct edits_maker *maker, const struct operation *operation,
		    struct json_object *edits, struct error *err)
{
	const struct root *root = driver_root_of(maker->roots, operation->tree);
	const char *path = resolved_path(maker, operation);
	struct json_object *node;
	struct stat st;
	int r = root_stat(root, operation->source, 0, &st);
	bool same = r == 0 && S_ISCHR(st.st_mode) &&
		    st.st_rdev == makedev(operation->major, operation->minor);

	if (!path)
		return error_memory(err);
	if (!same && !operation->required)
		return edits_leave_out(maker, path, "the driver has no such node", err);
	if (r == 0 && !same)
		return error_set(err, ERROR_NO_DRIVER, ENODEV,
				 "remove it and run `davit system prepare`",
				 "describe %s: it is not the character device %u:%u", path,
				 operation->major, operation->minor);
	node = json_object_new_object();
	add_text(node, "path", operation->target);
	if (!string_equal(path, operation->target))
		add_text(node, "hostPath", path);
	if (!same) {
		add_text(node, "type", "c");
		add_number(node, "major", operation->major);
		add_number(node, "minor", operation->minor);
	}
	add_text(node, "permissions", "rw");
	(void)json_object_array_add(list_of(edits, "deviceNodes"), node);
	if (same)
		add_owner(maker, node, edits, &st);
	return 0;
}

static struct json_object *mount_options(unsigned flags)
{
	const char *names[MOUNT_OPTIONS_MAX];
	size_t count = mount_option_names(flags, names);
	struct json_object *options = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		(void)json_object_array_add(options, json_object_new_string(names[i]));
	(void)json_object_array_add(options, json_object_new_string("rbind"));
	(void)json_object_array_add(options, json_object_new_string("rprivate"));
	return options;
}

static void add_argument(struct json_object *args, const char *option, const char *value)
{
	(void)json_object_array_add(args, json_object_new_string(option));
	(void)json_object_array_add(args, json_object_new_string(value));
}

/* A place in the image's library directory: davit-hook may have to choose another one. */
static const char *hook_target(struct edits_maker *maker, const char *target)
{
	const struct image *image = maker->options->image;
	const struct {
		const char *dir, *word;
	} dirs[] = {
		{image->lib_dir, "@lib"},
		{image->lib_dir_32, "@lib32"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		const char *rest = dirs[i].dir && string_starts(target, dirs[i].dir)
					   ? target + strlen(dirs[i].dir)
					   : "";

		if (rest[0] == '/' && (!strchr(rest + 1, '/') || string_starts(rest, "/gbm/") ||
				       string_starts(rest, "/vdpau/")))
			return arena_printf(maker->arena, "%s%s", dirs[i].word, rest);
	}
	return target;
}

static int add_hook_mount(struct edits_maker *maker, const struct operation *operation,
			  const char *path, struct error *err)
{
	const char *names[MOUNT_OPTIONS_MAX + 2], *target = hook_target(maker, operation->target);
	struct strings options = {names, mount_option_names(operation->flags, names), 0};
	const char *value;

	if (operation->flags & MOUNT_FLAG_NOFOLLOW)
		names[options.count++] = "nofollow";
	if (operation->owner_root)
		names[options.count++] = "root-owned";
	value = strings_join(maker->arena, &options, ",");
	if (value && target)
		value = arena_printf(maker->arena, "%s::%s::%s", path, target,
				     *value ? value : "rw");
	if (!value || !target)
		return error_memory(err);
	add_argument(maker->hook_arguments, operation->required ? "--mount" : "--try-mount", value);
	return 0;
}

static int add_mount(struct edits_maker *maker, const struct operation *operation,
		     struct json_object *edits, struct error *err)
{
	const char *path = resolved_path(maker, operation);
	struct json_object *mount;
	struct stat st;
	int r = root_stat(driver_root_of(maker->roots, operation->tree), operation->source, 0, &st);

	if (!path)
		return error_memory(err);
	if (r < 0 && operation->required)
		return error_errno(err, -r, "describe the host's %s", path);
	if (r < 0) /* the usual case, of no interest */
		return 0;
	if (maker->options->no_sockets && (S_ISSOCK(st.st_mode) || operation->owner_root))
		return 0;
	if (maker->hook_arguments && !maker->options->mounts_in_spec)
		return add_hook_mount(maker, operation, path, err);
	if (operation->owner_root)
		return edits_leave_out(
			maker, path,
			"CDI can't verify the owner of this directory when a container starts",
			err);
	mount = json_object_new_object();
	add_text(mount, "hostPath", path);
	add_text(mount, "containerPath", operation->target);
	json_object_object_add(mount, "options", mount_options(operation->flags));
	(void)json_object_array_add(list_of(edits, "mounts"), mount);
	return 0;
}

/* ---- hooks ------------------------------------------------------------------------------ */

static bool is_disabled(const struct edits_maker *maker, const char *command)
{
	const struct strings *disabled = maker->options->disabled_hooks;

	return disabled && strings_contain(disabled, command);
}

static void add_text_item(struct json_object *list, const char *text)
{
	(void)json_object_array_add(list, json_object_new_string(text));
}

/* A createContainer hook; its arguments, to be added to. NULL: it is disabled. */
static struct json_object *add_hook(struct edits_maker *maker, struct json_object *edits,
				    const char *command)
{
	const char *name = strrchr(maker->options->hook, '/') + 1;
	struct json_object *hook, *args;

	if (is_disabled(maker, command))
		return NULL;
	hook = json_object_new_object();
	args = json_object_new_array();
	add_text(hook, "hookName", "createContainer");
	add_text(hook, "path", maker->options->hook);
	add_text_item(args, name);
	if (string_equal(name, "nvidia-ctk"))
		add_text_item(args, "hook");
	add_text_item(args, command);
	json_object_object_add(hook, "args", args);
	(void)json_object_array_add(list_of(edits, "hooks"), hook);
	return args;
}

static bool plan_has(const struct plan *plan, const struct operation *wanted)
{
	for (size_t i = 0; plan && i < plan->count; i++)
		if (plan->items[i].kind == wanted->kind &&
		    string_equal(plan->items[i].target, wanted->target))
			return true;
	return false;
}

/*
 * A link that belongs to a device, for the hook that all devices share: it makes it if the
 * container has the node, which is one of the plan's by its name.
 */
static int add_node_link(struct edits_maker *maker, const struct plan *plan,
			 const struct operation *link, struct error *err)
{
	const char *slash = strrchr(link->text, '/'), *name = slash ? slash + 1 : link->text;
	const char *value;

	for (size_t i = 0; i < plan->count; i++) {
		const struct operation *node = &plan->items[i];

		if (node->kind != OPERATION_DEVICE ||
		    !string_equal(strrchr(node->target, '/') + 1, name))
			continue;
		value = arena_printf(maker->arena, "%s::%s::%s", node->target, link->text,
				     link->target);
		if (!value)
			return error_memory(err);
		if (strings_contain(&maker->node_links, value))
			return 0;
		if (strings_add(maker->arena, &maker->node_links, value) < 0)
			return error_memory(err);
		add_argument(maker->hook_arguments, "--node-link", value);
		return 0;
	}
	return edits_leave_out(maker, link->target, "it doesn't lead to a node of the device", err);
}

static int add_hook_link(struct edits_maker *maker, const struct plan *plan, bool is_common,
			 const struct operation *link, struct error *err)
{
	const char *target = hook_target(maker, link->target), *value;

	if (!is_common)
		return add_node_link(maker, plan, link, err);
	value = target ? arena_printf(maker->arena, "%s::%s", link->text, target) : NULL;
	if (!value)
		return error_memory(err);
	add_argument(maker->hook_arguments, "--link", value);
	return 0;
}

/* One hook makes all links. */
static int add_links(struct edits_maker *maker, const struct plan *plan, const struct plan *common,
		     struct json_object *edits, struct error *err)
{
	struct json_object *args = NULL;

	for (size_t i = 0; i < plan->count; i++) {
		const struct operation *operation = &plan->items[i];
		const char *link;

		if (operation->kind != OPERATION_SYMLINK || plan_has(common, operation))
			continue;
		if (maker->hook_arguments) {
			int r = add_hook_link(maker, plan, !common, operation, err);

			if (r < 0)
				return r;
			continue;
		}
		link = arena_printf(maker->arena, "%s::%s", operation->text, operation->target);
		if (!link)
			return error_memory(err);
		if (!args)
			args = add_hook(maker, edits, "create-symlinks");
		if (!args)
			return 0;
		add_argument(args, "--link", link);
	}
	return 0;
}

int edits_add_plan(struct edits_maker *maker, const struct plan *plan, const struct plan *common,
		   struct json_object *edits, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->count; i++) {
		const struct operation *operation = &plan->items[i];

		if (plan_has(common, operation))
			continue;
		if (operation->kind == OPERATION_DEVICE)
			r = add_node(maker, operation, edits, err);
		else if (operation->kind == OPERATION_BIND)
			r = add_mount(maker, operation, edits, err);
	}
	return r < 0 ? r : add_links(maker, plan, common, edits, err);
}

/* As NVIDIA's: the two directories that engines have made without a mode for others. */
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
				args = add_hook(maker, edits, "chmod");
				if (!args)
					return;
				add_argument(args, "--mode", "755");
			}
			add_argument(args, "--path", folders[i]);
			break;
		}
}

int edits_add_named_node(struct edits_maker *maker, const char *name, struct json_object *edits,
			 struct error *err)
{
	const struct operation operation = {
		.kind = OPERATION_DEVICE,
		.tree = TREE_DEV,
		.source = arena_printf(maker->arena, "/%s", name),
		.target = arena_printf(maker->arena, "/dev/%s", name),
	};
	struct operation found = operation;
	struct stat st;

	if (!operation.source || !operation.target)
		return error_memory(err);
	if (root_stat(&maker->roots->dev, operation.source, 0, &st) < 0 || !S_ISCHR(st.st_mode))
		return 0; /* gone meanwhile, or something else of that name */
	found.major = major(st.st_rdev);
	found.minor = minor(st.st_rdev);
	return add_node(maker, &found, edits, err);
}

/* The directories that the plan's libraries are in. */
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
	args = add_hook(maker, edits, "update-ldcache");
	if (!args)
		return 0;
	if (maker->options->ldconfig)
		add_argument(args, "--ldconfig-path", maker->options->ldconfig);
	for (size_t i = 0; i < folders.count; i++)
		add_argument(args, "--folder", folders.items[i]);
	return 0;
}

/* What the image's newer libraries are compared with, and where they are; args NULL: nowhere. */
static void add_compat_arguments(struct edits_maker *maker, struct json_object *args)
{
	const struct driver *driver = maker->driver;
	const char *version = driver->compat_by_cuda ? driver->cuda_version : driver->version;

	if (!args)
		return;
	add_argument(args, driver->compat_by_cuda ? "--host-cuda-version" : "--host-driver-version",
		     version);
	if (!string_equal(driver->compat_dir, COMPAT_DIR))
		add_argument(args, "--cuda-compat-container-root", driver->compat_dir);
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

/* Whether EGL is told the GPUs that are to be shown. */
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

/* What the one hook has to know of the loader. */
static int add_hook_libraries(struct edits_maker *maker, const struct plan *plan, struct error *err)
{
	struct json_object *args = maker->hook_arguments;

	for (size_t i = 0; i < plan->libraries.count; i++) {
		const struct loader_entry *entry = &plan->libraries.items[i];
		const char *path = hook_target(maker, entry->path);
		const char *value =
			path ? arena_printf(maker->arena, "%s::%s", entry->name, path) : NULL;

		if (!value)
			return error_memory(err);
		add_argument(args,
			     entry->flags == LOADER_FLAGS_NATIVE ? "--library" : "--library32",
			     value);
	}
	if (has_compat(maker))
		add_compat_arguments(maker, args);
	return 0;
}

/* What the hook does by itself, unless it is told that this host hasn't it. */
static void add_left_out(struct edits_maker *maker, const struct plan *plan)
{
	bool mask = plan_has_kind(plan, OPERATION_PROC_MASK), profile = has_profile(maker);

	if (mask && profile)
		return;
	add_argument(maker->hook_arguments, "--leave-out",
		     mask      ? "egl-profile"
		     : profile ? "proc-mask"
			       : "egl-profile,proc-mask");
}

/* The hook that does everything; what the devices add to it follows. */
static int add_one_hook(struct edits_maker *maker, const struct plan *plan,
			struct json_object *edits, struct error *err)
{
	const struct image *image = maker->options->image;
	int r;

	maker->hook_arguments = add_hook(maker, edits, "cdi");
	add_argument(maker->hook_arguments, "--lib-dir", image->lib_dir);
	if (image->lib_dir_32)
		add_argument(maker->hook_arguments, "--lib-dir32", image->lib_dir_32);
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
	struct json_object *env = list_of(edits, "env");
	const char *folder =
		driver_libcuda_folder(maker->driver, maker->options->image->lib_dir, maker->arena);
	const char *directory =
		folder ? arena_printf(maker->arena, LIBCUDA_DIR_VARIABLE "=%s", folder) : NULL;
	int r;

	if (!directory)
		return error_memory(err);
	(void)json_object_array_add(env, json_object_new_string(directory));
	/* So that no hook of the engine acts, too. */
	(void)json_object_array_add(env, json_object_new_string("NVIDIA_VISIBLE_DEVICES=void"));
	if (maker->options->one_hook)
		return add_one_hook(maker, plan, edits, err);
	r = edits_add_plan(maker, plan, NULL, edits, err);
	if (r < 0)
		return r;
	if (has_compat(maker))
		add_compat_arguments(maker, add_hook(maker, edits, "enable-cuda-compat"));
	r = add_loader_cache(maker, plan, edits, err);
	if (r < 0)
		return r;
	/* Who manages the driver may make nodes, and sees all GPUs. */
	if (maker->options->mode == CDI_MODE_MANAGEMENT)
		return 0;
	/* These two look at the nodes that the container got, whatever devices were named. */
	if (has_profile(maker))
		(void)add_hook(maker, edits, "update-application-profile");
	if (plan_has_kind(plan, OPERATION_PROC_MASK))
		(void)add_hook(maker, edits, "disable-device-node-modification");
	return 0;
}
