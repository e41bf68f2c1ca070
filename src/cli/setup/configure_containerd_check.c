// SPDX-License-Identifier: Apache-2.0
/* What containerd makes of its files with the changes that `davit configure containerd` plans. */
#include <string.h>

#include "configure_containerd.h"

/* Asks containerd for the result of files that aren't written yet. */
int configure_ask(const struct asking *asking, const struct engine_files *files,
		  const char *drop_in_text, struct toml_node **ret)
{
	const struct engine_overlay drop_in = {asking->distribution.drop_in, drop_in_text};

	return containerd_ask_about(&asking->program, files, &drop_in, asking->job->arena, ret,
				    asking->job->err);
}

/*
 * Checks the files without containerd. For an unknown version, both rules of merging must give the
 * right result.
 */
static int check_files(const struct asking *asking, const struct engine_files *before,
		       const struct containerd_change *change)
{
	const struct containerd_version both[] = {
		asking->version.major ? asking->version : (struct containerd_version){2, 1},
		asking->version};
	struct job *job = asking->job;
	int r = 0;

	/* A file of format 1 or 2 may belong to a version before 2.0. */
	for (size_t i = containerd_format(before, asking->version) < 3; r == 0 && i < 2; i++) {
		const struct toml_node *then = containerd_merge(before, both[i], job->arena);
		const struct toml_node *now = containerd_merge(change->files, both[i], job->arena);

		if (!then || !now)
			return error_memory(job->err);
		r = configure_containerd_check(then, now, change, &job->configure, job->arena,
					       job->err);
	}
	return r;
}

/*
 * Checks that the change leaves all other settings unchanged, except those that others set in
 * davit's drop-in. `truth`: containerd's answer before the change, or NULL.
 */
int configure_check_result(const struct asking *asking, const struct engine_files *before,
			   const struct toml_node *truth, const struct change *file,
			   const struct change *drop_in, const struct toml_node *others)
{
	struct job *job = asking->job;
	const struct engine_overlay overlays[] = {
		{asking->distribution.drop_in, drop_in->after},
		{asking->distribution.file, file->after},
	};
	struct engine_files after;
	const struct containerd_change change = {&after, asking->distribution.drop_in, others,
						 asking->version};
	struct toml_node *now;
	int r = containerd_load(&job->root, &asking->distribution, overlays, file->path ? 2 : 1,
				job->arena, &after, job->err);

	/* Others' lines in davit's file may have given it a format of their own. */
	if (r == 0)
		r = containerd_check_format(&after, asking->version, job->err);
	if (r == 0)
		r = check_files(asking, before, &change);
	if (r < 0 || !truth)
		return r;
	r = configure_ask(asking, &after, drop_in->after, &now);
	return r < 0 ? r
		     : configure_containerd_check_dump(truth, now, &change, &job->configure,
						       job->arena, job->err);
}

/* ---- an admin's default runtime ----------------------------------------------------------- */

/* k0s reads this folder by itself: what it has generated from it is what was there at its start. */
static int load_folder(const struct asking *asking, const struct change *own,
		       struct engine_files *ret)
{
	const char *drop_in = asking->distribution.drop_in;
	const char *main = arena_printf(asking->job->arena, "imports = [\"%.*s/*.toml\"]\n",
					(int)(strrchr(drop_in, '/') - drop_in), drop_in);
	const struct engine_overlay overlays[] = {{own->path, own->after},
						  {asking->distribution.file, main}};

	return main ? containerd_load(&asking->job->root, &asking->distribution, overlays, 2,
				      asking->job->arena, ret, asking->job->err)
		    : error_memory(asking->job->err);
}

/* The files that containerd will read. */
static int load_left(const struct asking *asking, const struct change *own,
		     const struct change *file, struct engine_files *ret)
{
	const struct engine_overlay overlays[] = {
		{own->path, own->after}, {file ? file->path : NULL, file ? file->after : NULL}};

	if (asking->distribution.place == CONTAINERD_FOLDER &&
	    string_equal(asking->distribution.name, "k0s"))
		return load_folder(asking, own, ret);
	return containerd_load(&asking->job->root, &asking->distribution, overlays, file ? 2 : 1,
			       asking->job->arena, ret, asking->job->err);
}

static int refuse_default(const struct asking *asking, const char *name, const char *path)
{
	const struct containerd_distribution *distribution = &asking->distribution;
	bool is_generated = string_equal(path, distribution->file) &&
			    (distribution->place == CONTAINERD_TEMPLATE ||
			     distribution->place == CONTAINERD_FOLDER);

	(void)error_set(asking->job->err, ERROR_BAD_CONFIG, EEXIST, NULL,
			"remove the runtime %s: it is the default_runtime_name of %s, so "
			"containerd's CRI plugin would not load without it",
			name, path);
	return is_generated ? error_fix(asking->job->err, -EEXIST,
					"remove default-runtime from the config.yaml or the "
					"command line of %s, and restart it, first",
					distribution->name)
			    : error_fix(asking->job->err, -EEXIST,
					"remove default_runtime_name from %s first", path);
}

/*
 * Whether k3s will have this runtime without davit's file, by itself. `davit node` removes its
 * link, too.
 */
static int is_registered(const struct asking *asking, const char *name, bool *ret)
{
	struct job *job = asking->job;
	const char *path;
	bool own;

	if (containerd_find_registered(&job->root, job->configure.runtime_path, job->arena, &path,
				       &own) < 0)
		return error_memory(job->err);
	*ret = string_equal(name, CONTAINERD_REGISTERED) && path && !(own && job->follow);
	return 0;
}

/* The default in what k3s has generated: the runtimes of its next start may be others. */
static int check_generated(const struct asking *asking, const struct engine_files *files,
			   const struct strings *removed)
{
	const struct toml_node *settings =
		containerd_merge(files, asking->version, asking->job->arena);
	const char *name = containerd_default_runtime(settings);
	bool stays = false;
	int r = settings ? is_registered(asking, name, &stays) : error_memory(asking->job->err);

	if (r < 0 || stays || !strings_contain(removed, name))
		return r;
	return refuse_default(asking, name, asking->distribution.file);
}

/* A default that the files have, but only as a program that k3s had found. */
static int check_found(const struct asking *asking, const struct engine_files *left,
		       const struct strings *removed)
{
	const struct toml_node *settings =
		containerd_merge(left, asking->version, asking->job->arena);
	const char *program = containerd_find_runtime(settings, NULL).program;

	if (!settings)
		return error_memory(asking->job->err);
	return program && string_ends(program, "/" CONTAINERD_REGISTERED_PROGRAM)
		       ? check_generated(asking, left, removed)
		       : 0;
}

/* A template's own lines, and what the distribution itself adds to them. */
static int check_template(const struct asking *asking, const struct engine_files *files,
			  const struct change *own)
{
	struct job *job = asking->job;
	const char *before = containerd_block(own->before, job->arena);
	const char *after = containerd_block(own->after, job->arena), *name;
	struct strings removed;
	int r = containerd_removed_runtimes(before, after, own->path, job->arena, &removed,
					    job->err);

	if (r < 0 || !removed.count)
		return r;
	name = containerd_template_default(own->after ? own->after : "", &removed, job->arena);
	return name ? refuse_default(asking, name, own->path)
		    : check_generated(asking, files, &removed);
}

/* Whether the files had this default runtime's program before davit changed them, as on EKS. */
static bool had_program(const struct asking *asking, const struct change *own,
			const struct change *file, const char *program)
{
	const struct toml_node *settings;
	struct engine_files files;
	struct change earlier;

	if (!file || !file->original)
		return false;
	earlier = *file;
	earlier.after = file->original;
	if (load_left(asking, own, &earlier, &files) < 0)
		return false;
	settings = containerd_merge(&files, asking->version, asking->job->arena);
	return settings && string_equal(containerd_find_runtime(settings, NULL).program, program);
}

/* A default runtime that somebody has copied from davit's drop-in (`containerd config migrate`). */
static int check_programs(const struct asking *asking, const struct change *own,
			  const struct change *file)
{
	struct job *job = asking->job;
	const struct toml_node *settings;
	const char *program;
	struct engine_files left;
	int r;

	if (!job->remove || !job->follow)
		return 0;
	r = load_left(asking, own, file, &left);
	if (r < 0)
		return r;
	settings = containerd_merge(&left, asking->version, job->arena);
	if (!settings)
		return error_memory(job->err);
	program = containerd_find_runtime(settings, NULL).program;
	return had_program(asking, own, file, program)
		       ? 0
		       : configure_check_programs(job, containerd_default_runtime(settings),
						  program, asking->distribution.file);
}

int configure_check_default(const struct asking *asking, const struct engine_files *files,
			    const struct change *own, const struct change *file)
{
	struct job *job = asking->job;
	const char *name, *path;
	struct engine_files left;
	struct strings removed;
	int r = asking->distribution.place == CONTAINERD_IMPORT ? check_programs(asking, own, file)
								: 0;

	if (r < 0 || !own->before)
		return r;
	if (asking->distribution.place == CONTAINERD_TEMPLATE)
		return check_template(asking, files, own);
	r = containerd_removed_runtimes(own->before, own->after, own->path, job->arena, &removed,
					job->err);
	if (r == 0 && removed.count)
		r = load_left(asking, own, file, &left);
	if (r < 0 || !removed.count)
		return r;
	if (containerd_left_default(&left, own->path, &removed, asking->version, job->arena, &name,
				    &path) < 0)
		return error_memory(job->err);
	if (name)
		return refuse_default(asking, name, path);
	/* k0s finds no programs by itself. */
	return asking->distribution.place == CONTAINERD_FOLDER &&
			       !string_equal(asking->distribution.name, "k0s")
		       ? check_found(asking, &left, &removed)
		       : 0;
}
