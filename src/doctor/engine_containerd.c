// SPDX-License-Identifier: Apache-2.0
/* containerd's program, files and settings. */
#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>

#include "davit/configure_containerd.h"
#include "engines.h"

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
		return engine_take_error(engine, r, &err);
	return settings ? 0 : -ENOMEM;
}

#define FILESYSTEMS_MAX ((size_t)64 * 1024)
#define BTRFS_MAGIC 0x9123683EL
#define ZFS_MAGIC 0x2FC12FC1L

/* Whether containerd's directory is on a file system of that type; true if it doesn't exist yet. */
static bool is_on(struct doctor_gathering *g, const char *folder, long type)
{
	AUTO_FD fd = root_openat(&g->root, folder, O_PATH | O_DIRECTORY);
	struct statfs st;

	return fd < 0 || fstatfs(fd, &st) < 0 || st.f_type == type;
}

/* Only kernels with Ubuntu's patches had it. */
static bool lacks_aufs(struct doctor_gathering *g)
{
	char *text;

	return root_read(&g->root, "/proc/filesystems", FILESYSTEMS_MAX, g->arena, &text, NULL) ==
		       0 &&
	       !strstr(text, "\taufs\n");
}

/* 0 or -ENOMEM. */
static int set_fault(struct doctor_gathering *g, struct doctor_engine *engine, const char *remedy,
		     const char *format, const char *first, const char *second)
{
	engine->cri_fault = arena_printf(g->arena, format, first, second);
	engine->cri_remedy = remedy;
	return engine->cri_fault && remedy ? 0 : -ENOMEM;
}

/* Its requirements and snapshotter. */
static int judge_cri(struct doctor_gathering *g, const struct containerd_cri *cri,
		     struct doctor_engine *engine)
{
	const char *root = cri->root ? cri->root : "/var/lib/containerd";
	bool btrfs = string_equal(cri->snapshotter, "btrfs");

	if (cri->id)
		return set_fault(
			g, engine,
			arena_printf(g->arena, "name it as io.containerd.TYPE.VERSION.%s", cri->id),
			"disabled_plugins in %s and its imports contains %s, which isn't "
			"a plugin's whole name: containerd doesn't start",
			engine->file, cri->id);
	if (cri->required)
		return set_fault(
			g, engine,
			arena_printf(g->arena, "remove %s from disabled_plugins", cri->required),
			"disabled_plugins in %s and its imports contains %s, which the "
			"CRI plugin requires: it doesn't load",
			engine->file, cri->required);
	if (cri->no_snapshotter)
		return set_fault(
			g, engine, "correct snapshotter, or install that snapshotter",
			"containerd has no snapshotter %s (%s): the CRI plugin doesn't load",
			cri->snapshotter, cri->no_snapshotter);
	if (string_equal(cri->snapshotter, "aufs") && lacks_aufs(g))
		return set_fault(g, engine, "correct snapshotter",
				 "the snapshotter is %s, which the kernel lacks%s: the CRI plugin "
				 "doesn't load",
				 cri->snapshotter, "");
	if ((btrfs && !is_on(g, root, BTRFS_MAGIC)) ||
	    (string_equal(cri->snapshotter, "zfs") && !is_on(g, root, ZFS_MAGIC)))
		return set_fault(g, engine, "correct snapshotter, or containerd's `root`",
				 "the snapshotter is %s, but %s is on another file system: the CRI "
				 "plugin doesn't load",
				 cri->snapshotter, root);
	return 0;
}

/* What keeps the CRI plugin from loading, besides the default runtime. */
static int find_cri_faults(struct doctor_gathering *g, const struct toml_node *settings,
			   unsigned format, struct containerd_version version,
			   struct doctor_engine *engine)
{
	struct containerd_cri cri;
	struct strings specs;

	if (containerd_base_specs(settings, g->arena, &specs) < 0 ||
	    containerd_judge_cri(settings, format, version, g->arena, &cri) < 0)
		return -ENOMEM;
	/* A rootless daemon has directories of its own. */
	for (size_t i = 0; !engine->rootless && !engine->missing_spec && i < specs.count; i++)
		if (!doctor_exists(g, specs.items[i]))
			engine->missing_spec = specs.items[i];
	engine->mirrors_refused = containerd_refuses_mirrors(settings);
	engine->systemd_refused =
		format < 3 && version.major < 2 && containerd_refuses_systemd(settings);
	engine->cri_disabled = cri.disabled;
	return judge_cri(g, &cri, engine);
}

/* As containerd: in its PATH, then beside its own program. 0 or -ENOMEM. */
static int find_shim(struct doctor_gathering *g, const struct toml_node *settings,
		     const char *runtime, const struct doctor_engine *engine,
		     struct doctor_program *ret)
{
	const char *slash = engine->program ? strrchr(engine->program, '/') : NULL, *name;
	const char *search = engine->search ? engine->search : DOCTOR_USUAL_SEARCH;

	if (slash)
		search = arena_printf(g->arena, "%s:%.*s", search, (int)(slash - engine->program),
				      engine->program);
	if (search && engine->own_folder)
		search = arena_printf(g->arena, "%s:%s", search, engine->own_folder);
	if (!search || containerd_find_shim(settings, runtime, g->arena, &name) < 0)
		return -ENOMEM;
	return name ? doctor_find_program(g, name, search, ret) : 0;
}

static int find_shims(struct doctor_gathering *g, const struct toml_node *settings,
		      struct doctor_engine *engine)
{
	int r = find_shim(g, settings, RUNTIME_NAME, engine, &engine->shim);

	if (r == 0)
		r = find_shim(g, settings, NULL, engine, &engine->standard_shim);
	/* A user can't see where another user's daemon searches. */
	engine->with_shims = !engine->hidden;
	return r;
}

/* The runtime nvidia: its program, or its type if that isn't runc's. */
static void take_runtime(const struct containerd_runtime *runtime, struct doctor_engine *engine)
{
	if (!runtime->exists)
		return;
	if (runtime->type && runtime->type[0] &&
	    !string_starts(runtime->type, "io.containerd.runc.") &&
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
	bool built_in;

	take_runtime(&runtime, engine);
	engine->standard_name = containerd_default_runtime(settings);
	engine->standard.name = other.program && strchr(other.program, '$') ? NULL : other.program;
	engine->cgroups = other.systemd ? "systemd" : "cgroupfs";
	engine->cdi_off = !containerd_cdi(settings, major >= 2);
	engine->cdi_nowhere = !engine->cdi_off && containerd_has_no_spec_dirs(settings);
	engine->cdi_off |= engine->cdi_nowhere;
	if (containerd_spec_dirs(settings, arena, &engine->spec_dirs) < 0)
		return -ENOMEM;
	engine->major = major;
	/*
	 * Before 2.0, a configured runtime removes the built-in default runtime. From 2.0 on, a
	 * dump has the built-in one. There is no other built-in one.
	 */
	built_in = string_equal(engine->standard_name, "runc");
	/* In MicroK8s' template, the name is a variable, such as ${RUNTIME}. */
	if (!other.exists && !strchr(engine->standard_name, '$') &&
	    (!built_in || (containerd_names_runtimes(settings) && (format < 3 || major >= 2))))
		engine->missing_default = engine->standard_name;
	engine->missing_for_sure = major >= 1;
	engine->default_for_sure = major >= 1 || !built_in;
	return 0;
}

static int find_stale(struct doctor_gathering *g, const char *path,
		      const struct engine_files *files, struct containerd_version version,
		      struct doctor_engine *engine)
{
	if (engine->stale)
		return 0;
	engine->stale_by = path;
	return containerd_find_stale(files, path, version, g->arena, &engine->stale,
				     &engine->stale_file);
}

/* Its files as its version reads them, and their settings; NULL: they can't be read. */
static int read_containerd(struct doctor_gathering *g, struct containerd_distribution *distribution,
			   struct doctor_engine *engine, struct engine_files *files,
			   const struct toml_node **ret, struct containerd_version *ret_version)
{
	struct containerd_program program = {.fd = -1};
	struct error err = {0};
	int r;

	*ret = NULL;
	if (string_equal(g->root.path, "/"))
		containerd_open_program(&g->root, distribution, g->arena, &program);
	*ret_version = program.version;
	if (program.globs_from_folder)
		distribution->glob_folder = program.folder ? program.folder : "/";
	r = containerd_load(&g->root, distribution, NULL, 0, g->arena, files, &err);
	engine_take_files(g, files, engine);
	if (r == 0)
		(void)containerd_choose_place(distribution, files, program.version, g->arena,
					      &(struct error){0});
	r = r < 0 ? engine_take_error(engine, r, &err)
		  : ask_containerd(g, &program, files, engine, ret);
	fd_close(&program.fd);
	/* A template is rendered, not read. */
	if (r == 0 && *ret && distribution->place != CONTAINERD_TEMPLATE)
		r = engine_find_unread(g, distribution->drop_in, files, engine);
	if (r == 0 && *ret)
		r = engine_find_unread(g, distribution->last_drop_in, files, engine);
	if (r == 0 && *ret)
		r = find_stale(g, distribution->drop_in, files, program.version, engine);
	if (r == 0 && *ret)
		r = find_stale(g, distribution->last_drop_in, files, program.version, engine);
	return r;
}

int engine_gather_containerd(struct doctor_gathering *g, struct doctor_engine *engine)
{
	struct containerd_distribution distribution;
	struct strings arguments = {0};
	struct engine_files files = {0};
	const struct toml_node *settings = NULL;
	struct error err = {0};
	struct containerd_version version;
	unsigned format;
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
	if (distribution.program)
		engine->own_folder = arena_strndup(
			g->arena, distribution.program,
			(size_t)(strrchr(distribution.program, '/') - distribution.program));
	if (distribution.program && !engine->own_folder)
		return -ENOMEM;
	r = read_containerd(g, &distribution, engine, &files, &settings, &version);
	if (r < 0 || !settings)
		return r;
	format = containerd_format(&files, version);
	r = take_containerd(settings, version.major >= 2 ? 3 : format, version.major, g->arena,
			    engine);
	if (r == 0)
		r = find_cri_faults(g, settings, format, version, engine);
	if (r == 0)
		r = find_shims(g, settings, engine);
	engine_find_own_specs(g, engine);
	return r < 0 ? r : engine_find_runtime(g, engine);
}
