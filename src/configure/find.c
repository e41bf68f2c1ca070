// SPDX-License-Identifier: Apache-2.0
/* What an engine's file says of a runtime, davit's or another one. */
#include <string.h>

#include "davit/json_edit.h"
#include "toml.h"

int configure_docker_find(const char *text, const char *path, const char *name, struct arena *arena,
			  const char **ret, struct error *err)
{
	AUTO_JSON *object = NULL;
	struct json_object *value;
	int r;

	*ret = NULL;
	if (!text[strspn(text, " \t\r\n")])
		return 0;
	r = json_parse(text, strlen(text), ERROR_BAD_CONFIG, path, &object, err);
	if (r < 0)
		return r;
	if (!json_object_object_get_ex(object, "runtimes", &value) ||
	    !json_object_is_type(value, json_type_object) ||
	    !json_object_object_get_ex(value, name, &value))
		return 0;
	if (!json_object_is_type(value, json_type_object) ||
	    !json_object_object_get_ex(value, "path", &value) ||
	    !json_object_is_type(value, json_type_string))
		return 0;
	*ret = arena_strdup(arena, json_object_get_string(value));
	return *ret ? 0 : error_memory(err);
}

int configure_docker_cgroups(const char *text, const char *path, struct arena *arena,
			     const char **ret, struct error *err)
{
	static const char key[] = "native.cgroupdriver=";
	AUTO_JSON *object = NULL;
	struct json_object *list;
	int r;

	*ret = NULL;
	if (!text[strspn(text, " \t\r\n")])
		return 0;
	r = json_parse(text, strlen(text), ERROR_BAD_CONFIG, path, &object, err);
	if (r < 0 || !json_object_object_get_ex(object, "exec-opts", &list) ||
	    !json_object_is_type(list, json_type_array))
		return r;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		const char *option = json_object_is_type(item, json_type_string)
					     ? json_object_get_string(item)
					     : "";

		if (string_starts(option, key))
			*ret = arena_strdup(arena, option + strlen(key));
	}
	return 0;
}

/* A text between quotation marks, or a bare value; NULL without memory. */
static const char *unquote(struct slice value, struct arena *arena)
{
	if (value.length >= 2 && (value.data[0] == '"' || value.data[0] == '\'') &&
	    value.data[value.length - 1] == value.data[0])
		return arena_strndup(arena, value.data + 1, value.length - 2);
	return arena_strndup(arena, value.data, value.length);
}

/* Table and key of a line as one path. */
static int whole_path(const struct toml_line *line, struct arena *arena, struct strings *ret)
{
	const struct strings *parts[] = {line->table, &line->keys};

	*ret = (struct strings){0};
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		for (size_t j = 0; j < parts[i]->count; j++)
			if (strings_add(arena, ret, parts[i]->items[j]) < 0)
				return -ENOMEM;
	return 0;
}

static bool ends_with(const struct strings *path, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (path->count < count ||
		    !string_equal(path->items[path->count - count + i], names[i]))
			return false;
	return true;
}

static int find(const char *text, const char *path, const char *const *names, size_t count,
		struct arena *arena, const char **ret, struct error *err)
{
	struct toml toml;
	int r = toml_parse(text, path, arena, &toml, err);

	*ret = NULL;
	for (size_t i = 0; r == 0 && i < toml.count; i++) {
		const struct toml_line *line = &toml.items[i];
		struct strings whole;

		if (line->kind != TOML_PAIR)
			continue;
		if (whole_path(line, arena, &whole) < 0)
			return error_memory(err);
		if (ends_with(&whole, names, count))
			*ret = unquote((struct slice){line->text + line->value, line->value_length},
				       arena);
	}
	return r;
}

int configure_containerd_find(const char *text, const char *path, const char *name,
			      struct arena *arena, const char **ret, struct error *err)
{
	const char *const names[] = {"containerd", "runtimes", name, "options", "BinaryName"};

	return find(text, path, names, ARRAY_SIZE(names), arena, ret, err);
}

int configure_crio_find(const char *text, const char *path, const char *name, struct arena *arena,
			const char **ret, struct error *err)
{
	const char *const names[] = {"crio", "runtime", "runtimes", name, "runtime_path"};

	return find(text, path, names, ARRAY_SIZE(names), arena, ret, err);
}

int configure_containerd_cgroups(const char *text, const char *path, struct arena *arena,
				 const char **ret, struct error *err)
{
	static const char *const names[] = {"SystemdCgroup"};
	int r = find(text, path, names, ARRAY_SIZE(names), arena, ret, err);

	if (*ret)
		*ret = string_equal(*ret, "true") ? "systemd" : "cgroupfs";
	return r;
}

int configure_crio_cgroups(const char *text, const char *path, struct arena *arena,
			   const char **ret, struct error *err)
{
	static const char *const names[] = {"crio", "runtime", "cgroup_manager"};

	return find(text, path, names, ARRAY_SIZE(names), arena, ret, err);
}

/* The strings of an array; those with an escape are no paths that anyone has. */
static int list_strings(struct slice value, struct arena *arena, struct strings *ret)
{
	const char *at = value.data, *end = at + value.length;

	while (at < end) {
		size_t length;
		const char *item;

		if (*at == '#') {
			at += strcspn(at, "\n");
			continue;
		}
		if (*at != '"' && *at != '\'') {
			at++;
			continue;
		}
		length = strcspn(at + 1, *at == '"' ? "\"" : "'");
		item = arena_strndup(arena, at + 1, length);
		if (!item || (length && strings_add(arena, ret, item) < 0))
			return -ENOMEM;
		at += length + 2;
	}
	return 0;
}

/* The items of the list of that table and key, each a NULL-ended path. */
static int find_list(const char *text, const char *path, const char *const *table,
		     const char *const *key, struct arena *arena, struct strings *ret,
		     struct error *err)
{
	struct toml toml;
	int r = toml_parse(text, path, arena, &toml, err);

	*ret = (struct strings){0};
	for (size_t i = 0; r == 0 && i < toml.count; i++) {
		const struct toml_line *line = &toml.items[i];

		if (line->kind == TOML_PAIR && toml_path_is(line->table, table) &&
		    toml_path_is(&line->keys, key) &&
		    list_strings((struct slice){line->text + line->value, line->value_length},
				 arena, ret) < 0)
			return error_memory(err);
	}
	return r;
}

int configure_containerd_imports(const char *text, const char *path, struct arena *arena,
				 struct strings *ret, struct error *err)
{
	static const char *const table[] = {NULL}, *const key[] = {"imports", NULL};

	return find_list(text, path, table, key, arena, ret, err);
}

int configure_podman_hook_folders(const char *text, const char *path, struct arena *arena,
				  struct strings *ret, struct error *err)
{
	static const char *const table[] = {"engine", NULL}, *const key[] = {"hooks_dir", NULL};

	return find_list(text, path, table, key, arena, ret, err);
}
