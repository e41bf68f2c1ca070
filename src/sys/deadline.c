// SPDX-License-Identifier: Apache-2.0
/*
 * The end that a program has whatever it waits for: a timer, a thread beside it where file systems
 * of a container are touched, a child where the program has to end whatever becomes of the work.
 * docs/architecture.md says which is for what.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "davit/sys.h"

#define WATCH_STACK ((size_t)32 * 1024) /* what isn't touched costs nothing */
#define RETRY_MS 50L

static const char fix[] =
	"look for a file system or daemon that doesn't respond, or raise limits.seconds";

static struct {
	unsigned seconds;
	int exit_code;
	struct timespec end; /* CLOCK_MONOTONIC */
	atomic_flag said;
	const char *own_step, **step; /* what is being done; shared with a worker */
} deadline = {.said = ATOMIC_FLAG_INIT, .own_step = "begin", .step = &deadline.own_step};

void deadline_step(const char *doing)
{
	*deadline.step = doing;
}

int deadline_error(unsigned seconds, struct error *err)
{
	return error_set(err, ERROR_SYSTEM, ETIMEDOUT, fix, "%s: not finished after %u s",
			 *deadline.step, seconds);
}

/*
 * Also from a signal handler, or beside the program: nothing here takes memory or a lock, and
 * nobody goes on after it.
 */
__attribute__((noreturn)) static void end_program(void)
{
	struct error err;
	char line[ERROR_LINE_MAX];

	if (!atomic_flag_test_and_set(&deadline.said)) {
		(void)deadline_error(deadline.seconds, &err);
		error_line(&err, line);
		if (!log_goes_to(STDERR_FILENO))
			log_line(LOG_LEVEL_ERROR, "%s", line);
		line[strlen(line)] =
			'\n'; /* in the place of the NUL: it is written by its length */
		(void)!write(STDERR_FILENO, line, strnlen(line, sizeof(line)));
	}
	for (;;)
		(void)syscall(SYS_exit_group, deadline.exit_code);
}

static void timer_is_up(int number)
{
	(void)number;
	end_program();
}

void deadline_set(unsigned seconds, int exit_code)
{
	const struct itimerval timer = {.it_value.tv_sec = (time_t)seconds};
	const struct sigaction action = {.sa_handler = timer_is_up};
	bool first = deadline.end.tv_sec == 0;

	if (!first && seconds == deadline.seconds && exit_code == deadline.exit_code)
		return;
	if (first)
		(void)sigaction(SIGALRM, &action, NULL);
	(void)clock_gettime(CLOCK_MONOTONIC, &deadline.end);
	deadline.end.tv_sec += (time_t)seconds;
	deadline.seconds = seconds;
	deadline.exit_code = exit_code;
	(void)setitimer(ITIMER_REAL, &timer, NULL);
}

/* ---- a thread beside the program -------------------------------------------------------- */

#ifndef DAVIT_SANITIZE
/* No TLS of its own: what it calls must leave that of the program alone until the time is up. */
static int watch(void *unused)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};

	(void)unused;
	/* Whoever takes over the program gains nothing by this thread. */
	(void)syscall(SYS_capset, &header, none);
	/* An absolute time, so that a stopped and continued process just waits on. */
	while (syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline.end, NULL) !=
	       0)
		;
	end_program();
}
#endif

void deadline_watch(void)
{
#ifndef DAVIT_SANITIZE /* its runtime wants to know of every thread */
	static _Alignas(16) unsigned char stack[WATCH_STACK];

	/*
	 * Not with CLONE_FS: who shares that can't enter a mount namespace. Without it (a limit of
	 * processes) the timer still is there.
	 */
	if (deadline.seconds)
		(void)clone(watch, stack + sizeof(stack),
			    CLONE_VM | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, NULL);
#endif
}

/* ---- the work in a child ---------------------------------------------------------------- */

struct worker {
	pid_t pid;
	int output;
	struct timespec end;
};

static void wake_up(int number)
{
	(void)number;
}

static bool is_over(const struct worker *worker)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > worker->end.tv_sec ||
	       (now.tv_sec == worker->end.tv_sec && now.tv_nsec >= worker->end.tv_nsec);
}

/* What it says is passed on: it holds no pipe of ours that somebody else may wait for. */
static int pass_on(struct worker *worker)
{
	char text[1024];

	while (!is_over(worker)) {
		ssize_t n = read(worker->output, text, sizeof(text));

		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			(void)file_write(STDERR_FILENO, text, (size_t)n);
	}
	return -ETIMEDOUT;
}

static int wait_for(const struct worker *worker, int *ret_status)
{
	while (!is_over(worker)) {
		if (waitpid(worker->pid, ret_status, 0) == worker->pid)
			return 0;
		if (errno != EINTR)
			return -errno;
	}
	return -ETIMEDOUT;
}

__attribute__((noreturn)) static void work_on(int (*work)(void *arg), void *arg, int output,
					      pid_t parent)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null >= 0)
		(void)dup2(null, STDIN_FILENO);
	(void)dup2(output, STDOUT_FILENO);
	(void)dup2(output, STDERR_FILENO);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	_exit(getppid() == parent ? work(arg) : 1);
}

static int run_worker(struct worker *worker, int (*work)(void *arg), void *arg, int *ret_status)
{
	pid_t parent = getpid();
	int pair[2], r;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	worker->pid = fork();
	if (worker->pid == 0)
		work_on(work, arg, pair[1], parent);
	r = worker->pid < 0 ? -errno : 0;
	(void)close(pair[1]);
	worker->output = pair[0];
	if (r == 0)
		r = pass_on(worker);
	if (r == 0)
		r = wait_for(worker, ret_status);
	/* One that hangs in the kernel, where no signal reaches it, is left to init. */
	if (r < 0 && worker->pid > 0) {
		(void)kill(worker->pid, SIGKILL);
		(void)waitpid(worker->pid, NULL, WNOHANG);
	}
	(void)close(pair[0]);
	return r;
}

static void share_step(void)
{
	void *page = mmap(NULL, sizeof(*deadline.step), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return;
	deadline.step = page;
	*deadline.step = deadline.own_step;
}

int deadline_run_worker(unsigned seconds, int (*work)(void *arg), void *arg, int *ret_status)
{
	/* Again and again: one that comes just before a call would otherwise be missed. */
	const struct itimerval timer = {
		.it_value.tv_sec = (time_t)seconds,
		.it_interval.tv_usec = RETRY_MS * 1000,
	};
	const struct itimerval no_timer = {0};
	const struct sigaction wake = {.sa_handler = wake_up}, usual = {.sa_handler = SIG_DFL};
	struct sigaction alarm_before, child_before;
	struct worker worker = {0};
	int r;

	share_step();
	(void)clock_gettime(CLOCK_MONOTONIC, &worker.end);
	worker.end.tv_sec += seconds ? (time_t)seconds : INT32_MAX;
	(void)sigaction(SIGALRM, &wake, &alarm_before);
	/* Who ignores SIGCHLD is not told how a child ends. */
	(void)sigaction(SIGCHLD, &usual, &child_before);
	(void)setitimer(ITIMER_REAL, seconds ? &timer : &no_timer, NULL);
	r = run_worker(&worker, work, arg, ret_status);
	(void)setitimer(ITIMER_REAL, &no_timer, NULL);
	(void)sigaction(SIGALRM, &alarm_before, NULL);
	(void)sigaction(SIGCHLD, &child_before, NULL);
	return r;
}
