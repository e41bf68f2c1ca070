// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "resolver.h"

/* The capabilities of a container that names none. */
#define DEFAULT_CAPABILITIES (CAPABILITY_COMPUTE | CAPABILITY_UTILITY)

static const char *allowed_names(const struct resolver *r)
{
	struct strings names = {0};

	for (unsigned bit = 1; bit < CAPABILITY_ALL; bit <<= 1)
		if (r->config->policy.capabilities & bit &&
		    strings_add(r->arena, &names, capability_name(bit)) < 0)
			return NULL;
	return names.count ? strings_join(r->arena, &names, ", ") : "none";
}

static int refuse(struct resolver *r, const char *from, const char *name, unsigned bit)
{
	const char *allowed = allowed_names(r);

	if (!allowed)
		return error_memory(r->err);
	r->request->capability_refused = bit != 0;
	if (bit) {
		(void)error_set(r->err, ERROR_REFUSED, EPERM, NULL,
				"grant capability %s: policy.capabilities allows %s", name,
				allowed);
		/* Without the word "env" or "annotation". */
		return error_fix(
			r->err, -EPERM,
			"request fewer capabilities in %s, or add it to policy.capabilities",
			strchr(from, ' ') + 1);
	}
	(void)error_set(r->err, ERROR_BAD_REQUEST, EINVAL, NULL,
			"grant capability \"%.40s\" of %s: unknown capability", name, from);
	return error_fix(r->err, -EINVAL, "choose among %s", allowed);
}

/*
 * Removes capabilities that an image may not select if its environment isn't accepted. It can use a
 * GPU that was given by other means with the libraries that it needs, but it can't add device nodes
 * (nvidia-modeset, /dev/dri).
 */
static int drop_refused(struct resolver *r, const char *from, unsigned *granted)
{
	const unsigned left_out = *granted & ~r->config->policy.image_capabilities;
	struct strings names = {0};
	const char *list;

	if (!left_out || resolver_trusts_env(r))
		return 0;
	for (unsigned bit = 1; bit < CAPABILITY_ALL; bit <<= 1)
		if (left_out & bit && strings_add(r->arena, &names, capability_name(bit)) < 0)
			return error_memory(r->err);
	list = strings_join(r->arena, &names, ", ");
	if (!list)
		return error_memory(r->err);
	*granted &= ~left_out;
	return resolver_rule(r, RULE_POLICY,
			     "%s of %s is ignored: policy.accept-env doesn't accept it, and "
			     "policy.image-capabilities doesn't allow it",
			     list, from);
}

/*
 * The default capabilities. For the hook, as in NVIDIA's: compute and utility. NVIDIA's runtime
 * grants all, whatever a container names.
 */
static int by_default(struct resolver *r, unsigned *granted)
{
	const unsigned allowed = r->config->policy.capabilities;
	int result;

	if (!r->for_runtime) {
		*granted = DEFAULT_CAPABILITIES & allowed;
		return resolver_rule(r, RULE_APPLIED,
				     "no capabilities are named, so compute and utility apply");
	}
	*granted = allowed;
	result = resolver_rule(
		r, RULE_APPLIED,
		"no capabilities are named, so davit-runtime grants all that the policy allows");
	return result < 0 ? result
			  : drop_refused(r, "an unset NVIDIA_DRIVER_CAPABILITIES", granted);
}

/* A list. `all` means all that the policy allows, even with other items. */
static int from_list(struct resolver *r, const char *from, const char *value, unsigned *granted)
{
	const unsigned allowed = r->config->policy.capabilities;
	struct strings list = {0};
	int result = items_split(r, from, value, &list);

	if (result < 0)
		return result;
	if (strings_contain(&list, "all")) {
		*granted = allowed;
		return resolver_rule(r, RULE_APPLIED,
				     "%s requests all capabilities: granted those of the policy",
				     from);
	}
	for (size_t i = 0; i < list.count; i++) {
		unsigned bit = capability_bit(slice_from(list.items[i]));

		if (!bit && r->for_runtime) {
			result = resolver_warn(
				r, "capability \"%.40s\" of %s is ignored: unknown capability",
				list.items[i], from);
			if (result < 0)
				return result;
			continue;
		}
		if (!bit || !(bit & allowed))
			return refuse(r, from, list.items[i], bit);
		*granted |= bit;
	}
	/* Perhaps of a later driver: the container's needs are unknown. */
	if (r->for_runtime && list.count > 0 && !*granted)
		return by_default(r, granted);
	return resolver_rule(r, RULE_APPLIED, "capabilities come from %s%s", from,
			     *granted ? "" : ", which is blank, so none apply");
}

static int from_environment(struct resolver *r, unsigned *granted)
{
	static const char from[] = "env NVIDIA_DRIVER_CAPABILITIES";
	const char *value = r->env.values[VARIABLE_DRIVER_CAPABILITIES];
	int result;

	if (value && *value) {
		result = from_list(r, from, value, granted);
		return result < 0 ? result : drop_refused(r, from, granted);
	}
	if (!value && r->request->legacy) {
		*granted = r->config->policy.capabilities;
		result = resolver_rule(r, RULE_APPLIED,
				       "a legacy image (CUDA_VERSION without "
				       "NVIDIA_REQUIRE_CUDA) gets all capabilities");
		return result < 0 ? result : drop_refused(r, "env CUDA_VERSION", granted);
	}
	return by_default(r, granted);
}

static int grant(struct resolver *r, unsigned *granted)
{
	static const char from[] = "annotation " ANNOTATION_CAPABILITIES;
	const char *value = oci_pairs_get(&r->spec->annotations, ANNOTATION_CAPABILITIES);

	if (!value || !resolver_accepts_annotation(r, from))
		return from_environment(r, granted);
	if (*value)
		return from_list(r, from, value, granted);
	return by_default(r, granted);
}

int capabilities_resolve(struct resolver *r)
{
	unsigned granted = 0;
	int result = grant(r, &granted);

	r->request->capabilities_granted = result < 0 ? 0 : granted;
	r->request->capabilities = r->request->capabilities_granted;
	if (r->request->capabilities & CAPABILITY_VIDEO)
		r->request->capabilities |= CAPABILITY_COMPUTE;
	return result;
}
