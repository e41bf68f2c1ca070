// SPDX-License-Identifier: Apache-2.0
/* From a command line to the command that it means. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

static void print_usage(const struct error *err)
{
	char line[ERROR_LINE_MAX];

	error_line(err, line);
	(void)fprintf(stderr, "%s\n", line);
}

int usage_error(const struct arguments *arguments, const char *format, ...)
{
	struct error err;
	char what[256];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	(void)error_set(&err, ERROR_BAD_REQUEST, EINVAL, NULL, "understand the command line: %s",
			what);
	(void)error_fix(&err, 0, "see `%s --help`", arguments->name);
	print_usage(&err);
	return EXIT_USAGE;
}

int cli_version(const struct arguments *arguments)
{
	if (!arguments_flag(arguments, "version"))
		return usage_error(arguments, "no command is named");
	return puts("davit " DAVIT_VERSION) < 0;
}

/* "cdi help generate": of a group's own, or one of its commands. */
static int help_of(const struct arguments *arguments, int argc, char **argv)
{
	const struct command *group = arguments->command;
	const struct command *command = argc > 1 ? command_find(group->commands, argv[1]) : NULL;

	return command_help(command ? command : group, arguments->name);
}

/* NULL: none is close. */
static const char *nearest_command(const struct command *group, const char *word)
{
	const char *known[32];
	size_t count = 0;

	while (count < ARRAY_SIZE(known) && group->commands[count]) {
		known[count] = group->commands[count]->name;
		count++;
	}
	return string_nearest(word, known, count);
}

static int refuse_command(const struct arguments *arguments, const char *word)
{
	const char *nearest = nearest_command(arguments->command, word);
	struct error err;

	(void)error_set(&err, ERROR_BAD_REQUEST, EINVAL, NULL,
			"understand the command line: unknown command \"%.100s\"", word);
	if (nearest)
		(void)error_fix(&err, 0, "did you mean \"%s\"? see `%s --help`", nearest,
				arguments->name);
	else
		(void)error_fix(&err, 0, "see `%s --help`", arguments->name);
	print_usage(&err);
	return EXIT_USAGE;
}

/* The options before the first word are the group's. */
static int run_group(struct arguments *arguments, int argc, char **argv)
{
	const struct command *group = arguments->command, *command;
	const char *name;

	if (group->before)
		group->before(arguments);
	if (group->help_without &&
	    ((argc == 0 && !arguments_flag(arguments, "version")) ||
	     (argc > 0 && (strcmp(argv[0], "help") == 0 || strcmp(argv[0], "h") == 0))))
		return help_of(arguments, argc, argv);
	if (argc == 0)
		return group->run ? group->run(arguments)
				  : usage_error(arguments, "no command is named");
	command = command_find(group->commands, argv[0]);
	if (command) {
		name = arena_printf(arguments->arena, "%s %s", arguments->name, argv[0]);
		return name ? command_run(command, name, argc - 1, argv + 1) : 1;
	}
	return refuse_command(arguments, argv[0]);
}

/* The number of words that are the group's options and their values. */
static int count_options(const struct command *group, int argc, char **argv)
{
	int count = 0;

	while (count < argc && argv[count][0] == '-') {
		const char *name = argv[count] + strspn(argv[count], "-");
		const struct command_option *option =
			command_find_option(group, name, strlen(name));

		count += option && option->kind != OPTION_FLAG ? 2 : 1;
	}
	return count < argc ? count : argc;
}

int command_run(const struct command *command, const char *name, int argc, char **argv)
{
	AUTO_ARENA arena = {0};
	struct arguments arguments;
	struct error err = {0};
	int own = argc;

	if (command->commands)
		own = count_options(command, argc, argv);
	if (arguments_parse(command, name, own, argv, &arena, &arguments, &err) < 0) {
		print_usage(&err);
		return EXIT_USAGE;
	}
	if (arguments.help)
		return command_help(command, name);
	return command->commands ? run_group(&arguments, argc - own, argv + own)
				 : command->run(&arguments);
}
