// SPDX-License-Identifier: Apache-2.0
#include "cdi_hook.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "davit/pipeline.h"

#define PROGRAM "nvidia-cdi-hook"
#define MODE_MAX 0777
#define EXIT_FAILED 1

static const struct {
	const char *name;
	int (*run)(struct cdi_call *call, struct error *err);
} commands[] = {
	{"cdi", cdi_apply_spec},
	{"create-symlinks", cdi_create_symlinks},
	{"update-ldcache", cdi_update_ldcache},
	{"enable-cuda-compat", cdi_enable_cuda_compat},
	{"disable-device-node-modification", cdi_mask_proc},
	{"update-application-profile", cdi_update_profile},
	{"chmod", cdi_chmod},
};

/* ---- arguments -------------------------------------------------------------------------- */

static bool has_name(const char *program)
{
	const char *slash = strrchr(program, '/');

	return string_equal(slash ? slash + 1 : program, PROGRAM);
}

static int find_command(const char *word)
{
	for (size_t i = 0; word && i < ARRAY_SIZE(commands); i++)
		if (strcmp(word, commands[i].name) == 0)
			return (int)i;
	return -ENOENT;
}

bool cdi_hook_is_called(int argc, char **argv)
{
	return argc > 0 &&
	       (has_name(argv[0]) || find_command(argv[1]) >= 0 || string_equal(argv[1], "hook"));
}

/* ---- links and modes -------------------------------------------------------------------- */

static int bad_value(const char *option, const char *value, const char *wanted, struct error *err)
{
	return error_set(err, ERROR_BAD_REQUEST, EINVAL,
			 "generate the CDI spec again with `davit cdi generate`",
			 "use %s %s: it must be %s", option, value, wanted);
}

/* Whether both paths lead to the same file. A file isn't bound over itself. */
static bool is_same_file(const struct cdi_call *call, const char *one, const char *other)
{
	struct stat a, b;

	return root_stat(&call->container.root, one, 0, &a) == 0 &&
	       root_stat(&call->container.root, other, 0, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/*
 * If the image has a file of that name, the link's target is mounted on it. If the target doesn't
 * exist (yet), the link replaces the file, as with `ln -sf`.
 */
int cdi_cover_link(struct cdi_call *call, struct operation *link, struct error *err)
{
	const char *linked = link->text;
	struct stat st;

	link->replaces = true;
	if (link->text[0] != '/')
		linked = arena_printf(call->arena, "%.*s/%s",
				      (int)(strrchr(link->target, '/') - link->target),
				      link->target, link->text);
	if (!linked)
		return error_memory(err);
	if (root_stat(&call->container.root, linked, 0, &st) < 0 || !S_ISREG(st.st_mode) ||
	    is_same_file(call, linked, link->target))
		return 0;
	link->tree = TREE_DRIVER_ROOT;
	link->source = linked;
	link->flags = MOUNT_FLAG_RDONLY | MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV;
	return 0;
}

/* "../libnvidia-allocator.so.1::/usr/lib64/gbm/nvidia-drm_gbm.so" */
static int add_link(struct cdi_call *call, const char *value, struct error *err)
{
	const char *separator = strstr(value, "::"), *link, *text;
	struct operation *operation;

	if (!separator || separator == value || !separator[2])
		return bad_value("--link", value, "TARGET::LINK", err);
	link = separator + 2;
	text = arena_strndup(call->arena, value, (size_t)(separator - value));
	operation = cdi_add(call, OPERATION_SYMLINK,
			    arena_printf(call->arena, "%s%s", *link == '/' ? "" : "/", link), text);
	if (!operation)
		return error_memory(err);
	/* Links beneath /dev are optional, because only people use them. */
	operation->required = !string_starts(operation->target, "/dev/");
	return cdi_cover_link(call, operation, err);
}

int cdi_create_symlinks(struct cdi_call *call, struct error *err)
{
	struct cdi_items items = {0};
	const char *value;
	int r = 0;

	while (r == 0 && (value = cdi_item(call, "link", &items)))
		r = add_link(call, value, err);
	return r;
}

/*
 * For directories that the runtime created for nodes, and that only root can read. Nothing else may
 * get another mode, because it may be the host's.
 */
static void change_mode(const struct root *root, const char *path, mode_t mode)
{
	AUTO_FD fd = root_openat(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	struct stat st = {0}, dev = {0}, host = {0};
	int r = fd < 0 ? fd : root_stat(root, "/dev", 0, &dev);

	/* The namespace's / is still the host's, so the container's /dev may be the host's. */
	if (r == 0 && (fstat(fd, &st) < 0 || stat("/dev", &host) < 0))
		r = -errno;
	if (r == 0 &&
	    (!string_starts(path, "/dev/") || st.st_dev != dev.st_dev || st.st_dev == host.st_dev))
		r = -EPERM;
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	if (r < 0 && r != -ENOENT)
		log_line(LOG_LEVEL_WARNING, "the mode of %s is not changed: %s", path,
			 strerror(-r));
}

int cdi_chmod(struct cdi_call *call, struct error *err)
{
	struct cdi_items items = {0};
	const char *mode, *path;
	uint64_t number;
	size_t at = 0;
	int r = 0;

	mode = cdi_option(call, "mode", &at);
	if (!mode || parse_number(mode, strlen(mode), 8, MODE_MAX, &number) < 0)
		return bad_value("--mode", mode ? mode : "", "up to 0777", err);
	r = privilege_set(PRIVILEGE_MOUNT, err);
	while (r == 0 && (path = cdi_item(call, "path", &items)))
		change_mode(&call->container.root, path, (mode_t)number);
	return r;
}

/* ---- the way through -------------------------------------------------------------------- */

static int read_state(struct cdi_call *call, struct oci_state *ret, struct error *err)
{
	size_t length = 0;
	char *text = NULL;
	int r = file_read(STDIN_FILENO, OCI_STATE_MAX, call->arena, &text, &length);

	if (r < 0)
		return error_set(
			err, ERROR_BAD_BUNDLE, -r, "call this program as a createContainer hook",
			"read the container's state from standard input: %s", strerror(-r));
	r = privilege_set(PRIVILEGE_PARSE, err);
	if (r == 0)
		r = oci_state_parse(text, length, false, call->arena, ret, err);
	if (r < 0)
		return err->fix[0]
			       ? r
			       : error_fix(err, r, "call this program as a createContainer hook");
	return privilege_set(PRIVILEGE_READ, err);
}

/* Opens the root that config.json names. This process is already in the container's namespace. */
static int open_root_of_bundle(struct cdi_call *call, const struct oci_state *state,
			       struct error *err)
{
	static struct pipeline pipeline = PIPELINE_INIT;
	int r = pipeline_read(&pipeline, NULL, state->bundle, call->arena, err);

	if (r == 0)
		r = privilege_set(PRIVILEGE_PARSE, err);
	if (r == 0)
		r = oci_spec_parse(pipeline.text, pipeline.text_length, call->arena, &pipeline.spec,
				   err);
	if (r < 0)
		return err->fix[0] ? r : error_fix(err, r, "compare it with `runc spec`");
	call->container.mounts = &pipeline.spec.mounts;
	call->shared_propagation = pipeline.spec.shared_propagation;
	pipeline.rootfs = oci_spec_rootfs(&pipeline.spec, state->bundle, call->arena);
	if (!pipeline.rootfs)
		return error_memory(err);
	r = privilege_set(PRIVILEGE_READ, err);
	return r < 0 ? r : root_open(pipeline.rootfs, &call->container.root, err);
}

/*
 * Hooks of a container with its own user namespace often can read neither the engine's bundle nor
 * the path to its root (podman --userns=auto). Then the root is the one in crun's state, or the
 * directory in which runc starts these hooks. It must be the top of a mount: a root is one at that
 * moment, and the bundle's directory isn't.
 */
static int open_root_without_bundle(struct cdi_call *call, const struct oci_state *state, int start)
{
	AUTO_ROOT root = {.fd = -1};
	struct error ignored = {0};

	if (!state->root || state->root[0] != '/' || root_open(state->root, &root, &ignored) < 0) {
		root.path = start < 0 || !fd_is_top_of_mount(start) ? NULL
								    : fd_path(start, call->arena);
		root.fd = root.path ? fcntl(start, F_DUPFD_CLOEXEC, 0) : -1;
	}
	if (root.fd < 0 || root_refuse_own(&root, &ignored) < 0)
		return -ENOENT;
	call->container.mounts = NULL;
	call->container.root = root;
	root.fd = -1;
	return 0;
}

static bool is_out_of_reach(int r)
{
	return r == -EACCES || r == -EPERM || r == -ENOENT || r == -ENOTDIR;
}

static int open_root(struct cdi_call *call, int start, struct error *err)
{
	struct oci_state state = {0};
	int r = read_state(call, &state, err);

	if (r < 0)
		return r;
	r = open_root_of_bundle(call, &state, err);
	if (is_out_of_reach(r)) {
		struct error again = {0};

		if (privilege_set(PRIVILEGE_READ, &again) == 0 &&
		    open_root_without_bundle(call, &state, start) == 0)
			r = 0;
	}
	return r < 0 ? r : root_refuse_own(&call->container.root, err);
}

static int apply(struct cdi_call *call, struct error *err)
{
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	int r = 0;

	if (call->plan.count == 0)
		return 0;
	if (call->takes_from_host)
		r = root_open("/", &roots.driver, err);
	else
		roots.driver = call->container.root;
	if (r < 0)
		return r;
	roots.proc = (struct root){
		.fd = root_openat(&call->container.root, "/proc", O_PATH | O_DIRECTORY),
		.path = "/proc"};
	return apply_plan(&call->plan, &roots, &call->container, false, call->arena, err);
}

static int run(struct cdi_call *call, size_t command, struct error *err)
{
	AUTO_FD start = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = chdir("/") < 0 ? error_errno(err, errno, "enter the directory /") : 0;

	deadline_step(commands[command].name);
	deadline_set(CONFIG_SECONDS, EXIT_FAILED);
	deadline_watch();
	memory_limit();
#ifndef DAVIT_SANITIZE /* a sanitizer's runtime makes additional calls */
	if (r == 0)
		r = filter_install(FILTER_APPLY, err);
#endif
	if (r == 0)
		r = privilege_set(PRIVILEGE_READ, err);
	if (r == 0)
		r = open_root(call, start, err);
	if (r == 0)
		r = commands[command].run(call, err);
	return r < 0 ? r : apply(call, err);
}

/* Handles --version and --help, also after a command. Whether the word is one of them. */
static bool print_about(const char *word)
{
	if (string_equal(word, "--version") || string_equal(word, "-v") ||
	    string_equal(word, "-version")) {
		(void)puts("NVIDIA CDI Hook version " NVIDIA_TOOLKIT_VERSION
			   "\ndavit-hook " DAVIT_VERSION);
		return true;
	}
	if (!string_equal(word, "--help") && !string_equal(word, "-h") &&
	    !string_equal(word, "help") && !string_equal(word, "-help"))
		return false;
	(void)puts("usage: nvidia-cdi-hook HOOK [OPTION...] <STATE\n\n"
		   "The createContainer hooks of CDI specs, called by a runtime:");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		(void)printf("  %s\n", commands[i].name);
	return true;
}

/* The options after the command, as a list that ends with NULL. NULL: no memory. */
static char **options_of(const struct cdi_edit_hook *hook, struct arena *arena)
{
	char **list = arena_alloc(arena, (hook->arguments.count + 1) * sizeof(*list));
	size_t at = 0, count = 0;

	while (at < hook->arguments.count &&
	       !string_equal(hook->arguments.items[at], hook->command))
		at++;
	for (at++; list && at < hook->arguments.count; at++) {
		list[count] = arena_strdup(arena, hook->arguments.items[at]);
		if (!list[count++])
			return NULL;
	}
	return list;
}

int cdi_hook_apply(const struct cdi_edit_hook *hook, const struct container *container,
		   bool shared_propagation, struct arena *arena, struct error *err)
{
	struct cdi_call call = {
		.arena = arena, .container = *container, .shared_propagation = shared_propagation};
	int command = find_command(hook->command);
	int r;

	call.arguments = options_of(hook, arena);
	if (!call.arguments)
		return error_memory(err);
	if (command < 0)
		return error_set(err, ERROR_BAD_REQUEST, EINVAL, NULL, "find the command %s",
				 hook->command);
	call.container.mount_namespace = -1;
	r = privilege_set(PRIVILEGE_READ, err);
	if (r == 0)
		r = commands[command].run(&call, err);
	if (r == 0)
		r = apply(&call, err);
	return r < 0 ? error_wrap(err, r, "run %s", hook->command) : 0;
}

int cdi_hook_main(int argc, char **argv)
{
	static struct arena arena; /* never freed, because the process ends here */
	static struct cdi_call call = {
		.arena = &arena,
		.container = CONTAINER_INIT,
	};
	struct error err = {0};
	char line[ERROR_LINE_MAX];
	int at = 1, command;

	if (argc > 1 && print_about(argv[argc - 1]))
		return 0;
	/* "nvidia-cdi-hook --quiet NAME", "nvidia-ctk hook NAME" */
	while (at < argc && (argv[at][0] == '-' || string_equal(argv[at], "hook")))
		at++;
	/* runc's init has its pipes and the exec FIFO open in these hooks. */
	(void)syscall(SYS_close_range, STDERR_FILENO + 1U, ~0U, 0U);
	log_to(STDERR_FILENO, LOG_LEVEL_WARNING);
	(void)umask(022);
	command = find_command(argv[at]);
	if (command < 0) {
		log_line(LOG_LEVEL_WARNING, "unknown hook %s: nothing was done",
			 at < argc ? argv[at] : "without a name");
		return 0;
	}
	call.arguments = argv + at + 1;
	call.container.uid = geteuid();
	call.container.gid = getegid();
	if (run(&call, (size_t)command, &err) == 0)
		return 0;
	(void)error_wrap(&err, -1, "run %s", commands[command].name);
	error_line(&err, line);
	(void)fprintf(stderr, "%s\n", line);
	return error_exit_code(&err);
}
