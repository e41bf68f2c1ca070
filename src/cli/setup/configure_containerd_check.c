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
