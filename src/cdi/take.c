// SPDX-License-Identifier: Apache-2.0
/*
 * Converts a spec's edits as the engines' library applies them (container-device-interface,
 * pkg/cdi). Each edit that a hook can't make is noted with a sentence.
 */
#include <ctype.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "davit/json.h"
#include "resolve.h"

static const char *copy(struct resolution *r, const char *text, int *result)
{
	const char *made = arena_strdup(r->arena, text);

	if (!made)
		*result = error_memory(r->err);
	return made;
}

static int cannot(struct resolution *r, const char *because, const char *what, const char *value)
{
	return error_set(r->err, ERROR_BAD_REQUEST, EINVAL, "correct the spec",
			 "apply %.80s: %s %.80s", because, what, value);
}

/*
 * Notes an edit that needs a change of config.json: "CDI vendor.com/class=name: a hook can't ...".
 */
static __attribute__((format(printf, 3, 4))) int
note_beyond_hook(struct resolution *r, const char *because, const char *format, ...)
{
	char text[160];
	const char *line;
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	line = arena_printf(r->arena, "%.100s: %s", because, text);
	return !line || strings_add(r->arena, &r->edits->beyond_hook, line) < 0
		       ? error_memory(r->err)
		       : 0;
}

/* The object as text for config.json. NULL: no memory. */
static const char *json_of(struct resolution *r, struct json_object *object)
{
	const char *text = json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	return text ? arena_strdup(r->arena, text) : NULL;
}

/* ---- nodes -------------------------------------------------------------------------------- */

static int64_t number_of(struct json_object *object, const char *name)
{
	struct json_object *number;

	return json_object_object_get_ex(object, name, &number) ? json_object_get_int64(number)
								: CDI_NODE_UNSAID;
}

/*
 * Rules allow reading and writing. `m` is ignored, since containers needn't create nodes.
 * *ret_none: no rule at all.
 */
static enum device_access read_access(const char *permissions, bool *ret_none)
{
	bool read = strchr(permissions, 'r'), write = strchr(permissions, 'w');

	if (!*permissions) {
		*ret_none = false;
		return ACCESS_READ_WRITE;
	}
	*ret_none = string_equal(permissions, "none") || (!read && !write);
	if (read && write)
		return ACCESS_READ_WRITE;
	return read ? ACCESS_READ : write ? ACCESS_WRITE : ACCESS_READ_WRITE;
}

static char type_of_node(const struct stat *st)
{
	if (S_ISBLK(st->st_mode))
		return 'b';
	if (S_ISFIFO(st->st_mode))
		return 'p';
	return S_ISCHR(st->st_mode) ? 'c' : '\0';
}

/*
 * Checks that the host's node has the spec's type and number, and fills in those that the spec
 * omits.
 */
static int match_host(struct resolution *r, struct cdi_node *node, const struct stat *st)
{
	char type = type_of_node(st);

	if (!type)
		return cannot(r, node->because, "not a device node:", node->host_path);
	if (node->type && node->type != type)
		return cannot(r, node->because,
			      "the spec's type differs from the node's:", node->host_path);
	node->type = type;
	if (node->major == 0 || type == 'p') {
		node->major = type == 'p' ? 0 : major(st->st_rdev);
		node->minor = type == 'p' ? 0 : minor(st->st_rdev);
	}
	node->on_host = type != 'p' && st->st_rdev == makedev(node->major, node->minor);
	if (type != 'p' && !node->on_host)
		return error_set(r->err, ERROR_NO_DRIVER, ENODEV, "generate the spec again",
				 "apply %.80s: the device number of %.80s differs from the spec's",
				 node->because, node->host_path);
	return 0;
}

/*
 * As in the library, a node with a type and a major number (a FIFO needs none) needn't exist on the
 * host.
 */
static int complete_from_host(struct resolution *r, struct cdi_node *node)
{
	struct stat st;
	int n = root_stat(r->root, node->host_path, 0, &st);

	if (n == 0)
		return match_host(r, node, &st);
	if (node->type == 'p' || (node->type && node->major))
		return 0;
	return error_set(r->err, ERROR_NO_DRIVER, -n,
			 "generate the spec again, or load the device's driver",
			 "apply %.80s: cannot use the host's %.80s: %s", node->because,
			 node->host_path, strerror(-n));
}

static int take_node(struct resolution *r, struct json_object *object, const char *because)
{
	struct cdi_node *node = ARENA_PUSH(r->arena, &r->edits->nodes);
	const char *type = cdi_text_of(object, "type");
	int64_t number;
	int n = 0;

	if (!node)
		return error_memory(r->err);
	node->because = because;
	node->path = copy(r, cdi_text_of(object, "path"), &n);
	node->host_path = cdi_text_of(object, "hostPath");
	node->host_path = *node->host_path ? copy(r, node->host_path, &n) : node->path;
	if (n < 0)
		return n;
	if (node->path[0] != '/')
		return cannot(r, because, "its node has a relative path,", node->path);
	node->type = *type;
	if (node->type == 'u')
		node->type = 'c';
	number = number_of(object, "major");
	node->major = number > 0 ? (unsigned)number : 0;
	number = number_of(object, "minor");
	node->minor = number > 0 ? (unsigned)number : 0;
	node->mode = number_of(object, "fileMode");
	node->uid = number_of(object, "uid");
	node->gid = number_of(object, "gid");
	node->access = read_access(cdi_text_of(object, "permissions"), &node->no_rule);
	n = complete_from_host(r, node);
	if (n == 0 && !node->on_host)
		n = note_beyond_hook(r, because, "a hook can't create the node %.80s", node->path);
	return n;
}

/* ---- mounts ------------------------------------------------------------------------------- */

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
};

/* Whether davit's own mount code supports the option. */
static bool take_option(const char *option, struct cdi_mount *mount)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (string_equal(option, options[i].option)) {
			mount->flags = (mount->flags | options[i].set) & ~options[i].clear;
			return true;
		}
	return false;
}

static bool is_bind(const char *type)
{
	return !*type || string_equal(type, "bind") || string_equal(type, "none");
}

/* The mount as text for config.json. A bind mount gets the option "bind" if the spec omits it. */
static const char *mount_json(struct resolution *r, const struct cdi_mount *mount,
			      struct json_object *list)
{
	AUTO_JSON *object = json_object_new_object();
	struct json_object *all = json_object_new_array();
	bool binds = false;

	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *option = json_object_array_get_idx(list, i);

		binds |= string_ends(json_object_get_string(option), "bind");
		(void)json_object_array_add(all, json_object_get(option));
	}
	if (mount->bind && !binds)
		(void)json_object_array_add(all, json_object_new_string("bind"));
	json_object_object_add(object, "destination",
			       json_object_new_string(mount->container_path));
	json_object_object_add(object, "type",
			       json_object_new_string(mount->bind ? "bind" : mount->type));
	json_object_object_add(object, "source", json_object_new_string(mount->host_path));
	json_object_object_add(object, "options", all);
	return json_of(r, object);
}

static int take_mount(struct resolution *r, struct json_object *object, const char *because)
{
	struct json_object *list = json_object_object_get(object, "options");
	struct cdi_mount *mount = ARENA_PUSH(r->arena, &r->edits->mounts);
	int n = 0;

	if (!mount)
		return error_memory(r->err);
	mount->because = because;
	mount->host_path = copy(r, cdi_text_of(object, "hostPath"), &n);
	mount->container_path = copy(r, cdi_text_of(object, "containerPath"), &n);
	mount->type = copy(r, cdi_text_of(object, "type"), &n);
	if (n < 0)
		return n;
	mount->bind = is_bind(mount->type);
	if (mount->container_path[0] != '/' || (mount->bind && mount->host_path[0] != '/'))
		return cannot(r, because, "its mount has a relative path,",
			      mount->bind ? mount->host_path : mount->container_path);
	mount->json = mount_json(r, mount, list);
	if (!mount->json)
		return error_memory(r->err);
	if (!mount->bind) {
		mount->as_given = true;
		return note_beyond_hook(r, because, "a hook can't mount the %.20s on %.80s",
					mount->type, mount->container_path);
	}
	for (size_t i = 0; list && n == 0 && i < json_object_array_length(list); i++) {
		const char *option = json_object_get_string(json_object_array_get_idx(list, i));

		if (take_option(option, mount))
			continue;
		mount->as_given = true;
		n = note_beyond_hook(r, because, "a hook can't mount %.60s with the option %.30s",
				     mount->container_path, option);
	}
	return n;
}

static bool is_above(const char *path, const char *other)
{
	size_t length = strlen(path);

	return strncmp(path, other, length) == 0 && other[length] == '/';
}

/*
 * The runtime mounts before davit's hook. A mount above one of the runtime's must therefore be the
 * runtime's as well, or it would hide that one.
 */
void cdi_order_mounts(struct resolution *r)
{
	size_t count = r->edits->mounts.count;
	struct cdi_mount *items = r->edits->mounts.items;

	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; items[i].as_given && j < count; j++)
			items[j].as_given |=
				is_above(items[j].container_path, items[i].container_path);
}

/* ---- hooks -------------------------------------------------------------------------------- */

/* The hook as text for config.json, without the name of its stage. */
static const char *hook_json(struct resolution *r, struct json_object *object)
{
	AUTO_JSON *hook = json_object_new_object();

	json_object_object_foreach(object, name, value)
	{
		if (strcmp(name, "hookName") != 0)
			json_object_object_add(hook, name, json_object_get(value));
	}
	return json_of(r, hook);
}

/* Whether the hook's program is davit's, or one of NVIDIA's that davit replaces, by its name. */
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

static int take_hook(struct resolution *r, struct json_object *object, const char *because)
{
	struct json_object *list = json_object_object_get(object, "args");
	struct cdi_edit_hook *hook = ARENA_PUSH(r->arena, &r->edits->hooks);
	const char *command = cdi_hook_command(list);
	int n = 0;

	if (!hook)
		return error_memory(r->err);
	hook->stage = copy(r, cdi_text_of(object, "hookName"), &n);
	hook->path = copy(r, cdi_text_of(object, "path"), &n);
	hook->json = hook_json(r, object);
	for (size_t i = 0; list && n == 0 && i < json_object_array_length(list); i++) {
		const char *word =
			copy(r, json_object_get_string(json_object_array_get_idx(list, i)), &n);

		if (n == 0 && strings_add(r->arena, &hook->arguments, word) < 0)
			n = error_memory(r->err);
	}
	if (n == 0 && !hook->json)
		n = error_memory(r->err);
	if (n < 0)
		return n;
	if (is_known_program(hook->path) && cdi_is_hook_command(command))
		hook->command = copy(r, command, &n);
	else
		n = note_beyond_hook(
			r, because,
			"its hook %.100s is not a davit command, and davit's hook starts "
			"no other programs",
			hook->path);
	return n;
}

/* ---- the rest ----------------------------------------------------------------------------- */

static int take_groups(struct resolution *r, struct json_object *list)
{
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		int64_t number = json_object_get_int64(json_object_array_get_idx(list, i));
		const char *group = arena_printf(r->arena, "%ju", (uintmax_t)number);

		if (number == 0) /* like the library, never add root's group */
			continue;
		if (!group || (!strings_contain(&r->edits->groups, group) &&
			       strings_add(r->arena, &r->edits->groups, group) < 0))
			return error_memory(r->err);
	}
	return 0;
}

/*
 * Whether the variable is only for other injectors, or names libcuda's directory: containers don't
 * need it.
 */
static bool is_for_injectors(const char *entry)
{
	return string_starts(entry, "NVIDIA_VISIBLE_DEVICES=") ||
	       string_starts(entry, LIBCUDA_DIR_VARIABLE "=");
}

static int take_variables(struct resolution *r, struct json_object *list, const char *because)
{
	int n = 0;

	for (size_t i = 0; list && n == 0 && i < json_object_array_length(list); i++) {
		const char *entry =
			copy(r, json_object_get_string(json_object_array_get_idx(list, i)), &n);

		if (n == 0 && !strings_contain(&r->edits->env, entry) &&
		    strings_add(r->arena, &r->edits->env, entry) < 0)
			n = error_memory(r->err);
		if (n == 0 && !is_for_injectors(entry))
			n = note_beyond_hook(r, because, "a hook can't set the variable %.60s",
					     entry);
	}
	return n;
}

/* As in the kernel (dev_valid_name), and without characters that JSON would escape. */
static bool is_interface_name(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > 15 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!isgraph((unsigned char)name[i]) || strchr("/:\"\\", name[i]))
			return false;
	return true;
}

static int take_net_device(struct resolution *r, struct json_object *object, const char *because)
{
	const char *host = cdi_text_of(object, "hostInterfaceName");
	const char *name = cdi_text_of(object, "name");
	struct cdi_net_device *device;
	int n = 0;

	if (!is_interface_name(host) || !is_interface_name(name))
		return cannot(r, because, "no network interface can be called",
			      is_interface_name(host) ? name : host);
	for (size_t i = 0; i < r->edits->net_devices.count; i++) {
		device = &r->edits->net_devices.items[i];
		if (string_equal(device->host, host) && string_equal(device->name, name))
			return 0;
		if (string_equal(device->host, host) || string_equal(device->name, name))
			return cannot(r, because, "another device has the network interface", host);
	}
	device = ARENA_PUSH(r->arena, &r->edits->net_devices);
	if (!device)
		return error_memory(r->err);
	device->host = copy(r, host, &n);
	device->name = copy(r, name, &n);
	return n < 0 ? n
		     : note_beyond_hook(r, because, "a hook can't move the network interface %s",
					host);
}

/* As in the library, the last of several counts. */
static int take_rdt(struct resolution *r, struct json_object *object, const char *because)
{
	r->edits->intel_rdt = json_of(r, object);
	if (!r->edits->intel_rdt)
		return error_memory(r->err);
	r->edits->rdt_schemata = json_object_object_get_ex(object, "schemata", NULL);
	r->edits->rdt_monitoring = json_object_object_get_ex(object, "enableMonitoring", NULL);
	return note_beyond_hook(r, because, "a hook can't set intelRdt");
}

static int take_each(struct resolution *r, struct json_object *edits, const char *name,
		     int (*take)(struct resolution *, struct json_object *, const char *),
		     const char *because)
{
	struct json_object *list = json_object_object_get(edits, name);
	int n = 0;

	for (size_t i = 0; list && n == 0 && i < json_object_array_length(list); i++)
		n = take(r, json_object_array_get_idx(list, i), because);
	return n;
}

int cdi_take_edits(struct resolution *r, struct json_object *edits, const char *because)
{
	struct json_object *rdt;
	int n = take_each(r, edits, "deviceNodes", take_node, because);

	if (n == 0)
		n = take_each(r, edits, "mounts", take_mount, because);
	if (n == 0)
		n = take_each(r, edits, "hooks", take_hook, because);
	if (n == 0)
		n = take_each(r, edits, "netDevices", take_net_device, because);
	if (n == 0 && json_object_object_get_ex(edits, "intelRdt", &rdt))
		n = take_rdt(r, rdt, because);
	if (n == 0)
		n = take_groups(r, json_object_object_get(edits, "additionalGids"));
	return n < 0 ? n : take_variables(r, json_object_object_get(edits, "env"), because);
}
