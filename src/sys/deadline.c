// SPDX-License-Identifier: Apache-2.0
/*
 * Ends a program after a time limit, whatever it waits for: by a timer, by a thread in programs
 * that touch a container's file systems, or by a parent that stops waiting. docs/architecture.md
 * says which is used where.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "capabilities.h"
#include "davit/sys.h"

#define WATCH_STACK ((size_t)32 * 1024) /* untouched pages cost nothing */
#define RETRY_MS 50L

static const char fix[] =
	"look for a file system or daemon that doesn't respond, or raise limits.seconds";

static struct {
	unsigned seconds;
	int exit_code;
	struct timespec end; /* CLOCK_MONOTONIC */
	atomic_flag said;
	const char *step; /* the current step */
} deadline = {.said = ATOMIC_FLAG_INIT, .step = "begin"};

void deadline_step(const char *doing)
{
	deadline.step = doing;
}

int deadline_error(unsigned seconds, struct error *err)
{
	return error_set(err, ERROR_SYSTEM, ETIMEDOUT, fix, "%s: not finished after %u s",
			 deadline.step, seconds);
}

/*
 * Also called in a signal handler and in the second thread: it must allocate no memory and take no
 * lock, and it doesn't return.
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
		line[strlen(line)] = '\n'; /* replaces the NUL: the line is written by its length */
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
/*
 * The thread has no TLS of its own. Until the time is up, it must not change the program's, which
 * contains errno.
 */
static int watch(void *unused)
{
	const struct capabilities none = {0};

	(void)unused;
	/* An attacker who takes over the program must gain nothing from this thread. */
	(void)capabilities_set(&none);
	/*
	 * The time is absolute, so that a process that was stopped and continued waits for the same
	 * end.
	 */
	while (syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline.end, NULL) !=
	       0)
		;
	end_program();
}
#endif

void deadline_watch(void)
{
#ifndef DAVIT_SANITIZE /* a sanitizer must know every thread */
	static _Alignas(16) unsigned char stack[WATCH_STACK];

	/*
	 * Not with CLONE_FS: a process that shares it can't enter a mount namespace. If clone fails
	 * (a limit of processes), the timer remains.
	 */
	if (deadline.seconds)
		(void)clone(watch, stack + sizeof(stack),
			    CLONE_VM | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, NULL);
#endif
}

/* ---- a child ---------------------------------------------------------------------------- */

static void wake_up(int number)
{
	(void)number;
}

static bool is_over(const struct timespec *end)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > end->tv_sec ||
	       (now.tv_sec == end->tv_sec && now.tv_nsec >= end->tv_nsec);
}

static int wait_until(pid_t pid, const struct timespec *end, int *ret_status)
{
	while (waitpid(pid, ret_status, 0) != pid) {
		if (errno != EINTR)
			return -errno;
		if (is_over(end))
			return -ETIMEDOUT;
	}
	return 0;
}

int deadline_wait(pid_t pid, unsigned seconds, int *ret_status)
{
	/* The timer repeats, since a signal just before waitpid would be missed. */
	const struct itimerval timer = {
		.it_value.tv_sec = (time_t)seconds,
		.it_interval.tv_usec = RETRY_MS * 1000,
	};
	const struct itimerval no_timer = {0};
	const struct sigaction wake = {.sa_handler = wake_up};
	struct sigaction before;
	struct timespec end;
	sigset_t alarm, blocked;
	int r;

	(void)clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += (time_t)seconds;
	(void)sigemptyset(&alarm);
	(void)sigaddset(&alarm, SIGALRM);
	(void)sigaction(SIGALRM, &wake, &before);
	(void)sigprocmask(SIG_UNBLOCK, &alarm, &blocked);
	if (seconds)
		(void)setitimer(ITIMER_REAL, &timer, NULL);
	r = wait_until(pid, &end, ret_status);
	if (seconds)
		(void)setitimer(ITIMER_REAL, &no_timer, NULL);
	(void)sigaction(SIGALRM, &before, NULL);
	(void)sigprocmask(SIG_SETMASK, &blocked, NULL);
	/* A child that hangs in the kernel isn't reached by the signal. init will reap it. */
	if (r == -ETIMEDOUT) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, WNOHANG);
	}
	return r;
}
