// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "davit/config.h"
#include "davit/configure_crio.h"
#include "davit/configure_podman.h"

#include "cli.h"
#include "configure.h"

#define OTHERS_MAX ((size_t)2000) /* characters of a note */
#define LINKS_MAX 40              /* as in the kernel */

static const struct {
	const char *name, *file, *drop_in;
} engines[] = {
	/* in the order of enum engine; NULL: it depends on the host */
	{"docker", NULL, NULL},
	{"containerd", NULL, NULL},
	{"crio", NULL, CRIO_FOLDER "/50-davit.conf"},
	{"podman", NULL, NULL},
};

/* ---- one file --------------------------------------------------------------------------- */

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

/* The prefix for paths of files of the host at --root. */
const char *configure_below(const struct job *job)
{
	return string_equal(job->root_path, "/") ? "" : job->root_path;
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

static bool is_changed(const struct job *job, const struct change *change)
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

static int finish_change(const struct job *job, const struct change *change, unsigned *changed)
{
	const char *diff;
	int r = print_others(job, change);

	if (r < 0)
		return r;
	if (!is_changed(job, change) && !(job->whole && job->dry_run))
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

/* ---- the engines ------------------------------------------------------------------------ */

const char *configure_own_variable(const struct job *job, const char *name)
{
	return configure_variable(name, job->arena);
}

const char *configure_find_rootless(const struct job *job, enum engine engine)
{
	return configure_rootless_file(
		&job->root, engine == ENGINE_DOCKER ? CONFIGURE_DOCKER : CONFIGURE_CONTAINERD,
		job->arena);
}

/* A read-only /usr: Podman can read hooks elsewhere. */
static int may_write(const struct job *job, const char *path)
{
	int r = configure_may_write(&job->root, path, job->arena, job->err);

	if (r == -EROFS && job->engine == ENGINE_PODMAN && !job->remove && !job->drop_in)
		return error_fix(job->err, r,
				 "use --drop-in /etc/containers/oci/hooks.d/davit.json, and name "
				 "that directory in hooks_dir of /etc/containers/containers.conf");
	return r;
}

/* ---- running ----------------------------------------------------------------------------- */

static int run_changes(struct job *job, struct change changes[static 2], unsigned *changed)
{
	int r;

	switch (job->engine) {
	case ENGINE_DOCKER:
		r = configure_do_docker(job, &changes[0]);
		break;
	case ENGINE_CONTAINERD:
		r = configure_do_containerd(job, changes);
		break;
	case ENGINE_CRIO:
		r = configure_do_crio(job, &changes[0]);
		break;
	default:
		r = configure_do_podman(job, changes);
	}
	if (r == 0 && !job->remove && job->engine != ENGINE_PODMAN)
		r = configure_check_low_level(job);
	/* Either all of them or none. */
	for (size_t i = 0; r == 0 && (!job->dry_run || job->check) && i < 2; i++)
		if (changes[i].path && is_changed(job, &changes[i]))
			r = may_write(job, changes[i].target);
	for (size_t i = 0; r == 0 && i < 2; i++)
		if (changes[i].path)
			r = finish_change(job, &changes[i], changed);
	return r;
}

/*
 * Whether --remove took away containerd's drop-in beside the main file. An earlier one in conf.d
 * remained when a later file there overrode it.
 */
static bool may_have_another(const struct job *job, const struct change *drop_in)
{
	return job->engine == ENGINE_CONTAINERD && job->remove && !job->dry_run && !job->drop_in &&
	       drop_in->path && drop_in->before && !drop_in->after &&
	       string_ends(drop_in->path, "/davit.toml") &&
	       !string_ends(drop_in->path, ".d/davit.toml");
}

static int run_job(struct job *job)
{
	struct change changes[2] = {{0}}, again[2] = {{0}};
	unsigned changed = 0;
	int r = run_changes(job, changes, &changed);

	if (r == 0 && may_have_another(job, &changes[1]))
		r = run_changes(job, again, &changed);
	if (r < 0)
		return r;
	if (cli_is_quiet() || (job->whole && job->dry_run))
		return 0;
	if (!changed)
		(void)puts("nothing to change");
	else if (!job->dry_run && job->restart)
		(void)printf(RESTART_NEEDED "%s: %s\n",
			     *configure_below(job) ? " on that host" : "", job->restart);
	else if (!job->dry_run)
		(void)puts("no restart is needed");
	return 0;
}

/* ---- arguments -------------------------------------------------------------------------- */

/* Whether the text consists of printable ASCII, and needs no escapes in JSON and TOML. */
static bool is_plain(const char *text)
{
	size_t length = strlen(text);

	if (length == 0 || length > 1000)
		return false;
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e || *text == '"' || *text == '\\')
			return false;
	return true;
}

/* The parser accepts only the listed names. */
enum engine configure_find_engine(const char *name)
{
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(engines) && strcmp(engines[i].name, name) != 0)
		i++;
	return (enum engine)i;
}

static void set_defaults(struct job *job)
{
	if (!job->file)
		job->file = engines[job->engine].file;
	if (!job->drop_in)
		job->drop_in = engines[job->engine].drop_in;
	if (!job->configure.runtime_name)
		job->configure.runtime_name = "nvidia";
	if (!job->configure.runtime_path)
		job->configure.runtime_path = DAVIT_BINDIR "/davit-runtime";
}

static void take_arguments(const struct arguments *arguments, struct job *job)
{
	const char *root = arguments_value(arguments, "root");
	const char *file = arguments_value(arguments, "file");
	const char *drop_in = arguments_value(arguments, "drop-in");
	const char *name = arguments_value(arguments, "runtime-name");
	const char *path = arguments_value(arguments, "runtime-path");

	job->engine = configure_find_engine(arguments->words.items[0]);
	job->root_path = root ? root : "/";
	job->file = file;
	job->drop_in = drop_in;
	job->dry_run = arguments_flag(arguments, "dry-run");
	job->remove = arguments_flag(arguments, "remove");
	job->whole = arguments_flag(arguments, "whole");
	job->configure = (struct configure){
		.runtime_name = name,
		.named = name,
		.runtime_path = path,
		.set_default = arguments_flag(arguments, "set-default"),
		.cdi = arguments_flag(arguments, "cdi"),
	};
	set_defaults(job);
}

/*
 * Whether dockerd may find the program on its PATH. Scripts use NVIDIA's name without a directory.
 */
static bool may_be_found(const struct job *job)
{
	const char *path = job->configure.runtime_path;

	return job->engine == ENGINE_DOCKER && !strchr(path, '/') &&
	       string_starts(path, "nvidia-container-runtime");
}

static int check_job(const struct arguments *arguments, const struct job *job)
{
	const struct configure *configure = &job->configure;
	const char *const paths[] = {configure->runtime_path, job->file, job->drop_in};

	if (!is_plain(configure->runtime_name) || strpbrk(configure->runtime_name, "/ "))
		return usage_error(arguments, "not a runtime name: %.100s",
				   configure->runtime_name);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (paths[i] &&
		    (!is_plain(paths[i]) || (paths[i][0] != '/' && !(i == 0 && may_be_found(job)))))
			return usage_error(arguments, "not an absolute path: %.100s", paths[i]);
	if (configure->set_default && job->engine == ENGINE_PODMAN)
		return usage_error(
			arguments,
			"podman's hook sees every container: --set-default has no effect");
	return 0;
}

int configure_run(struct job *job)
{
	int r;

	set_defaults(job);
	r = root_open(job->root_path, &job->root, job->err);
	if (r == 0)
		r = run_job(job);
	root_close(&job->root);
	return r;
}

static int run(const struct arguments *arguments)
{
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct job job = {.root = {.fd = -1}, .arena = &arena, .err = &err};
	char *config = NULL;
	int r = 0;

	take_arguments(arguments, &job);
	if (check_job(arguments, &job) != 0)
		return EXIT_USAGE;
	if (arguments->config)
		r = config_read(arguments->config, &arena, &config, &err);
	job.config = config;
	if (r == 0)
		r = configure_run(&job);
	if (fflush(stdout) != 0 && r == 0)
		return 1;
	return r < 0 ? cli_fail(&err) : 0;
}

static const struct command_option options[] = {
	{"dry-run", OPTION_FLAG, NULL, "print the change as a diff, and don't change any file"},
	{"whole", OPTION_FLAG, NULL, "with --dry-run: print the whole resulting files"},
	{"set-default", OPTION_FLAG, NULL,
	 "use davit for every container, not only with --runtime nvidia"},
	{"cdi", OPTION_FLAG, NULL, "enable CDI devices; with --remove: disable them again"},
	{"remove", OPTION_FLAG, NULL, "revert the configuration"},
	{"root", OPTION_VALUE, "DIR", "look for the engine's files below DIR"},
	{"file", OPTION_VALUE, "FILE", "the engine's file, if it isn't at the default path"},
	{"drop-in", OPTION_VALUE, "FILE",
	 "the file that is written for containerd, crio or podman"},
	{"runtime-name", OPTION_VALUE, "NAME", "the runtime's name (nvidia)"},
	{"runtime-path", OPTION_VALUE, "FILE", "the runtime (" DAVIT_BINDIR "/davit-runtime)"},
	{NULL, 0, NULL, NULL},
};

const struct command command_configure = {
	.name = "configure",
	.summary = "configure docker, containerd, CRI-O or podman to use davit",
	.help = "Configures an engine to use davit. The rest of its configuration is left untouched. The\n"
		"original of a changed file is kept as FILE" CONFIGURE_BACKUP_SUFFIX
		". Lines that others add to davit's own\n"
		"files are kept, too. For a rootless Docker or containerd, its user runs it without root.\n",
	.example = "davit configure docker --dry-run",
	.options = options,
	.words = "docker|containerd|crio|podman",
	.words_min = 1,
	.words_max = 1,
	.run = run,
};
