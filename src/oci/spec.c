// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/oci.h"
#include "member.h"

/* The limit of annotations that belong to a request. Each pod has a few. */
#define ANNOTATIONS_MAX 1024

/*
 * Every name that davit reads, including those that davit-runtime edits. It finds them in the text
 * itself. Names that the two could read differently have been refused here by then.
 */
enum {
	ROOT_VERSION,
	ROOT_PROCESS,
	ROOT_ROOT,
	ROOT_MOUNTS,
	ROOT_ANNOTATIONS,
	ROOT_LINUX,
	ROOT_HOOKS
};
static const struct names root_names = {
	{NAME("ociVersion"), NAME("process"), NAME("root"), NAME("mounts"), NAME("annotations"),
	 NAME("linux"), NAME("hooks")},
	7,
};
enum { PROCESS_ENV, PROCESS_CAPABILITIES, PROCESS_USER };
static const struct names process_names = {{NAME("env"), NAME("capabilities"), NAME("user")}, 3};
enum { CAPABILITIES_BOUNDING };
static const struct names capabilities_names = {{NAME("bounding")}, 1};
enum { USER_GROUPS, USER_UID, USER_GID };
static const struct names user_names = {{NAME("additionalGids"), NAME("uid"), NAME("gid")}, 3};
enum { FILESYSTEM_PATH, FILESYSTEM_READONLY };
static const struct names filesystem_names = {{NAME("path"), NAME("readonly")}, 2};
enum { MOUNT_DESTINATION, MOUNT_SOURCE, MOUNT_TYPE, MOUNT_OPTIONS };
static const struct names mount_names = {
	{NAME("destination"), NAME("source"), NAME("type"), NAME("options")}, 4};
enum { LINUX_CGROUPS_PATH, LINUX_PROPAGATION, LINUX_NAMESPACES, LINUX_DEVICES, LINUX_RESOURCES };
static const struct names linux_names = {
	{NAME("cgroupsPath"), NAME("rootfsPropagation"), NAME("namespaces"), NAME("devices"),
	 NAME("resources"), NAME("intelRdt"), NAME("netDevices")},
	7,
};
enum { NAMESPACE_TYPE };
static const struct names namespace_names = {{NAME("type")}, 1};
static const struct names device_names = {{NAME("path")}, 1};
static const struct names resources_names = {{NAME("devices")}, 1};
enum { HOOKS_PRESTART, HOOKS_CREATE_RUNTIME, HOOKS_CREATE_CONTAINER, HOOKS_POSTSTOP };
static const struct names hooks_names = {
	{NAME("prestart"), NAME("createRuntime"), NAME("createContainer"), NAME("poststop")}, 4};
enum { HOOK_ARGS, HOOK_PATH };
static const struct names hook_names = {{NAME("args"), NAME("path")}, 2};

const char *oci_pairs_get(const struct oci_pairs *pairs, const char *name)
{
	for (size_t i = pairs->count; i > 0; i--)
		if (strcmp(pairs->items[i - 1].name, name) == 0)
			return pairs->items[i - 1].value;
	return NULL;
}

/* ---- process ---------------------------------------------------------------------------- */

static int read_env(struct reader *r, const struct object *process, struct oci_spec *spec)
{
	const struct json_value *env, *item;
	int result = object_get(r, process, PROCESS_ENV, JSON_ARRAY, &env);

	if (result < 0 || !env)
		return result;
	if (ARENA_RESERVE(r->arena, &spec->env, env->size) < 0)
		return error_memory(r->err);
	for (item = json_first(env); item; item = json_next(env, item)) {
		const char *copy;

		result = place_check_item(r, item, "process.env", spec->env.count, JSON_STRING);
		if (result < 0)
			return result;
		copy = json_string(&r->json, item, r->arena);
		if (!copy || strings_add(r->arena, &spec->env, copy) < 0)
			return error_memory(r->err);
	}
	return 0;
}

static int read_bounding_list(struct reader *r, const struct json_value *list, const char *path,
			      struct oci_spec *spec)
{
	const struct json_value *item;
	size_t index = 0;

	for (item = json_first(list); item; item = json_next(list, item)) {
		int result = place_check_item(r, item, path, index++, JSON_STRING);

		if (result < 0)
			return result;
		spec->bounding |= oci_capability_bit(r->json.text + item->start, item->length);
	}
	return 0;
}

static int read_capabilities(struct reader *r, const struct object *process, struct oci_spec *spec)
{
	const struct json_value *value = process->members[PROCESS_CAPABILITIES], *bounding = NULL;
	struct object capabilities;
	int result;

	/* Until OCI 1.0.0-rc4 a list, whose capabilities are in every set. */
	if (value && value->kind == JSON_ARRAY)
		return read_bounding_list(r, value, "process.capabilities", spec);
	result = object_get(r, process, PROCESS_CAPABILITIES, JSON_OBJECT, &value);
	if (result == 0)
		result = object_read(r, value, (struct place){.path = "process.capabilities"},
				     &capabilities_names, &capabilities);
	if (result == 0)
		result = object_get(r, &capabilities, CAPABILITIES_BOUNDING, JSON_ARRAY, &bounding);
	if (result < 0 || !bounding)
		return result;
	return read_bounding_list(r, bounding, "process.capabilities.bounding", spec);
}

/* The runtime reports invalid ids. They are 0 here, without groups. */
static uint32_t read_id(const struct reader *r, const struct json_value *value)
{
	int64_t id = value && value->kind == JSON_INTEGER ? json_integer(&r->json, value) : 0;

	return id > 0 && id <= UINT32_MAX ? (uint32_t)id : 0;
}

static int read_user(struct reader *r, const struct object *process, struct oci_user *ret)
{
	const struct json_value *groups, *item;
	struct object user;
	int result = object_read(r, process->members[PROCESS_USER],
				 (struct place){.path = "process.user"}, &user_names, &user);

	if (result < 0)
		return result;
	ret->uid = read_id(r, user.members[USER_UID]);
	ret->gid = read_id(r, user.members[USER_GID]);
	groups = user.members[USER_GROUPS];
	if (ret->uid == 0 || !groups || groups->kind != JSON_ARRAY)
		return 0;
	for (item = json_first(groups); item; item = json_next(groups, item)) {
		uint32_t *added = ARENA_PUSH(r->arena, &ret->groups);

		if (!added)
			return error_memory(r->err);
		*added = read_id(r, item);
	}
	return 0;
}

static int read_process(struct reader *r, const struct object *root, struct oci_spec *spec)
{
	const struct json_value *value = NULL;
	struct object process = {0};
	int result = object_get(r, root, ROOT_PROCESS, JSON_OBJECT, &value);

	if (result == 0)
		result = object_read(r, value, (struct place){.path = "process"}, &process_names,
				     &process);
	if (result == 0)
		result = read_env(r, &process, spec);
	if (result == 0)
		result = read_capabilities(r, &process, spec);
	return result < 0 ? result : read_user(r, &process, &spec->user);
}

/* ---- annotations ------------------------------------------------------------------------ */

/*
 * Whether the annotation can be a request (src/request). All others belong to the engine and the
 * user.
 */
static bool is_request(const char *name)
{
	return string_starts(name, "org.davit.") || strstr(name, "cdi.k8s.io/");
}

/* Case matters here: these are keys of a map, not members of a struct. */
static int check_annotation(struct reader *r, const char *name, struct strings *seen)
{
	if (!is_request(name))
		return 0;
	if (strings_contain(seen, name))
		return error_set(
			r->err, ERROR_BAD_BUNDLE, EINVAL, "keep one of them",
			"read the bundle: the annotation %.100s appears twice: runc uses the last, crun keeps both",
			name);
	if (seen->count == ANNOTATIONS_MAX)
		return error_set(r->err, ERROR_BAD_BUNDLE, EINVAL, NULL,
				 "read the bundle: more than %d annotations request devices",
				 ANNOTATIONS_MAX);
	return strings_add(r->arena, seen, name) < 0 ? error_memory(r->err) : 0;
}

static int read_annotation(struct reader *r, const struct json_value *key, struct strings *seen,
			   struct oci_spec *spec)
{
	const struct json_value *value = key + 1;
	struct oci_pair *pair = ARENA_PUSH(r->arena, &spec->annotations);
	const char *path;

	if (!pair)
		return error_memory(r->err);
	pair->name = json_string(&r->json, key, r->arena);
	if (!pair->name)
		return error_memory(r->err);
	pair->value = "";
	if (value->kind == JSON_STRING)
		pair->value = json_string(&r->json, value, r->arena);
	if (!pair->value)
		return error_memory(r->err);
	if (value->kind == JSON_STRING || value->kind == JSON_NULL)
		return check_annotation(r, pair->name, seen);
	path = arena_printf(r->arena, "annotations.%.100s", pair->name);
	return path ? place_wrong_type(r, (struct place){.path = path}, JSON_STRING)
		    : error_memory(r->err);
}

static int read_annotations(struct reader *r, const struct object *root, struct oci_spec *spec)
{
	const struct json_value *annotations, *key;
	struct strings seen = {0};
	int result = object_get(r, root, ROOT_ANNOTATIONS, JSON_OBJECT, &annotations);

	if (result < 0 || !annotations)
		return result;
	for (key = json_first(annotations); result == 0 && key;
	     key = json_next(annotations, key + 1))
		result = read_annotation(r, key, &seen, spec);
	return result;
}

/* ---- mounts ----------------------------------------------------------------------------- */

/* As in runc and crun, the last of `ro` and `rw` decides, and unknown options are ignored. */
static int read_mount_options(struct reader *r, const struct object *object,
			      struct oci_mount *mount)
{
	const struct json_value *options, *item;
	int result = object_get(r, object, MOUNT_OPTIONS, JSON_ARRAY, &options);

	mount->bind = string_equal(mount->type, "bind") || string_equal(mount->type, "rbind");
	if (result < 0 || !options)
		return result;
	for (item = json_first(options); item; item = json_next(options, item)) {
		if (item->kind != JSON_STRING)
			continue; /* the runtime will refuse it */
		if (json_equals(&r->json, item, "bind") || json_equals(&r->json, item, "rbind"))
			mount->bind = true;
		else if (json_equals(&r->json, item, "ro") || json_equals(&r->json, item, "rro"))
			mount->read_only = true;
		else if (json_equals(&r->json, item, "rw") || json_equals(&r->json, item, "rrw"))
			mount->read_only = false;
	}
	return 0;
}

static int read_mount(struct reader *r, const struct json_value *value, size_t index,
		      struct oci_spec *spec)
{
	const struct place place = {"mounts", index, true};
	struct oci_mount *mount = ARENA_PUSH(r->arena, &spec->mounts);
	struct object object = {0};
	int result;

	if (!mount)
		return error_memory(r->err);
	if (value->kind != JSON_OBJECT)
		return place_wrong_type(r, place, JSON_OBJECT);
	result = object_read(r, value, place, &mount_names, &object);
	if (result == 0)
		result = object_string(r, &object, MOUNT_DESTINATION, &mount->destination);
	if (result == 0)
		result = object_string(r, &object, MOUNT_SOURCE, &mount->source);
	if (result == 0)
		result = object_string(r, &object, MOUNT_TYPE, &mount->type);
	return result < 0 ? result : read_mount_options(r, &object, mount);
}

static int read_mounts(struct reader *r, const struct object *root, struct oci_spec *spec)
{
	const struct json_value *mounts, *item;
	int result = object_get(r, root, ROOT_MOUNTS, JSON_ARRAY, &mounts);
	size_t index = 0;

	if (result < 0 || !mounts)
		return result;
	for (item = json_first(mounts); result == 0 && item; item = json_next(mounts, item))
		result = read_mount(r, item, index++, spec);
	return result;
}

/* ---- root and linux --------------------------------------------------------------------- */

static int read_root(struct reader *r, const struct object *root, struct oci_spec *spec)
{
	const struct json_value *value = NULL, *readonly = NULL;
	struct object object = {0};
	int result = object_get(r, root, ROOT_ROOT, JSON_OBJECT, &value);

	if (result == 0)
		result = object_read(r, value, (struct place){.path = "root"}, &filesystem_names,
				     &object);
	if (result == 0)
		result = object_string(r, &object, FILESYSTEM_PATH, &spec->root_path);
	if (result == 0)
		result = object_get(r, &object, FILESYSTEM_READONLY, JSON_BOOLEAN, &readonly);
	if (result == 0 && !*spec->root_path)
		result = error_set(r->err, ERROR_BAD_BUNDLE, EINVAL, NULL,
				   "read the bundle: root.path is missing");
	spec->root_readonly = readonly && json_is_true(&r->json, readonly);
	return result;
}

static int read_namespaces(struct reader *r, const struct object *linux_object,
			   struct oci_spec *spec)
{
	struct place place = {"linux.namespaces", 0, true};
	const struct json_value *list, *item, *type;
	int result = object_get(r, linux_object, LINUX_NAMESPACES, JSON_ARRAY, &list);

	if (result < 0 || !list)
		return result;
	for (item = json_first(list); result == 0 && item; item = json_next(list, item)) {
		struct object object;

		if (item->kind != JSON_OBJECT)
			return place_wrong_type(r, place, JSON_OBJECT);
		result = object_read(r, item, place, &namespace_names, &object);
		if (result < 0)
			return result;
		result = object_get(r, &object, NAMESPACE_TYPE, JSON_STRING, &type);
		if (type && json_equals(&r->json, type, "user"))
			spec->user_namespace = true;
		place.index++;
	}
	return result;
}

/* Checks the lists that davit-runtime adds to. The edit checks the types itself. */
static int check_linux_lists(struct reader *r, const struct object *linux_object)
{
	struct object ignored;
	int result = objects_check(r, linux_object->members[LINUX_DEVICES], "linux.devices",
				   &device_names);

	return result < 0 ? result
			  : object_read(r, linux_object->members[LINUX_RESOURCES],
					(struct place){.path = "linux.resources"}, &resources_names,
					&ignored);
}

static int read_linux(struct reader *r, const struct object *root, struct oci_spec *spec)
{
	const struct json_value *value = NULL, *propagation = NULL;
	struct object object = {0};
	int result = object_get(r, root, ROOT_LINUX, JSON_OBJECT, &value);

	if (result == 0)
		result = object_read(r, value, (struct place){.path = "linux"}, &linux_names,
				     &object);
	if (result == 0)
		result = object_string(r, &object, LINUX_CGROUPS_PATH, &spec->cgroups_path);
	if (result == 0)
		result = object_get(r, &object, LINUX_PROPAGATION, JSON_STRING, &propagation);
	if (propagation)
		spec->shared_propagation = json_equals(&r->json, propagation, "shared") ||
					   json_equals(&r->json, propagation, "rshared");
	if (result == 0)
		result = read_namespaces(r, &object, spec);
	return result < 0 ? result : check_linux_lists(r, &object);
}

/* ---- hooks ------------------------------------------------------------------------------ */

/* Whether it is davit's createContainer hook, by the arguments that davit-runtime writes. */
static bool is_written_hook(const struct json_text *json, const struct json_value *arguments)
{
	static const char *const words[] = {"davit-hook", "createContainer"};
	const struct json_value *item;
	size_t count = 0;

	if (!arguments || arguments->kind != JSON_ARRAY)
		return false;
	for (item = json_first(arguments); item; item = json_next(arguments, item))
		if (count == ARRAY_SIZE(words) || item->kind != JSON_STRING ||
		    !json_equals(json, item, words[count++]))
			return false;
	return count == ARRAY_SIZE(words);
}

static int read_create_container(struct reader *r, const struct object *hooks,
				 struct oci_spec *spec)
{
	struct place place = {"hooks.createContainer", 0, true};
	const struct json_value *list, *item;
	int result = object_get(r, hooks, HOOKS_CREATE_CONTAINER, JSON_ARRAY, &list);

	if (result < 0 || !list)
		return result;
	for (item = json_first(list); result == 0 && item; item = json_next(list, item)) {
		struct object hook;

		result = object_read(r, item, place, &hook_names, &hook);
		if (result == 0)
			spec->written |= is_written_hook(&r->json, hook.members[HOOK_ARGS]);
		place.index++;
	}
	return result;
}

static int read_hooks(struct reader *r, const struct object *root, struct oci_spec *spec)
{
	static const struct {
		size_t member;
		const char *path;
	} others[] = {
		{HOOKS_PRESTART, "hooks.prestart"},
		{HOOKS_CREATE_RUNTIME, "hooks.createRuntime"},
		{HOOKS_POSTSTOP, "hooks.poststop"},
	};
	const struct json_value *value = NULL;
	struct object hooks = {0};
	int result = object_get(r, root, ROOT_HOOKS, JSON_OBJECT, &value);

	if (result == 0)
		result = object_read(r, value, (struct place){.path = "hooks"}, &hooks_names,
				     &hooks);
	if (result == 0)
		result = read_create_container(r, &hooks, spec);
	for (size_t i = 0; result == 0 && i < ARRAY_SIZE(others); i++)
		result = objects_check(r, hooks.members[others[i].member], others[i].path,
				       &hook_names);
	return result;
}

int oci_spec_parse(const char *text, size_t length, struct arena *arena, struct oci_spec *ret,
		   struct error *err)
{
	int (*const readers[])(struct reader *, const struct object *, struct oci_spec *) = {
		read_process, read_annotations, read_mounts, read_root, read_linux, read_hooks,
	};
	struct reader reader = {.arena = arena, .err = err, .shared = true};
	struct object root;
	int r;

	*ret = (struct oci_spec){.version = "", .root_path = "", .cgroups_path = ""};
	r = json_text_parse(text, length, ERROR_BAD_BUNDLE, "the bundle's config.json", arena,
			    &reader.json, err);
	if (r == 0)
		r = object_read(&reader, reader.json.items, (struct place){.path = ""}, &root_names,
				&root);
	if (r == 0)
		r = object_string(&reader, &root, ROOT_VERSION, &ret->version);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(readers); i++)
		r = readers[i](&reader, &root, ret);
	return r;
}

const char *oci_spec_rootfs(const struct oci_spec *spec, const char *bundle, struct arena *arena)
{
	if (spec->root_path[0] == '/')
		return arena_strdup(arena, spec->root_path);
	return arena_printf(arena, "%s/%s", bundle, spec->root_path);
}
