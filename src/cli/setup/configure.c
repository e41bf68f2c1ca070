// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "configure.h"

#define DOCKER_FILE "/etc/docker/daemon.json"
#define OTHERS_MAX ((size_t)2000) /* characters of a note */

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

int configure_open_change(const struct job *job, const char *path, const char *mark,
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

/* With --remove, a file of that name that davit didn't write is kept. */
static bool is_ours(const struct change *change)
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
	if (!is_ours(change))
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
static const char *below(const struct job *job)
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
	return change->after && configure_is_looser(&job->root, change->path, &change->access);
}

static bool is_changed(const struct job *job, const struct change *change)
{
	return !string_equal(change->before, change->after) || is_tightened(job, change);
}

static void print_tightened(const struct job *job, const struct change *change)
{
	(void)printf("%s %s%s: permissions, because it repeats a file that fewer users can read\n",
		     job->dry_run ? "would tighten" : "tightened", below(job), change->path);
}

static int make_change(const struct job *job, const struct change *change)
{
	bool tightened = is_tightened(job, change);
	bool ours = change->before && strstr(change->before, change->mark);
	const char *backup = arena_printf(job->arena, "%s" CONFIGURE_BACKUP_SUFFIX, change->path);
	bool keep = !job->remove && change->before && !ours && !change->own;
	int r;

	if (!backup)
		return error_memory(job->err);
	r = configure_write_limited(&job->root, change->path, change->after, keep, &change->access,
				    job->arena, job->err);
	if (r == 0 && job->remove && change->original &&
	    (!change->own || change->after == change->original))
		r = configure_write(&job->root, backup, NULL, false, job->arena, job->err);
	if (r < 0)
		return r;
	if (cli_is_quiet())
		return 0;
	if (tightened)
		print_tightened(job, change);
	if (tightened && string_equal(change->before, change->after))
		return 0;
	(void)printf("%s %s%s%s%s%s%s%s\n", change->after ? "wrote" : "removed", below(job),
		     change->path, keep ? " (original: " : "", keep ? below(job) : "",
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

static bool exists(const struct job *job, const char *path)
{
	struct stat st;

	return path && root_stat(&job->root, path, 0, &st) == 0;
}

const char *configure_find_rootless(const struct job *job, enum engine engine)
{
	return configure_rootless_file(
		&job->root, engine == ENGINE_DOCKER ? CONFIGURE_DOCKER : CONFIGURE_CONTAINERD,
		job->arena);
}

/* Whether only a snap's Docker is installed, or the file belongs to it. */
static bool is_snap(const struct job *job)
{
	return job->file ? string_starts(job->file, "/var/snap/")
			 : configure_docker_is_snap(&job->root);
}

/* Sets why dockerd refuses a text; NULL: davit found nothing. 0 or -errno. */
static int judge_docker(const struct job *job, const struct docker_program *program,
			const char *text, const char *path, const char **ret_cause)
{
	int r = configure_docker_judge(text, path, NULL,
				       program->major == 0 || program->major >= 23, job->arena,
				       ret_cause, job->err);

	if (r < 0 || *ret_cause)
		return r;
	return docker_ask(program, text, job->arena, ret_cause) < 0 ? error_memory(job->err) : 0;
}

/* davit must not break a file that dockerd accepts. */
static int validate_docker(const struct job *job, const struct change *change)
{
	struct docker_program program = {.fd = -1};
	const char *after = NULL, *before = NULL;
	int r;

	if (!change->after || string_equal(change->before, change->after))
		return 0;
	if (!*below(job))
		docker_open_program(&job->root, NULL, job->arena, &program);
	r = judge_docker(job, &program, change->after, change->path, &after);
	if (r == 0 && after && change->before)
		r = judge_docker(job, &program, change->before, change->path, &before);
	fd_close(&program.fd);
	if (r < 0 || !after)
		return r;
	if (!before && !job->dry_run && !job->remove)
		return error_set(job->err, ERROR_BAD_CONFIG, EINVAL,
				 "see the change with `davit configure docker --dry-run`, and "
				 "remove what dockerd refuses",
				 "change %s: dockerd would refuse it: %s", change->path, after);
	(void)fprintf(stderr, "davit: note: %s: dockerd doesn't start with this file: %s\n",
		      change->path, after);
	return 0;
}

/* Notes reasons outside the file for which --device nvidia.com/gpu=... wouldn't work. */
static int note_docker(const struct job *job, const struct change *change)
{
	struct configure_docker_facts facts;
	int r;

	if (!change->after)
		return 0;
	r = configure_docker_find(change->after, change->path, job->configure.runtime_name,
				  job->arena, &facts, job->err);
	if (r == 0 && facts.mark)
		(void)fprintf(stderr,
			      "davit: note: %s begins with a byte order mark, which "
			      "dockerd accepts only since 23.0\n",
			      change->path);
	if (r == 0 && facts.cdi_off)
		(void)fprintf(stderr,
			      "davit: note: %s: features.cdi is false, so `--device "
			      "nvidia.com/gpu=...` fails; --cdi enables it\n",
			      change->path);
	if (r == 0 && facts.spec_dirs.count && !strings_contain(&facts.spec_dirs, "/etc/cdi") &&
	    !strings_contain(&facts.spec_dirs, "/var/run/cdi"))
		(void)fprintf(stderr,
			      "davit: note: %s: dockerd looks for CDI specs only in %s: "
			      "davit cdi generate --output %s/nvidia.json\n",
			      change->path, strings_list(job->arena, &facts.spec_dirs, 200),
			      facts.spec_dirs.items[0]);
	return r;
}

/* Notes settings that `--remove` keeps or removes, although davit may not have written them. */
static int note_docker_removal(const struct job *job, struct change *change)
{
	const char *name = job->configure.runtime_name;
	struct configure_docker_facts before, after = {0}, original = {0};
	struct strings others, left = {0};
	int r = configure_docker_find(change->before, change->path, name, job->arena, &before,
				      job->err);

	if (r == 0 && change->after)
		r = configure_docker_find(change->after, change->path, name, job->arena, &after,
					  job->err);
	if (r == 0 && change->original) {
		struct error ignored;

		(void)configure_docker_find(change->original, change->path, name, job->arena,
					    &original, &ignored);
	}
	if (r == 0)
		r = configure_docker_others(change->before, change->path, name, job->arena, &others,
					    job->err);
	if (r == 0 && change->after)
		r = configure_docker_others(change->after, change->path, name, job->arena, &left,
					    job->err);
	if (r < 0)
		return r;
	if (!left.count)
		change->gone = others;
	if (string_equal(change->before, change->after) && before.runtime)
		(void)fprintf(stderr,
			      "davit: note: %s: kept the runtime %s: its program %s isn't davit's "
			      "(--runtime-path %s removes it)\n",
			      change->path, name, before.runtime, before.runtime);
	else if (before.runtime && after.cdi_on && !original.cdi_on)
		(void)fprintf(stderr,
			      "davit: note: %s: kept features.cdi, which may be in use (--remove "
			      "--cdi removes it)\n",
			      change->path);
	return 0;
}

static int do_docker(struct job *job, struct change *change)
{
	static const char *const services[] = {"docker"};
	const char *mark = arena_printf(job->arena, "\"%s\"", job->configure.runtime_path);
	const char *rootless = job->file ? NULL : configure_find_rootless(job, ENGINE_DOCKER);
	const char *file = job->file ? job->file : rootless ? rootless : DOCKER_FILE;
	int r;

	if (is_snap(job) && !job->remove)
		return error_set(
			job->err, ERROR_BAD_CONFIG, ENOTSUP,
			"use Docker's own package, or the distribution's (`snap remove "
			"docker`)",
			"configure Docker: it is a snap, which can't run the host's programs");
	r = configure_open_change(job, file, mark, change);
	job->restart =
		rootless || string_ends(file, "/.config/docker/daemon.json")
			? "systemctl --user restart docker"
			: configure_restart(&job->root, services, ARRAY_SIZE(services), job->arena);
	if (r < 0 || (job->remove && !change->before))
		return r;
	r = job->remove
		    ? configure_docker_remove(change->before, change->original, file,
					      &job->configure, job->arena, &change->after, job->err)
		    : configure_docker(change->before, file, &job->configure, job->arena,
				       &change->after, job->err);
	if (r == 0)
		r = validate_docker(job, change);
	if (r < 0)
		return r;
	return job->remove ? note_docker_removal(job, change) : note_docker(job, change);
}

/* The usual name in one of the directories that Podman reads; NULL: it reads none. */
static const char *choose_hook_file(const struct job *job, const struct podman_hooks *hooks)
{
	const char *chosen = NULL;

	for (size_t i = 0; i < hooks->folders.count; i++) {
		const char *folder = hooks->folders.items[i];
		const char *path = arena_printf(job->arena, "%s/davit.json", folder);

		if (folder[0] != '/' || !path)
			continue;
		if (exists(job, path))
			return path;
		if (!chosen || string_equal(folder, PODMAN_HOOKS))
			chosen = path;
	}
	return chosen;
}

/* A file that the user names, but Podman doesn't read. */
static void note_unread(const struct job *job, const struct podman_hooks *hooks)
{
	const char *slash = strrchr(job->drop_in, '/');
	const char *folder =
		arena_strndup(job->arena, job->drop_in, (size_t)(slash - job->drop_in));

	if (!string_ends(job->drop_in, ".json"))
		(void)fprintf(
			stderr,
			"davit: note: Podman doesn't read %s, because its name doesn't end in "
			".json\n",
			job->drop_in);
	else if (folder && !strings_contain(&hooks->folders, folder))
		(void)fprintf(
			stderr,
			"davit: note: Podman doesn't read %s: add it to hooks_dir in the table "
			"[engine] of %s\n",
			folder, hooks->file ? hooks->file : "/etc/containers/containers.conf");
}

static int change_hook_file(const struct job *job, const char *path, struct change *change)
{
	struct configure_hook_file file;
	int r = configure_open_change(job, path, "/davit-hook\"", change);

	change->own = true;
	change->after = change->before;
	if (r < 0 || (job->remove && !is_ours(change)))
		return r;
	r = configure_podman(change->before, path, job->arena, &file, job->err);
	if (r < 0)
		return r;
	change->after = job->remove ? change->original : file.text;
	change->kept = job->remove ? change->kept : file.others;
	change->gone = job->remove ? file.others : change->gone;
	return 0;
}

static int do_podman(struct job *job, struct change changes[static 2])
{
	struct podman podman;
	struct podman_hooks hooks;
	struct error ignored;
	bool must = !job->drop_in && !job->remove;
	const char *path = job->drop_in;
	int r;

	configure_find_podman(&job->root, job->arena, &podman);
	r = configure_podman_hooks(&job->root, &podman, job->arena, &hooks,
				   must ? job->err : &ignored);
	if (r < 0 && must)
		return r;
	if (path && r == 0 && !job->remove)
		note_unread(job, &hooks);
	if (!path)
		path = choose_hook_file(job, &hooks);
	if (!path && must)
		return error_set(job->err, ERROR_BAD_CONFIG, EINVAL,
				 "name a directory there, for example " PODMAN_HOOKS
				 ", or use --drop-in DIRECTORY/davit.json and `podman "
				 "--hooks-dir DIRECTORY`",
				 "register the hook: hooks_dir in %s names no directory, so Podman "
				 "reads no hooks",
				 hooks.file);
	r = path ? change_hook_file(job, path, &changes[0]) : 0;
	/* What was written before hooks_dir was set. */
	if (r == 0 && job->remove && !job->drop_in &&
	    !string_equal(path, PODMAN_HOOKS "/davit.json"))
		r = change_hook_file(job, PODMAN_HOOKS "/davit.json", &changes[1]);
	return r;
}

static int do_crio(struct job *job, struct change *change)
{
	static const char *const services[] = {"crio"};
	const char *main = job->file ? job->file : CRIO_MAIN;
	struct engine_overlay overlay = {job->drop_in, NULL};
	struct engine_files files;
	const struct toml_node *settings, *others;
	char *text = NULL;
	int r = configure_open_change(job, job->drop_in, CONFIGURE_MARK, change);

	job->restart = configure_restart(&job->root, services, ARRAY_SIZE(services), job->arena);
	if (r < 0 || job->remove)
		return r < 0 ? r : configure_set_own(job, change, NULL, &others);
	r = crio_load(&job->root, main, CRIO_FOLDER, &overlay, 1, job->arena, &files, job->err);
	if (r < 0)
		return r;
	settings = crio_merge(&files, job->arena);
	text = settings ? configure_crio(settings, &job->configure, job->arena) : NULL;
	if (!text)
		return error_memory(job->err);
	r = configure_set_own(job, change, text, &others);
	if (r < 0)
		return r;
	overlay.text = change->after;
	r = crio_load(&job->root, main, CRIO_FOLDER, &overlay, 1, job->arena, &files, job->err);
	return r < 0 ? r
		     : configure_crio_check(&files, job->drop_in, &job->configure, job->arena,
					    job->err);
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
		r = do_docker(job, &changes[0]);
		break;
	case ENGINE_CONTAINERD:
		r = configure_do_containerd(job, changes);
		break;
	case ENGINE_CRIO:
		r = do_crio(job, &changes[0]);
		break;
	default:
		r = do_podman(job, changes);
	}
	/* Either all of them or none. */
	for (size_t i = 0; r == 0 && !job->dry_run && i < 2; i++)
		if (changes[i].path && is_changed(job, &changes[i]))
			r = may_write(job, changes[i].path);
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
		(void)printf(RESTART_NEEDED "%s: %s\n", *below(job) ? " on that host" : "",
			     job->restart);
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
static enum engine find_engine(const char *name)
{
	size_t i = 0;

	while (i + 1 < ARRAY_SIZE(engines) && strcmp(engines[i].name, name) != 0)
		i++;
	return (enum engine)i;
}

static void take_arguments(const struct arguments *arguments, struct job *job)
{
	const char *root = arguments_value(arguments, "root");
	const char *file = arguments_value(arguments, "file");
	const char *drop_in = arguments_value(arguments, "drop-in");
	const char *name = arguments_value(arguments, "runtime-name");
	const char *path = arguments_value(arguments, "runtime-path");

	job->engine = find_engine(arguments->words.items[0]);
	job->root_path = root ? root : "/";
	job->file = file ? file : engines[job->engine].file;
	job->drop_in = drop_in ? drop_in : engines[job->engine].drop_in;
	job->dry_run = arguments_flag(arguments, "dry-run");
	job->remove = arguments_flag(arguments, "remove");
	job->whole = arguments_flag(arguments, "whole");
	job->configure = (struct configure){
		.runtime_name = name ? name : "nvidia",
		.runtime_path = path ? path : DAVIT_BINDIR "/davit-runtime",
		.set_default = arguments_flag(arguments, "set-default"),
		.cdi = arguments_flag(arguments, "cdi"),
	};
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

static int run(const struct arguments *arguments)
{
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct job job = {.root = {.fd = -1}, .arena = &arena, .err = &err};
	int r;

	take_arguments(arguments, &job);
	if (check_job(arguments, &job) != 0)
		return EXIT_USAGE;
	r = root_open(job.root_path, &job.root, &err);
	if (r == 0)
		r = run_job(&job);
	root_close(&job.root);
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
