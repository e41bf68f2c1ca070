// SPDX-License-Identifier: Apache-2.0
/*
 * Gives the command its own terminal instead of the caller's. Characters that the container inserts
 * into it (TIOCSTI, TIOCLINUX), and settings, then don't reach the caller's terminal. The command
 * always gets a new session, because /dev/tty leads to the caller's terminal even for a process
 * without a descriptor of it.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parts.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

/* ---- the caller's terminal ---------------------------------------------------------------- */

static void set_mode(const struct termios *mode)
{
	sigset_t stop, before;

	/* Also in the background, where a shell may have put this process. */
	(void)sigemptyset(&stop);
	(void)sigaddset(&stop, SIGTTOU);
	(void)sigprocmask(SIG_BLOCK, &stop, &before);
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, mode);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
}

/*
 * Starts a process that restores the mode if davit is killed: a byte from the pipe means that this
 * isn't needed, its end that it is.
 */
static int start_keeper(struct try_terminal *terminal, struct error *err)
{
	int pair[2];
	char byte;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return error_errno(err, errno, "create a pipe");
	terminal->keeper_pid = fork();
	if (terminal->keeper_pid == 0) {
		sigset_t all;
		ssize_t n;

		(void)sigfillset(&all);
		(void)sigprocmask(SIG_BLOCK, &all, NULL);
		(void)close(pair[1]);
		fd_close(&terminal->master);
		fd_close(&terminal->slave);
		do
			n = read(pair[0], &byte, 1);
		while (n < 0 && errno == EINTR);
		if (n != 1)
			set_mode(&terminal->before);
		_exit(0);
	}
	(void)close(pair[0]);
	terminal->keeper = pair[1];
	return terminal->keeper_pid < 0 ? error_errno(err, errno, "start a process") : 0;
}

/* ---- ours --------------------------------------------------------------------------------- */

static int make_pair(struct try_terminal *terminal)
{
	int unlocked = 0;

	terminal->master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (terminal->master < 0 || ioctl(terminal->master, TIOCSPTLCK, &unlocked) < 0)
		return -errno;
	/* TIOCGPTPEER (Linux 4.13) needs no path, which could lead elsewhere. */
	terminal->slave = ioctl(terminal->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return terminal->slave < 0 ? -errno : 0;
}

void try_terminal_resize(const struct try_terminal *terminal)
{
	struct winsize size;

	if (terminal->master >= 0 && ioctl(terminal->outside, TIOCGWINSZ, &size) == 0)
		(void)ioctl(terminal->master, TIOCSWINSZ, &size);
}

static int prepare(struct try_terminal *terminal, struct error *err)
{
	struct termios raw;
	int r;

	terminal->reads = terminal->is_tty[0] && tcgetpgrp(STDIN_FILENO) == getpgrp() &&
			  tcgetattr(STDIN_FILENO, &terminal->before) == 0;
	if (terminal->reads) {
		r = start_keeper(terminal, err);
		if (r < 0)
			return r;
		(void)tcsetattr(terminal->slave, TCSANOW, &terminal->before);
		raw = terminal->before;
		cfmakeraw(&raw);
		set_mode(&raw);
		terminal->raw = true;
	} else if (tcgetattr(terminal->slave, &raw) == 0) {
		/* The caller's terminal converts newlines itself. */
		raw.c_oflag &= ~(tcflag_t)OPOST;
		(void)tcsetattr(terminal->slave, TCSANOW, &raw);
	}
	try_terminal_resize(terminal);
	return 0;
}

int try_terminal_open(struct try_terminal *ret, struct error *err)
{
	int r;

	*ret = (struct try_terminal)TRY_TERMINAL_INIT;
	for (int fd = 2; fd >= 0; fd--) {
		ret->is_tty[fd] = isatty(fd) == 1;
		/* Standard output is preferred for output. */
		if (ret->is_tty[fd] && (ret->outside < 0 || fd == STDOUT_FILENO))
			ret->outside = fd;
	}
	if (ret->outside < 0)
		return 0;
	r = make_pair(ret);
	return r < 0 ? error_errno(err, -r, "create a terminal for the command")
		     : prepare(ret, err);
}

int try_terminal_enter(const struct try_terminal *terminal)
{
	if (setsid() < 0)
		return -errno;
	if (terminal->slave < 0)
		return 0;
	for (int fd = 0; fd < 3; fd++)
		if (terminal->is_tty[fd] && dup2(terminal->slave, fd) < 0)
			return -errno;
	return ioctl(terminal->slave, TIOCSCTTY, 0) < 0 ? -errno : 0;
}

void try_terminal_started(struct try_terminal *terminal)
{
	fd_close(&terminal->slave);
}

/* ---- relaying ------------------------------------------------------------------------------ */

/* False: no more output for now, or at all. */
static bool take_output(struct try_terminal *terminal)
{
	char text[4096];
	ssize_t n = read(terminal->master, text, sizeof(text));

	if (n <= 0) {
		terminal->ended |= n == 0 || (errno != EAGAIN && errno != EINTR);
		return false;
	}
	for (ssize_t done = 0, wrote = 0; done < n; done += wrote) {
		wrote = write(terminal->outside, text + done, (size_t)(n - done));
		if (wrote < 0 && errno != EINTR)
			break;
		wrote = wrote < 0 ? 0 : wrote;
	}
	return true;
}

static void take_input(struct try_terminal *terminal)
{
	ssize_t n;

	if (!terminal->pending) {
		n = read(STDIN_FILENO, terminal->input, sizeof(terminal->input));
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			terminal->reads = false;
		terminal->pending = n > 0 ? (size_t)n : 0;
	}
	n = terminal->pending ? write(terminal->master, terminal->input, terminal->pending) : 0;
	if (n <= 0)
		return;
	terminal->pending -= (size_t)n;
	memmove(terminal->input, terminal->input + n, terminal->pending);
}

void try_terminal_wait(struct try_terminal *terminal, int other)
{
	struct pollfd fds[] = {
		{other, POLLIN, 0},
		{terminal->ended ? -1 : terminal->master, POLLIN, 0},
		{terminal->reads && !terminal->pending ? STDIN_FILENO : -1, POLLIN, 0},
	};

	if (terminal->pending)
		fds[1].events |= POLLOUT;
	if (poll(fds, ARRAY_SIZE(fds), -1) <= 0)
		return;
	if (fds[1].revents & (POLLIN | POLLHUP | POLLERR))
		(void)take_output(terminal);
	if (fds[2].revents || fds[1].revents & POLLOUT)
		take_input(terminal);
}

void try_terminal_close(struct try_terminal *terminal)
{
	fd_close(&terminal->slave);
	/*
	 * Relay the remaining output. All processes with the other side ended with the namespace.
	 */
	for (int i = 0; terminal->master >= 0 && i < 1024 && take_output(terminal); i++)
		;
	fd_close(&terminal->master);
	if (terminal->raw)
		set_mode(&terminal->before);
	terminal->raw = false;
	if (terminal->keeper >= 0 && write(terminal->keeper, "", 1) < 0)
		errno = 0;
	fd_close(&terminal->keeper);
	if (terminal->keeper_pid > 0)
		(void)waitpid(terminal->keeper_pid, NULL, 0);
	terminal->keeper_pid = 0;
}
