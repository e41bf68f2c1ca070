// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "bounding.h"
#include "davit/oci.h"
#include "member.h"

/* What the readers below fill. */
struct reader {
	struct arena *arena;
	struct oci_spec *spec;
	struct error *err;
};

const char *oci_pairs_get(const struct oci_pairs *pairs, const char *name)
{
	for (size_t i = pairs->count; i > 0; i--)
		if (strcmp(pairs->items[i - 1].name, name) == 0)
			return pairs->items[i - 1].value;
	return NULL;
}

/* The text at array[index], or NULL with the error filled. */
static struct json_object *text_at(struct json_object *array, const char *place, size_t index,
				   struct error *err)
{
	struct json_object *item = json_object_array_get_idx(array, index);
	char where[128];

	if (json_object_is_type(item, json_type_string))
		return item;
	(void)snprintf(where, sizeof(where), "%s[%zu]", place, index);
	(void)member_wrong_type(where, json_type_string, err);
	return NULL;
}

static int read_env(struct reader *r, struct json_object *process)
{
	struct json_object *env;
	int result = member_get(process, "process", "env", json_type_array, &env, r->err);

	if (result < 0 || !env)
		return result;
	for (size_t i = 0; i < json_object_array_length(env); i++) {
		struct json_object *item = text_at(env, "process.env", i, r->err);
		const char *copy;

		if (!item)
			return -EINVAL;
		copy = member_copy(item, r->arena);
		if (!copy || strings_add(r->arena, &r->spec->env, copy) < 0)
			return error_memory(r->err);
	}
	return 0;
}

static int read_bounding_list(struct reader *r, struct json_object *list, const char *place)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *item = text_at(list, place, i, r->err);

		if (!item)
			return -EINVAL;
		r->spec->bounding |= bounding_bit(json_object_get_string(item));
	}
	return 0;
}

static int read_capabilities(struct reader *r, struct json_object *process)
{
	struct json_object *capabilities, *bounding;
	int result;

	/* A list until OCI 1.0.0-rc4: what it names is in every set. */
	if (process && json_object_object_get_ex(process, "capabilities", &capabilities) &&
	    json_object_is_type(capabilities, json_type_array))
		return read_bounding_list(r, capabilities, "process.capabilities");
	result = member_get(process, "process", "capabilities", json_type_object, &capabilities,
			    r->err);
	if (result == 0)
		result = member_get(capabilities, "process.capabilities", "bounding",
				    json_type_array, &bounding, r->err);
	if (result < 0 || !bounding)
		return result;
	return read_bounding_list(r, bounding, "process.capabilities.bounding");
}

static int read_process(struct reader *r, struct json_object *root)
{
	struct json_object *process;
	int result = member_get(root, "", "process", json_type_object, &process, r->err);

	if (result == 0)
		result = read_env(r, process);
	if (result == 0)
		result = read_capabilities(r, process);
	return result;
}

static int read_annotations(struct reader *r, struct json_object *root)
{
	struct json_object *annotations;
	int result = member_get(root, "", "annotations", json_type_object, &annotations, r->err);

	if (result < 0 || !annotations)
		return result;
	json_object_object_foreach(annotations, name, value)
	{
		struct oci_pair *pair = ARENA_PUSH(r->arena, &r->spec->annotations);

		if (!pair)
			return error_memory(r->err);
		pair->name = arena_strdup(r->arena, name);
		if (!pair->name)
			return error_memory(r->err);
		result = member_string(annotations, "annotations", name, r->arena, &pair->value,
				       r->err);
		if (result < 0)
			return result;
		(void)value;
	}
	return 0;
}

static int read_mount(struct reader *r, struct json_object *object, const char *place)
{
	struct oci_mount *mount = ARENA_PUSH(r->arena, &r->spec->mounts);
	int result;

	if (!mount)
		return error_memory(r->err);
	if (!json_object_is_type(object, json_type_object))
		return member_wrong_type(place, json_type_object, r->err);
	result = member_string(object, place, "destination", r->arena, &mount->destination, r->err);
	if (result == 0)
		result = member_string(object, place, "source", r->arena, &mount->source, r->err);
	if (result == 0)
		result = member_string(object, place, "type", r->arena, &mount->type, r->err);
	return result;
}

static int read_mounts(struct reader *r, struct json_object *root)
{
	struct json_object *mounts;
	int result = member_get(root, "", "mounts", json_type_array, &mounts, r->err);

	for (size_t i = 0; result == 0 && mounts && i < json_object_array_length(mounts); i++) {
		char place[sizeof("mounts[]") + 3 * sizeof(size_t)];

		(void)snprintf(place, sizeof(place), "mounts[%zu]", i);
		result = read_mount(r, json_object_array_get_idx(mounts, i), place);
	}
	return result;
}

static int read_root(struct reader *r, struct json_object *root)
{
	struct json_object *object, *readonly = NULL;
	int result = member_get(root, "", "root", json_type_object, &object, r->err);

	if (result == 0)
		result = member_string(object, "root", "path", r->arena, &r->spec->root_path,
				       r->err);
	if (result == 0)
		result = member_get(object, "root", "readonly", json_type_boolean, &readonly,
				    r->err);
	if (result == 0 && !*r->spec->root_path)
		result = error_set(r->err, ERROR_BAD_BUNDLE, EINVAL, NULL,
				   "read the bundle: root.path is missing");
	r->spec->root_readonly = readonly && json_object_get_boolean(readonly);
	return result;
}

static int read_namespaces(struct reader *r, struct json_object *linux_object)
{
	struct json_object *list;
	int result =
		member_get(linux_object, "linux", "namespaces", json_type_array, &list, r->err);

	for (size_t i = 0; result == 0 && list && i < json_object_array_length(list); i++) {
		struct json_object *item = json_object_array_get_idx(list, i), *type = NULL;
		char place[sizeof("linux.namespaces[]") + 3 * sizeof(size_t)];

		(void)snprintf(place, sizeof(place), "linux.namespaces[%zu]", i);
		if (!json_object_is_type(item, json_type_object))
			return member_wrong_type(place, json_type_object, r->err);
		result = member_get(item, place, "type", json_type_string, &type, r->err);
		if (type && strcmp(json_object_get_string(type), "user") == 0)
			r->spec->user_namespace = true;
	}
	return result;
}

static int read_linux(struct reader *r, struct json_object *root)
{
	const char *propagation;
	struct json_object *object;
	int result = member_get(root, "", "linux", json_type_object, &object, r->err);

	if (result == 0)
		result = member_string(object, "linux", "cgroupsPath", r->arena,
				       &r->spec->cgroups_path, r->err);
	if (result == 0)
		result = member_string(object, "linux", "rootfsPropagation", r->arena, &propagation,
				       r->err);
	if (result == 0)
		r->spec->shared_propagation =
			string_equal(propagation, "shared") || string_equal(propagation, "rshared");
	if (result == 0)
		result = read_namespaces(r, object);
	return result;
}

static bool says(struct json_object *text, const char *wanted)
{
	return json_object_is_type(text, json_type_string) &&
	       strcmp(json_object_get_string(text), wanted) == 0;
}

/* By the way davit-runtime calls it. */
static bool is_written_hook(struct json_object *hook)
{
	struct json_object *arguments;

	return json_object_is_type(hook, json_type_object) &&
	       json_object_object_get_ex(hook, "args", &arguments) &&
	       json_object_is_type(arguments, json_type_array) &&
	       json_object_array_length(arguments) == 2 &&
	       says(json_object_array_get_idx(arguments, 0), "davit-hook") &&
	       says(json_object_array_get_idx(arguments, 1), "createContainer");
}

static int read_hooks(struct reader *r, struct json_object *root)
{
	struct json_object *hooks, *list = NULL;
	int result = member_get(root, "", "hooks", json_type_object, &hooks, r->err);

	if (result == 0)
		result = member_get(hooks, "hooks", "createContainer", json_type_array, &list,
				    r->err);
	for (size_t i = 0; result == 0 && list && i < json_object_array_length(list); i++)
		r->spec->written |= is_written_hook(json_object_array_get_idx(list, i));
	return result;
}

int oci_spec_parse(const char *text, size_t length, struct arena *arena, struct oci_spec *ret,
		   struct error *err)
{
	int (*const readers[])(struct reader *, struct json_object *) = {
		read_process, read_annotations, read_mounts, read_root, read_linux, read_hooks,
	};
	struct reader reader = {arena, ret, err};
	AUTO_JSON *root = NULL;
	int r;

	*ret = (struct oci_spec){.version = "", .root_path = "", .cgroups_path = ""};
	r = json_parse(text, length, ERROR_BAD_BUNDLE, "config.json of the bundle", &root, err);
	if (r == 0)
		r = member_string(root, "", "ociVersion", arena, &ret->version, err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(readers); i++)
		r = readers[i](&reader, root);
	return r;
}

const char *oci_spec_rootfs(const struct oci_spec *spec, const char *bundle, struct arena *arena)
{
	if (spec->root_path[0] == '/')
		return arena_strdup(arena, spec->root_path);
	return arena_printf(arena, "%s/%s", bundle, spec->root_path);
}
