// SPDX-License-Identifier: Apache-2.0
/* `davit node`: what config/kubernetes runs on each node, on hosts without a shell. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "node.h"

/* ---- setting up ------------------------------------------------------------------------- */

static int open_node(const struct arguments *arguments, struct node *node)
{
	const char *host = arguments_value(arguments, "host");
	int r;

	node->path = host ? host : "/";
	node->set_default = arguments_flag(arguments, "set-default");
	node->cdi = arguments_flag(arguments, "cdi");
	node->no_restart = arguments_flag(arguments, "no-restart");
	r = root_open(node->path, &node->host, node->err);
	if (r < 0)
		return error_fix(
			node->err, r,
			"name the directory at which the host's / is mounted, with --host");
	return node_check_host(node);
}

/*
 * Everything that could prevent it. Nothing is changed. *ret: the configuration files to change, of
 * which the first *ret_engines are the engine's.
 */
static int check(struct node *node, struct node_changes *ret, size_t *ret_engines)
{
	int r = node_check_programs(node);

	if (r == 0)
		r = node_check_configure(node, false, ret);
	*ret_engines = ret->count;
	if (r == 0 && (ret->count || node->pending))
		r = node_check_restart(node);
	return r == 0 ? node_check_config(node, ret) : r;
}

/* Fills and writes the record, so that it exists if a later step fails or is killed. */
static int begin(struct node *node, const struct node_changes *changes, size_t engines,
		 bool is_first)
{
	int r = is_first ? node_find_existing(node) : node_adopt(node);

	if (r == 0)
		r = node_note_program_folders(node);
	if (r == 0)
		r = node_note_changes(node, changes);
	if (r == 0)
		r = node_save_before(node, changes, is_first);
	node->pending |= engines > 0;
	return r < 0 ? r : node_write_record(node);
}

/* If it fails, the engine gets back what it had before this call. */
static int change_files(struct node *node, const struct node_changes *changes, size_t engines)
{
	struct error ignored = {0};
	struct node again = *node;
	struct node_texts *texts = NULL;
	bool restarted = false;
	int r = node_read_texts(node, changes, &texts);

	if (r == 0)
		r = node_refuse_interrupted(node);
	if (r < 0)
		return r;
	if (changes->count > engines) {
		r = node_intend(node, CONFIG_PATH, node->config);
		if (r == 0)
			r = node_write(node, CONFIG_PATH, node->config);
		if (r == 0)
			(void)puts("wrote " CONFIG_PATH);
	}
	if (r == 0 && engines)
		r = node_run_configure(node, false, changes);
	if (r == 0 && node->pending) {
		restarted = true;
		r = node_restart(node, false);
	}
	if (r == 0 || !changes->count)
		return r;
	(void)puts("reverting the configuration");
	again.err = &ignored;
	(void)node_write_texts(&again, texts);
	if (restarted)
		(void)node_restart(&again, true);
	return r;
}

static int remove_all(struct node *node)
{
	size_t users = 0;
	int r = node_remove_files(node, &users);

	node->pending = false;
	/* Without the record, a later call would take these programs for somebody's own. */
	if (r == 0 && users)
		return node_write_record(node);
	return r < 0 ? r : node_remove_record(node);
}

/* If this fails, the node is restored, unless an earlier call had already set it up. */
static int set_up(const struct arguments *arguments, struct node *node)
{
	const char *config = arguments->config;
	struct node_changes changes = {0};
	struct error ignored = {0};
	struct node again;
	size_t engines = 0;
	int r = node_read_record(node);
	bool is_first = r == -ENOENT;

	if (is_first)
		r = 0;
	if (r == 0 && config)
		r = node_read_config(node, config);
	if (r == 0)
		r = node_find_engine(node, arguments_value(arguments, "engine"),
				     arguments_value(arguments, "file"));
	if (r == 0)
		r = check(node, &changes, &engines);
	if (r < 0)
		return r;
	r = begin(node, &changes, engines, is_first);
	if (r == 0)
		r = node_copy_programs(node);
	if (r == 0)
		r = node_make_names(node);
	if (r == 0)
		r = change_files(node, &changes, engines);
	if (r == 0 && node->pending) {
		node->pending = false;
		r = node_write_record(node);
	}
	again = *node;
	again.err = &ignored;
	if (r < 0 && is_first)
		(void)remove_all(&again);
	return r;
}

/* ---- reverting -------------------------------------------------------------------------- */

/* Restores a configuration that davit had written before, or removes davit's. */
static int revert_engine(struct node *node)
{
	struct node_changes changes = {0};
	struct node_plan plan = {0};
	bool had_engine = node_had_engine(node);
	int r = node_plan_restore(node, &plan);

	if (r == 0 && !had_engine)
		r = node_check_configure(node, true, &changes);
	node->pending |= changes.count || (plan.writes && had_engine);
	if (r == 0 && node->pending)
		r = node_check_restart(node);
	if (r == 0 && node->pending)
		r = node_write_record(node);
	if (r == 0)
		r = node_restore(node, &plan);
	if (r == 0 && had_engine)
		r = node_refresh(node, &plan);
	if (r == 0 && changes.count)
		r = node_run_configure(node, true, &changes);
	return r == 0 && node->pending ? node_restart(node, true) : r;
}

static int revert(struct node *node)
{
	bool installed;
	int r = node_read_record(node);

	if (r == -ENOENT) {
		node_remove_folder(node);
		(void)puts("nothing to revert");
		return 0;
	}
	if (r == 0)
		r = node_find_service(node, &installed);
	if (r == 0)
		r = revert_engine(node);
	return r < 0 ? r : remove_all(node);
}

/* ---- staying ---------------------------------------------------------------------------- */

/*
 * The kernel ignores signals without a handler for the first process of a container, so this waits
 * for them. Meanwhile other calls may change the node.
 */
static void wait_for_end(const struct node *node, const sigset_t *ends, struct node_lock *locked)
{
	(void)puts("installed; SIGTERM reverts everything");
	(void)fflush(stdout);
	node_unlock(node, locked);
	while (sigwaitinfo(ends, NULL) < 0)
		;
}

/* While another pod of this kind stays on the node, for example a newer one, nothing is reverted.
 */
static int stay_and_revert(struct node *node, const sigset_t *ends, struct node_lock *locked)
{
	struct node_lock held = NODE_NO_LOCK;
	bool stays = false;
	int r = node_hold(node, &held);

	if (r < 0)
		return r;
	wait_for_end(node, ends, locked);
	r = node_lock(node, locked, true);
	if (r == 0)
		r = node_find_holder(node, &held, &stays);
	if (r == 0 && !stays)
		r = revert(node);
	else if (r == 0)
		(void)puts("nothing is reverted: another `davit node install --stay` runs on this "
			   "node");
	node_unlock(node, &held);
	return r;
}

/* ---- the commands ------------------------------------------------------------------------ */

static void begin_signals(sigset_t *ends, sigset_t *before)
{
	(void)sigemptyset(ends);
	(void)sigaddset(ends, SIGTERM);
	(void)sigaddset(ends, SIGINT);
	/*
	 * Signals wait until the work is done, because a partly configured node is worse than a
	 * delay.
	 */
	(void)sigprocmask(SIG_BLOCK, ends, before);
}

static int do_install(const struct arguments *arguments, struct node *node, const sigset_t *ends)
{
	bool stays = arguments_flag(arguments, "stay");
	struct node_lock locked = NODE_NO_LOCK;
	int r = open_node(arguments, node);
	/* What is to be reverted is then read from the record again. */
	struct node fresh = *node;

	if (r == 0)
		r = node_lock(node, &locked, false);
	if (r < 0)
		return r;
	r = set_up(arguments, node);
	if (r == 0 && stays) {
		r = stay_and_revert(&fresh, ends, &locked);
	} else if (r < 0 && stays && node_is_interrupted()) {
		struct error ignored = {0};

		fresh.err = &ignored;
		(void)revert(&fresh);
	}
	node_unlock(node, &locked);
	return r;
}

static int install(const struct arguments *arguments)
{
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct node node = {.host = {.fd = -1}, .arena = &arena, .err = &err};
	sigset_t ends, before;
	int r;

	begin_signals(&ends, &before);
	r = do_install(arguments, &node, &ends);
	root_close(&node.host);
	r = r < 0 ? cli_fail(&err) : 0;
	(void)fflush(stdout);
	if (!arguments_flag(arguments, "stay"))
		(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

static int remove_node(const struct arguments *arguments)
{
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct node node = {.host = {.fd = -1}, .arena = &arena, .err = &err};
	struct node_lock locked = NODE_NO_LOCK;
	sigset_t ends, before;
	int r;

	begin_signals(&ends, &before);
	r = open_node(arguments, &node);
	if (r == 0)
		r = node_lock(&node, &locked, false);
	if (r == 0)
		r = revert(&node);
	node_unlock(&node, &locked);
	root_close(&node.host);
	r = r < 0 ? cli_fail(&err) : 0;
	(void)fflush(stdout);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	return r;
}

static const struct command_option install_options[] = {
	{"host", OPTION_VALUE, "DIR", "the host's root directory (/)"},
	{"engine", OPTION_VALUE, "NAME", "containerd, crio, k3s, rke2, k0s or microk8s"},
	{"file", OPTION_VALUE, "FILE", "containerd's file, if several of its daemons run"},
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
		"before anything is changed. If the engine doesn't come back, or a signal ends the\n"
		"command, everything is reverted. With --config, the file's text becomes the node's\n" CONFIG_PATH
		".\n",
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
	.help = "Reverts `davit node install`. What existed before is restored: programs, links, and a\n"
		"configuration that davit had written. Programs that a running container needs to stop\n"
		"are not removed.\n",
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
