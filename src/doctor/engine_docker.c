// SPDX-License-Identifier: Apache-2.0
/* Docker's program, files and arguments. */
#include <fcntl.h>
#include <string.h>

#include "davit/configure_docker.h"
#include "davit/json_edit.h"
#include "engines.h"

#define AMD_RUNTIME_NAME "amd-container-runtime"
#define HOOK_NAME "nvidia-container-runtime-hook"

/* ---- its file --------------------------------------------------------------------------- */

/*
 * ret is NULL if the file doesn't exist, or can't be read; the engine's facts then say so. 0 or
 * -ENOMEM.
 */
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

/* What dockerd doesn't accept in its file. 0 or -ENOMEM. */
static int judge_docker(struct doctor_gathering *g, const char *text, const char *userns,
			const struct strings *arguments, const struct docker_program *program,
			struct doctor_engine *engine)
{
	struct json_edit edit = {g->arena, engine->file, text + json_edit_mark(text)};
	struct strings names;
	struct error ignored = {0};
	int r = doctor_option_keys(arguments, "--add-runtime", g->arena, &names);

	if (r < 0)
		return r;
	/* dockerd before 23.0 knows no runtimeType. */
	r = configure_docker_judge(text, engine->file, &names,
				   program->major == 0 || program->major >= 23, g->arena,
				   &engine->refused, &ignored);
	if (r == 0 && !engine->refused)
		r = docker_ask(program, text, g->arena, &engine->refused);
	if (r == 0 && !engine->refused && userns)
		r = engine_judge_userns(g, userns, &engine->refused);
	if (!json_edit_is_empty(text))
		engine->doubled = doctor_find_doubled(&edit, arguments);
	return r == -ENOMEM ? r : 0;
}

static void open_docker(struct doctor_gathering *g, struct doctor_engine *engine,
			struct docker_program *ret)
{
	*ret = (struct docker_program){.fd = -1};
	if (string_equal(g->root.path, "/") && engine->program &&
	    string_ends(engine->program, "/dockerd"))
		docker_open_program(&g->root, engine->program, g->arena, ret);
	engine->major = ret->major;
	engine->minor = ret->minor;
}

/* Docker has CDI devices since 25.0. Before 28.2, features.cdi enables them. */
static bool cdi_is_off(const struct doctor_engine *engine,
		       const struct configure_docker_facts *facts)
{
	bool by_default = engine->major == 0 || engine->major > 28 ||
			  (engine->major == 28 && engine->minor >= 2);

	if (facts->cdi_off || facts->cdi_nowhere || (engine->major && engine->major < 25))
		return true;
	return !facts->cdi_on && !by_default;
}

/*
 * Since 29.2, dockerd resolves the links that rootlesskit makes of the default directories, and a
 * rootless one reads two more.
 */
static int add_users_dirs(struct doctor_gathering *g, struct doctor_engine *engine)
{
	const char *run = configure_variable("XDG_RUNTIME_DIR", g->arena);
	const char *const dirs[] = {"/etc/cdi", "/var/run/cdi",
				    engine_file_of(g, engine, "cdi", NULL),
				    run ? arena_printf(g->arena, "%s/cdi", run) : NULL};

	if (!engine->rootless || engine->major < 29 || (engine->major == 29 && engine->minor < 2))
		return 0;
	engine->resolves_links = true;
	for (size_t i = 0; engine->spec_dirs.count == i && i < ARRAY_SIZE(dirs); i++)
		if (dirs[i] && strings_add(g->arena, &engine->spec_dirs, dirs[i]) < 0)
			return -ENOMEM;
	return 0;
}

/* The default runtime's program, if the file or an option names one. 0 or -ENOMEM. */
static int take_standard(struct doctor_gathering *g, const char *text, const char *name,
			 const struct strings *arguments, struct doctor_engine *engine)
{
	const char *option = doctor_option_of(arguments, "--default-runtime");
	const char *added;
	struct configure_docker_facts facts = {0};
	struct error ignored;

	engine->standard_name = option ? option : name;
	if (!engine->standard_name)
		return 0;
	added = doctor_option_pair(arguments, "--add-runtime", engine->standard_name);
	if (configure_docker_find(text, engine->file, engine->standard_name, g->arena, &facts,
				  &ignored) == -ENOMEM)
		return -ENOMEM;
	engine->standard.name = added ? added : facts.runtime;
	return 0;
}

/* What is only an option isn't in the text that dockerd was asked about. 0 or -ENOMEM. */
static int judge_default(struct doctor_gathering *g, const struct strings *arguments,
			 struct doctor_engine *engine)
{
	const char *option = doctor_option_of(arguments, "--default-runtime");

	/* The name of a shim has a dot. */
	if (!option || engine->standard.name || engine->refused || strcmp(option, "runc") == 0 ||
	    strchr(option, '.'))
		return 0;
	engine->refused =
		arena_printf(g->arena, "specified default runtime '%s' does not exist", option);
	return engine->refused ? 0 : -ENOMEM;
}

static int read_docker(struct doctor_gathering *g, const struct strings *arguments,
		       const struct docker_program *program, struct doctor_engine *engine)
{
	struct configure_docker_facts facts = {0};
	const char *remap = doctor_option_of(arguments, "--userns-remap");
	struct error err = {0};
	char *text;
	int r = read_file(g, engine->file, engine, &text);

	engine->cdi_off = cdi_is_off(engine, &facts);
	if (r == 0)
		r = add_users_dirs(g, engine);
	if (r == 0 && !text)
		r = take_standard(g, "", NULL, arguments, engine);
	if (r == 0 && remap)
		r = engine_judge_userns(g, remap, &engine->refused);
	if (r == 0 && !text)
		r = judge_default(g, arguments, engine);
	if (r < 0 || !text)
		return r;
	engine_take_time(g, engine->file, engine);
	engine->file_exists = true;
	r = configure_docker_find(text, engine->file, RUNTIME_NAME, g->arena, &facts, &err);
	if (r < 0 && r != -ENOMEM) {
		engine->file_error = err;
		return 0;
	}
	if (facts.runtime)
		engine->runtime.name = facts.runtime;
	if (facts.cgroups)
		engine->cgroups = facts.cgroups;
	engine->file_mark = facts.mark;
	engine->cdi_false = facts.cdi_off;
	engine->cdi_nowhere = facts.cdi_nowhere;
	engine->cdi_off = cdi_is_off(engine, &facts);
	if (facts.spec_dirs.count)
		engine->spec_dirs = facts.spec_dirs;
	if (r == 0)
		r = take_standard(g, text, facts.standard, arguments, engine);
	if (r == 0)
		r = judge_docker(g, text, facts.userns, arguments, program, engine);
	return r == 0 ? judge_default(g, arguments, engine) : r;
}

/* ---- its arguments ---------------------------------------------------------------------- */

/* Reads dockerd's arguments --add-runtime nvidia=PATH and --exec-opt native.cgroupdriver=. */
static void take_arguments(const struct strings *arguments, struct doctor_engine *engine)
{
	const char *added = doctor_option_pair(arguments, "--add-runtime", RUNTIME_NAME);
	const char *cgroups = doctor_option_pair(arguments, "--exec-opt", "native.cgroupdriver");

	if (added)
		engine->runtime.name = added;
	if (cgroups)
		engine->cgroups = cgroups;
}

/* Docker's default since 20.10. */
static const char *default_cgroups(const struct doctor_gathering *g)
{
	const struct doctor_system *system = &g->host->system;

	return system->systemd && system->cgroup == DOCTOR_CGROUP_V2 ? "systemd" : "cgroupfs";
}

/* NULL: no memory. */
static const char *docker_file(struct doctor_gathering *g, struct doctor_engine *engine)
{
	const char *own =
		engine->pid ? NULL : configure_rootless_file(&g->root, CONFIGURE_DOCKER, g->arena);

	if (engine->snap)
		return "/var/snap/docker/current/config/daemon.json";
	engine->rootless |= own != NULL;
	if (own)
		return own;
	return engine_file_of(g, engine, "docker/daemon.json", "/etc/docker/daemon.json");
}

int engine_gather_docker(struct doctor_gathering *g, struct doctor_engine *engine)
{
	static const char *const services[] = {"snap.docker", "docker"};
	struct docker_program program;
	struct strings arguments = {0};
	int r = doctor_find_daemon(g, "dockerd", engine, &arguments);

	if (r == 0)
		r = engine_find_installed(g, "dockerd", engine);
	if (r == 0)
		r = engine_find_installed(g, "docker", engine);
	if (r == 0 && !engine->pid && configure_docker_is_snap(&g->root)) {
		engine->snap = true;
		engine->program = "/snap/bin/docker";
	}
	if (r < 0 || !(engine->program || engine->pid))
		return r;
	r = engine_take_unit(g, "docker", engine, &arguments);
	if (r < 0)
		return r;
	engine->of_unit = !engine->pid && arguments.count;
	engine->file = doctor_option_of(&arguments, "--config-file");
	engine->named = engine->file && strcmp(engine->file, "/etc/docker/daemon.json") != 0;
	if (!engine->file)
		engine->file = docker_file(g, engine);
	if (!engine->file)
		return -ENOMEM;
	engine->restart = engine->rootless ? "systemctl --user restart docker"
					   : configure_restart(&g->root, services + !engine->snap,
							       1, g->arena);
	engine->cgroups = default_cgroups(g);
	take_arguments(&arguments, engine);
	open_docker(g, engine, &program);
	r = read_docker(g, &arguments, &program, engine);
	fd_close(&program.fd);
	engine_find_own_specs(g, engine);
	if (r == 0)
		r = engine_find_runtime(g, engine);
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
