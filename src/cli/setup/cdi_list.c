// SPDX-License-Identifier: Apache-2.0
/* `davit cdi list`: the devices in the folders of specs, and the specs' problems. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cdi.h"

static int print_json(const struct cdi_listing *listing)
{
	struct json_object *object = json_object_new_object();
	struct json_object *devices = json_object_new_array();
	struct json_object *warnings = json_object_new_array();

	for (size_t i = 0; i < listing->devices.count; i++) {
		const struct cdi_listed *listed = &listing->devices.items[i];
		struct json_object *device = json_object_new_object();

		json_object_object_add(device, "name", json_object_new_string(listed->name));
		json_object_object_add(device, "file", json_object_new_string(listed->file));
		(void)json_object_array_add(devices, device);
	}
	for (size_t i = 0; i < listing->problems.count; i++)
		(void)json_object_array_add(
			warnings, json_object_new_string(listing->problems.items[i].text));
	json_object_object_add(object, "devices", devices);
	json_object_object_add(object, "warnings", warnings);
	return cli_print_json(object);
}

static int print_text(const struct cdi_listing *listing)
{
	for (size_t i = 0; i < listing->devices.count; i++)
		(void)printf("%-56s  %s\n", listing->devices.items[i].name,
			     listing->devices.items[i].file);
	return fflush(stdout) != 0;
}

static void print_problem(const struct cdi_problem *problem)
{
	char line[1024];

	(void)snprintf(line, sizeof(line), "%s", problem->text);
	string_printable(line);
	cli_note("warning: %s", line);
}

/* "A,B" names two folders, as in nvidia-ctk. */
static int add_folders(const struct arguments *arguments, const char *list, struct strings *ret)
{
	struct slice rest = slice_from(list), item;

	while (slice_next(&rest, ',', &item)) {
		const char *path = arena_strndup(arguments->arena, item.data, item.length);

		path = path ? cli_absolute(path, arguments->arena) : NULL;
		if (!path || (item.length && strings_add(arguments->arena, ret, path) < 0))
			return -ENOMEM;
	}
	return 0;
}

/* `ret_folders`: the folders that were read. */
static int scan(const struct arguments *arguments, struct cdi_listing *ret,
		struct strings *ret_folders, struct error *err)
{
	static const char usual[] = "/etc/cdi,/var/run/cdi";
	AUTO_ROOT root = {.fd = -1};
	struct strings values = {0};
	int r = arguments_values(arguments, "spec-dir", &values);

	for (size_t i = 0; r == 0 && i < values.count; i++)
		r = add_folders(arguments, values.items[i], ret_folders);
	if (r == 0 && ret_folders->count == 0)
		r = add_folders(arguments, usual, ret_folders);
	if (r == 0)
		r = root_open("/", &root, err);
	if (r == 0)
		r = cdi_scan(&root, ret_folders->items, ret_folders->count, arguments->arena, ret);
	return r < 0 ? error_errno(err, -r, "list the CDI specs") : 0;
}

static void print_nothing_found(const struct arguments *arguments, const struct strings *folders)
{
	const char *list = strings_join(arguments->arena, folders, ", ");
	const char *last = folders->items[folders->count - 1];
	char line[1024];

	(void)snprintf(line, sizeof(line),
		       "no CDI spec was found in %s (fix: run `davit cdi generate --output "
		       "%s/nvidia.json`)",
		       list ? list : last, last);
	string_printable(line);
	cli_note("%s", line);
}

static int run(const struct arguments *arguments)
{
	struct strings folders = {0};
	struct cdi_listing listing = {0};
	struct error err = {0};
	int code;

	if (scan(arguments, &listing, &folders, &err) < 0)
		return cli_fail(&err);
	code = arguments->json ? print_json(&listing) : print_text(&listing);
	for (size_t i = 0; i < listing.problems.count; i++)
		print_problem(&listing.problems.items[i]);
	if (listing.files == 0 && listing.problems.count == 0)
		print_nothing_found(arguments, &folders);
	return code != 0 || listing.problems.count > 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct cdi_listed *)a)->name, ((const struct cdi_listed *)b)->name);
}

/* Whether two files of the folder with precedence define it. Then engines reject both. */
static bool is_disputed(const struct cdi_listing *listing, size_t i)
{
	const struct cdi_listed *device = &listing->devices.items[i];
	size_t last = device->directory, files = 0;

	for (size_t j = 0; j < listing->devices.count; j++) {
		const struct cdi_listed *other = &listing->devices.items[j];

		if (strcmp(other->name, device->name) != 0)
			continue;
		if (other->directory > last) {
			last = other->directory;
			files = 0;
		}
		files += other->directory == last;
	}
	return files > 1;
}

int cdi_list_names(const struct arguments *arguments)
{
	struct cdi_listing listing = {0};
	struct strings folders = {0};
	struct error err = {0};
	const char *last = "";

	if (scan(arguments, &listing, &folders, &err) < 0)
		return cli_fail(&err);
	if (listing.devices.count)
		qsort(listing.devices.items, listing.devices.count, sizeof(*listing.devices.items),
		      by_name);
	for (size_t i = 0; i < listing.devices.count; i++) {
		const char *name = listing.devices.items[i].name;

		if (strcmp(name, last) != 0 && !is_disputed(&listing, i))
			(void)puts(name);
		last = name;
	}
	for (size_t i = 0; i < listing.problems.count; i++)
		print_problem(&listing.problems.items[i]);
	return fflush(stdout) != 0;
}

static const struct command_option options[] = {
	{"spec-dir", OPTION_REPEATED, "DIR",
	 "read DIR (/etc/cdi and /var/run/cdi); may be repeated"},
	{NULL, 0, NULL, NULL},
};

const struct command command_cdi_list = {
	.name = "list",
	.summary = "list the devices of the specs, and report problems",
	.help = "Prints the devices that engines find in the spec directories. Problems of the specs are\n"
		"printed on standard error, and the exit code is then 1. If there is no spec, a line on\n"
		"standard error names the directories searched.\n",
	.example = "davit cdi list --json",
	.options = options,
	.json = true,
	.run = run,
};
