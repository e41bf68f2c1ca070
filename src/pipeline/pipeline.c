// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>

#include "davit/pipeline.h"

void pipeline_close(struct pipeline *pipeline)
{
	driver_close(&pipeline->driver);
	driver_roots_close(&pipeline->roots);
}

/* The bundle is the runtime's, not the image's: its config.json is opened as any file of the host.
 */
static int read_config_json(const char *bundle, struct arena *arena, char **ret, size_t *ret_length,
			    struct error *err)
{
	struct root root;
	int r = root_open(bundle, &root, err);

	if (r < 0) {
		err->code = ERROR_BAD_BUNDLE;
		return error_fix(err, r, "give the directory that holds config.json");
	}
	r = root_read(&root, "config.json", OCI_CONFIG_MAX, arena, ret, ret_length);
	root_close(&root);
	if (r < 0)
		return error_set(err, ERROR_BAD_BUNDLE, -r,
				 "give the directory of an OCI bundle, readable by the hook",
				 "read %s/config.json: %s", bundle,
				 r == -EINVAL ? "it is no regular file" : strerror(-r));
	return 0;
}

int pipeline_request(struct pipeline *pipeline, const struct config *config, const char *bundle,
		     struct arena *arena, struct error *err)
{
	size_t length;
	char *text;
	int r = read_config_json(bundle, arena, &text, &length, err);

	if (r < 0)
		return r;
	r = oci_spec_parse(text, length, arena, &pipeline->spec, err);
	if (r < 0)
		return error_wrap(err, r, "use %s/config.json", bundle);
	pipeline->config = config;
	pipeline->bundle = bundle;
	pipeline->rootfs = oci_spec_rootfs(&pipeline->spec, bundle, arena);
	if (!pipeline->rootfs)
		return error_memory(err);
	pipeline->stage = PIPELINE_SPEC;
	r = gpu_request_resolve(&pipeline->spec, config, arena, &pipeline->request, err);
	pipeline->stage = PIPELINE_REQUEST;
	return r;
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
	return error_set(err, ERROR_UNSATISFIED, EPERM, "set NVIDIA_DISABLE_REQUIRE=1",
			 "decide the image's requirements: they ask for the %s, which can't be "
			 "read without opening a GPU",
			 missing & REQUIRE_CUDA   ? "CUDA version"
			 : missing & REQUIRE_ARCH ? "GPUs' compute capability"
						  : "GPUs' brand");
}

int pipeline_plan(struct pipeline *pipeline, const struct root *root, struct arena *arena,
		  struct error *err)
{
	const struct config *config = pipeline->config;
	int r = driver_roots_open(config, &pipeline->roots, err);

	if (r == 0)
		r = driver_read(&pipeline->roots, config, pipeline->request.capabilities, arena,
				&pipeline->driver, err);
	if (r < 0)
		return r;
	pipeline->stage = PIPELINE_DRIVER;
	r = driver_select(&pipeline->driver, &pipeline->request.devices, arena,
			  &pipeline->selection, err);
	if (r < 0)
		return r;
	pipeline->stage = PIPELINE_SELECTION;
	r = check_requirements(pipeline, arena, err);
	if (r == 0)
		r = image_inspect(root, arena, &pipeline->image, err);
	if (r == 0 && config->cuda_compat && (pipeline->request.capabilities & CAPABILITY_COMPUTE))
		r = image_find_compat(root, pipeline->driver.version, arena, &pipeline->image, err);
	if (r == 0)
		r = plan_make(&pipeline->request, &pipeline->driver, &pipeline->selection,
			      &pipeline->image, arena, &pipeline->plan, err);
	if (r == 0)
		pipeline->stage = PIPELINE_PLAN;
	return r;
}
