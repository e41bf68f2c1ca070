// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/json_edit.h"

#define SHIM_OF_RUNC "io.containerd.runc.v2"

static const char *const path_default[] = {"default-runtime", NULL};
static const char *const path_cdi[] = {"features", "cdi", NULL};
static const char *const path_dirs[] = {"cdi-spec-dirs", NULL};

/* Where a runtime names its program. Next to a runtimeType, dockerd refuses a path. */
struct program_path {
	const char *names[5];
};

/* The runtimeType as written, if there is one. */
static const char *type_of(const struct json_edit *edit, const char *name)
{
	const char *const path[] = {"runtimes", name, "runtimeType", NULL};
	const char *type = json_edit_get(edit, path);

	return type && strcmp(type, "\"\"") != 0 && strcmp(type, "null") != 0 ? type : NULL;
}

static struct program_path program_of(const struct json_edit *edit, const char *name)
{
	return type_of(edit, name)
		       ? (struct program_path){{"runtimes", name, "options", "BinaryName"}}
		       : (struct program_path){{"runtimes", name, "path"}};
}

static int check_type(const struct json_edit *edit, const struct configure *configure,
		      struct error *err)
{
	const char *type = type_of(edit, configure->runtime_name);

	if (!type || strcmp(type, "\"" SHIM_OF_RUNC "\"") == 0)
		return 0;
	return error_set(err, ERROR_BAD_CONFIG, EINVAL,
			 "remove this runtime, or choose another name with --runtime-name",
			 "configure the runtime %s in %s: davit can't replace its runtimeType %s",
			 configure->runtime_name, edit->path, type);
}

static const char *quote(const char *text, struct arena *arena)
{
	struct json_object *string = json_object_new_string(text);
	char *quoted = arena_strdup(
		arena, json_object_to_json_string_ext(string, JSON_C_TO_STRING_NOSLASHESCAPE));

	(void)json_object_put(string);
	return quoted;
}

int configure_parse_json(const char *text, const char *path, struct json_object **ret,
			 struct error *err)
{
	int r;

	text += json_edit_mark(text);
	r = json_parse(text, strlen(text), ERROR_BAD_CONFIG, path, ret, err);
	return r < 0 && r != -ENOMEM
		       ? error_fix(err, r, "correct %s; its engine can't read it, either", path)
		       : r;
}

size_t json_edit_mark(const char *text)
{
	return string_starts(text, "\xef\xbb\xbf") ? 3 : 0;
}

bool json_edit_is_empty(const char *text)
{
	struct slice trimmed = slice_trim(slice_from(text + json_edit_mark(text)));

	return trimmed.length == 0 || slice_equal(trimmed, "null");
}

static int check(const char *text, const char *path, struct error *err)
{
	AUTO_JSON *object = NULL;

	return json_edit_is_empty(text) ? 0 : configure_parse_json(text, path, &object, err);
}

/* Names the directories of CDI specs, if none are named. */
static int set_spec_dirs(struct json_edit *edit, const struct configure *configure,
			 struct error *err)
{
	struct configure_docker_facts facts;
	const char *list = "";
	int r = configure_docker_find(edit->text, edit->path, configure->runtime_name, edit->arena,
				      &facts, err);

	if (r < 0 || !configure->spec_dirs.count || (facts.spec_dirs.count && !facts.cdi_nowhere))
		return r;
	for (size_t i = 0; list && i < configure->spec_dirs.count; i++) {
		const char *dir = quote(configure->spec_dirs.items[i], edit->arena);

		list = dir ? arena_printf(edit->arena, "%s%s%s", list, i ? ", " : "", dir) : NULL;
	}
	list = list ? arena_printf(edit->arena, "[%s]", list) : NULL;
	return list ? json_edit_set(edit, path_dirs, list, err) : error_memory(err);
}

int configure_docker(const char *text, const char *path, const struct configure *configure,
		     struct arena *arena, char **ret, struct error *err)
{
	struct json_edit edit = {.arena = arena, .path = path, .text = "{\n}\n"};
	const char *runtime = quote(configure->runtime_path, arena);
	const char *name = quote(configure->runtime_name, arena);
	size_t mark = text ? json_edit_mark(text) : 0;
	int r = 0;

	if (!runtime || !name)
		return error_memory(err);
	if (text && !json_edit_is_empty(text)) {
		edit.text = text + mark;
		r = check(text, path, err);
	}
	if (r == 0)
		r = check_type(&edit, configure, err);
	if (r == 0)
		r = json_edit_set(&edit, program_of(&edit, configure->runtime_name).names, runtime,
				  err);
	if (r == 0 && configure->set_default)
		r = json_edit_set(&edit, path_default, name, err);
	if (r == 0 && configure->cdi)
		r = json_edit_set(&edit, path_cdi, "true", err);
	if (r == 0 && configure->cdi)
		r = set_spec_dirs(&edit, configure, err);
	if (r < 0)
		return r;
	*ret = arena_printf(arena, "%.*s%s", (int)mark, text ? text : "", edit.text);
	return *ret ? 0 : error_memory(err);
}

/* A member gets the value it had, or goes; what holds nothing any more goes, too. */
static int restore(struct json_edit *edit, const char *original, const char *const *path,
		   struct error *err)
{
	const char *value = NULL;

	if (original) {
		struct json_edit before = {.arena = edit->arena, .text = original};

		value = json_edit_get(&before, path);
	}
	if (value)
		return json_edit_set(edit, path, value, err);
	return json_edit_remove(edit, path, err);
}

/* Whether what is there is what we would make of the original, with some options. */
static bool is_ours_alone(const char *text, const char *original, const char *path,
			  const struct configure *configure, struct arena *arena)
{
	struct error ignored;

	for (unsigned options = 0; options < 4; options++) {
		struct configure tried = *configure;
		char *made = NULL;

		tried.set_default = options & 1;
		tried.cdi = options & 2;
		if (configure_docker(original, path, &tried, arena, &made, &ignored) == 0 &&
		    string_equal(made, text))
			return true;
	}
	return false;
}

/* Not a program that somebody else has registered under that name. */
static bool is_davits(const char *quoted, const char *wanted)
{
	return quoted && (string_ends(quoted, "/davit-runtime\"") || string_equal(quoted, wanted));
}

int configure_docker_keep_name(const char *text, const char *path, struct configure *configure,
			       struct arena *arena, struct error *err)
{
	struct json_edit edit = {.arena = arena, .path = path, .text = text + json_edit_mark(text)};
	const char *wanted = quote(configure->runtime_path, arena), *found = NULL;
	AUTO_JSON *object = NULL;
	struct json_object *runtimes;
	size_t count = 0;
	int r;

	if (!wanted)
		return error_memory(err);
	if (configure->named || json_edit_is_empty(text))
		return 0;
	r = configure_parse_json(text, path, &object, err);
	if (r < 0 || !json_object_object_get_ex(object, "runtimes", &runtimes) ||
	    !json_object_is_type(runtimes, json_type_object) ||
	    json_object_object_get_ex(runtimes, configure->runtime_name, NULL))
		return r;
	json_object_object_foreach(runtimes, name, value)
	{
		struct program_path program = program_of(&edit, name);

		(void)value;
		if (!is_davits(json_edit_get(&edit, program.names), wanted))
			continue;
		count++;
		found = arena_strdup(arena, name);
		if (!found)
			return error_memory(err);
	}
	if (count == 1)
		configure->runtime_name = found;
	return 0;
}

int configure_docker_others(const char *text, const char *path, const char *name,
			    struct arena *arena, struct strings *ret, struct error *err)
{
	AUTO_JSON *object = NULL;
	struct json_object *runtime;
	int r;

	*ret = (struct strings){0};
	if (json_edit_is_empty(text))
		return 0;
	r = configure_parse_json(text, path, &object, err);
	if (r < 0 || !json_object_object_get_ex(object, "runtimes", &runtime) ||
	    !json_object_object_get_ex(runtime, name, &runtime) ||
	    !json_object_is_type(runtime, json_type_object))
		return r;
	json_object_object_foreach(runtime, key, value)
	{
		const char *line =
			strcmp(key, "path") == 0
				? ""
				: arena_printf(arena, "runtimes.%s.%s = %s", name, key,
					       json_object_to_json_string_ext(
						       value, JSON_C_TO_STRING_NOSLASHESCAPE));

		if (!line || (*line && strings_add(arena, ret, line) < 0))
			return error_memory(err);
	}
	return 0;
}

/* Whether cdi-spec-dirs has the directories that davit sets. */
static bool is_ours_list(const struct json_edit *edit, const struct configure *configure)
{
	struct json_edit probe = {edit->arena, edit->path, "{}"};
	const char *list = json_edit_get(edit, path_dirs), *ours;
	struct error ignored;

	if (!list || set_spec_dirs(&probe, configure, &ignored) < 0)
		return false;
	ours = json_edit_get(&probe, path_dirs);
	return ours && string_equal(list, ours);
}

int configure_docker_remove(const char *text, const char *original, const char *path,
			    const struct configure *configure, struct arena *arena, char **ret,
			    struct error *err)
{
	size_t mark = json_edit_mark(text);
	struct json_edit edit = {.arena = arena, .path = path, .text = text + mark};
	const char *runtime, *name = quote(configure->runtime_name, arena), *current;
	const char *wanted = quote(configure->runtime_path, arena);
	struct configure present = *configure;
	const char *whole[] = {"runtimes", configure->runtime_name, NULL};
	struct program_path program = program_of(&edit, configure->runtime_name);
	struct error ignored;
	int r = check(text, path, err);

	if (r < 0)
		return r;
	/* The path that was configured, whichever davit-runtime is meant now. */
	runtime = json_edit_get(&edit, program.names);
	if (runtime && runtime[0] == '"' && strlen(runtime) > 2)
		present.runtime_path = arena_strndup(arena, runtime + 1, strlen(runtime) - 2);
	if (!present.runtime_path || !name || !wanted)
		return error_memory(err);
	if (is_ours_alone(text, original, path, &present, arena)) {
		*ret = original ? arena_strdup(arena, original) : NULL;
		return 0;
	}
	if (runtime && !is_davits(runtime, wanted)) {
		*ret = arena_strdup(arena, text);
		return *ret ? 0 : error_memory(err);
	}
	if (original && check(original, path, &ignored) < 0)
		original = NULL;
	if (original)
		original += json_edit_mark(original);
	current = json_edit_get(&edit, path_default);
	r = original ? restore(&edit, original, program.names, err) : 0;
	if (r == 0 &&
	    !(original &&
	      json_edit_get(&(struct json_edit){.arena = arena, .text = original}, whole)))
		r = json_edit_remove(&edit, whole, err);
	if (r == 0 && current && strcmp(current, name) == 0)
		r = restore(&edit, original, path_default, err);
	/* CDI stays on otherwise: it does no harm, and others may use it. */
	if (r == 0 && configure->cdi && json_edit_get(&edit, path_cdi))
		r = restore(&edit, original, path_cdi, err);
	if (r == 0 && configure->cdi && is_ours_list(&edit, configure))
		r = restore(&edit, original, path_dirs, err);
	if (r < 0)
		return r;
	*ret = arena_printf(arena, "%.*s%s", (int)mark, text, edit.text);
	return *ret ? 0 : error_memory(err);
}
