// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "edits.h"

/* ---- JSON ------------------------------------------------------------------------------- */

struct json_object *edits_list(struct json_object *edits, const char *name)
{
	struct json_object *list;

	if (!json_object_object_get_ex(edits, name, &list)) {
		list = json_object_new_array();
		json_object_object_add(edits, name, list);
	}
	return list;
}

void edits_add_text(struct json_object *object, const char *name, const char *text)
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
 * The file's path after resolving links in its tree. The engine would resolve them in the host's
 * root, where they lead to no file or another one. A missing file keeps its own path. NULL: no
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

/* If other users can't open the node, the container's user needs its group. */
static void add_group(struct json_object *edits, gid_t gid)
{
	struct json_object *list = edits_list(edits, "additionalGids");

	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (json_object_get_int64(json_object_array_get_idx(list, i)) == (int64_t)gid)
			return;
	(void)json_object_array_add(list, json_object_new_int64(gid));
}

/* Adds the host's owner and mode, since the engine doesn't read them from the node. */
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
 * If the node exists, the spec has no type and numbers, because the engine reads them when a
 * container starts. So the spec remains valid when nvidia-uvm gets another major at the next boot.
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
	edits_add_text(node, "path", operation->target);
	if (!string_equal(path, operation->target))
		edits_add_text(node, "hostPath", path);
	if (!same) {
		edits_add_text(node, "type", "c");
		add_number(node, "major", operation->major);
		add_number(node, "minor", operation->minor);
	}
	edits_add_text(node, "permissions", "rw");
	(void)json_object_array_add(edits_list(edits, "deviceNodes"), node);
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

void edits_add_argument(struct json_object *args, const char *option, const char *value)
{
	(void)json_object_array_add(args, json_object_new_string(option));
	(void)json_object_array_add(args, json_object_new_string(value));
}

const char *edits_hook_target(struct edits_maker *maker, const char *target)
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
	const char *names[MOUNT_OPTIONS_MAX + 2],
		*target = edits_hook_target(maker, operation->target);
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
	edits_add_argument(maker->hook_arguments, operation->required ? "--mount" : "--try-mount",
			   value);
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
	if (r < 0) /* usual for optional files, so it isn't noted */
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
	edits_add_text(mount, "hostPath", path);
	edits_add_text(mount, "containerPath", operation->target);
	/*
	 * OCI makes the type optional. Without it, crun before 1.29 crashes if the container joins
	 * a pod's user namespace.
	 */
	edits_add_text(mount, "type", "bind");
	json_object_object_add(mount, "options", mount_options(operation->flags));
	(void)json_object_array_add(edits_list(edits, "mounts"), mount);
	return 0;
}

/* ---- links ------------------------------------------------------------------------------- */

static bool plan_has(const struct plan *plan, const struct operation *wanted)
{
	for (size_t i = 0; plan && i < plan->count; i++)
		if (plan->items[i].kind == wanted->kind &&
		    string_equal(plan->items[i].target, wanted->target))
			return true;
	return false;
}

/*
 * Adds a link of one device to the hook that all devices share. The hook creates it if the
 * container has the node, which is found in the plan by its name.
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
		edits_add_argument(maker->hook_arguments, "--node-link", value);
		return 0;
	}
	return edits_leave_out(maker, link->target, "it doesn't lead to a node of the device", err);
}

static int add_hook_link(struct edits_maker *maker, const struct plan *plan, bool is_common,
			 const struct operation *link, struct error *err)
{
	const char *target = edits_hook_target(maker, link->target), *value;

	if (!is_common)
		return add_node_link(maker, plan, link, err);
	value = target ? arena_printf(maker->arena, "%s::%s", link->text, target) : NULL;
	if (!value)
		return error_memory(err);
	edits_add_argument(maker->hook_arguments, "--link", value);
	return 0;
}

/* One hook creates all links. */
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
			args = edits_add_hook(maker, edits, "create-symlinks");
		if (!args)
			return 0;
		edits_add_argument(args, "--link", link);
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
		return 0; /* removed in the meantime, or not a device */
	found.major = major(st.st_rdev);
	found.minor = minor(st.st_rdev);
	return add_node(maker, &found, edits, err);
}
