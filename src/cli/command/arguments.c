// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* The options of every command; --json only if the table says so. */
static const struct command_option common[] = {
	{"config", OPTION_VALUE, "FILE", "the configuration to use (" CONFIG_PATH ")"},
	{"json", OPTION_FLAG, NULL, "print JSON"},
	{"help", OPTION_FLAG, NULL, "print this text"},
};
#define COMMON_CONFIG (&common[0])
#define COMMON_JSON (&common[1])
#define COMMON_HELP (&common[2])

/* ---- the table -------------------------------------------------------------------------- */

static bool has_own(const struct command *command, const char *name)
{
	for (const struct command_option *own = command->options; own && own->name; own++)
		if (strcmp(own->name, name) == 0)
			return true;
	return false;
}

/* A group doesn't read the configuration. Its commands do. */
static bool is_left_out(const struct command *command, const struct command_option *option)
{
	return has_own(command, option->name) || (option == COMMON_JSON && !command->json) ||
	       (option == COMMON_CONFIG && command->commands);
}

const struct command_option *command_next_option(const struct command *command,
						 const struct command_option *option)
{
	const struct command_option *next = option ? option + 1 : command->options;
	bool is_common = option == COMMON_CONFIG || option == COMMON_JSON || option == COMMON_HELP;

	if (!is_common && next && next->name)
		return next;
	for (size_t i = is_common ? (size_t)(next - common) : 0; i < ARRAY_SIZE(common); i++)
		if (!is_left_out(command, &common[i]))
			return &common[i];
	return NULL;
}

const struct command_option *command_find_option(const struct command *command, const char *name,
						 size_t length)
{
	const struct command_option *option = NULL;

	while ((option = command_next_option(command, option)))
		if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
			break;
	return option;
}

const struct option_more *command_more(const struct command *command,
				       const struct command_option *option)
{
	static const struct option_more none;

	for (const struct option_more *more = command->more; more && more->name; more++)
		if (strcmp(more->name, option->name) == 0)
			return more;
	return &none;
}

const struct command *command_find(const struct command *const *commands, const char *name)
{
	for (; *commands; commands++)
		if (strcmp((*commands)->name, name) == 0)
			return *commands;
	return NULL;
}

/* ---- the command line ------------------------------------------------------------------- */

struct parser {
	const struct command *command;
	struct arguments *arguments;
	struct error *err;
};

static int refuse(const struct parser *p, const char *format, ...) PRINTF_LIKE(2, 3);
static int refuse(const struct parser *p, const char *format, ...)
{
	char what[256];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	(void)error_set(p->err, ERROR_BAD_REQUEST, EINVAL, NULL, "understand the command line: %s",
			what);
	return error_fix(p->err, -EINVAL, "see `%s --help`", p->arguments->name);
}

static int refuse_option(const struct parser *p, const char *word, const char *name, size_t length)
{
	char asked[32] = "";
	const char *known[64], *nearest;
	size_t count = 0;
	int r = refuse(p, "unknown option \"%.100s\"", word);

	for (const struct command_option *option = NULL;
	     count < ARRAY_SIZE(known) && (option = command_next_option(p->command, option));)
		known[count++] = option->name;
	if (length < sizeof(asked))
		memcpy(asked, name, length);
	nearest = string_nearest(asked, known, count);
	return nearest ? error_fix(p->err, r, "did you mean \"--%s\"? see `%s --help`", nearest,
				   p->arguments->name)
		       : r;
}

/* "json|yaml" allows the two; anything else is a description. */
static bool is_allowed(const char *choices, const char *value)
{
	struct slice rest, choice;

	if (!choices || !strchr(choices, '|'))
		return true;
	rest = slice_from(choices);
	while (slice_next(&rest, '|', &choice))
		if (slice_equal(choice, value))
			return true;
	return false;
}

/* Whether the word is -name or --name; *ret_name is then the name. */
static bool is_option(const struct command *command, const char *word, const char **ret_name)
{
	if (word[0] != '-' || !word[1])
		return false;
	*ret_name = word + (word[1] == '-' ? 2 : 1);
	return word[1] == '-' || command->one_dash || strcmp(word, "-h") == 0;
}

static int keep(const struct parser *p, const struct command_option *option, const char *value)
{
	struct arguments *arguments = p->arguments;
	const struct option_more *more = command_more(p->command, option);
	struct argument *argument;

	if (more->refused)
		return error_set(p->err, ERROR_BAD_REQUEST, EINVAL, more->refused, "take --%s",
				 option->name);
	if (more->same_as)
		option = command_find_option(p->command, more->same_as, strlen(more->same_as));
	if (option == COMMON_CONFIG)
		arguments->config = value;
	else if (option == COMMON_JSON)
		arguments->json = true;
	else if (option == COMMON_HELP)
		arguments->help = true;
	else {
		argument = ARENA_PUSH(arguments->arena, &arguments->options);
		if (!argument)
			return error_memory(p->err);
		*argument = (struct argument){option, value};
	}
	return 0;
}

/* The words of Go's strconv.ParseBool. */
static int parse_word(const char *value, bool *ret)
{
	static const char *const words[] = {"0", "f", "F", "FALSE", "false", "False",
					    "1", "t", "T", "TRUE",  "true",  "True"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(value, words[i]) == 0) {
			*ret = i >= ARRAY_SIZE(words) / 2;
			return 0;
		}
	return -EINVAL;
}

/* --flag=false of Go's flags is as if it weren't there. */
static int keep_flag(const struct parser *p, const struct command_option *option, const char *word,
		     const char *value)
{
	bool yes = true;

	if (value && (!p->command->one_dash || parse_word(value, &yes) < 0))
		return refuse(p, "%.100s: --%s takes no value", word, option->name);
	return yes ? keep(p, option, NULL) : 0;
}

static int parse_option(const struct parser *p, const char *name, int argc, char **argv, int *at)
{
	const char *word = argv[*at], *value = strchr(name, '=');
	size_t length = value ? (size_t)(value - name) : strlen(name);
	const struct command_option *option = command_find_option(p->command, name, length);

	if (strcmp(word, "-h") == 0)
		option = COMMON_HELP;
	if (!option)
		return refuse_option(p, word, name, length);
	value = value ? value + 1 : NULL;
	if (option->kind == OPTION_FLAG)
		return keep_flag(p, option, word, value);
	if (!value) {
		if (*at + 1 == argc)
			return refuse(p, "no value after %s", word);
		value = argv[++*at];
	}
	if (!is_allowed(option->value, value))
		return refuse(p, "--%s %.100s: it must be one of %s", option->name, value,
			      option->value);
	return keep(p, option, value);
}

/* ---- what the environment says ---------------------------------------------------------- */

static const char *variable_value(struct slice name)
{
	for (char **at = environ; *at; at++)
		if (strncmp(*at, name.data, name.length) == 0 && (*at)[name.length] == '=')
			return *at + name.length + 1;
	return NULL;
}

static bool is_given(const struct arguments *arguments, const struct command_option *option)
{
	for (size_t i = 0; i < arguments->options.count; i++)
		if (arguments->options.items[i].option == option)
			return true;
	return false;
}

static int keep_variable(const struct parser *p, const struct command_option *option,
			 struct slice name, const char *value)
{
	bool yes;

	if (option->kind != OPTION_FLAG)
		return is_allowed(option->value, value)
			       ? keep(p, option, value)
			       : refuse(p, "%.*s=%.100s: it must be one of %s", (int)name.length,
					name.data, value, option->value);
	if (parse_word(value, &yes) < 0)
		return refuse(p, "%.*s=%.100s: it must be true or false", (int)name.length,
			      name.data, value);
	return yes ? keep(p, option, NULL) : 0;
}

static int take_variables(const struct parser *p)
{
	int r = 0;

	for (const struct command_option *option = p->command->options;
	     r == 0 && option && option->name; option++) {
		const char *variables = command_more(p->command, option)->variables;
		struct slice rest = slice_from(variables ? variables : ""), name;
		bool found = is_given(p->arguments, option);

		while (r == 0 && !found && slice_next(&rest, ',', &name)) {
			const char *value = variable_value(name);

			found = value && *value;
			if (found)
				r = keep_variable(p, option, name, value);
		}
	}
	return r;
}

static int check_words(const struct parser *p)
{
	const struct command *command = p->command;
	const struct strings *words = &p->arguments->words;

	if (words->count < (size_t)command->words_min)
		return refuse(p, "%s is missing", command->words);
	if (words->count > (size_t)command->words_max)
		return refuse(p, "unexpected word %.100s", words->items[command->words_max]);
	for (size_t i = 0; i < words->count; i++)
		if (!is_allowed(command->words, words->items[i]))
			return refuse(p, "%.100s: it must be one of %s", words->items[i],
				      command->words);
	return 0;
}

int arguments_parse(const struct command *command, const char *name, int argc, char **argv,
		    struct arena *arena, struct arguments *ret, struct error *err)
{
	struct parser p = {.command = command, .arguments = ret, .err = err};
	bool only_words = false;
	int r = 0;

	*ret = (struct arguments){.command = command, .name = name, .arena = arena};
	for (int i = 0; r == 0 && i < argc; i++) {
		const char *option;

		if (!only_words && strcmp(argv[i], "--") == 0)
			only_words = true;
		else if (!only_words && is_option(command, argv[i], &option))
			r = parse_option(&p, option, argc, argv, &i);
		else if (!only_words && argv[i][0] == '-' && argv[i][1])
			r = refuse_option(&p, argv[i], argv[i] + 1, strlen(argv[i] + 1));
		else if (strings_add(arena, &ret->words, argv[i]) < 0)
			r = error_memory(err);
		if (ret->help)
			return 0;
	}
	if (r == 0)
		r = take_variables(&p);
	return r < 0 ? r : check_words(&p);
}

/* ---- what it says ----------------------------------------------------------------------- */

bool arguments_flag(const struct arguments *arguments, const char *option)
{
	for (size_t i = 0; i < arguments->options.count; i++)
		if (strcmp(arguments->options.items[i].option->name, option) == 0)
			return true;
	return false;
}

const char *arguments_value(const struct arguments *arguments, const char *option)
{
	for (size_t i = arguments->options.count; i > 0; i--)
		if (strcmp(arguments->options.items[i - 1].option->name, option) == 0)
			return arguments->options.items[i - 1].value;
	return NULL;
}

int arguments_values(const struct arguments *arguments, const char *option, struct strings *ret)
{
	for (size_t i = 0; i < arguments->options.count; i++)
		if (strcmp(arguments->options.items[i].option->name, option) == 0 &&
		    strings_add(arguments->arena, ret, arguments->options.items[i].value) < 0)
			return -ENOMEM;
	return 0;
}
