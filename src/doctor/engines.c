// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>

#include "davit/configure_crio.h"
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

int engine_take_error(struct doctor_engine *engine, int r, const struct error *err)
{
	if (r == -EACCES || r == -EPERM)
		engine->file_hidden = true;
	else if (r < 0 && r != -ENOMEM)
		engine->file_error = *err;
	return r == -ENOMEM ? r : 0;
}

void engine_take_files(struct doctor_gathering *g, const struct engine_files *files,
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

int engine_take_unit(struct doctor_gathering *g, const char *name, struct doctor_engine *engine,
		     struct strings *arguments)
{
	struct configure_service service;
	int r;

	if (engine->pid || engine->snap || g->host->system.uid != 0)
		return 0;
	r = configure_find_service(&g->root, name, string_equal(name, "docker") ? "dockerd" : name,
				   g->arena, &service);
	engine->unit_hidden = r == 0 && service.hidden;
	if (r == 0 && service.search)
		engine->search = service.search;
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

int engine_find_unread(struct doctor_gathering *g, const char *path,
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
	engine_take_files(g, &files, engine);
	if (r < 0)
		return engine_take_error(engine, r, &err);
	settings = crio_merge(&files, g->arena);
	if (!settings || add_crio_hooks(g, settings) < 0 || judge_crio(g, settings, engine) < 0)
		return -ENOMEM;
	engine->runtime.name = crio_find_runtime(settings, RUNTIME_NAME);
	cgroups = crio_cgroups(settings);
	if (cgroups)
		engine->cgroups = cgroups;
	if (engine_find_unread(g, CRIO_FOLDER "/50-davit.conf", &files, engine) < 0)
		return -ENOMEM;
	return engine_find_runtime(g, engine);
}

int doctor_gather_engines(struct doctor_gathering *g)
{
	struct doctor_engine *engines = g->host->engines;
	int r = engine_gather_docker(g, &engines[DOCTOR_DOCKER]);

	if (r == 0)
		r = engine_gather_containerd(g, &engines[DOCTOR_CONTAINERD]);
	if (r == 0)
		r = gather_crio(g, &engines[DOCTOR_CRIO]);
	return r < 0 ? r : engine_find_installed(g, "podman", &engines[DOCTOR_PODMAN]);
}
