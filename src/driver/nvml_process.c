// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "nvml.h"

#define LINE_MAX 200
/* How long a killed process is waited for. */
#define REAP_MS 200
#define FIX "check that `nvidia-smi -L` works on this host"

/* ---- the child's side ------------------------------------------------------------------- */

/* Each of them out of the way of the numbers that they get. */
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

/* A runtime may have left anything open, and ignored or blocked any signal. */
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

static int give_up_privileges(pid_t parent)
{
	cap_t none = cap_init();
	int r = none ? 0 : -ENOMEM;

	/* With both of these root gains no capability by executing a program. */
	if (r == 0 && (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		       prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
		       cap_set_proc(none) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0))
		r = -errno;
	(void)cap_free(none);
	/* It may have ended before it was asked to take us with it. */
	return r == 0 && getppid() != parent ? -ESRCH : r;
}

__attribute__((noreturn)) static void become(int program, const char *library, int out, int err_out,
					     pid_t parent)
{
	char *const arguments[] = {(char[]){"davit-nvml"}, (char *)(uintptr_t)library, NULL};
	char *const environment[] = {(char[]){"LANG=C"}, NULL};
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), r = null < 0 ? -errno : 0;

	if (r == 0) {
		null = lift(null);
		out = lift(out);
		err_out = lift(err_out);
		program = lift(program);
		if (dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err_out, 2) < 0 ||
		    dup3(program, 3, O_CLOEXEC) < 0)
			r = -errno;
	}
	if (r == 0) {
		settle();
		r = give_up_privileges(parent);
	}
	if (r == 0) {
		(void)syscall(SYS_execveat, 3, "", arguments, environment, AT_EMPTY_PATH);
		r = -errno;
	}
	(void)dprintf(2, "davit-nvml can't be started: %s\n", strerror(-r));
	_exit(127);
}

/* ---- the parent's side ------------------------------------------------------------------ */

struct child {
	pid_t pid;
	int out, err_out;
	int64_t deadline;
	char *text; /* NVML_OUTPUT_MAX + 1 bytes */
	size_t length;
	char line[LINE_MAX]; /* of its stderr, the first */
	size_t line_length;
};

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int start(struct child *child, int program, const char *library)
{
	AUTO_FD out = -1;
	AUTO_FD err_out = -1;
	pid_t parent = getpid();
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	child->out = pair[0];
	out = pair[1];
	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	child->err_out = pair[0];
	err_out = pair[1];
	child->pid = fork();
	if (child->pid == 0)
		become(program, library, out, err_out, parent);
	return child->pid < 0 ? -errno : 0;
}

/* True: it has ended by then. A kernel without pidfds gives nothing to wait for with a limit. */
static bool reap(struct child *child, int64_t deadline, int *ret_status)
{
	for (;;) {
		pid_t pid = waitpid(child->pid, ret_status, WNOHANG);

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
	int status, saved = errno;

	fd_close(&child->out);
	fd_close(&child->err_out);
	if (child->pid > 0) {
		(void)kill(child->pid, SIGKILL);
		(void)reap(child, now_ms() + REAP_MS, &status);
	}
	errno = saved;
}
#define AUTO_CHILD __attribute__((cleanup(child_release))) struct child

/* Reads what is there. 0, -EFBIG or -errno; at the end *fd is closed. */
static int take_output(struct child *child, int *fd)
{
	char scratch[512];
	bool is_text = fd == &child->out;
	char *at = is_text ? child->text + child->length : scratch;
	ssize_t n = read(*fd, at, is_text ? NVML_OUTPUT_MAX + 1 - child->length : sizeof(scratch));

	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	if (n == 0) {
		fd_close(fd);
		return 0;
	}
	if (is_text) {
		child->length += (size_t)n;
		return child->length > NVML_OUTPUT_MAX ? -EFBIG : 0;
	}
	for (ssize_t i = 0; i < n && child->line_length + 1 < sizeof(child->line); i++)
		child->line[child->line_length++] = scratch[i];
	return 0;
}

/* Until it has closed both. 0, -ETIMEDOUT, -EFBIG or -errno. */
static int collect(struct child *child)
{
	while (child->out >= 0 || child->err_out >= 0) {
		struct pollfd fds[] = {
			{child->out,     POLLIN, 0},
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

static int explain(struct child *child, int status, struct error *err)
{
	child->line[child->line_length] = '\0';
	child->line[strcspn(child->line, "\n")] = '\0';
	if (WIFSIGNALED(status))
		return error_set(err, ERROR_NO_DRIVER, EIO, FIX,
				 "ask NVML: davit-nvml was killed by signal %d%s%s",
				 WTERMSIG(status), child->line[0] ? ": " : "", child->line);
	if (WEXITSTATUS(status) != 0 && child->line[0])
		return error_set(err, ERROR_NO_DRIVER, EIO, FIX, "ask NVML: %s", child->line);
	if (WEXITSTATUS(status) != 0)
		return error_set(err, ERROR_NO_DRIVER, EIO, FIX,
				 "ask NVML: davit-nvml exited with code %d", WEXITSTATUS(status));
	return 0;
}

static int run(struct child *child, int timeout_ms, struct error *err)
{
	int status = 0, r = collect(child);

	if (r == 0 && !reap(child, child->deadline, &status))
		r = child->pid > 0 ? -ETIMEDOUT : -ECHILD;
	if (r == -ETIMEDOUT)
		return error_set(err, ERROR_NO_DRIVER, -r,
				 "start nvidia-persistenced, so that the GPUs needn't be "
				 "initialised first, and " FIX,
				 "ask NVML: no answer within %d ms", timeout_ms);
	if (r == -EFBIG)
		return error_set(err, ERROR_NO_DRIVER, -r, FIX,
				 "ask NVML: the answer has more than %zu KiB",
				 NVML_OUTPUT_MAX / 1024);
	return r < 0 ? error_errno(err, -r, "ask NVML: read the answer")
		     : explain(child, status, err);
}

int nvml_run(int program_fd, const char *library, int timeout_ms, struct arena *arena, char **ret,
	     size_t *ret_length, struct error *err)
{
	AUTO_CHILD child = {.pid = -1, .out = -1, .err_out = -1};
	struct sigaction ours = {.sa_handler = SIG_DFL}, before;
	int r;

	child.deadline = now_ms() + timeout_ms;
	child.text = arena_alloc(arena, NVML_OUTPUT_MAX + 1);
	if (!child.text)
		return error_memory(err);
	/* Where SIGCHLD is ignored, how a child ended isn't told. */
	if (sigaction(SIGCHLD, &ours, &before) < 0)
		return error_errno(err, errno, "ask NVML: wait for davit-nvml");
	r = start(&child, program_fd, library);
	r = r < 0 ? error_errno(err, -r, "ask NVML: start davit-nvml")
		  : run(&child, timeout_ms, err);
	/* Not before the child is reaped. */
	child_release(&child);
	(void)sigaction(SIGCHLD, &before, NULL);
	if (r < 0)
		return r;
	child.text[child.length > NVML_OUTPUT_MAX ? NVML_OUTPUT_MAX : child.length] = '\0';
	*ret = child.text;
	*ret_length = child.length;
	return 0;
}
