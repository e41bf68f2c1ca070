// SPDX-License-Identifier: Apache-2.0
/* What containerd makes of its files, by its version. */
#include <string.h>

#include "containerd.h"

int containerd_version_parse(const char *text, struct containerd_version *ret)
{
	/* "containerd github.com/containerd/containerd 1.7.24~ds1 ...", ".../v2 v2.1.4 4ac6c20c" */
	struct slice rest = slice_from(text), word;

	/* Other programs have a version, too. */
	if (!slice_next(&rest, ' ', &word) || !slice_equal(word, "containerd"))
		return -EINVAL;
	while (slice_next(&rest, ' ', &word)) {
		size_t start = word.length > 0 && word.data[0] == 'v', dot, end;
		uint64_t major, minor;

		dot = start + strspn(word.data + start, "0123456789");
		if (dot >= word.length || word.data[dot] != '.')
			continue;
		end = dot + 1 + strspn(word.data + dot + 1, "0123456789");
		if (parse_number(word.data + start, dot - start, 10, 1000, &major) < 0 ||
		    parse_number(word.data + dot + 1, end - dot - 1, 10, 1000, &minor) < 0)
			continue;
		*ret = (struct containerd_version){(unsigned)major, (unsigned)minor};
		return 0;
	}
	return -EINVAL;
}

bool containerd_merges_keys(struct containerd_version version)
{
	return version.major > 2 || (version.major == 2 && version.minor >= 1);
}

/* ---- the format ------------------------------------------------------------------------- */

/* A file's `version`; 0: it names none. */
static unsigned format_of(const struct toml_node *top)
{
	uint64_t value;

	return toml_number(toml_member(top, "version"), &value) < 0 || value > 1000
		       ? 0
		       : (unsigned)value;
}

/* From 2.3 on each file is migrated for itself. */
static bool migrates_files(struct containerd_version version)
{
	return version.major > 2 || (version.major == 2 && version.minor >= 3);
}

unsigned containerd_format(const struct engine_files *files, struct containerd_version version)
{
	unsigned newest = version.major >= 2 ? 3 : 2, format = 0;
	bool blank = true;

	if (migrates_files(version)) {
		format = format_of(files->items[0].top);
		return format < 3 ? newest : format;
	}
	/* The last file that names one decides for all. */
	for (size_t i = 0; i < files->count; i++) {
		unsigned of = format_of(files->items[i].top);

		/* 2.x migrates a file of format 1, or without one, to that of the files so far. */
		if (version.major >= 2 && of < 2 && files->items[i].text)
			of = format ? format : newest;
		format = of ? of : format;
		blank &= files->items[i].top->count == 0;
	}
	return format ? format : blank ? newest : 1;
}

unsigned containerd_drop_in_format(const struct engine_files *files,
				   struct containerd_version version)
{
	unsigned main = format_of(files->items[0].top);

	/* 2.3 refuses an import of a newer format than the main file's. */
	return migrates_files(version) && main ? main : containerd_format(files, version);
}

int containerd_check_format(const struct engine_files *files, struct containerd_version version,
			    struct error *err)
{
	unsigned max = migrates_files(version) ? 4 : version.major >= 2 ? 3 : 2;

	for (size_t i = 0; version.major && i < files->count; i++) {
		unsigned format = format_of(files->items[i].top);

		if (format > max)
			return error_fix(
				err,
				error_set(err, ERROR_BAD_CONFIG, EINVAL, NULL,
					  "edit %s: containerd %u.%u supports versions up to %u, "
					  "but this file has version %u",
					  files->items[i].path, version.major, version.minor, max,
					  format),
				"rewrite it in version %u, or upgrade containerd", max);
	}
	return 0;
}

const char *containerd_plugin(unsigned format)
{
	return format < 2    ? CONTAINERD_PLUGIN_1
	       : format == 2 ? CONTAINERD_PLUGIN_2
			     : CONTAINERD_PLUGIN_3;
}

/* ---- merging ---------------------------------------------------------------------------- */

/* Lists grow by what isn't in them. */
static int merge_array(struct toml_node *to, const struct toml_node *from, struct arena *arena)
{
	for (const struct toml_node *item = from->first; item; item = item->next)
		if (item->type == TOML_STRING && toml_add_string(to, item->string, arena) < 0)
			return -ENOMEM;
	return 0;
}

/* Whole sections, as the versions before 2.1 do. */
static int replace_sections(struct toml_node *to, const struct toml_node *plugins,
			    struct arena *arena)
{
	struct toml_node *all = toml_make_table(to, TOML_PATH("plugins"), arena);

	if (!all)
		return -ENOMEM;
	for (const struct toml_node *node = plugins->first; node; node = node->next)
		if (!toml_set(all, node->key, node, arena))
			return -ENOMEM;
	return 0;
}

/* Gives a plugin's settings their newer name, under which the file may have some already. */
static int rename_plugin(struct toml_node *plugins, const char *from, const char *to,
			 struct arena *arena)
{
	const struct toml_node *old = toml_member(plugins, from), *new = toml_member(plugins, to);
	struct toml_node *both;

	if (!old || old->type != TOML_TABLE)
		return 0;
	both = toml_new_table(arena);
	if (!both || toml_merge(both, old, arena) < 0 ||
	    (new &&new->type == TOML_TABLE &&toml_merge(both, new, arena) < 0) ||
	    !toml_set(plugins, to, both, arena))
		return -ENOMEM;
	toml_remove(plugins, from);
	return 0;
}

/* What 2.x makes of one file before it is merged. NULL without memory. */
static const struct toml_node *migrate_file(const struct toml_node *top,
					    struct containerd_version version, struct arena *arena)
{
	const struct toml_node *plugins = toml_member(top, "plugins");
	struct toml_node *made, *renamed;

	if (version.major < 2 || !plugins || plugins->type != TOML_TABLE)
		return top;
	made = toml_new_table(arena);
	if (!made || toml_merge(made, top, arena) < 0)
		return NULL;
	renamed = toml_make_table(made, TOML_PATH("plugins"), arena);
	if (!renamed ||
	    (format_of(top) < 2 &&
	     rename_plugin(renamed, CONTAINERD_PLUGIN_1, CONTAINERD_PLUGIN_2, arena) < 0) ||
	    (migrates_files(version) &&
	     rename_plugin(renamed, CONTAINERD_PLUGIN_2, CONTAINERD_PLUGIN_3, arena) < 0))
		return NULL;
	return made;
}

static int merge_file(struct toml_node *to, const struct toml_node *top, bool keys,
		      struct arena *arena)
{
	int r = 0;

	for (const struct toml_node *node = top->first; r == 0 && node; node = node->next) {
		struct toml_node *there = toml_member(to, node->key);

		if (strcmp(node->key, "imports") == 0)
			continue;
		if (strcmp(node->key, "plugins") == 0 && node->type == TOML_TABLE && !keys)
			r = replace_sections(to, node, arena);
		else if (there && there->type == TOML_TABLE && node->type == TOML_TABLE)
			r = toml_merge(there, node, arena);
		else if (there && there->type == TOML_ARRAY && node->type == TOML_ARRAY)
			r = merge_array(there, node, arena);
		else if (!there || !toml_is_empty(node))
			r = toml_set(to, node->key, node, arena) ? 0 : -ENOMEM;
	}
	return r;
}

struct toml_node *containerd_merge(const struct engine_files *files,
				   struct containerd_version version, struct arena *arena)
{
	struct toml_node *settings = toml_new_table(arena);
	unsigned format = containerd_format(files, version);

	for (size_t i = 0; settings && i < files->count; i++) {
		const struct toml_node *top = migrate_file(files->items[i].top, version, arena);

		if (!top || merge_file(settings, top, containerd_merges_keys(version), arena) < 0)
			return NULL;
	}
	/* From 2.0 on the settings of format 2 mean those of 3: here they have one name. */
	if (settings && version.major >= 2 && format == 2) {
		format = 3;
		if (rename_plugin(toml_make_table(settings, TOML_PATH("plugins"), arena),
				  CONTAINERD_PLUGIN_2, CONTAINERD_PLUGIN_3, arena) < 0)
			return NULL;
	}
	if (!settings || !toml_set_number(settings, "version", format, arena))
		return NULL;
	return settings;
}

bool containerd_names_plugin(const struct toml_node *top)
{
	return toml_find(top, TOML_PATH("plugins", CONTAINERD_PLUGIN_1)) ||
	       toml_find(top, TOML_PATH("plugins", CONTAINERD_PLUGIN_2)) ||
	       toml_find(top, TOML_PATH("plugins", CONTAINERD_PLUGIN_3));
}

bool containerd_is_replaced(const struct engine_files *files, const char *path,
			    struct containerd_version version)
{
	const char *plugin = containerd_plugin(containerd_format(files, version));
	size_t i = 0;

	while (i < files->count && !string_equal(files->items[i].path, path))
		i++;
	for (i++; i < files->count && !containerd_merges_keys(version); i++)
		if (toml_find(files->items[i].top, TOML_PATH("plugins", plugin)))
			return true;
	return false;
}

/* ---- looking ---------------------------------------------------------------------------- */

const struct toml_node *containerd_section(const struct toml_node *settings)
{
	return toml_find(settings, TOML_PATH("plugins", containerd_plugin(format_of(settings))));
}

const struct toml_node *containerd_deprecated_default(const struct toml_node *settings)
{
	const struct toml_node *runtime =
		toml_find(containerd_section(settings), TOML_PATH("containerd", "default_runtime"));
	const char *type = toml_find_string(runtime, TOML_PATH("runtime_type"));

	return format_of(settings) < 3 && type && type[0] ? runtime : NULL;
}

const char *containerd_default_runtime(const struct toml_node *settings)
{
	const char *name = toml_find_string(containerd_section(settings),
					    TOML_PATH("containerd", "default_runtime_name"));

	if (containerd_deprecated_default(settings))
		return CONTAINERD_DEPRECATED_NAME;
	return name && name[0] ? name : "runc";
}

const struct toml_node *containerd_runtime(const struct toml_node *settings, const char *name)
{
	const struct toml_node *deprecated = containerd_deprecated_default(settings);

	if (deprecated && (!name || string_equal(name, CONTAINERD_DEPRECATED_NAME)))
		return deprecated;
	return toml_find(containerd_section(settings),
			 TOML_PATH("containerd", "runtimes",
				   name ? name : containerd_default_runtime(settings)));
}

struct containerd_runtime containerd_find_runtime(const struct toml_node *settings,
						  const char *name)
{
	const struct toml_node *runtime = containerd_runtime(settings, name);
	const char *program = toml_find_string(runtime, TOML_PATH("options", "BinaryName"));

	return (struct containerd_runtime){
		.program = program && program[0] ? program : NULL,
		.type = toml_find_string(runtime, TOML_PATH("runtime_type")),
		.exists = runtime,
		.systemd = toml_find_bool(runtime, TOML_PATH("options", "SystemdCgroup"), false),
	};
}

bool containerd_names_runtimes(const struct toml_node *settings)
{
	const struct toml_node *runtimes =
		toml_find(containerd_section(settings), TOML_PATH("containerd", "runtimes"));

	return runtimes && runtimes->first;
}

bool containerd_cdi(const struct toml_node *settings, bool otherwise)
{
	return toml_find_bool(containerd_section(settings), TOML_PATH("enable_cdi"), otherwise);
}

int containerd_spec_dirs(const struct toml_node *settings, struct arena *arena, struct strings *ret)
{
	return toml_strings(toml_member(containerd_section(settings), "cdi_spec_dirs"), arena, ret);
}

/* The default value since 2.2. A dump shows it although nobody has set it. */
#define CONFIG_PATHS "/etc/containerd/certs.d:/etc/docker/certs.d"

bool containerd_refuses_mirrors(const struct toml_node *settings)
{
	const struct toml_node *const registries[] = {
		toml_find(containerd_section(settings), TOML_PATH("registry")),
		toml_find(settings,
			  TOML_PATH("plugins", "io.containerd.cri.v1.images", "registry"))};

	for (size_t i = 0; i < ARRAY_SIZE(registries); i++) {
		const char *path = toml_find_string(registries[i], TOML_PATH("config_path"));
		const struct toml_node *mirrors = toml_find(registries[i], TOML_PATH("mirrors"));

		if (path && path[0] && !string_equal(path, CONFIG_PATHS) && mirrors &&
		    mirrors->first)
			return true;
	}
	return false;
}

bool containerd_has_no_spec_dirs(const struct toml_node *settings)
{
	const struct toml_node *dirs = toml_member(containerd_section(settings), "cdi_spec_dirs");

	return dirs && dirs->type == TOML_ARRAY && !dirs->first;
}

bool containerd_cri_disabled(const struct toml_node *settings)
{
	static const char *const names[] = {CONTAINERD_PLUGIN_1, CONTAINERD_PLUGIN_2,
					    CONTAINERD_PLUGIN_3};
	const struct toml_node *list = toml_member(settings, "disabled_plugins");

	for (const struct toml_node *item = list ? list->first : NULL; item; item = item->next)
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			if (item->type == TOML_STRING && string_equal(item->string, names[i]))
				return true;
	return false;
}
