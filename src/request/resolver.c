// SPDX-License-Identifier: Apache-2.0
/* Shared by the steps: adding rules, and whether the policy accepts a source. */
#include <linux/capability.h>
#include <stdio.h>

#include "resolver.h"

/* Adds the sentence to the rules, and returns it. NULL: no memory. */
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
	/* The sentence is only for people. Without memory for it, the result is the same. */
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

/*
 * With some engines, any user who can start a container can set annotations, like the environment.
 */
bool resolver_accepts_annotation(struct resolver *r, const char *what)
{
	if (r->config->policy.annotations == ACCEPT_AS_ENV)
		return accepts(r, r->config->policy.env,
			       "accept-annotations is as-env, and policy.accept-env", what);
	return accepts(r, r->config->policy.annotations, "accept-annotations", what);
}
