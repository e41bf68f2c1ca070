// SPDX-License-Identifier: Apache-2.0
/* The planner's plans as edits: what all devices have in common, and what each one adds. */
#include <limits.h>
#include <string.h>

#include "check.h"
#include "davit/json.h"
#include "edits.h"

struct maker {
	const struct gpu_request *request;
	const struct driver *driver;
	const struct cdi_options *options;
	struct edits_maker edits;
	struct plan common; /* of a container without devices */
	struct json_object *devices;
	struct error *err;
};

static int plan_selection(struct maker *maker, const struct selection *selection, struct plan *ret)
{
	const struct choices none = {0};

	return plan_make(maker->request, maker->driver, selection, &none, maker->options->image,
			 maker->edits.arena, ret, maker->err);
}

static int add_device(struct maker *maker, const char *name, const struct selection *selection)
{
	struct json_object *device, *edits;
	struct plan plan;
	int r;

	if (!name)
		return error_memory(maker->err);
	if (!cdi_is_device_name(name))
		return error_set(maker->err, ERROR_UNKNOWN_DEVICE, ENODEV,
				 "see `davit info`; the device may not have been opened yet",
				 "name the device %s in a CDI spec", name);
	r = plan_selection(maker, selection, &plan);
	if (r < 0)
		return error_wrap(maker->err, r, "describe device %s", name);
	edits = json_object_new_object();
	r = edits_add_plan(&maker->edits, &plan, &maker->common, edits, maker->err);
	device = json_object_new_object();
	json_object_object_add(device, "name", json_object_new_string(name));
	json_object_object_add(device, "containerEdits", edits);
	(void)json_object_array_add(maker->devices, device);
	return r;
}

static int add_named(struct maker *maker, struct selected_device *device, const char *index,
		     const char *uuid)
{
	const struct selection selection = {device, 1, 1};
	int r = maker->options->by_index ? add_device(maker, index, &selection) : 0;

	if (r < 0 || !maker->options->by_uuid)
		return r;
	/* Nobody could tell it: the index has to do. */
	if (uuid && strchr(uuid, '?') && maker->driver->unproven)
		return maker->options->by_index ? 0 : add_device(maker, index, &selection);
	if (!uuid)
		return error_set(maker->err, ERROR_UNKNOWN_DEVICE, ENODEV,
				 "use --device-name-strategy index",
				 "name MIG instance %s by its UUID: NVML doesn't tell it", index);
	return add_device(maker, uuid, &selection);
}

static const struct device_node *find_node(const struct driver *driver, const char *name)
{
	for (size_t i = 0; i < driver->nodes.count; i++)
		if (strcmp(driver->nodes.items[i].name, name) == 0)
			return &driver->nodes.items[i];
	return NULL;
}

/*
 * Whether the GPU's nodes exist, or will: davit can't promise more of a spec. 1, 0 or -ENOMEM; what
 * is left out is noted.
 */
static int has_nodes(struct maker *maker, const struct gpu *gpu)
{
	struct arena *arena = maker->edits.arena;
	const char *what = gpu->bus_id ? arena_printf(arena, "GPU %u (%s)", gpu->index, gpu->bus_id)
				       : arena_printf(arena, "GPU %u", gpu->index);

	for (size_t i = 0; what && i < gpu->nodes.count; i++) {
		const char *name = gpu->nodes.items[i];
		const struct device_node *node = find_node(maker->driver, name);
		const char *why;

		if (node && (node->present || node->optional))
			continue;
		why = arena_printf(arena, "the host has no /dev/%s", name);
		return why ? edits_leave_out(&maker->edits, what, why, maker->err)
			   : error_memory(maker->err);
	}
	return what ? 1 : error_memory(maker->err);
}

/* A GPU that is split into instances is given in these alone. */
static int add_gpu(struct maker *maker, const struct gpu *gpu)
{
	struct arena *arena = maker->edits.arena;
	struct selected_device device = {.gpu = gpu};
	int r = 0;

	if (gpu->mig.count == 0)
		return add_named(maker, &device, arena_printf(arena, "%u", gpu->index), gpu->uuid);
	for (size_t i = 0; r == 0 && i < gpu->mig.count; i++) {
		device.mig = &gpu->mig.items[i];
		r = add_named(maker, &device, arena_printf(arena, "%u:%zu", gpu->index, i),
			      device.mig->uuid);
	}
	return r;
}

/* Adds those GPUs' devices, and the devices to `all`. 0 or -errno. */
static int add_gpus(struct maker *maker, struct selection *all)
{
	static const char *const every[] = {"all"};
	const struct strings names = {(const char **)every, 1, 1};
	const struct gpu *last = NULL;
	struct selection selection;
	int has = 0,
	    r = select_devices(maker->driver, &names, maker->edits.arena, &selection, maker->err);

	for (size_t i = 0; r == 0 && i < selection.count; i++) {
		const struct gpu *gpu = selection.items[i].gpu;
		struct selected_device *item;

		if (gpu != last) {
			has = has_nodes(maker, gpu);
			r = has > 0 ? add_gpu(maker, gpu) : has;
		}
		last = gpu;
		if (r < 0 || !has)
			continue;
		item = ARENA_PUSH(maker->edits.arena, all);
		if (!item)
			return error_memory(maker->err);
		*item = selection.items[i];
	}
	return r;
}

static int add_devices(struct maker *maker)
{
	struct selection all = {0};
	int r = add_gpus(maker, &all);

	if (r == 0 && all.count == 0)
		return error_set(maker->err, ERROR_UNKNOWN_DEVICE, ENODEV,
				 "see `davit info`; nodes are made by `davit system prepare`",
				 "make a CDI spec: %s",
				 maker->driver->gpus.count ? "no GPU of the driver has its node"
							   : "the driver has no GPU");
	return r < 0 ? r : add_device(maker, "all", &all);
}

/* In the order in which the fields are best read. */
static int fill_spec(struct maker *maker, struct json_object *spec)
{
	const struct selection none = {0};
	struct json_object *edits = json_object_new_object();
	const char *kind = arena_printf(maker->edits.arena, "%s/%s", maker->options->vendor,
					maker->options->class);
	int r;

	maker->devices = json_object_new_array();
	json_object_object_add(spec, "cdiVersion", json_object_new_string(""));
	json_object_object_add(spec, "kind", json_object_new_string(kind ? kind : ""));
	json_object_object_add(spec, "devices", maker->devices);
	json_object_object_add(spec, "containerEdits", edits);
	if (!kind)
		return error_memory(maker->err);
	r = plan_selection(maker, &none, &maker->common);
	if (r == 0)
		r = edits_add_common(&maker->edits, &maker->common, edits, maker->err);
	if (r == 0)
		r = add_devices(maker);
	if (r < 0)
		return r;
	json_object_object_add(spec, "cdiVersion",
			       json_object_new_string(cdi_lowest_version(spec)));
	return 0;
}

int cdi_spec_make(const struct gpu_request *request, const struct driver *driver,
		  const struct driver_roots *roots, const struct cdi_options *options,
		  struct arena *arena, struct json_object **ret, struct strings *ret_left_out,
		  struct error *err)
{
	struct maker maker = {
		.request = request,
		.driver = driver,
		.options = options,
		.edits = {.roots = roots,
			  .options = options,
			  .driver = driver,
			  .arena = arena,
			  .left_out = ret_left_out},
		.err = err,
	};
	AUTO_JSON *spec = json_object_new_object();
	int r = cdi_check_kind(options->vendor, options->class, err);

	*ret_left_out = (struct strings){0};
	if (r == 0)
		r = fill_spec(&maker, spec);
	if (r == 0)
		r = cdi_check(spec, "the spec that davit made", err);
	if (r < 0)
		return r;
	*ret = spec;
	spec = NULL;
	return 0;
}
