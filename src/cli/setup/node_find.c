// SPDX-License-Identifier: Apache-2.0
/* Which engine is the kubelet's: the one that serves CRI, runs, or has a service. */
#include <string.h>

#include "davit/configure_containerd.h"
#include "node.h"

/* A distribution's engine comes before plain containerd, which may also be installed but unused. */
const struct node_engine node_engines[] = {
	{"k3s", "k3s", "containerd", NULL, "/run/k3s/containerd/containerd.sock"},
	{"RKE2", "rke2", "containerd", NULL, "/run/k3s/containerd/containerd.sock"},
	{"k0s", "k0s", "containerd", NULL, "/run/k0s/containerd.sock"},
	{"MicroK8s", "microk8s", "containerd", NULL,
	 "/var/snap/microk8s/common/run/containerd.sock"},
	{"CRI-O", "crio", "crio", "/etc/crio /usr/bin/crio /usr/local/bin/crio",
	 "/run/crio/crio.sock"},
	{"containerd", "containerd", "containerd", "/usr/bin/containerd /usr/local/bin/containerd",
	 "/run/containerd/containerd.sock"},
};
const size_t node_engine_count = ARRAY_SIZE(node_engines);

struct candidate {
	const struct node_engine *engine;
	const char *file, *restart;
	enum node_answer answer;
	bool is_active; /* systemd has started its service */
	bool has_program;
};

/* ---- one engine ------------------------------------------------------------------------- */

static bool has_marker(const struct node *node, const struct node_engine *engine)
{
	struct slice rest = slice_from(engine->markers), word;

	while (slice_next(&rest, ' ', &word)) {
		const char *path = arena_strndup(node->arena, word.data, word.length);

		if (path && node_has(node, path))
			return true;
	}
	return false;
}

/* The service's cgroup exists as long as it runs. */
static bool is_active(const struct node *node, const char *service)
{
	static const char *const folders[] = {"/sys/fs/cgroup", "/sys/fs/cgroup/systemd"};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		const char *path = arena_printf(node->arena, "%s/system.slice/%s.service",
						folders[i], service);

		if (path && node_has(node, path))
			return true;
	}
	return false;
}

static void find_service(const struct node *node, const char *const *services, size_t count,
			 struct candidate *ret)
{
	const char *restart = configure_restart(&node->host, services, count, node->arena);

	/* "restart NAME" is for people: the host has no such service. */
	ret->restart = restart && !string_starts(restart, "restart ") ? restart : NULL;
	for (size_t i = 0; i < count; i++)
		ret->is_active |= is_active(node, services[i]);
}

/* A distribution's directory may be a leftover: it counts with its program, its service, or the
 * directory of its socket, which disappears when the host is restarted. */
static bool is_installed(const struct node *node, const struct candidate *candidate)
{
	const char *socket = candidate->engine->socket;
	const char *folder =
		arena_strndup(node->arena, socket, (size_t)(strrchr(socket, '/') - socket));

	return candidate->has_program || candidate->restart || (folder && node_has(node, folder));
}

/* Whether it is installed. */
static bool inspect(const struct node *node, const struct node_engine *engine,
		    const struct containerd_distribution *found, size_t count,
		    struct candidate *ret)
{
	*ret = (struct candidate){.engine = engine};
	if (engine->markers) {
		ret->has_program = has_marker(node, engine);
		find_service(node, &engine->command, 1, ret);
		return ret->has_program;
	}
	for (size_t i = 0; i < count; i++) {
		if (!string_equal(found[i].name, engine->name))
			continue;
		ret->file = found[i].file;
		ret->has_program = found[i].program && node_has(node, found[i].program);
		find_service(node, found[i].services, found[i].services[1] ? 2 : 1, ret);
		return is_installed(node, ret);
	}
	return false;
}

/* ---- all of them ------------------------------------------------------------------------ */

/* From the best evidence to the least. Above 0: a is better. */
static int compare(const struct candidate *a, const struct candidate *b)
{
	if (a->answer != b->answer)
		return a->answer > b->answer ? 1 : -1;
	if (a->is_active != b->is_active)
		return a->is_active - b->is_active;
	if (!a->restart != !b->restart)
		return a->restart ? 1 : -1;
	return a->has_program - b->has_program;
}

static bool is_plain(const struct candidate *candidate)
{
	return string_equal(candidate->engine->option, "containerd");
}

/* Whether `next` is to be used rather than `best`, an earlier one of the table. -EEXIST, err
 * filled: nothing decides. */
static int is_better(const struct node *node, const char *name, const struct candidate *best,
		     const struct candidate *next, bool *ret)
{
	int order = compare(next, best);
	bool distribution = !best->engine->markers;

	*ret = order > 0;
	if (order != 0)
		return 0;
	if (distribution && is_plain(next) && string_equal(name, "containerd")) {
		*ret = true;
		return 0;
	}
	if (distribution && is_plain(next) && best->answer != NODE_READY)
		return 0;
	return error_fix(node->err,
			 error_set(node->err, ERROR_REFUSED, EEXIST, NULL,
				   "select an engine: both %s and %s are installed",
				   is_plain(next) ? next->engine->name : best->engine->name,
				   is_plain(next) ? best->engine->name : next->engine->name),
			 "name the kubelet's engine with --engine: %s or %s", next->engine->option,
			 best->engine->option);
}

static bool is_named(const struct node_engine *engine, const char *name)
{
	return !name || string_equal(name, engine->option) || string_equal(name, engine->command);
}

/*
 * The kubelet uses an engine that answers CRI calls. Docker's containerd may also be running, and
 * doesn't answer them. If two engines are equally good, neither is chosen unless a third is better.
 */
static int choose(struct node *node, const char *name, struct candidate *ret)
{
	struct containerd_distribution found[CONTAINERD_DISTRIBUTIONS];
	struct candidate best = {0};
	size_t count = 0;
	int r = containerd_list_distributions(&node->host, node->arena, found, &count, node->err);
	int tied = 0;

	for (size_t i = 0; r == 0 && i < node_engine_count; i++) {
		struct candidate next;
		bool better = true;

		if (!is_named(&node_engines[i], name) ||
		    !inspect(node, &node_engines[i], found, count, &next))
			continue;
		next.answer = node_ask(node, &node_engines[i]);
		if (best.engine) {
			int order = is_better(node, name, &best, &next, &better);

			tied = order < 0 ? order : better ? 0 : tied;
		}
		if (better)
			best = next;
	}
	*ret = best;
	return r < 0 ? r : tied;
}

/* Directories that are created if they don't exist, which a dangling link prevents. */
static int check_folders(const struct node *node)
{
	const char *const folders[] = {
		string_equal(node->engine->command, "crio") ? "/etc/crio" : "/etc/containerd",
		DAVIT_BINDIR, DAVIT_LIBEXECDIR, NODE_FOLDER};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (!node_has(node, folders[i]) &&
		    root_readlink(&node->host, folders[i], node->arena))
			return error_set(node->err, ERROR_SYSTEM, ENOENT,
					 "create the directory that the link names, or remove the "
					 "link",
					 "set up the node: %s of the host is a dangling link",
					 folders[i]);
	return 0;
}

static int find_plain_file(struct node *node)
{
	struct containerd_distribution plain;
	int r;

	if (node->file || !string_equal(node->engine->option, "containerd"))
		return 0;
	r = containerd_find_plain(&node->host, node->arena, &plain, node->err);
	if (r == 0)
		node->file = plain.file;
	return r;
}

int node_find_service(struct node *node, bool *ret_installed)
{
	struct containerd_distribution found[CONTAINERD_DISTRIBUTIONS];
	struct candidate candidate;
	size_t count = 0;
	int r = containerd_list_distributions(&node->host, node->arena, found, &count, node->err);

	if (r < 0)
		return r;
	*ret_installed = inspect(node, node->engine, found, count, &candidate);
	node->restart = candidate.restart;
	if (!node->file)
		node->file = candidate.file;
	return find_plain_file(node);
}

/* The engine of the record. */
static int keep_engine(struct node *node, const char *name, const char *file)
{
	bool installed = false;
	int r = node_find_service(node, &installed);

	if (r < 0)
		return r;
	if (file && !string_equal(file, node->file))
		return error_set(node->err, ERROR_REFUSED, EEXIST, "run `davit node remove` first",
				 "configure %s: davit has configured %s on this node", file,
				 node->file ? node->file : node->engine->name);
	if (!is_named(node->engine, name))
		return error_set(node->err, ERROR_REFUSED, EEXIST, "run `davit node remove` first",
				 "set up %s: davit has set up this node for %s", name,
				 node->engine->name);
	if (!installed)
		return error_set(node->err, ERROR_REFUSED, ENOENT,
				 "run `davit node remove --no-restart` first",
				 "set up the node: davit has set it up for %s, which is gone",
				 node->engine->name);
	return check_folders(node);
}

static int check_options(const struct node *node, const char *name, const char *file)
{
	bool known = false;

	for (size_t i = 0; i < node_engine_count; i++)
		known |= is_named(&node_engines[i], name);
	if (!known)
		return error_set(node->err, ERROR_BAD_REQUEST, EINVAL,
				 "use containerd, crio, k3s, rke2, k0s or microk8s",
				 "find the engine %s: --engine knows no such engine", name);
	if (file && (file[0] != '/' || strpbrk(file, "\n\"\\")))
		return error_set(node->err, ERROR_BAD_REQUEST, EINVAL,
				 "name containerd's file as in the host's root: "
				 "/etc/containerd/config.toml",
				 "use --file %s: it is not an absolute path", file);
	return 0;
}

int node_find_engine(struct node *node, const char *name, const char *file)
{
	struct candidate best;
	int r = check_options(node, name, file);

	if (r < 0)
		return r;
	if (node->engine)
		return keep_engine(node, name, file);
	node->file = file;
	r = choose(node, name, &best);
	if (r < 0)
		return r;
	if (!best.engine)
		return error_set(node->err, ERROR_SYSTEM, ENOENT,
				 "run it on a node, with the host's / mounted at the "
				 "directory of --host",
				 "find %s on %s", name ? name : "containerd or CRI-O", node->path);
	node->engine = best.engine;
	node->restart = best.restart;
	if (!node->file)
		node->file = best.file;
	r = find_plain_file(node);
	return r < 0 ? r : check_folders(node);
}
