// SPDX-License-Identifier: Apache-2.0
/* hooks.d, the directories from which Podman and CRI-O read hooks. */
#include <fcntl.h>
#include <string.h>

#include "davit/configure_podman.h"
#include "davit/json.h"
#include "engines.h"

#define FILES_MAX 1024

/* What a file of hooks.d says (oci-hooks(5)). */
struct hook_file {
	const char *program; /* hook.path; NULL: an old format */
	bool sometimes;      /* it runs only for some containers */
	bool never;          /* it runs for none, or at no stage at which a hook can give GPUs */
};

static bool is_stage(const char *name, bool before_start)
{
	static const char *const stages[] = {"prestart",       "createRuntime", "createContainer",
					     "startContainer", "poststart",     "poststop"};

	for (size_t i = 0; i < (before_start ? 2 : ARRAY_SIZE(stages)); i++)
		if (string_equal(name, stages[i]))
			return true;
	return false;
}

/* -EINVAL: a stage that the engine doesn't know, for which it starts no container. */
static int read_stages(struct json_object *object, const char *path, struct hook_file *ret,
		       struct error *err)
{
	struct json_object *stages;
	bool early = false;

	if (!json_object_object_get_ex(object, "stages", &stages) ||
	    !json_object_is_type(stages, json_type_array))
		return error_set(err, ERROR_BAD_CONFIG, EINVAL, NULL, "read %s: it has no stages",
				 path);
	for (size_t i = 0; i < json_object_array_length(stages); i++) {
		const char *stage = json_object_get_string(json_object_array_get_idx(stages, i));

		if (!is_stage(stage, false))
			return error_set(err, ERROR_BAD_CONFIG, EINVAL, NULL,
					 "read %s: it has the unknown stage %s", path,
					 stage ? stage : "null");
		early |= is_stage(stage, true);
	}
	ret->never |= !early;
	return 0;
}

/* Whether it is one of the conditions besides "always" (hasBindMounts, annotations, commands). */
static bool is_condition(struct json_object *value)
{
	if (json_object_is_type(value, json_type_array))
		return json_object_array_length(value);
	if (json_object_is_type(value, json_type_object))
		return json_object_object_length(value);
	return json_object_get_boolean(value);
}

/* All conditions must hold, and there must be one. */
static void read_when(struct json_object *object, struct hook_file *ret)
{
	struct json_object *when = NULL, *always = NULL;
	bool conditions = false;

	(void)json_object_object_get_ex(object, "when", &when);
	if (!json_object_is_type(when, json_type_object)) {
		ret->never = true;
		return;
	}
	json_object_object_foreach(when, key, value)
	{
		if (strcmp(key, "always") == 0)
			always = value;
		else if (strcmp(key, "hasBindMounts") == 0 || strcmp(key, "annotations") == 0 ||
			 strcmp(key, "commands") == 0)
			conditions |= is_condition(value);
	}
	ret->never |= always ? !json_object_get_boolean(always) : !conditions;
	ret->sometimes = conditions;
}

/* As Podman and CRI-O read a file. -errno: they start no container because of it. */
static int read_hook(struct doctor_gathering *g, const char *path, struct hook_file *ret,
		     struct error *err)
{
	AUTO_JSON *object = NULL;
	struct json_object *value;
	const char *version;
	char *text;
	int r = configure_read(&g->root, path, g->arena, &text, err);

	*ret = (struct hook_file){0};
	if (r == 0 && text)
		r = json_parse(text, strlen(text), ERROR_BAD_CONFIG, path, &object, err);
	if (r < 0 || !text)
		return r;
	version = json_object_object_get_ex(object, "version", &value)
			  ? json_object_get_string(value)
			  : NULL;
	if (!json_object_object_get_ex(object, "hook", &value))
		value = NULL;
	/* The format before 1.0.0, in which `hook` is the path itself. */
	if (!version || !*version || string_equal(version, "0.1.0"))
		return json_object_is_type(value, json_type_object)
			       ? error_set(err, ERROR_BAD_CONFIG, EINVAL,
					   "set its version to \"1.0.0\"",
					   "read %s: without a version, `hook` must be a path",
					   path)
			       : 0;
	if (!string_equal(version, "1.0.0"))
		return error_set(err, ERROR_BAD_CONFIG, EINVAL, NULL,
				 "read %s: the engine doesn't know its version %s", path, version);
	if (!json_object_is_type(value, json_type_object) ||
	    !json_object_object_get_ex(value, "path", &value) ||
	    !json_object_is_type(value, json_type_string))
		return error_set(err, ERROR_BAD_CONFIG, EINVAL, NULL,
				 "read %s: it has no hook.path", path);
	ret->program = arena_strdup(g->arena, json_object_get_string(value));
	if (!ret->program)
		return -ENOMEM;
	read_when(object, ret);
	/* The engine looks for the program before it judges the stages. */
	return doctor_exists(g, ret->program) ? read_stages(object, path, ret, err) : 0;
}

static struct doctor_hook *find_hook(const struct doctor_gathering *g, const char *path)
{
	struct doctor_hooks *hooks = &g->host->hooks;

	for (size_t i = 0; i < hooks->count; i++)
		if (string_equal(hooks->items[i].file, path))
			return &hooks->items[i];
	return NULL;
}

/* Of files with the same name, an engine uses the one in the last of its folders. */
static void replace_earlier(struct doctor_gathering *g, const char *path, unsigned reader)
{
	const struct doctor_hooks *hooks = &g->host->hooks;
	const char *name = strrchr(path, '/');

	for (size_t i = 0; i < hooks->count; i++) {
		struct doctor_hook *hook = &hooks->items[i];

		if (!(hook->readers & reader) || string_equal(hook->file, path) ||
		    !string_equal(strrchr(hook->file, '/'), name))
			continue;
		hook->readers &= ~reader;
		hook->losers |= reader;
		hook->winner = path;
	}
}

static int add_hook(struct doctor_gathering *g, const char *path, unsigned reader)
{
	struct doctor_hook *known = find_hook(g, path);
	struct error err = {0};
	struct doctor_hook *hook;
	struct hook_file file;
	int r = read_hook(g, path, &file, &err);

	/* A file whose program doesn't exist is ignored, so it replaces none. */
	if (r == -ENOMEM || (r == 0 && !file.program))
		return r;
	if (r == 0 && doctor_exists(g, file.program))
		replace_earlier(g, path, reader);
	if (known) {
		known->readers |= reader;
		return 0;
	}
	if (r == 0 && !strstr(file.program, "davit") && !strstr(file.program, "nvidia"))
		return 0;
	hook = ARENA_PUSH(g->arena, &g->host->hooks);
	if (!hook)
		return -ENOMEM;
	hook->file = path;
	hook->readers = reader;
	hook->error = err;
	hook->sometimes = file.sometimes;
	hook->never = file.never;
	return r < 0 ? 0 : doctor_find_program(g, file.program, NULL, &hook->program);
}

/* Judges a file for rootless Podman; the first one that is closed counts. */
static int note_closed(struct doctor_gathering *g, const char *path, mode_t mode, unsigned reader)
{
	struct doctor_hooks *hooks = &g->host->hooks;

	if (hooks->closed || reader != 1U << DOCTOR_PODMAN || hooks->of_root)
		return 0;
	return doctor_find_closed(g, path, mode, &hooks->closed);
}

int doctor_add_hooks(struct doctor_gathering *g, const char *folder, enum doctor_engine_kind kind)
{
	struct strings names = {0};
	int r = note_closed(g, folder, S_IROTH | S_IXOTH, 1U << kind);

	if (root_list(&g->root, folder, FILES_MAX, g->arena, &names) == -EACCES &&
	    kind == DOCTOR_PODMAN && !g->host->hooks.closed)
		g->host->hooks.closed = folder;
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const char *path = arena_printf(g->arena, "%s/%s", folder, names.items[i]);

		if (!path)
			return -ENOMEM;
		if (!string_ends(path, ".json"))
			continue;
		r = note_closed(g, path, S_IROTH, 1U << kind);
		if (r == 0)
			r = add_hook(g, path, 1U << kind);
	}
	return r;
}

/* root's own files, which other users don't read. */
static bool is_of_root(const struct podman *podman, const char *file)
{
	if (podman->uid || !file)
		return false;
	return string_equal(file, podman->only) || string_equal(file, podman->last) ||
	       (podman->config && string_starts(file, podman->config));
}

/* Podman refuses to start a container if it can't look for a hook's program. */
static int note_programs(struct doctor_gathering *g)
{
	const struct doctor_hooks *hooks = &g->host->hooks;
	int r = 0;

	for (size_t i = 0; r == 0 && i < hooks->count; i++) {
		const struct doctor_hook *hook = &hooks->items[i];
		const char *real = "";
		AUTO_FD fd = -1;

		if (!(hook->readers & 1U << DOCTOR_PODMAN) || !hook->program.name)
			continue;
		r = note_closed(g, hook->program.name, S_IXOTH, 1U << DOCTOR_PODMAN);
		fd = root_openat(&g->root, hook->program.name, O_PATH);
		if (r == 0 && fd >= 0 && string_equal(g->root.path, "/"))
			r = doctor_real_path(fd, g->arena, &real);
		if (r == 0 && *real)
			r = note_closed(g, real, S_IXOTH, 1U << DOCTOR_PODMAN);
	}
	return r;
}

/* Where Podman looks for CDI specs. */
static void take_spec_dirs(struct doctor_gathering *g, const struct podman_hooks *found)
{
	struct doctor_engine *podman = &g->host->engines[DOCTOR_PODMAN];

	podman->etc_only = found->spec_etc_only;
	if (!found->spec_file)
		return;
	podman->file = found->spec_file;
	podman->spec_dirs = found->spec_dirs;
	podman->cdi_off = !found->spec_dirs.count;
	engine_find_own_specs(g, podman);
}

/* As Podman finds the runtime that containers.conf names. */
static int find_runtime(struct doctor_gathering *g, const struct podman_hooks *found)
{
	struct doctor_engine *podman = &g->host->engines[DOCTOR_PODMAN];
	struct doctor_program *program = &podman->standard;
	bool here = string_equal(g->root.path, "/");
	const char *search = here ? configure_variable("PATH", g->arena) : NULL;
	struct strings paths = {0};
	int r = 0;

	podman->standard_name = found->runtime;
	if (!found->runtime)
		return 0;
	podman->newest = found->runtime_file;
	if (found->runtime[0] == '/')
		return doctor_find_program(g, found->runtime, NULL, program);
	program->name = found->runtime;
	if (!configure_podman_runtime(found, found->runtime, g->arena, &paths))
		return 0;
	for (size_t i = 0; r == 0 && !program->path && i < paths.count; i++)
		r = doctor_find_program(g, paths.items[i], NULL, program);
	return r < 0 || program->path
		       ? r
		       : doctor_find_program(g, found->runtime,
					     search ? search : DOCTOR_USUAL_SEARCH, program);
}

int doctor_gather_hooks(struct doctor_gathering *g)
{
	struct doctor_hooks *hooks = &g->host->hooks;
	struct podman_hooks found;
	struct podman podman;
	int r;

	configure_find_podman(&g->root, g->arena, &podman);
	r = configure_podman_hooks(&g->root, &podman, g->arena, &found, &hooks->error);
	if (r == -ENOMEM)
		return r;
	hooks->folders = found.folders;
	hooks->file = found.file;
	hooks->of_root = is_of_root(&podman, found.file);
	take_spec_dirs(g, &found);
	r = find_runtime(g, &found);
	for (size_t i = 0; r == 0 && i < found.folders.count; i++)
		r = doctor_add_hooks(g, found.folders.items[i], DOCTOR_PODMAN);
	return r < 0 ? r : note_programs(g);
}
