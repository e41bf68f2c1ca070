// SPDX-License-Identifier: Apache-2.0
/* `davit node`: what config/kubernetes runs on each node, on hosts without a shell. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "node.h"

static int open_node(const struct arguments *arguments, struct node *node)
{
	const char *host = arguments_value(arguments, "host");
	int r;

	node->path = host ? host : "/";
	node->set_default = arguments_flag(arguments, "set-default");
	node->cdi = arguments_flag(arguments, "cdi");
	node->no_restart = arguments_flag(arguments, "no-restart");
	r = root_open(node->path, &node->host, node->err);
	return r < 0 ? r : node_check_host(node);
}

/* If this fails, the node is restored, unless an earlier call had already set it up. */
static int put_on_node(struct node *node)
{
	struct node again = *node;
	struct error ignored = {0};
	bool fresh = node_read_record(&again) == -ENOENT;
	int r = 0;

	node->before = again.before;
	if (fresh)
		r = node_find_existing(node);
	/*
	 * The record is written before the first change, so that it exists if a later step fails.
	 */
	if (r == 0)
		r = node_write_record(node);
	if (r == 0)
		r = node_copy_programs(node);
	if (r == 0)
		r = node_make_names(node);
	if (r == 0)
		r = node_configure(node, false);
	again.err = &ignored;
	again.before = node->before;
	if (r < 0 && fresh)
		(void)node_remove_files(&again);
	return r;
}

static int set_up(const struct arguments *arguments, struct node *node)
{
	int r = node_find_engine(node, arguments_value(arguments, "engine"));

	if (r == 0)
		r = node_check_restart(node);
	return r < 0 ? r : put_on_node(node);
}

static int take_back(struct node *node)
{
	int r = node_read_record(node);

	if (r == -ENOENT) {
		(void)puts("nothing to revert");
		return 0;
	}
	if (r == 0)
		r = node_configure(node, true);
	return r < 0 ? r : node_remove_files(node);
}

/*
 * The kernel ignores signals without a handler for the first process of a container, so this waits
 * for them.
 */
static void stay(const sigset_t *ends)
{
	(void)puts("installed; SIGTERM reverts everything");
	(void)fflush(stdout);
	while (sigwaitinfo(ends, NULL) < 0)
		;
}

static int install(const struct arguments *arguments)
{
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct node node = {.host = {.fd = -1}, .arena = &arena, .err = &err};
	bool stays = arguments_flag(arguments, "stay");
	sigset_t ends;
	int r;

	(void)sigemptyset(&ends);
	(void)sigaddset(&ends, SIGTERM);
	(void)sigaddset(&ends, SIGINT);
	/*
	 * Signals wait until the work is done, because a partly configured node is worse than a
	 * delay.
	 */
	if (stays)
		(void)sigprocmask(SIG_BLOCK, &ends, NULL);
	r = open_node(arguments, &node);
	if (r == 0)
		r = set_up(arguments, &node);
	if (r == 0 && stays) {
		stay(&ends);
		r = take_back(&node);
	}
	root_close(&node.host);
	return r < 0 ? cli_fail(&err) : 0;
}

static int remove_node(const struct arguments *arguments)
{
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct node node = {.host = {.fd = -1}, .arena = &arena, .err = &err};
	int r = open_node(arguments, &node);

	if (r == 0)
		r = take_back(&node);
	root_close(&node.host);
	return r < 0 ? cli_fail(&err) : 0;
}

static const struct command_option install_options[] = {
	{"host", OPTION_VALUE, "DIR", "the host's root directory (/)"},
	{"engine", OPTION_VALUE, "containerd|crio", "the engine, if the host has both"},
	{"set-default", OPTION_FLAG, NULL, "use davit also for pods without a RuntimeClass"},
	{"cdi", OPTION_FLAG, NULL, "enable CDI devices"},
	{"no-restart", OPTION_FLAG, NULL, "don't restart the engine"},
	{"stay", OPTION_FLAG, NULL, "wait for SIGTERM, and then revert everything"},
	{NULL, 0, NULL, NULL},
};

static const struct command node_install = {
	.name = "install",
	.summary = "install davit on a node, and configure the node's engine",
	.help = "Installs davit through the node's root directory. It copies davit's programs and links\n"
		"and configures containerd (also of k3s, RKE2, k0s and MicroK8s) or CRI-O. Then it\n"
		"restarts the engine and waits until it answers. If it can't do this safely, it fails\n"
		"before anything is changed.\n",
	.example = "davit node install --host /host --stay",
	.options = install_options,
	.run = install,
};

static const struct command_option remove_options[] = {
	{"host", OPTION_VALUE, "DIR", "the host's root directory (/)"},
	{"no-restart", OPTION_FLAG, NULL, "don't restart the engine"},
	{NULL, 0, NULL, NULL},
};

static const struct command node_remove = {
	.name = "remove",
	.summary = "revert `davit node install`",
	.help = "Reverts `davit node install`. Programs that a running container needs to stop are not\n"
		"removed.\n",
	.example = "davit node remove --host /host",
	.options = remove_options,
	.run = remove_node,
};

static const struct command *const commands[] = {&node_install, &node_remove, NULL};

const struct command command_node = {
	.name = "node",
	.summary = "install davit on a Kubernetes node through the node's root directory",
	.help = "For nodes without a shell: the DaemonSet in config/kubernetes runs this command.\n",
	.example = "davit node install --host /host --stay",
	.commands = commands,
};
