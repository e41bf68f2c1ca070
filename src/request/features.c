// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "resolver.h"

/* Minors have 20 bits. */
#define IMEX_CHANNEL_MAX 0xfffff

/* ---- what may be requested ------------------------------------------------------------- */

static bool accepts_variable(struct resolver *r, enum variable variable)
{
	char what[64];

	(void)snprintf(what, sizeof(what), "env %s", environment_name(variable));
	return resolver_accepts_env(r, what);
}

/* "gds, imex": what policy.features allows. */
static const char *allowed_names(const struct resolver *r)
{
	struct strings names = {0};

	for (unsigned bit = 1; bit < FEATURE_ALL; bit <<= 1)
		if (r->config->policy.features & bit &&
		    strings_add(r->arena, &names, feature_name(bit)) < 0)
			return NULL;
	return names.count ? strings_join(r->arena, &names, ", ") : "none";
}

/* Whether both are variables, both annotations or both mounts: they begin with that word. */
static bool is_same_source(const char *a, const char *b)
{
	return strncmp(a, b, strlen("env")) == 0;
}

static int refuse(struct resolver *r, unsigned bit, const char *from, const char *allowed)
{
	int result = error_set(r->err, ERROR_REFUSED, EPERM, NULL,
			       "grant feature %s of %s: policy.features allows %s",
			       feature_name(bit), from, allowed);

	return error_fix(r->err, result, "remove it from %s, or add it to policy.features", from);
}

/*
 * A feature that policy.features doesn't allow is an error if the GPUs are requested by the same
 * means. Otherwise it is ignored: an image's variable in a container that an orchestrator gives
 * GPUs.
 */
static int refuse_feature(struct resolver *r, unsigned bit, const char *from)
{
	const char *allowed = allowed_names(r);

	if (!allowed)
		return error_memory(r->err);
	if (!is_same_source(from, r->request->from))
		return resolver_rule(r, RULE_POLICY,
				     "%s of %s is ignored: policy.features allows %s",
				     feature_name(bit), from, allowed);
	return refuse(r, bit, from, allowed);
}

static bool is_allowed(const struct resolver *r, unsigned bit)
{
	return (r->config->policy.features & bit) == bit;
}

static const char imex_ignored[] = "IMEX channels are ignored: policy.imex is false";

/* "k8s.device-plugin.nvidia.com/gds=all": the family of the class, or 0. */
static unsigned bit_of_name(const char *name)
{
	const char *slash = strchr(name, '/');
	struct slice class = {slash ? slash + 1 : "", slash ? strcspn(slash + 1, "=") : 0};

	if (!name_is_of_nvidia(name))
		return 0;
	if (slice_equal(class, "imex") || slice_equal(class, "imex-channel"))
		return FEATURE_IMEX;
	return feature_bit(class);
}

int feature_check_name(struct resolver *r, const char *from, const char *name, bool *ret_ignored)
{
	unsigned bit = bit_of_name(name);
	const char *allowed;

	*ret_ignored = bit == FEATURE_IMEX && !r->config->policy.imex;
	if (*ret_ignored)
		return resolver_rule(r, RULE_POLICY, "%s", imex_ignored);
	if (is_allowed(r, bit))
		return 0;
	allowed = allowed_names(r);
	return allowed ? refuse(r, bit, from, allowed) : error_memory(r->err);
}

/* ---- MIG -------------------------------------------------------------------------------- */

/* These nodes reconfigure GPUs, or watch what other containers do on them. */
static int read_mig(struct resolver *r, enum variable variable, const char **ret)
{
	const char *name = environment_name(variable), *value = r->env.values[variable];
	struct slice trimmed;
	int result;

	if (!value || !*value || !accepts_variable(r, variable))
		return 0;
	if (!r->request->privileged && r->for_runtime)
		return resolver_warn(r, "%s is ignored: %s", name, resolver_not_privileged(r));
	if (!r->request->privileged)
		return error_set(r->err, ERROR_REFUSED, EPERM,
				 r->spec->user_namespace
					 ? "give the container CAP_SYS_ADMIN and the host's user "
					   "namespace, or unset the variable"
					 : "add CAP_SYS_ADMIN to the container, or unset the "
					   "variable",
				 "grant %s: %s", name, resolver_not_privileged(r));
	result = items_check_printable(r, name, value);
	if (result < 0)
		return result;
	trimmed = slice_trim(slice_from(value));
	/* The nodes control all GPUs, so they can't be granted for some only. */
	if (trimmed.length && !(trimmed.length == strlen("all") &&
				strncasecmp(trimmed.data, "all", trimmed.length) == 0))
		return error_set(r->err, ERROR_BAD_REQUEST, EINVAL, "set it to all, or unset it",
				 "grant %s=%.40s: the only valid value is all", name, value);
	*ret = arena_strndup(r->arena, trimmed.data, trimmed.length);
	if (!*ret)
		return error_memory(r->err);
	return resolver_rule(r, RULE_APPLIED, "%s %s", name,
			     trimmed.length ? "is granted: the container has CAP_SYS_ADMIN"
					    : "is blank: nothing is granted");
}

int mig_resolve(struct resolver *r)
{
	int result = read_mig(r, VARIABLE_MIG_CONFIG, &r->request->mig_config);

	return result < 0 ? result : read_mig(r, VARIABLE_MIG_MONITOR, &r->request->mig_monitor);
}

int management_resolve(struct resolver *r)
{
	struct gpu_request *request = r->request;

	request->capabilities_granted = r->config->policy.capabilities;
	request->capabilities =
		request->capabilities_granted |
		(request->capabilities_granted & CAPABILITY_VIDEO ? CAPABILITY_COMPUTE : 0);
	if (request->privileged)
		request->mig_config = request->mig_monitor = "all";
	return resolver_rule(r, RULE_APPLIED, "management.nvidia.com/gpu=all: all capabilities%s",
			     request->privileged
				     ? ", and MIG's config and monitor devices if they exist"
				     : "; no MIG config device, since the container isn't "
				       "privileged");
}

/* ---- IMEX ------------------------------------------------------------------------------- */

static int add_channel(struct resolver *r, const char *from, const char *text)
{
	const char *number;
	uint64_t channel;
	int result = items_check_printable(r, from, text);

	if (result < 0)
		return result;
	/* The name of the node is also accepted. */
	if (string_starts(text, "channel"))
		text += strlen("channel");
	if (parse_number(text, strlen(text), 10, IMEX_CHANNEL_MAX, &channel) < 0)
		return error_set(r->err, ERROR_BAD_REQUEST, EINVAL,
				 "list channel numbers, such as 0,1 or channel0,channel1",
				 "grant IMEX channel \"%.40s\" of %s: not a number up to %d", text,
				 from, IMEX_CHANNEL_MAX);
	number = arena_printf(r->arena, "%u", (unsigned)channel);
	if (!number || strings_add(r->arena, &r->request->imex, number) < 0)
		return error_memory(r->err);
	return 0;
}

/* `all`, `none` and `void` request no channel. */
static const char *find_word(const struct strings *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const char *item = list->items[i];

		if (strcmp(item, "all") == 0 || strcmp(item, "none") == 0 ||
		    strcmp(item, "void") == 0)
			return item;
	}
	return NULL;
}

static int add_channels(struct resolver *r, const char *from, const struct strings *list)
{
	const char *word = find_word(list);
	int result = 0;

	if (word)
		return resolver_rule(r, RULE_APPLIED, "%s is %s: no IMEX channels", from, word);
	if (list->count > 0 && !is_allowed(r, FEATURE_IMEX))
		return refuse_feature(r, FEATURE_IMEX, from);
	for (size_t i = 0; result == 0 && i < list->count; i++)
		result = add_channel(r, from, list->items[i]);
	if (result == 0)
		result = items_unique(r, &r->request->imex);
	if (result < 0 || r->request->imex.count == 0)
		return result;
	return resolver_rule(r, RULE_APPLIED, "IMEX channels come from %s", from);
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
		return resolver_rule(r, RULE_POLICY, "%s", imex_ignored);
	if (annotation && resolver_accepts_annotation(r, "annotation " ANNOTATION_IMEX)) {
		from = "annotation " ANNOTATION_IMEX;
		value = annotation;
	} else if (mounts->imex.count > 0) {
		return add_channels(r, "mounts", &mounts->imex);
	} else if (!value || !accepts_variable(r, VARIABLE_IMEX_CHANNELS)) {
		return 0;
	}
	result = items_split(r, from, value, &list);
	return result < 0 ? result : add_channels(r, from, &list);
}

/* ---- further device families, MPS ------------------------------------------------------- */

static void grant_feature(struct gpu_request *request, unsigned bit)
{
	request->gds |= bit == FEATURE_GDS;
	request->mofed |= bit == FEATURE_MOFED;
	request->gdrcopy |= bit == FEATURE_GDRCOPY;
	request->nvswitch |= bit == FEATURE_NVSWITCH;
}

static int read_switch(struct resolver *r, enum variable variable, unsigned bit)
{
	const char *name = environment_name(variable), *value = r->env.values[variable];
	const char *from;

	if (!value || !*value || !accepts_variable(r, variable))
		return 0;
	if (strcmp(value, "enabled") != 0)
		return resolver_rule(r, RULE_IGNORED,
				     "%s=%.40s is ignored: the only valid value is enabled", name,
				     value);
	if (is_allowed(r, bit)) {
		grant_feature(r->request, bit);
		return resolver_rule(r, RULE_APPLIED, "%s is enabled", name);
	}
	from = arena_printf(r->arena, "env %s", name);
	return from ? refuse_feature(r, bit, from) : error_memory(r->err);
}

/* Adds one of the families in a list. IMEX channels are numbers, and have their own annotation. */
static int add_feature(struct resolver *r, const char *from, const char *name)
{
	unsigned bit = feature_bit(slice_from(name));

	if (!bit || bit == FEATURE_ALL || bit == FEATURE_IMEX)
		return error_set(r->err, ERROR_BAD_REQUEST, EINVAL,
				 "choose among gdrcopy, gds, mofed and nvswitch",
				 "grant feature \"%.40s\" of %s: unknown feature", name, from);
	if (!is_allowed(r, bit))
		return refuse_feature(r, bit, from);
	grant_feature(r->request, bit);
	return resolver_rule(r, RULE_APPLIED, "feature %s comes from %s", name, from);
}

/* The annotation replaces the four variables. */
static int read_features(struct resolver *r)
{
	static const struct {
		enum variable variable;
		unsigned bit;
	} switches[] = {
		{VARIABLE_GDS, FEATURE_GDS},
		{VARIABLE_MOFED, FEATURE_MOFED},
		{VARIABLE_GDRCOPY, FEATURE_GDRCOPY},
		{VARIABLE_NVSWITCH, FEATURE_NVSWITCH},
	};
	static const char from[] = "annotation " ANNOTATION_FEATURES;
	const char *value = oci_pairs_get(&r->spec->annotations, ANNOTATION_FEATURES);
	struct strings list = {0};
	int result = 0;

	if (value && resolver_accepts_annotation(r, from)) {
		result = items_split(r, from, value, &list);
		for (size_t i = 0; result == 0 && i < list.count; i++)
			result = add_feature(r, from, list.items[i]);
		return result;
	}
	for (size_t i = 0; result == 0 && i < ARRAY_SIZE(switches); i++)
		result = read_switch(r, switches[i].variable, switches[i].bit);
	return result;
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

	if (!path || !*path || !accepts_variable(r, VARIABLE_MPS_PIPE_DIRECTORY))
		return 0;
	if (!is_target(path))
		return resolver_rule(r, RULE_IGNORED,
				     "%s=%.64s is ignored: not an absolute path without \"..\"",
				     name, path);
	r->request->mps_pipe_directory = path;
	return resolver_rule(r, RULE_APPLIED, "the container expects MPS pipes in %.200s", path);
}

int features_resolve(struct resolver *r)
{
	int result = read_features(r);

	return result < 0 ? result : read_mps(r);
}
