// SPDX-License-Identifier: Apache-2.0
/*
 * A TOML text as lines: as much of the grammar as it takes to know which table a line belongs to,
 * and where values that take several lines end; values of some types.
 */
#pragma once

#include "davit/configure.h"

enum toml_kind {
	TOML_BLANK,    /* or a comment */
	TOML_TABLE,    /* [a.b] */
	TOML_ARRAY,    /* [[a.b]] */
	TOML_PAIR,     /* a.b = value */
	TOML_CONTINUED /* more of the value of the pair before */
};
struct toml_line {
	enum toml_kind kind;
	const char *text;            /* in the text that was parsed */
	size_t length;               /* with its newline */
	const struct strings *table; /* of a table its own path; of others the one they are in */
	struct strings keys;         /* of a pair */
	size_t value;                /* of a pair: the offset in `text` */
	size_t value_length;         /* over all its lines, without comment and blanks behind it */
};
struct toml {
	struct toml_line *items;
	size_t count, capacity;
};
/* -EINVAL with ERROR_BAD_CONFIG: line and column. */
int toml_parse(const char *text, const char *path, struct arena *arena, struct toml *ret,
	       struct error *err);
/* Whether a path is, or begins with, these names; NULL ends them. */
bool toml_path_is(const struct strings *path, const char *const *names);
bool toml_path_starts(const struct strings *path, const char *const *names);

/*
 * The value of a pair, when it is of that type: -EINVAL. Strings of one line, without escapes of
 * Unicode.
 */
int toml_bool(const struct toml_line *line, bool *ret);
int toml_string(const struct toml_line *line, struct arena *arena, const char **ret);
int toml_strings(const struct toml_line *line, struct arena *arena, struct strings *ret);
