// SPDX-License-Identifier: Apache-2.0
/* What daemon.json says of runtimes, cgroups and CDI. */
#include <string.h>

#include "davit/json_edit.h"

/* An object's member of that type, or NULL. */
static struct json_object *member(struct json_object *object, const char *name, enum json_type type)
{
	struct json_object *value;

	if (!object || !json_object_object_get_ex(object, name, &value) ||
	    !json_object_is_type(value, type))
		return NULL;
	return value;
}

/* native.cgroupdriver=VALUE among exec-opts; the last one counts. */
static const char *find_cgroups(struct json_object *object)
{
	static const char key[] = "native.cgroupdriver=";
	struct json_object *list = member(object, "exec-opts", json_type_array);
	const char *found = NULL;

	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		const char *option = json_object_is_type(item, json_type_string)
					     ? json_object_get_string(item)
					     : "";

		if (string_starts(option, key))
			found = option + strlen(key);
	}
	return found;
}

/* A runtime's program: its path, or that of its runtimeType. 0 or -ENOMEM. */
static int find_program(struct json_object *runtime, struct arena *arena, const char **ret)
{
	struct json_object *program = member(runtime, "path", json_type_string);
	const char *type = json_object_get_string(member(runtime, "runtimeType", json_type_string));
	const char *dot = type ? strrchr(type, '.') : NULL;
	const char *start = dot ? memrchr(type, '.', (size_t)(dot - type)) : NULL;

	if (string_equal(type, "io.containerd.runc.v2"))
		program = member(member(runtime, "options", json_type_object), "BinaryName",
				 json_type_string);
	if (program)
		*ret = arena_strdup(arena, json_object_get_string(program));
	else if (string_equal(type, "io.containerd.runc.v2"))
		*ret = "runc";
	else if (type && type[0] == '/')
		*ret = arena_strdup(arena, type);
	else if (start)
		*ret = arena_printf(arena, "containerd-shim-%.*s-%s", (int)(dot - start - 1),
				    start + 1, dot + 1);
	else
		return 0;
	return *ret ? 0 : -ENOMEM;
}

/* dockerd then has no CDI devices. */
static bool names_nowhere(struct json_object *list)
{
	size_t count = json_object_array_length(list);

	return count == 0 ||
	       (count == 1 && json_object_get_string_len(json_object_array_get_idx(list, 0)) == 0);
}

int configure_docker_find(const char *text, const char *path, const char *name, struct arena *arena,
			  struct configure_docker_facts *ret, struct error *err)
{
	AUTO_JSON *object = NULL;
	struct json_object *value, *list;
	const char *cgroups;
	int r;

	*ret = (struct configure_docker_facts){0};
	ret->mark = json_edit_mark(text) > 0;
	if (json_edit_is_empty(text))
		return 0;
	r = configure_parse_json(text, path, &object, err);
	if (r < 0)
		return r;
	value = member(member(object, "runtimes", json_type_object), name, json_type_object);
	if (value && find_program(value, arena, &ret->runtime) < 0)
		return error_memory(err);
	value = member(object, "default-runtime", json_type_string);
	if (value && json_object_get_string_len(value)) {
		ret->standard = arena_strdup(arena, json_object_get_string(value));
		if (!ret->standard)
			return error_memory(err);
	}
	value = member(object, "userns-remap", json_type_string);
	if (value) {
		ret->userns = arena_strdup(arena, json_object_get_string(value));
		if (!ret->userns)
			return error_memory(err);
	}
	cgroups = find_cgroups(object);
	if (cgroups)
		ret->cgroups = arena_strdup(arena, cgroups);
	if (cgroups && !ret->cgroups)
		return error_memory(err);
	/* To Go, null in a map of booleans is false. */
	list = member(object, "features", json_type_object);
	if (list && json_object_object_get_ex(list, "cdi", &value)) {
		ret->cdi_on = json_object_get_boolean(value);
		ret->cdi_off = !ret->cdi_on;
	}
	list = member(object, "cdi-spec-dirs", json_type_array);
	ret->cdi_nowhere = list && names_nowhere(list);
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		value = json_object_array_get_idx(list, i);
		value = json_object_is_type(value, json_type_string) ? value : NULL;
		if (value && strings_add(arena, &ret->spec_dirs,
					 arena_strdup(arena, json_object_get_string(value))) < 0)
			return error_memory(err);
	}
	return 0;
}
