// SPDX-License-Identifier: Apache-2.0
/* The kind of a node. */
#include <string.h>
#include <sys/stat.h>

#include "node.h"

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

const char *node_host_id(const struct node *node)
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

bool node_has(const struct node *node, const char *path)
{
	struct stat st;

	return root_stat(&node->host, path, 0, &st) == 0;
}

int node_check_host(struct node *node)
{
	const char *id = node_host_id(node);

	if (!id)
		return error_memory(node->err);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (string_equal(id, others[i].id))
			return error_set(node->err, ERROR_REFUSED, EPERM, others[i].fix,
					 "set up %s: its root file system is managed by "
					 "the system, which has its own GPU support",
					 id);
	if (!node_has(node, "/usr") || !node_has(node, "/etc"))
		return error_set(node->err, ERROR_SYSTEM, ENOENT,
				 "mount the host's / there, including the mounts beneath it",
				 "set up the node: %s isn't a host's root directory", node->path);
	return 0;
}
