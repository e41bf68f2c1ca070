// SPDX-License-Identifier: Apache-2.0
/* Lists the devices that engines find in the directories of specs, and problems. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "check.h"
#include "davit/json.h"

#define DIRECTORY_FILES_MAX 1024

struct scan {
	const struct root *root;
	struct arena *arena;
	struct cdi_listing *listing;
	size_t directory;
};

static int add_problem(struct scan *scan, enum cdi_problem_kind kind, const char *text)
{
	struct cdi_problem *problem = ARENA_PUSH(scan->arena, &scan->listing->problems);

	if (!problem || !text)
		return -ENOMEM;
	*problem = (struct cdi_problem){kind, text};
	return 0;
}

/* ---- one file --------------------------------------------------------------------------- */

static int read_spec(struct scan *scan, const char *path, struct json_object **ret,
		     struct error *err)
{
	size_t length = 0;
	char *text = NULL;
	int r = root_read(scan->root, path, CDI_SPEC_MAX, scan->arena, &text, &length);

	if (r < 0)
		return error_read(err, ERROR_BAD_REQUEST, -r, NULL, "%s", path);
	r = string_ends(path, ".json") ? json_parse(text, length, ERROR_BAD_REQUEST, path, ret, err)
				       : cdi_yaml_parse(text, length, path, ret, err);
	return r < 0 ? r : cdi_check(*ret, path, err);
}

static const char *text_of(struct json_object *object, const char *name)
{
	struct json_object *value = json_object_object_get(object, name);

	return value ? json_object_get_string(value) : "";
}

/*
 * Why the first node isn't valid any more: it doesn't exist, or has another number. NULL: all are
 * valid.
 */
static const char *find_stale_node(const struct scan *scan, struct json_object *nodes)
{
	for (size_t i = 0; nodes && i < json_object_array_length(nodes); i++) {
		struct json_object *node = json_object_array_get_idx(nodes, i), *number;
		const char *path = text_of(node, "hostPath");
		struct stat st;

		if (!path[0])
			path = text_of(node, "path");
		if (root_stat(scan->root, path, 0, &st) < 0)
			return arena_printf(scan->arena, "%s doesn't exist", path);
		if (json_object_object_get_ex(node, "major", &number) &&
		    (major(st.st_rdev) != (uint64_t)json_object_get_int64(number) ||
		     minor(st.st_rdev) != (uint64_t)json_object_get_int64(
						  json_object_object_get(node, "minor"))))
			return arena_printf(scan->arena, "%s now has another device number", path);
	}
	return NULL;
}

static const char *find_absent(const struct scan *scan, struct json_object *list, const char *name)
{
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		const char *path = text_of(json_object_array_get_idx(list, i), name);
		struct stat st;

		if (root_stat(scan->root, path, 0, &st) < 0)
			return arena_printf(scan->arena, "%s doesn't exist", path);
	}
	return NULL;
}

/* ---- hooks ------------------------------------------------------------------------------ */

bool cdi_is_hook_command(const char *name)
{
	static const char *const names[] = {
		"cdi",
		"chmod",
		"create-symlinks",
		"disable-device-node-modification",
		"enable-cuda-compat",
		"update-application-profile",
		"update-ldcache",
	};

	for (size_t i = 0; name && i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

const char *cdi_hook_command(struct json_object *arguments)
{
	size_t count = arguments ? json_object_array_length(arguments) : 0;

	for (size_t i = 1; i < count; i++) {
		const char *word = json_object_get_string(json_object_array_get_idx(arguments, i));

		if (word && word[0] != '-' && strcmp(word, "hook") != 0)
			return word;
	}
	return NULL;
}

/*
 * Whether the file is one of davit's, whatever link led to it: davit-hook, or davit as nvidia-ctk.
 */
static bool is_ours(int fd, struct arena *arena)
{
	const char *path = fd_path(fd, arena), *slash = path ? strrchr(path, '/') : NULL;

	return slash && (string_equal(slash, "/davit-hook") || string_equal(slash, "/davit"));
}

/* The problem of the first hook that can't work; NULL: none. */
static const char *find_bad_hook(const struct scan *scan, struct json_object *hooks)
{
	for (size_t i = 0; hooks && i < json_object_array_length(hooks); i++) {
		struct json_object *hook = json_object_array_get_idx(hooks, i);
		const char *path = text_of(hook, "path"), *command;
		AUTO_FD fd = root_openat(scan->root, path, O_PATH);
		struct stat st;

		if (fd < 0)
			return arena_printf(scan->arena, "its hook %s doesn't exist", path);
		if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 0111))
			return arena_printf(scan->arena, "its hook %s is not a program", path);
		if (!is_ours(fd, scan->arena))
			continue;
		command = cdi_hook_command(json_object_object_get(hook, "args"));
		if (!cdi_is_hook_command(command))
			return arena_printf(scan->arena,
					    "its hook %s is davit, which has no command %s", path,
					    command ? command : "without a name");
	}
	return NULL;
}

/* ---- what a spec names ------------------------------------------------------------------- */

/*
 * The first missing file that davit's own hook mounts ("--mount SOURCE::..."), without which
 * containers don't start. NULL: none.
 */
static const char *find_absent_source(const struct scan *scan, struct json_object *hooks)
{
	for (size_t i = 0; hooks && i < json_object_array_length(hooks); i++) {
		struct json_object *args =
			json_object_object_get(json_object_array_get_idx(hooks, i), "args");
		size_t count = args ? json_object_array_length(args) : 0;

		if (!string_equal(cdi_hook_command(args), "cdi"))
			continue;
		for (size_t j = 2; j + 1 < count; j++) {
			const char *option =
				json_object_get_string(json_object_array_get_idx(args, j));
			const char *value =
				json_object_get_string(json_object_array_get_idx(args, j + 1));
			const char *end = value ? strstr(value, "::") : NULL, *path;
			struct stat st;

			if (!end || !string_equal(option, "--mount"))
				continue;
			path = arena_strndup(scan->arena, value, (size_t)(end - value));
			if (path && root_stat(scan->root, path, 0, &st) < 0)
				return arena_printf(scan->arena, "%s doesn't exist", path);
		}
	}
	return NULL;
}

static const char *find_stale(const struct scan *scan, struct json_object *edits)
{
	const char *stale = find_stale_node(scan, json_object_object_get(edits, "deviceNodes"));

	if (!stale)
		stale = find_absent(scan, json_object_object_get(edits, "mounts"), "hostPath");
	if (!stale)
		stale = find_absent_source(scan, json_object_object_get(edits, "hooks"));
	return stale;
}

static int add_device(struct scan *scan, const char *file, const char *kind, const char *name)
{
	struct cdi_listed *device = ARENA_PUSH(scan->arena, &scan->listing->devices);

	if (!device)
		return -ENOMEM;
	device->name = arena_printf(scan->arena, "%s=%s", kind, name);
	device->file = file;
	device->directory = scan->directory;
	return device->name ? 0 : -ENOMEM;
}

/* Reports a kind such as "vendor/c", which dockerd can't read. */
static int check_kind(struct scan *scan, const char *path, const char *kind)
{
	const char *slash = strchr(kind, '/');
	const char *vendor = arena_strndup(scan->arena, kind, (size_t)(slash - kind));

	if (!vendor)
		return -ENOMEM;
	return cdi_is_deadly(vendor, slash + 1)
		       ? add_problem(
				 scan, CDI_PROBLEM_DEADLY,
				 arena_printf(
					 scan->arena,
					 "%s has the kind %s: dockerd 25.0 to 29.7 panics when it "
					 "reads a vendor or class of one letter, and "
					 "doesn't start",
					 path, kind))
		       : 0;
}

static struct json_object *hooks_of(struct json_object *device)
{
	return json_object_object_get(json_object_object_get(device, "containerEdits"), "hooks");
}

static int scan_file(struct scan *scan, const char *path)
{
	AUTO_JSON *spec = NULL;
	struct json_object *devices;
	const char *stale, *hook;
	struct error err = {0};
	int r = read_spec(scan, path, &spec, &err);

	scan->listing->files++;
	if (r < 0)
		return r == -ENOMEM
			       ? r
			       : add_problem(scan, CDI_PROBLEM_INVALID,
					     arena_printf(scan->arena, "cannot %s", err.message));
	stale = find_stale(scan, json_object_object_get(spec, "containerEdits"));
	hook = find_bad_hook(scan, hooks_of(spec));
	devices = json_object_object_get(spec, "devices");
	r = check_kind(scan, path, text_of(spec, "kind"));
	for (size_t i = 0; r == 0 && i < json_object_array_length(devices); i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);

		r = add_device(scan, path, text_of(spec, "kind"), text_of(device, "name"));
		if (!stale)
			stale = find_stale(scan, json_object_object_get(device, "containerEdits"));
		if (!hook)
			hook = find_bad_hook(scan, hooks_of(device));
	}
	if (r == 0 && hook)
		r = add_problem(scan, CDI_PROBLEM_HOOK,
				arena_printf(scan->arena, "%s: %s", path, hook));
	if (r == 0 && stale)
		r = add_problem(scan, CDI_PROBLEM_STALE,
				arena_printf(scan->arena, "%s is stale: %s", path, stale));
	return r;
}

/* ---- folders ---------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int scan_directory(struct scan *scan, const char *directory)
{
	struct strings names = {0};
	int r = root_list(scan->root, directory, DIRECTORY_FILES_MAX, scan->arena, &names);

	if (r == -ENOENT || r == -ENOMEM)
		return r == -ENOMEM ? r : 0;
	if (r < 0 && r != -E2BIG)
		return add_problem(
			scan, CDI_PROBLEM_INVALID,
			arena_printf(scan->arena, "cannot read %s: %s", directory, strerror(-r)));
	if (sort_items(scan->arena, names.items, names.count, sizeof(*names.items), by_name) < 0)
		return -ENOMEM;
	r = 0;
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const char *path = arena_printf(scan->arena, "%s/%s", directory, names.items[i]);

		if (!path)
			return -ENOMEM;
		if (string_ends(path, ".json") || string_ends(path, ".yaml"))
			r = scan_file(scan, path);
	}
	return r;
}

/* By name, then by precedence. */
static int by_device(const void *a, const void *b)
{
	const struct cdi_listed *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	if (order == 0)
		order = (x->directory > y->directory) - (x->directory < y->directory);
	return order ? order : strcmp(x->file, y->file);
}

/* The later directory takes precedence. A device defined twice in one directory is rejected. */
static int compare_devices(struct scan *scan, const struct cdi_listed *earlier,
			   const struct cdi_listed *later)
{
	bool same = later->directory == earlier->directory;

	if (!string_equal(later->name, earlier->name))
		return 0;
	return add_problem(
		scan, same ? CDI_PROBLEM_NEITHER : CDI_PROBLEM_COVERED,
		arena_printf(scan->arena,
			     same ? "%s is defined in %s and in %s: engines reject both"
				  : "%s is defined in %s and in %s: engines use the latter",
			     later->name, earlier->file, later->file));
}

static int find_duplicates(struct scan *scan)
{
	size_t count = scan->listing->devices.count;
	struct cdi_listed *sorted;
	int r = 0;

	if (count < 2)
		return 0;
	sorted = arena_alloc(scan->arena, count * sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	memcpy(sorted, scan->listing->devices.items, count * sizeof(*sorted));
	if (sort_items(scan->arena, sorted, count, sizeof(*sorted), by_device) < 0)
		return -ENOMEM;
	for (size_t i = 1; r == 0 && i < count; i++)
		r = compare_devices(scan, &sorted[i - 1], &sorted[i]);
	return r;
}

int cdi_scan(const struct root *root, const char *const *directories, size_t count,
	     struct arena *arena, struct cdi_listing *ret)
{
	struct scan scan = {.root = root, .arena = arena, .listing = ret};
	int r = 0;

	*ret = (struct cdi_listing){0};
	for (; r == 0 && scan.directory < count; scan.directory++)
		r = scan_directory(&scan, directories[scan.directory]);
	return r < 0 ? r : find_duplicates(&scan);
}
