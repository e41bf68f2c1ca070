// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>

#include "davit/pipeline.h"
#include "notes.h"

void pipeline_close(struct pipeline *pipeline)
{
	driver_close(&pipeline->driver);
	driver_roots_close(&pipeline->roots);
}

/*
 * The bundle is the runtime's, not the image's: its config.json is opened as any file of the host.
 */
int pipeline_read_file(struct pipeline *pipeline, const struct config *config, const char *bundle,
		       const char *path, struct arena *arena, struct error *err)
{
	int r = file_load(path, 0, OCI_CONFIG_MAX, arena, &pipeline->text, &pipeline->text_length);

	if (r < 0)
		return error_read(err, ERROR_BAD_BUNDLE, -r,
				  "name the directory of an OCI bundle that davit can read", "%s",
				  path);
	pipeline->config = config;
	pipeline->bundle = bundle;
	return 0;
}

int pipeline_read(struct pipeline *pipeline, const struct config *config, const char *bundle,
		  struct arena *arena, struct error *err)
{
	const char *path = arena_printf(arena, "%s/config.json", bundle);

	return path ? pipeline_read_file(pipeline, config, bundle, path, arena, err)
		    : error_memory(err);
}

/* Whatever else it still asks with: the GPUs are in config.json itself. */
static int written_already(struct pipeline *pipeline, struct arena *arena, struct error *err)
{
	struct request_rule *rule;

	pipeline->request = (struct gpu_request){
		.from = "", .mig_config = "", .mig_monitor = "", .mps_pipe_directory = ""};
	pipeline->stage = PIPELINE_REQUEST;
	rule = ARENA_PUSH(arena, &pipeline->request.rules);
	if (!rule)
		return error_memory(err);
	*rule = (struct request_rule){
		RULE_APPLIED,
		"davit-runtime has already written this container's devices into config.json"};
	return 0;
}

static void log_request(const struct gpu_request *request, struct arena *arena)
{
	const char *sources;

	if (!log_enabled(LOG_LEVEL_DEBUG))
		return;
	sources = gpu_request_sources(request, arena);
	log_line(LOG_LEVEL_DEBUG, "%s requests GPUs: %zu items, the first %.64s",
		 sources ? sources : "", request->devices.count,
		 request->devices.count ? request->devices.items[0] : "none");
	for (size_t i = 0; i < request->wishes.count; i++)
		log_line(LOG_LEVEL_DEBUG, "%s GPUs are requested by %s: %zu items, the first %.64s",
			 request->wishes.items[i].vendor->title, request->wishes.items[i].from,
			 request->wishes.items[i].devices.count,
			 request->wishes.items[i].devices.items[0]);
}

int pipeline_request(struct pipeline *pipeline, struct arena *arena, struct error *err)
{
	int r = oci_spec_parse(pipeline->text, pipeline->text_length, arena, &pipeline->spec, err);

	if (r < 0) {
		if (!err->fix[0])
			error_fix(err, r, "compare it with the output of `runc spec`");
		return error_wrap(err, r, "use %s/config.json", pipeline->bundle);
	}
	if (!pipeline->rootfs)
		pipeline->rootfs = oci_spec_rootfs(&pipeline->spec, pipeline->bundle, arena);
	if (!pipeline->rootfs)
		return error_memory(err);
	pipeline->stage = PIPELINE_SPEC;
	if (pipeline->spec.written)
		return written_already(pipeline, arena, err);
	r = (pipeline->for_runtime ? gpu_request_resolve_for_runtime : gpu_request_resolve)(
		&pipeline->spec, pipeline->config, arena, &pipeline->request, err);
	pipeline->stage = PIPELINE_REQUEST;
	for (size_t i = 0; i < pipeline->request.warnings.count; i++)
		log_line(LOG_LEVEL_WARNING, "%s", pipeline->request.warnings.items[i]);
	if (r == 0 && pipeline->request.gpu)
		log_request(&pipeline->request, arena);
	else if (r == 0)
		log_line(LOG_LEVEL_DEBUG, "the container requests no GPU");
	return r;
}

static int read_inventory(struct pipeline *pipeline, const struct strings *devices,
			  struct arena *arena, struct error *err)
{
	const struct driver_wanted wanted = {
		.capabilities = pipeline->request.capabilities,
		.devices = devices,
		.every_list = pipeline->request.every_list,
	};

	return driver_read(&pipeline->roots, pipeline->config, &wanted, arena, &pipeline->driver,
			   err);
}

static int load_and_read(struct pipeline *pipeline, const struct strings *devices,
			 struct arena *arena, struct error *err)
{
	int loaded, r = read_inventory(pipeline, devices, arena, err);

	if (r != -ENODEV || !pipeline->may_repair || !pipeline->config->driver.load_modules ||
	    !pipeline->driver.repairable)
		return r;
	loaded = driver_load(&pipeline->roots, arena, err);
	if (loaded < 0)
		return loaded == -EALREADY ? r : loaded;
	return read_inventory(pipeline, devices, arena, err);
}

static int read_families(struct pipeline *pipeline, struct arena *arena, struct error *err)
{
	const struct gpu_request *request = &pipeline->request;
	unsigned families = (request->gds ? FAMILY_GDS : 0) | (request->mofed ? FAMILY_MOFED : 0) |
			    (request->gdrcopy ? FAMILY_GDRCOPY : 0) |
			    (request->nvswitch ? FAMILY_NVSWITCH : 0) |
			    (request->imex.count ? FAMILY_IMEX : 0) |
			    (request->mig_config[0] ? FAMILY_MIG_CONFIG : 0) |
			    (request->mig_monitor[0] ? FAMILY_MIG_MONITOR : 0);

	if (!families)
		return 0;
	return driver_read_families(&pipeline->roots, families, &request->imex, arena,
				    &pipeline->driver, err);
}

static int read_driver(struct pipeline *pipeline, const struct strings *devices,
		       struct arena *arena, struct error *err)
{
	int r = load_and_read(pipeline, devices, arena, err);

	return r < 0 ? r : read_families(pipeline, arena, err);
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

	/* It tells of all GPUs, and none that /proc doesn't have is believed. */
	if (pipeline->driver.gpus_partial) {
		driver_close(&pipeline->driver);
		r = read_driver(pipeline, NULL, arena, err);
		if (r == 0)
			r = driver_count_openable(&pipeline->roots, pipeline->config,
						  pipeline->as_caller, arena, &pipeline->driver,
						  err);
		r = r > 0 ? 0 : r;
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
 * With what NVML told: all requirements have to hold for each selected GPU, since the container may
 * use any of them.
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

/* The words of a remedy for where the devices were asked for. */
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
	/* Again, with the place that the user knows: it is looked for in a failure alone. */
	place = find_place(pipeline, arena);
	return place ? select_devices(&pipeline->driver, devices, place, arena,
				      &pipeline->selection, err)
		     : error_memory(err);
}

/* Facts are looked up only when the answer depends on them: most images are content with a version.
 */
static int check_requirements(struct pipeline *pipeline, struct arena *arena, struct error *err)
{
	struct requirement_facts facts = {
		.driver = pipeline->driver.version,
		.no_device = pipeline->selection.count == 0,
	};
	unsigned missing;
	int r = requirements_check(&pipeline->request, &facts, arena, &missing, err);

	if (r == 0 && (missing & REQUIRE_CUDA)) {
		pipeline->driver.cuda_version = driver_cuda_version(
			&pipeline->roots, pipeline->config, &pipeline->driver, arena);
		facts.cuda = pipeline->driver.cuda_version;
		if (facts.cuda)
			r = requirements_check(&pipeline->request, &facts, arena, &missing, err);
	}
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
	/* No note has told the CUDA version, or nothing has asked for it. */
	facts.cuda = pipeline->driver.cuda_version;
	return check_each_gpu(pipeline, &facts, arena, err);
}

/*
 * Where what doesn't hold is but a warning, nothing is asked of NVML for it: that takes longer than
 * all the rest.
 */
static int warn_of_requirements(struct pipeline *pipeline, struct arena *arena, struct error *err)
{
	struct requirement_facts facts = {
		.driver = pipeline->driver.version,
		.no_device = pipeline->selection.count == 0,
	};
	struct error failed = {0};
	const char *note;
	unsigned missing = 0;
	int r = requirements_check(&pipeline->request, &facts, arena, &missing, &failed);

	if (r == 0 && (missing & REQUIRE_CUDA)) {
		pipeline->driver.cuda_version = driver_cuda_version(
			&pipeline->roots, pipeline->config, &pipeline->driver, arena);
		facts.cuda = pipeline->driver.cuda_version;
		if (facts.cuda)
			r = requirements_check(&pipeline->request, &facts, arena, &missing,
					       &failed);
	}
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

/* The planner knows which nodes the container takes: what the host lacks of them is made. */
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

/* Not worth a warning: who asks for all capabilities on a host without displays misses nothing. */
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
	/* Who only explains shows what else there is. */
	bool all = !pipeline->may_repair || pipeline->as_caller;
	int r = read_driver(pipeline, all ? NULL : &pipeline->request.devices, arena, err);

	if (r == 0)
		r = driver_count_openable(&pipeline->roots, pipeline->config, pipeline->as_caller,
					  arena, &pipeline->driver, err);
	if (r <= 0 || !pipeline->driver.gpus_partial)
		return r < 0 ? r : 0;
	driver_close(&pipeline->driver);
	r = read_driver(pipeline, NULL, arena, err);
	if (r == 0)
		r = driver_count_openable(&pipeline->roots, pipeline->config, pipeline->as_caller,
					  arena, &pipeline->driver, err);
	return r < 0 ? r : 0;
}

static int take_nvidia(struct pipeline *pipeline, struct arena *arena, struct error *err)
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

static int take_choice(struct pipeline *pipeline, const struct wish *wish, struct arena *arena,
		       struct error *err)
{
	struct choice *choice = ARENA_PUSH(arena, &pipeline->choices);
	int r;

	if (!choice)
		return error_memory(err);
	choice->vendor = wish->vendor;
	choice->from = wish->from;
	r = accelerators_read(wish->vendor, &pipeline->roots, !pipeline->may_repair, arena,
			      &choice->all, err);
	if (r == 0)
		r = accelerators_choose(&wish->devices, &pipeline->config->policy.exclude_from_all,
					arena, choice, err);
	if (r == 0)
		r = accelerators_find_nodes(choice, &pipeline->roots, arena, err);
	if (r < 0)
		return r;
	log_line(LOG_LEVEL_DEBUG, "%s: selected %zu of %zu GPUs", wish->vendor->title,
		 choice->count, choice->all.count);
	return note_choice(pipeline, choice, arena, err);
}

int pipeline_driver(struct pipeline *pipeline, struct arena *arena, struct error *err)
{
	const struct gpu_request *request = &pipeline->request;
	int r = request->nvidia ? driver_roots_open(pipeline->config, &pipeline->roots, err)
				: driver_roots_open_host(pipeline->config, &pipeline->roots, err);

	if (r == 0 && request->nvidia)
		r = take_nvidia(pipeline, arena, err);
	for (size_t i = 0; r == 0 && i < request->wishes.count; i++)
		r = take_choice(pipeline, &request->wishes.items[i], arena, err);
	if (r == 0 && request->spec_devices.count)
		r = cdi_resolve(driver_root_of(&pipeline->roots, TREE_HOST),
				&pipeline->config->cdi.spec_dirs, &request->spec_devices, arena,
				&pipeline->cdi, err);
	if (r == 0)
		pipeline->stage = PIPELINE_SELECTION;
	return r;
}

/* To the directories that the libraries keep. */
static int lead_musl(struct pipeline *pipeline, const struct root *root, struct arena *arena,
		     struct error *err)
{
	const char *folders = driver_list_folders(&pipeline->driver, arena);
	int r = folders ? image_lead_musl(&pipeline->image, folders, root, arena) : -ENOMEM;

	return r < 0 ? error_errno(err, -r, "read the image's path file for musl") : 0;
}

/* The host's own root ("/") is looked at for its kind alone; of a container, its volumes count. */
static int inspect_image(struct pipeline *pipeline, const struct root *root, struct arena *arena,
			 struct error *err)
{
	const struct oci_spec *spec = pipeline->bundle ? &pipeline->spec : NULL;
	int r = image_inspect(root, arena, &pipeline->image, err);

	if (r < 0 || (!spec && strcmp(root->path, "/") == 0))
		return r;
	if (pipeline->image.loader == IMAGE_LOADER_MUSL && driver_has_folders(&pipeline->driver))
		return lead_musl(pipeline, root, arena, err);
	return image_place_libraries(root, spec ? &spec->mounts : NULL,
				     spec && spec->shared_propagation, arena, &pipeline->image,
				     err);
}

/* The image's newer libraries that are for this platform. */
static int find_compat(struct pipeline *pipeline, const struct root *root, struct arena *arena,
		       struct error *err)
{
	const struct driver *driver = &pipeline->driver;
	const struct compat_host host = {
		.dir = driver->compat_dir,
		.driver = driver->compat_by_cuda ? NULL : driver->version,
		.cuda = driver->compat_by_cuda
				? driver_cuda_version(&pipeline->roots, pipeline->config, driver,
						      arena)
				: NULL,
	};

	return image_find_compat_for(root, &host, arena, &pipeline->image, err);
}

/* Whether libraries may lie where the image's ldconfig doesn't look by itself. */
static bool may_need_loader_conf(const struct pipeline *pipeline)
{
	const struct image *image = &pipeline->image;

	return image->loader == IMAGE_LOADER_GLIBC &&
	       (image->lib_dir_moved || image->compat_used || image->vdpau || image->vdpau_32 ||
		driver_has_folders(&pipeline->driver) ||
		pipeline->request.capabilities & CAPABILITY_COMPAT32);
}

int pipeline_plan(struct pipeline *pipeline, const struct root *root, struct arena *arena,
		  struct error *err)
{
	bool nvidia = pipeline->request.nvidia;
	int r = nvidia ? inspect_image(pipeline, root, arena, err) : 0;

	if (r == 0 && nvidia && pipeline->config->cuda_compat && pipeline->driver.compat_dir &&
	    (pipeline->request.capabilities & CAPABILITY_COMPUTE))
		r = find_compat(pipeline, root, arena, err);
	if (r == 0 && nvidia && (pipeline->request.capabilities & CAPABILITY_VIDEO))
		image_find_vdpau(root, &pipeline->image);
	if (r == 0 && may_need_loader_conf(pipeline))
		image_find_loader_conf(root, &pipeline->image);
	if (r == 0)
		r = plan_make(&pipeline->request, nvidia ? &pipeline->driver : NULL,
			      &pipeline->selection, &pipeline->choices, &pipeline->image, arena,
			      &pipeline->plan, err);
	if (r == 0 && pipeline->request.spec_devices.count && !pipeline->writes_spec)
		r = cdi_check_for_hook(&pipeline->cdi, &pipeline->spec.user, err);
	if (r == 0 && pipeline->request.spec_devices.count)
		r = cdi_plan(&pipeline->cdi, arena, &pipeline->plan, err);
	if (r < 0)
		return r;
	pipeline->stage = PIPELINE_PLAN;
	log_line(LOG_LEVEL_DEBUG, "planned %zu operations", pipeline->plan.count);
	return 0;
}
