// SPDX-License-Identifier: Apache-2.0
/*
 * What a command is, and how its command line is read. Each command's file owns its table; a line
 * in commands.h makes it known. --help, usage errors and completion come from the tables alone.
 */
#pragma once

#include <limits.h>

#include "davit/base.h"

#define EXIT_USAGE 2

enum option_kind {
	OPTION_FLAG,
	OPTION_VALUE,   /* takes a value; the last one counts */
	OPTION_REPEATED /* takes a value, and may be repeated */
};
struct command_option {
	const char *name; /* "dry-run"; NULL ends a table */
	enum option_kind kind;
	/*
	 * What help calls the value. FILE and DIR are completed so; "json|yaml" are the only ones
	 * allowed.
	 */
	const char *value;
	const char *summary; /* one line; NULL: accepted, but without meaning for davit */
};

/* Additional properties of options that come from another program, nvidia-ctk. */
struct option_more {
	const char *name;    /* of the option; NULL ends a table */
	const char *same_as; /* the option that it is another name of; or NULL */
	/*
	 * Environment variables that replace a missing option, as "A,B", or NULL. The first one
	 * that is set and not empty is used.
	 */
	const char *variables;
	const char *refused; /* the reason that davit prints if the option is given; or NULL */
};

#define WORDS_ANY INT_MAX

struct arguments;
struct command {
	const char *name;
	const char *summary; /* one line */
	const char *help;    /* paragraphs of up to 100 columns, each with its \n */
	const char *example; /* a command line */
	const struct command_option *options; /* besides --config, --json and --help; or NULL */
	const struct option_more *more;       /* for some of the options; or NULL */
	/*
	 * The group's commands, ending with NULL; the first word names one. `run`, if any, is for a
	 * command line without a word. Or NULL.
	 */
	const struct command *const *commands;
	const char *words;        /* what help calls the words, or "a|b": those allowed */
	int words_min, words_max; /* how many */
	bool json;                /* it has --json */
	bool one_dash;            /* as Go's flags: -name is --name, and --flag=false */
	bool help_without;        /* without any word it prints --help, and succeeds */
	void (*before)(const struct arguments *arguments); /* of a group: before its command runs */
	int (*run)(const struct arguments *arguments);     /* the exit code */
};

struct argument {
	const struct command_option *option;
	const char *value; /* NULL for a flag */
};
/* What a command line says. */
struct arguments {
	const struct command *command;
	const char *name; /* as the user calls it: "davit cdi generate" */
	bool json, help;
	const char *config; /* --config FILE, or NULL */
	struct {
		struct argument *items;
		size_t count, capacity;
	} options; /* in their order */
	struct strings words;
	struct arena *arena; /* lives until the command has returned */
};

/*
 * `argv` follows the command's name. "--option=value" and "--option value" are accepted, "--" ends
 * the options, and with --help the rest has no effect. The strings in `ret` are those of argv. 0,
 * -EINVAL (a usage error) or -ENOMEM.
 */
int arguments_parse(const struct command *command, const char *name, int argc, char **argv,
		    struct arena *arena, struct arguments *ret, struct error *err);
/* The option of that name, including those that every command has; or NULL. */
const struct command_option *command_find_option(const struct command *command, const char *name,
						 size_t length);
/* The option after `option`, the command's own ones first. NULL begins and ends the list. */
const struct command_option *command_next_option(const struct command *command,
						 const struct command_option *option);
/* The option's additional properties; never NULL. */
const struct option_more *command_more(const struct command *command,
				       const struct command_option *option);
/* The command of that name in a NULL-ended list, or NULL. */
const struct command *command_find(const struct command *const *commands, const char *name);

bool arguments_flag(const struct arguments *arguments, const char *option);
/* The last value that was given, or NULL. */
const char *arguments_value(const struct arguments *arguments, const char *option);
/* All of them. 0 or -ENOMEM. */
int arguments_values(const struct arguments *arguments, const char *option, struct strings *ret);

/* Prints --help from the table. Returns the exit code. */
int command_help(const struct command *command, const char *name);
/* Candidates for the last of the words that follow the command: what completions/ has a use for. */
int command_complete(const struct command *command, int argc, char **argv);
/* Reads the command line, and runs the command or one of its group. Returns the exit code. */
int command_run(const struct command *command, const char *name, int argc, char **argv);
/*
 * "davit: cannot understand the command line: FORMAT (fix: see `NAME --help`)" on stderr. Returns
 * EXIT_USAGE.
 */
int usage_error(const struct arguments *arguments, const char *format, ...) PRINTF_LIKE(2, 3);
