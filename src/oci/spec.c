// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "davit/oci.h"
#include "member.h"

const char *oci_pairs_get(const struct oci_pairs *pairs, const char *name)
{
	for (size_t i = pairs->count; i > 0; i--)
		if (strcmp(pairs->items[i - 1].name, name) == 0)
			return pairs->items[i - 1].value;
	return NULL;
}

static int read_env(struct reader *r, const struct json_value *process, struct oci_spec *spec)
{
	const struct json_value *env, *item;
	int result = member_get(r, process, "process", "env", JSON_ARRAY, &env);

	if (result < 0 || !env)
		return result;
	if (ARENA_RESERVE(r->arena, &spec->env, env->size) < 0)
		return error_memory(r->err);
	for (item = json_first(env); item; item = json_next(env, item)) {
		const char *copy;

		result = member_check_item(r, item, "process.env", spec->env.count, JSON_STRING);
		if (result < 0)
			return result;
		copy = json_string(&r->json, item, r->arena);
		if (!copy || strings_add(r->arena, &spec->env, copy) < 0)
			return error_memory(r->err);
	}
	return 0;
}

static int read_bounding_list(struct reader *r, const struct json_value *list, const char *place,
			      struct oci_spec *spec)
{
	const struct json_value *item;
	size_t index = 0;

	for (item = json_first(list); item; item = json_next(list, item)) {
		int result = member_check_item(r, item, place, index++, JSON_STRING);

		if (result < 0)
			return result;
		spec->bounding |= oci_capability_bit(r->json.text + item->start, item->length);
	}
	return 0;
}

static int read_capabilities(struct reader *r, const struct json_value *process,
			     struct oci_spec *spec)
{
	const struct json_value *capabilities, *bounding = NULL;
	int result;

	capabilities = process ? json_member(&r->json, process, "capabilities") : NULL;
	/* A list until OCI 1.0.0-rc4: what it names is in every set. */
	if (capabilities && capabilities->kind == JSON_ARRAY)
		return read_bounding_list(r, capabilities, "process.capabilities", spec);
	result = member_get(r, process, "process", "capabilities", JSON_OBJECT, &capabilities);
	if (result == 0)
		result = member_get(r, capabilities, "process.capabilities", "bounding", JSON_ARRAY,
				    &bounding);
	if (result < 0 || !bounding)
		return result;
	return read_bounding_list(r, bounding, "process.capabilities.bounding", spec);
}

static int read_process(struct reader *r, struct oci_spec *spec)
{
	const struct json_value *process;
	int result = member_get(r, r->json.items, "", "process", JSON_OBJECT, &process);

	if (result == 0)
		result = read_env(r, process, spec);
	if (result == 0)
		result = read_capabilities(r, process, spec);
	return result;
}

static int read_annotation(struct reader *r, const struct json_value *key, struct oci_spec *spec)
{
	const struct json_value *value = key + 1;
	struct oci_pair *pair = ARENA_PUSH(r->arena, &spec->annotations);
	char place[128];

	if (!pair)
		return error_memory(r->err);
	pair->name = json_string(&r->json, key, r->arena);
	if (!pair->name)
		return error_memory(r->err);
	pair->value = "";
	if (value->kind == JSON_STRING)
		pair->value = json_string(&r->json, value, r->arena);
	if (value->kind == JSON_STRING || value->kind == JSON_NULL)
		return pair->value ? 0 : error_memory(r->err);
	(void)snprintf(place, sizeof(place), "annotations.%s", pair->name);
	return member_wrong_type(r, place, JSON_STRING);
}

static int read_annotations(struct reader *r, struct oci_spec *spec)
{
	const struct json_value *annotations, *key;
	int result = member_get(r, r->json.items, "", "annotations", JSON_OBJECT, &annotations);

	if (result < 0 || !annotations)
		return result;
	for (key = json_first(annotations); result == 0 && key;
	     key = json_next(annotations, key + 1))
		result = read_annotation(r, key, spec);
	return result;
}

/* As runc and crun take them: of `ro` and `rw` the later one counts, unknown ones don't. */
static int read_mount_options(struct reader *r, const struct json_value *object, const char *place,
			      struct oci_mount *mount)
{
	const struct json_value *options, *item;
	int result = member_get(r, object, place, "options", JSON_ARRAY, &options);

	mount->bind = string_equal(mount->type, "bind") || string_equal(mount->type, "rbind");
	if (result < 0 || !options)
		return result;
	for (item = json_first(options); item; item = json_next(options, item)) {
		if (item->kind != JSON_STRING)
			continue; /* the runtime will refuse it */
		if (json_says(&r->json, item, "bind") || json_says(&r->json, item, "rbind"))
			mount->bind = true;
		else if (json_says(&r->json, item, "ro") || json_says(&r->json, item, "rro"))
			mount->read_only = true;
		else if (json_says(&r->json, item, "rw") || json_says(&r->json, item, "rrw"))
			mount->read_only = false;
	}
	return 0;
}

static int read_mount(struct reader *r, const struct json_value *object, size_t index,
		      struct oci_spec *spec)
{
	struct oci_mount *mount = ARENA_PUSH(r->arena, &spec->mounts);
	char place[sizeof("mounts[]") + 3 * sizeof(size_t)];
	int result;

	if (!mount)
		return error_memory(r->err);
	(void)snprintf(place, sizeof(place), "mounts[%zu]", index);
	if (object->kind != JSON_OBJECT)
		return member_wrong_type(r, place, JSON_OBJECT);
	result = member_string(r, object, place, "destination", &mount->destination);
	if (result == 0)
		result = member_string(r, object, place, "source", &mount->source);
	if (result == 0)
		result = member_string(r, object, place, "type", &mount->type);
	return result < 0 ? result : read_mount_options(r, object, place, mount);
}

static int read_mounts(struct reader *r, struct oci_spec *spec)
{
	const struct json_value *mounts, *item;
	int result = member_get(r, r->json.items, "", "mounts", JSON_ARRAY, &mounts);
	size_t index = 0;

	if (result < 0 || !mounts)
		return result;
	for (item = json_first(mounts); result == 0 && item; item = json_next(mounts, item))
		result = read_mount(r, item, index++, spec);
	return result;
}

static int read_root(struct reader *r, struct oci_spec *spec)
{
	const struct json_value *object, *readonly = NULL;
	int result = member_get(r, r->json.items, "", "root", JSON_OBJECT, &object);

	if (result == 0)
		result = member_string(r, object, "root", "path", &spec->root_path);
	if (result == 0)
		result = member_get(r, object, "root", "readonly", JSON_BOOLEAN, &readonly);
	if (result == 0 && !*spec->root_path)
		result = error_set(r->err, ERROR_BAD_BUNDLE, EINVAL, NULL,
				   "read the bundle: root.path is missing");
	spec->root_readonly = readonly && json_is_true(&r->json, readonly);
	return result;
}

static int read_namespaces(struct reader *r, const struct json_value *linux_object,
			   struct oci_spec *spec)
{
	static const char where[] = "linux.namespaces";
	const struct json_value *list, *item, *type;
	int result = member_get(r, linux_object, "linux", "namespaces", JSON_ARRAY, &list);
	size_t index = 0;

	if (result < 0 || !list)
		return result;
	for (item = json_first(list); result == 0 && item; item = json_next(list, item)) {
		char place[sizeof(where) + sizeof("[]") + 3 * sizeof(size_t)];

		result = member_check_item(r, item, where, index, JSON_OBJECT);
		if (result < 0)
			return result;
		(void)snprintf(place, sizeof(place), "%s[%zu]", where, index++);
		result = member_get(r, item, place, "type", JSON_STRING, &type);
		if (type && json_says(&r->json, type, "user"))
			spec->user_namespace = true;
	}
	return result;
}

static int read_linux(struct reader *r, struct oci_spec *spec)
{
	const struct json_value *object, *propagation = NULL;
	int result = member_get(r, r->json.items, "", "linux", JSON_OBJECT, &object);

	if (result == 0)
		result = member_string(r, object, "linux", "cgroupsPath", &spec->cgroups_path);
	if (result == 0)
		result = member_get(r, object, "linux", "rootfsPropagation", JSON_STRING,
				    &propagation);
	if (propagation)
		spec->shared_propagation = json_says(&r->json, propagation, "shared") ||
					   json_says(&r->json, propagation, "rshared");
	if (result == 0)
		result = read_namespaces(r, object, spec);
	return result;
}

/* By the way davit-runtime calls it. */
static bool is_written_hook(const struct json_text *json, const struct json_value *hook)
{
	static const char *const words[] = {"davit-hook", "createContainer"};
	const struct json_value *arguments, *item;
	size_t count = 0;

	if (hook->kind != JSON_OBJECT)
		return false;
	arguments = json_member(json, hook, "args");
	if (!arguments || arguments->kind != JSON_ARRAY)
		return false;
	for (item = json_first(arguments); item; item = json_next(arguments, item))
		if (count == ARRAY_SIZE(words) || item->kind != JSON_STRING ||
		    !json_says(json, item, words[count++]))
			return false;
	return count == ARRAY_SIZE(words);
}

static int read_hooks(struct reader *r, struct oci_spec *spec)
{
	const struct json_value *hooks, *list = NULL, *item;
	int result = member_get(r, r->json.items, "", "hooks", JSON_OBJECT, &hooks);

	if (result == 0)
		result = member_get(r, hooks, "hooks", "createContainer", JSON_ARRAY, &list);
	for (item = list ? json_first(list) : NULL; item; item = json_next(list, item))
		spec->written |= is_written_hook(&r->json, item);
	return result;
}

int oci_spec_parse(const char *text, size_t length, struct arena *arena, struct oci_spec *ret,
		   struct error *err)
{
	int (*const readers[])(struct reader *, struct oci_spec *) = {
		read_process, read_annotations, read_mounts, read_root, read_linux, read_hooks,
	};
	struct reader reader = {.arena = arena, .err = err};
	int r;

	*ret = (struct oci_spec){.version = "", .root_path = "", .cgroups_path = ""};
	r = json_text_parse(text, length, ERROR_BAD_BUNDLE, "config.json of the bundle", arena,
			    &reader.json, err);
	if (r == 0)
		r = member_string(&reader, reader.json.items, "", "ociVersion", &ret->version);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(readers); i++)
		r = readers[i](&reader, ret);
	return r;
}

const char *oci_spec_rootfs(const struct oci_spec *spec, const char *bundle, struct arena *arena)
{
	if (spec->root_path[0] == '/')
		return arena_strdup(arena, spec->root_path);
	return arena_printf(arena, "%s/%s", bundle, spec->root_path);
}
