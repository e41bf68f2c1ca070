// SPDX-License-Identifier: Apache-2.0
/* A node's engine: restarted through the host's root, and waited for. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "node.h"

#define WORDS_MAX 8

static const char *const folders[] = {"/usr/bin", "/bin", "/usr/sbin", "/sbin", "/snap/bin"};

/* ---- processes -------------------------------------------------------------------------- */

int node_wait_for(const struct node *node, pid_t child, const char *what)
{
	int status;
	pid_t waited;

	do
		waited = waitpid(child, &status, 0);
	while (waited < 0 && errno == EINTR);
	if (waited < 0)
		return error_errno(node->err, errno, "wait for %s", what);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return error_set(node->err, ERROR_SYSTEM, ECHILD, "see the lines above",
			 "do `%s`: it failed", what);
}

/* The host's programs find their libraries and files there, and nothing of this root. */
int node_enter_host(const struct node *node)
{
	return fchdir(node->host.fd) < 0 || chroot(".") < 0 || chdir("/") < 0 ? -errno : 0;
}

/* Executes the program in the host's root, without this process's environment. */
static void become(const struct node *node, char *const *argv)
{
	/*
	 * If /proc/1 isn't the host's, systemctl assumes that it runs in a chroot, and does
	 * nothing.
	 */
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin";
	static char ignore[] = "SYSTEMD_IGNORE_CHROOT=1";
	char *environment[] = {path, ignore, NULL};
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	if (node_enter_host(node) < 0)
		_exit(126);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		(void)execve(arena_printf(node->arena, "%s/%s", folders[i], argv[0]), argv,
			     environment);
	_exit(127);
}

static int run_on_host(const struct node *node, const char *command)
{
	char *argv[WORDS_MAX + 1] = {NULL}, *rest = arena_strdup(node->arena, command);
	pid_t child;

	for (size_t i = 0; rest && i < WORDS_MAX; i++) {
		argv[i] = strsep(&rest, " ");
	}
	if (!argv[0])
		return error_memory(node->err);
	(void)printf("on the host: %s\n", command);
	(void)fflush(stdout);
	child = fork();
	if (child == 0)
		become(node, argv);
	if (child < 0)
		return error_errno(node->err, errno, "start a process");
	return node_wait_for(node, child, command);
}

/* ---- signals ---------------------------------------------------------------------------- */

bool node_is_interrupted(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 &&
	       (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

int node_refuse_interrupted(const struct node *node)
{
	return node_is_interrupted() ? error_set(node->err, ERROR_SYSTEM, EINTR, "run it again",
						 "set up the node: a signal has ended it")
				     : 0;
}

/* ---- waiting ---------------------------------------------------------------------------- */

/* `remove`: what davit has changed is gone, so that CRI is another's affair. A signal ends only an
 * installation early: it is reverted, for which the kubelet gives time. */
static int wait_for_engine(const struct node *node, bool remove)
{
	const struct timespec pause = {.tv_nsec = 500L * 1000 * 1000};
	enum node_answer answer;

	for (int i = 0; i < 2 * NODE_SECONDS; i++) {
		answer = node_ask(node, node->engine);
		if (answer == NODE_READY || (remove && answer == NODE_WITHOUT_CRI)) {
			(void)printf("%s is back\n", node->engine->name);
			return 0;
		}
		if (answer == NODE_WITHOUT_CRI)
			return error_set(node->err, ERROR_SYSTEM, ENOTSUP,
					 "read that service's log, and check disabled_plugins",
					 "use %s for Kubernetes: it runs without its CRI plugin",
					 node->engine->name);
		if (!remove && node_is_interrupted())
			return node_refuse_interrupted(node);
		(void)nanosleep(&pause, NULL);
	}
	return error_set(node->err, ERROR_SYSTEM, ETIMEDOUT, "read that service's log",
			 "reach %s at %s within %d s of its restart", node->engine->name,
			 node->engine->socket, NODE_SECONDS);
}

/* ---- restarting ------------------------------------------------------------------------- */

static bool has_program(const struct node *node, const char *command)
{
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		const char *path = arena_printf(node->arena, "%s/%.*s", folders[i],
						(int)strcspn(command, " "), command);

		if (path && node_has(node, path))
			return true;
	}
	return false;
}

int node_check_restart(const struct node *node)
{
	const char *command = node->restart;

	if (node->no_restart || (command && has_program(node, command)))
		return 0;
	return error_set(node->err, ERROR_REFUSED, ENOENT,
			 "use --no-restart, and restart it yourself", "restart %s: the host has %s",
			 node->engine->name,
			 !command                               ? "no service of it"
			 : string_starts(command, "systemctl ") ? "no systemd"
								: "no program that does it");
}

int node_restart(const struct node *node, bool remove)
{
	int r;

	if (node->no_restart) {
		(void)printf("not restarted: restart %s on the host%s%s%s\n", node->engine->name,
			     node->restart ? " (" : "", node->restart ? node->restart : "",
			     node->restart ? ")" : "");
		return 0;
	}
	r = node_check_restart(node);
	if (r == 0)
		r = run_on_host(node, node->restart);
	return r < 0 ? r : wait_for_engine(node, remove);
}
