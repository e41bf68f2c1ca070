// SPDX-License-Identifier: Apache-2.0
/*
 * The processes of `davit try`:
 * - davit itself waits;
 * - the first process of the namespaces makes the root, then starts the command and waits for it;
 * - a third one applies the plan between these two steps, as the hook does between a runtime's;
 * - a fourth one removes the cgroup if davit can't.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "davit/apply.h"
#include "davit/pipeline.h"
#include "parts.h"

struct trial {
	struct try_bundle bundle;
	struct pipeline pipeline;
	struct try_cgroup cgroup;
	struct try_terminal terminal;
	int sweeper; /* write end of a pipe, closed when davit ends; or -1 */
	pid_t sweeper_pid;
	pid_t init;    /* the first process of the namespaces; 0: none */
	int ready, go; /* pipes from and to it */
	struct arena *arena;
};

/* ---- signals ----------------------------------------------------------------------------- */

static void passed_on(sigset_t *ret)
{
	static const int numbers[] = {SIGTERM, SIGHUP,  SIGINT,   SIGQUIT,
				      SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD};

	(void)sigemptyset(ret);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		(void)sigaddset(ret, numbers[i]);
}

static int exit_code_of(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/*
 * Reaps children until that one has ended, and returns its exit code. Signals are passed on to it,
 * except those that a terminal sends, since all of its processes get them.
 */
static int supervise(pid_t child)
{
	sigset_t set;

	passed_on(&set);
	for (;;) {
		siginfo_t info;
		int number = sigwaitinfo(&set, &info), status;
		pid_t pid;

		if (number > 0 && number != SIGCHLD && number != SIGWINCH &&
		    info.si_code != SI_KERNEL)
			(void)kill(child, number);
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			if (pid == child)
				return exit_code_of(status);
		if (pid < 0 && errno == ECHILD)
			return TRY_EXIT_FAILED;
	}
}

/*
 * The same for the process that has the caller's terminal. The command is in another session, so
 * the terminal's signals are passed on as well.
 */
static int relay(struct trial *t)
{
	sigset_t set;
	AUTO_FD fd = -1;
	int status;

	passed_on(&set);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	for (;;) {
		struct signalfd_siginfo info;
		pid_t pid;

		while (fd >= 0 && read(fd, &info, sizeof(info)) == sizeof(info)) {
			if (info.ssi_signo == SIGWINCH)
				try_terminal_resize(&t->terminal);
			else if (info.ssi_signo != SIGCHLD)
				(void)kill(t->init, (int)info.ssi_signo);
		}
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			if (pid == t->init)
				return exit_code_of(status);
		if (pid < 0 && errno == ECHILD)
			return TRY_EXIT_FAILED;
		try_terminal_wait(&t->terminal, fd);
	}
}

/* Commands expect default signal handlers and no blocked signals. */
static void reset_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_DFL); // NOLINT(bugprone-signal-handler,cert-sig30-c)
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* ---- the first process in the namespaces -------------------------------------------------- */

/* Waits for a byte from another process. False: that process has ended. */
static bool wait_for_byte(int fd)
{
	char byte;
	ssize_t n;

	do
		n = read(fd, &byte, 1);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

__attribute__((noreturn)) static void be_init(struct trial *t, int ready, int go)
{
	static struct root root = {.fd = -1};
	struct error err = {0};
	pid_t child;
	int r = try_root_make(t->pipeline.rootfs, &t->bundle, &root, &err);

	if (r < 0)
		try_die(&err, TRY_EXIT_FAILED);
	if (write(ready, "", 1) != 1 || !wait_for_byte(go))
		_exit(TRY_EXIT_FAILED);
	if (try_root_enter(&root, t->pipeline.spec.root_readonly, &err) < 0)
		try_die(&err, TRY_EXIT_FAILED);
	/* This process keeps root's rights, so no other process may inspect it. */
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	child = fork();
	if (child == 0) {
		reset_signals();
		try_process_become(&t->bundle.process, t->arena);
	}
	/* Keep no files of the host open in this process. */
	(void)syscall(SYS_close_range, STDERR_FILENO + 1U, ~0U, 0U);
	/* When the first process ends, the kernel kills all others of the namespace. */
	_exit(child < 0 ? TRY_EXIT_FAILED : supervise(child));
}

/* A raw system call: the C library can't fork directly into new namespaces. */
static pid_t fork_into(unsigned long namespaces)
{
	return (pid_t)syscall(SYS_clone, namespaces | SIGCHLD, NULL, NULL, NULL, NULL);
}

static int start_init(struct trial *t, struct error *err)
{
	int ready[2], go[2];

	if (pipe2(ready, O_CLOEXEC) < 0)
		return error_errno(err, errno, "create a pipe");
	t->ready = ready[0];
	if (pipe2(go, O_CLOEXEC) < 0) {
		(void)close(ready[1]);
		return error_errno(err, errno, "create a pipe");
	}
	t->go = go[1];
	t->init = fork_into(CLONE_NEWNS | CLONE_NEWPID);
	if (t->init == 0) {
		/* However davit ends, the container ends with it. */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
			_exit(TRY_EXIT_FAILED);
		if (try_terminal_enter(&t->terminal) < 0)
			_exit(TRY_EXIT_FAILED);
		(void)close(t->go);
		be_init(t, ready[1], go[0]);
	}
	try_terminal_started(&t->terminal);
	(void)close(ready[1]);
	(void)close(go[0]);
	if (t->init < 0) {
		int r = error_errno(err, errno, "create mount and PID namespaces");

		t->init = 0;
		return error_fix(err, r, "run it as root, or in `unshare --user --map-root-user`");
	}
	return 0;
}

/* ---- the plan ---------------------------------------------------------------------------- */

/* Does the same as davit-hook, with the same kind of process. */
static int apply(struct trial *t, struct error *err)
{
	static struct container container = CONTAINER_INIT;
	int r = privilege_set(PRIVILEGE_READ, err);

	if (r == 0)
		r = container_open(t->init, t->pipeline.rootfs, t->arena, &container, err);
	if (r == 0)
		r = filter_install(FILTER_APPLY, err);
	if (r == 0)
		r = pipeline_plan(&t->pipeline, &container.root, t->arena, err);
	return r < 0 ? r
		     : apply_plan(&t->pipeline.plan, &t->pipeline.roots, &container,
				  t->cgroup.parent_fd >= 0, t->arena, err);
}

/*
 * Applies the plan in a separate process, since it can't leave the container's mount namespace. 0,
 * TRY_EXIT_FAILED (the line is printed), or -errno.
 */
static int apply_apart(struct trial *t, struct error *err)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return error_errno(err, errno, "start a process");
	if (pid == 0) {
		if (apply(t, err) < 0)
			try_die(err, TRY_EXIT_FAILED);
		_exit(0);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_errno(err, errno, "wait for a process");
	return exit_code_of(status) == 0 ? 0 : TRY_EXIT_FAILED;
}

/* ---- what is left behind ------------------------------------------------------------------ */

__attribute__((noreturn)) static void be_sweeper(const struct try_cgroup *cgroup, int fd)
{
	/*
	 * In a new session, it gets no signals for davit's process group. Other signals are
	 * blocked.
	 */
	(void)setsid();
	(void)wait_for_byte(fd);
	_exit(!try_cgroup_remove(cgroup));
}

/* Starts the process that removes the cgroup. The kernel removes everything else. */
static int start_sweeper(struct trial *t, struct error *err)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return error_errno(err, errno, "create a pipe");
	t->sweeper_pid = fork();
	if (t->sweeper_pid == 0) {
		(void)close(pair[1]);
		be_sweeper(&t->cgroup, pair[0]);
	}
	(void)close(pair[0]);
	t->sweeper = pair[1];
	return t->sweeper_pid < 0 ? error_errno(err, errno, "start a process") : 0;
}

/* The process that removes the cgroup is started first, so the cgroup can't be left behind. */
static void make_cgroup(struct trial *t)
{
	struct error err = {0};
	int r;

	if (!t->pipeline.config->cgroups || !t->pipeline.request.gpu)
		return;
	r = try_cgroup_open(&t->cgroup, &err);
	if (r == 0)
		r = start_sweeper(t, &err);
	if (r == 0)
		r = try_cgroup_make(&t->cgroup, t->arena, &err);
	if (r == 0)
		return;
	fd_close(&t->cgroup.parent_fd);
	log_line(LOG_LEVEL_WARNING, "device rules are not in effect: cannot %s", err.message);
}

static void trial_end(struct trial *t)
{
	fd_close(&t->ready);
	fd_close(&t->go);
	if (t->init > 0) {
		(void)kill(t->init, SIGKILL);
		(void)supervise(t->init);
	}
	try_terminal_close(&t->terminal);
	if (t->cgroup.parent_fd >= 0 && !try_cgroup_remove(&t->cgroup))
		log_line(LOG_LEVEL_WARNING, "the cgroup %s can't be removed: %s", t->cgroup.name,
			 strerror(errno));
	fd_close(&t->sweeper);
	if (t->sweeper_pid > 0)
		(void)waitpid(t->sweeper_pid, NULL, 0);
	fd_close(&t->cgroup.parent_fd);
	pipeline_close(&t->pipeline);
}

/* ---- the whole ---------------------------------------------------------------------------- */

static void log_left_out(const struct oci_spec *spec, struct arena *arena)
{
	struct strings left_out = {0};
	const char *list;

	for (size_t i = 0; i < spec->mounts.count; i++)
		if (spec->mounts.items[i].source[0] == '/')
			(void)strings_add(arena, &left_out, spec->mounts.items[i].destination);
	list = strings_join(arena, &left_out, ", ");
	if (left_out.count && list)
		log_line(LOG_LEVEL_WARNING, "mounts of config.json are ignored: %s", list);
}

static int decide(struct trial *t, const struct try_options *options, struct error *err)
{
	struct pipeline *pipeline = &t->pipeline;
	int r;

	pipeline->config = options->config;
	pipeline->place = options->request.gpus ? "--gpus" : NULL;
	pipeline->capabilities_place = options->request.capabilities_place;
	pipeline->bundle = options->bundle;
	pipeline->text = arena_strdup(t->arena, t->bundle.text);
	pipeline->text_length = t->bundle.length;
	r = pipeline->text ? pipeline_request(pipeline, t->arena, err) : error_memory(err);
	if (r < 0)
		return r;
	if (pipeline->spec.written)
		return error_set(err, ERROR_BAD_BUNDLE, EINVAL, "name the GPUs with --gpus",
				 "try a bundle that davit-runtime has already edited");
	log_left_out(&pipeline->spec, t->arena);
	if (pipeline->request.gpu)
		return pipeline_driver(pipeline, t->arena, err);
	for (size_t i = 0; i < pipeline->request.rules.count; i++)
		log_line(LOG_LEVEL_WARNING, "no GPU: %s", pipeline->request.rules.items[i].text);
	return 0;
}

/*
 * Does everything up to the command's start. 0, TRY_EXIT_FAILED if the line is already printed, or
 * -errno.
 */
static int start(struct trial *t, struct error *err)
{
	int r;

	make_cgroup(t);
	r = try_terminal_open(&t->terminal, err);
	if (r == 0)
		r = start_init(t, err);
	if (r < 0)
		return r;
	/* The child has already printed the error. */
	if (!wait_for_byte(t->ready))
		return TRY_EXIT_FAILED;
	if (t->cgroup.parent_fd >= 0)
		r = try_cgroup_enter(&t->cgroup, t->init, err);
	if (r == 0 && t->pipeline.request.gpu)
		r = apply_apart(t, err);
	if (r == 0 && write(t->go, "", 1) != 1)
		r = error_errno(err, errno, "start the command");
	return r;
}

int try_run(const struct try_options *options, struct arena *arena, int *ret_status,
	    struct error *err)
{
	struct trial t = {
		.pipeline = PIPELINE_INIT,
		.cgroup.parent_fd = -1,
		.terminal = TRY_TERMINAL_INIT,
		.sweeper = -1,
		.ready = -1,
		.go = -1,
		.arena = arena,
	};
	struct config config = *options->config;
	struct try_options copy = *options;
	sigset_t set, before;
	int r;

	/* `davit try` changes nothing on the host: no module is loaded, no node created. */
	config.driver.load_modules = false;
	copy.config = &config;
	/* If SIGCHLD is ignored, the kernel doesn't report a child's status. */
	(void)signal(SIGCHLD, SIG_DFL); // NOLINT(bugprone-signal-handler,cert-sig30-c)
	(void)umask(022);
	passed_on(&set);
	(void)sigprocmask(SIG_BLOCK, &set, &before);
	r = try_bundle_read(&copy, arena, &t.bundle, err);
	if (r == 0)
		r = decide(&t, &copy, err);
	if (r == 0 && options->command->count)
		t.bundle.process.args = *options->command;
	if (r == 0 && t.bundle.process.args.count == 0)
		r = error_set(err, ERROR_BAD_BUNDLE, EINVAL,
			      "name a command: davit try ... -- COMMAND",
			      "try the bundle: its config.json names no command");
	if (r == 0)
		r = start(&t, err);
	if (r == 0) {
		r = relay(&t);
		t.init = 0;
	}
	trial_end(&t);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (r < 0)
		return r;
	*ret_status = r;
	return 0;
}
