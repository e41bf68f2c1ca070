// SPDX-License-Identifier: Apache-2.0
/* The JSON object that docs/architecture.md describes. */
#include "explain.h"

static struct json_object *text(const char *string)
{
	return string ? json_object_new_string(string) : NULL;
}

static struct json_object *json_wishes(const struct wishes *wishes)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < wishes->count; i++) {
		const struct wish *wish = &wishes->items[i];
		struct json_object *object = json_object_new_object();

		json_object_object_add(object, "vendor", text(wish->vendor->name));
		json_object_object_add(object, "from", text(wish->from));
		json_object_object_add(object, "devices", cli_json_strings(&wish->devices));
		(void)json_object_array_add(array, object);
	}
	return array;
}

/* What a choice was made among, and the indices chosen. */
static struct json_object *json_choices(const struct choices *choices)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < choices->count; i++) {
		const struct choice *choice = &choices->items[i];
		struct json_object *object = cli_json_accelerators(&choice->all);
		struct json_object *selected = json_object_new_array();

		for (size_t j = 0; j < choice->count; j++)
			(void)json_object_array_add(
				selected, json_object_new_int((int)choice->items[j]->index));
		json_object_object_add(object, "selected", selected);
		(void)json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *json_rules(const struct request_rules *rules)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < rules->count; i++)
		(void)json_object_array_add(array, text(rules->items[i].text));
	return array;
}

struct json_object *explain_json_request(const struct gpu_request *request)
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
	json_object_object_add(object, "rules", json_rules(&request->rules));
	if (request->spec_devices.count)
		json_object_object_add(object, "spec_devices",
				       cli_json_strings(&request->spec_devices));
	if (request->wishes.count)
		json_object_object_add(object, "wishes", json_wishes(&request->wishes));
	return object;
}

struct json_object *explain_json_selected(const struct selection *selection)
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
	const char *names[MOUNT_OPTIONS_MAX];
	size_t count = mount_option_names(flags, names);
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < count; i++)
		(void)json_object_array_add(array, text(names[i]));
	return array;
}

const char *explain_source(const struct pipeline *pipeline, const struct operation *operation,
			   struct arena *arena)
{
	switch (operation->kind) {
	case OPERATION_DEVICE_RULE:
		return arena_printf(arena, "%s %s", operation_numbers(operation, arena),
				    device_access_name(operation->access));
	case OPERATION_SYMLINK:
		return operation->text;
	case OPERATION_DEVICE:
	case OPERATION_BIND:
		return cli_host_path(&pipeline->roots, operation->tree, operation->source, arena);
	default:
		return "";
	}
}

struct json_object *explain_json_operation(const struct explanation *explanation,
					   const struct operation *operation, struct arena *arena)
{
	struct json_object *object = json_object_new_object();
	unsigned flags = operation->kind == OPERATION_SYMLINK ? 0 : operation->flags;
	const struct pipeline *pipeline = &explanation->pipeline;
	const char *volume;

	json_object_object_add(object, "op", text(operation_name(operation->kind)));
	json_object_object_add(object, "source", text(explain_source(pipeline, operation, arena)));
	json_object_object_add(object, "target", text(operation->target));
	json_object_object_add(object, "options", json_flags(flags));
	json_object_object_add(object, "because", text(operation->because));
	json_object_object_add(object, "required", json_object_new_boolean(operation->required));
	(void)explain_outcome(explanation, operation, arena, &volume);
	json_object_object_add(object, "volume", text(volume));
	return object;
}

static struct json_object *json_operations(const struct explanation *explanation,
					   struct arena *arena)
{
	const struct plan *plan = &explanation->pipeline.plan;
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < plan->count; i++)
		(void)json_object_array_add(
			array, explain_json_operation(explanation, &plan->items[i], arena));
	return array;
}

/* The options of the command line that replace the bundle's request. */
static struct json_object *json_options(const struct try_request *request)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "gpus", text(request->gpus));
	json_object_object_add(object, "devices", text(request->devices));
	json_object_object_add(object, "capabilities", text(request->capabilities));
	json_object_object_add(object, "env", cli_json_strings(&request->variables));
	return object;
}

struct json_object *explain_json(const struct explanation *explanation, struct arena *arena)
{
	const struct pipeline *pipeline = &explanation->pipeline;
	struct json_object *object = json_object_new_object();
	struct json_object *container = json_object_new_object();

	json_object_object_add(container, "id", text(""));
	json_object_object_add(container, "bundle", text(pipeline->bundle));
	json_object_object_add(container, "rootfs", text(pipeline->rootfs));
	json_object_object_add(container, "pid", json_object_new_int(0));
	json_object_object_add(object, "version", json_object_new_int(1));
	json_object_object_add(object, "container", container);
	if (explanation->request)
		json_object_object_add(object, "options", json_options(explanation->request));
	json_object_object_add(object, "request",
			       pipeline->stage >= PIPELINE_REQUEST
				       ? explain_json_request(&pipeline->request)
				       : NULL);
	json_object_object_add(object, "driver",
			       pipeline->stage >= PIPELINE_DRIVER && pipeline->request.nvidia
				       ? cli_json_driver(&pipeline->driver)
				       : NULL);
	json_object_object_add(object, "selected", explain_json_selected(&pipeline->selection));
	if (pipeline->choices.count)
		json_object_object_add(object, "vendors", json_choices(&pipeline->choices));
	if (pipeline->notes.count)
		json_object_object_add(object, "notes", cli_json_strings(&pipeline->notes));
	json_object_object_add(object, "operations", json_operations(explanation, arena));
	if (explanation->written)
		json_object_object_add(object, "written",
				       explain_json_written(explanation->written));
	json_object_object_add(object, "error", cli_json_error(&explanation->err));
	return object;
}
