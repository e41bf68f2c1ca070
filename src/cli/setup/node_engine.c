// SPDX-License-Identifier: Apache-2.0
/* A node's engine: configured, restarted, waited for. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "command/commands.h"
#include "configure.h"
#include "node.h"

#define OUTPUT_MAX ((size_t)256 * 1024)
#define WORDS_MAX 8

/* ---- processes -------------------------------------------------------------------------- */

static int wait_for(const struct node *node, pid_t child, const char *what)
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
static int enter_host(const struct node *node)
{
	return fchdir(node->host.fd) < 0 || chroot(".") < 0 || chdir("/") < 0 ? -errno : 0;
}

/* In the host's root, where it can ask the host's containerd about the files. Its output is shown,
 * too. */
static int run_configure(const struct node *node, int argc, char **argv, char **ret)
{
	int ends[2], r;
	pid_t child;

	(void)fflush(stdout);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno(node->err, errno, "create a pipe");
	child = fork();
	if (child == 0) {
		(void)dup2(ends[1], STDOUT_FILENO);
		if (enter_host(node) < 0)
			_exit(126);
		r = command_run(&command_configure, "davit configure", argc, argv);
		_exit(fflush(stdout) == 0 ? r : 1);
	}
	(void)close(ends[1]);
	r = child < 0 ? -errno : file_read(ends[0], OUTPUT_MAX, node->arena, ret, NULL);
	(void)close(ends[0]);
	if (child < 0)
		return error_errno(node->err, -r, "start a process");
	if (r == 0)
		(void)fputs(*ret, stdout);
	return wait_for(node, child, "davit configure");
}

/* Executes the program in the host's root, without this process's environment. */
static void become(const struct node *node, char *const *argv)
{
	static const char *const folders[] = {"/usr/bin", "/bin", "/usr/sbin", "/sbin",
					      "/snap/bin"};
	/*
	 * If /proc/1 isn't the host's, systemctl assumes that it runs in a chroot, and does
	 * nothing.
	 */
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin";
	static char ignore[] = "SYSTEMD_IGNORE_CHROOT=1";
	char *environment[] = {path, ignore, NULL};

	if (enter_host(node) < 0)
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
	return wait_for(node, child, command);
}

/* ---- waiting ---------------------------------------------------------------------------- */

/* `remove`: what davit has changed is gone, so that CRI is another's affair. */
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
		(void)nanosleep(&pause, NULL);
	}
	return error_set(node->err, ERROR_SYSTEM, ETIMEDOUT, "read that service's log",
			 "reach %s at %s within %d s of its restart", node->engine->name,
			 node->engine->socket, NODE_SECONDS);
}

/* ---- all of it -------------------------------------------------------------------------- */

int node_check_restart(const struct node *node)
{
	static const char *const programs[] = {"/usr/bin/systemctl", "/bin/systemctl"};
	struct stat st;

	if (node->no_restart)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (root_stat(&node->host, programs[i], 0, &st) == 0)
			return 0;
	return error_set(node->err, ERROR_REFUSED, ENOENT,
			 "use --no-restart, and restart it yourself",
			 "restart %s: the host has no systemd", node->engine->name);
}

static int configure(const struct node *node, bool remove, const char **ret_restart)
{
	char *name = arena_strdup(node->arena, node->engine->command), *output = NULL;
	char back[] = "--remove", set_default[] = "--set-default", cdi[] = "--cdi";
	char file[] = "--file", path[] = CONTAINERD_MAIN;
	char *argv[6] = {name};
	int argc = 1, r;

	if (!name)
		return error_memory(node->err);
	/* A distribution may have left its directory. */
	if (string_equal(node->engine->name, "containerd")) {
		argv[argc++] = file;
		argv[argc++] = path;
	}
	if (remove)
		argv[argc++] = back;
	if (!remove && node->set_default)
		argv[argc++] = set_default;
	if (!remove && node->cdi)
		argv[argc++] = cdi;
	r = run_configure(node, argc, argv, &output);
	if (r < 0 || !output)
		return r < 0 ? r : -ENOMEM;
	*ret_restart = strstr(output, RESTART_NEEDED);
	if (*ret_restart) {
		*ret_restart += strcspn(*ret_restart, ":");
		*ret_restart += strspn(*ret_restart, ": ");
		*ret_restart =
			arena_strndup(node->arena, *ret_restart, strcspn(*ret_restart, "\n"));
		return *ret_restart ? 0 : error_memory(node->err);
	}
	return 0;
}

int node_configure(const struct node *node, bool remove)
{
	const char *command = NULL;
	struct error ignored = {0};
	struct node again = *node;
	int r = configure(node, remove, &command);

	if (r < 0 || !command)
		return r;
	if (node->no_restart) {
		(void)printf("not restarted: do `%s` on the host\n", command);
		return 0;
	}
	r = run_on_host(node, command);
	if (r == 0)
		r = wait_for_engine(node, remove);
	if (r == 0 || remove)
		return r;
	/* It worked before. */
	again.err = &ignored;
	(void)printf("taking the configuration back\n");
	if (configure(&again, true, &command) == 0 && command)
		(void)run_on_host(&again, command);
	return r;
}
