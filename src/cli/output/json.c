// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stdio.h>

#include "cli.h"

int cli_fail(const struct error *err)
{
	char line[ERROR_LINE_MAX];

	error_line(err, line);
	(void)fprintf(stderr, "%s\n", line);
	return error_exit_code(err);
}

static bool quiet;

void cli_be_quiet(void)
{
	quiet = true;
}

bool cli_is_quiet(void)
{
	return quiet;
}

void cli_note(const char *format, ...)
{
	va_list args;

	if (quiet)
		return;
	va_start(args, format);
	(void)fputs("davit: ", stderr);
	(void)vfprintf(stderr, format, args);
	(void)fputc('\n', stderr);
	va_end(args);
}

int cli_print_json(struct json_object *object)
{
	int failed = puts(json_object_to_json_string_ext(
			     object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
					     JSON_C_TO_STRING_NOSLASHESCAPE)) < 0;

	(void)json_object_put(object);
	return failed || fflush(stdout) != 0;
}

const char *cli_host_path(const struct driver_roots *roots, enum driver_tree tree, const char *path,
			  struct arena *arena)
{
	const char *root = driver_root_of(roots, tree)->path;
	const char *full;

	while (*path == '/')
		path++;
	full = arena_printf(arena, "%s/%s", string_equal(root, "/") ? "" : root, path);
	return full ? full : path;
}

struct json_object *cli_json_capabilities(unsigned capabilities)
{
	struct json_object *array = json_object_new_array();

	for (unsigned bit = 1; bit <= CAPABILITY_ALL; bit <<= 1)
		if (capabilities & bit)
			(void)json_object_array_add(array,
						    json_object_new_string(capability_name(bit)));
	return array;
}

struct json_object *cli_json_strings(const struct strings *strings)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < strings->count; i++)
		(void)json_object_array_add(array, json_object_new_string(strings->items[i]));
	return array;
}

static struct json_object *json_mig(const struct mig_instances *instances)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < instances->count; i++) {
		const struct mig_instance *mig = &instances->items[i];
		struct json_object *object = json_object_new_object();

		json_object_object_add(object, "gpu_instance",
				       json_object_new_int((int)mig->gpu_instance));
		json_object_object_add(object, "compute_instance",
				       json_object_new_int((int)mig->compute_instance));
		json_object_object_add(object, "uuid",
				       mig->uuid ? json_object_new_string(mig->uuid) : NULL);
		(void)json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *text_or_null(const char *text)
{
	return text ? json_object_new_string(text) : NULL;
}

struct json_object *cli_json_gpus(const struct gpus *gpus)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < gpus->count; i++) {
		const struct gpu *gpu = &gpus->items[i];
		struct json_object *object = json_object_new_object();

		json_object_object_add(object, "index", json_object_new_int((int)gpu->index));
		json_object_object_add(
			object, "minor",
			gpu->minor == GPU_NO_MINOR ? NULL : json_object_new_int((int)gpu->minor));
		json_object_object_add(object, "uuid", json_object_new_string(gpu->uuid));
		json_object_object_add(object, "bus_id", text_or_null(gpu->bus_id));
		json_object_object_add(object, "model", json_object_new_string(gpu->model));
		json_object_object_add(object, "mig", json_mig(&gpu->mig));
		(void)json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *json_accelerator(const struct accelerator *one)
{
	struct json_object *object = json_object_new_object(), *nodes = json_object_new_array();

	for (size_t i = 0; i < one->nodes.count; i++)
		(void)json_object_array_add(nodes,
					    json_object_new_string(one->nodes.items[i].name));
	json_object_object_add(object, "index", json_object_new_int((int)one->index));
	json_object_object_add(object, "bus_id", json_object_new_string(one->bus_id));
	json_object_object_add(object, "id", text_or_null(one->uid_name));
	json_object_object_add(object, "model", text_or_null(one->model));
	json_object_object_add(object, "arch", text_or_null(one->arch));
	json_object_object_add(object, "driver", json_object_new_string(one->driver));
	json_object_object_add(object, "partition",
			       one->split ? json_object_new_int((int)one->partition) : NULL);
	json_object_object_add(object, "device", text_or_null(one->device));
	json_object_object_add(object, "order", json_object_new_int((int)one->order));
	json_object_object_add(object, "nodes", nodes);
	return object;
}

struct json_object *cli_json_accelerators(const struct accelerators *all)
{
	struct json_object *object = json_object_new_object(), *gpus = json_object_new_array();
	struct json_object *unusable = json_object_new_array();

	for (size_t i = 0; i < all->count; i++)
		(void)json_object_array_add(gpus, json_accelerator(&all->items[i]));
	for (size_t i = 0; i < all->unusable.count; i++) {
		struct json_object *one = json_object_new_object();

		json_object_object_add(one, "bus_id",
				       json_object_new_string(all->unusable.items[i].bus_id));
		json_object_object_add(one, "problem",
				       json_object_new_string(all->unusable.items[i].problem));
		(void)json_object_array_add(unusable, one);
	}
	json_object_object_add(object, "vendor", json_object_new_string(all->vendor->name));
	json_object_object_add(object, "kind", json_object_new_string(all->vendor->kind));
	json_object_object_add(object, "gpus", gpus);
	json_object_object_add(object, "unusable", unusable);
	json_object_object_add(object, "warning",
			       *all->warning ? json_object_new_string(all->warning) : NULL);
	return object;
}

const char *cli_accelerator_nodes(const struct accelerator *one, struct arena *arena)
{
	struct strings names = {0};

	for (size_t i = 0; i < one->nodes.count; i++) {
		const char *name = arena_printf(arena, "/dev/%s", one->nodes.items[i].name);

		if (!name || strings_add(arena, &names, name) < 0)
			return NULL;
	}
	return strings_join(arena, &names, ", ");
}

struct json_object *cli_json_driver(const struct driver *driver)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "version", text_or_null(driver->version));
	json_object_object_add(object, "cuda",
			       driver->cuda_version ? json_object_new_string(driver->cuda_version)
						    : NULL);
	json_object_object_add(object, "root", json_object_new_string(driver->root_path));
	json_object_object_add(object, "gpus", cli_json_gpus(&driver->gpus));
	if (driver->platform == PLATFORM_NATIVE)
		return object;
	json_object_object_add(object, "platform",
			       json_object_new_string(driver_platform_name(driver->platform)));
	json_object_object_add(object, "notes", cli_json_strings(&driver->notes));
	json_object_object_add(object, "unproven", text_or_null(driver->unproven));
	return object;
}

struct json_object *cli_json_error(const struct error *err)
{
	struct json_object *object;

	if (err->code == ERROR_NONE)
		return NULL;
	object = json_object_new_object();
	json_object_object_add(object, "code", json_object_new_string(error_code_name(err->code)));
	json_object_object_add(object, "message", json_object_new_string(err->message));
	json_object_object_add(object, "fix", json_object_new_string(err->fix));
	return object;
}
