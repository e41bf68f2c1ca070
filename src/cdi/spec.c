// SPDX-License-Identifier: Apache-2.0
/* Makes a spec from plans: the edits that all devices share, and those that each device adds. */
#include <limits.h>
#include <string.h>

#include "check.h"
#include "davit/json.h"
#include "davit/select.h"
#include "edits.h"

#define ENTRIES_MAX 65536

struct maker {
	const struct gpu_request *request;
	const struct driver *driver;
	const struct cdi_options *options;
	struct edits_maker edits;
	struct plan common; /* the plan of a container without devices */
	struct json_object *devices;
	struct error *err;
};

static int plan_selection(struct maker *maker, const struct selection *selection, struct plan *ret)
{
	const struct choices none = {0};

	return plan_make(maker->request, maker->driver, selection, &none, maker->options->image,
			 maker->edits.arena, ret, maker->err);
}

static void put_device(struct maker *maker, const char *name, struct json_object *edits)
{
	struct json_object *device = json_object_new_object();

	json_object_object_add(device, "name", json_object_new_string(name));
	json_object_object_add(device, "containerEdits", edits);
	(void)json_object_array_add(maker->devices, device);
}

static int add_device(struct maker *maker, const char *name, const struct selection *selection)
{
	struct json_object *edits;
	struct plan plan;
	int r;

	if (!name)
		return error_memory(maker->err);
	if (!cdi_is_device_name(name))
		return error_set(maker->err, ERROR_UNKNOWN_DEVICE, ENODEV,
				 "see `davit info`; open the GPU once, for example with nvidia-smi",
				 "name the device %s in a CDI spec", name);
	r = plan_selection(maker, selection, &plan);
	if (r < 0)
		return error_wrap(maker->err, r, "describe device %s", name);
	edits = json_object_new_object();
	r = edits_add_plan(&maker->edits, &plan, &maker->common, edits, maker->err);
	edits_add_chmod(&maker->edits, edits);
	put_device(maker, name, edits);
	return r;
}

/* `number`: "1" for a GPU, "1:0" for a MIG instance. */
static int add_named(struct maker *maker, struct selected_device *device, const char *number)
{
	const struct cdi_options *options = maker->options;
	const struct selection selection = {device, 1, 1};
	const char *uuid = device->mig ? device->mig->uuid : device->gpu->uuid;
	int r = 0;

	if (!number)
		return error_memory(maker->err);
	if (options->by_index)
		r = add_device(maker, number, &selection);
	if (r == 0 && options->by_type_index)
		r = add_device(maker,
			       arena_printf(maker->edits.arena, "%s%s", device->mig ? "mig" : "gpu",
					    number),
			       &selection);
	if (r < 0 || !options->by_uuid)
		return r;
	/* NVML couldn't be queried, so the UUID is unknown: use the index. */
	if (uuid && strchr(uuid, '?') && maker->driver->unproven)
		return options->by_index || options->by_type_index
			       ? 0
			       : add_device(maker, number, &selection);
	if (!uuid)
		return error_set(maker->err, ERROR_UNKNOWN_DEVICE, ENODEV,
				 "use --device-name-strategy index",
				 "name MIG instance %s by its UUID: NVML doesn't report the UUID",
				 number);
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
 * Whether the GPU's nodes exist or can be created. Otherwise the GPU is omitted, which is noted. 1,
 * 0 or -ENOMEM.
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

/* Adds a GPU, or its selected MIG instance. */
static int add_selected(struct maker *maker, struct selected_device *device)
{
	const struct gpu *gpu = device->gpu;
	struct arena *arena = maker->edits.arena;

	return add_named(maker, device,
			 device->mig ? arena_printf(arena, "%u:%zu", gpu->index,
						    (size_t)(device->mig - gpu->mig.items))
				     : arena_printf(arena, "%u", gpu->index));
}

/* Adds a device for each selected GPU, and appends the selections to `all`. 0 or -errno. */
static int add_gpus(struct maker *maker, struct selection *all)
{
	static const char *const every[] = {"all"};
	const struct strings names = {(const char **)every, 1, 1};
	const struct gpu *last = NULL;
	struct selection selection;
	int has = 0, r = select_devices(maker->driver,
					maker->options->devices ? maker->options->devices : &names,
					"--device-id", maker->edits.arena, &selection, maker->err);

	for (size_t i = 0; r == 0 && i < selection.count; i++) {
		const struct gpu *gpu = selection.items[i].gpu;
		struct selected_device *item;

		if (gpu != last)
			has = has_nodes(maker, gpu);
		last = gpu;
		r = has > 0 ? add_selected(maker, &selection.items[i]) : has;
		if (r < 0 || !has)
			continue;
		item = ARENA_PUSH(maker->edits.arena, all);
		if (!item)
			return error_memory(maker->err);
		*item = selection.items[i];
	}
	return r;
}

/* A device must have edits. As in NVIDIA's toolkit, the one without GPUs has this variable. */
static void add_empty_device(struct maker *maker)
{
	struct json_object *edits = json_object_new_object();
	struct json_object *env = json_object_new_array();

	(void)json_object_array_add(env, json_object_new_string("NVCT_EMPTY_DEVICE="));
	json_object_object_add(edits, "env", env);
	put_device(maker, "none", edits);
}

static int add_devices(struct maker *maker)
{
	const struct strings *asked = maker->options->devices;
	struct selection all = {0};
	int r = 0;

	if (asked && strings_contain(asked, "none")) {
		add_empty_device(maker);
		return 0;
	}
	r = add_gpus(maker, &all);
	if (r == 0 && all.count == 0)
		return error_set(maker->err, ERROR_UNKNOWN_DEVICE, ENODEV,
				 "see `davit info`; `davit system prepare` creates missing nodes",
				 "create a CDI spec: %s",
				 maker->driver->gpus.count ? "no GPU has its device node"
							   : "the driver has no GPU");
	return r < 0 || maker->options->no_all ? r : add_device(maker, "all", &all);
}

/* ---- devices beside the GPUs ------------------------------------------------------------- */

static const struct {
	const char *vendor, *class, *what;
} modes[] = {
	[CDI_MODE_GPU] = {"nvidia.com", "gpu", NULL},
	[CDI_MODE_MANAGEMENT] = {"management.nvidia.com", "gpu", "node of the driver"},
	[CDI_MODE_GDS] = {"nvidia.com", "gds", "device of GPUDirect Storage (nvidia-fs*)"},
	[CDI_MODE_MOFED] = {"nvidia.com", "mofed", "InfiniBand device (infiniband/uverbs*)"},
	[CDI_MODE_GDRCOPY] = {"nvidia.com", "gdrcopy", "device of GDRCopy (gdrdrv)"},
	[CDI_MODE_NVSWITCH] = {"nvidia.com", "nvswitch", "NVSwitch (nvidia-nvswitch*)"},
	[CDI_MODE_IMEX] = {"nvidia.com", "imex-channel",
			   "IMEX channel (nvidia-caps-imex-channels/channel*)"},
};

const char *cdi_mode_vendor(enum cdi_mode mode)
{
	return modes[mode].vendor;
}

const char *cdi_mode_class(enum cdi_mode mode)
{
	return modes[mode].class;
}

static int refuse_absent(struct maker *maker)
{
	return error_set(maker->err, ERROR_UNKNOWN_DEVICE, ENODEV,
			 "load the kernel module that provides them, or omit this mode",
			 "create a CDI spec of %s/%s: %s has no %s", maker->options->vendor,
			 maker->options->class, maker->edits.roots->dev.path,
			 modes[maker->options->mode].what);
}

/* Adds a device with the operations that this request has and an empty one hasn't. */
static int add_beyond_nothing(struct maker *maker, const struct gpu_request *request,
			      const char *name)
{
	const struct gpu_request nothing = {.gpu = true,
					    .nvidia = true,
					    .mig_config = "",
					    .mig_monitor = "",
					    .mps_pipe_directory = ""};
	const struct selection none = {0};
	struct json_object *edits = json_object_new_object();
	struct plan plan, common;
	const struct choices no_choices = {0};
	int r = plan_make(&nothing, maker->driver, &none, &no_choices, maker->options->image,
			  maker->edits.arena, &common, maker->err);

	if (r == 0)
		r = plan_make(request, maker->driver, &none, &no_choices, maker->options->image,
			      maker->edits.arena, &plan, maker->err);
	if (r == 0)
		r = edits_add_plan(&maker->edits, &plan, &common, edits, maker->err);
	if (r == 0 && !json_object_object_get_ex(edits, "deviceNodes", NULL))
		r = refuse_absent(maker);
	put_device(maker, name, edits);
	return r;
}

static int add_channels(struct maker *maker)
{
	const struct strings *channels = &maker->request->imex;
	int r = channels->count ? 0 : refuse_absent(maker);

	for (size_t i = 0; r == 0 && i < channels->count; i++) {
		struct gpu_request request = *maker->request;

		request.imex = (struct strings){&channels->items[i], 1, 1};
		r = add_beyond_nothing(maker, &request, channels->items[i]);
	}
	return r < 0 || maker->options->no_all ? r
					       : add_beyond_nothing(maker, maker->request, "all");
}

/*
 * Whether a container that manages the driver gets the node: not nodes of NVSwitch, NVLink and
 * storage.
 */
static bool is_managed(const char *name)
{
	static const char *const others[] = {"nvidia-fs", "nvidia-nvswitch", "nvidia-nvlink"};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (string_starts(name, others[i]))
			return false;
	return true;
}

/* nvidia2 before nvidia10. */
static int by_version(const void *a, const void *b)
{
	return strverscmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_all_of(struct maker *maker, const char *folder, const char *prefix,
		      struct json_object *edits)
{
	struct strings names = {0};
	int r = root_list(&maker->edits.roots->dev, *folder ? folder : ".", ENTRIES_MAX,
			  maker->edits.arena, &names);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = sort_items(maker->edits.arena, names.items, names.count, sizeof(*names.items),
			       by_version);
	if (r < 0)
		return error_errno(maker->err, -r, "list %s/%s", maker->edits.roots->dev.path,
				   folder);
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const char *name = names.items[i];
		const char *path =
			*folder ? arena_printf(maker->edits.arena, "%s/%s", folder, name) : name;

		if (!path)
			return error_memory(maker->err);
		if (string_starts(name, prefix) && is_managed(name))
			r = edits_add_named_node(&maker->edits, path, edits, maker->err);
	}
	return r;
}

/* Adds all existing nodes of the driver. */
static int add_managed(struct maker *maker)
{
	static const struct {
		const char *folder, *prefix;
	} nodes[] = {
		{"", "nvidia"},
		{"nvidia-caps", "nvidia-cap"},
		{"nvidia-caps-imex-channels", "channel"},
	};
	struct json_object *edits = json_object_new_object();
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(nodes); i++)
		r = add_all_of(maker, nodes[i].folder, nodes[i].prefix, edits);
	if (r == 0 && !json_object_object_get_ex(edits, "deviceNodes", NULL))
		r = refuse_absent(maker);
	edits_add_chmod(&maker->edits, edits);
	put_device(maker, "all", edits);
	return r;
}

static int fill_devices(struct maker *maker, struct json_object *edits)
{
	const struct selection none = {0};
	int r;

	if (maker->options->mode == CDI_MODE_IMEX)
		return add_channels(maker);
	if (maker->options->mode != CDI_MODE_GPU && maker->options->mode != CDI_MODE_MANAGEMENT)
		return add_beyond_nothing(maker, maker->request, "all");
	r = plan_selection(maker, &none, &maker->common);
	if (r == 0)
		r = edits_add_common(&maker->edits, &maker->common, edits, maker->err);
	if (r < 0)
		return r;
	return maker->options->mode == CDI_MODE_GPU ? add_devices(maker) : add_managed(maker);
}

/* Adds the members in the order that is easiest to read. */
static int fill_spec(struct maker *maker, struct json_object *spec)
{
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
	r = fill_devices(maker, edits);
	if (r < 0)
		return r;
	if (json_object_object_length(edits) == 0)
		json_object_object_del(spec, "containerEdits");
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
			  .capabilities = request->capabilities,
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
		r = cdi_check(spec, "the generated spec", err);
	if (r < 0)
		return r;
	*ret = spec;
	spec = NULL;
	return 0;
}
