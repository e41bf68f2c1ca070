// SPDX-License-Identifier: Apache-2.0
/* Whether what is written leaves everything else as it was. */
#include <string.h>

#include "containerd.h"

struct check {
	const struct configure *configure;
	struct arena *arena;
	struct strings lost;
	bool failed;
};

/* Whether the path ends in these names. */
static bool ends(const struct toml_node *node, const char *const *names, size_t count)
{
	for (; count-- > 0; node = node->parent)
		if (!node || !node->key || strcmp(node->key, names[count]) != 0)
			return false;
	return true;
}

#define ENDS(node, ...)                                  \
	ends((node), (const char *const[]){__VA_ARGS__}, \
	     ARRAY_SIZE(((const char *const[]){__VA_ARGS__})))

/* What davit sets, and what is another in each answer. */
static bool is_ours(const struct check *c, const struct toml_node *node)
{
	if (node->parent && !node->parent->parent &&
	    (strcmp(node->key, "imports") == 0 || strcmp(node->key, "version") == 0))
		return true;
	if (c->configure->cdi && strcmp(node->key, "enable_cdi") == 0)
		return true;
	if (c->configure->cdi && c->configure->spec_dirs.count &&
	    strcmp(node->key, "cdi_spec_dirs") == 0)
		return true;
	if (c->configure->set_default && ENDS(node, "containerd", "default_runtime_name"))
		return true;
	for (size_t i = 0; i < CONTAINERD_HANDLERS; i++) {
		const char *name = containerd_handler(c->configure->runtime_name, i, c->arena);

		if (name && (ENDS(node, "runtimes", name, "options", "BinaryName") ||
			     ENDS(node, "runtimes", name, "container_annotations") ||
			     ENDS(node, "runtimes", name, "runtime_type")))
			return true;
	}
	return false;
}

static void add_lost(struct check *c, const struct toml_node *node)
{
	const char *path = toml_path_of(node, c->arena);
	const char *line = path && node->text.length
				   ? arena_printf(c->arena, "%s = %.*s", path,
						  (int)node->text.length, node->text.data)
				   : path;

	c->failed |= !line || strings_add(c->arena, &c->lost, line) < 0;
}

static void compare(struct check *c, const struct toml_node *before, const struct toml_node *after)
{
	for (const struct toml_node *node = before->first; node; node = node->next) {
		const struct toml_node *now = toml_member(after, node->key);

		if (is_ours(c, node) || (!now && toml_is_empty(node)))
			continue;
		if (now && node->type == TOML_TABLE && now->type == TOML_TABLE)
			compare(c, node, now);
		else if (!now ||
			 (!toml_equal(node, now) && (!toml_is_empty(node) || !toml_is_empty(now))))
			add_lost(c, node);
	}
}

int configure_containerd_check(const struct toml_node *before, const struct toml_node *after,
			       const struct configure *configure, const char *path,
			       struct arena *arena, struct error *err)
{
	struct check c = {.configure = configure, .arena = arena};
	struct containerd_runtime runtime = containerd_find_runtime(after, configure->runtime_name);
	const char *list;

	compare(&c, before, after);
	list = strings_list(arena, &c.lost, 200);
	if (c.failed || !list)
		return error_memory(err);
	if (c.lost.count)
		return error_set(
			err, ERROR_BAD_CONFIG, EINVAL,
			"rewrite these files in the newest format (`containerd config migrate`) or as one file, then run the command again",
			"add the runtime to %s: containerd would then lose %s", path, list);
	/* A dump has nothing of a plugin that is switched off. */
	if (string_equal(runtime.program, configure->runtime_path) ||
	    (containerd_cri_disabled(after) && !containerd_section(after)))
		return 0;
	return error_set(err, ERROR_BAD_CONFIG, EINVAL,
			 "remove that plugin's settings from files that containerd reads later",
			 "add the runtime to %s: a later file of its imports overrides it", path);
}
