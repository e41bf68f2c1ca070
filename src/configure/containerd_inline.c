// SPDX-License-Identifier: Apache-2.0
/* davit's runtimes in a whole file of another program, such as MicroK8s' template, which is TOML.
 */
#include <string.h>

#include "containerd.h"
#include "text.h"

/* ---- setting values ----------------------------------------------------------------------- */

struct edit {
	const char *text;
	struct arena *arena;
	bool failed;
};

static void replace(struct edit *edit, const char *start, size_t length, const char *made)
{
	const char *text = edit->text;

	if (edit->failed || !made) {
		edit->failed = true;
		return;
	}
	edit->text = arena_printf(edit->arena, "%.*s%s%s", (int)(start - text), text, made,
				  start + length);
	edit->failed = !edit->text;
}

/*
 * key = value in a table of the text, which is read anew each time. 0, 1: the table has no header
 * to put it under; or -errno.
 */
static int set_value(struct edit *edit, const char *path, const char *const *table_path,
		     const char *key, const char *value, struct error *err)
{
	struct toml_node *top;
	const struct toml_node *table, *node;
	int r = toml_parse(edit->text, path, edit->arena, &top, err);

	if (r < 0)
		return r;
	table = toml_find(top, table_path);
	node = toml_member(table, key);
	if (node && node->origin == TOML_VALUE)
		replace(edit, node->text.data, node->text.length, value);
	else if (table && table->origin == TOML_HEADER && table->lines.length)
		replace(edit, table->lines.data + table->lines.length, 0,
			arena_printf(edit->arena, "  %s = %s\n", key, value));
	else
		return 1;
	return edit->failed ? error_memory(err) : 0;
}

static const char *quoted(const char *string, struct arena *arena)
{
	struct text text = {.arena = arena};

	toml_write_string(&text, string);
	return text.failed ? NULL : text.data;
}

/* A runtime of that name that is there gets another program. */
static int replace_programs(struct edit *edit, const char *path, const char *plugin,
			    const struct toml_node *runtimes, const struct configure *configure,
			    struct error *err)
{
	const char *program = quoted(configure->runtime_path, edit->arena);
	int r = 0;

	for (size_t i = 0; r == 0 && program && i < CONTAINERD_HANDLERS; i++) {
		const char *name = containerd_handler(configure->runtime_name, i, edit->arena);

		if (!name)
			return error_memory(err);
		if (toml_member(runtimes, name))
			r = set_value(edit, path,
				      TOML_PATH("plugins", plugin, "containerd", "runtimes", name,
						"options"),
				      "BinaryName", program, err);
	}
	if (r == 1)
		return error_set(err, ERROR_BAD_CONFIG, EINVAL, "remove it, or use --runtime-name",
				 "edit %s: its runtime %s has no options", path,
				 configure->runtime_name);
	return program ? r : error_memory(err);
}

int configure_containerd_inline(const char *text, const char *path,
				const struct configure *configure, struct arena *arena, char **ret,
				struct error *err)
{
	struct edit edit = {.text = text, .arena = arena};
	struct text block = {.arena = arena};
	struct engine_file file = {.path = path, .text = containerd_without_block(text, arena)};
	const struct engine_files files = {.items = &file, .count = 1};
	struct toml_node *top = NULL, *settings;
	const struct toml_node *runtimes;
	const char *plugin;
	unsigned format;
	int r = file.text ? toml_parse(file.text, path, arena, &top, err) : error_memory(err);

	if (r < 0)
		return r;
	file.top = top;
	format = containerd_format(&files, (struct containerd_version){0, 0});
	plugin = containerd_plugin(format);
	settings = containerd_merge(&files, (struct containerd_version){0, 0}, arena);
	runtimes = toml_find(top, TOML_PATH("plugins", plugin, "containerd", "runtimes"));
	if (!settings)
		return error_memory(err);
	if (configure->cdi && containerd_has_no_spec_dirs(settings))
		return containerd_refuse_spec_dirs(path, err);
	r = replace_programs(&edit, path, plugin, runtimes, configure, err);
	if (r == 0 && configure->set_default)
		r = set_value(&edit, path, TOML_PATH("plugins", plugin, "containerd"),
			      "default_runtime_name", quoted(configure->runtime_name, arena), err);
	if (r == 0 && configure->cdi)
		r = set_value(&edit, path, TOML_PATH("plugins", plugin), "enable_cdi", "true", err);
	if (r == 1)
		return error_set(err, ERROR_BAD_CONFIG, EINVAL,
				 "put that plugin's settings under a [plugins.\"...\"] header",
				 "edit %s: the plugin's table has no header", path);
	if (r < 0)
		return r;
	if (containerd_write_runtimes(&block, settings, format, runtimes, NULL, configure, arena) <
	    0)
		return error_memory(err);
	*ret = block.length == 0 ? containerd_without_block(edit.text, arena)
				 : containerd_put_block(edit.text, block.data, arena);
	return *ret ? 0 : error_memory(err);
}

/* ---- and back again --------------------------------------------------------------------- */

/*
 * A value that is still davit's gets the text that it had; without one, its line goes, but for a
 * program, which its runtime needs.
 */
static int restore_value(struct edit *edit, const char *path, const struct toml_node *original,
			 const char *const *table_path, const char *key, const char *ours,
			 struct error *err)
{
	struct toml_node *top;
	const struct toml_node *node, *before = toml_member(toml_find(original, table_path), key);
	int r = toml_parse(edit->text, path, edit->arena, &top, err);

	if (r < 0)
		return r;
	node = toml_member(toml_find(top, table_path), key);
	if (!node || node->origin != TOML_VALUE ||
	    (ours ? !string_equal(node->string, ours) : !toml_is_true(node)))
		return 0;
	if (before && before->text.length)
		replace(edit, node->text.data, node->text.length,
			arena_strndup(edit->arena, before->text.data, before->text.length));
	else if (strcmp(key, "BinaryName") != 0 && node->lines.length)
		replace(edit, node->lines.data, node->lines.length, "");
	return edit->failed ? error_memory(err) : 0;
}

int configure_containerd_inline_remove(const char *text, const char *original, const char *path,
				       const struct configure *configure, struct arena *arena,
				       char **ret, bool *ret_cdi, struct error *err)
{
	struct edit edit = {.text = text, .arena = arena};
	struct engine_file file = {.path = path, .text = text};
	const struct engine_files files = {.items = &file, .count = 1};
	struct toml_node *top = NULL, *before = NULL;
	const struct toml_node *runtimes;
	const char *plugin;
	struct error ignored;
	int r = toml_parse(text, path, arena, &top, err);

	if (r < 0)
		return r;
	if (original && toml_parse(original, path, arena, &before, &ignored) < 0)
		before = NULL;
	file.top = top;
	plugin = containerd_plugin(containerd_format(&files, (struct containerd_version){0, 0}));
	runtimes = toml_find(top, TOML_PATH("plugins", plugin, "containerd", "runtimes"));
	for (const struct toml_node *item = runtimes ? runtimes->first : NULL; r == 0 && item;
	     item = item->next)
		if (string_equal(toml_find_string(item, TOML_PATH("options", "BinaryName")),
				 configure->runtime_path))
			r = restore_value(&edit, path, before,
					  TOML_PATH("plugins", plugin, "containerd", "runtimes",
						    item->key, "options"),
					  "BinaryName", configure->runtime_path, err);
	/* A runtime of that name that is somebody else's may stay the default. */
	if (r == 0 && (before || !toml_member(runtimes, configure->runtime_name)))
		r = restore_value(&edit, path, before, TOML_PATH("plugins", plugin, "containerd"),
				  "default_runtime_name", configure->runtime_name, err);
	if (r == 0 && configure->cdi)
		r = restore_value(&edit, path, before, TOML_PATH("plugins", plugin), "enable_cdi",
				  NULL, err);
	if (r < 0)
		return r;
	*ret_cdi = !configure->cdi &&
		   toml_find_bool(top, TOML_PATH("plugins", plugin, "enable_cdi"), false) &&
		   !toml_find_bool(before, TOML_PATH("plugins", plugin, "enable_cdi"), false);
	*ret = arena_strdup(arena, edit.text);
	return *ret ? 0 : error_memory(err);
}
