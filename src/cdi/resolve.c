// SPDX-License-Identifier: Apache-2.0
/* Devices by name, from the specs of others: which file counts, and what it says. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "davit/cdi.h"
#include "davit/cdi_edits.h"
#include "davit/json.h"

#define DIRECTORY_FILES_MAX 1024

struct spec_file {
	struct json_object *spec;
	const char *path, *kind;
	size_t directory;
	bool used; /* its edits for all devices are made */
};
struct resolution {
	const struct root *root;
	const struct strings *directories, *names;
	struct arena *arena;
	struct {
		struct spec_file *items;
		size_t count, capacity;
	} files;
	const char *problem; /* of the first file that was passed over */
	struct cdi_edits *edits;
	struct error *err;
};

/* ---- reading ------------------------------------------------------------------------------ */

static bool stands_in(const char *text, size_t length, const struct strings *names)
{
	for (size_t i = 0; i < names->count; i++) {
		size_t kind = strcspn(names->items[i], "=");

		if (memmem(text, length, names->items[i], kind))
			return true;
	}
	return false;
}

static void pass_over(struct resolution *r, const char *path, const char *why)
{
	log_line(LOG_LEVEL_WARNING, "the CDI spec %s is passed over: %s", path, why);
	if (!r->problem)
		r->problem = arena_printf(r->arena, "%s is passed over: %s", path, why);
}

/* As the configuration: whoever can write it decides what of the host containers get. */
static int read_trusted(struct resolution *r, const char *path, char **ret, size_t *ret_length)
{
	AUTO_FD fd = root_open_regular(r->root, path);
	struct stat st;
	int n;

	if (fd < 0 || fstat(fd, &st) < 0) {
		pass_over(r, path, fd == -EINVAL ? "it is no regular file" : strerror(-fd));
		return -EAGAIN;
	}
	if (!owner_is_trusted(fd, &st) || st.st_mode & (S_IWGRP | S_IWOTH)) {
		pass_over(r, path, "others than root can write it");
		return -EAGAIN;
	}
	n = file_read(fd, CDI_SPEC_MAX, r->arena, ret, ret_length);
	if (n == -ENOMEM)
		return n;
	if (n < 0)
		pass_over(r, path, strerror(-n));
	return n < 0 ? -EAGAIN : 0;
}

static const char *text_of(struct json_object *object, const char *name)
{
	struct json_object *value = json_object_object_get(object, name);

	return value ? json_object_get_string(value) : "";
}

/* No capability is in effect while it is parsed. */
static int parse(struct resolution *r, const char *path, const char *text, size_t length,
		 struct json_object **ret)
{
	struct error problem = {0};
	int n = privilege_set(PRIVILEGE_PARSE, r->err);

	if (n < 0)
		return n;
	n = string_ends(path, ".json")
		    ? json_parse(text, length, ERROR_BAD_REQUEST, path, ret, &problem)
		    : cdi_yaml_parse(text, length, path, ret, &problem);
	if (n == 0)
		n = cdi_check(*ret, path, &problem);
	if (privilege_set(PRIVILEGE_READ, r->err) < 0)
		return -EPERM;
	if (n < 0)
		pass_over(r, path, problem.message);
	return n < 0 ? -EAGAIN : 0;
}

/* -EAGAIN: it isn't one to be used. */
static int read_file(struct resolution *r, const char *path, size_t directory)
{
	AUTO_JSON *spec = NULL;
	struct spec_file *file;
	size_t length = 0;
	char *text = NULL;
	int n = read_trusted(r, path, &text, &length);

	if (n < 0 || !stands_in(text, length, r->names))
		return n;
	n = parse(r, path, text, length, &spec);
	if (n < 0)
		return n;
	file = ARENA_PUSH(r->arena, &r->files);
	if (!file)
		return -ENOMEM;
	*file = (struct spec_file){
		.spec = spec, .path = path, .kind = text_of(spec, "kind"), .directory = directory};
	spec = NULL;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int read_directory(struct resolution *r, size_t directory)
{
	const char *name = r->directories->items[directory];
	struct strings names = {0};
	int n = root_list(r->root, name, DIRECTORY_FILES_MAX, r->arena, &names);

	if (n == -ENOMEM)
		return n;
	if (n < 0 && n != -E2BIG)
		return 0;
	if (sort_items(r->arena, names.items, names.count, sizeof(*names.items), by_name) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < names.count; i++) {
		const char *path = arena_printf(r->arena, "%s/%s", name, names.items[i]);

		if (!path)
			return -ENOMEM;
		if (!string_ends(path, ".json") && !string_ends(path, ".yaml"))
			continue;
		n = read_file(r, path, directory);
		if (n < 0 && n != -EAGAIN)
			return n;
	}
	return 0;
}

/* ---- which file has it ------------------------------------------------------------------- */

static struct json_object *find_device(const struct spec_file *file, const char *device)
{
	struct json_object *devices = json_object_object_get(file->spec, "devices");

	for (size_t i = 0; i < json_object_array_length(devices); i++) {
		struct json_object *one = json_object_array_get_idx(devices, i);

		if (string_equal(text_of(one, "name"), device))
			return one;
	}
	return NULL;
}

static bool is_of_kind(const struct spec_file *file, const char *name, size_t length)
{
	return strlen(file->kind) == length && memcmp(file->kind, name, length) == 0;
}

/* What there is instead: the names of the kind, or all kinds. */
static const char *list_alternatives(struct resolution *r, const char *name, bool *ret_kind)
{
	size_t length = strcspn(name, "=");
	struct cdi_listing listing;
	struct strings list = {0};

	*ret_kind = false;
	if (cdi_scan(r->root, r->directories->items, r->directories->count, r->arena, &listing) < 0)
		return NULL;
	for (size_t pass = 0; pass < 2 && list.count == 0; pass++)
		for (size_t i = 0; i < listing.devices.count && list.count < 12; i++) {
			const char *device = listing.devices.items[i].name;
			size_t kind = strcspn(device, "=");
			const char *item =
				pass ? arena_strndup(r->arena, device, kind) : device + kind + 1;

			if (!item)
				return NULL;
			if (!pass && (kind != length || memcmp(device, name, kind) != 0))
				continue;
			*ret_kind |= !pass;
			if (!strings_contain(&list, item) && strings_add(r->arena, &list, item) < 0)
				return NULL;
		}
	return strings_join(r->arena, &list, ", ");
}

static int not_found(struct resolution *r, const char *name)
{
	bool kind = false;
	const char *list = list_alternatives(r, name, &kind);
	const char *folders = strings_join(r->arena, r->directories, ", ");
	int n;

	if (!list || !folders)
		return error_memory(r->err);
	if (r->problem)
		return error_set(r->err, ERROR_UNKNOWN_DEVICE, ENODEV,
				 "correct that spec, or have it written anew",
				 "find the CDI device %.100s: %.200s", name, r->problem);
	n = error_set(r->err, ERROR_UNKNOWN_DEVICE, ENODEV, NULL,
		      kind    ? "find the CDI device %.100s: the specs of its kind have %.150s"
		      : *list ? "find the CDI device %.100s: no spec is of its kind; there are "
				"%.150s"
			      : "find the CDI device %.100s: there are no specs%.0s",
		      name, list);
	return error_fix(r->err, n, "%s %s",
			 kind ? "choose one of them, or look at"
			      : "choose another kind, or put its spec into",
			 folders);
}

static int find_file(struct resolution *r, const char *name, struct spec_file **ret,
		     struct json_object **ret_device)
{
	size_t length = strcspn(name, "=");
	struct spec_file *found = NULL;
	const struct spec_file *rival = NULL;

	for (size_t i = 0; i < r->files.count; i++) {
		struct spec_file *file = &r->files.items[i];
		struct json_object *device = is_of_kind(file, name, length)
						     ? find_device(file, name + length + 1)
						     : NULL;

		if (!device)
			continue;
		rival = found && found->directory == file->directory ? found : NULL;
		found = file;
		*ret_device = device;
	}
	if (!found)
		return not_found(r, name);
	if (rival)
		return error_set(r->err, ERROR_UNKNOWN_DEVICE, ENODEV, "keep one of the files",
				 "use the CDI device %.100s: it is in %.80s and in %.80s", name,
				 rival->path, found->path);
	*ret = found;
	return 0;
}

/* ---- what it says ------------------------------------------------------------------------- */

static const char *copy(struct resolution *r, const char *text, int *result)
{
	const char *made = arena_strdup(r->arena, text);

	if (!made)
		*result = error_memory(r->err);
	return made;
}

static int cannot(struct resolution *r, const char *because, const char *what, const char *value)
{
	return error_set(r->err, ERROR_BAD_REQUEST, EINVAL,
			 "have the engine apply it: --device, or a CDI annotation",
			 "apply %.80s: davit doesn't take %s %.80s", because, what, value);
}

/* Rules are for reading and writing: nobody in a container has to make nodes. */
static bool is_read_write(const char *permissions)
{
	return !*permissions || (strchr(permissions, 'r') && strchr(permissions, 'w'));
}

static int add_node(struct resolution *r, struct json_object *object, const char *because)
{
	struct json_object *number;
	struct cdi_node *node = ARENA_PUSH(r->arena, &r->edits->nodes);
	const char *type = text_of(object, "type");
	struct stat st;
	int n = 0;

	if (!node)
		return error_memory(r->err);
	node->because = because;
	node->path = copy(r, text_of(object, "path"), &n);
	node->host_path = text_of(object, "hostPath");
	node->host_path = *node->host_path ? copy(r, node->host_path, &n) : node->path;
	if (n < 0)
		return n;
	if (*type && !string_equal(type, "c") && !string_equal(type, "u"))
		return cannot(r, because, "nodes of type", type);
	if (!is_read_write(text_of(object, "permissions")))
		return cannot(r, because, "the permissions", text_of(object, "permissions"));
	n = root_stat(r->root, node->host_path, 0, &st);
	if (n < 0)
		return error_set(r->err, ERROR_NO_DRIVER, -n,
				 "have the spec written anew, or load the device's driver",
				 "apply %.80s: take %.80s of the host: %s", because,
				 node->host_path, strerror(-n));
	if (!S_ISCHR(st.st_mode))
		return cannot(r, because, "what is no character device:", node->host_path);
	node->major = major(st.st_rdev);
	node->minor = minor(st.st_rdev);
	if (json_object_object_get_ex(object, "major", &number) &&
	    (json_object_get_int64(number) != node->major ||
	     json_object_get_int64(json_object_object_get(object, "minor")) != node->minor))
		return error_set(r->err, ERROR_NO_DRIVER, ENODEV, "have the spec written anew",
				 "apply %.80s: %.80s has another number than the spec says",
				 because, node->host_path);
	return 0;
}

static const struct {
	const char *option;
	unsigned set, clear;
} options[] = {
	{"ro", MOUNT_FLAG_RDONLY, 0},
	{"rw", 0, MOUNT_FLAG_RDONLY},
	{"nosuid", MOUNT_FLAG_NOSUID, 0},
	{"suid", 0, MOUNT_FLAG_NOSUID},
	{"nodev", MOUNT_FLAG_NODEV, 0},
	{"dev", 0, MOUNT_FLAG_NODEV},
	{"noexec", MOUNT_FLAG_NOEXEC, 0},
	{"exec", 0, MOUNT_FLAG_NOEXEC},
	{"rbind", MOUNT_FLAG_RECURSIVE, 0},
	{"bind", 0, MOUNT_FLAG_RECURSIVE},
	{"private", 0, 0},
	{"rprivate", 0, 0},
	{"slave", 0, 0}, /* made private: it gets less */
	{"rslave", 0, 0},
};

static int add_option(struct resolution *r, const char *option, struct cdi_mount *mount)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (string_equal(option, options[i].option)) {
			mount->flags = (mount->flags | options[i].set) & ~options[i].clear;
			return 0;
		}
	if (strstr(option, "atime"))
		return 0;
	return cannot(r, mount->because, "the mount option", option);
}

static int add_mount(struct resolution *r, struct json_object *object, const char *because)
{
	struct json_object *list = json_object_object_get(object, "options");
	struct cdi_mount *mount = ARENA_PUSH(r->arena, &r->edits->mounts);
	const char *type = text_of(object, "type");
	int n = 0;

	if (!mount)
		return error_memory(r->err);
	mount->because = because;
	mount->host_path = copy(r, text_of(object, "hostPath"), &n);
	mount->container_path = copy(r, text_of(object, "containerPath"), &n);
	if (n < 0)
		return n;
	if (*type && !string_equal(type, "bind") && !string_equal(type, "none"))
		return cannot(r, because, "mounts of type", type);
	if (mount->host_path[0] != '/' || mount->container_path[0] != '/')
		return cannot(r, because, "a relative path,", mount->host_path);
	for (size_t i = 0; list && n == 0 && i < json_object_array_length(list); i++)
		n = add_option(r, json_object_get_string(json_object_array_get_idx(list, i)),
			       mount);
	return n;
}

/* The hook's args, env and timeout, without the name of its stage. */
static const char *hook_json(struct resolution *r, struct json_object *object)
{
	AUTO_JSON *hook = json_object_new_object();
	const char *text;

	json_object_object_foreach(object, name, value)
	{
		if (strcmp(name, "hookName") != 0)
			json_object_object_add(hook, name, json_object_get(value));
	}
	text = json_object_to_json_string_ext(hook, JSON_C_TO_STRING_PLAIN |
							    JSON_C_TO_STRING_NOSLASHESCAPE);
	return text ? arena_strdup(r->arena, text) : NULL;
}

/* Whether the hook is one that davit is called for, by the name of the program. */
static bool is_known_program(const char *path)
{
	static const char *const names[] = {"/nvidia-cdi-hook", "/nvidia-ctk", "/davit-hook",
					    "/davit"};
	const char *slash = strrchr(path, '/');

	for (size_t i = 0; slash && i < ARRAY_SIZE(names); i++)
		if (strcmp(slash, names[i]) == 0)
			return true;
	return false;
}

static int add_hook(struct resolution *r, struct json_object *object)
{
	struct json_object *list = json_object_object_get(object, "args");
	struct cdi_edit_hook *hook = ARENA_PUSH(r->arena, &r->edits->hooks);
	const char *command = cdi_hook_command(list);
	int n = 0;

	if (!hook)
		return error_memory(r->err);
	hook->stage = copy(r, text_of(object, "hookName"), &n);
	hook->path = copy(r, text_of(object, "path"), &n);
	hook->json = hook_json(r, object);
	for (size_t i = 0; list && n == 0 && i < json_object_array_length(list); i++) {
		const char *word =
			copy(r, json_object_get_string(json_object_array_get_idx(list, i)), &n);

		if (n == 0 && strings_add(r->arena, &hook->arguments, word) < 0)
			n = error_memory(r->err);
	}
	if (n == 0 && !hook->json)
		n = error_memory(r->err);
	if (n == 0 && is_known_program(hook->path) && cdi_is_hook_command(command))
		hook->command = copy(r, command, &n);
	return n;
}

static int add_groups(struct resolution *r, struct json_object *list)
{
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		const char *group = arena_printf(
			r->arena, "%ju",
			(uintmax_t)json_object_get_int64(json_object_array_get_idx(list, i)));

		if (!group || (!strings_contain(&r->edits->groups, group) &&
			       strings_add(r->arena, &r->edits->groups, group) < 0))
			return error_memory(r->err);
	}
	return 0;
}

static int add_variables(struct resolution *r, struct json_object *list)
{
	int n = 0;

	for (size_t i = 0; list && n == 0 && i < json_object_array_length(list); i++) {
		const char *entry =
			copy(r, json_object_get_string(json_object_array_get_idx(list, i)), &n);

		if (n == 0 && !strings_contain(&r->edits->env, entry) &&
		    strings_add(r->arena, &r->edits->env, entry) < 0)
			n = error_memory(r->err);
	}
	return n;
}

static size_t length_of(struct json_object *list)
{
	return list ? json_object_array_length(list) : 0;
}

static int add_edits(struct resolution *r, struct json_object *edits, const char *because)
{
	struct json_object *nodes = json_object_object_get(edits, "deviceNodes");
	struct json_object *mounts = json_object_object_get(edits, "mounts");
	struct json_object *hooks = json_object_object_get(edits, "hooks");
	int n = 0;

	if (json_object_object_get_ex(edits, "intelRdt", NULL))
		return cannot(r, because, "the edit", "intelRdt");
	if (length_of(json_object_object_get(edits, "netDevices")))
		return cannot(r, because, "the edit", "netDevices");
	for (size_t i = 0; n == 0 && i < length_of(nodes); i++)
		n = add_node(r, json_object_array_get_idx(nodes, i), because);
	for (size_t i = 0; n == 0 && i < length_of(mounts); i++)
		n = add_mount(r, json_object_array_get_idx(mounts, i), because);
	for (size_t i = 0; n == 0 && i < length_of(hooks); i++)
		n = add_hook(r, json_object_array_get_idx(hooks, i));
	if (n == 0)
		n = add_groups(r, json_object_object_get(edits, "additionalGids"));
	return n < 0 ? n : add_variables(r, json_object_object_get(edits, "env"));
}

static int add_name(struct resolution *r, const char *name)
{
	const char *because = arena_printf(r->arena, "CDI %s", name);
	struct json_object *device = NULL, *common;
	struct spec_file *file = NULL;
	int n;

	if (!because)
		return error_memory(r->err);
	n = find_file(r, name, &file, &device);
	if (n < 0 || !file)
		return n < 0 ? n : -ENOMEM;
	/* Once, before those of its first device. */
	if (!file->used && json_object_object_get_ex(file->spec, "containerEdits", &common))
		n = add_edits(r, common, because);
	file->used = true;
	return n < 0 ? n : add_edits(r, json_object_object_get(device, "containerEdits"), because);
}

int cdi_resolve(const struct root *root, const struct strings *directories,
		const struct strings *names, struct arena *arena, struct cdi_edits *ret,
		struct error *err)
{
	struct resolution r = {.root = root,
			       .directories = directories,
			       .names = names,
			       .arena = arena,
			       .edits = ret,
			       .err = err};
	int n = 0;

	*ret = (struct cdi_edits){0};
	for (size_t i = 0; n == 0 && i < directories->count; i++)
		n = read_directory(&r, i);
	if (n == -ENOMEM)
		n = error_memory(err);
	for (size_t i = 0; n == 0 && i < names->count; i++)
		n = add_name(&r, names->items[i]);
	for (size_t i = 0; i < r.files.count; i++)
		(void)json_object_put(r.files.items[i].spec);
	return n;
}

/* ---- planning ------------------------------------------------------------------------------ */

static struct operation *plan(struct arena *arena, struct plan *to, enum operation_kind kind,
			      const char *target, const char *because)
{
	struct operation *operation = ARENA_PUSH(arena, to);

	if (!operation)
		return NULL;
	operation->kind = kind;
	operation->source_fd = -1;
	operation->target = target;
	operation->because = because;
	operation->required = operation->of_spec = true;
	return operation;
}

static bool has_node(const struct plan *plan, const char *target)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].kind == OPERATION_DEVICE &&
		    string_equal(plan->items[i].target, target))
			return true;
	return false;
}

static int plan_node(const struct cdi_node *node, struct arena *arena, struct plan *to)
{
	struct operation *rule, *device;

	/* Several devices of one spec have the same control nodes. */
	if (has_node(to, node->path))
		return 0;
	rule = plan(arena, to, OPERATION_DEVICE_RULE, node->path, node->because);
	if (!rule)
		return -ENOMEM;
	rule->major = node->major;
	rule->minor = node->minor;
	device = plan(arena, to, OPERATION_DEVICE, node->path, node->because);
	if (!device)
		return -ENOMEM;
	device->tree = TREE_HOST;
	device->source = node->host_path;
	device->major = node->major;
	device->minor = node->minor;
	device->flags = MOUNT_FLAG_RDONLY | MOUNT_FLAG_NOSUID | MOUNT_FLAG_NOEXEC;
	return 0;
}

int cdi_plan(const struct cdi_edits *edits, struct arena *arena, struct plan *to, struct error *err)
{
	for (size_t i = 0; i < edits->nodes.count; i++)
		if (plan_node(&edits->nodes.items[i], arena, to) < 0)
			return error_memory(err);
	for (size_t i = 0; i < edits->mounts.count; i++) {
		const struct cdi_mount *mount = &edits->mounts.items[i];
		struct operation *bind =
			plan(arena, to, OPERATION_BIND, mount->container_path, mount->because);

		if (!bind)
			return error_memory(err);
		bind->tree = TREE_HOST;
		bind->source = mount->host_path;
		bind->flags = mount->flags;
	}
	return 0;
}

int cdi_check_for_hook(const struct cdi_edits *edits, struct error *err)
{
	static const char fix[] = "use davit-runtime (docker run --runtime nvidia), or have the "
				  "engine apply it: --device";

	for (size_t i = 0; i < edits->env.count; i++)
		if (!string_starts(edits->env.items[i], "NVIDIA_VISIBLE_DEVICES=") &&
		    !string_starts(edits->env.items[i], LIBCUDA_DIR_VARIABLE "="))
			return error_set(err, ERROR_BAD_REQUEST, EINVAL, fix,
					 "apply a CDI spec: it sets the variable %.60s, which a "
					 "hook can't",
					 edits->env.items[i]);
	for (size_t i = 0; i < edits->hooks.count; i++)
		if (!edits->hooks.items[i].command)
			return error_set(err, ERROR_BAD_REQUEST, EINVAL, fix,
					 "apply a CDI spec: its hook %.100s is no command of "
					 "davit's, and a hook starts no others",
					 edits->hooks.items[i].path);
	return 0;
}
