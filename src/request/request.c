// SPDX-License-Identifier: Apache-2.0
#include <linux/capability.h>
#include <stdio.h>

#include "resolver.h"

/* The sentence, in the arena and among the rules; NULL without memory. */
static const char *add_rule(struct resolver *r, enum request_rule_kind kind, const char *format,
			    va_list args)
{
	struct request_rule *rule;
	char text[512];
	const char *copy;

	(void)vsnprintf(text, sizeof(text), format, args);
	string_printable(text);
	copy = arena_strdup(r->arena, text);
	rule = copy ? ARENA_PUSH(r->arena, &r->request->rules) : NULL;
	if (!rule)
		return NULL;
	*rule = (struct request_rule){kind, copy};
	return copy;
}

int resolver_rule(struct resolver *r, enum request_rule_kind kind, const char *format, ...)
{
	const char *rule;
	va_list args;

	va_start(args, format);
	rule = add_rule(r, kind, format, args);
	va_end(args);
	return rule ? 0 : error_memory(r->err);
}

int resolver_warn(struct resolver *r, const char *format, ...)
{
	const char *rule;
	va_list args;

	va_start(args, format);
	rule = add_rule(r, RULE_IGNORED, format, args);
	va_end(args);
	return !rule || strings_add(r->arena, &r->request->warnings, rule) < 0
		       ? error_memory(r->err)
		       : 0;
}

const char *resolver_not_privileged(const struct resolver *r)
{
	return r->spec->user_namespace && r->spec->bounding >> CAP_SYS_ADMIN & 1
		       ? "the container's CAP_SYS_ADMIN is valid only in its own user namespace"
		       : "the container has no CAP_SYS_ADMIN";
}

static bool allows(const struct resolver *r, enum accept policy)
{
	return policy == ACCEPT_ALWAYS || (policy == ACCEPT_PRIVILEGED && r->request->privileged);
}

static bool accepts(struct resolver *r, enum accept policy, const char *key, const char *what)
{
	if (allows(r, policy))
		return true;
	/* The sentence is for people: without memory for it the answer stays the same. */
	(void)resolver_rule(r, RULE_POLICY, "%s is ignored: policy.%s is %s%s", what, key,
			    policy == ACCEPT_NEVER ? "never" : "privileged, and ",
			    policy == ACCEPT_NEVER ? "" : resolver_not_privileged(r));
	return false;
}

bool resolver_trusts_env(const struct resolver *r)
{
	return allows(r, r->config->policy.env);
}

bool resolver_accepts_env(struct resolver *r, const char *what)
{
	return accepts(r, r->config->policy.env, "accept-env", what);
}

/* With some engines they are anybody's who may start a container, as the environment is. */
bool resolver_accepts_annotation(struct resolver *r, const char *what)
{
	if (r->config->policy.annotations == ACCEPT_AS_ENV)
		return accepts(r, r->config->policy.env,
			       "accept-annotations is as-env, and policy.accept-env", what);
	return accepts(r, r->config->policy.annotations, "accept-annotations", what);
}

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

/* The image widens what it gets by this: it counts where its environment does. */
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
