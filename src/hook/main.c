// SPDX-License-Identifier: Apache-2.0
/* davit-hook: called by a runtime for each container, with the OCI state on standard input. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bundle.h"
#include "cdi_hook.h"
#include "davit/apply.h"
#include "davit/configure.h"
#include "davit/json.h"
#include "davit/pipeline.h"
#include "written_plan.h"

#define EXIT_FAILED 1
#define EXIT_USAGE 2
#define POSTSTOP_SECONDS 5

static const char usage[] =
	"usage: davit-hook [-debug] [-config FILE] [-record] [-runtime] [-every-container] STAGE <STATE\n"
	"       davit-hook -version\n"
	"       davit-hook create-symlinks|update-ldcache|... (hooks of CDI specs)\n"
	"\n"
	"Gives GPUs to a container, whose OCI state it reads from standard input.\n"
	"\n"
	"STAGE is prestart, createRuntime, createContainer (for davit-runtime), poststart or poststop.\n"
	"\n"
	"  -config FILE      the configuration to use (" CONFIG_PATH ")\n"
	"  -debug            print each step on standard error\n"
	"  -record           record the files that davit creates in the container's root in the\n"
	"                    bundle; poststop, or this call for a stopped container, removes them\n"
	"  -runtime          give the container what davit-runtime would give it; davit-runtime\n"
	"                    sets this option\n"
	"  -every-container  the engine calls the hook for every container: if its config.json can't\n"
	"                    be read from here, it starts without GPUs\n"
	"  -version          print davit's version\n";

struct arguments {
	bool debug, record, runtime, every_container, version, help;
	const char *config;
	const char *stage;
};

static bool is_stage(const char *word)
{
	static const char *const stages[] = {"prestart", "createRuntime", CREATE_CONTAINER,
					     "poststart", "poststop"};

	for (size_t i = 0; i < ARRAY_SIZE(stages); i++)
		if (strcmp(word, stages[i]) == 0)
			return true;
	return false;
}

/* Options may have one dash or two, as in Go's flag package, because engines use both. */
static int parse_arguments(int argc, char **argv, struct arguments *ret)
{
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (word[0] != '-') {
			if (ret->stage || !is_stage(word))
				return -EINVAL;
			ret->stage = word;
			continue;
		}
		word += word[1] == '-' ? 2 : 1;
		if (strcmp(word, "debug") == 0)
			ret->debug = true;
		else if (strcmp(word, "record") == 0)
			ret->record = true;
		else if (strcmp(word, "every-container") == 0)
			ret->every_container = true;
		else if (strcmp(word, "runtime") == 0)
			ret->runtime = true;
		else if (strcmp(word, "version") == 0)
			ret->version = true;
		else if (strcmp(word, "help") == 0 || strcmp(word, "h") == 0)
			ret->help = true;
		else if (string_starts(word, "config="))
			ret->config = word + strlen("config=");
		else if (strcmp(word, "config") == 0 && i + 1 < argc)
			ret->config = argv[++i];
		else
			return -EINVAL;
	}
	return ret->stage || ret->version || ret->help ? 0 : -EINVAL;
}

/*
 * Resets the state of the process that a runtime may have changed, so that none of it has an
 * effect.
 */
static int settle_process(struct error *err)
{
	struct rlimit files;

	/* A failing write is reported in a line; the process must not die from SIGPIPE. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	/* Before Linux 5.9 they remain open, but no started program inherits them. */
	(void)syscall(SYS_close_range, STDERR_FILENO + 1U, ~0U, 0U);
	(void)umask(022);
	/* Each mount needs two descriptors. With many GPUs, that is more than the usual 1024. */
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	return chdir("/") < 0 ? error_errno(err, errno, "enter the directory /") : 0;
}

static const char state_fix[] =
	"call davit-hook from a runtime, or give it the output of `runc state` "
	"on standard input";

/* Reads what the runtime still writes: crun reports an interrupted write instead of davit's line.
 */
static void discard_input(void)
{
	char part[4096];
	ssize_t length = 1;

	for (size_t total = 0; length > 0 && total < OCI_CONFIG_MAX; total += (size_t)length)
		length = read(STDIN_FILENO, part, sizeof(part));
}

static int read_state(struct arena *arena, char **ret, size_t *ret_length, struct error *err)
{
	int r = isatty(STDIN_FILENO)
			? -ENOTTY
			: file_read(STDIN_FILENO, OCI_STATE_MAX, arena, ret, ret_length);

	if (r == -EFBIG)
		discard_input();
	if (r < 0)
		return error_set(err, ERROR_BAD_BUNDLE, -r, state_fix,
				 "read the container's state from standard input: %s",
				 r == -ENOTTY ? "standard input is a terminal" : strerror(-r));
	return 0;
}

/*
 * NVIDIA's own file, which hooks.d files and HPC launchers name (-config=.../config.toml),
 * converted as by `davit config import`. Its owner has been checked.
 */
static int parse_toml(const char *text, const char *path, struct arena *arena, struct config *ret,
		      struct error *err)
{
	AUTO_JSON *object = NULL;
	struct import_notes notes;
	const char *json;
	int r = configure_import(text, path, arena, &object, &notes, err);

	if (r < 0)
		return r;
	json = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
	if (!json) {
		(void)error_memory(err);
		return -ENOMEM;
	}
	return config_parse(json, strlen(json), path, arena, ret, err);
}

static int load_config(const char *path, struct arena *arena, struct config *ret, struct error *err)
{
	char *text = NULL;
	int r;

	if (!path || !string_ends(path, ".toml"))
		return config_load(path, arena, ret, err);
	r = config_read(path, arena, &text, err);
	if (r == 0)
		r = parse_toml(text, path, arena, ret, err);
	if (r < 0 && !err->fix[0])
		(void)error_fix(err, r,
				"convert it with `davit config import %s --output " CONFIG_PATH
				"`, and omit -config",
				path);
	return r;
}

static void open_log(const struct config *config, bool debug)
{
	if (debug)
		return; /* main has done so */
	if (config->log.file[0])
		log_to_file(config->log.file, config->log.level);
	else
		log_to(STDERR_FILENO, config->log.level);
}

static bool is_poststop(const struct arguments *arguments)
{
	return strcmp(arguments->stage, "poststop") == 0;
}

static int give_gpus(struct pipeline *pipeline, const struct config *config, bool record,
		     const struct oci_state *state, struct arena *arena, struct error *err)
{
	static struct container container = CONTAINER_INIT;
	int r = container_gain_rights(state->pid, err);

	deadline_step("open the container's root");
	deadline_watch();
	if (r == 0)
		r = container_open(state->pid, pipeline->rootfs, arena, &container, err);
	pipeline->may_repair = true;
	container.mounts = &pipeline->spec.mounts;
	if (r == 0 && record)
		created_files_open(pipeline->bundle, &container, arena);
	deadline_step("inspect the host's driver");
	if (r == 0)
		r = pipeline_driver(pipeline, arena, err);
	/* The filter doesn't allow sockets, so davit connects before it. */
	if (r == 0 && config->cgroups)
		container_connect_systemd(&container, arena);
	deadline_step("inspect the image");
	if (r == 0)
		r = filter_install(FILTER_APPLY, err);
	if (r == 0)
		r = pipeline_plan(pipeline, &container.root, arena, err);
	if (r == 0)
		r = pipeline_note_groups(pipeline, arena, err);
	if (r == 0)
		pipeline_log_notes(pipeline);
	deadline_step("mount the driver's files in the container");
	if (r == 0)
		r = apply_plan(&pipeline->plan, &pipeline->roots, &container, config->cgroups,
			       arena, err);
	/* The remaining hooks of CDI specs, whose commands davit implements itself. */
	for (size_t i = 0; r == 0 && i < pipeline->cdi.hooks.count; i++)
		r = cdi_hook_apply(&pipeline->cdi.hooks.items[i], &container,
				   pipeline->spec.shared_propagation, arena, err);
	if (r == 0)
		pipeline_log_summary(pipeline, state->id, arena);
	return r;
}

/*
 * Untrusted input is parsed without an effective capability. (The system call filter is installed
 * later, if there is more to do: installing it takes longer than all of this.)
 */
static int take_state(struct slice text, struct oci_state *state, bool need_pid,
		      struct arena *arena, struct error *err)
{
	int r = privilege_set(PRIVILEGE_PARSE, err);

	if (r == 0) {
		r = oci_state_parse(text.data, text.length, need_pid, arena, state, err);
		if (r < 0 && !err->fix[0])
			error_fix(err, r, "%s", state_fix);
	}
	return r < 0 ? r : privilege_set(PRIVILEGE_READ, err);
}

/*
 * The container has ended: remove the recorded files from its root. A file system that doesn't
 * answer must not block the engine. No file content of the root is read, so this needs no system
 * call filter.
 */
static int poststop(const struct oci_state *state, struct arena *arena)
{
	struct error err = {0};
	int r;

	if (!created_files_exist(state->bundle, arena))
		return 0;
	deadline_step("remove the created files from the container's root");
	deadline_set(POSTSTOP_SECONDS, 0);
	deadline_watch();
	r = privilege_set(PRIVILEGE_MOUNT, &err);
	if (r == 0)
		r = created_files_remove(state->bundle, arena, &err);
	if (r < 0)
		log_line(LOG_LEVEL_WARNING,
			 "files created in container %s are not removed: cannot %s", state->id,
			 err.message);
	return 0;
}

/*
 * For hooks.d, which rootless Podman also reads: a configuration that only root can read must not
 * stop containers without a request. Whether there is a request is decided under any possible
 * policy. A container with a request needs the configuration.
 */
static int load_unless_unread(const struct arguments *arguments, struct config *config,
			      struct error *ret_unread, struct arena *arena, struct error *err)
{
	int r = load_config(arguments->config, arena, config, err);

	if (!arguments->every_container || (r != -EACCES && r != -EPERM))
		return r;
	*ret_unread = *err;
	*err = (struct error){0};
	if (config_defaults(arena, config) < 0)
		return error_memory(err);
	config->policy.mounts = true;
	return 0;
}

static int decide_request(struct pipeline *pipeline, const struct config *config,
			  const struct oci_state *state, bool *ret_record, struct arena *arena,
			  struct error *err)
{
	int r = bundle_read(pipeline, config, state, ret_record, arena, err);

	/* For most containers of a host, config.json needn't be parsed. */
	if (r == 0 && !gpu_request_is_possible(pipeline->text, pipeline->text_length, config)) {
		log_line(LOG_LEVEL_DEBUG, "the container requests no GPU");
		return 0;
	}
	if (r == 0)
		r = privilege_set(PRIVILEGE_FILTER, err);
	if (r == 0)
		r = filter_install(FILTER_REQUEST, err);
	if (r == 0)
		r = privilege_set(PRIVILEGE_PARSE, err);
	return r < 0 ? r : pipeline_request(pipeline, arena, err);
}

/*
 * A container that requests devices doesn't start without the configuration, nor does one that may
 * request them by a configured name.
 */
static int start_without_config(struct pipeline *pipeline, const struct error *unread,
				struct arena *arena, struct error *err)
{
	bool asks = pipeline->request.gpu;
	int r = 0;

	if (!asks) {
		r = privilege_set(PRIVILEGE_PARSE, err);
		if (r == 0)
			r = oci_spec_parse(pipeline->text, pipeline->text_length, arena,
					   &pipeline->spec, err);
		asks = r == 0 && gpu_request_may_have_other_name(&pipeline->spec);
	}
	if (!asks)
		return r;
	*err = *unread;
	return -EACCES;
}

static int handle_container(const struct arguments *arguments, const struct config *config,
			    const struct oci_state *state, const struct error *unread,
			    struct arena *arena, struct error *err)
{
	/* Never closed: the process ends here, and the kernel closes all descriptors at once. */
	static struct pipeline pipeline = PIPELINE_INIT;
	bool record;
	int r;

	pipeline.for_runtime = arguments->runtime;
	r = decide_request(&pipeline, config, state, &record, arena, err);
	if (r < 0 && pipeline.stage == PIPELINE_START && arguments->every_container &&
	    (bundle_is_out_of_reach(r) || r == -EFBIG)) {
		log_line(LOG_LEVEL_WARNING,
			 "container %s starts without the GPUs it may have requested: cannot %s",
			 state->id, err->message);
		return 0;
	}
	if (r == 0 && unread->message[0])
		return start_without_config(&pipeline, unread, arena, err);
	if (r != 0 || !pipeline.request.gpu)
		return r;
	r = privilege_set(PRIVILEGE_READ, err);
	return r != 0 ? r
		      : give_gpus(&pipeline, config, arguments->record && record, state, arena,
				  err);
}

/*
 * A state that is too large, for example because of its annotations. Of a hook that is called for
 * every container, it must not stop those that request nothing.
 */
static int start_without_state(const struct arguments *arguments, struct arena *arena,
			       const struct error *why)
{
	struct config config = {0};
	struct error ignored = {0};

	if (load_config(arguments->config, arena, &config, &ignored) == 0)
		open_log(&config, arguments->debug);
	log_line(LOG_LEVEL_WARNING, "%s: cannot %s",
		 is_poststop(arguments)
			 ? "files created in a container are not removed"
			 : "a container starts without the GPUs it may have requested",
		 why->message);
	return 0;
}

static int run(const struct arguments *arguments, struct arena *arena, struct error *err)
{
	struct oci_state state = {0};
	struct config config = {0};
	struct error unread = {0};
	struct slice text = {0};
	char *data = NULL;
	bool need_pid = strcmp(arguments->stage, CREATE_CONTAINER) != 0 && !is_poststop(arguments);
	int r = privilege_set(PRIVILEGE_READ, err);

	/*
	 * The state is read before anything can fail. Otherwise crun reports its interrupted write
	 * instead of davit's line.
	 */
	if (r == 0)
		r = read_state(arena, &data, &text.length, err);
	if (r == -EFBIG && arguments->every_container)
		return start_without_state(arguments, arena, err);
	text.data = data;
	if (r == 0)
		r = load_unless_unread(arguments, &config, &unread, arena, err);
	if (r == 0) {
		open_log(&config, arguments->debug);
		if (!is_poststop(arguments))
			deadline_set(config.limits.seconds, EXIT_FAILED);
	}
	log_line(LOG_LEVEL_DEBUG, "davit-hook " DAVIT_VERSION ": %s", arguments->stage);
	if (r == 0)
		r = take_state(text, &state, need_pid, arena, err);
	if (r < 0)
		return r;
	if (is_poststop(arguments) || oci_state_is_stopped(&state))
		return poststop(&state, arena);
	if (strcmp(arguments->stage, CREATE_CONTAINER) == 0)
		return written_plan_apply(&config, &state, arena, err);
	return handle_container(arguments, &config, &state, &unread, arena, err);
}

/* Under NVIDIA's names, scripts expect the first line. */
static void print_version(const char *program)
{
	const char *slash = strrchr(program, '/');

	if (string_starts(slash ? slash + 1 : program, "nvidia-container-"))
		(void)puts("NVIDIA Container Runtime Hook version " NVIDIA_TOOLKIT_VERSION);
	(void)puts("davit-hook " DAVIT_VERSION);
}

int main(int argc, char **argv)
{
	static struct arena arena; /* never freed, as `pipeline` */
	struct arguments arguments = {0};
	struct error err = {0};

	if (cdi_hook_is_called(argc, argv))
		return cdi_hook_main(argc, argv);
	if (parse_arguments(argc, argv, &arguments) < 0) {
		(void)fputs(usage, stderr);
		return EXIT_USAGE;
	}
	if (arguments.version || arguments.help) {
		if (arguments.help)
			(void)fputs(usage, stdout);
		else
			print_version(argv[0]);
		return 0;
	}
	/* Everything is done before the container's process starts. */
	if (strcmp(arguments.stage, "poststart") == 0) {
		char *text;

		/* crun fails if a hook doesn't read its standard input. */
		(void)read_state(&arena, &text, NULL, &err);
		return 0;
	}
	log_to(STDERR_FILENO, arguments.debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING);
	/* A container is deleted even if it can't be cleaned up. */
	deadline_step("read the container's state and config.json");
	if (is_poststop(&arguments))
		deadline_set(POSTSTOP_SECONDS, 0);
	else
		deadline_set(CONFIG_SECONDS, EXIT_FAILED);
	memory_limit();
	if (settle_process(&err) < 0 || run(&arguments, &arena, &err) < 0) {
		char line[ERROR_LINE_MAX];

		error_line(&err, line);
		log_error(&err);
		(void)fprintf(stderr, "%s\n", line);
		return is_poststop(&arguments) ? 0 : error_exit_code(&err);
	}
	return 0;
}
