// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>

#include "davit/configure.h"
#include "doctor.h"

#define FILES_MAX 1024
#define RUNTIME_NAME "nvidia"
#define AMD_RUNTIME_NAME "amd-container-runtime"
#define HOOK_NAME "nvidia-container-runtime-hook"

/* How an engine's files are read. */
struct reader {
	int (*runtime)(const char *text, const char *path, const char *name, struct arena *arena,
		       const char **ret, struct error *err);
	int (*cgroups)(const char *text, const char *path, struct arena *arena, const char **ret,
		       struct error *err);
};
static const struct reader docker_reader = {configure_docker_find, configure_docker_cgroups};
static const struct reader containerd_reader = {configure_containerd_find,
						configure_containerd_cgroups};
static const struct reader crio_reader = {configure_crio_find, configure_crio_cgroups};

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
static int look_into(struct doctor_gathering *g, const char *path, const struct reader *reader,
		     struct doctor_engine *engine)
{
	const char *runtime = NULL, *cgroups = NULL;
	struct error err = {0};
	char *text;
	int r = read_file(g, path, engine, &text);

	if (r < 0 || !text)
		return r;
	take_time(g, path, engine);
	if (string_equal(path, engine->file))
		engine->file_exists = true;
	r = reader->runtime(text, path, RUNTIME_NAME, g->arena, &runtime, &err);
	if (r == 0)
		r = reader->cgroups(text, path, g->arena, &cgroups, &err);
	if (r < 0 && r != -ENOMEM) {
		engine->file_error = err;
		return 0;
	}
	if (r == 0 && runtime)
		engine->runtime.name = runtime;
	if (r == 0 && cgroups)
		engine->cgroups = cgroups;
	return r;
}

/* "/etc/containerd/conf.d/<star>.toml": one star in the last name, or none. */
static int look_into_all(struct doctor_gathering *g, const char *pattern,
			 const struct reader *reader, struct doctor_engine *engine)
{
	const char *slash = strrchr(pattern, '/'), *star = slash ? strchr(slash, '*') : NULL;
	struct strings names = {0};
	const char *directory, *prefix;
	int r = 0;

	if (!star)
		return look_into(g, pattern, reader, engine);
	directory = arena_strndup(g->arena, pattern, (size_t)(slash - pattern));
	prefix = arena_strndup(g->arena, slash + 1, (size_t)(star - slash - 1));
	if (!directory || !prefix)
		return -ENOMEM;
	(void)root_list(&g->root, directory, FILES_MAX, g->arena, &names);
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const char *name = names.items[i], *path;

		if (name[0] == '.' || !string_starts(name, prefix) || !string_ends(name, star + 1))
			continue;
		path = arena_printf(g->arena, "%s/%s", directory, name);
		r = path ? look_into(g, path, reader, engine) : -ENOMEM;
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

/* What dockerd is told by arguments: --add-runtime nvidia=PATH, --exec-opt native.cgroupdriver= */
static void take_arguments(const struct strings *arguments, struct doctor_engine *engine)
{
	static const char driver[] = "native.cgroupdriver=";
	const char *added = option_of(arguments, "--add-runtime");
	const char *option = option_of(arguments, "--exec-opt");

	if (added && string_starts(added, RUNTIME_NAME "="))
		engine->runtime.name = added + strlen(RUNTIME_NAME "=");
	if (option && string_starts(option, driver))
		engine->cgroups = option + strlen(driver);
}

/* Docker's, from 20.10 on. */
static const char *default_cgroups(const struct doctor_gathering *g)
{
	const struct doctor_system *system = &g->host->system;

	return system->systemd && system->cgroup == DOCTOR_CGROUP_V2 ? "systemd" : "cgroupfs";
}

static int gather_docker(struct doctor_gathering *g, struct doctor_engine *engine)
{
	struct strings arguments = {0};
	int r = doctor_find_daemon(g, "dockerd", engine, &arguments);

	if (r == 0)
		r = find_installed(g, "dockerd", engine);
	if (r == 0)
		r = find_installed(g, "docker", engine);
	if (r < 0 || !(engine->program || engine->pid))
		return r;
	engine->file = option_of(&arguments, "--config-file");
	if (!engine->file)
		engine->file = engine->snap ? "/var/snap/docker/current/config/daemon.json"
					    : "/etc/docker/daemon.json";
	engine->cgroups = default_cgroups(g);
	take_arguments(&arguments, engine);
	r = look_into(g, engine->file, &docker_reader, engine);
	if (r == 0)
		r = find_runtime(g, engine);
	if (r < 0 || engine->hidden)
		return r;
	r = doctor_find_program(g, AMD_RUNTIME_NAME,
				engine->pid ? engine->search : DOCTOR_USUAL_SEARCH,
				&engine->amd_runtime);
	return r < 0 ? r
		     : doctor_find_program(g, HOOK_NAME,
					   engine->pid ? engine->search : DOCTOR_USUAL_SEARCH,
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
		r = look_into_all(g, patterns.items[i], &containerd_reader, engine);
	return r;
}

static int gather_containerd(struct doctor_gathering *g, struct doctor_engine *engine)
{
	struct strings arguments = {0};
	int r = doctor_find_daemon(g, "containerd", engine, &arguments);

	if (r == 0)
		r = find_installed(g, "containerd", engine);
	if (r < 0 || !(engine->program || engine->pid))
		return r;
	engine->cgroups = "cgroupfs";
	engine->file = option_of(&arguments, "--config");
	if (!engine->file)
		engine->file = option_of(&arguments, "-c");
	if (!engine->file)
		engine->file = "/etc/containerd/config.toml";
	r = look_into(g, engine->file, &containerd_reader, engine);
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
	if (r < 0 || !(engine->program || engine->pid))
		return r;
	engine->cgroups = "systemd";
	engine->file = option_of(&arguments, "--config");
	if (!engine->file)
		engine->file = "/etc/crio/crio.conf";
	r = look_into(g, engine->file, &crio_reader, engine);
	if (r == 0)
		r = look_into_all(g, "/etc/crio/crio.conf.d/*", &crio_reader, engine);
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
