// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "cli.h"

#define EXIT_UNKNOWN 1
#define EXIT_NOT_MET 3

/* Parses "cuda=12.2,driver=535.104.05". Facts that aren't named remain unknown. */
static int parse_facts(const char *have, struct arena *arena, struct requirement_facts *ret)
{
	const struct {
		const char *name;
		const char **place;
	} properties[] = {{"cuda=", &ret->cuda},
			  {"driver=", &ret->driver},
			  {"arch=", &ret->arch},
			  {"brand=", &ret->brand}};
	struct slice rest = slice_from(have), item;

	while (slice_next(&rest, ',', &item)) {
		size_t i = 0;

		while (i < ARRAY_SIZE(properties) && !slice_starts(item, properties[i].name))
			i++;
		if (i == ARRAY_SIZE(properties))
			return -EINVAL;
		*properties[i].place = arena_strndup(arena, item.data + strlen(properties[i].name),
						     item.length - strlen(properties[i].name));
		if (!*properties[i].place)
			return -ENOMEM;
	}
	return 0;
}

/* The facts of this host that are known without NVML. Without a driver there are none. */
static int host_facts(const struct arguments *arguments, struct arena *arena,
		      struct requirement_facts *ret, struct error *err)
{
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	struct driver_problems problems;
	struct driver driver = {0};
	struct error ignored;
	struct config config;
	int r = config_load(arguments->config, arena, &config, err);

	if (r < 0)
		return r;
	if (driver_roots_open(&config, &roots, &ignored) < 0)
		return 0;
	r = driver_examine(&roots, &config, arena, &driver, &problems);
	if (r == 0 && (driver.version || driver.files.count)) {
		ret->driver = driver.version;
		ret->cuda = driver_cuda_version(&roots, &config, &driver, arena);
	}
	driver_close(&driver);
	driver_roots_close(&roots);
	return r < 0 ? error_memory(err) : 0;
}

static const struct {
	unsigned bit;
	const char *name;
} facts_names[] = {
	{REQUIRE_CUDA, "cuda"},
	{REQUIRE_DRIVER, "driver"},
	{REQUIRE_ARCH, "arch"},
	{REQUIRE_BRAND, "brand"},
};

static const char *verdict_name(enum requirement_verdict verdict)
{
	static const char *const names[] = {[REQUIREMENT_SATISFIED] = "satisfied",
					    [REQUIREMENT_FAILED] = "failed",
					    [REQUIREMENT_UNKNOWN] = "unknown"};

	return names[verdict];
}

static void print_missing(unsigned missing)
{
	const char *separator = " (not known: ";

	for (size_t i = 0; i < ARRAY_SIZE(facts_names); i++)
		if (missing & facts_names[i].bit) {
			(void)printf("%s%s", separator, facts_names[i].name);
			separator = ", ";
		}
	(void)printf("; name it with --have)");
}

static struct json_object *json_missing(unsigned missing)
{
	struct json_object *names = json_object_new_array();

	for (size_t i = 0; i < ARRAY_SIZE(facts_names); i++)
		if (missing & facts_names[i].bit)
			(void)json_object_array_add(names,
						    json_object_new_string(facts_names[i].name));
	return names;
}

static void print_answer(const char *expression, const struct requirement_answer *answer)
{
	(void)printf("%s: %s", verdict_name(answer->verdict), expression);
	if (answer->verdict == REQUIREMENT_FAILED && answer->condition)
		(void)printf(" (nearest: %s; does not hold: %s)", answer->alternative,
			     answer->condition);
	else if (answer->verdict == REQUIREMENT_UNKNOWN)
		print_missing(answer->missing);
	else if (answer->alternative)
		(void)printf(" (decided by: %s)", answer->alternative);
	(void)putchar('\n');
}

static struct json_object *json_answer(const char *expression,
				       const struct requirement_answer *answer)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "expression", json_object_new_string(expression));
	json_object_object_add(object, "verdict",
			       json_object_new_string(verdict_name(answer->verdict)));
	json_object_object_add(object, "alternative",
			       answer->alternative ? json_object_new_string(answer->alternative)
						   : NULL);
	json_object_object_add(object, "condition",
			       answer->condition ? json_object_new_string(answer->condition)
						 : NULL);
	json_object_object_add(
		object, "missing",
		json_missing(answer->verdict == REQUIREMENT_UNKNOWN ? answer->missing : 0));
	return object;
}

/* Every expression must be satisfied. A failed one takes precedence over an undecided one. */
static int exit_code(int before, enum requirement_verdict verdict)
{
	if (verdict == REQUIREMENT_FAILED || before == EXIT_NOT_MET)
		return EXIT_NOT_MET;
	return verdict == REQUIREMENT_UNKNOWN ? EXIT_UNKNOWN : before;
}

static int run(const struct arguments *arguments)
{
	const char *have = arguments_value(arguments, "have");
	const struct strings *words = &arguments->words;
	struct json_object *answers = json_object_new_array();
	AUTO_ARENA arena = {0};
	struct requirement_facts facts = {0};
	struct error err = {0};
	int code = 0;

	if (!have && host_facts(arguments, &arena, &facts, &err) < 0) {
		(void)json_object_put(answers);
		return cli_fail(&err);
	}
	if (have && parse_facts(have, &arena, &facts) < 0)
		code = usage_error(arguments,
				   "--have is not a list such as cuda=12.2,driver=535.104.05");
	for (size_t i = 0; i < words->count && code != EXIT_USAGE; i++) {
		struct requirement_answer answer = {0};

		if (requirement_evaluate(words->items[i], &facts, &arena, &answer, &err) < 0) {
			(void)cli_fail(&err);
			code = EXIT_USAGE;
			break;
		}
		code = exit_code(code, answer.verdict);
		if (arguments->json)
			(void)json_object_array_add(answers, json_answer(words->items[i], &answer));
		else
			print_answer(words->items[i], &answer);
	}
	if (arguments->json && code != EXIT_USAGE && cli_print_json(answers) != 0)
		return 1;
	if (!arguments->json || code == EXIT_USAGE)
		(void)json_object_put(answers);
	return code;
}

static const struct command_option options[] = {
	{"have", OPTION_VALUE, "FACTS",
	 "the host's facts: cuda=12.2,driver=535.104.05,arch=8.0,brand=tesla"},
	{NULL, 0, NULL, NULL},
};

const struct command command_require = {
	.name = "require",
	.summary = "check whether a host satisfies a NVIDIA_REQUIRE_* expression",
	.help = "Evaluates constraints for this host or, with --have, for another one. The exit code is 0\n"
		"if they are satisfied, 3 if they aren't, 1 if the answer depends on an unknown fact, and\n"
		"2 without an expression.\n",
	.example = "davit require --have cuda=12.2,driver=535.104.05 'cuda>=12.4 driver>=535'",
	.options = options,
	.words = "EXPRESSION...",
	.words_min = 1,
	.words_max = WORDS_ANY,
	.json = true,
	.run = run,
};
