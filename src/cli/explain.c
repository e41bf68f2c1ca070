// SPDX-License-Identifier: Apache-2.0
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "cli.h"

static struct json_object *text(const char *string)
{
	return string ? json_object_new_string(string) : NULL;
}

/* ---- as JSON: the object of docs/architecture.md ---------------------------------------- */

static struct json_object *json_request(const struct gpu_request *request)
{
	struct json_object *object = json_object_new_object();
	struct json_object *requirements = json_object_new_array();

	for (size_t i = 0; i < request->requirements.count; i++)
		(void)json_object_array_add(requirements,
					    text(request->requirements.items[i].value));
	json_object_object_add(object, "gpu", json_object_new_boolean(request->gpu));
	json_object_object_add(object, "from", text(request->from ? request->from : ""));
	json_object_object_add(object, "devices", cli_json_strings(&request->devices));
	json_object_object_add(object, "capabilities",
			       cli_json_capabilities(request->capabilities_granted));
	json_object_object_add(object, "requirements", requirements);
	json_object_object_add(object, "mig_config",
			       text(request->mig_config ? request->mig_config : ""));
	json_object_object_add(object, "mig_monitor",
			       text(request->mig_monitor ? request->mig_monitor : ""));
	json_object_object_add(object, "imex", cli_json_strings(&request->imex));
	json_object_object_add(object, "privileged", json_object_new_boolean(request->privileged));
	json_object_object_add(object, "rules", cli_json_strings(&request->rules));
	return object;
}

static struct json_object *json_selected(const struct selection *selection)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < selection->count; i++) {
		const struct selected_device *device = &selection->items[i];
		struct json_object *object = json_object_new_object();

		json_object_object_add(object, "index",
				       json_object_new_int((int)device->gpu->index));
		json_object_object_add(object, "uuid", text(device->gpu->uuid));
		json_object_object_add(object, "bus_id", text(device->gpu->bus_id));
		if (device->mig) {
			json_object_object_add(object, "gpu_instance",
					       json_object_new_int((int)device->mig->gpu_instance));
			json_object_object_add(
				object, "compute_instance",
				json_object_new_int((int)device->mig->compute_instance));
			json_object_object_add(object, "mig_uuid", text(device->mig->uuid));
		}
		(void)json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *json_flags(unsigned flags)
{
	static const struct {
		unsigned flag;
		const char *name;
	} names[] = {
		{MOUNT_FLAG_RDONLY, "ro"    },
		{MOUNT_FLAG_NOSUID, "nosuid"},
		{MOUNT_FLAG_NODEV,  "nodev" },
		{MOUNT_FLAG_NOEXEC, "noexec"}
        };
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (flags & names[i].flag)
			(void)json_object_array_add(array, text(names[i].name));
	return array;
}

/* What an operation takes: a file of the host, a link's text, or a device's numbers. */
static const char *source_of(const struct pipeline *pipeline, const struct operation *operation,
			     struct arena *arena)
{
	switch (operation->kind) {
	case OPERATION_DEVICE_RULE:
		return arena_printf(arena, "c %u:%u rw", operation->major, operation->minor);
	case OPERATION_SYMLINK:
		return operation->text;
	case OPERATION_DEVICE:
	case OPERATION_BIND:
		return cli_host_path(&pipeline->roots, operation->tree, operation->source, arena);
	default:
		return "";
	}
}

static struct json_object *json_operations(const struct pipeline *pipeline, struct arena *arena)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < pipeline->plan.count; i++) {
		const struct operation *operation = &pipeline->plan.items[i];
		struct json_object *object = json_object_new_object();

		json_object_object_add(object, "op", text(operation_name(operation->kind)));
		json_object_object_add(object, "source",
				       text(source_of(pipeline, operation, arena)));
		json_object_object_add(object, "target", text(operation->target));
		json_object_object_add(
			object, "options",
			json_flags(operation->kind == OPERATION_SYMLINK ? 0 : operation->flags));
		json_object_object_add(object, "because", text(operation->because));
		json_object_object_add(object, "required",
				       json_object_new_boolean(operation->required));
		(void)json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *json_explanation(const struct pipeline *pipeline,
					    const struct error *err, struct arena *arena)
{
	struct json_object *object = json_object_new_object();
	struct json_object *container = json_object_new_object();

	json_object_object_add(container, "id", text(""));
	json_object_object_add(container, "bundle", text(pipeline->bundle));
	json_object_object_add(container, "rootfs", text(pipeline->rootfs));
	json_object_object_add(container, "pid", json_object_new_int(0));
	json_object_object_add(object, "version", json_object_new_int(1));
	json_object_object_add(object, "container", container);
	json_object_object_add(
		object, "request",
		pipeline->stage >= PIPELINE_REQUEST ? json_request(&pipeline->request) : NULL);
	json_object_object_add(
		object, "driver",
		pipeline->stage >= PIPELINE_DRIVER ? cli_json_driver(&pipeline->driver) : NULL);
	json_object_object_add(object, "selected", json_selected(&pipeline->selection));
	json_object_object_add(object, "operations", json_operations(pipeline, arena));
	json_object_object_add(object, "error", cli_json_error(err));
	return object;
}

/* ---- as text ---------------------------------------------------------------------------- */

static void print_request(const struct gpu_request *request, struct arena *arena)
{
	const char *devices = strings_join(arena, &request->devices, ", ");

	if (!request->gpu) {
		(void)puts("request    no GPU is asked for");
	} else {
		(void)printf("request    %s (%s)\n           capabilities", devices ? devices : "",
			     request->from);
		for (unsigned bit = 1; bit <= CAPABILITY_ALL; bit <<= 1)
			if (request->capabilities_granted & bit)
				(void)printf(" %s", capability_name(bit));
		(void)putchar('\n');
	}
	for (size_t i = 0; i < request->rules.count; i++)
		(void)printf("           - %s\n", request->rules.items[i]);
}

static void print_selection(const struct selection *selection)
{
	for (size_t i = 0; i < selection->count; i++) {
		const struct selected_device *device = &selection->items[i];

		(void)printf("selected   GPU %u %s %s", device->gpu->index, device->gpu->uuid,
			     device->gpu->model);
		if (device->mig)
			(void)printf(", MIG gpu instance %u, compute instance %u",
				     device->mig->gpu_instance, device->mig->compute_instance);
		(void)putchar('\n');
	}
	if (selection->count == 0)
		(void)puts("selected   no GPU");
}

static void print_text(const struct pipeline *pipeline, struct arena *arena)
{
	(void)printf("bundle     %s\n", pipeline->bundle);
	if (pipeline->stage >= PIPELINE_SPEC)
		(void)printf("rootfs     %s\n", pipeline->rootfs);
	if (pipeline->stage >= PIPELINE_REQUEST)
		print_request(&pipeline->request, arena);
	if (pipeline->stage >= PIPELINE_DRIVER)
		(void)printf("driver     %s in %s, %zu GPU%s\n", pipeline->driver.version,
			     pipeline->driver.root_path, pipeline->driver.gpus.count,
			     pipeline->driver.gpus.count == 1 ? "" : "s");
	if (pipeline->stage >= PIPELINE_SELECTION)
		print_selection(&pipeline->selection);
	for (size_t i = 0; i < pipeline->plan.count; i++) {
		const struct operation *operation = &pipeline->plan.items[i];
		const char *source = source_of(pipeline, operation, arena);

		(void)printf("%-12s %s%s%s  [%s%s]\n", operation_name(operation->kind),
			     operation->target, source && *source ? " <- " : "",
			     source ? source : "", operation->because,
			     operation->required ? "" : "; optional");
	}
}

/* The way through, as far as it leads, on the bundle as it lies there. */
static int explain(struct pipeline *pipeline, const struct config *config, struct arena *arena,
		   struct error *err)
{
	AUTO_ROOT root = {.fd = -1};
	int r = pipeline_read(pipeline, config, pipeline->bundle, arena, err);

	if (r == 0)
		r = pipeline_request(pipeline, arena, err);
	if (r < 0 || !pipeline->request.gpu)
		return r;
	r = root_open(pipeline->rootfs, &root, err);
	if (r < 0) {
		err->code = ERROR_BAD_BUNDLE;
		return error_fix(err, r, "correct root.path in config.json");
	}
	r = pipeline_driver(pipeline, arena, err);
	return r < 0 ? r : pipeline_plan(pipeline, &root, arena, err);
}

static const char *absolute(const char *path, struct arena *arena)
{
	char cwd[PATH_MAX];

	if (path[0] == '/' || !getcwd(cwd, sizeof(cwd)))
		return path;
	return arena_printf(arena, "%s/%s", cwd, path);
}

static int run(const struct arguments *arguments)
{
	AUTO_ARENA arena = {0}; /* outlives what it holds */
	AUTO_PIPELINE pipeline = PIPELINE_INIT;
	struct error err = {0};
	struct config config;
	const char *bundle = arguments_value(arguments, "bundle");
	int r;

	if (!bundle)
		return usage_error(arguments, "--bundle DIR is missing");
	pipeline.bundle = absolute(bundle, &arena);
	r = pipeline.bundle ? 0 : error_memory(&err);
	if (r == 0)
		r = config_load(arguments->config, &arena, &config, &err);
	if (r == 0)
		r = explain(&pipeline, &config, &arena, &err);
	if (arguments->json) {
		int failed = cli_print_json(json_explanation(&pipeline, &err, &arena));

		return r < 0 ? error_exit_code(&err) : failed;
	}
	print_text(&pipeline, &arena);
	(void)fflush(stdout);
	return r < 0 ? cli_fail(&err) : 0;
}

static const struct command_option options[] = {
	{"bundle", OPTION_VALUE, "DIR", "the OCI bundle of the container"},
	{NULL,     0,            NULL,  NULL			     },
};

const struct command command_explain = {
	.name = "explain",
	.summary = "what the hook would do to a container, and why",
	.help = "Prints the request, the driver, the selected GPUs and the plan for the OCI bundle in DIR,\n"
		"and changes nothing.\n",
	.example = "davit explain --bundle "
		   "/run/containerd/io.containerd.runtime.v2.task/k8s.io/ID",
	.options = options,
	.json = true,
	.run = run,
};
