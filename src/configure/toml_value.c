// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/json.h"
#include "toml.h"

int toml_bool(const struct toml_line *line, bool *ret)
{
	struct slice value = {line->text + line->value, line->value_length};

	*ret = slice_equal(value, "true");
	return *ret || slice_equal(value, "false") ? 0 : -EINVAL;
}

/* One character of a basic string: the escapes that aren't of Unicode. */
static int unescape(char escape, char *ret)
{
	static const char escapes[] = "btnfr\"\\", characters[] = "\b\t\n\f\r\"\\";
	const char *at = escape ? strchr(escapes, escape) : NULL;

	if (!at)
		return -EINVAL;
	*ret = characters[at - escapes];
	return 0;
}

/* "basic" or 'literal', of one line. The length that it takes, or -errno. */
static ssize_t parse_string(const char *text, size_t length, struct arena *arena, const char **ret)
{
	char quote = text[0]; /* a value has one character at least */
	char *made = arena_alloc(arena, length + 1);
	size_t at = 1, size = 0;

	if (!made)
		return -ENOMEM;
	if ((quote != '"' && quote != '\'') ||
	    (length >= 3 && text[1] == quote && text[2] == quote))
		return -EINVAL;
	for (; at < length && text[at] != quote; at++) {
		made[size] = text[at];
		if (quote == '"' && text[at] == '\\' &&
		    (++at == length || unescape(text[at], &made[size]) < 0))
			return -EINVAL;
		size++;
	}
	*ret = made;
	return at < length ? (ssize_t)at + 1 : -EINVAL;
}

int toml_string(const struct toml_line *line, struct arena *arena, const char **ret)
{
	ssize_t used = parse_string(line->text + line->value, line->value_length, arena, ret);

	if (used < 0)
		return (int)used;
	return (size_t)used == line->value_length ? 0 : -EINVAL;
}

/* Blanks, newlines and comments between the items of an array. */
static size_t skip_blanks(const char *text, size_t length, size_t at)
{
	for (; at < length; at++) {
		if (text[at] == '#')
			while (at + 1 < length && text[at + 1] != '\n')
				at++;
		else if (!strchr(" \t\r\n", text[at]))
			break;
	}
	return at;
}

int toml_strings(const struct toml_line *line, struct arena *arena, struct strings *ret)
{
	const char *text = line->text + line->value;
	size_t length = line->value_length, at;

	*ret = (struct strings){0};
	if (length < 2 || text[0] != '[')
		return -EINVAL;
	for (at = skip_blanks(text, length, 1); at < length && text[at] != ']';) {
		const char *item;
		ssize_t used = parse_string(text + at, length - at, arena, &item);

		if (used < 0)
			return (int)used;
		if (strings_add(arena, ret, item) < 0)
			return -ENOMEM;
		at = skip_blanks(text, length, at + (size_t)used);
		if (at < length && text[at] == ',')
			at = skip_blanks(text, length, at + 1);
		else if (at == length || text[at] != ']')
			return -EINVAL;
	}
	return at + 1 == length ? 0 : -EINVAL;
}
