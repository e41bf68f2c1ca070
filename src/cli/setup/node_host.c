// SPDX-License-Identifier: Apache-2.0
/* The kind of a node, its engine, and the record of an earlier call. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "davit/configure.h"
#include "node.h"

/* A distribution's engine comes before plain containerd, which may also be installed but unused. */
static const struct node_engine engines[] = {
	{"k3s", "containerd", NULL, "/run/k3s/containerd/containerd.sock"},
	{"RKE2", "containerd", NULL, "/run/k3s/containerd/containerd.sock"},
	{"k0s", "containerd", NULL, "/run/k0s/containerd.sock"},
	{"MicroK8s", "containerd", NULL, "/var/snap/microk8s/common/run/containerd.sock"},
	{"CRI-O", "crio", "/etc/crio /usr/bin/crio /usr/local/bin/crio", "/run/crio/crio.sock"},
	{"containerd", "containerd", "/usr/bin/containerd /usr/local/bin/containerd",
	 "/run/containerd/containerd.sock"},
};

/* Systems that include NVIDIA's toolkit and have a read-only root. */
static const struct {
	const char *id, *fix;
} others[] = {
	{"bottlerocket", "use a -nvidia variant of Bottlerocket, which supports GPUs itself"},
	{"talos",
	 "add the system extension nvidia-container-toolkit to the machine's image, as Talos "
	 "documents it"},
	{"flatcar",
	 "add the sysext nvidia-runtime to the machine's Butane configuration, as Flatcar "
	 "documents it"},
};

/* ---- the host --------------------------------------------------------------------------- */

/* ID= of os-release; "" without one. */
static const char *read_id(const struct node *node)
{
	static const char *const files[] = {"/etc/os-release", "/usr/lib/os-release"};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct slice rest, line;
		char *text;

		if (root_read(&node->host, files[i], 65536, node->arena, &text, NULL) < 0)
			continue;
		rest = slice_from(text);
		while (slice_next(&rest, '\n', &line)) {
			if (!slice_starts(line, "ID="))
				continue;
			line = (struct slice){line.data + 3, line.length - 3};
			if (line.length > 1 && line.data[0] == '"')
				line = (struct slice){line.data + 1, line.length - 2};
			return arena_strndup(node->arena, line.data, line.length);
		}
	}
	return "";
}

static bool exists(const struct node *node, const char *path)
{
	struct stat st;

	return root_stat(&node->host, path, 0, &st) == 0;
}

int node_check_host(struct node *node)
{
	const char *id = read_id(node);

	if (!id)
		return error_memory(node->err);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (string_equal(id, others[i].id))
			return error_set(node->err, ERROR_REFUSED, EPERM, others[i].fix,
					 "set up %s: its root file system is managed by "
					 "the system, which has its own GPU support",
					 id);
	if (!exists(node, "/usr") || !exists(node, "/etc"))
		return error_set(node->err, ERROR_SYSTEM, ENOENT,
				 "mount the host's / there, including the mounts beneath it",
				 "set up the node: %s isn't a host's root directory", node->path);
	return 0;
}

/* ---- the engine ------------------------------------------------------------------------- */

static bool has_marker(const struct node *node, const struct node_engine *engine)
{
	struct slice rest = slice_from(engine->markers), word;

	while (slice_next(&rest, ' ', &word)) {
		const char *path = arena_strndup(node->arena, word.data, word.length);

		if (path && exists(node, path))
			return true;
	}
	return false;
}

/* A distribution's directory may be a leftover: it counts with its program, its service, or the
 * directory of its socket, which disappears when the host is restarted. */
static bool is_installed(const struct node *node, const struct node_engine *engine,
			 const struct containerd_distribution *distribution)
{
	const char *restart, *folder;

	if (engine->markers)
		return has_marker(node, engine);
	if (!string_equal(engine->name, distribution->name))
		return false;
	restart = configure_restart(&node->host, distribution->services,
				    distribution->services[1] ? 2 : 1, node->arena);
	folder = arena_strndup(node->arena, engine->socket,
			       (size_t)(strrchr(engine->socket, '/') - engine->socket));
	return (distribution->program && exists(node, distribution->program)) ||
	       (restart && !string_starts(restart, "restart ")) || (folder && exists(node, folder));
}

/* Directories that are created if they don't exist, which a dangling link prevents. */
static int check_folders(const struct node *node)
{
	const char *const folders[] = {
		string_equal(node->engine->command, "crio") ? "/etc/crio" : "/etc/containerd",
		DAVIT_BINDIR, DAVIT_LIBEXECDIR, "/var/lib/davit"};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (!exists(node, folders[i]) &&
		    root_readlink(&node->host, folders[i], node->arena))
			return error_set(node->err, ERROR_SYSTEM, ENOENT,
					 "create the directory that the link names, or remove the "
					 "link",
					 "set up the node: %s of the host is a dangling link",
					 folders[i]);
	return 0;
}

/* The kubelet's engine serves CRI. Docker's containerd may run beside it, without CRI. */
int node_find_engine(struct node *node, const char *name)
{
	const struct node_engine *found[2] = {NULL, NULL}; /* containerd's, CRI-O */
	enum node_answer best[2] = {NODE_SILENT, NODE_SILENT};
	struct containerd_distribution distribution = {0};
	int r = string_equal(name, "crio")
			? 0
			: containerd_find_distribution(&node->host, NULL, node->arena,
						       &distribution, node->err);

	if (r < 0)
		return error_fix(node->err, r,
				 "remove what is left of the one that the node doesn't use");
	for (size_t i = 0; i < ARRAY_SIZE(engines); i++) {
		bool crio = string_equal(engines[i].command, "crio");
		enum node_answer answer;

		if ((name && !string_equal(engines[i].command, name)) ||
		    !is_installed(node, &engines[i], &distribution))
			continue;
		answer = node_ask(node, &engines[i]);
		if (found[crio] && answer <= best[crio])
			continue;
		found[crio] = &engines[i];
		best[crio] = answer;
	}
	if (found[0] && found[1] && best[0] != best[1])
		found[best[0] > best[1]] = NULL;
	if (found[0] && found[1])
		return error_set(
			node->err, ERROR_REFUSED, EEXIST, "name the kubelet's engine with --engine",
			"select an engine: both %s and CRI-O are installed", found[0]->name);
	node->engine = found[0] ? found[0] : found[1];
	if (!node->engine)
		return error_set(node->err, ERROR_SYSTEM, ENOENT,
				 "run it on a node, with the host's / mounted at the "
				 "directory of --host",
				 "find %s on %s", name ? name : "containerd or CRI-O", node->path);
	return check_folders(node);
}

/* ---- the record ------------------------------------------------------------------------- */

static int read_before(struct node *node, const char *text)
{
	struct slice rest = slice_from(text), line;

	while (slice_next(&rest, '\n', &line))
		if (line.length &&
		    strings_add(node->arena, &node->before,
				arena_strndup(node->arena, line.data, line.length)) < 0)
			return error_memory(node->err);
	return 0;
}

int node_read_record(struct node *node)
{
	char *text = NULL;
	int r = root_read(&node->host, NODE_RECORD, 4096, node->arena, &text, NULL);

	if (r == -ENOENT)
		return r;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(engines); i++)
		if (string_starts(text, engines[i].name) && text[strlen(engines[i].name)] == '\n') {
			node->engine = &engines[i];
			return read_before(node, text + strlen(engines[i].name) + 1);
		}
	return error_set(node->err, ERROR_SYSTEM, r < 0 ? -r : EINVAL,
			 "remove that file, and remove davit manually: davit configure --remove",
			 "read %s", NODE_RECORD);
}

int node_write_record(const struct node *node)
{
	const char *before = strings_join(node->arena, &node->before, "\n");
	const char *text = before ? arena_printf(node->arena, "%s\n%s%s", node->engine->name,
						 before, *before ? "\n" : "")
				  : NULL;

	if (!text)
		return error_memory(node->err);
	return configure_write(&node->host, NODE_RECORD, text, false, node->arena, node->err);
}
