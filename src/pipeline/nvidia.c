// SPDX-License-Identifier: Apache-2.0
/* What NVIDIA's driver has for a request: its inventory, NVML's answers, the image's requirements.
 */
#include "nvidia.h"

#include <string.h>

static unsigned requested_families(const struct gpu_request *request)
{
	return (request->gds ? FAMILY_GDS : 0) | (request->mofed ? FAMILY_MOFED : 0) |
	       (request->gdrcopy ? FAMILY_GDRCOPY : 0) | (request->nvswitch ? FAMILY_NVSWITCH : 0) |
	       (request->imex.count ? FAMILY_IMEX : 0) |
	       (request->mig_config[0] ? FAMILY_MIG_CONFIG : 0) |
	       (request->mig_monitor[0] ? FAMILY_MIG_MONITOR : 0);
}

/* Reads the inventory and the requested families. If there is no driver, loads its modules. */
static int read_driver(struct pipeline *pipeline, const struct strings *devices,
		       struct arena *arena, struct error *err)
{
	const struct config *config = pipeline->config;
	const struct gpu_request *request = &pipeline->request;
	const unsigned families = requested_families(request);
	const struct driver_wanted wanted = {
		.capabilities = request->capabilities,
		.devices = devices,
		.every_list = request->every_list,
	};
	struct driver *driver = &pipeline->driver;
	int r = driver_read(&pipeline->roots, config, &wanted, arena, driver, err);

	if (r == -ENODEV && pipeline->may_repair && config->driver.load_modules &&
	    driver->repairable) {
		int loaded = driver_load(&pipeline->roots, arena, err);

		if (loaded < 0)
			return loaded == -EALREADY ? r : loaded;
		r = driver_read(&pipeline->roots, config, &wanted, arena, driver, err);
	}
	if (r < 0 || !families)
		return r;
	return driver_read_families(&pipeline->roots, families, &request->imex, arena, driver, err);
}

/* The same without GPUs that can't be opened. 1 when there are such, 0 or -errno. */
static int read_openable(struct pipeline *pipeline, const struct strings *devices,
			 struct arena *arena, struct error *err)
{
	int r = read_driver(pipeline, devices, arena, err);

	return r < 0 ? r
		     : driver_count_openable(&pipeline->roots, pipeline->config,
					     pipeline->as_caller, arena, &pipeline->driver, err);
}

/* All GPUs, in place of those that were read first. */
static int read_all_again(struct pipeline *pipeline, struct arena *arena, struct error *err)
{
	int r;

	driver_close(&pipeline->driver);
	r = read_openable(pipeline, NULL, arena, err);
	return r < 0 ? r : 0;
}

/* Makes nodes that are missing (NULL: all of them), or only plans with them. */
static int repair(struct pipeline *pipeline, const struct strings *names, struct arena *arena,
		  struct error *err)
{
	return driver_repair(&pipeline->roots, pipeline->config, names, !pipeline->may_repair,
			     arena, &pipeline->driver, err);
}

static int ask_nvml(struct pipeline *pipeline, struct arena *arena, struct error *err)
{
	const char *cuda_version = pipeline->driver.cuda_version;
	int r = 0;

	/* NVML reports all GPUs, and GPUs that /proc lacks are refused. */
	if (pipeline->driver.gpus_partial) {
		r = read_all_again(pipeline, arena, err);
		pipeline->driver.cuda_version = cuda_version;
	}
	if (r < 0)
		return r;
	/* NVML sees no GPU whose node is missing, and may make none in its sandbox. */
	if (pipeline->may_repair && pipeline->config->driver.load_modules)
		r = repair(pipeline, NULL, arena, err);
	if (r < 0)
		return r;
	return driver_ask_nvml(&pipeline->roots, pipeline->config, &pipeline->driver, arena, err);
}

int pipeline_ask_nvml(struct pipeline *pipeline, struct arena *arena, struct error *err)
{
	struct driver *driver = &pipeline->driver;
	int r = driver->unproven ? 0 : ask_nvml(pipeline, arena, err);

	if (r >= 0 || r == -ENOMEM || !driver->nvml_optional)
		return r;
	driver->unproven = arena_strdup(arena, err->message);
	if (!driver->unproven)
		return error_memory(err);
	log_line(LOG_LEVEL_WARNING, "not verified, because only NVML knows: cannot %s",
		 driver->unproven);
	*err = (struct error){0};
	return 0;
}

static int cannot_decide(unsigned missing, struct error *err)
{
	return error_set(
		err, ERROR_UNSATISFIED, EPERM, "set NVIDIA_DISABLE_REQUIRE=1",
		"check the image's requirements: NVML doesn't report the %s that they need",
		missing & REQUIRE_CUDA   ? "CUDA version"
		: missing & REQUIRE_ARCH ? "GPUs' compute capability"
					 : "GPUs' brand");
}

/*
 * With NVML's facts: each selected GPU must satisfy all requirements, because the container may use
 * any of them.
 */
static int check_each_gpu(struct pipeline *pipeline, struct requirement_facts *facts,
			  struct arena *arena, struct error *err)
{
	const struct selection *selection = &pipeline->selection;
	unsigned missing;
	size_t i = 0;
	int r;

	do {
		const struct gpu *gpu = selection->count ? selection->items[i].gpu : NULL;

		if (gpu && i > 0 && gpu == selection->items[i - 1].gpu)
			continue;
		facts->arch = gpu ? gpu->arch : NULL;
		facts->brand = gpu ? gpu->brand : NULL;
		r = requirements_check(&pipeline->request, facts, arena, &missing, err);
		if (r == 0 && missing)
			r = cannot_decide(missing, err);
		if (r < 0)
			return gpu ? error_wrap(err, r, "inject GPU %u", gpu->index) : r;
	} while (++i < selection->count);
	return 0;
}

/*
 * dockerd turns --gpus into a hook of this name and the variable. Only structure can have this text
 * in config.json: a quotation mark within a string is escaped.
 */
static bool has_hook_of_gpus(const struct pipeline *pipeline)
{
	static const char name[] = "\"nvidia-container-runtime-hook\",";

	return pipeline->text &&
	       memmem(pipeline->text, pipeline->text_length, name, strlen(name)) != NULL;
}

/* What the user typed for the devices, for a remedy. */
static const char *find_place(const struct pipeline *pipeline, struct arena *arena)
{
	const char *from = pipeline->request.from ? pipeline->request.from : "";

	if (pipeline->place)
		return pipeline->place;
	if (string_equal(from, "mounts"))
		return "the mounts of /dev/null";
	if (string_starts(from, "annotation"))
		return arena_printf(arena, "the %s", from);
	if (has_hook_of_gpus(pipeline))
		return "--gpus";
	return string_starts(from, "env ") && !string_equal(from, "env CUDA_VERSION")
		       ? from + strlen("env ")
		       : "NVIDIA_VISIBLE_DEVICES";
}

static int choose_devices(struct pipeline *pipeline, struct arena *arena, struct error *err)
{
	const struct strings *devices = &pipeline->request.devices;
	const char *place = "NVIDIA_VISIBLE_DEVICES";
	int r = select_devices(&pipeline->driver, devices, place, arena, &pipeline->selection, err);

	if (r != -ENODEV)
		return r;
	/*
	 * Repeats the selection with the user's notation, which is only determined after a failure.
	 */
	place = find_place(pipeline, arena);
	return place ? select_devices(&pipeline->driver, devices, place, arena,
				      &pipeline->selection, err)
		     : error_memory(err);
}

/*
 * With what is known without NVML. The CUDA version is read from libcuda's note only when the
 * answer depends on it: most images are content with the driver's version.
 */
static int check_known(struct pipeline *pipeline, struct requirement_facts *facts,
		       struct arena *arena, unsigned *ret_missing, struct error *err)
{
	int r;

	*facts = (struct requirement_facts){
		.driver = pipeline->driver.version,
		.no_device = pipeline->selection.count == 0,
	};
	r = requirements_check(&pipeline->request, facts, arena, ret_missing, err);
	if (r < 0 || !(*ret_missing & REQUIRE_CUDA))
		return r;
	pipeline->driver.cuda_version =
		driver_cuda_version(&pipeline->roots, pipeline->config, &pipeline->driver, arena);
	facts->cuda = pipeline->driver.cuda_version;
	return facts->cuda ? requirements_check(&pipeline->request, facts, arena, ret_missing, err)
			   : 0;
}

static int check_requirements(struct pipeline *pipeline, struct arena *arena, struct error *err)
{
	struct requirement_facts facts;
	unsigned missing = 0;
	int r = check_known(pipeline, &facts, arena, &missing, err);

	if (r < 0 || missing == 0)
		return r;
	r = pipeline_ask_nvml(pipeline, arena, err);
	if (r == 0 && pipeline->driver.unproven)
		return 0;
	/* Anew: the GPUs may have been read again for it, and their instances put in order. */
	if (r == 0)
		r = choose_devices(pipeline, arena, err);
	if (r < 0)
		return error_wrap(err, r, "check the image's requirements");
	/* The CUDA version wasn't read from a note, or wasn't needed. */
	facts.cuda = pipeline->driver.cuda_version;
	return check_each_gpu(pipeline, &facts, arena, err);
}

/*
 * If an unsatisfied requirement is only a warning, NVML isn't queried: that takes longer than
 * everything else.
 */
static int warn_of_requirements(struct pipeline *pipeline, struct arena *arena, struct error *err)
{
	struct requirement_facts facts;
	struct error failed = {0};
	const char *note;
	unsigned missing = 0;
	int r = check_known(pipeline, &facts, arena, &missing, &failed);

	if (r == -ENOMEM)
		return error_memory(err);
	if (r == 0)
		return 0;
	note = arena_printf(
		arena, "cannot %s; the container starts anyway, because of policy.requirements",
		failed.message);
	if (!note || strings_add(arena, &pipeline->notes, note) < 0)
		return error_memory(err);
	log_line(LOG_LEVEL_WARNING, "%s", note);
	return 0;
}

/* Unless the file says "warn", the platform has a say. */
static bool only_warns(const struct pipeline *pipeline)
{
	return pipeline->request.requirements_warn &&
	       !(pipeline->driver.enforces &&
		 pipeline->config->policy.requirements == REQUIREMENTS_AUTO);
}

/* The planner knows the container's nodes. Missing ones are created on the host. */
static int repair_missing(struct pipeline *pipeline, struct arena *arena, struct error *err)
{
	struct strings missing;
	int r;

	if (!pipeline->config->driver.load_modules)
		return 0;
	r = plan_find_missing(&pipeline->request, &pipeline->driver, &pipeline->selection, arena,
			      &missing, err);
	return r < 0 || missing.count == 0 ? r : repair(pipeline, &missing, arena, err);
}

/*
 * No warning: on a host without displays, a container that requests all capabilities doesn't need
 * these.
 */
static void log_missing_drm(const struct pipeline *pipeline)
{
	if (!(pipeline->request.capabilities & (CAPABILITY_GRAPHICS | CAPABILITY_DISPLAY)))
		return;
	for (size_t i = 0; i < pipeline->selection.count; i++)
		if (pipeline->selection.items[i].gpu->drm_nodes.count == 0)
			log_line(
				LOG_LEVEL_INFO,
				"the container requests graphics or display, but GPU %u has no /dev/dri nodes (fix: modprobe nvidia-drm)",
				pipeline->selection.items[i].gpu->index);
}

/* GPUs that can't be opened aren't counted: then more may have to be read than first thought. */
static int read_counted(struct pipeline *pipeline, struct arena *arena, struct error *err)
{
	/* When only explaining, read all GPUs. */
	bool all = !pipeline->may_repair || pipeline->as_caller;
	int r = read_openable(pipeline, all ? NULL : &pipeline->request.devices, arena, err);

	if (r > 0 && pipeline->driver.gpus_partial)
		return read_all_again(pipeline, arena, err);
	return r < 0 ? r : 0;
}

int pipeline_choose_nvidia(struct pipeline *pipeline, struct arena *arena, struct error *err)
{
	int r = read_counted(pipeline, arena, err);

	if (r < 0)
		return r;
	pipeline->stage = PIPELINE_DRIVER;
	log_line(LOG_LEVEL_DEBUG, "driver %s: %zu GPUs%s, %zu files",
		 driver_version_text(&pipeline->driver), pipeline->driver.gpus.count,
		 pipeline->driver.gpus_partial ? " and more" : "", pipeline->driver.files.count);
	if (select_needs_nvml(&pipeline->driver, &pipeline->request.devices))
		r = pipeline_ask_nvml(pipeline, arena, err);
	if (r < 0)
		return error_wrap(err, r, "identify the requested devices");
	r = choose_devices(pipeline, arena, err);
	if (r < 0)
		return r;
	pipeline->stage = PIPELINE_SELECTION;
	log_line(LOG_LEVEL_DEBUG, "selected %zu GPUs or MIG instances", pipeline->selection.count);
	log_missing_drm(pipeline);
	r = only_warns(pipeline) ? warn_of_requirements(pipeline, arena, err)
				 : check_requirements(pipeline, arena, err);
	return r < 0 ? r : repair_missing(pipeline, arena, err);
}
