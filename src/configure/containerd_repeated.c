// SPDX-License-Identifier: Apache-2.0
/*
 * Settings that davit's drop-in for containerd repeats, because it replaces the plugin's section
 * before 2.1, and that other files have changed since.
 */
#include <string.h>

#include "containerd.h"

struct comparing {
	const struct toml_node *own;    /* the drop-in's section */
	const struct toml_node *edited; /* what others have set in the drop-in; NULL: nothing */
	struct strings runtimes;        /* davit's */
	bool whole;                     /* the drop-in replaces the section */
	bool is_default;                /* one of them is the default */
	struct arena *arena;
	const struct toml_node *found;
};

/* The CRI plugin's section under whatever name, or NULL. */
static const struct toml_node *section_of(const struct toml_node *top, const char *name)
{
	return toml_find(top, TOML_PATH("plugins", name));
}

static bool is_of_davit(const struct comparing *c, const char *runtime)
{
	for (size_t i = 0; i < c->runtimes.count; i++) {
		const char *name = c->runtimes.items[i];
		size_t length = strlen(name);

		if (strncmp(runtime, name, length) == 0 &&
		    (!runtime[length] || string_equal(runtime + length, "-cdi") ||
		     string_equal(runtime + length, "-legacy")))
			return true;
	}
	return false;
}

/* What davit sets itself. `depth` 0: a member of the section. */
static bool is_set_by_davit(const struct comparing *c, const struct toml_node *node, int depth)
{
	const char *parent = node->parent ? node->parent->key : NULL;

	if (depth == 0)
		return string_equal(node->key, "enable_cdi") ||
		       string_equal(node->key, "cdi_spec_dirs");
	if (depth == 1)
		return string_equal(parent, "containerd") &&
		       string_equal(node->key, "default_runtime_name") && c->is_default;
	return depth == 2 && string_equal(parent, "runtimes") && is_of_davit(c, node->key);
}

/* A value of the other files that differs in the drop-in, or that its section lacks. */
static void compare(struct comparing *c, const struct toml_node *others,
		    const struct toml_node *own, const struct toml_node *edited, int depth)
{
	for (const struct toml_node *node = others->first; node && !c->found; node = node->next) {
		const struct toml_node *there = toml_member(own, node->key);

		if (is_set_by_davit(c, node, depth))
			continue;
		if (node->type == TOML_TABLE) {
			compare(c, node, there, toml_member(edited, node->key), depth + 1);
			continue;
		}
		if (toml_member(edited, node->key))
			continue;
		if (there ? !toml_equal(node, there) : c->whole && !toml_is_empty(node))
			c->found = node;
	}
}

/* A value of the drop-in that the other files have no more. */
static void compare_back(struct comparing *c, const struct toml_node *own,
			 const struct toml_node *others, const struct toml_node *edited, int depth)
{
	for (const struct toml_node *node = own->first; node && !c->found; node = node->next) {
		const struct toml_node *there = toml_member(others, node->key);

		if (is_set_by_davit(c, node, depth))
			continue;
		if (node->type == TOML_TABLE) {
			/* The built-in default runtime, which davit writes out. */
			if (there || depth != 2)
				compare_back(c, node, there, toml_member(edited, node->key),
					     depth + 1);
			continue;
		}
		if (!there && !toml_member(edited, node->key) && !toml_is_empty(node))
			c->found = node;
	}
}

/* The options of davit's runtimes are copies of the base runtime's. */
static void compare_options(struct comparing *c, const struct toml_node *others)
{
	const char *base =
		toml_find_string(others, TOML_PATH("containerd", "default_runtime_name"));
	const struct toml_node *options =
		toml_find(others, TOML_PATH("containerd", "runtimes", base && *base ? base : "runc",
					    "options"));

	if (base && is_of_davit(c, base))
		return;
	for (size_t i = 0; i < c->runtimes.count; i++) {
		const char *name = c->runtimes.items[i];
		const struct toml_node *own =
			toml_find(c->own, TOML_PATH("containerd", "runtimes", name, "options"));
		const struct toml_node *edited =
			toml_find(c->edited, TOML_PATH("containerd", "runtimes", name, "options"));

		for (const struct toml_node *node = options ? options->first : NULL;
		     node && !c->found; node = node->next) {
			const struct toml_node *there = toml_member(own, node->key);

			if (there && !string_equal(node->key, "BinaryName") &&
			    !toml_member(edited, node->key) && !toml_equal(node, there))
				c->found = node;
		}
	}
}

/* The section that the other files have. 0 or -ENOMEM; *ret NULL: none. */
static int merge_others(const struct engine_files *files, const struct engine_file *drop_in,
			const char *name, bool whole, struct arena *arena,
			const struct toml_node **ret, const char **ret_file)
{
	struct toml_node *merged = toml_new_table(arena);

	*ret = NULL;
	for (size_t i = 0; merged && i < files->count; i++) {
		const struct toml_node *section = section_of(files->items[i].top, name);

		if (&files->items[i] == drop_in || !section || section->type != TOML_TABLE)
			continue;
		*ret_file = files->items[i].path;
		if (!whole && toml_merge(merged, section, arena) < 0)
			return -ENOMEM;
		*ret = whole ? section : merged;
	}
	return merged ? 0 : -ENOMEM;
}

int containerd_find_stale(const struct engine_files *files, const char *path,
			  struct containerd_version version, struct arena *arena, const char **ret,
			  const char **ret_file)
{
	static const char *const names[] = {CONTAINERD_PLUGIN_2, CONTAINERD_PLUGIN_3,
					    CONTAINERD_PLUGIN_1};
	struct comparing c = {.arena = arena, .whole = !containerd_merges_keys(version)};
	const struct engine_file *drop_in = NULL;
	struct configure_others edited;
	const struct toml_node *others;
	const char *name = NULL, *standard;
	struct error ignored = {0};
	int r;

	*ret = NULL;
	for (size_t i = 0; path && i < files->count; i++)
		if (string_equal(files->items[i].path, path) && files->items[i].text)
			drop_in = &files->items[i];
	if (!drop_in || !version.major || !configure_has_lines(drop_in->text) ||
	    containerd_is_replaced(files, path, version))
		return 0;
	for (size_t i = 0; !c.own && i < ARRAY_SIZE(names); i++)
		c.own = section_of(drop_in->top, name = names[i]);
	if (!c.own)
		return 0;
	r = configure_split(drop_in->text, NULL, path, arena, &edited, &ignored);
	if (r == 0)
		r = configure_own_runtimes(drop_in->text, path, arena, &c.runtimes, &ignored);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	standard = toml_find_string(c.own, TOML_PATH("containerd", "default_runtime_name"));
	c.is_default = standard && is_of_davit(&c, standard);
	c.edited = section_of(edited.top, name);
	if (merge_others(files, drop_in, name, c.whole, arena, &others, ret_file) < 0)
		return -ENOMEM;
	if (!others)
		return 0;
	compare(&c, others, c.own, c.edited, 0);
	compare_options(&c, others);
	if (!c.found && c.whole)
		compare_back(&c, c.own, others, c.edited, 0);
	if (!c.found)
		return 0;
	*ret = toml_path_of(c.found, arena);
	return *ret ? 0 : -ENOMEM;
}
