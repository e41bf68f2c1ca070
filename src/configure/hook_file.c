// SPDX-License-Identifier: Apache-2.0
/* hooks.d's davit.json, when somebody has edited it. */
#include <string.h>

#include "davit/configure_podman.h"
#include "davit/json_edit.h"

/*
 * What davits before this one installed, without the hook's path: it is replaced like this one's
 * text. Whoever changes hooks/davit.json.in adds the text that it had.
 */
static const char *const earlier[] = {
	"{\"version\":\"1.0.0\",\"hook\":{\"path\":\"\",\"args\":[\"davit-hook\",\"prestart\"]},"
	"\"when\":{\"always\":true},\"stages\":[\"prestart\"]}",
	"{\"version\":\"1.0.0\",\"hook\":{\"path\":\"\",\"args\":[\"davit-hook\",\"-record\","
	"\"prestart\"]},\"when\":{\"always\":true},\"stages\":[\"prestart\",\"poststop\"]}",
};

static const char *written(struct json_object *value, struct arena *arena)
{
	return arena_strdup(
		arena, json_object_to_json_string_ext(
			       value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* hook.path, or NULL. */
static const char *hook_path(struct json_object *file)
{
	struct json_object *hook, *path;

	return json_object_object_get_ex(file, "hook", &hook) &&
			       json_object_object_get_ex(hook, "path", &path) &&
			       json_object_is_type(path, json_type_string)
		       ? json_object_get_string(path)
		       : NULL;
}

/* "name = value" of each member that isn't the same in `ours`; those of `hook` one by one. */
static int add_others(struct json_object *file, struct json_object *ours, const char *prefix,
		      struct arena *arena, struct strings *ret)
{
	json_object_object_foreach(file, name, value)
	{
		struct json_object *own = NULL;
		const char *line;
		int r = 0;

		(void)json_object_object_get_ex(ours, name, &own);
		if (!*prefix && strcmp(name, "hook") == 0) {
			r = add_others(value, own, "hook.", arena, ret);
		} else if (!(*prefix && strcmp(name, "path") == 0) &&
			   !json_object_equal(value, own)) {
			line = arena_printf(arena, "%s%s = %s", prefix, name,
					    written(value, arena));
			r = line ? strings_add(arena, ret, line) : -ENOMEM;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

/* Whether the text is one of davit's, wherever its hook was installed then. */
static bool is_unedited(struct json_object *file, const char *ours, struct arena *arena)
{
	AUTO_JSON *copy = NULL, *own = json_tokener_parse(ours);
	struct json_object *hook;
	const char *text;

	if (!own || json_object_deep_copy(file, &copy, NULL) < 0)
		return false;
	for (int i = 0; i < 2; i++)
		if (json_object_object_get_ex(i ? own : copy, "hook", &hook))
			(void)json_object_object_add(hook, "path", json_object_new_string(""));
	text = written(copy, arena);
	if (string_equal(text, written(own, arena)))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(earlier); i++)
		if (string_equal(text, earlier[i]))
			return true;
	return false;
}

static int edit_path(const char *text, const char *path, const char *ours, struct arena *arena,
		     char **ret, struct error *err)
{
	static const char *const at[] = {"hook", "path", NULL};
	const struct json_edit own = {.arena = arena, .text = ours};
	struct json_edit edit = {.arena = arena, .path = path, .text = text};
	const char *value = json_edit_get(&own, at);
	int r = value ? json_edit_set(&edit, at, value, err) : error_memory(err);

	if (r == 0)
		*ret = arena_strdup(arena, edit.text);
	return r < 0 ? r : *ret ? 0 : error_memory(err);
}

int configure_podman(const char *text, const char *path, struct arena *arena,
		     struct configure_hook_file *ret, struct error *err)
{
	AUTO_JSON *file = NULL, *own = json_tokener_parse(configure_hook);
	const char *program;
	int r;

	*ret = (struct configure_hook_file){0};
	if (!text) {
		ret->text = arena_strdup(arena, configure_hook);
		return ret->text ? 0 : error_memory(err);
	}
	r = own ? configure_parse_json(text, path, &file, err) : error_memory(err);
	if (r < 0)
		return r;
	program = hook_path(file);
	if (!program || !string_ends(program, "/davit-hook"))
		return error_set(err, ERROR_BAD_CONFIG, EEXIST,
				 "choose another file with --drop-in, or remove this one",
				 "write %s: it registers another hook, %s", path,
				 program ? program : "without a path");
	if (is_unedited(file, configure_hook, arena))
		ret->text = arena_strdup(arena, configure_hook);
	else if (add_others(file, own, "", arena, &ret->others) < 0)
		return error_memory(err);
	else
		r = edit_path(text + json_edit_mark(text), path, configure_hook, arena, &ret->text,
			      err);
	return r < 0 ? r : ret->text ? 0 : error_memory(err);
}
