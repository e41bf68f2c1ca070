// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "cli.h"
#include "list.h"

/* Requests all GPUs of each vendor other than NVIDIA that the host has. */
static int add_wishes(struct pipeline *pipeline, const struct config *config, struct arena *arena,
		      struct error *err)
{
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	int r = driver_roots_open_host(config, &roots, err);

	for (size_t i = 0; r == 0 && vendors[i]; i++) {
		struct error absent = {0};
		struct choice choice;
		struct wish *wish;

		if (!vendors[i]->table ||
		    cli_choose_all(vendors[i], &roots, arena, &choice, &absent) < 0)
			continue;
		wish = ARENA_PUSH(arena, &pipeline->request.wishes);
		if (!wish) {
			r = error_memory(err);
			break;
		}
		*wish = (struct wish){vendors[i], "davit list", pipeline->request.devices};
	}
	driver_roots_close(&roots);
	return r;
}

/* The reason for a MIG instance's nodes names its UUID; without NVML, a line says why not. */
static void show_mig_uuids(struct pipeline *pipeline, struct arena *arena)
{
	const char *note = NULL;

	if (driver_lacks_mig_uuids(&pipeline->driver))
		note = cli_ask_nvml(&pipeline->roots, pipeline->config, arena, &pipeline->driver);
	if (note)
		cli_note("%s", note);
}

/* Makes the plan with all capabilities. The host's own root serves as the image. */
static int plan_for_all(struct pipeline *pipeline, const struct config *config, struct arena *arena,
			struct error *err)
{
	AUTO_ROOT root = {.fd = -1};
	int r = root_open("/", &root, err);

	if (r < 0)
		return r;
	pipeline->config = config;
	pipeline->request = (struct gpu_request){
		.gpu = true,
		.nvidia = true,
		.capabilities = CAPABILITY_ALL,
		.mig_config = "",
		.mig_monitor = "",
		.mps_pipe_directory = "",
	};
	if (strings_add(arena, &pipeline->request.devices, "all") < 0)
		return error_memory(err);
	/* Adds the vendors that the host has. If it has none, NVIDIA's problem is the error. */
	r = add_wishes(pipeline, config, arena, err);
	if (r == 0)
		r = pipeline_driver(pipeline, arena, err);
	if (r == -ENODEV && pipeline->request.wishes.count && !pipeline->driver.version) {
		pipeline->request.nvidia = false;
		pipeline_close(pipeline);
		pipeline->roots = (struct driver_roots)DRIVER_ROOTS_INIT;
		r = pipeline_driver(pipeline, arena, err);
	}
	if (r < 0)
		return r;
	show_mig_uuids(pipeline, arena);
	return pipeline_plan(pipeline, &root, arena, err);
}

/* A file or a node of the host; NULL for an operation that has none. */
static const char *source_of(const struct pipeline *pipeline, const struct operation *operation,
			     struct arena *arena)
{
	if (operation->kind != OPERATION_BIND && operation->kind != OPERATION_DEVICE)
		return NULL;
	return cli_host_path(&pipeline->roots, operation->tree, operation->source, arena);
}

static const char *inside_path(const struct pipeline *pipeline, const struct driver_file *file,
			       struct arena *arena)
{
	return file->inside ? cli_host_path(&pipeline->roots, file->tree, file->path, arena) : NULL;
}

/* Files in a bound directory have no operation of their own. */
static void json_inside(const struct pipeline *pipeline, struct json_object *files,
			struct arena *arena)
{
	for (size_t i = 0; i < pipeline->driver.files.count; i++) {
		const struct driver_file *file = &pipeline->driver.files.items[i];
		const char *path = inside_path(pipeline, file, arena);
		struct json_object *item;

		if (!path)
			continue;
		item = json_object_new_object();
		json_object_object_add(item, "path", json_object_new_string(path));
		json_object_object_add(item, "target", json_object_new_string(file->target));
		json_object_object_add(item, "because",
				       json_object_new_string("mounted with its directory"));
		(void)json_object_array_add(files, item);
	}
}

static struct json_object *json_plan(const struct pipeline *pipeline, struct arena *arena)
{
	struct json_object *object = json_object_new_object();
	struct json_object *nodes = json_object_new_array(), *files = json_object_new_array();

	for (size_t i = 0; i < pipeline->plan.count; i++) {
		const struct operation *operation = &pipeline->plan.items[i];
		const char *source = source_of(pipeline, operation, arena);
		struct json_object *item;

		if (!source)
			continue;
		item = json_object_new_object();
		json_object_object_add(item, "path", json_object_new_string(source));
		json_object_object_add(item, "target", json_object_new_string(operation->target));
		json_object_object_add(item, "because", json_object_new_string(operation->because));
		(void)json_object_array_add(operation->kind == OPERATION_DEVICE ? nodes : files,
					    item);
	}
	json_inside(pipeline, files, arena);
	json_object_object_add(object, "nodes", nodes);
	json_object_object_add(object, "files", files);
	return object;
}

static int run(const struct arguments *arguments)
{
	AUTO_ARENA arena = {0}; /* must outlive the objects that use it */
	AUTO_PIPELINE pipeline = PIPELINE_INIT;
	struct error err = {0};
	struct config config;
	int r = config_load(arguments->config, &arena, &config, &err);

	if (r == 0 && arguments_flag(arguments, "containers"))
		return list_containers(&config, arguments->json, &arena);
	if (r == 0)
		r = plan_for_all(&pipeline, &config, &arena, &err);
	if (r < 0)
		return cli_fail(&err);
	if (arguments->json)
		return cli_print_json(json_plan(&pipeline, &arena));
	for (size_t i = 0; i < pipeline.plan.count; i++) {
		const char *source = source_of(&pipeline, &pipeline.plan.items[i], &arena);

		if (source)
			(void)puts(source);
	}
	for (size_t i = 0; i < pipeline.driver.files.count; i++) {
		const char *path = inside_path(&pipeline, &pipeline.driver.files.items[i], &arena);

		if (path)
			(void)puts(path);
	}
	return fflush(stdout) != 0;
}

static const struct command_option options[] = {
	{"containers", OPTION_FLAG, NULL, "print which running containers have which GPU"},
	{NULL, 0, NULL, NULL},
};
const struct command command_list = {
	.name = "list",
	.summary = "list what a container with all GPUs and capabilities gets",
	.help = "Prints the host's files and nodes that a container gets if it requests all GPUs of every\n"
		"vendor and all capabilities, one per line.\n"
		"\n"
		"With --containers, it prints which running containers have which GPU instead, according\n"
		"to the nodes in their /dev. An ordinary user sees only the user's own containers.\n",
	.options = options,
	.example = "davit list --json",
	.json = true,
	.run = run,
};
