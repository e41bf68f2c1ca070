// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "resolver.h"

/* ---- collecting ------------------------------------------------------------------------- */

/* The words of Go's strconv.ParseBool, for which the images were made. */
static bool is_word(const char *value, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(value, *words) == 0)
			return true;
	return false;
}

/* Whether constraints are switched off; a rule says why. */
static int read_disabled(struct resolver *r, bool *ret)
{
	static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True", NULL};
	static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False", "", NULL};
	const char *value = r->env.values[VARIABLE_DISABLE_REQUIRE];

	*ret = true;
	if (r->config->policy.ignore_requirements)
		return resolver_rule(r, RULE_IGNORED,
				     "constraints are ignored: policy.ignore-requirements");
	if (r->config->policy.requirements == REQUIREMENTS_IGNORE)
		return resolver_rule(r, RULE_IGNORED,
				     "constraints are ignored: policy.requirements");
	*ret = value && is_word(value, yes);
	if (*ret)
		return resolver_rule(r, RULE_IGNORED,
				     "constraints are ignored: NVIDIA_DISABLE_REQUIRE");
	if (!value || is_word(value, no))
		return 0;
	r->request->disable_require_hint = arena_printf(
		r->arena, "NVIDIA_DISABLE_REQUIRE=%.20s is neither true nor false", value);
	if (!r->request->disable_require_hint)
		return error_memory(r->err);
	return resolver_rule(r, RULE_IGNORED, "%s", r->request->disable_require_hint);
}

static int add(struct resolver *r, const char *name, const char *expression)
{
	struct oci_pair *pair;
	int result = items_check_printable(r, "the name of a constraint", name);

	if (result == 0)
		result = items_check_printable(r, name, expression);
	if (result < 0)
		return result;
	pair = ARENA_PUSH(r->arena, &r->request->requirements);
	if (!pair)
		return error_memory(r->err);
	*pair = (struct oci_pair){name, expression};
	return 0;
}

/* The last value of each name, in order. An empty value requests nothing. */
static int add_all(struct resolver *r, const struct oci_pairs *all)
{
	const char **names = arena_alloc(r->arena, (all->count + 1) * sizeof(*names));
	bool *keep = arena_alloc(r->arena, all->count + 1);
	int result = 0;

	if (all->count > REQUEST_ITEMS_MAX)
		return items_too_many(r, "NVIDIA_REQUIRE_*");
	if (!names || !keep)
		return error_memory(r->err);
	for (size_t i = 0; i < all->count; i++)
		names[i] = all->items[i].name;
	if (items_keep_last(r->arena, names, all->count, keep) < 0)
		return error_memory(r->err);
	for (size_t i = 0; result == 0 && i < all->count; i++)
		if (keep[i] && *all->items[i].value)
			result = add(r, all->items[i].name, all->items[i].value);
	return result;
}

/* "11.2.152" -> "cuda>=11.2"; an image's label may have a leading v. */
static int add_legacy(struct resolver *r)
{
	const char *version = r->env.values[VARIABLE_CUDA_VERSION], *expression;
	struct slice rest = slice_from(version[0] == 'v' ? version + 1 : version), part;
	uint64_t major = 0, minor = 0;
	int bad;

	(void)slice_next(&rest, '.', &part);
	bad = parse_number(part.data, part.length, 10, UINT32_MAX, &major);
	if (bad == 0 && slice_next(&rest, '.', &part))
		bad = parse_number(part.data, part.length, 10, UINT32_MAX, &minor);
	if (bad < 0)
		return error_set(r->err, ERROR_BAD_REQUEST, EINVAL,
				 "correct or unset it, or set NVIDIA_DISABLE_REQUIRE=1",
				 "read CUDA_VERSION=%.40s: not a version such as 11.8", version);
	expression = arena_printf(r->arena, "cuda>=%u.%u", (unsigned)major, (unsigned)minor);
	if (!expression)
		return error_memory(r->err);
	return add(r, "CUDA_VERSION", expression);
}

/* An unreadable constraint isn't an error if unsatisfied ones are only warnings. */
static int pass_over(struct resolver *r, int result)
{
	const char *message = arena_strdup(r->arena, r->err->message);

	if (result == -ENOMEM || !message)
		return result == -ENOMEM ? result : error_memory(r->err);
	*r->err = (struct error){0};
	r->request->requirements = (struct oci_pairs){0};
	return resolver_warn(r, "constraints are ignored: cannot %.300s", message);
}

int requirements_resolve(struct resolver *r)
{
	enum requirements policy = r->config->policy.requirements;
	bool disabled, warn;
	int result = read_disabled(r, &disabled);

	if (result < 0 || disabled)
		return result;
	warn = policy == REQUIREMENTS_WARN || (policy == REQUIREMENTS_AUTO && r->for_runtime);
	result = add_all(r, &r->env.requirements);
	if (result == 0 && r->request->legacy)
		result = add_legacy(r);
	if (result < 0 && warn)
		return pass_over(r, result);
	if (result < 0 || r->request->requirements.count == 0)
		return result;
	r->request->requirements_warn = warn;
	return resolver_rule(r, RULE_APPLIED, "constraints: %zu%s", r->request->requirements.count,
			     warn ? "; unsatisfied ones only warn (policy.requirements)" : "");
}

/* ---- checking --------------------------------------------------------------------------- */

/* The host's value of the failed property: "cuda 13.0 (driver 580.159.04)". */
static const char *have(const struct requirement_facts *facts, unsigned property,
			struct arena *arena)
{
	switch (property) {
	case REQUIRE_CUDA:
		return arena_printf(arena, "cuda %s (driver %s)", facts->cuda,
				    facts->driver ? facts->driver : "unknown");
	case REQUIRE_DRIVER:
		return arena_printf(arena, "driver %s", facts->driver);
	case REQUIRE_ARCH:
		return arena_printf(arena, "arch %s", facts->arch);
	default:
		return arena_printf(arena, "brand %s", facts->brand);
	}
}

static int refuse(const struct gpu_request *request, const struct oci_pair *requirement,
		  const struct requirement_answer *answer, const struct requirement_facts *facts,
		  struct arena *arena, struct error *err)
{
	const char *found = have(facts, answer->property, arena);
	const char *among = strchr(answer->alternative, ',') ? answer->alternative : "";
	bool newer = answer->property & (REQUIRE_CUDA | REQUIRE_DRIVER) &&
		     strchr(answer->condition, '>');
	int r;

	if (!found)
		return error_memory(err);
	r = error_set(err, ERROR_UNSATISFIED, EPERM, NULL,
		      "satisfy %.64s: the image needs %.60s%s%.90s, the host has %.60s",
		      requirement->name, answer->condition, *among ? " of " : "", among, found);
	return error_fix(err, r, "%s, or set NVIDIA_DISABLE_REQUIRE=1%s%s",
			 newer ? "upgrade the driver, use an older image"
			       : "use an image built for this host",
			 *request->disable_require_hint ? "; " : "", request->disable_require_hint);
}

int requirements_check(const struct gpu_request *request, const struct requirement_facts *facts,
		       struct arena *arena, unsigned *ret_missing, struct error *err)
{
	*ret_missing = 0;
	for (size_t i = 0; i < request->requirements.count; i++) {
		const struct oci_pair *requirement = &request->requirements.items[i];
		struct requirement_answer answer;
		int r = requirement_evaluate(requirement->value, facts, arena, &answer, err);

		if (r < 0)
			return error_wrap(err, r, "check %.64s", requirement->name);
		if (answer.verdict == REQUIREMENT_FAILED)
			return refuse(request, requirement, &answer, facts, arena, err);
		*ret_missing |= answer.missing;
	}
	return 0;
}
