// SPDX-License-Identifier: Apache-2.0
/* --help: usage, text, options and example, all from a command's table. */
#include <stdio.h>
#include <string.h>

#include "command.h"

static size_t option_width(const struct command_option *option)
{
	return strlen(option->name) + (option->value ? strlen(option->value) + 1 : 0);
}

static void print_options(const struct command *command)
{
	const struct command_option *option = NULL;
	size_t width = 0;

	while ((option = command_next_option(command, option)))
		if (option->summary && option_width(option) > width)
			width = option_width(option);
	while ((option = command_next_option(command, option)))
		if (option->summary)
			(void)printf("  --%s%s%-*s  %s\n", option->name, option->value ? " " : "",
				     (int)(width - strlen(option->name) - (option->value ? 1 : 0)),
				     option->value ? option->value : "", option->summary);
}

/* Options that scripts written for another program may give. */
static void print_ignored(const struct command *command)
{
	bool any = false;

	for (const struct command_option *own = command->options; own && own->name; own++)
		if (!own->summary && !command_more(command, own)->refused &&
		    !command_more(command, own)->same_as) {
			(void)printf("%s --%s",
				     any ? "," : "\nAccepted, but without effect:", own->name);
			any = true;
		}
	if (any)
		(void)putchar('\n');
}

/* Options of the other program that davit refuses. If one is given, its error says why. */
static void print_refused(const struct command *command)
{
	bool any = false;

	for (const struct option_more *more = command->more; more && more->name; more++)
		if (more->refused) {
			(void)printf("%s --%s", any ? "," : "\nNot supported:", more->name);
			any = true;
		}
	if (any)
		(void)putchar('\n');
}

static void print_commands(const struct command *const *commands)
{
	size_t width = 0;

	for (size_t i = 0; commands[i]; i++)
		if (strlen(commands[i]->name) > width)
			width = strlen(commands[i]->name);
	for (size_t i = 0; commands[i]; i++)
		(void)printf("  %-*s  %s\n", (int)width, commands[i]->name, commands[i]->summary);
}

int command_help(const struct command *command, const char *name)
{
	(void)printf("usage: %s %s[OPTION...]%s%s\n", name, command->commands ? "COMMAND " : "",
		     command->words ? " " : "", command->words ? command->words : "");
	if (command->help)
		(void)printf("\n%s", command->help);
	(void)putchar('\n');
	if (command->commands) {
		print_commands(command->commands);
		(void)printf("\nRun `%s COMMAND --help` for details.\n\n", name);
	}
	print_options(command);
	print_ignored(command);
	print_refused(command);
	if (command->example)
		(void)printf("\nexample: %s\n", command->example);
	return fflush(stdout) != 0;
}
