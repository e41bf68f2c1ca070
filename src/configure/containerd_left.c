// SPDX-License-Identifier: Apache-2.0
/* Runtimes that davit's file or block no longer has, although another file still makes one of them
 * the default: containerd's CRI plugin doesn't load then. */
#include <string.h>

#include "containerd.h"

/* Of all of the plugin's names: each format has its own. */
static int add_runtimes(const struct toml_node *top, struct arena *arena, struct strings *ret)
{
	const struct toml_node *plugins = toml_member(top, "plugins"), *item;

	for (plugins = plugins ? plugins->first : NULL; plugins; plugins = plugins->next) {
		item = toml_find(plugins, TOML_PATH("containerd", "runtimes"));
		for (item = item ? item->first : NULL; item; item = item->next)
			if (strings_add(arena, ret, item->key) < 0)
				return -ENOMEM;
	}
	return 0;
}

static int list_runtimes(const char *text, const char *path, struct arena *arena,
			 struct strings *ret, struct error *err)
{
	struct toml_node *top;
	int r = toml_parse(text ? text : "", path, arena, &top, err);

	*ret = (struct strings){0};
	return r == 0 && add_runtimes(top, arena, ret) < 0 ? error_memory(err) : r;
}

int containerd_removed_runtimes(const char *before, const char *after, const char *path,
				struct arena *arena, struct strings *ret, struct error *err)
{
	struct strings then, now;
	int r = list_runtimes(before, path, arena, &then, err);

	*ret = (struct strings){0};
	if (r == 0)
		r = list_runtimes(after, path, arena, &now, err);
	for (size_t i = 0; r == 0 && i < then.count; i++)
		if (!strings_contain(&now, then.items[i]) &&
		    strings_add(arena, ret, then.items[i]) < 0)
			r = error_memory(err);
	return r;
}

/* Whether a file itself says so. */
static bool sets_default(const struct toml_node *top, const char *name)
{
	const struct toml_node *plugins = toml_member(top, "plugins");

	for (plugins = plugins ? plugins->first : NULL; plugins; plugins = plugins->next)
		if (string_equal(toml_find_string(plugins,
						  TOML_PATH("containerd", "default_runtime_name")),
				 name))
			return true;
	return false;
}

/* The default, if it is one of these runtimes and isn't elsewhere. */
static const char *missing_default(const struct toml_node *settings, const struct strings *removed)
{
	const char *name = containerd_default_runtime(settings);

	/* Without any other runtime, containerd itself has runc. */
	return !string_equal(name, "runc") && strings_contain(removed, name) &&
			       !toml_find(containerd_section(settings),
					  TOML_PATH("containerd", "runtimes", name))
		       ? name
		       : NULL;
}

int containerd_left_default(const struct engine_files *left, const char *own,
			    const struct strings *removed, struct containerd_version version,
			    struct arena *arena, const char **ret, const char **ret_path)
{
	const struct containerd_version newer = {2, 1};
	/* Of an unknown version: a file of format 1 or 2 may belong to one before 2.1. */
	bool is_newer = !version.major && containerd_format(left, version) >= 3;
	const struct containerd_version both[] = {version.major ? version : newer,
						  is_newer ? newer : version};

	*ret = *ret_path = NULL;
	for (size_t i = 0; !*ret && i < ARRAY_SIZE(both); i++) {
		const struct toml_node *settings = containerd_merge(left, both[i], arena);

		if (!settings)
			return -ENOMEM;
		*ret = missing_default(settings, removed);
	}
	for (size_t i = 0; *ret && i < left->count; i++)
		if (sets_default(left->items[i].top, *ret) &&
		    (!*ret_path || !string_equal(left->items[i].path, own)))
			*ret_path = left->items[i].path;
	return 0;
}

const char *containerd_template_default(const char *text, const struct strings *removed,
					struct arena *arena)
{
	static const char key[] = "default_runtime_name";
	const char *found = NULL;
	struct slice rest = slice_from(text), line;

	while (slice_next(&rest, '\n', &line)) {
		line = slice_trim(line);
		if (!slice_starts(line, key))
			continue;
		for (size_t i = 0; i < removed->count; i++) {
			const char *const forms[] = {
				arena_printf(arena, "\"%s\"", removed->items[i]),
				arena_printf(arena, "'%s'", removed->items[i])};

			for (size_t j = 0; j < ARRAY_SIZE(forms); j++)
				if (forms[j] &&
				    memmem(line.data, line.length, forms[j], strlen(forms[j])))
					found = removed->items[i];
		}
	}
	return found;
}
