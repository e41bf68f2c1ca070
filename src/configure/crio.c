// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>

#include "davit/configure_crio.h"

#include "containerd.h"
#include "text.h"

#define FILES_MAX 1024
#define DEPTH_MAX 16

/* ---- reading ---------------------------------------------------------------------------- */

/* Folder by folder, each in the order of its names: as if '/' came before all other characters. */
int crio_compare_paths(const void *a, const void *b)
{
	const unsigned char *x = *(const unsigned char *const *)a;
	const unsigned char *y = *(const unsigned char *const *)b;

	for (; *x && *x == *y; x++, y++)
		;
	return (*x == '/' ? 1 : *x) - (*y == '/' ? 1 : *y);
}

static const struct engine_overlay *find_overlay(const struct engine_overlay *overlays,
						 size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++)
		if (string_equal(overlays[i].path, path))
			return &overlays[i];
	return NULL;
}

/* CRI-O reads whatever lies in the folder and in folders below it; links to folders stop it. */
static int add_paths(const struct root *root, const char *folder, unsigned depth,
		     struct arena *arena, struct strings *paths)
{
	struct strings names = {0};

	(void)root_list(root, folder, FILES_MAX, arena, &names);
	for (size_t i = 0; i < names.count; i++) {
		const char *path = arena_printf(arena, "%s/%s", folder, names.items[i]);
		struct stat st;
		int r;

		if (!path)
			return -ENOMEM;
		if (root_stat(root, path, AT_SYMLINK_NOFOLLOW, &st) == 0 && S_ISDIR(st.st_mode))
			r = depth < DEPTH_MAX ? add_paths(root, path, depth + 1, arena, paths) : 0;
		else
			r = strings_add(arena, paths, path);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The paths in the order of CRI-O's reading, those of the overlays in that folder among them. */
static int list_paths(const struct root *root, const char *main, const char *folder,
		      const struct engine_overlay *overlays, size_t count, struct arena *arena,
		      struct strings *ret)
{
	size_t length = strlen(folder);

	*ret = (struct strings){0};
	if (strings_add(arena, ret, main) < 0 || add_paths(root, folder, 0, arena, ret) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const char *path = overlays[i].path;

		if (string_starts(path, folder) && path[length] == '/' &&
		    !strings_contain(ret, path) && strings_add(arena, ret, path) < 0)
			return -ENOMEM;
	}
	return sort_items(arena, ret->items + 1, ret->count - 1, sizeof(*ret->items),
			  crio_compare_paths);
}

int crio_load(const struct root *root, const char *main, const char *folder,
	      const struct engine_overlay *overlays, size_t overlay_count, struct arena *arena,
	      struct engine_files *ret, struct error *err)
{
	struct strings paths;

	*ret = (struct engine_files){0};
	if (list_paths(root, main, folder, overlays, overlay_count, arena, &paths) < 0)
		return error_memory(err);
	for (size_t i = 0; i < paths.count; i++) {
		const struct engine_overlay *overlay =
			find_overlay(overlays, overlay_count, paths.items[i]);
		struct engine_file *file;
		struct toml_node *top;
		char *text = NULL;
		int r = 0;

		if (!overlay)
			r = configure_read(root, paths.items[i], arena, &text, err);
		if (r < 0)
			return r;
		if (i > 0 && !overlay && !text)
			return error_set(err, ERROR_BAD_CONFIG, ENOENT,
					 "remove the link, or create its target",
					 "read %s: it is a link to a file that doesn't exist, so "
					 "CRI-O doesn't start",
					 paths.items[i]);
		if (overlay ? !overlay->text : !text)
			continue;
		file = ARENA_PUSH(arena, ret);
		if (!file)
			return error_memory(err);
		*file = (struct engine_file){.path = paths.items[i],
					     .text = overlay ? overlay->text : text};
		r = toml_parse(file->text, file->path, arena, &top, err);
		if (r < 0)
			return r;
		file->top = top;
	}
	return 0;
}

/* ---- merging ---------------------------------------------------------------------------- */

#define RUNTIMES TOML_PATH("crio", "runtime", "runtimes")

/* Its reader decodes each file into the same maps: an entry of a map is made anew. */
static int merge_file(struct toml_node *settings, const struct toml_node *top, struct arena *arena)
{
	const struct toml_node *named = toml_find(top, RUNTIMES);
	struct toml_node *runtimes;

	for (named = named && named->type == TOML_TABLE ? named->first : NULL; named;
	     named = named->next) {
		runtimes = toml_make_table(settings, RUNTIMES, arena);
		if (!runtimes)
			return -ENOMEM;
		toml_remove(runtimes, named->key);
	}
	return toml_merge(settings, top, arena);
}

struct toml_node *crio_merge(const struct engine_files *files, struct arena *arena)
{
	struct toml_node *settings = toml_new_table(arena);

	for (size_t i = 0; settings && i < files->count; i++)
		if (merge_file(settings, files->items[i].top, arena) < 0)
			return NULL;
	return settings;
}

const char *crio_find_runtime(const struct toml_node *settings, const char *name)
{
	return toml_find_string(settings,
				TOML_PATH("crio", "runtime", "runtimes", name, "runtime_path"));
}

const char *crio_default_runtime(const struct toml_node *settings)
{
	return toml_find_string(settings, TOML_PATH("crio", "runtime", "default_runtime"));
}

const char *crio_cgroups(const struct toml_node *settings)
{
	return toml_find_string(settings, TOML_PATH("crio", "runtime", "cgroup_manager"));
}

int crio_hook_folders(const struct toml_node *settings, struct arena *arena, struct strings *ret)
{
	const struct toml_node *named =
		toml_find(settings, TOML_PATH("crio", "runtime", "hooks_dir"));

	*ret = (struct strings){0};
	return named ? toml_strings(named, arena, ret)
		     : strings_add(arena, ret, "/usr/share/containers/oci/hooks.d");
}

/* ---- the drop-in ------------------------------------------------------------------------ */

/*
 * Its runtime_type, if it runs an OCI runtime: "oci" by conmon, "pod" by conmon-rs. NULL: it
 * doesn't, or isn't a table.
 */
static const char *oci_type(const struct toml_node *runtime)
{
	const char *type = toml_find_string(runtime, TOML_PATH("runtime_type"));

	if (!runtime || runtime->type != TOML_TABLE)
		return NULL;
	if (!type || !*type || string_equal(type, "oci"))
		return "oci";
	return string_equal(type, "pod") ? "pod" : NULL;
}

/* The default one; when none is named that is crun, and runc before 1.31. */
static const struct toml_node *find_base(const struct toml_node *settings,
					 const struct configure *configure)
{
	const char *name = crio_default_runtime(settings);
	const char *const names[] = {name ? name : "crun", "crun", "runc", configure->runtime_name};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const struct toml_node *base = toml_member(toml_find(settings, RUNTIMES), names[i]);

		if (oci_type(base))
			return base;
	}
	return NULL;
}

static int set_runtime(struct toml_node *runtimes, const char *name, const struct toml_node *base,
		       const struct toml_node *old, const char *program, struct arena *arena)
{
	/* What is of the other program alone. */
	static const char *const others[] = {"runtime_path", "runtime_config_path",
					     "platform_runtime_paths", "inherit_default_runtime"};
	struct toml_node *made = toml_new_table(arena);

	if (!made || (base && toml_merge(made, base, arena) < 0) ||
	    (oci_type(old) && toml_merge(made, old, arena) < 0))
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		toml_remove(made, others[i]);
	if (!toml_set_string(made, "runtime_path", program, arena) ||
	    !toml_set_string(made, "runtime_type", oci_type(made), arena))
		return -ENOMEM;
	return toml_set(runtimes, name, made, arena) ? 0 : -ENOMEM;
}

/* The program of such a runtime is a virtual machine's, which pods use on purpose. */
static int check_replaceable(const char *name, const struct toml_node *old, struct error *err)
{
	if (!old || oci_type(old))
		return 0;
	return error_set(err, ERROR_BAD_CONFIG, EEXIST,
			 "rename or remove that runtime, or use --runtime-name",
			 "add the runtime: %s already exists, with runtime_type \"%s\"", name,
			 toml_find_string(old, TOML_PATH("runtime_type")));
}

int configure_crio(const struct toml_node *settings, const struct configure *configure,
		   struct arena *arena, char **ret, struct error *err)
{
	const struct toml_node *base = find_base(settings, configure);
	struct toml_node *top = toml_new_table(arena);
	struct toml_node *runtimes = toml_make_table(top, RUNTIMES, arena);
	struct text text = {.arena = arena};
	struct strings path = {0};
	int r;

	if (!runtimes)
		return error_memory(err);
	for (size_t i = 0; i < CONTAINERD_HANDLERS; i++) {
		const char *name = containerd_handler(configure->runtime_name, i, arena);
		const struct toml_node *old =
			name ? toml_member(toml_find(settings, RUNTIMES), name) : NULL;

		if (!name)
			return error_memory(err);
		r = check_replaceable(name, old, err);
		if (r < 0)
			return r;
		if (set_runtime(runtimes, name, base, old, configure->runtime_path, arena) < 0)
			return error_memory(err);
	}
	if (configure->set_default &&
	    !toml_set_string(toml_make_table(top, TOML_PATH("crio", "runtime"), arena),
			     "default_runtime", configure->runtime_name, arena))
		return error_memory(err);
	text_add_string(&text, CONFIGURE_MARK " crio`. " CONFIGURE_KEEPS "\n");
	toml_write(&text, &path, top, arena);
	*ret = text.failed ? NULL : text.data;
	return *ret ? 0 : error_memory(err);
}

int configure_crio_keep_options(const char *text, const char *path, struct configure *configure,
				struct arena *arena, struct error *err)
{
	struct toml_node *top;
	int r = toml_parse(text, path, arena, &top, err);

	if (r == 0)
		configure->set_default |=
			string_equal(crio_default_runtime(top), configure->runtime_name);
	return r;
}
