// SPDX-License-Identifier: Apache-2.0
/* How command lines are read: the rules that hold for every command, by a command made for it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/commands.h"
#include "davit/try.h"
#include "unit.h"

#define WORDS_MAX 8

static const struct command_option test_options[] = {
	{"dry-run", OPTION_FLAG, NULL, "a flag"},
	{"output", OPTION_VALUE, "FILE", "a value"},
	{"format", OPTION_VALUE, "json|yaml", "a choice"},
	{"spec-dir", OPTION_REPEATED, "DIR", "several times"},
	{NULL, 0, NULL, NULL},
};

static const struct command plain = {.name = "plain", .options = test_options};
static const struct command json = {.name = "json", .json = true};
static const struct command go = {.name = "go", .options = test_options, .one_dash = true};
static const struct command_option other_options[] = {
	{"output", OPTION_VALUE, "FILE", "a value"},
	{"o", OPTION_VALUE, "FILE", NULL},
	{"csv", OPTION_VALUE, "FILE", NULL},
	{"dry-run", OPTION_FLAG, NULL, "a flag"},
	{"format", OPTION_VALUE, "json|yaml", "a choice"},
	{NULL, 0, NULL, NULL},
};
static const struct option_more other_more[] = {
	{"output", NULL, "DAVIT_TEST_OUTPUT,DAVIT_TEST_FILE", NULL},
	{"o", "output", NULL, NULL},
	{"csv", NULL, "DAVIT_TEST_CSV", "leave it out: no Tegra"},
	{"dry-run", NULL, "DAVIT_TEST_DRY_RUN", NULL},
	{"format", NULL, "DAVIT_TEST_FORMAT", NULL},
	{NULL, NULL, NULL, NULL},
};
/* As another program's command: aliases, variables, options that davit doesn't have. */
static const struct command other = {
	.name = "other",
	.options = other_options,
	.more = other_more,
	.one_dash = true,
};
static const struct command engine = {
	.name = "engine",
	.words = "docker|podman",
	.words_min = 1,
	.words_max = 1,
};
static const struct command any = {
	.name = "any",
	.options = test_options,
	.words = "-- COMMAND...",
	.words_min = 1,
	.words_max = WORDS_ANY,
};

/* What was read as text: "dry-run output=x [a] [b] json config=c help", or the error's. */
static void describe(const struct arguments *arguments, int r, const struct error *err, char *ret,
		     size_t size)
{
	FILE *stream = fmemopen(ret, size, "w");

	assert_non_null(stream);
	if (r < 0)
		(void)fprintf(stream, "%s; %s", err->message, err->fix);
	for (size_t i = 0; r == 0 && i < arguments->options.count; i++) {
		const struct argument *argument = &arguments->options.items[i];

		(void)fprintf(stream, "%s%s%s ", argument->option->name, argument->value ? "=" : "",
			      argument->value ? argument->value : "");
	}
	for (size_t i = 0; r == 0 && i < arguments->words.count; i++)
		(void)fprintf(stream, "[%s] ", arguments->words.items[i]);
	if (r == 0)
		(void)fprintf(stream, "%s%s%s%s", arguments->json ? "json " : "",
			      arguments->config ? "config=" : "",
			      arguments->config ? arguments->config : "",
			      arguments->help ? "help" : "");
	assert_int_equal(fclose(stream), 0);
}

static const struct {
	const char *name;
	const struct command *command;
	const char *words[WORDS_MAX];
	const char *expected;
} cases[] = {
	{"nothing", &plain, {0}, ""},
	{"a flag and a value", &plain, {"--dry-run", "--output", "x"}, "dry-run output=x "},
	{"a value behind =", &plain, {"--output=x=y"}, "output=x=y "},
	{"an empty value", &plain, {"--output="}, "output= "},
	{"a value that looks like an option",
	 &plain,
	 {"--output", "--dry-run"},
	 "output=--dry-run "},
	{"several times", &plain, {"--spec-dir=a", "--spec-dir", "b"}, "spec-dir=a spec-dir=b "},
	{"the configuration", &plain, {"--config", "c"}, "config=c"},
	{"JSON", &json, {"--json"}, "json "},
	{"help", &plain, {"--help"}, "help"},
	{"help in short", &plain, {"-h"}, "help"},
	{"help before what is wrong", &engine, {"--help", "--bogus"}, "help"},
	{"words", &any, {"a", "--dry-run", "b"}, "dry-run [a] [b] "},
	{"-- ends the options",
	 &any,
	 {"--dry-run", "--", "ls", "--output"},
	 "dry-run [ls] [--output] "},
	{"-- once", &any, {"--", "a", "--", "b"}, "[a] [--] [b] "},
	{"- is a word", &any, {"-"}, "[-] "},
	{"a word of the list", &engine, {"docker"}, "[docker] "},
	{"one dash, as Go", &go, {"-dry-run", "-output", "x"}, "dry-run output=x "},
	{"a flag's value, as Go", &go, {"--dry-run=true"}, "dry-run "},
	{"a flag that is off, as Go", &go, {"--dry-run=false"}, ""},

	{"one dash",
	 &plain,
	 {"-dry-run"},
	 "understand the command line: unknown option \"-dry-run\"; did you mean \"--dry-run\"? see `davit test --help`"},
	{"an unknown option",
	 &plain,
	 {"--bogus"},
	 "understand the command line: unknown option \"--bogus\"; see `davit test --help`"},
	{"an option that is nearly known",
	 &plain,
	 {"--ouptut", "x"},
	 "understand the command line: unknown option \"--ouptut\"; did you mean \"--output\"? see `davit test "
	 "--help`"},
	{"a long unknown option",
	 &plain,
	 {"--a-name-that-is-longer-than-any-option-that-there-is=x"},
	 "understand the command line: unknown option "
	 "\"--a-name-that-is-longer-than-any-option-that-there-is=x\"; see `davit test --help`"},
	{"JSON where there is none",
	 &plain,
	 {"--json"},
	 "understand the command line: unknown option \"--json\"; see `davit test --help`"},
	{"a value that is missing",
	 &plain,
	 {"--dry-run", "--output"},
	 "understand the command line: no value after --output; see `davit test --help`"},
	{"a flag with a value",
	 &plain,
	 {"--dry-run=true"},
	 "understand the command line: --dry-run=true: --dry-run takes no value; see `davit test "
	 "--help`"},
	{"a value that isn't on the list",
	 &plain,
	 {"--format", "xml"},
	 "understand the command line: --format xml: it must be one of json|yaml; see `davit test --help`"},
	{"a value that is part of one",
	 &plain,
	 {"--format="},
	 "understand the command line: --format : it must be one of json|yaml; see `davit test --help`"},
	{"another word for true, as Go", &go, {"--dry-run=1"}, "dry-run "},
	{"a flag that is neither, as Go",
	 &go,
	 {"--dry-run=maybe"},
	 "understand the command line: --dry-run=maybe: --dry-run takes no value; see `davit test --help`"},
	{"another name of an option", &other, {"-o", "x"}, "output=x "},
	{"a refused option", &other, {"--csv=x"}, "take --csv; leave it out: no Tegra"},
	{"an unexpected word",
	 &plain,
	 {"x"},
	 "understand the command line: unexpected word x; see `davit test --help`"},
	{"a second word",
	 &engine,
	 {"docker", "podman"},
	 "understand the command line: unexpected word podman; see `davit test --help`"},
	{"a word that isn't on the list",
	 &engine,
	 {"lxc"},
	 "understand the command line: lxc: it must be one of docker|podman; see `davit test --help`"},
	{"a word that is missing",
	 &any,
	 {"--dry-run"},
	 "understand the command line: -- COMMAND... is missing; see `davit test --help`"},
};

static int parse(const struct command *command, const char *const *words, struct arena *arena,
		 struct arguments *arguments, struct error *err)
{
	char *argv[WORDS_MAX + 1] = {0};
	int argc = 0;

	for (; words[argc]; argc++)
		argv[argc] = arena_strdup(arena, words[argc]);
	return arguments_parse(command, "davit test", argc, argv, arena, arguments, err);
}

static void test_command_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_ARENA arena = {0};
		struct arguments arguments;
		struct error err = {0};
		char said[600] = "";
		int r = parse(cases[i].command, cases[i].words, &arena, &arguments, &err);

		describe(&arguments, r, &err, said, sizeof(said));
		if (strcmp(said, cases[i].expected) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", cases[i].name, said, cases[i].expected);
	}
}

/* Variables stand for options that aren't there; the first that is set and not empty counts. */
static void test_variables(void **state)
{
	static const struct {
		const char *variable, *value, *words[WORDS_MAX], *expected;
	} rows[] = {
		{"DAVIT_TEST_OUTPUT", "a", {0}, "output=a "},
		{"DAVIT_TEST_FILE", "b", {0}, "output=b "},
		{"DAVIT_TEST_OUTPUT", "", {0}, ""},
		{"DAVIT_TEST_OUTPUT", "a", {"--output=c"}, "output=c "},
		{"DAVIT_TEST_OUTPUT", "a", {"-o=c"}, "output=c "},
		{"DAVIT_TEST_DRY_RUN", "true", {0}, "dry-run "},
		{"DAVIT_TEST_DRY_RUN", "0", {0}, ""},
		{"DAVIT_TEST_DRY_RUN",
		 "maybe",
		 {0},
		 "understand the command line: DAVIT_TEST_DRY_RUN=maybe: it must be true or false; see "
		 "`davit test --help`"},
		{"DAVIT_TEST_FORMAT",
		 "xml",
		 {0},
		 "understand the command line: DAVIT_TEST_FORMAT=xml: it must be one of json|yaml; see `davit "
		 "test --help`"},
		{"DAVIT_TEST_CSV", "x", {0}, "take --csv; leave it out: no Tegra"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		AUTO_ARENA arena = {0};
		struct arguments arguments;
		struct error err = {0};
		char said[600] = "";
		int r;

		assert_int_equal(setenv(rows[i].variable, rows[i].value, 1), 0);
		r = parse(&other, rows[i].words, &arena, &arguments, &err);
		describe(&arguments, r, &err, said, sizeof(said));
		assert_int_equal(unsetenv(rows[i].variable), 0);
		if (strcmp(said, rows[i].expected) != 0)
			fail_msg("%s=%s: \"%s\", not \"%s\"", rows[i].variable, rows[i].value, said,
				 rows[i].expected);
	}
	/* A command of davit's own has none. */
	assert_int_equal(setenv("DAVIT_TEST_OUTPUT", "a", 1), 0);
	{
		static const char *const words[] = {NULL};
		AUTO_ARENA arena = {0};
		struct arguments arguments;
		struct error err = {0};

		assert_int_equal(parse(&plain, words, &arena, &arguments, &err), 0);
		assert_int_equal(arguments.options.count, 0);
	}
	assert_int_equal(unsetenv("DAVIT_TEST_OUTPUT"), 0);
}

static void test_values(void **state)
{
	static const char *const words[] = {"--output=a",   "--dry-run",    "--output=b",
					    "--spec-dir=c", "--spec-dir=d", NULL};
	AUTO_ARENA arena = {0};
	struct arguments arguments;
	struct error err = {0};
	struct strings directories = {0};

	(void)state;
	assert_int_equal(parse(&plain, words, &arena, &arguments, &err), 0);
	assert_string_equal(arguments_value(&arguments, "output"), "b");
	assert_null(arguments_value(&arguments, "format"));
	assert_true(arguments_flag(&arguments, "dry-run"));
	assert_false(arguments_flag(&arguments, "format"));
	assert_int_equal(arguments_values(&arguments, "spec-dir", &directories), 0);
	assert_int_equal(directories.count, 2);
	assert_string_equal(directories.items[0], "c");
	assert_string_equal(directories.items[1], "d");
}

/* ---- the tables ------------------------------------------------------------------------- */

static void check_summary(const char *command, const char *what, const char *summary)
{
	if (!summary || strlen(summary) > 80 || strchr(summary, '\n'))
		fail_msg("%s: %s has no summary of a line", command, what);
}

static void check_options(const struct command *command)
{
	for (const struct command_option *option = command->options; option && option->name;
	     option++) {
		if (option->summary)
			check_summary(command->name, option->name, option->summary);
		if ((option->kind == OPTION_FLAG) != !option->value)
			fail_msg("%s: --%s: only a flag has no value", command->name, option->name);
		if (command_find_option(command, option->name, strlen(option->name)) != option)
			fail_msg("%s: --%s stands twice", command->name, option->name);
	}
}

static void check_command(const struct command *command)
{
	check_summary(command->name, "it", command->summary);
	if (!command->example || strncmp(command->example, "davit ", 6) != 0)
		fail_msg("%s has no example", command->name);
	if ((command->words != NULL) != (command->words_max > 0))
		fail_msg("%s: words without a name, or the other way round", command->name);
	check_options(command);
	for (size_t i = 0; command->commands && command->commands[i]; i++) {
		check_command(command->commands[i]);
		if (command_find(command->commands, command->commands[i]->name) !=
		    command->commands[i])
			fail_msg("%s: %s stands twice", command->name, command->commands[i]->name);
	}
	if (!command->commands && (!command->run || !command->help))
		fail_msg("%s does or says nothing", command->name);
}

static void test_tables(void **state)
{
#define CHECK_COMMAND(name) check_command(&command_##name);
	(void)state;
	COMMANDS(CHECK_COMMAND)
}

/* NULL devices: refused. */
static const struct {
	const char *value, *devices, *capabilities;
} gpus_cases[] = {
	{"1", "0", NULL},
	{"3", "0,1,2", NULL},
	{"count=2", "0,1", NULL},
	{"\"count=2\"", "0,1", NULL},
	{"all", "all", NULL},
	{"-1", "all", NULL},
	{"device=1", "1", NULL},
	{"\"device=0,1\"", "0,1", NULL},
	{"device=0,1", "0,1", NULL},
	{"device=GPU-1074aade-e34c-4efc-662a-2954e7cab1dc",
	 "GPU-1074aade-e34c-4efc-662a-2954e7cab1dc", NULL},
	{"\"device=0:1,MIG-x\"", "0:1,MIG-x", NULL},
	{"driver=cdi,device=nvidia.com/gpu=0", "nvidia.com/gpu=0", NULL},
	{"nvidia.com/gpu=0", "nvidia.com/gpu=0", NULL},
	{"none", "none", NULL},
	{"void", "void", NULL},
	{"0,1", "0,1", NULL},
	{"driver=nvidia", "0", NULL},
	{"driver=nvidia,options=\"a=b\"", NULL, NULL},
	{"driver=nvidia,\"options=a=b,c=d\"", "0", NULL},
	{"all,capabilities=utility", "all", "utility"},
	{"all,capabilities=gpu", "all", NULL},
	{"\"capabilities=compute,gpu,utility\",device=0", "0", "compute,utility"},
	{"all,capabilities=all", "all", "all"},
	{"65536,device=0", NULL, NULL},
	{"65537", NULL, NULL},
	{"99999999999999999999", "99999999999999999999", NULL},
	{"0", NULL, NULL},
	{"", NULL, NULL},
	{",", NULL, NULL},
	{"all,", NULL, NULL},
	{"device=", NULL, NULL},
	{"count=", NULL, NULL},
	{"count=two", NULL, NULL},
	{"", NULL, NULL},
	{"count=1,count=1", NULL, NULL},
	{"count=1,device=0", NULL, NULL},
	{"devices=0", NULL, NULL},
	{"all,capabilities=warp", NULL, NULL},
	{"all,driver=amd", NULL, NULL},
	{"\"device=0", NULL, NULL},
	{"device=\"0,1\"", NULL, NULL},
	{"\"device=0\"1", NULL, NULL},
	{"\"device=\"\"0\"", "\"0", NULL},
};

static void test_gpus(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(gpus_cases); i++) {
		AUTO_ARENA arena = {0};
		struct try_request request = {0};
		struct error err = {0};
		const char *value = gpus_cases[i].value;
		int r = try_request_parse_gpus(value, &arena, &request, &err);

		if (!gpus_cases[i].devices) {
			if (r != -EINVAL || !strstr(err.message, value) || !err.fix[0])
				fail_msg("--gpus %s isn't refused: %d %s", value, r, err.message);
			continue;
		}
		if (r < 0)
			fail_msg("--gpus %s: %s", value, err.message);
		assert_string_equal(gpus_cases[i].devices, request.devices);
		assert_string_equal(value, request.gpus);
		if (gpus_cases[i].capabilities)
			assert_string_equal(gpus_cases[i].capabilities, request.capabilities);
		else
			assert_null(request.capabilities);
	}
}

static void test_capabilities(void **state)
{
	static const char *const good[] = {"compute", "all", "compute, utility", "", ",video"};
	static const char *const bad[] = {"warp", "compute,warp", "gpu", "Compute",
					  "compute utility"};
	AUTO_ARENA arena = {0};
	struct try_request request = {0};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(0,
				 try_request_parse_capabilities(good[i], &arena, &request, &err));
		assert_string_equal(good[i], request.capabilities);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(-EINVAL,
				 try_request_parse_capabilities(bad[i], &arena, &request, &err));
		assert_int_equal(ERROR_BAD_REQUEST, err.code);
		assert_non_null(strstr(err.message, "use --capabilities "));
		assert_non_null(strstr(err.message, bad[i]));
		assert_non_null(strstr(err.fix, "compute"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command_lines), cmocka_unit_test(test_variables),
		cmocka_unit_test(test_values),        cmocka_unit_test(test_tables),
		cmocka_unit_test(test_gpus),          cmocka_unit_test(test_capabilities),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
