// SPDX-License-Identifier: Apache-2.0
/* `davit cdi list`: what engines find in the folders of specs, and what is wrong with it. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cdi.h"

#define DIRECTORY_FILES_MAX 1024

struct listed {
	const char *name; /* nvidia.com/gpu=0 */
	const char *file;
	size_t directory; /* its place among them: the last one has precedence */
};
struct lister {
	struct arena *arena;
	struct {
		struct listed *items;
		size_t count, capacity;
	} devices;
	struct strings warnings;
	size_t directory;
};

static int warn(struct lister *lister, const char *text)
{
	return text && strings_add(lister->arena, &lister->warnings, text) == 0 ? 0 : -ENOMEM;
}

/* ---- one file --------------------------------------------------------------------------- */

static int read_spec(const char *path, struct arena *arena, struct json_object **ret,
		     struct error *err)
{
	AUTO_FD fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;
	size_t length = 0;
	char *text = NULL;
	int r = fd < 0 || fstat(fd, &st) < 0 ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;

	if (r == 0)
		r = file_read(fd, CDI_SPEC_MAX, arena, &text, &length);
	if (r < 0)
		return error_set(err, ERROR_BAD_REQUEST, -r, NULL, "read %s: %s", path,
				 r == -EINVAL ? "it is no regular file" : strerror(-r));
	r = string_ends(path, ".json") ? json_parse(text, length, ERROR_BAD_REQUEST, path, ret, err)
				       : cdi_yaml_parse(text, length, path, ret, err);
	return r < 0 ? r : cdi_check(*ret, path, err);
}

static const char *text_of(struct json_object *object, const char *name)
{
	struct json_object *value = json_object_object_get(object, name);

	return value ? json_object_get_string(value) : "";
}

/* What the first thing is that isn't there any more; NULL: all is. */
static const char *find_stale_node(struct json_object *nodes, struct arena *arena)
{
	for (size_t i = 0; nodes && i < json_object_array_length(nodes); i++) {
		struct json_object *node = json_object_array_get_idx(nodes, i), *number;
		const char *path = text_of(node, "hostPath");
		struct stat st;

		if (!path[0])
			path = text_of(node, "path");
		if (stat(path, &st) < 0)
			return arena_printf(arena, "%s isn't there", path);
		if (json_object_object_get_ex(node, "major", &number) &&
		    (major(st.st_rdev) != (uint64_t)json_object_get_int64(number) ||
		     minor(st.st_rdev) != (uint64_t)json_object_get_int64(
						  json_object_object_get(node, "minor"))))
			return arena_printf(arena, "%s has another number now", path);
	}
	return NULL;
}

static const char *find_absent(struct json_object *list, const char *name, struct arena *arena)
{
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		const char *path = text_of(json_object_array_get_idx(list, i), name);

		if (access(path, F_OK) < 0)
			return arena_printf(arena, "%s isn't there", path);
	}
	return NULL;
}

static const char *find_stale(struct json_object *edits, struct arena *arena)
{
	const char *stale = find_stale_node(json_object_object_get(edits, "deviceNodes"), arena);

	if (!stale)
		stale = find_absent(json_object_object_get(edits, "mounts"), "hostPath", arena);
	if (!stale)
		stale = find_absent(json_object_object_get(edits, "hooks"), "path", arena);
	return stale;
}

static int add_device(struct lister *lister, const char *file, const char *kind, const char *name)
{
	struct listed *device = ARENA_PUSH(lister->arena, &lister->devices);

	if (!device)
		return -ENOMEM;
	device->name = arena_printf(lister->arena, "%s=%s", kind, name);
	device->file = file;
	device->directory = lister->directory;
	return device->name ? 0 : -ENOMEM;
}

static int list_file(struct lister *lister, const char *path)
{
	AUTO_JSON *spec = NULL;
	struct json_object *devices;
	const char *stale;
	struct error err = {0};
	int r = read_spec(path, lister->arena, &spec, &err);

	if (r < 0)
		return r == -ENOMEM ? r
				    : warn(lister,
					   arena_printf(lister->arena, "cannot %s", err.message));
	stale = find_stale(json_object_object_get(spec, "containerEdits"), lister->arena);
	devices = json_object_object_get(spec, "devices");
	r = 0;
	for (size_t i = 0; r == 0 && i < json_object_array_length(devices); i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);

		r = add_device(lister, path, text_of(spec, "kind"), text_of(device, "name"));
		if (!stale)
			stale = find_stale(json_object_object_get(device, "containerEdits"),
					   lister->arena);
	}
	if (r == 0 && stale)
		r = warn(lister, arena_printf(lister->arena, "%s is stale: %s", path, stale));
	return r;
}

/* ---- folders ---------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int list_directory(struct lister *lister, const char *directory)
{
	AUTO_ROOT root = {.fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC),
			  .path = directory};
	struct strings names = {0};
	int r;

	if (root.fd < 0)
		return errno == ENOENT
			       ? 0
			       : warn(lister, arena_printf(lister->arena, "cannot read %s: %s",
							   directory, strerror(errno)));
	r = root_list(&root, "/", DIRECTORY_FILES_MAX, lister->arena, &names);
	if (r == 0 && names.count > 1)
		qsort(names.items, names.count, sizeof(*names.items), by_name);
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const char *path = arena_printf(lister->arena, "%s/%s", directory, names.items[i]);

		if (!path)
			return -ENOMEM;
		if (string_ends(path, ".json") || string_ends(path, ".yaml"))
			r = list_file(lister, path);
	}
	return r;
}

/* A device of two folders is that of the later one; two of one folder are none. */
static int find_duplicates(struct lister *lister)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < lister->devices.count; i++)
		for (size_t j = 0; r == 0 && j < i; j++) {
			const struct listed *later = &lister->devices.items[i];
			const struct listed *earlier = &lister->devices.items[j];

			if (!string_equal(later->name, earlier->name))
				continue;
			r = warn(lister,
				 arena_printf(lister->arena,
					      later->directory == earlier->directory
						      ? "%s is in %s and in %s: engines use neither"
						      : "%s is in %s and in %s: the latter is used",
					      later->name, earlier->file, later->file));
		}
	return r;
}

/* ---- output ----------------------------------------------------------------------------- */

static int print_json(const struct lister *lister)
{
	struct json_object *object = json_object_new_object();
	struct json_object *devices = json_object_new_array();

	for (size_t i = 0; i < lister->devices.count; i++) {
		const struct listed *listed = &lister->devices.items[i];
		struct json_object *device = json_object_new_object();

		json_object_object_add(device, "name", json_object_new_string(listed->name));
		json_object_object_add(device, "file", json_object_new_string(listed->file));
		(void)json_object_array_add(devices, device);
	}
	json_object_object_add(object, "devices", devices);
	json_object_object_add(object, "warnings", cli_json_strings(&lister->warnings));
	return cli_print_json(object);
}

static int print_text(const struct lister *lister)
{
	for (size_t i = 0; i < lister->devices.count; i++)
		(void)printf("%-56s  %s\n", lister->devices.items[i].name,
			     lister->devices.items[i].file);
	return fflush(stdout) != 0;
}

static int run(const struct arguments *arguments)
{
	static const char *const usual[] = {"/etc/cdi", "/var/run/cdi"};
	AUTO_ARENA arena = {0};
	struct lister lister = {.arena = &arena};
	const char *const *directories = usual;
	size_t count = ARRAY_SIZE(usual);
	struct strings named = {0};
	struct error err = {0};
	int code, r = arguments_values(arguments, "spec-dir", &named);

	if (named.count > 0) {
		directories = named.items;
		count = named.count;
	}
	for (; r == 0 && lister.directory < count; lister.directory++)
		r = list_directory(&lister, directories[lister.directory]);
	if (r == 0)
		r = find_duplicates(&lister);
	if (r < 0) {
		(void)error_errno(&err, -r, "list the CDI specs");
		return cli_fail(&err);
	}
	code = arguments->json ? print_json(&lister) : print_text(&lister);
	for (size_t i = 0; i < lister.warnings.count; i++) {
		char line[1024];

		(void)snprintf(line, sizeof(line), "%s", lister.warnings.items[i]);
		string_printable(line);
		(void)fprintf(stderr, "davit: warning: %s\n", line);
	}
	return code != 0 || lister.warnings.count > 0;
}

static const struct command_option options[] = {
	{"spec-dir", OPTION_REPEATED, "DIR",
	 "look there (/etc/cdi and /var/run/cdi); may stand several times"},
	{NULL,       0,               NULL,  NULL                         },
};

const struct command command_cdi_list = {
	.name = "list",
	.summary = "the devices of the specs, and what is wrong with these",
	.help = "Prints the devices that engines find in the folders of specs. What is wrong with the specs is\n"
		"on standard error, and makes the exit code 1.\n",
	.example = "davit cdi list --json",
	.options = options,
	.json = true,
	.run = run,
};
