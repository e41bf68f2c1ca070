// SPDX-License-Identifier: Apache-2.0
/* davit's block in somebody's file, or in a new template: k3s, RKE2, MicroK8s. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "configure_containerd.h"

/* `before` with davit's settings. Lines of others in the block are kept. */
static int make_block(const struct asking *asking, const struct engine_files *files,
		      const char *before, const struct configure *configure, char **ret,
		      struct strings *ret_kept)
{
	struct job *job = asking->job;
	const char *path = asking->distribution.drop_in;
	const char *old = containerd_block(before, job->arena), *ours, *registered = NULL;
	bool is_template = asking->distribution.place == CONTAINERD_TEMPLATE, own = false;
	struct configure_joined joined = {0};
	struct configure_others others;
	int r;

	if (is_template && containerd_find_registered(&job->root, configure->runtime_path,
						      job->arena, &registered, &own) < 0)
		return error_memory(job->err);
	registered = own ? NULL : registered;
	r = is_template ? configure_containerd_template(before, path, files, registered, configure,
							job->arena, ret, job->err)
			: configure_containerd_inline(before, path, configure, job->arena, ret,
						      job->err);
	ours = r == 0 ? containerd_block(*ret, job->arena) : NULL;
	if (r < 0 || (!ours && !old))
		return r;
	r = configure_split(old, ours ? ours : "", path, job->arena, &others, job->err);
	if (r == 0 && ours)
		r = configure_join(&others, ours, path, configure, job->arena, &joined, job->err);
	if (r < 0)
		return error_fix(job->err, r,
				 "move what isn't davit's out of its lines in %s, then run the "
				 "command again",
				 path);
	*ret_kept = joined.kept;
	if (ours && configure_is_same(old, joined.text, path, job->arena))
		*ret = containerd_set_block(*ret, old, job->arena);
	else if (ours)
		*ret = containerd_set_block(*ret, joined.text, job->arena);
	else if (others.text)
		*ret = arena_printf(job->arena, "%s%s%s", *ret, string_ends(*ret, "\n") ? "" : "\n",
				    others.text);
	if (*ret && is_template)
		*ret = containerd_set_conditions(*ret, configure, job->arena);
	return *ret ? 0 : error_memory(job->err);
}

/* The backup, if davit made all changes since then; otherwise NULL. */
static const char *unchanged_original(const struct asking *asking, const struct engine_files *files,
				      const struct change *change)
{
	for (unsigned options = 0; change->original && options < 4; options++) {
		struct configure tried = asking->job->configure;
		struct error *err = asking->job->err;
		struct error ignored = *err;
		struct strings kept;
		char *made = NULL;
		int r;

		tried.set_default = options & 1;
		tried.cdi = options & 2;
		r = make_block(asking, files, change->original, &tried, &made, &kept);
		*err = ignored;
		if (r == 0 && string_equal(made, change->before))
			return change->original;
	}
	return NULL;
}

/* Removes davit's changes outside its block. */
static int remove_values(const struct job *job, struct change *change)
{
	bool cdi = false;
	int r = configure_containerd_inline_remove(change->after, change->original, change->path,
						   &job->configure, job->arena, &change->after,
						   &cdi, job->err);

	if (r == 0 && cdi && !string_equal(change->before, change->after))
		(void)fprintf(stderr,
			      "davit: note: %s: kept enable_cdi, which may be in use (--remove "
			      "--cdi removes it)\n",
			      change->path);
	return r;
}

static int remove_block(const struct asking *asking, const struct engine_files *files,
			struct change *change)
{
	struct job *job = asking->job;
	bool is_template = asking->distribution.place == CONTAINERD_TEMPLATE;
	const char *block = containerd_block(change->before, job->arena);
	struct configure_left left;
	int r;

	change->after = change->before;
	if (!change->before)
		return 0;
	if (!is_template && unchanged_original(asking, files, change)) {
		change->after = change->original;
		return 0;
	}
	if (block) {
		r = configure_leave(block, change->path, &job->configure, job->arena, &left,
				    job->err);
		if (r < 0)
			return r;
		change->gone = left.gone;
		change->after = containerd_replace_block(change->before, left.text, job->arena);
		if (!change->after)
			return error_memory(job->err);
	}
	if (!is_template)
		return remove_values(job, change);
	if (block && !change->original &&
	    string_equal(change->after, "{{ template \"base\" . }}\n"))
		change->after = NULL;
	return 0;
}

/* That of the block, if the command names none. */
static int keep_name(struct job *job, const struct change *change)
{
	const char *block = change->before ? containerd_block(change->before, job->arena) : NULL;
	struct error ignored;

	/* What isn't TOML is refused later, if that matters. */
	if (block && configure_keep_name(block, change->path, &job->configure, job->arena,
					 &ignored) == -ENOMEM)
		return error_memory(job->err);
	return 0;
}

int configure_do_block(struct asking *asking, const struct engine_files *files,
		       struct change *change)
{
	struct job *job = asking->job;
	int r = configure_open_change(job, asking->distribution.drop_in, CONFIGURE_MARK, change);

	if (r == 0)
		r = containerd_check_block(change->before, change->path, job->err);
	if (r == 0)
		r = keep_name(job, change);
	if (r < 0)
		return r;
	return job->remove ? remove_block(asking, files, change)
			   : make_block(asking, files, change->before, &job->configure,
					&change->after, &change->kept);
}
