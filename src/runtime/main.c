// SPDX-License-Identifier: Apache-2.0
/*
 * davit-runtime replaces runc. On create (and run), it writes the result of the container's request
 * into config.json. Then, as for all other commands, it executes the low-level runtime.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "davit/runtime.h"

#define EXIT_FAILED 1
#define EXIT_NEEDS_PROGRAM 2 /* the edit's child must be able to start davit-nvml or modprobe */

static void report(const struct runtime_arguments *arguments, const struct error *err)
{
	char line[ERROR_LINE_MAX];

	error_line(err, line);
	log_error(err);
	if (arguments->log)
		runtime_log_error(arguments->log, arguments->log_json, line);
	(void)fprintf(stderr, "%s\n", line);
}

/* ---- the bundle ------------------------------------------------------------------------- */

/* NULL or "": the working directory. */
static int make_absolute(const char *given, struct arena *arena, const char **ret,
			 struct error *err)
{
	char cwd[PATH_MAX];

	if (given && given[0] == '/') {
		*ret = given;
		return 0;
	}
	if (!getcwd(cwd, sizeof(cwd)))
		return error_errno(err, errno, "find the working directory");
	*ret = given && given[0] ? arena_printf(arena, "%s/%s", cwd, given)
				 : arena_strdup(arena, cwd);
	return *ret ? 0 : error_memory(err);
}

/* Whether crun's --config is another file than the bundle's, which its bare name means. */
static bool is_elsewhere(const char *file, const char *bundle, struct arena *arena)
{
	const char *usual = arena_printf(arena, "%s/config.json", bundle);
	struct stat given, own;

	if (!file || string_equal(file, "config.json"))
		return false;
	return !usual || stat(file, &given) < 0 || stat(usual, &own) < 0 ||
	       given.st_dev != own.st_dev || given.st_ino != own.st_ino;
}

/* davit-hook is in the directory of this program. */
static int find_hook(int self, struct arena *arena, const char **ret, struct error *err)
{
	const char *path = fd_path(self, arena), *slash = path ? strrchr(path, '/') : NULL;

	*ret = slash ? arena_printf(arena, "%.*s/davit-hook", (int)(slash - path), path) : NULL;
	if (!*ret)
		return error_set(err, ERROR_SYSTEM, ENOENT, "mount /proc",
				 "find davit-runtime's own path");
	if (faccessat(AT_FDCWD, *ret, X_OK, 0) < 0)
		return error_set(err, ERROR_SYSTEM, errno,
				 "install davit's programs in one directory", "run %s: %s", *ret,
				 strerror(errno));
	return 0;
}

/* Writes config.json where it really is, if it has changed. */
static int write_config(const struct pipeline *pipeline, const struct document *document,
			struct arena *arena, struct error *err)
{
	const char *path = arena_printf(arena, "%s/config.json", pipeline->bundle);
	AUTO_FD fd = -1;

	if (!path)
		return error_memory(err);
	if (document->length == pipeline->text_length &&
	    memcmp(document->text, pipeline->text, document->length) == 0)
		return 0;
	fd = openat(AT_FDCWD, path, O_PATH | O_CLOEXEC);
	path = fd < 0 ? NULL : fd_path(fd, arena);
	if (!path)
		return error_errno(err, errno, "inspect the bundle's config.json");
	return file_replace(path, fd, document->text, document->length, err);
}

/* The inputs of an edit. */
struct edit {
	const struct runtime_arguments *arguments;
	const struct config *config;
	const char *low; /* the low-level runtime */
	int self;        /* this program */
	struct pipeline *pipeline;
	struct arena *arena;
	const char *elsewhere; /* the file in config.json's place, or NULL */
	bool legacy;           /* called nvidia-container-runtime.legacy: only the hook's result */
};

/* Mode `spec`: writes the plan. A file contains the createContainer hook's part. */
static int write_plan(const struct edit *edit, enum filter filter, const char *hook,
		      struct document *document, struct error *err)
{
	struct pipeline *pipeline = edit->pipeline;
	struct arena *arena = edit->arena;
	const char *low = edit->low;
	static struct root root = {.fd = -1};
	struct spec_edits edits = {.hook = hook, .cdi = &pipeline->cdi};
	const char *file = arena_printf(arena, "%s/" PLAN_FILE, pipeline->bundle), *text = NULL;
	struct plan rest;
	int r;

	if (!file)
		return error_memory(err);
	pipeline->writes_spec = true;
	r = root_open(pipeline->rootfs, &root, err);
	if (r < 0) {
		err->code = ERROR_BAD_BUNDLE;
		return error_fix(err, r, "correct root.path in config.json");
	}
	/* The runtime would make the targets of mounts in the host's root. */
	r = root_refuse_own(&root, err);
	if (r == 0)
		r = pipeline_driver(pipeline, arena, err);
	if (r == 0)
		r = runtime_check_features(low, &pipeline->cdi, arena, err);
	if (r == 0 && filter != FILTER_APPLY)
		r = filter_install(FILTER_APPLY, err);
	if (r == 0)
		r = pipeline_plan(pipeline, &root, arena, err);
	if (r == 0)
		r = spec_split(pipeline, &root,
			       runtime_mounts_in_spec(pipeline->config->runtime.mounts, low), arena,
			       &edits, &rest, err);
	/* This edit adds groups, except those that a user namespace doesn't have. */
	if (r == 0 && pipeline->choices.count && user_namespace_is_nested())
		r = pipeline_note_groups(pipeline, arena, err);
	if (r == 0)
		pipeline_log_notes(pipeline);
	if (r == 0)
		r = privilege_set(PRIVILEGE_PARSE, err);
	if (r == 0)
		r = spec_edit(document, &edits, err);
	if (r == 0) {
		text = plan_write(&rest, pipeline->rootfs, arena);
		r = text ? privilege_set(PRIVILEGE_MOUNT, err) : error_memory(err);
	}
	if (r == 0 && text && strlen(text) > PLAN_FILE_MAX)
		return error_set(err, ERROR_BAD_BUNDLE, EFBIG, "reduce the number of mounts",
				 "write %s: config.json has %zu mounts", file,
				 pipeline->spec.mounts.count);
	if (r < 0 || !text)
		return r;
	return file_replace(file, -1, text, strlen(text), err);
}

static int give_gpus(const struct edit *edit, enum filter filter, struct error *err)
{
	struct pipeline *pipeline = edit->pipeline;
	const struct config *config = edit->config;
	const char *name = edit->arguments->name, *hook = NULL;
	struct document document =
		DOCUMENT_INIT(edit->arena, pipeline->text, pipeline->text_length);
	int r = privilege_set(PRIVILEGE_READ, err);

	/* Hooks and poststop only know the bundle. */
	if (r == 0 && edit->elsewhere)
		return error_set(err, ERROR_BAD_BUNDLE, EINVAL,
				 "name the file config.json in the bundle's directory",
				 "add GPUs to a container configured by %s (--config)",
				 edit->elsewhere);
	if (r == 0)
		r = find_hook(edit->self, edit->arena, &hook, err);
	if (r < 0)
		return r;
	/*
	 * A container with its own user namespace can't create nodes, and its hooks can't read the
	 * bundle. So the prestart hook does everything from outside.
	 */
	if (config->runtime.mode == RUNTIME_MODE_HOOK || pipeline->spec.user_namespace)
		r = spec_add_hook(&document, hook, !edit->legacy, err);
	else
		r = write_plan(edit, filter, hook, &document, err);
	if (r == 0)
		r = privilege_set(PRIVILEGE_MOUNT, err);
	if (r == 0)
		r = write_config(pipeline, &document, edit->arena, err);
	if (r == 0 && pipeline->stage == PIPELINE_PLAN)
		pipeline_log_summary(pipeline, name ? name : pipeline->bundle, edit->arena);
	return r;
}

static int edit_bundle(const struct edit *edit, enum filter filter, struct error *err)
{
	int r = filter_install(filter, err);

	edit->pipeline->may_repair = true;
	edit->pipeline->for_runtime = !edit->legacy;
	if (r == 0)
		r = privilege_set(PRIVILEGE_PARSE, err);
	if (r == 0)
		r = pipeline_request(edit->pipeline, edit->arena, err);
	if (r < 0 || !edit->pipeline->request.gpu)
		return r;
	return give_gpus(edit, filter, err);
}

/* ---- the processes ---------------------------------------------------------------------- */

/*
 * Lines on standard error would look like the runtime's. Without --debug, they are written to a
 * file or dropped.
 */
static void open_log(const struct config *config, bool debug)
{
	if (config->log.file[0])
		log_to_file(config->log.file, debug ? LOG_LEVEL_DEBUG : config->log.level);
	else if (debug)
		log_to(STDERR_FILENO, LOG_LEVEL_DEBUG);
}

static void settle_child(const struct config *config, bool debug)
{
	struct rlimit files;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)umask(022);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	open_log(config, debug);
}

static int run_child(const struct edit *edit, enum filter filter, unsigned seconds, int *ret_status,
		     struct error *err)
{
	const struct config *config = edit->config;
	pid_t child = fork();
	int r;

	if (child == 0) {
		settle_child(config, edit->arguments->debug);
		memory_limit();
		if (filter == FILTER_APPLY)
			spawn_forbid(EXIT_NEEDS_PROGRAM);
		if (edit_bundle(edit, filter, err) == 0)
			_exit(0);
		report(edit->arguments, err);
		_exit(EXIT_FAILED);
	}
	if (child < 0)
		return error_errno(err, errno, "start a process");
	r = deadline_wait(child, seconds, ret_status);
	if (r == -ETIMEDOUT) {
		open_log(config, edit->arguments->debug);
		return deadline_error(config->limits.seconds, err);
	}
	return r < 0 ? error_errno(err, -r, "wait for a process") : 0;
}

/*
 * The narrow filter is sufficient for almost every container. A child that needs a program of the
 * host ends before it has written anything, and another child with both filters starts again.
 */
static int run_children(const struct edit *edit, int *ret_status, struct error *err)
{
	const unsigned seconds = edit->config->limits.seconds;
	struct timespec begin, now;
	unsigned passed;
	int r;

	(void)clock_gettime(CLOCK_MONOTONIC, &begin);
	r = run_child(edit, FILTER_APPLY, seconds, ret_status, err);

	if (r < 0 || !WIFEXITED(*ret_status) || WEXITSTATUS(*ret_status) != EXIT_NEEDS_PROGRAM)
		return r;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	passed = (unsigned)(now.tv_sec - begin.tv_sec);
	return run_child(edit, FILTER_REQUEST, passed < seconds ? seconds - passed : !!seconds,
			 ret_status, err);
}

/*
 * A child process edits the bundle, and drops capabilities, system calls and limits like the hook.
 * The low-level runtime gets everything that the caller gave to this process.
 */
static int edit_in_child(const struct edit *edit, struct error *err)
{
	const struct sigaction wait_for_it = {.sa_handler = SIG_DFL};
	struct sigaction before;
	int r, status = 0;

	deadline_step("write the container's GPUs into config.json");
	/* A process that ignores SIGCHLD doesn't get its children's status. */
	(void)sigaction(SIGCHLD, &wait_for_it, &before);
	r = run_children(edit, &status, err);
	(void)sigaction(SIGCHLD, &before, NULL);
	if (r < 0)
		return r;
	if (WIFEXITED(status))
		return WEXITSTATUS(status) ? -ECANCELED : 0;
	return error_set(err, ERROR_SYSTEM, EFAULT, "report it as a bug of davit-runtime",
			 "edit the bundle: signal %d killed the process that edits it",
			 WTERMSIG(status));
}

/* Nothing that a container's image or user wrote is parsed here, so this needs no child. */
static int give_what_is_asked(struct edit *edit, struct error *err)
{
	const char *bundle = NULL, *file = edit->arguments->config;
	struct pipeline *pipeline = edit->pipeline;
	int r = make_absolute(edit->arguments->bundle, edit->arena, &bundle, err);

	if (r == 0 && is_elsewhere(file, bundle, edit->arena)) {
		edit->elsewhere = file;
		r = pipeline_read_file(pipeline, edit->config, bundle, file, edit->arena, err);
	} else if (r == 0) {
		r = pipeline_read(pipeline, edit->config, bundle, edit->arena, err);
	}
	if (r < 0 || !gpu_request_is_possible(pipeline->text, pipeline->text_length, edit->config))
		return r;
	return edit_in_child(edit, err);
}

static bool is_called(char *const *argv, const char *name)
{
	const char *slash = argv[0] ? strrchr(argv[0], '/') : NULL;

	return argv[0] && string_starts(slash ? slash + 1 : argv[0], name);
}

/* NVIDIA's program names for its modes. Such a name overrides the configuration. */
static bool take_mode(char *const *argv, struct config *config)
{
	bool legacy = is_called(argv, "nvidia-container-runtime.legacy");

	if (legacy)
		config->runtime.mode = RUNTIME_MODE_HOOK;
	else if (is_called(argv, "nvidia-container-runtime.cdi"))
		config->runtime.mode = RUNTIME_MODE_SPEC;
	return legacy;
}

/* Returns only on failure; -ECANCELED: it has been reported. */
static int become_runtime(const struct runtime_arguments *arguments, char **argv,
			  struct arena *arena, struct error *err)
{
	bool makes_container = runtime_arguments_make_container(arguments);
	int self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	static struct pipeline pipeline = PIPELINE_INIT;
	const char *runtime = NULL;
	struct config config;
	bool legacy;
	int r = config_load(NULL, arena, &config, err);

	/*
	 * Without the configuration, no container gets GPUs, but containers can still be stopped.
	 */
	if (r < 0 && makes_container)
		return r;
	if (r < 0 && config_defaults(arena, &config) < 0)
		return error_memory(err);
	legacy = take_mode(argv, &config);
	/* The engine sets it, never an image: rule 9 of docs/architecture.md. */
	r = runtime_find(&config.runtime.candidates, getenv("PATH"), self, arena, &runtime, err);
	if (r < 0)
		return r;
	if (makes_container)
		r = give_what_is_asked(&(struct edit){.arguments = arguments,
						      .config = &config,
						      .low = runtime,
						      .self = self,
						      .pipeline = &pipeline,
						      .arena = arena,
						      .legacy = legacy},
				       err);
	if (makes_container && r < 0)
		return r;
	argv[0] = arena_strdup(arena, runtime);
	if (!argv[0])
		return error_memory(err);
	(void)execve(runtime, argv, environ);
	return error_fix(err, error_errno(err, errno, "run %s", runtime),
			 "correct runtime.candidates in the configuration");
}

/* Whether one of the options before the command is --NAME, -NAME or -LETTER. */
static bool has_option(int argc, char *const *argv, const char *name, char letter)
{
	for (int i = 1; i < argc && argv[i][0] == '-'; i++) {
		const char *word = argv[i] + 1 + (argv[i][1] == '-');

		if (string_equal(word, name) || (argv[i][1] == letter && !argv[i][2]))
			return true;
	}
	return false;
}

/*
 * Lines before those of the low-level runtime. Under NVIDIA's name, the version is that of NVIDIA's
 * program; dockerd looks for the low-level runtime's.
 */
static void print_lines(int argc, char *const *argv)
{
	if (has_option(argc, argv, "help", 'h'))
		(void)puts(
			"davit-runtime gives containers their GPUs. On create and run, it edits the "
			"bundle's\nconfig.json. It then executes the low-level runtime with the "
			"same arguments. See\ndavit-runtime(8). The low-level runtime's help "
			"follows.\n");
	else if (is_called(argv, "nvidia-container-runtime") &&
		 has_option(argc, argv, "version", 'v'))
		(void)puts("NVIDIA Container Runtime version " NVIDIA_TOOLKIT_VERSION
			   "\ndavit-runtime " DAVIT_VERSION);
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	static struct arena arena; /* never freed: the process becomes another program */
	struct runtime_arguments arguments;
	struct error err = {0};
	char *no_words[] = {NULL, NULL};

	runtime_arguments_parse(argc, argv, &arguments);
	if (argc > 0)
		print_lines(argc, argv);
	if (become_runtime(&arguments, argc > 0 ? argv : no_words, &arena, &err) != -ECANCELED)
		report(&arguments, &err);
	return EXIT_FAILED;
}
