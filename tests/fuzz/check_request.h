// SPDX-License-Identifier: Apache-2.0
/* What holds for every request that was resolved, whatever the container said. */
#pragma once

#include "davit/request.h"
#include "fuzz.h"

static inline void check_unique(const struct strings *list)
{
	if (list->count > 64) /* quadratic */
		return;
	for (size_t i = 0; i < list->count; i++)
		for (size_t j = 0; j < i; j++)
			FUZZ_CHECK(strcmp(list->items[i], list->items[j]) != 0);
}

static inline void check_source(const struct gpu_request *request, const char *from,
				const struct config *config)
{
	FUZZ_CHECK(*from);
	if (!config->policy.mounts)
		FUZZ_CHECK(!string_starts(from, "mount"));
	if (config->policy.env == ACCEPT_NEVER ||
	    (config->policy.env == ACCEPT_PRIVILEGED && !request->privileged))
		FUZZ_CHECK(!string_starts(from, "env"));
	if (config->policy.annotations == ACCEPT_NEVER ||
	    (config->policy.annotations == ACCEPT_PRIVILEGED && !request->privileged))
		FUZZ_CHECK(!string_starts(from, "annotation"));
}

/* What is asked for of other vendors. */
static inline void check_wishes(const struct gpu_request *request, const struct config *config)
{
	for (size_t i = 0; i < request->wishes.count; i++) {
		const struct wish *wish = &request->wishes.items[i];

		FUZZ_CHECK(wish->vendor->table && wish->devices.count > 0);
		FUZZ_CHECK(i == 0 || wish->vendor != wish[-1].vendor);
		check_source(request, wish->from, config);
		check_unique(&wish->devices);
		for (size_t j = 0; j < wish->devices.count; j++)
			FUZZ_CHECK(wish->devices.items[j][0] &&
				   fuzz_printable(wish->devices.items[j]));
	}
}

static inline void check_devices(const struct gpu_request *request, const struct config *config)
{
	static const char *const words[] = {"all", "none", "void"};
	const struct strings *devices = &request->devices;

	FUZZ_CHECK(devices->count > 0);
	for (size_t i = 0; i < devices->count; i++)
		FUZZ_CHECK(devices->items[i][0] && devices->items[i][0] != '/' &&
			   fuzz_printable(devices->items[i]));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strings_contain(devices, words[i]))
			FUZZ_CHECK(devices->count == 1 && i < 2);
	check_unique(devices);
	check_source(request, request->from, config);
}

static inline bool check_allows(const struct gpu_request *request, enum accept policy)
{
	return policy == ACCEPT_ALWAYS || (policy == ACCEPT_PRIVILEGED && request->privileged);
}

/* Who isn't accepted brings nothing beside the GPUs that somebody else gives. */
static inline void check_widening(const struct gpu_request *request, const struct config *config)
{
	const unsigned features = config->policy.features;
	bool env = check_allows(request, config->policy.env);
	bool annotations = config->policy.annotations == ACCEPT_AS_ENV
				   ? env
				   : check_allows(request, config->policy.annotations);

	FUZZ_CHECK(!request->gds || features & FEATURE_GDS);
	FUZZ_CHECK(!request->mofed || features & FEATURE_MOFED);
	FUZZ_CHECK(!request->gdrcopy || features & FEATURE_GDRCOPY);
	FUZZ_CHECK(!request->nvswitch || features & FEATURE_NVSWITCH);
	FUZZ_CHECK(!request->imex.count || features & FEATURE_IMEX);
	if (env)
		return;
	FUZZ_CHECK(!*request->mig_config && !*request->mig_monitor);
	FUZZ_CHECK(!*request->mps_pipe_directory);
	if (annotations)
		return;
	FUZZ_CHECK(!request->gds && !request->mofed && !request->gdrcopy && !request->nvswitch);
	FUZZ_CHECK(!request->imex.count || config->policy.mounts);
	FUZZ_CHECK(!(request->capabilities_granted & ~(config->policy.image_capabilities |
						       CAPABILITY_COMPUTE | CAPABILITY_UTILITY)));
	FUZZ_CHECK(!string_starts(request->from, "annotation"));
}

static inline void check_imex(const struct gpu_request *request, const struct config *config)
{
	FUZZ_CHECK(request->imex.count == 0 || config->policy.imex);
	for (size_t i = 0; i < request->imex.count; i++) {
		const char *text = request->imex.items[i];
		uint64_t number;

		FUZZ_CHECK(parse_number(text, strlen(text), 10, 0xfffff, &number) == 0);
		FUZZ_CHECK(text[0] != '0' || !text[1]);
	}
	check_unique(&request->imex);
}

static inline void check_target(const char *path)
{
	struct slice rest = slice_from(path), part;

	if (!*path)
		return;
	FUZZ_CHECK(path[0] == '/' && path[1] && fuzz_printable(path));
	while (slice_next(&rest, '/', &part))
		FUZZ_CHECK(!slice_equal(part, ".."));
}

static inline void check_request(const struct gpu_request *request, const struct config *config)
{
	unsigned implied =
		request->capabilities_granted & CAPABILITY_VIDEO ? CAPABILITY_COMPUTE : 0;

	for (size_t i = 0; i < request->rules.count; i++)
		FUZZ_CHECK(fuzz_printable(request->rules.items[i].text));
	FUZZ_CHECK(request->gpu == (request->nvidia || request->wishes.count > 0 ||
				    request->spec_devices.count > 0));
	check_wishes(request, config);
	FUZZ_CHECK(request->spec_devices.count == 0 || *request->spec_from);
	for (size_t i = 0; i < request->spec_devices.count; i++)
		FUZZ_CHECK(fuzz_printable(request->spec_devices.items[i]) &&
			   strchr(request->spec_devices.items[i], '=') &&
			   strchr(request->spec_devices.items[i], '/'));
	check_unique(&request->spec_devices);
	if (!request->nvidia)
		return;
	check_devices(request, config);
	check_imex(request, config);
	check_widening(request, config);
	check_target(request->mps_pipe_directory);
	FUZZ_CHECK((request->capabilities_granted & ~config->policy.capabilities) == 0);
	FUZZ_CHECK(request->capabilities == (request->capabilities_granted | implied));
	FUZZ_CHECK(request->privileged || !(*request->mig_config || *request->mig_monitor));
	FUZZ_CHECK(fuzz_printable(request->mig_config) && fuzz_printable(request->mig_monitor));
	FUZZ_CHECK(request->requirements.count == 0 || !config->policy.ignore_requirements);
	for (size_t i = 0; i < request->requirements.count; i++)
		FUZZ_CHECK(fuzz_printable(request->requirements.items[i].name) &&
			   fuzz_printable(request->requirements.items[i].value));
}

/* A failure has one of the codes that its header names. */
static inline void check_request_error(int r, const struct error *err)
{
	fuzz_check_error(r, err);
	FUZZ_CHECK((r == -EINVAL && err->code == ERROR_BAD_REQUEST) ||
		   (r == -EPERM && err->code == ERROR_REFUSED) ||
		   (r == -ENODEV && err->code == ERROR_UNKNOWN_DEVICE));
}
