// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>

#include "davit/configure.h"
#include "engines.h"

#define FILES_MAX 1024

/* ---- files of an engine ----------------------------------------------------------------- */

void engine_take_time(struct doctor_gathering *g, const char *path, struct doctor_engine *engine)
{
	struct stat st;

	if (root_stat(&g->root, path, 0, &st) < 0 || st.st_mtime < engine->changed)
		return;
	engine->newest = path;
	engine->changed = st.st_mtime;
}

/* 0 or -ENOMEM; that a file can't be read is also a fact. */
static int take_error(struct doctor_engine *engine, int r, const struct error *err)
{
	if (r == -EACCES || r == -EPERM)
		engine->file_hidden = true;
	else if (r < 0 && r != -ENOMEM)
		engine->file_error = *err;
	return r == -ENOMEM ? r : 0;
}

static void take_files(struct doctor_gathering *g, const struct engine_files *files,
		       struct doctor_engine *engine)
{
	for (size_t i = 0; i < files->count; i++) {
		if (!files->items[i].text)
			continue;
		engine_take_time(g, files->items[i].path, engine);
		engine->file_exists |= string_equal(files->items[i].path, engine->file);
	}
}

/* The first directory with a spec that the engine's files name, besides the defaults. */
void engine_find_own_specs(struct doctor_gathering *g, struct doctor_engine *engine)
{
	for (size_t i = 0; !engine->own_specs && i < engine->spec_dirs.count; i++) {
		const char *folder = engine->spec_dirs.items[i];
		struct strings names = {0};

		if (string_equal(folder, "/etc/cdi") || string_equal(folder, "/var/run/cdi"))
			continue;
		(void)root_list(&g->root, folder, FILES_MAX, g->arena, &names);
		for (size_t j = 0; j < names.count; j++)
			if (string_ends(names.items[j], ".json") ||
			    string_ends(names.items[j], ".yaml"))
				engine->own_specs = folder;
	}
}

/* ---- the engines ------------------------------------------------------------------------ */

/* Finds the installed program, if no daemon is running. */
int engine_find_installed(struct doctor_gathering *g, const char *name,
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

int engine_find_runtime(struct doctor_gathering *g, struct doctor_engine *engine)
{
	const char *search = engine->search ? engine->search : DOCTOR_USUAL_SEARCH;
	int r = 0;

	if (engine->runtime.name)
		r = doctor_find_program(g, engine->runtime.name, search, &engine->runtime);
	if (r == 0 && engine->standard.name)
		r = doctor_find_program(g, engine->standard.name, search, &engine->standard);
	return r;
}

int engine_take_unit(struct doctor_gathering *g, const char *name,
		     const struct doctor_engine *engine, struct strings *arguments)
{
	struct configure_service service;
	int r;

	if (engine->pid || engine->snap || g->host->system.uid != 0)
		return 0;
	r = configure_find_service(&g->root, name, string_equal(name, "docker") ? "dockerd" : name,
				   g->arena, &service);
	if (r == 0 && service.arguments.count)
		r = strings_add(g->arena, arguments, service.program ? service.program : name);
	for (size_t i = 0; r == 0 && i < service.arguments.count; i++)
		r = strings_add(g->arena, arguments, service.arguments.items[i]);
	return r;
}

/* A rootless daemon's file in its user's configuration; `system` for the host's. NULL: no memory.
 */
const char *engine_file_of(struct doctor_gathering *g, const struct doctor_engine *engine,
			   const char *name, const char *system)
{
	if (engine->rootless && engine->config_home && engine->config_home[0] == '/')
		return arena_printf(g->arena, "%s/%s", engine->config_home, name);
	if (engine->rootless && engine->home)
		return arena_printf(g->arena, "%s/.config/%s", engine->home, name);
	return system;
}

/* From containerd itself, if it can be queried; otherwise from its files. */
static int ask_containerd(struct doctor_gathering *g, const struct containerd_program *program,
			  const struct engine_files *files, struct doctor_engine *engine,
			  const struct toml_node **ret)
{
	struct toml_node *settings = NULL;
	struct error err = {0};
	int r = 0;

	if (program->path)
		r = containerd_ask_about(program, files, &(struct engine_overlay){0}, g->arena,
					 &settings, &err);
	else
		settings = containerd_merge(files, program->version, g->arena);
	*ret = settings;
	if (r < 0)
		return take_error(engine, r, &err);
	return settings ? 0 : -ENOMEM;
}

/* What keeps the CRI plugin from loading, besides the default runtime. */
static int find_cri_faults(struct doctor_gathering *g, const struct toml_node *settings,
			   unsigned format, struct doctor_engine *engine)
{
	struct strings specs;

	if (containerd_base_specs(settings, g->arena, &specs) < 0)
		return -ENOMEM;
	/* A rootless daemon has directories of its own. */
	for (size_t i = 0; !engine->rootless && !engine->missing_spec && i < specs.count; i++)
		if (!doctor_exists(g, specs.items[i]))
			engine->missing_spec = specs.items[i];
	engine->mirrors_refused = containerd_refuses_mirrors(settings);
	engine->systemd_refused = format < 3 && containerd_refuses_systemd(settings);
	return 0;
}

/* The runtime nvidia: its program, or its type if that isn't runc's. */
static void take_runtime(const struct containerd_runtime *runtime, struct doctor_engine *engine)
{
	if (!runtime->exists)
		return;
	if (runtime->type && !string_starts(runtime->type, "io.containerd.runc.") &&
	    !string_equal(runtime->type, "io.containerd.runtime.v1.linux"))
		engine->other_type = runtime->type;
	else
		engine->runtime.name = runtime->program ? runtime->program : "runc";
}

static int take_containerd(const struct toml_node *settings, unsigned format, unsigned major,
			   struct arena *arena, struct doctor_engine *engine)
{
	struct containerd_runtime runtime = containerd_find_runtime(settings, RUNTIME_NAME);
	struct containerd_runtime other = containerd_find_runtime(settings, NULL);

	take_runtime(&runtime, engine);
	engine->standard_name = containerd_default_runtime(settings);
	engine->standard.name = other.program;
	engine->cgroups = other.systemd ? "systemd" : "cgroupfs";
	engine->cri_disabled = containerd_cri_disabled(settings);
	engine->cdi_off =
		!containerd_cdi(settings, major >= 2) || containerd_has_no_spec_dirs(settings);
	if (containerd_spec_dirs(settings, arena, &engine->spec_dirs) < 0)
		return -ENOMEM;
	engine->major = major;
	/*
	 * Before 2.0, a configured runtime removes the built-in default runtime. From 2.0 on, a
	 * dump has the built-in one.
	 */
	if (!other.exists && containerd_names_runtimes(settings) && (format < 3 || major >= 2))
		engine->missing_default = containerd_default_runtime(settings);
	return 0;
}

/* A file that davit wrote for the engine, but that the engine doesn't read. 0 or -ENOMEM. */
static int find_unread(struct doctor_gathering *g, const char *path,
		       const struct engine_files *files, struct doctor_engine *engine)
{
	struct error ignored = {0};
	char *text = NULL;
	int r;

	if (!path || engine->unread)
		return 0;
	for (size_t i = 0; i < files->count; i++)
		if (string_equal(files->items[i].path, path) && files->items[i].text)
			return 0;
	r = configure_read(&g->root, path, g->arena, &text, &ignored);
	if (text && (strstr(text, CONFIGURE_MARK) || configure_has_lines(text)))
		engine->unread = path;
	return r == -ENOMEM ? r : 0;
}

/* Its files as its version reads them, and their settings; NULL: they can't be read. */
static int read_containerd(struct doctor_gathering *g, struct containerd_distribution *distribution,
			   struct doctor_engine *engine, struct engine_files *files,
			   const struct toml_node **ret, unsigned *ret_major)
{
	struct containerd_program program = {.fd = -1};
	struct error err = {0};
	int r;

	*ret = NULL;
	if (string_equal(g->root.path, "/"))
		containerd_open_program(&g->root, distribution, g->arena, &program);
	*ret_major = program.version.major;
	if (program.globs_from_folder)
		distribution->glob_folder = program.folder ? program.folder : "/";
	r = containerd_load(&g->root, distribution, NULL, 0, g->arena, files, &err);
	take_files(g, files, engine);
	if (r == 0)
		(void)containerd_choose_place(distribution, files, program.version, g->arena,
					      &(struct error){0});
	r = r < 0 ? take_error(engine, r, &err) : ask_containerd(g, &program, files, engine, ret);
	fd_close(&program.fd);
	if (r == 0 && *ret)
		r = find_unread(g, distribution->drop_in, files, engine);
	if (r == 0 && *ret)
		r = find_unread(g, distribution->last_drop_in, files, engine);
	return r;
}

static int gather_containerd(struct doctor_gathering *g, struct doctor_engine *engine)
{
	struct containerd_distribution distribution;
	struct strings arguments = {0};
	struct engine_files files = {0};
	const struct toml_node *settings = NULL;
	struct error err = {0};
	unsigned major = 0;
	int r = doctor_find_daemon(g, "containerd", engine, &arguments);

	if (r == 0)
		r = engine_find_installed(g, "containerd", engine);
	if (r == 0)
		r = engine_take_unit(g, "containerd", engine, &arguments);
	if (r < 0)
		return r;
	engine->file = doctor_option_of(&arguments, "--config");
	if (!engine->file)
		engine->file = doctor_option_of(&arguments, "-c");
	engine->named = engine->file && strcmp(engine->file, CONTAINERD_MAIN) != 0;
	/* A rootless daemon sees its user's file at this path. */
	if (!engine->file || (engine->rootless && string_equal(engine->file, CONTAINERD_MAIN)))
		engine->file = engine_file_of(g, engine, "containerd/config.toml", NULL);
	r = containerd_find_distribution(&g->root, engine->file, g->arena, &distribution, &err);
	if (r == -EINVAL)
		r = containerd_find_distribution(&g->root, CONTAINERD_MAIN, g->arena, &distribution,
						 &err);
	if (r < 0 || !(engine->program || engine->pid || distribution.name))
		return r;
	if (!engine->program && distribution.program && doctor_exists(g, distribution.program))
		engine->program = distribution.program;
	engine->cgroups = "cgroupfs";
	engine->file = distribution.file;
	engine->named &= !distribution.name;
	distribution.rootless = engine->rootless;
	engine->restart = engine->rootless
				  ? "systemctl --user restart containerd"
				  : configure_restart(&g->root, distribution.services,
						      distribution.services[1] ? 2 : 1, g->arena);
	r = read_containerd(g, &distribution, engine, &files, &settings, &major);
	if (r < 0 || !settings)
		return r;
	r = take_containerd(
		settings,
		major >= 2 ? 3 : containerd_format(&files, (struct containerd_version){major, 0}),
		major, g->arena, engine);
	if (r == 0)
		r = find_cri_faults(
			g, settings,
			major >= 2
				? 3
				: containerd_format(&files, (struct containerd_version){major, 0}),
			engine);
	engine->missing_for_sure = major >= 1;
	engine_find_own_specs(g, engine);
	return r < 0 ? r : engine_find_runtime(g, engine);
}

static int add_crio_hooks(struct doctor_gathering *g, const struct toml_node *settings)
{
	struct strings folders = {0};
	int r = crio_hook_folders(settings, g->arena, &folders);

	for (size_t i = 0; r == 0 && i < folders.count; i++)
		r = doctor_add_hooks(g, folders.items[i], DOCTOR_CRIO);
	return r;
}

/* CRI-O itself says whether it would start with these settings. */
static int judge_crio(struct doctor_gathering *g, const struct toml_node *settings,
		      struct doctor_engine *engine)
{
	const char *missing = crio_missing_default(settings);
	AUTO_FD program = string_equal(g->root.path, "/") ? crio_open_program(&g->root) : -1;

	if (crio_ask(program, settings, g->arena, &engine->refused) < 0)
		return -ENOMEM;
	if (!missing || engine->refused)
		return 0;
	engine->refused =
		arena_printf(g->arena, "there is no runtime %s, the default_runtime", missing);
	return engine->refused ? 0 : -ENOMEM;
}

static int gather_crio(struct doctor_gathering *g, struct doctor_engine *engine)
{
	static const char *const services[] = {"crio"};
	struct strings arguments = {0};
	struct engine_files files = {0};
	const struct toml_node *settings;
	struct error err = {0};
	const char *folder, *cgroups;
	int r = doctor_find_daemon(g, "crio", engine, &arguments);

	if (r == 0)
		r = engine_find_installed(g, "crio", engine);
	if (r < 0 || !(engine->program || engine->pid))
		return r;
	r = engine_take_unit(g, "crio", engine, &arguments);
	if (r < 0)
		return r;
	engine->cgroups = "systemd";
	engine->file = doctor_option_of(&arguments, "--config");
	if (!engine->file)
		engine->file = doctor_option_of(&arguments, "-c");
	engine->named = engine->file && strcmp(engine->file, CRIO_MAIN) != 0;
	if (!engine->file)
		engine->file = CRIO_MAIN;
	folder = doctor_option_of(&arguments, "--config-dir");
	if (!folder)
		folder = doctor_option_of(&arguments, "-d");
	engine->restart = configure_restart(&g->root, services, ARRAY_SIZE(services), g->arena);
	r = crio_load(&g->root, engine->file, folder ? folder : CRIO_FOLDER, NULL, 0, g->arena,
		      &files, &err);
	take_files(g, &files, engine);
	if (r < 0)
		return take_error(engine, r, &err);
	settings = crio_merge(&files, g->arena);
	if (!settings || add_crio_hooks(g, settings) < 0 || judge_crio(g, settings, engine) < 0)
		return -ENOMEM;
	engine->runtime.name = crio_find_runtime(settings, RUNTIME_NAME);
	cgroups = crio_cgroups(settings);
	if (cgroups)
		engine->cgroups = cgroups;
	if (find_unread(g, CRIO_FOLDER "/50-davit.conf", &files, engine) < 0)
		return -ENOMEM;
	return engine_find_runtime(g, engine);
}

int doctor_gather_engines(struct doctor_gathering *g)
{
	struct doctor_engine *engines = g->host->engines;
	int r = engine_gather_docker(g, &engines[DOCTOR_DOCKER]);

	if (r == 0)
		r = gather_containerd(g, &engines[DOCTOR_CONTAINERD]);
	if (r == 0)
		r = gather_crio(g, &engines[DOCTOR_CRIO]);
	return r < 0 ? r : engine_find_installed(g, "podman", &engines[DOCTOR_PODMAN]);
}
