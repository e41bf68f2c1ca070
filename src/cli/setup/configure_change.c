// SPDX-License-Identifier: Apache-2.0
/* `davit configure`: the change of one file. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli.h"
#include "configure.h"

#define OTHERS_MAX ((size_t)2000) /* characters of a note */
#define LINKS_MAX 40              /* as in the kernel */

/* The file to which a link leads, in the host's root. */
static int find_target(const struct job *job, const char *path, const char **ret)
{
	const char *link = NULL;
	struct stat st;

	*ret = path;
	for (int i = 0; i < LINKS_MAX; i++) {
		link = root_readlink(&job->root, *ret, job->arena);
		if (!link)
			break;
		*ret = link[0] == '/' ? link
				      : arena_printf(job->arena, "%.*s/%s",
						     (int)(strrchr(*ret, '/') - *ret), *ret, link);
		if (!*ret)
			return error_memory(job->err);
	}
	if (*ret == path || root_stat(&job->root, path, 0, &st) == 0)
		return 0;
	return error_set(job->err, ERROR_BAD_CONFIG, ENOENT, "create that file, or remove the link",
			 "write %s: it is a link to %s, which doesn't exist", path, *ret);
}

int configure_open_change(const struct job *job, const char *path, const char *mark,
			  struct change *ret)
{
	const char *target = path, *backup;
	int r = job->follow ? find_target(job, path, &target) : 0;

	*ret = (struct change){.path = path, .target = target, .mark = mark};
	if (r < 0)
		return r;
	backup = arena_printf(job->arena, "%s" CONFIGURE_BACKUP_SUFFIX, target);
	if (!backup || !mark)
		return error_memory(job->err);
	r = configure_read(&job->root, path, job->arena, &ret->before, job->err);
	return r < 0 ? r : configure_read(&job->root, backup, job->arena, &ret->original, job->err);
}

/* With --remove, a file of that name that davit didn't write is kept. */
bool configure_is_ours(const struct change *change)
{
	if (change->before && !strstr(change->before, change->mark) &&
	    !configure_has_lines(change->before)) {
		(void)fprintf(stderr, "davit: note: %s: kept this file, which davit didn't write\n",
			      change->path);
		return false;
	}
	return change->before;
}

static int leave(const struct job *job, struct change *change)
{
	struct configure_left left;
	int r;

	change->after = change->before;
	if (!configure_is_ours(change))
		return 0;
	r = configure_leave(change->before, change->path, &job->configure, job->arena, &left,
			    job->err);
	if (r < 0)
		return r;
	change->after = left.text ? arena_strdup(job->arena, left.text) : change->original;
	change->kept = left.kept;
	change->gone = left.gone;
	return left.text && !change->after ? error_memory(job->err) : 0;
}

static int join(const struct job *job, struct change *change, const char *ours,
		const struct toml_node **ret_others)
{
	struct configure_others others;
	struct configure_joined joined = {0};
	int r = configure_split(change->before, ours, change->path, job->arena, &others, job->err);

	if (r == 0)
		r = configure_join(&others, ours, change->path, &job->configure, job->arena,
				   &joined, job->err);
	if (r < 0)
		return r;
	change->after = joined.text;
	change->kept = joined.kept;
	*ret_others = others.top;
	if (configure_is_same(change->before, joined.text, change->path, job->arena))
		change->after = change->before;
	return 0;
}

int configure_set_own(const struct job *job, struct change *change, const char *ours,
		      const struct toml_node **ret_others)
{
	*ret_others = NULL;
	change->own = true;
	return job->remove ? leave(job, change) : join(job, change, ours, ret_others);
}

/* The lines of others, which remain in davit's own file. */
static const char *kept_lines(const struct job *job, const struct change *change)
{
	return job->remove && change->own && change->after && change->after != change->original
		       ? " (kept the lines that davit didn't write)"
		       : "";
}

/* A file with another's content was readable to others. */
static bool is_tightened(const struct job *job, const struct change *change)
{
	return change->after && configure_is_looser(&job->root, change->target, &change->access);
}

bool configure_is_changed(const struct job *job, const struct change *change)
{
	return !string_equal(change->before, change->after) || is_tightened(job, change);
}

static void print_tightened(const struct job *job, const struct change *change)
{
	(void)printf("%s %s%s: permissions, because it repeats a file that fewer users can read\n",
		     job->dry_run ? "would tighten" : "tightened", configure_below(job),
		     change->path);
}

/* Whether the existing file is kept as a backup. */
static bool keeps_backup(const struct job *job, const struct change *change)
{
	return !job->remove && change->before && !strstr(change->before, change->mark) &&
	       !change->own;
}

static bool removes_backup(const struct job *job, const struct change *change)
{
	return job->remove && change->original &&
	       (!change->own || change->after == change->original);
}

static int report_change(const struct job *job, const struct change *change)
{
	const char *backup = arena_printf(job->arena, "%s" CONFIGURE_BACKUP_SUFFIX, change->target);
	bool keeps = keeps_backup(job, change);
	int r = 0;

	if (!backup)
		return error_memory(job->err);
	if (!job->on_change)
		return 0;
	if (keeps || removes_backup(job, change))
		r = job->on_change(job->context, backup, keeps ? change->before : NULL);
	return r < 0 ? r : job->on_change(job->context, change->target, change->after);
}

static int make_change(const struct job *job, const struct change *change)
{
	bool tightened = is_tightened(job, change);
	const char *backup = arena_printf(job->arena, "%s" CONFIGURE_BACKUP_SUFFIX, change->target);
	const char *link = change->target != change->path ? change->path : NULL;
	bool keep = keeps_backup(job, change);
	int r;

	if (!backup)
		return error_memory(job->err);
	r = configure_write_limited(&job->root, change->target, change->after, keep,
				    &change->access, job->arena, job->err);
	if (r == 0 && removes_backup(job, change))
		r = configure_write(&job->root, backup, NULL, false, job->arena, job->err);
	if (r < 0)
		return r;
	if (cli_is_quiet())
		return 0;
	if (tightened)
		print_tightened(job, change);
	if (tightened && string_equal(change->before, change->after))
		return 0;
	(void)printf("%s %s%s%s%s%s%s%s%s%s\n", change->after ? "wrote" : "removed",
		     configure_below(job), change->target, link ? ", the target of the link " : "",
		     link ? link : "", keep ? " (original: " : "", keep ? configure_below(job) : "",
		     keep ? backup : "", keep ? ")" : "", kept_lines(job, change));
	return 0;
}

/* Prints the settings that davit doesn't change, because others wrote them. */
static int print_others(const struct job *job, const struct change *change)
{
	const char *kept = strings_list(job->arena, &change->kept, OTHERS_MAX);
	const char *gone = strings_list(job->arena, &change->gone, OTHERS_MAX);

	if (!kept || !gone)
		return error_memory(job->err);
	if (change->kept.count && !job->remove)
		(void)fprintf(stderr, "davit: note: %s: kept %s, which davit didn't write\n",
			      change->path, kept);
	if (change->gone.count)
		(void)fprintf(stderr,
			      "davit: note: %s: also removed %s, which davit didn't write\n",
			      change->path, gone);
	return 0;
}

int configure_finish_change(const struct job *job, const struct change *change, unsigned *changed)
{
	const char *diff;
	int r = print_others(job, change);

	if (r < 0)
		return r;
	if (!configure_is_changed(job, change) && !(job->whole && job->dry_run))
		return 0;
	(*changed)++;
	r = report_change(job, change);
	if (r < 0 || job->check)
		return r;
	if (!job->dry_run)
		return make_change(job, change);
	if (job->whole) {
		(void)fputs(change->after ? change->after : "", stdout);
		return 0;
	}
	if (is_tightened(job, change))
		print_tightened(job, change);
	diff = configure_diff(change->path, change->before, change->after, job->arena);
	if (!diff)
		return error_memory(job->err);
	(void)fputs(diff, stdout);
	return 0;
}
