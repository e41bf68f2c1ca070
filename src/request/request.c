// SPDX-License-Identifier: Apache-2.0
#include "resolver.h"

static int explain_environment(struct resolver *r)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < r->env.near_misses.count; i++)
		result = resolver_rule(r, RULE_MISSPELT, "%s", r->env.near_misses.items[i]);
	if (result == 0 && r->env.malformed > 0)
		result = resolver_rule(
			r, RULE_IGNORED,
			"entries of process.env that are not NAME=value are ignored: %zu",
			r->env.malformed);
	return result;
}

/* With all lists, an image gets more, so this requires that its environment is accepted. */
static int lists_resolve(struct resolver *r)
{
	if (!string_equal(r->env.jetpack, "csv-mounts=all"))
		return 0;
	if (!r->config->policy.csv_mounts)
		return resolver_rule(r, RULE_POLICY,
				     "NVIDIA_REQUIRE_JETPACK is ignored: policy.csv-mounts is "
				     "false");
	r->request->every_list = resolver_accepts_env(r, "NVIDIA_REQUIRE_JETPACK");
	return 0;
}

static int resolve(struct resolver *r)
{
	struct mount_requests mounts;
	struct gpu_request *request = r->request;
	int result;

	*request = (struct gpu_request){.from = "",
					.spec_from = "",
					.disable_require_hint = "",
					.mig_config = "",
					.mig_monitor = "",
					.mps_pipe_directory = "",
					.privileged = oci_spec_privileged(r->spec)};
	result = environment_read(r);
	if (result == 0)
		result = explain_environment(r);
	if (result == 0)
		result = annotations_check(r);
	if (result == 0)
		result = mount_requests_read(r, &mounts);
	if (result == 0)
		result = wishes_resolve(r, &mounts);
	if (result == 0)
		result = devices_resolve(r, &mounts);
	if (result < 0 || !request->nvidia)
		return result;
	result = lists_resolve(r);
	if (result == 0)
		result = mig_resolve(r);
	if (result == 0)
		result = capabilities_resolve(r);
	if (result == 0 && request->management)
		result = management_resolve(r);
	if (result == 0)
		result = requirements_resolve(r);
	if (result == 0)
		result = imex_resolve(r, &mounts);
	return result < 0 ? result : features_resolve(r);
}

int gpu_request_resolve(const struct oci_spec *spec, const struct config *config,
			struct arena *arena, struct gpu_request *ret, struct error *err)
{
	struct resolver r = {
		.spec = spec, .config = config, .arena = arena, .request = ret, .err = err};

	return resolve(&r);
}

int gpu_request_resolve_for_runtime(const struct oci_spec *spec, const struct config *config,
				    struct arena *arena, struct gpu_request *ret, struct error *err)
{
	struct resolver r = {.spec = spec,
			     .config = config,
			     .arena = arena,
			     .request = ret,
			     .err = err,
			     .for_runtime = true};

	return resolve(&r);
}

const char *gpu_request_sources(const struct gpu_request *request, struct arena *arena)
{
	struct strings sources = {0};

	if (request->from && *request->from && strings_add(arena, &sources, request->from) < 0)
		return NULL;
	if (request->spec_from && *request->spec_from &&
	    !strings_contain(&sources, request->spec_from) &&
	    strings_add(arena, &sources, request->spec_from) < 0)
		return NULL;
	for (size_t i = 0; i < request->wishes.count; i++)
		if (!strings_contain(&sources, request->wishes.items[i].from) &&
		    strings_add(arena, &sources, request->wishes.items[i].from) < 0)
			return NULL;
	return strings_join(arena, &sources, ", ");
}

const char *gpu_request_devices(const struct gpu_request *request, struct arena *arena)
{
	struct strings devices = {0};

	for (size_t i = 0; i < request->devices.count; i++)
		if (strings_add(arena, &devices, request->devices.items[i]) < 0)
			return NULL;
	for (size_t i = 0; i < request->spec_devices.count; i++)
		if (strings_add(arena, &devices, request->spec_devices.items[i]) < 0)
			return NULL;
	for (size_t i = 0; i < request->wishes.count; i++)
		for (size_t j = 0; j < request->wishes.items[i].devices.count; j++) {
			const struct wish *wish = &request->wishes.items[i];
			const char *name = arena_printf(arena, "%s=%s", wish->vendor->kind,
							wish->devices.items[j]);

			if (!name || strings_add(arena, &devices, name) < 0)
				return NULL;
		}
	return strings_join(arena, &devices, ",");
}
