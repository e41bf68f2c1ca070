// SPDX-License-Identifier: Apache-2.0
/* `davit configure crio`: a file of davit's own in the folder of CRI-O's configuration. */
#include <stdio.h>

#include "davit/configure_crio.h"

#include "configure.h"

static int load(const struct job *job, const char *drop_in_text, struct engine_files *ret)
{
	const struct engine_overlay overlay = {job->drop_in, drop_in_text};

	return crio_load(&job->root, job->file ? job->file : CRIO_MAIN, CRIO_FOLDER, &overlay, 1,
			 job->arena, ret, job->err);
}

/* *ret_cause: why CRI-O doesn't start with these files; NULL: it does, or can't be asked. */
static int ask(const struct job *job, int program, const struct engine_files *files,
	       const char **ret_cause)
{
	const struct toml_node *settings = crio_merge(files, job->arena);

	if (!settings || crio_ask(program, settings, job->arena, ret_cause) < 0)
		return error_memory(job->err);
	return 0;
}

/* davit must not break files that CRI-O accepts. */
static int validate(const struct job *job, const char *path, const struct engine_files *before,
		    const struct engine_files *after)
{
	const char *cause = NULL, *earlier = NULL;
	AUTO_FD program = *configure_below(job) ? -1 : crio_open_program(&job->root);
	int r = ask(job, program, after, &cause);

	if (r == 0 && cause)
		r = ask(job, program, before, &earlier);
	if (r < 0 || !cause)
		return r;
	if (!earlier)
		return error_set(
			job->err, ERROR_BAD_CONFIG, EINVAL,
			"see the change with `davit configure crio --dry-run`, and correct "
			"what CRI-O refuses",
			"change %s: CRI-O would refuse its configuration: %s", path, cause);
	(void)fprintf(stderr, "davit: note: CRI-O doesn't start with its configuration: %s\n",
		      cause);
	return 0;
}

static int make_drop_in(struct job *job, struct change *change)
{
	struct engine_files others;
	const struct toml_node *settings, *kept;
	char *text = NULL;
	int r = load(job, NULL, &others);

	if (r == 0 && change->before)
		r = configure_keep_name(change->before, change->path, &job->configure, job->arena,
					job->err);
	if (r == 0 && change->before && configure_has_lines(change->before))
		r = configure_crio_keep_options(change->before, change->path, &job->configure,
						job->arena, job->err);
	if (r < 0)
		return r;
	settings = crio_merge(&others, job->arena);
	if (!settings)
		return error_memory(job->err);
	r = configure_crio(settings, &job->configure, job->arena, &text, job->err);
	return r < 0 ? r : configure_set_own(job, change, text, &kept);
}

/* A default runtime that somebody has copied from davit's drop-in (`crio config`). */
static int check_programs(const struct job *job, const struct engine_files *left)
{
	const struct toml_node *settings = crio_merge(left, job->arena);
	const char *name = crio_default_runtime(settings);

	if (!settings)
		return error_memory(job->err);
	return name ? configure_check_programs(job, name, crio_find_runtime(settings, name),
					       job->file ? job->file : CRIO_MAIN)
		    : 0;
}

static int check(struct job *job, const struct change *change)
{
	bool same = string_equal(change->before, change->after);
	struct engine_files before, after;
	int r = load(job, change->after, &after);

	if (r == 0 && job->remove)
		r = check_programs(job, &after);
	if (r < 0 || (job->remove && same))
		return r;
	if (!job->remove)
		r = configure_crio_check(&after, job->drop_in, &job->configure, job->arena,
					 job->err);
	if (r == 0 && !same)
		r = load(job, change->before, &before);
	if (r < 0 || same)
		return r;
	if (job->remove)
		r = configure_crio_check_left(&before, &after, job->arena, job->err);
	return r < 0 ? r : validate(job, change->path, &before, &after);
}

int configure_do_crio(struct job *job, struct change *change)
{
	static const char *const services[] = {"crio"};
	const struct toml_node *kept;
	int r = configure_open_change(job, job->drop_in, CONFIGURE_MARK, change);

	job->restart = configure_restart(&job->root, services, ARRAY_SIZE(services), job->arena);
	if (r == 0)
		r = job->remove ? configure_set_own(job, change, NULL, &kept)
				: make_drop_in(job, change);
	return r < 0 ? r : check(job, change);
}
