// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/pipeline.h"
#include "notes.h"
#include "nvidia.h"

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

/* Other sources of a request are ignored, because config.json already contains the GPUs. */
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

/* "0", "0 and 3 more", "none": a list may have thousands of items. */
static const char *first_of(const struct strings *list, struct arena *arena)
{
	const char *text = "none";

	if (list->count == 1)
		text = arena_printf(arena, "%.64s", list->items[0]);
	else if (list->count)
		text = arena_printf(arena, "%.64s and %zu more", list->items[0], list->count - 1);
	return text ? text : "";
}

static void log_request(const struct gpu_request *request, struct arena *arena)
{
	const char *sources;

	if (!log_enabled(LOG_LEVEL_DEBUG))
		return;
	sources = gpu_request_sources(request, arena);
	log_line(LOG_LEVEL_DEBUG, "%s requests GPUs: %s", sources ? sources : "",
		 first_of(&request->devices, arena));
	for (size_t i = 0; i < request->wishes.count; i++)
		log_line(LOG_LEVEL_DEBUG, "%s requests %s GPUs: %s", request->wishes.items[i].from,
			 request->wishes.items[i].vendor->title,
			 first_of(&request->wishes.items[i].devices, arena));
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
	if (r < 0 && pipeline->request.capability_refused && pipeline->capabilities_place)
		return error_fix(
			err, r,
			"request fewer capabilities with %s, or add it to policy.capabilities",
			pipeline->capabilities_place);
	return r;
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
		r = pipeline_choose_nvidia(pipeline, arena, err);
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

/*
 * Of the host's own root ("/"), only the kind of loader matters; for a container, its volumes
 * count.
 */
static int inspect_image(struct pipeline *pipeline, const struct root *root, struct arena *arena,
			 struct error *err)
{
	const struct oci_spec *spec = pipeline->bundle ? &pipeline->spec : NULL;
	int r = image_inspect(root, arena, &pipeline->image, err);

	if (r < 0 || (!spec && strcmp(root->path, "/") == 0))
		return r;
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

int pipeline_plan(struct pipeline *pipeline, const struct root *root, struct arena *arena,
		  struct error *err)
{
	bool nvidia = pipeline->request.nvidia;
	bool known = nvidia && root->fd >= 0;
	int r = known ? inspect_image(pipeline, root, arena, err) : 0;

	if (nvidia && !known)
		image_assume(&pipeline->image);
	if (r == 0 && known && pipeline->config->cuda_compat && pipeline->driver.compat_dir &&
	    (pipeline->request.capabilities & CAPABILITY_COMPUTE))
		r = find_compat(pipeline, root, arena, err);
	if (r == 0 && known && (pipeline->request.capabilities & CAPABILITY_VIDEO))
		image_find_vdpau(root, &pipeline->image);
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
