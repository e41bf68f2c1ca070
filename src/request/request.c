// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "resolver.h"

int resolver_rule(struct resolver *r, const char *format, ...)
{
	char text[512];
	const char *copy;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	string_printable(text);
	copy = arena_strdup(r->arena, text);
	if (!copy || strings_add(r->arena, &r->request->rules, copy) < 0)
		return error_memory(r->err);
	return 0;
}

bool resolver_accepts(struct resolver *r, enum accept policy, const char *key, const char *what)
{
	if (policy == ACCEPT_ALWAYS || (policy == ACCEPT_PRIVILEGED && r->request->privileged))
		return true;
	/* The sentence is for people: without memory for it the answer stays the same. */
	(void)resolver_rule(r, "%s is ignored: policy.%s is %s", what, key,
			    policy == ACCEPT_NEVER ? "never"
			    : r->spec->user_namespace
				    ? "privileged, and the container is in a user namespace"
				    : "privileged, and the container has no CAP_SYS_ADMIN");
	return false;
}

static int explain_environment(struct resolver *r)
{
	int result = 0;

	for (size_t i = 0; result == 0 && i < r->env.near_misses.count; i++)
		result = resolver_rule(r, "%s", r->env.near_misses.items[i]);
	if (result == 0 && r->env.malformed > 0)
		result = resolver_rule(
			r, "entries of process.env that are not NAME=value are passed over: %zu",
			r->env.malformed);
	return result;
}

int gpu_request_resolve(const struct oci_spec *spec, const struct config *config,
			struct arena *arena, struct gpu_request *ret, struct error *err)
{
	struct resolver r = {
		.spec = spec, .config = config, .arena = arena, .request = ret, .err = err};
	struct mount_requests mounts;
	int result;

	*ret = (struct gpu_request){.from = "",
				    .disable_require_hint = "",
				    .mig_config = "",
				    .mig_monitor = "",
				    .mps_pipe_directory = "",
				    .privileged = oci_spec_privileged(spec)};
	result = environment_read(&r);
	if (result == 0)
		result = explain_environment(&r);
	if (result == 0)
		result = mount_requests_read(&r, &mounts);
	if (result == 0)
		result = devices_resolve(&r, &mounts);
	if (result < 0 || !ret->gpu)
		return result;
	result = mig_resolve(&r);
	if (result == 0)
		result = capabilities_resolve(&r);
	if (result == 0)
		result = requirements_resolve(&r);
	if (result == 0)
		result = imex_resolve(&r, &mounts);
	return result < 0 ? result : features_resolve(&r);
}
