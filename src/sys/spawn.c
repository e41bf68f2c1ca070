// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "capabilities.h"
#include "davit/sys.h"
#include "syscalls.h"

/* How long to wait for a killed process. */
#define REAP_MS 200
#define EXIT_NOT_STARTED 127

/* ---- the child's side ------------------------------------------------------------------- */

/* Moves each descriptor above the numbers that dup2 will use. */
static int lift(int fd)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, 10);
}

static void close_by_list(int from)
{
	int fd = proc_open(0, "fd", O_RDONLY | O_DIRECTORY);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	uint64_t number;

	while (directory && (entry = readdir(directory)))
		if (parse_number(entry->d_name, strlen(entry->d_name), 10, INT32_MAX, &number) ==
			    0 &&
		    (int)number >= from && (int)number != fd)
			(void)close((int)number);
	if (directory)
		(void)closedir(directory);
}

/* The runtime may have left any descriptor open, and any signal ignored or blocked. */
static void settle(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		(void)signal(number, SIG_DFL); // NOLINT(bugprone-signal-handler,cert-sig30-c)
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (syscall(SYS_close_range, 4U, ~0U, 0U) < 0) /* Linux 5.9 */
		close_by_list(4);
}

/* What the program needs to create its sandbox: namespaces, another user, fewer capabilities. */
static const uint64_t sandbox_capabilities = CAPABILITY(CAP_SYS_ADMIN) | CAPABILITY(CAP_SETUID) |
					     CAPABILITY(CAP_SETGID) | CAPABILITY(CAP_SETPCAP);

static int give_up_privileges(void)
{
	struct capabilities have = {0}, want = {0};
	int r = capabilities_get(&have);

	if (r < 0)
		return r;
	want.permitted = want.effective = have.permitted & sandbox_capabilities;
	/* With no_new_privs, root gains no others by executing a program. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	return capabilities_set(&want);
}

/* Makes descriptors 0 to 3: /dev/null, the two outputs, the program. */
static int take_places(int program, int out, int err_out)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return -errno;
	null = lift(null);
	out = out < 0 ? null : lift(out);
	err_out = lift(err_out);
	program = lift(program);
	if (dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err_out, 2) < 0 ||
	    dup3(program, 3, O_CLOEXEC) < 0)
		return -errno;
	return 0;
}

/* Returns only on failure: -errno. */
static int execute(const char *const *arguments, char *const *environment)
{
	(void)syscall(SYS_execveat, 3, "", arguments, environment, AT_EMPTY_PATH);
	/*
	 * A runtime may be a script. Its interpreter opens it as /dev/fd/3, which must then remain
	 * open.
	 */
	if (errno == ENOENT && fcntl(3, F_SETFD, 0) == 0)
		(void)syscall(SYS_execveat, 3, "", arguments, environment, AT_EMPTY_PATH);
	return -errno;
}

__attribute__((noreturn)) static void become(const struct spawn *spawn, int out, int err_out,
					     pid_t parent)
{
	char *const environment[] = {(char[]){"LANG=C"}, NULL};
	int r = take_places(spawn->program, out, err_out);

	if (r == 0) {
		settle();
		memory_unlimit();
		/* A new session, so that its children can be killed with it. */
		(void)setsid();
		r = spawn->sandboxed ? give_up_privileges() : 0;
	}
	if (r == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		r = -errno;
	/* The parent may have exited before PR_SET_PDEATHSIG. */
	if (r == 0 && getppid() != parent)
		r = -ESRCH;
	if (r == 0)
		r = execute(spawn->arguments, environment);
	(void)dprintf(2, "cannot start %s: %s\n", spawn->arguments[0], strerror(-r));
	_exit(EXIT_NOT_STARTED);
}

/* ---- the parent's side ------------------------------------------------------------------ */

struct child {
	const struct spawn *spawn;
	struct spawn_result *result;
	pid_t pid;
	int out, err_out;
	int64_t deadline;
	size_t line_length;
	size_t last_length; /* of last_line */
	bool line_ended;
};

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int make_pipe(int *ret_read, int *ret_write)
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	*ret_read = pair[0];
	*ret_write = pair[1];
	return 0;
}

static int start(struct child *child)
{
	AUTO_FD out = -1;
	AUTO_FD err_out = -1;
	pid_t parent = getpid();
	int r = child->spawn->output_max ? make_pipe(&child->out, &out) : 0;

	if (r == 0)
		r = make_pipe(&child->err_out, &err_out);
	if (r < 0)
		return r;
	child->pid = fork();
	if (child->pid == 0)
		become(child->spawn, out, err_out, parent);
	return child->pid < 0 ? -errno : 0;
}

/*
 * True: it ended in time. This polls, because a kernel without pidfds has no wait with a time
 * limit.
 */
static bool reap(struct child *child, int64_t deadline)
{
	for (;;) {
		pid_t pid = waitpid(child->pid, &child->result->status, WNOHANG);

		if (pid == child->pid || (pid < 0 && errno != EINTR)) {
			child->pid = -1;
			return pid > 0;
		}
		if (now_ms() >= deadline)
			return false;
		(void)poll(NULL, 0, 1);
	}
}

static void child_release(struct child *child)
{
	int saved = errno;

	fd_close(&child->out);
	fd_close(&child->err_out);
	if (child->pid > 0) {
		(void)kill(-child->pid, SIGKILL);
		(void)kill(child->pid, SIGKILL);
		(void)reap(child, now_ms() + REAP_MS);
	}
	errno = saved;
}
#define AUTO_CHILD __attribute__((cleanup(child_release))) struct child

/* The first and the last line; an empty one doesn't count as the last. */
static void keep_lines(struct child *child, char c)
{
	struct spawn_result *result = child->result;

	if (child->line_length + 1 < sizeof(result->line))
		result->line[child->line_length++] = c;
	if (c == '\n') {
		child->line_ended = true;
		return;
	}
	if (child->line_ended)
		child->last_length = 0;
	child->line_ended = false;
	if (child->last_length + 1 < sizeof(result->last_line))
		result->last_line[child->last_length++] = c;
}

/* Reads the available output. 0, -EFBIG or -errno. At end of file, *fd is closed. */
static int take_output(struct child *child, int *fd)
{
	struct spawn_result *result = child->result;
	char scratch[512] = "";
	bool is_text = fd == &child->out;
	char *at = is_text ? result->output + result->output_length : scratch;
	size_t space =
		is_text ? child->spawn->output_max + 1 - result->output_length : sizeof(scratch);
	ssize_t n = read(*fd, at, space);

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	if (n == 0) {
		fd_close(fd);
		return 0;
	}
	if (is_text) {
		result->output_length += (size_t)n;
		return result->output_length > child->spawn->output_max ? -EFBIG : 0;
	}
	for (ssize_t i = 0; i < n; i++)
		keep_lines(child, scratch[i]);
	return 0;
}

/* Reads until the child has closed both outputs. 0, -ETIMEDOUT, -EFBIG or -errno. */
static int collect(struct child *child)
{
	while (child->out >= 0 || child->err_out >= 0) {
		struct pollfd fds[] = {
			{child->out, POLLIN, 0},
			{child->err_out, POLLIN, 0},
		};
		int64_t left = child->deadline - now_ms();
		int r = left > 0 ? poll(fds, ARRAY_SIZE(fds), (int)left) : 0;

		if (r == 0)
			return -ETIMEDOUT;
		if (r < 0 && errno != EINTR)
			return -errno;
		if (r < 0)
			continue;
		r = fds[0].revents ? take_output(child, &child->out) : 0;
		if (r == 0 && fds[1].revents)
			r = take_output(child, &child->err_out);
		if (r < 0)
			return r;
	}
	return 0;
}

static int run(struct child *child)
{
	struct spawn_result *result = child->result;
	int r = start(child);

	if (r == 0)
		r = collect(child);
	if (r == 0 && !reap(child, child->deadline))
		r = child->pid > 0 ? -ETIMEDOUT : -ECHILD;
	child_release(child);
	result->line[child->line_length] = '\0';
	result->line[strcspn(result->line, "\n")] = '\0';
	result->last_line[child->last_length] = '\0';
	if (r == 0)
		result->output[result->output_length] = '\0';
	return r;
}

static int forbidden_exit_code = -1;

void spawn_forbid(int exit_code)
{
	forbidden_exit_code = exit_code;
}

int spawn_run(const struct spawn *spawn, struct arena *arena, struct spawn_result *ret)
{
	AUTO_CHILD child = {.spawn = spawn, .result = ret, .pid = -1, .out = -1, .err_out = -1};
	struct sigaction ours = {.sa_handler = SIG_DFL}, before;
	int r;

	if (forbidden_exit_code >= 0)
		_exit(forbidden_exit_code);
	*ret = (struct spawn_result){.output = arena_alloc(arena, spawn->output_max + 1)};
	if (!ret->output)
		return -ENOMEM;
	child.deadline = now_ms() + spawn->timeout_ms;
	/* If SIGCHLD is ignored, the kernel doesn't report a child's status. */
	if (sigaction(SIGCHLD, &ours, &before) < 0)
		return -errno;
	r = run(&child);
	(void)sigaction(SIGCHLD, &before, NULL);
	return r;
}
