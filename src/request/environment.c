// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "resolver.h"

#define REQUIRE_PREFIX "NVIDIA_REQUIRE_"
/* Names compared for near misses: enough for any real image, bounded for the others. */
#define NEAR_MISSES_MAX 16

static const char *const names[VARIABLE_COUNT] = {
	[VARIABLE_CUDA_VERSION] = "CUDA_VERSION",
	[VARIABLE_MPS_PIPE_DIRECTORY] = "CUDA_MPS_PIPE_DIRECTORY",
	[VARIABLE_DISABLE_REQUIRE] = "NVIDIA_DISABLE_REQUIRE",
	[VARIABLE_DRIVER_CAPABILITIES] = "NVIDIA_DRIVER_CAPABILITIES",
	[VARIABLE_GDRCOPY] = "NVIDIA_GDRCOPY",
	[VARIABLE_GDS] = "NVIDIA_GDS",
	[VARIABLE_IMEX_CHANNELS] = "NVIDIA_IMEX_CHANNELS",
	[VARIABLE_MIG_CONFIG] = "NVIDIA_MIG_CONFIG_DEVICES",
	[VARIABLE_MIG_MONITOR] = "NVIDIA_MIG_MONITOR_DEVICES",
	[VARIABLE_MOFED] = "NVIDIA_MOFED",
	[VARIABLE_NVSWITCH] = "NVIDIA_NVSWITCH",
};

const char *environment_name(enum variable variable)
{
	return names[variable];
}

/* Notes "NVIDIA_VISIBLE_DEVICE is not read": a variable that looks like a typing error. */
static int note_near_miss(struct resolver *r, struct slice name, size_t *compared)
{
	const char *candidates[VARIABLE_COUNT + 2], *nearest, *text;

	/* Short names (NVIDIA_GPU) resemble too many others, and longer ones none. */
	if (name.length < strlen("NVIDIA_GDRCOPY") || name.length > 40 ||
	    *compared == NEAR_MISSES_MAX)
		return 0;
	++*compared;
	memcpy(candidates, names, sizeof(names));
	candidates[VARIABLE_COUNT] = "NVIDIA_VISIBLE_DEVICES";
	candidates[VARIABLE_COUNT + 1] = "NVIDIA_REQUIRE_CUDA";
	text = arena_strndup(r->arena, name.data, name.length);
	if (!text)
		return error_memory(r->err);
	nearest = string_nearest(text, candidates, ARRAY_SIZE(candidates));
	if (!nearest)
		return 0;
	text = arena_printf(r->arena, "%s is not read; did you mean %s?", text, nearest);
	if (!text || strings_add(r->arena, &r->env.near_misses, text) < 0)
		return error_memory(r->err);
	if (strcmp(nearest, names[VARIABLE_DISABLE_REQUIRE]) == 0) {
		r->request->disable_require_hint =
			arena_printf(r->arena, "%.*s is not read", (int)name.length, name.data);
		if (!r->request->disable_require_hint)
			return error_memory(r->err);
	}
	return 0;
}

static int add_requirement(struct resolver *r, struct slice name, const char *value)
{
	struct oci_pair *pair;

	if (slice_equal(name, REQUIRE_PREFIX "JETPACK"))
		r->env.jetpack = value;
	if (slice_starts(name, REQUIRE_PREFIX "JETPACK"))
		return 0;
	if (slice_equal(name, REQUIRE_PREFIX "CUDA"))
		r->env.require_cuda = value;
	pair = ARENA_PUSH(r->arena, &r->env.requirements);
	if (!pair)
		return error_memory(r->err);
	pair->name = arena_strndup(r->arena, name.data, name.length);
	pair->value = value;
	return pair->name ? 0 : error_memory(r->err);
}

/* Whether it is a variable of policy.env-names. If it is repeated, the last value is used. */
static bool set_devices(struct resolver *r, struct slice name, const char *value)
{
	const struct strings *wanted = &r->config->policy.env_names;
	bool found = false;

	for (size_t i = 0; i < wanted->count; i++)
		if (slice_equal(name, wanted->items[i])) {
			r->env.devices[i] = value;
			found = true;
		}
	return found;
}

/* The same for the variables of other vendors. */
static bool set_others(struct resolver *r, struct slice name, const char *value)
{
	bool found = false;

	for (size_t i = 0; i < r->env.others_count; i++) {
		struct vendor_variable *variable = &r->env.others[i];

		if (variable->name[0] != name.data[0] || !slice_equal(name, variable->name))
			continue;
		variable->value = value;
		found = r->env.others_set = true;
	}
	return found;
}

static int read_entry(struct resolver *r, const char *entry, size_t *compared)
{
	const char *equals = strchr(entry, '=');
	struct slice name;

	if (!equals || equals == entry) {
		r->env.malformed++;
		return 0;
	}
	name = (struct slice){entry, (size_t)(equals - entry)};
	if (set_devices(r, name, equals + 1) || set_others(r, name, equals + 1))
		return 0;
	if (!slice_starts(name, "NVIDIA_") && !slice_starts(name, "CUDA_"))
		return 0;
	if (slice_starts(name, REQUIRE_PREFIX))
		return add_requirement(r, name, equals + 1);
	for (size_t i = 0; i < VARIABLE_COUNT; i++)
		if (slice_equal(name, names[i])) {
			r->env.values[i] = equals + 1;
			return 0;
		}
	return slice_starts(name, "NVIDIA_") ? note_near_miss(r, name, compared) : 0;
}

int environment_read(struct resolver *r)
{
	const char *version;
	size_t compared = 0;
	int result = 0;

	r->env = (struct environment){0};
	r->env.devices = arena_alloc(r->arena, (r->config->policy.env_names.count + 1) *
						       sizeof(*r->env.devices));
	if (!r->env.devices)
		return error_memory(r->err);
	result = wishes_list_variables(r);
	for (size_t i = 0; result == 0 && i < r->spec->env.count; i++)
		result = read_entry(r, r->spec->env.items[i], &compared);
	version = r->env.values[VARIABLE_CUDA_VERSION];
	r->request->legacy = version && *version && (!r->env.require_cuda || !*r->env.require_cuda);
	return result;
}
