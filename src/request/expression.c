// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <strings.h>

#include "davit/request.h"

/* Longer values are neither a version nor a brand. */
#define VALUE_MAX 64

enum comparison { EQUAL, NOT_EQUAL, LESS, LESS_EQUAL, GREATER, GREATER_EQUAL };

struct condition {
	unsigned property;
	enum comparison comparison;
	char value[VALUE_MAX];
};

static const struct {
	const char *name;
	unsigned bit;
} properties[] = {
	{"cuda", REQUIRE_CUDA},
	{"driver", REQUIRE_DRIVER},
	{"arch", REQUIRE_ARCH},
	{"brand", REQUIRE_BRAND},
};

static const char *const operators[] = {
	[EQUAL] = "=",       [NOT_EQUAL] = "!=", [LESS] = "<",
	[LESS_EQUAL] = "<=", [GREATER] = ">",    [GREATER_EQUAL] = ">=",
};

/* ---- reading one condition -------------------------------------------------------------- */

static bool is_operator(char c)
{
	return c == '<' || c == '>' || c == '=' || c == '!';
}

static bool find_operator(struct slice text, enum comparison *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(operators); i++)
		if (slice_equal(text, operators[i])) {
			*ret = (enum comparison)i;
			return true;
		}
	return false;
}

static unsigned find_property(struct slice name)
{
	for (size_t i = 0; i < ARRAY_SIZE(properties); i++)
		if (strlen(properties[i].name) == name.length &&
		    strncasecmp(properties[i].name, name.data, name.length) == 0)
			return properties[i].bit;
	return 0;
}

/* Numbers in range, separated by single dots; one dot at the end is allowed. */
static bool is_version(const char *text)
{
	struct slice rest = slice_from(text), part;
	size_t parts = 0;
	uint64_t number;

	while (slice_next(&rest, '.', &part)) {
		if (part.length == 0 && !rest.data && parts > 0)
			return true;
		if (parse_number(part.data, part.length, 10, UINT32_MAX, &number) < 0)
			return false;
		parts++;
	}
	return true;
}

/* NULL, or the problem. */
static const char *read_condition(struct slice text, struct condition *ret)
{
	size_t name = 0, end;

	while (name < text.length && !is_operator(text.data[name]))
		name++;
	for (end = name; end < text.length && is_operator(text.data[end]);)
		end++;
	if (name == 0 || end == text.length ||
	    !find_operator((struct slice){text.data + name, end - name}, &ret->comparison))
		return "it must be PROPERTY OPERATOR VALUE";
	ret->property = find_property((struct slice){text.data, name});
	if (!ret->property)
		return "unknown property";
	if (text.length - end >= VALUE_MAX)
		return "the value is too long";
	memcpy(ret->value, text.data + end, text.length - end);
	ret->value[text.length - end] = '\0';
	if (ret->property != REQUIRE_BRAND && !is_version(ret->value))
		return "the value is not a version";
	if (ret->property == REQUIRE_BRAND && ret->comparison > NOT_EQUAL)
		return "brands have no order";
	return NULL;
}

/* ---- evaluating ------------------------------------------------------------------------- */

static const char *fact(const struct requirement_facts *facts, unsigned property)
{
	switch (property) {
	case REQUIRE_CUDA:
		return facts->cuda;
	case REQUIRE_DRIVER:
		return facts->driver;
	case REQUIRE_ARCH:
		return facts->arch;
	default:
		return facts->brand;
	}
}

static bool holds(const struct condition *condition, const char *have)
{
	int order = condition->property == REQUIRE_BRAND ? strcasecmp(have, condition->value)
							 : version_compare(have, condition->value);

	switch (condition->comparison) {
	case EQUAL:
		return order == 0;
	case NOT_EQUAL:
		return order != 0;
	case LESS:
		return order < 0;
	case LESS_EQUAL:
		return order <= 0;
	case GREATER:
		return order > 0;
	default:
		return order >= 0;
	}
}

static enum requirement_verdict evaluate_condition(const struct condition *condition,
						   const struct requirement_facts *facts)
{
	const char *have = fact(facts, condition->property);

	if (facts->no_device && condition->property & (REQUIRE_ARCH | REQUIRE_BRAND))
		return REQUIREMENT_SATISFIED;
	if (!have)
		return REQUIREMENT_UNKNOWN;
	return holds(condition, have) ? REQUIREMENT_SATISFIED : REQUIREMENT_FAILED;
}

/* The result of one alternative. */
struct outcome {
	enum requirement_verdict verdict;
	unsigned missing;
	size_t failing;      /* conditions that aren't satisfied */
	struct slice failed; /* the first failed condition */
	unsigned property;
	struct slice bad; /* with `problem`: the malformed condition */
	const char *problem;
};

/* Evaluates from left to right. After the first failed condition, further ones are only counted. */
static struct outcome evaluate_alternative(struct slice text, const struct requirement_facts *facts)
{
	struct outcome outcome = {.verdict = REQUIREMENT_SATISFIED};
	struct slice part;

	while (slice_next(&text, ',', &part)) {
		struct condition condition;
		enum requirement_verdict verdict;
		const char *problem;

		if (part.length == 0)
			continue;
		problem = read_condition(part, &condition);
		if (problem && outcome.verdict != REQUIREMENT_FAILED) {
			/*
			 * Whether this condition is reached depends on facts that aren't known yet.
			 */
			if (outcome.verdict == REQUIREMENT_SATISFIED) {
				outcome.bad = part;
				outcome.problem = problem;
			}
			return outcome;
		}
		verdict = problem ? REQUIREMENT_FAILED : evaluate_condition(&condition, facts);
		if (verdict == REQUIREMENT_FAILED) {
			if (outcome.failing++ == 0) {
				outcome.failed = part;
				outcome.property = condition.property;
			}
			outcome.verdict = REQUIREMENT_FAILED;
		} else if (verdict == REQUIREMENT_UNKNOWN &&
			   outcome.verdict == REQUIREMENT_SATISFIED) {
			outcome.verdict = REQUIREMENT_UNKNOWN;
		}
		if (verdict == REQUIREMENT_UNKNOWN)
			outcome.missing |= condition.property;
	}
	return outcome;
}

static int refuse(const struct outcome *outcome, struct error *err)
{
	return error_set(err, ERROR_BAD_REQUEST, EINVAL,
			 "write constraints without blanks, such as cuda>=12.2,brand=tesla; "
			 "properties are cuda, driver, arch and brand",
			 "read the constraint \"%.*s\": %s",
			 outcome->bad.length > 60 ? 60 : (int)outcome->bad.length,
			 outcome->bad.data, outcome->problem);
}

/* Copies what the answer shows; an alternative without data is none. */
static int answer(struct arena *arena, struct slice alternative, const struct outcome *outcome,
		  struct requirement_answer *ret, struct error *err)
{
	bool failed = outcome->verdict == REQUIREMENT_FAILED;

	*ret = (struct requirement_answer){.verdict = outcome->verdict};
	if (outcome->verdict == REQUIREMENT_UNKNOWN)
		ret->missing = outcome->missing;
	if (alternative.data)
		ret->alternative = arena_strndup(arena, alternative.data, alternative.length);
	if (failed) {
		ret->condition = arena_strndup(arena, outcome->failed.data, outcome->failed.length);
		ret->property = outcome->property;
	}
	if ((alternative.data && !ret->alternative) || (failed && !ret->condition))
		return error_memory(err);
	return 0;
}

int requirement_evaluate(const char *expression, const struct requirement_facts *facts,
			 struct arena *arena, struct requirement_answer *ret, struct error *err)
{
	struct slice rest = slice_from(expression), word, nearest = {0};
	struct outcome best = {.verdict = REQUIREMENT_SATISFIED}, unknown = {0};

	while (slice_next(&rest, ' ', &word)) {
		struct outcome outcome;

		if (word.length == 0)
			continue;
		outcome = evaluate_alternative(word, facts);
		if (outcome.problem && unknown.missing)
			break;
		if (outcome.problem)
			return refuse(&outcome, err);
		if (outcome.verdict == REQUIREMENT_SATISFIED)
			return answer(arena, word, &outcome, ret, err);
		if (outcome.verdict == REQUIREMENT_UNKNOWN) {
			unknown.missing |= outcome.missing;
		} else if (best.verdict != REQUIREMENT_FAILED || outcome.failing < best.failing) {
			best = outcome;
			nearest = word;
		}
	}
	if (unknown.missing) {
		unknown.verdict = REQUIREMENT_UNKNOWN;
		return answer(arena, (struct slice){0}, &unknown, ret, err);
	}
	return answer(arena, nearest, &best, ret, err);
}
