// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>

#include "davit/configure.h"
#include "davit/json.h"
#include "doctor.h"

#define FILES_MAX 1024
#define RUNTIME_NAME "nvidia"
#define HOOK_NAME "nvidia-container-runtime-hook"

typedef int finder(const char *text, const char *path, const char *name, struct arena *arena,
		   const char **ret, struct error *err);

/* ---- files of an engine ----------------------------------------------------------------- */

static void take_time(struct doctor_gathering *g, const char *path, struct doctor_engine *engine)
{
	struct stat st;

	if (root_stat(&g->root, path, 0, &st) < 0 || st.st_mtime < engine->changed)
		return;
	engine->newest = path;
	engine->changed = st.st_mtime;
}

/* *ret NULL: there is none, or it can't be read, which the engine then says. 0 or -ENOMEM. */
static int read_file(struct doctor_gathering *g, const char *path, struct doctor_engine *engine,
		     char **ret)
{
	struct error err = {0};
	int r = configure_read(&g->root, path, g->arena, ret, &err);

	if (r == -EACCES || r == -EPERM)
		engine->file_hidden = true;
	else if (r < 0)
		engine->file_error = err;
	if (r < 0)
		*ret = NULL;
	return r == -ENOMEM ? r : 0;
}

/* The last file that names the runtime is the one that counts. */
static int look_into(struct doctor_gathering *g, const char *path, finder *find,
		     struct doctor_engine *engine)
{
	const char *runtime = NULL;
	struct error err = {0};
	char *text;
	int r = read_file(g, path, engine, &text);

	if (r < 0 || !text)
		return r;
	take_time(g, path, engine);
	if (string_equal(path, engine->file))
		engine->file_exists = true;
	r = find(text, path, RUNTIME_NAME, g->arena, &runtime, &err);
	if (r < 0 && r != -ENOMEM) {
		engine->file_error = err;
		return 0;
	}
	if (r == 0 && runtime)
		engine->runtime.name = runtime;
	return r;
}

/* Those that match "/etc/containerd/conf.d/<star>.toml". */
static int look_into_all(struct doctor_gathering *g, const char *pattern, finder *find,
			 struct doctor_engine *engine)
{
	const char *slash = strrchr(pattern, '/');
	struct strings names = {0};
	const char *directory;
	int r = 0;

	if (!slash)
		return 0;
	directory = arena_strndup(g->arena, pattern, (size_t)(slash - pattern));
	if (!directory)
		return -ENOMEM;
	(void)root_list(&g->root, directory, FILES_MAX, g->arena, &names);
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const char *path;

		if (fnmatch(slash + 1, names.items[i], FNM_PERIOD) != 0)
			continue;
		path = arena_printf(g->arena, "%s/%s", directory, names.items[i]);
		r = path ? look_into(g, path, find, engine) : -ENOMEM;
	}
	return r;
}

/* The value of --NAME among a daemon's arguments, or NULL. */
static const char *option_of(const struct strings *arguments, const char *name)
{
	for (size_t i = 1; i < arguments->count; i++) {
		const char *word = arguments->items[i];

		if (!word || !string_starts(word, name))
			continue;
		word += strlen(name);
		if (*word == '=')
			return word + 1;
		if (!*word && i + 1 < arguments->count)
			return arguments->items[i + 1];
	}
	return NULL;
}

/* ---- the engines ------------------------------------------------------------------------ */

/* What is installed, when no daemon tells. */
static int find_installed(struct doctor_gathering *g, const char *name,
			  struct doctor_engine *engine)
{
	struct doctor_program program;
	int r;

	if (engine->program)
		return 0;
	r = doctor_find_program(g, name, DOCTOR_USUAL_SEARCH, &program);
	engine->program = program.path;
	engine->snap |= program.path && string_starts(program.path, "/snap/");
	return r;
}

static int find_runtime(struct doctor_gathering *g, struct doctor_engine *engine)
{
	const char *search = engine->search ? engine->search : DOCTOR_USUAL_SEARCH;

	return engine->runtime.name
		       ? doctor_find_program(g, engine->runtime.name, search, &engine->runtime)
		       : 0;
}

/* dockerd --add-runtime nvidia=PATH */
static void take_added_runtime(const struct strings *arguments, struct doctor_engine *engine)
{
	const char *added = option_of(arguments, "--add-runtime");

	if (added && string_starts(added, RUNTIME_NAME "="))
		engine->runtime.name = added + strlen(RUNTIME_NAME "=");
}

static int gather_docker(struct doctor_gathering *g, struct doctor_engine *engine)
{
	struct strings arguments = {0};
	int r = doctor_find_daemon(g, "dockerd", engine, &arguments);

	if (r == 0)
		r = find_installed(g, "dockerd", engine);
	if (r == 0)
		r = find_installed(g, "docker", engine);
	if (r < 0 || !engine->program)
		return r;
	engine->file = option_of(&arguments, "--config-file");
	if (!engine->file)
		engine->file = engine->snap ? "/var/snap/docker/current/config/daemon.json"
					    : "/etc/docker/daemon.json";
	take_added_runtime(&arguments, engine);
	r = look_into(g, engine->file, configure_docker_find, engine);
	if (r == 0)
		r = find_runtime(g, engine);
	if (r < 0 || engine->hidden)
		return r;
	return doctor_find_program(g, HOOK_NAME, engine->pid ? engine->search : DOCTOR_USUAL_SEARCH,
				   &engine->hook);
}

static int look_into_imports(struct doctor_gathering *g, struct doctor_engine *engine)
{
	struct error ignored;
	struct strings patterns = {0};
	char *text;
	int r = read_file(g, engine->file, engine, &text);

	if (r == 0 && text)
		r = configure_containerd_imports(text, engine->file, g->arena, &patterns, &ignored);
	if (r == -EINVAL)
		return 0;
	for (size_t i = 0; r == 0 && i < patterns.count; i++)
		r = look_into_all(g, patterns.items[i], configure_containerd_find, engine);
	return r;
}

static int gather_containerd(struct doctor_gathering *g, struct doctor_engine *engine)
{
	struct strings arguments = {0};
	int r = doctor_find_daemon(g, "containerd", engine, &arguments);

	if (r == 0)
		r = find_installed(g, "containerd", engine);
	if (r < 0 || !engine->program)
		return r;
	engine->file = option_of(&arguments, "--config");
	if (!engine->file)
		engine->file = option_of(&arguments, "-c");
	if (!engine->file)
		engine->file = "/etc/containerd/config.toml";
	r = look_into(g, engine->file, configure_containerd_find, engine);
	if (r == 0)
		r = look_into_imports(g, engine);
	return r < 0 ? r : find_runtime(g, engine);
}

static int gather_crio(struct doctor_gathering *g, struct doctor_engine *engine)
{
	struct strings arguments = {0};
	int r = doctor_find_daemon(g, "crio", engine, &arguments);

	if (r == 0)
		r = find_installed(g, "crio", engine);
	if (r < 0 || !engine->program)
		return r;
	engine->file = option_of(&arguments, "--config");
	if (!engine->file)
		engine->file = "/etc/crio/crio.conf";
	r = look_into(g, engine->file, configure_crio_find, engine);
	if (r == 0)
		r = look_into_all(g, "/etc/crio/crio.conf.d/*", configure_crio_find, engine);
	return r < 0 ? r : find_runtime(g, engine);
}

int doctor_gather_engines(struct doctor_gathering *g)
{
	struct doctor_engine *engines = g->host->engines;
	int r = gather_docker(g, &engines[DOCTOR_DOCKER]);

	if (r == 0)
		r = gather_containerd(g, &engines[DOCTOR_CONTAINERD]);
	if (r == 0)
		r = gather_crio(g, &engines[DOCTOR_CRIO]);
	return r < 0 ? r : find_installed(g, "podman", &engines[DOCTOR_PODMAN]);
}

/* ---- hooks.d ---------------------------------------------------------------------------- */

/* hook.path of the file; *ret NULL: there is none. */
static int read_hook(struct doctor_gathering *g, const char *path, const char **ret,
		     struct error *err)
{
	AUTO_JSON *object = NULL;
	struct json_object *value;
	char *text;
	int r = configure_read(&g->root, path, g->arena, &text, err);

	*ret = NULL;
	if (r == 0 && text)
		r = json_parse(text, strlen(text), ERROR_BAD_CONFIG, path, &object, err);
	if (r < 0 || !text)
		return r;
	if (!json_object_object_get_ex(object, "hook", &value) ||
	    !json_object_is_type(value, json_type_object) ||
	    !json_object_object_get_ex(value, "path", &value) ||
	    !json_object_is_type(value, json_type_string))
		return 0;
	*ret = arena_strdup(g->arena, json_object_get_string(value));
	return *ret ? 0 : -ENOMEM;
}

static int add_hook(struct doctor_gathering *g, const char *path)
{
	struct error err = {0};
	struct doctor_hook *hook;
	const char *program;
	int r = read_hook(g, path, &program, &err);

	if (r == -ENOMEM || (r == 0 && !program))
		return r;
	if (r == 0 && !strstr(program, "davit") && !strstr(program, "nvidia"))
		return 0;
	hook = ARENA_PUSH(g->arena, &g->host->hooks);
	if (!hook)
		return -ENOMEM;
	hook->file = path;
	hook->error = err;
	return r < 0 ? 0 : doctor_find_program(g, program, NULL, &hook->program);
}

int doctor_gather_hooks(struct doctor_gathering *g)
{
	static const char *const folders[] = {"/usr/share/containers/oci/hooks.d",
					      "/etc/containers/oci/hooks.d"};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(folders); i++) {
		struct strings names = {0};

		(void)root_list(&g->root, folders[i], FILES_MAX, g->arena, &names);
		for (size_t j = 0; r == 0 && j < names.count; j++) {
			const char *path =
				arena_printf(g->arena, "%s/%s", folders[i], names.items[j]);

			if (!path)
				return -ENOMEM;
			if (string_ends(path, ".json"))
				r = add_hook(g, path);
		}
	}
	return r;
}
