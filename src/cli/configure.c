// SPDX-License-Identifier: Apache-2.0
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "davit/configure.h"

static const char help[] =
	"usage: davit configure docker|containerd|crio|podman [OPTION...]\n"
	"\n"
	"Makes an engine give GPUs to its containers by davit; everything else in its files stays as\n"
	"it is. A file that is changed is kept under its name with " CONFIGURE_BACKUP_SUFFIX ".\n"
	"\n"
	"  --dry-run            print the change as a diff, and change nothing\n"
	"  --set-default        every container, not only those with --runtime nvidia\n"
	"  --cdi                switch CDI devices on\n"
	"  --remove             take it back\n"
	"  --root DIR           the files are below DIR\n"
	"  --file FILE          the engine's file, if it isn't at its usual place\n"
	"  --drop-in FILE       the file to be written for containerd, crio or podman\n"
	"  --runtime-name NAME  the runtime's name (nvidia)\n"
	"  --runtime-path FILE  the runtime (" DAVIT_BINDIR "/davit-runtime)\n"
	"\n"
	"example: davit configure docker --dry-run\n";

enum engine { ENGINE_DOCKER, ENGINE_CONTAINERD, ENGINE_CRIO, ENGINE_PODMAN };
static const struct {
	const char *name, *file, *drop_in, *restart;
} engines[] = {
  /* in the order of enum engine */
	{"docker",     "/etc/docker/daemon.json",     NULL,                                           "systemctl restart docker"},
	{"containerd", "/etc/containerd/config.toml", "/etc/containerd/conf.d/davit.toml",
	 "systemctl restart containerd"											 },
	{"crio",       NULL,			  "/etc/crio/crio.conf.d/50-davit.conf",          "systemctl restart crio"  },
	{"podman",     NULL,			  "/usr/share/containers/oci/hooks.d/davit.json", NULL                      },
};

struct job {
	enum engine engine;
	const char *root_path, *file, *drop_in;
	bool dry_run, remove, help;
	struct configure configure;
	struct root root;
	struct arena *arena;
	struct error *err;
};

/* ---- one file --------------------------------------------------------------------------- */

struct change {
	const char *path;
	char *before, *original; /* NULL: no such file */
	char *after;             /* NULL: no file */
	const char *mark;        /* what tells that `before` is of our making already */
};

static int open_change(const struct job *job, const char *path, const char *mark,
		       struct change *ret)
{
	const char *backup = arena_printf(job->arena, "%s" CONFIGURE_BACKUP_SUFFIX, path);
	int r;

	*ret = (struct change){.path = path, .mark = mark};
	if (!backup || !mark)
		return error_memory(job->err);
	r = configure_read(&job->root, path, job->arena, &ret->before, job->err);
	return r < 0 ? r : configure_read(&job->root, backup, job->arena, &ret->original, job->err);
}

/* A file that is ours as a whole. */
static void set_whole(const struct job *job, struct change *change, char *text)
{
	change->after = job->remove ? change->original : text;
	/* Somebody else's file of that name stays when there is nothing of ours to remove. */
	if (job->remove && change->before && !strstr(change->before, change->mark))
		change->after = change->before;
}

static int make_change(const struct job *job, const struct change *change)
{
	bool ours = change->before && strstr(change->before, change->mark);
	const char *backup = arena_printf(job->arena, "%s" CONFIGURE_BACKUP_SUFFIX, change->path);
	bool keep = !job->remove && change->before && !ours;
	int r = 0;

	if (!backup)
		return error_memory(job->err);
	if (keep)
		r = configure_backup(&job->root, change->path, job->arena, job->err);
	if (r == 0)
		r = configure_write(&job->root, change->path, change->after, job->arena, job->err);
	if (r == 0 && job->remove && change->original)
		r = configure_write(&job->root, backup, NULL, job->arena, job->err);
	if (r < 0)
		return r;
	(void)printf("%s %s%s%s\n", change->after ? "wrote" : "removed", change->path,
		     keep ? ", as it was: " : "", keep ? backup : "");
	return 0;
}

static int finish_change(const struct job *job, const struct change *change, unsigned *changed)
{
	const char *diff;

	if (string_equal(change->before, change->after))
		return 0;
	(*changed)++;
	if (!job->dry_run)
		return make_change(job, change);
	diff = configure_diff(change->path, change->before, change->after, job->arena);
	if (!diff)
		return error_memory(job->err);
	(void)fputs(diff, stdout);
	return 0;
}

/* ---- the engines ------------------------------------------------------------------------ */

static int do_docker(const struct job *job, struct change *change)
{
	const char *mark = arena_printf(job->arena, "\"%s\"", job->configure.runtime_path);
	int r = open_change(job, job->file, mark, change);

	if (r < 0 || (job->remove && !change->before))
		return r;
	return job->remove ? configure_docker_remove(change->before, change->original, job->file,
						     &job->configure, job->arena, &change->after,
						     job->err)
			   : configure_docker(change->before, job->file, &job->configure,
					      job->arena, &change->after, job->err);
}

static int do_imports(const struct job *job, struct change *change)
{
	char *made = NULL;
	int r;

	if (!job->remove)
		return configure_containerd(change->before, job->file, job->drop_in, job->arena,
					    &change->after, job->err);
	if (!change->before)
		return 0;
	if (change->original) {
		struct error ignored;

		r = configure_containerd(change->original, job->file, job->drop_in, job->arena,
					 &made, &ignored);
		if (r == 0 && string_equal(made, change->before)) {
			change->after = change->original;
			return 0;
		}
	}
	/* Without a backup, an import that was there before is somebody else's. */
	return configure_containerd_remove(change->before, job->file, job->drop_in, job->arena,
					   &change->after, job->err);
}

static int do_containerd(const struct job *job, struct change *file, struct change *drop_in)
{
	const char *slash = strrchr(job->drop_in, '/'), *note = NULL;
	const char *mark = arena_printf(job->arena, "%.*s*.toml",
					slash ? (int)(slash + 1 - job->drop_in) : 0, job->drop_in);
	char *text = NULL;
	int r = open_change(job, job->file, mark, file);

	if (r == 0)
		r = open_change(job, job->drop_in, "# Made by `davit configure", drop_in);
	if (r == 0)
		r = do_imports(job, file);
	if (r == 0 && !job->remove)
		r = configure_containerd_drop_in(file->before, job->file, &job->configure,
						 job->arena, &text, &note, job->err);
	if (r < 0)
		return r;
	set_whole(job, drop_in, text);
	if (note)
		(void)fprintf(stderr, "davit: note: %s: %s\n", job->file, note);
	return 0;
}

static int do_whole(const struct job *job, struct change *change)
{
	bool crio = job->engine == ENGINE_CRIO;
	char *text = crio ? configure_crio(&job->configure, job->arena)
			  : arena_strdup(job->arena, configure_hook);
	int r = open_change(job, job->drop_in, crio ? "# Made by `davit configure" : "davit-hook",
			    change);

	if (r == 0 && !text)
		r = error_memory(job->err);
	if (r == 0)
		set_whole(job, change, text);
	return r;
}

static int run_job(struct job *job)
{
	struct change changes[2] = {{0}};
	const char *restart = engines[job->engine].restart;
	unsigned changed = 0;
	int r;

	switch (job->engine) {
	case ENGINE_DOCKER:
		r = do_docker(job, &changes[0]);
		break;
	case ENGINE_CONTAINERD:
		r = do_containerd(job, &changes[1], &changes[0]);
		break;
	default:
		r = do_whole(job, &changes[0]);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(changes); i++)
		if (changes[i].path)
			r = finish_change(job, &changes[i], &changed);
	if (r < 0)
		return r;
	if (!changed)
		(void)puts("nothing to change");
	else if (!job->dry_run && restart)
		(void)printf("to be restarted: %s\n", restart);
	else if (!job->dry_run)
		(void)puts("nothing has to be restarted");
	return 0;
}

/* ---- arguments -------------------------------------------------------------------------- */

enum {
	OPT_DRY_RUN,
	OPT_DEFAULT,
	OPT_CDI,
	OPT_REMOVE,
	OPT_HELP,
	OPT_ROOT,
	OPT_FILE,
	OPT_DROP_IN,
	OPT_NAME,
	OPT_PATH
};
static const struct option options[] = {
	{"dry-run",      no_argument,       NULL, OPT_DRY_RUN},
	{"set-default",  no_argument,       NULL, OPT_DEFAULT},
	{"cdi",          no_argument,       NULL, OPT_CDI    },
	{"remove",       no_argument,       NULL, OPT_REMOVE },
	{"help",         no_argument,       NULL, OPT_HELP   },
	{"root",         required_argument, NULL, OPT_ROOT   },
	{"file",         required_argument, NULL, OPT_FILE   },
	{"drop-in",      required_argument, NULL, OPT_DROP_IN},
	{"runtime-name", required_argument, NULL, OPT_NAME   },
	{"runtime-path", required_argument, NULL, OPT_PATH   },
	{NULL,           0,                 NULL, 0          },
};

static int usage_error(const char *what, const char *word)
{
	(void)fprintf(stderr,
		      "davit: cannot understand the command line: %s %s (fix: see `davit configure "
		      "--help`)\n",
		      what, word);
	return -EINVAL;
}

static void take_option(struct job *job, int option)
{
	switch (option) {
	case OPT_DRY_RUN:
		job->dry_run = true;
		break;
	case OPT_DEFAULT:
		job->configure.set_default = true;
		break;
	case OPT_CDI:
		job->configure.cdi = true;
		break;
	case OPT_REMOVE:
		job->remove = true;
		break;
	case OPT_HELP:
		job->help = true;
		break;
	case OPT_ROOT:
		job->root_path = optarg;
		break;
	case OPT_FILE:
		job->file = optarg;
		break;
	case OPT_DROP_IN:
		job->drop_in = optarg;
		break;
	case OPT_NAME:
		job->configure.runtime_name = optarg;
		break;
	default:
		job->configure.runtime_path = optarg;
	}
}

/* Texts that stand between quotation marks in JSON and TOML. */
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

static int take_engine(struct job *job, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(engines); i++)
		if (strcmp(engines[i].name, name) == 0) {
			job->engine = (enum engine)i;
			job->file = job->file ? job->file : engines[i].file;
			job->drop_in = job->drop_in ? job->drop_in : engines[i].drop_in;
			return 0;
		}
	return usage_error("no engine that is known:", name);
}

static int check_job(const struct job *job)
{
	const struct configure *configure = &job->configure;

	if (!is_plain(configure->runtime_name) || strpbrk(configure->runtime_name, "/ "))
		return usage_error("no name of a runtime:", configure->runtime_name);
	if (!is_plain(configure->runtime_path) || configure->runtime_path[0] != '/')
		return usage_error("not an absolute path:", configure->runtime_path);
	if (job->file && (!is_plain(job->file) || job->file[0] != '/'))
		return usage_error("not an absolute path:", job->file);
	if (job->drop_in && (!is_plain(job->drop_in) || job->drop_in[0] != '/'))
		return usage_error("not an absolute path:", job->drop_in);
	if (configure->set_default && job->engine == ENGINE_PODMAN)
		return usage_error("podman's hook sees every container:", "--set-default");
	return 0;
}

static int parse_arguments(int argc, char **argv, struct job *job)
{
	int option, last;

	optind = 0;
	opterr = 0;
	while ((last = optind ? optind : 1, option = getopt_long(argc, argv, ":", options, NULL)) !=
	       -1) {
		if (option == '?' || option == ':')
			return usage_error(option == '?' ? "unknown option" : "no value after",
					   argv[last < argc ? last : argc - 1]);
		take_option(job, option);
	}
	if (job->help)
		return 0;
	if (argc - optind != 1)
		return usage_error(argc == optind ? "no engine" : "more than one engine",
				   "is named");
	if (take_engine(job, argv[optind]) < 0)
		return -EINVAL;
	return check_job(job);
}

int cli_configure(int argc, char **argv)
{
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct job job = {
		.root_path = "/",
		.configure = {.runtime_name = "nvidia",
			      .runtime_path = DAVIT_BINDIR "/davit-runtime"},
		.root = {.fd = -1                       },
		.arena = &arena,
		.err = &err,
	};
	int r;

	/* getopt takes the first for the program's name. */
	if (parse_arguments(argc + 1, argv - 1, &job) < 0)
		return EXIT_USAGE;
	if (job.help)
		return fputs(help, stdout) < 0;
	r = root_open(job.root_path, &job.root, &err);
	if (r == 0)
		r = run_job(&job);
	root_close(&job.root);
	if (fflush(stdout) != 0 && r == 0)
		return 1;
	return r < 0 ? cli_fail(&err) : 0;
}
