// SPDX-License-Identifier: Apache-2.0
/* config.json of a bundle, and what its container asks for. */
#include "check_request.h"

static void resolve(const struct oci_spec *spec, bool wide)
{
	AUTO_ARENA arena = {0};
	struct error err = FUZZ_ERROR;
	struct gpu_request request;
	struct config config;
	int r;

	FUZZ_CHECK(config_defaults(&arena, &config) == 0);
	if (wide) {
		config.policy.mounts = true;
	} else {
		config.policy.env = ACCEPT_PRIVILEGED; /* and annotations with it */
		config.policy.features = FEATURE_GDS;
		config.policy.imex = false;
		config.policy.capabilities = CAPABILITY_UTILITY;
	}
	r = gpu_request_resolve(spec, &config, &arena, &request, &err);
	if (r < 0)
		check_request_error(r, &err);
	else
		check_request(&request, &config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_ARENA arena = {0};
	struct error err = FUZZ_ERROR;
	struct oci_spec spec;
	const char *rootfs;
	int r = oci_spec_parse((const char *)data, size, &arena, &spec, &err);

	if (r < 0) {
		fuzz_check_error(r, &err);
		FUZZ_CHECK(err.code == ERROR_BAD_BUNDLE);
		return 0;
	}
	FUZZ_CHECK(spec.version && spec.root_path[0] && spec.cgroups_path);
	for (size_t i = 0; i < spec.mounts.count; i++)
		FUZZ_CHECK(spec.mounts.items[i].destination && spec.mounts.items[i].source &&
			   spec.mounts.items[i].type);
	for (size_t i = 0; i < spec.annotations.count; i++)
		FUZZ_CHECK(spec.annotations.items[i].name && spec.annotations.items[i].value);
	rootfs = oci_spec_rootfs(&spec, "/bundle", &arena);
	FUZZ_CHECK(rootfs && rootfs[0] == '/');
	resolve(&spec, true);
	resolve(&spec, false);
	return 0;
}
