// SPDX-License-Identifier: Apache-2.0
/* containerd's files in the order of its LoadConfig: breadth first, each file once. */
#include <fnmatch.h>
#include <string.h>

#include "containerd.h"

#define FILES_MAX 1024

#define SYSTEM_FOLDER "/etc/containerd/"

struct loading {
	const struct root *root;
	const struct containerd_distribution *distribution;
	const char *folder; /* what the daemon sees at SYSTEM_FOLDER; NULL: the same */
	const char *glob_folder;
	const struct engine_overlay *overlays;
	size_t overlay_count;
	struct arena *arena;
	struct error *err;
};

static const struct engine_overlay *find_overlay(const struct loading *l, const char *path)
{
	for (size_t i = 0; i < l->overlay_count; i++)
		if (string_equal(l->overlays[i].path, path))
			return &l->overlays[i];
	return NULL;
}

static bool exists(const struct loading *l, const char *path)
{
	const struct engine_overlay *overlay = find_overlay(l, path);
	struct stat st;

	return overlay ? overlay->text != NULL : root_stat(l->root, path, 0, &st) == 0;
}

const char *containerd_clean(const char *path, struct arena *arena)
{
	char *made = arena_alloc(arena, strlen(path) + 2);
	struct slice rest = slice_from(path), part;
	size_t length = 0;

	if (!made)
		return NULL;
	while (slice_next(&rest, '/', &part)) {
		if (part.length == 0 || slice_equal(part, "."))
			continue;
		if (slice_equal(part, "..")) {
			while (length > 0 && made[--length] != '/')
				;
			made[length] = '\0';
			continue;
		}
		made[length++] = '/';
		memcpy(made + length, part.data, part.length);
		length += part.length;
		made[length] = '\0';
	}
	return length ? made : "/";
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All names in these directories that fit the pattern; "*" is also for hidden ones. */
static int expand_part(const struct loading *l, const struct strings *directories,
		       const char *pattern, struct strings *ret)
{
	for (size_t i = 0; i < directories->count; i++) {
		const char *directory = directories->items[i];
		struct strings names = {0};

		if (!strpbrk(pattern, "*?[\\")) {
			const char *path = arena_printf(l->arena, "%s/%s", directory, pattern);

			if (!path || strings_add(l->arena, ret, path) < 0)
				return -ENOMEM;
			continue;
		}
		(void)root_list(l->root, *directory ? directory : "/", FILES_MAX, l->arena, &names);
		for (size_t j = 0; j < names.count; j++) {
			const char *path;

			if (fnmatch(pattern, names.items[j], 0) != 0)
				continue;
			path = arena_printf(l->arena, "%s/%s", directory, names.items[j]);
			if (!path || strings_add(l->arena, ret, path) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

/* What a pattern leads to, sorted. 0 or -ENOMEM. */
static int expand(const struct loading *l, const char *pattern, struct strings *ret)
{
	const char *first = "";
	struct strings paths = {.items = &first, .count = 1};
	struct slice rest = slice_from(pattern + 1), part;

	while (slice_next(&rest, '/', &part)) {
		const char *name = arena_strndup(l->arena, part.data, part.length);
		struct strings next = {0};

		if (!name || expand_part(l, &paths, name, &next) < 0)
			return -ENOMEM;
		paths = next;
	}
	for (size_t i = 0; i < l->overlay_count; i++)
		if (fnmatch(pattern, l->overlays[i].path, FNM_PATHNAME) == 0 &&
		    !strings_contain(&paths, l->overlays[i].path) &&
		    strings_add(l->arena, &paths, l->overlays[i].path) < 0)
			return -ENOMEM;
	if (sort_items(l->arena, paths.items, paths.count, sizeof(*paths.items), compare) < 0)
		return -ENOMEM;
	*ret = (struct strings){0};
	for (size_t i = 0; i < paths.count; i++)
		if (exists(l, paths.items[i]) && strings_add(l->arena, ret, paths.items[i]) < 0)
			return -ENOMEM;
	return 0;
}

static bool is_listed(const struct engine_files *files, const char *path)
{
	for (size_t i = 0; i < files->count; i++)
		if (strcmp(files->items[i].path, path) == 0)
			return true;
	return false;
}

/* At the end of the list, once. The text isn't read yet. */
static int enqueue(const struct loading *l, struct engine_files *files, const char *path)
{
	struct engine_file *file;

	if (is_listed(files, path))
		return 0;
	if (files->count == FILES_MAX)
		return error_set(
			l->err, ERROR_BAD_CONFIG, E2BIG, "reduce the number of imported files",
			"read %s: it imports more than %d files", files->items[0].path, FILES_MAX);
	file = ARENA_PUSH(l->arena, files);
	if (!file)
		return error_memory(l->err);
	*file = (struct engine_file){.path = path};
	return 0;
}

/* What k0s generates in a directory that a restart of the host empties. */
static bool is_k0s_own(const struct containerd_distribution *distribution, const char *path)
{
	return string_equal(distribution->name, "k0s") && string_ends(path, "/containerd-cri.toml");
}

static int read_text(const struct loading *l, struct engine_file *file, bool main)
{
	const struct engine_overlay *overlay = find_overlay(l, file->path);
	char *text = NULL;
	int r = 0;

	if (!overlay)
		r = configure_read(l->root, file->path, l->arena, &text, l->err);
	if (r < 0)
		return r;
	file->text = overlay ? overlay->text : text;
	if (file->text || main)
		return 0;
	if (is_k0s_own(l->distribution, file->path)) {
		file->text = "";
		return l->distribution->skips_generated
			       ? 0
			       : error_set(l->err, ERROR_BAD_CONFIG, ENOENT,
					   "start k0s, then run the command again",
					   "read %s: k0s creates this file when it starts",
					   file->path);
	}
	return error_set(l->err, ERROR_BAD_CONFIG, ENOENT, "remove it from `imports`",
			 "read %s: an import names this file, but it doesn't exist", file->path);
}

/* An import as a clean path or pattern of the host. NULL without memory. */
static const char *resolve(const struct loading *l, const char *import, const char *importer)
{
	const char *slash = strrchr(importer, '/');
	const char *path = import;

	if (import[0] != '/' && l->glob_folder && strchr(import, '*'))
		path = arena_printf(l->arena, "%s/%s", l->glob_folder, import);
	else if (import[0] != '/')
		path = arena_printf(l->arena, "%.*s/%s", (int)(slash - importer), importer, import);
	path = path ? containerd_clean(path, l->arena) : NULL;
	if (path && l->folder && string_starts(path, SYSTEM_FOLDER))
		path = arena_printf(l->arena, "%s/%s", l->folder, path + strlen(SYSTEM_FOLDER));
	return path;
}

static int enqueue_imports(const struct loading *l, struct engine_files *files, size_t of)
{
	const char *importer = files->items[of].path;
	struct strings imports;
	int r = 0;

	if (toml_strings(toml_member(files->items[of].top, "imports"), l->arena, &imports) < 0)
		return error_memory(l->err);
	for (size_t i = 0; r == 0 && i < imports.count; i++) {
		const char *path = resolve(l, imports.items[i], importer);
		struct strings matches = {.items = &path, .count = 1};

		if (!path || (strchr(path, '*') && expand(l, path, &matches) < 0))
			return error_memory(l->err);
		for (size_t j = 0; r == 0 && j < matches.count; j++)
			r = enqueue(l, files, matches.items[j]);
	}
	return r;
}

int containerd_load(const struct root *root, const struct containerd_distribution *distribution,
		    const struct engine_overlay *overlays, size_t overlay_count,
		    struct arena *arena, struct engine_files *ret, struct error *err)
{
	const char *path = distribution->file;
	struct loading l = {.root = root,
			    .distribution = distribution,
			    .glob_folder = distribution->glob_folder,
			    .overlays = overlays,
			    .overlay_count = overlay_count,
			    .arena = arena,
			    .err = err};
	int r;

	*ret = (struct engine_files){0};
	if (distribution->rootless) {
		l.folder = arena_strndup(arena, path, (size_t)(strrchr(path, '/') - path));
		if (!l.folder)
			return error_memory(err);
	}
	r = enqueue(&l, ret, path);
	for (size_t i = 0; r == 0 && i < ret->count; i++) {
		struct toml_node *top = NULL;

		r = read_text(&l, &ret->items[i], i == 0);
		if (r == 0)
			r = toml_parse(ret->items[i].text ? ret->items[i].text : "",
				       ret->items[i].path, arena, &top, err);
		if (r < 0)
			break;
		ret->items[i].top = top;
		r = enqueue_imports(&l, ret, i);
	}
	return r;
}
