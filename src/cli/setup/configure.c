// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "davit/config.h"
#include "davit/configure_crio.h"
#include "davit/configure_podman.h"

#include "cli.h"
#include "configure.h"

static const struct {
	const char *name, *file, *drop_in;
} engines[] = {
	/* in the order of enum engine; NULL: it depends on the host */
	{"docker", NULL, NULL},
	{"containerd", NULL, NULL},
	{"crio", NULL, CRIO_FOLDER "/50-davit.conf"},
	{"podman", NULL, NULL},
};

/* The prefix for paths of files of the host at --root. */
const char *configure_below(const struct job *job)
{
	return string_equal(job->root_path, "/") ? "" : job->root_path;
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
		if (changes[i].path && configure_is_changed(job, &changes[i]))
			r = may_write(job, changes[i].target);
	for (size_t i = 0; r == 0 && i < 2; i++)
		if (changes[i].path)
			r = configure_finish_change(job, &changes[i], changed);
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
