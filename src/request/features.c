// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <strings.h>

#include "resolver.h"

/* Minors have 20 bits. */
#define IMEX_CHANNEL_MAX 0xfffff

/* ---- policy ----------------------------------------------------------------------------- */

/* Whether policy takes it from a variable; if not, a rule says so. */
static bool accepts_env(struct resolver *r, const char *name)
{
	const char *what = arena_printf(r->arena, "env %s", name);

	return resolver_accepts(r, r->config->policy.env, "accept-env", what ? what : name);
}

/* Nodes beside the GPUs: a container gets those that policy names. 0 or -EPERM. */
static int check_feature(struct resolver *r, unsigned feature, const char *from)
{
	const unsigned allowed = r->config->policy.features;
	struct strings names = {0};

	if (allowed & feature)
		return 0;
	for (unsigned bit = 1; bit < FEATURE_ALL; bit <<= 1)
		if (allowed & bit && strings_add(r->arena, &names, feature_name(bit)) < 0)
			return error_memory(r->err);
	(void)error_set(r->err, ERROR_REFUSED, EPERM, NULL,
			"grant %s, which %s asks for: policy.features allows %s",
			feature_name(feature), from,
			names.count ? strings_join(r->arena, &names, ", ") : "none");
	return error_fix(r->err, -EPERM, "unset it, or add \"%s\" to policy.features",
			 feature_name(feature));
}

/* ---- MIG -------------------------------------------------------------------------------- */

/* These nodes reconfigure GPUs, or watch what other containers do on them. */
static int read_mig(struct resolver *r, enum variable variable, const char **ret)
{
	const char *name = environment_name(variable), *value = r->env.values[variable];
	struct slice trimmed;
	int result;

	if (!value || !*value || !accepts_env(r, name))
		return 0;
	if (!r->request->privileged)
		return error_set(r->err, ERROR_REFUSED, EPERM,
				 "add CAP_SYS_ADMIN to the container, or unset the variable",
				 r->spec->user_namespace
					 ? "grant %s: the container is in a user namespace, where "
					   "CAP_SYS_ADMIN says nothing of the host"
					 : "grant %s: the container has no CAP_SYS_ADMIN",
				 name);
	result = items_check_printable(r, name, value);
	if (result < 0)
		return result;
	trimmed = slice_trim(slice_from(value));
	/* The nodes are the whole driver's: granting them for a part would be granting more. */
	if (trimmed.length && !(trimmed.length == strlen("all") &&
				strncasecmp(trimmed.data, "all", trimmed.length) == 0))
		return error_set(r->err, ERROR_BAD_REQUEST, EINVAL, "set it to all, or unset it",
				 "grant %s=%.40s: the only value with a meaning is all", name,
				 value);
	*ret = arena_strndup(r->arena, trimmed.data, trimmed.length);
	if (!*ret)
		return error_memory(r->err);
	return resolver_rule(r, "%s %s", name,
			     trimmed.length ? "is granted: the container has CAP_SYS_ADMIN"
					    : "is blank: nothing to grant");
}

int mig_resolve(struct resolver *r)
{
	int result = read_mig(r, VARIABLE_MIG_CONFIG, &r->request->mig_config);

	return result < 0 ? result : read_mig(r, VARIABLE_MIG_MONITOR, &r->request->mig_monitor);
}

/* ---- IMEX ------------------------------------------------------------------------------- */

static int add_channel(struct resolver *r, const char *from, const char *text)
{
	const char *number;
	uint64_t channel;
	int result = items_check_printable(r, from, text);

	if (result < 0)
		return result;
	if (parse_number(text, strlen(text), 10, IMEX_CHANNEL_MAX, &channel) < 0)
		return error_set(r->err, ERROR_BAD_REQUEST, EINVAL,
				 "list channel numbers, such as 0,1",
				 "grant IMEX channel \"%.40s\" of %s: not a number up to %d", text,
				 from, IMEX_CHANNEL_MAX);
	number = arena_printf(r->arena, "%u", (unsigned)channel);
	if (!number || strings_add(r->arena, &r->request->imex, number) < 0)
		return error_memory(r->err);
	return 0;
}

static int add_channels(struct resolver *r, const char *from, const struct strings *list)
{
	int result = 0;

	for (size_t i = 0; i < list->count; i++) {
		const char *item = list->items[i];

		if (strcmp(item, "all") == 0 || strcmp(item, "none") == 0 ||
		    strcmp(item, "void") == 0)
			return resolver_rule(r, "%s says %s: no IMEX channels", from, item);
	}
	for (size_t i = 0; result == 0 && i < list->count; i++)
		result = add_channel(r, from, list->items[i]);
	if (result == 0)
		result = items_unique(r, &r->request->imex);
	if (result < 0 || r->request->imex.count == 0)
		return result;
	result = check_feature(r, FEATURE_IMEX, from);
	if (result < 0)
		return result;
	return resolver_rule(r, "IMEX channels come from %s", from);
}

int imex_resolve(struct resolver *r, const struct mount_requests *mounts)
{
	const char *annotation = oci_pairs_get(&r->spec->annotations, ANNOTATION_IMEX);
	const char *value = r->env.values[VARIABLE_IMEX_CHANNELS];
	const char *from = "env NVIDIA_IMEX_CHANNELS";
	struct strings list = {0};
	int result;

	if (!annotation && !value && mounts->imex.count == 0)
		return 0;
	if (!r->config->policy.imex)
		return resolver_rule(r, "requests for IMEX channels are ignored: policy.imex is "
					"false");
	if (annotation && resolver_accepts(r, r->config->policy.annotations, "accept-annotations",
					   "annotation " ANNOTATION_IMEX)) {
		from = "annotation " ANNOTATION_IMEX;
		value = annotation;
	} else if (mounts->imex.count > 0) {
		return add_channels(r, "mounts", &mounts->imex);
	} else if (!value || !resolver_accepts(r, r->config->policy.env, "accept-env", from)) {
		return 0;
	}
	result = items_split(r, from, value, &list);
	return result < 0 ? result : add_channels(r, from, &list);
}

/* ---- further device families, MPS ------------------------------------------------------- */

static int read_switch(struct resolver *r, enum variable variable, unsigned feature, bool *ret)
{
	const char *value = r->env.values[variable], *name = environment_name(variable);
	int result;

	if (!value || !*value || !accepts_env(r, name))
		return 0;
	if (strcmp(value, "enabled") == 0) {
		result = check_feature(r, feature, name);
		*ret = result == 0;
		return result < 0 ? result : resolver_rule(r, "%s is enabled", name);
	}
	return resolver_rule(r, "%s=%.40s is ignored: the only value with a meaning is enabled",
			     name, value);
}

static bool is_target(const char *path)
{
	struct slice rest = slice_from(path), part;
	bool named = false;

	if (path[0] != '/')
		return false;
	for (const char *c = path; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			return false;
	while (slice_next(&rest, '/', &part)) {
		if (slice_equal(part, ".."))
			return false;
		named |= part.length > 0 && !slice_equal(part, ".");
	}
	return named;
}

static int read_mps(struct resolver *r)
{
	const char *name = environment_name(VARIABLE_MPS_PIPE_DIRECTORY);
	const char *path = r->env.values[VARIABLE_MPS_PIPE_DIRECTORY];

	if (!path || !*path)
		return 0;
	if (!is_target(path))
		return resolver_rule(r, "%s=%.64s is ignored: not an absolute path without \"..\"",
				     name, path);
	r->request->mps_pipe_directory = path;
	return resolver_rule(r, "the container looks for MPS pipes in %.200s", path);
}

int features_resolve(struct resolver *r)
{
	struct gpu_request *request = r->request;
	int result = read_switch(r, VARIABLE_GDS, FEATURE_GDS, &request->gds);

	if (result == 0)
		result = read_switch(r, VARIABLE_MOFED, FEATURE_MOFED, &request->mofed);
	if (result == 0)
		result = read_switch(r, VARIABLE_GDRCOPY, FEATURE_GDRCOPY, &request->gdrcopy);
	if (result == 0)
		result = read_switch(r, VARIABLE_NVSWITCH, FEATURE_NVSWITCH, &request->nvswitch);
	return result < 0 ? result : read_mps(r);
}
