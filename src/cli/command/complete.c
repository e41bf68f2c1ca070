// SPDX-License-Identifier: Apache-2.0
/*
 * `davit --complete WORD...`: what the last word may become, for the scripts in completions/. A
 * line each, a tab and its summary behind it; or ":file" and ":directory", which shells know best.
 */
#include <stdio.h>
#include <string.h>

#include "command.h"

/* The position that the words before the last one lead to. */
struct position {
	const struct command *command;       /* NULL: nowhere */
	const struct command_option *option; /* the option whose value comes next; or NULL */
	bool only_words;
	size_t words;
};

static void offer(const char *before, const char *name, size_t length, const char *summary,
		  const char *prefix)
{
	char candidate[128];

	(void)snprintf(candidate, sizeof(candidate), "%s%.*s", before, (int)length, name);
	if (string_starts(candidate, prefix))
		(void)printf("%s%s%s\n", candidate, summary ? "\t" : "", summary ? summary : "");
}

/* By what help calls a value; `before` is "--option=" or nothing. */
static void offer_values(const char *called, const char *before, const char *prefix)
{
	struct slice rest = slice_from(called), choice;

	if (strchr(called, '|'))
		while (slice_next(&rest, '|', &choice))
			offer(before, choice.data, choice.length, NULL, prefix);
	else if (strstr(called, "FILE"))
		(void)puts(":file");
	else if (strstr(called, "DIR"))
		(void)puts(":directory");
}

static void offer_options(const struct command *command, const char *prefix)
{
	const struct command_option *option = NULL;

	while ((option = command_next_option(command, option)))
		if (option->summary)
			offer("--", option->name, strlen(option->name), option->summary, prefix);
}

static void offer_last(const struct position *position, const char *word)
{
	const struct command *command = position->command;
	const char *equals = strchr(word, '=');
	bool no_words = !command->commands && position->words >= (size_t)command->words_max;
	char before[64];

	if (position->option) {
		offer_values(position->option->value, "", word);
	} else if (!position->only_words && word[0] == '-' && equals) {
		const struct command_option *option =
			strncmp(word, "--", 2) == 0
				? command_find_option(command, word + 2,
						      (size_t)(equals - word - 2))
				: NULL;

		(void)snprintf(before, sizeof(before), "%.*s", (int)(equals + 1 - word), word);
		if (option && option->value)
			offer_values(option->value, before, word);
	} else if (!position->only_words && (word[0] == '-' || (!word[0] && no_words))) {
		offer_options(command, word);
	} else if (command->commands) {
		for (size_t i = 0; command->commands[i]; i++)
			offer("", command->commands[i]->name, strlen(command->commands[i]->name),
			      command->commands[i]->summary, word);
	} else if (position->words < (size_t)command->words_max) {
		offer_values(command->words, "", word);
	}
}

static void take_option(struct position *position, const char *word)
{
	const char *name = word + strspn(word, "-");
	const struct command_option *option =
		command_find_option(position->command, name, strcspn(name, "="));

	if (option && option->value && !strchr(name, '='))
		position->option = option;
}

/* bash makes three words of "--option=value". */
static void take_word(struct position *position, const char *word)
{
	if (position->option && strcmp(word, "=") == 0)
		return;
	if (position->option) {
		position->option = NULL;
	} else if (!position->only_words && strcmp(word, "--") == 0) {
		position->only_words = true;
	} else if (!position->only_words && word[0] == '-') {
		take_option(position, word);
	} else if (position->command->commands) {
		position->command = command_find(position->command->commands, word);
	} else {
		position->words++;
	}
}

int command_complete(const struct command *command, int argc, char **argv)
{
	struct position position = {.command = command};

	for (int i = 0; i + 1 < argc && position.command; i++)
		take_word(&position, argv[i]);
	if (position.command)
		offer_last(&position, argc > 0 ? argv[argc - 1] : "");
	return fflush(stdout) != 0;
}
