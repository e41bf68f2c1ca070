// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "cli.h"

/* The plan for everything, on an image of the host's own kind. */
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
	r = pipeline_driver(pipeline, arena, err);
	return r < 0 ? r : pipeline_plan(pipeline, &root, arena, err);
}

/* A file or a node of the host; NULL for an operation that has none. */
static const char *source_of(const struct pipeline *pipeline, const struct operation *operation,
			     struct arena *arena)
{
	if (operation->kind != OPERATION_BIND && operation->kind != OPERATION_DEVICE)
		return NULL;
	return cli_host_path(&pipeline->roots, operation->tree, operation->source, arena);
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
	json_object_object_add(object, "nodes", nodes);
	json_object_object_add(object, "files", files);
	return object;
}

static int run(const struct arguments *arguments)
{
	AUTO_ARENA arena = {0}; /* outlives what it holds */
	AUTO_PIPELINE pipeline = PIPELINE_INIT;
	struct error err = {0};
	struct config config;
	int r = config_load(arguments->config, &arena, &config, &err);

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
	return fflush(stdout) != 0;
}

const struct command command_list = {
	.name = "list",
	.summary = "what a container with all GPUs and capabilities gets",
	.help = "Prints the files and nodes of the host that a container gets when it asks for all GPUs and\n"
		"all capabilities, a line each.\n",
	.example = "davit list --json",
	.json = true,
	.run = run,
};
