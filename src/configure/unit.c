// SPDX-License-Identifier: Apache-2.0
#include "unit.h"

#include <string.h>

#include "text.h"

#define BLANKS " \t\r"

/* ---- a file ----------------------------------------------------------------------------- */

/* Joins each line that ends with a backslash to the next one, and drops comments between them. */
static const char *join_lines(const char *text, struct arena *arena)
{
	struct text joined = {.arena = arena};
	struct slice rest = slice_from(text), line;
	bool within = false;

	while (slice_next(&rest, '\n', &line)) {
		struct slice trimmed = slice_trim(line);

		if (within && (slice_starts(trimmed, "#") || slice_starts(trimmed, ";")))
			continue;
		if (line.length && line.data[line.length - 1] == '\r')
			line.length--;
		within = line.length && line.data[line.length - 1] == '\\';
		text_add(&joined, line.data, line.length - within);
		text_add_string(&joined, within ? " " : "\n");
	}
	text_add_string(&joined, "");
	return joined.failed ? NULL : joined.data;
}

/* A value with the specifiers that name the same on every host. NULL: no memory. */
static const char *expand_specifiers(struct slice value, struct arena *arena)
{
	static const struct {
		char letter;
		const char *text;
	} specifiers[] = {{'%', "%"}, {'E', "/etc"}, {'t', "/run"}, {'S', "/var/lib"}};
	struct text text = {.arena = arena};

	for (size_t i = 0; i < value.length; i++) {
		const char *found = NULL;

		for (size_t j = 0;
		     value.data[i] == '%' && i + 1 < value.length && j < ARRAY_SIZE(specifiers);
		     j++)
			if (specifiers[j].letter == value.data[i + 1])
				found = specifiers[j].text;
		if (found)
			text_add_string(&text, found);
		else
			text_add(&text, &value.data[i], 1);
		i += found != NULL;
	}
	text_add_string(&text, "");
	return text.failed ? NULL : text.data;
}

/* Words with quotation marks and escapes. 0 or -ENOMEM. */
static int split(const char *value, struct arena *arena, struct strings *ret)
{
	const char *at = value;

	while (*(at += strspn(at, BLANKS))) {
		struct text word = {.arena = arena};
		char quote = '\0';

		text_add_string(&word, "");
		for (; *at && (quote || !strchr(BLANKS, *at)); at++) {
			if (*at == quote && quote) {
				quote = '\0';
			} else if (!quote && (*at == '"' || *at == '\'')) {
				quote = *at;
			} else if (*at == '\\' && at[1]) {
				at++;
				text_add(&word, *at == 's' ? " " : at, 1);
			} else {
				text_add(&word, at, 1);
			}
		}
		if (word.failed || strings_add(arena, ret, word.data) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* An empty value takes back all earlier ones. */
static int set(struct slice key, const char *value, struct arena *arena, struct unit *unit)
{
	if (slice_equal(key, "ExecStart")) {
		unit->command = *value ? value : NULL;
	} else if (slice_equal(key, "WorkingDirectory")) {
		value += *value == '-';
		unit->folder = *value == '/' ? value : NULL;
		unit->elsewhere |= *value == '~';
	} else if (slice_equal(key, "RootDirectory") || slice_equal(key, "RootImage")) {
		unit->elsewhere |= *value && strcmp(value, "/") != 0;
	} else if (slice_equal(key, "Environment")) {
		if (*value)
			return split(value, arena, &unit->variables);
		unit->variables = (struct strings){0};
	} else if (slice_equal(key, "EnvironmentFile")) {
		if (*value)
			return strings_add(arena, &unit->files, value + (*value == '-'));
		unit->files = (struct strings){0};
	}
	return 0;
}

int unit_read(const char *text, struct arena *arena, struct unit *unit)
{
	const char *joined = join_lines(text, arena);
	struct slice rest = slice_from(joined ? joined : ""), line, key;
	bool service = false;
	int r = joined ? 0 : -ENOMEM;

	while (r == 0 && slice_next(&rest, '\n', &line)) {
		const char *value;

		line = slice_trim(line);
		if (slice_starts(line, "[")) {
			service = slice_equal(line, "[Service]");
			continue;
		}
		if (!service || slice_starts(line, "#") || slice_starts(line, ";") ||
		    !memchr(line.data, '=', line.length))
			continue;
		(void)slice_next(&line, '=', &key);
		value = expand_specifiers(slice_trim(line), arena);
		r = value ? set(slice_trim(key), value, arena, unit) : -ENOMEM;
	}
	return r;
}

int unit_read_variables(const char *text, struct arena *arena, struct unit *unit)
{
	const char *joined = join_lines(text, arena);
	struct slice rest = slice_from(joined ? joined : ""), line;
	int r = joined ? 0 : -ENOMEM;

	while (r == 0 && slice_next(&rest, '\n', &line)) {
		struct slice key;
		const char *made;

		line = slice_trim(line);
		if (slice_starts(line, "#") || slice_starts(line, ";") ||
		    !memchr(line.data, '=', line.length))
			continue;
		(void)slice_next(&line, '=', &key);
		line = slice_trim(line);
		if (line.length > 1 && (line.data[0] == '"' || line.data[0] == '\'') &&
		    line.data[line.length - 1] == line.data[0])
			line = (struct slice){line.data + 1, line.length - 2};
		key = slice_trim(key);
		made = arena_printf(arena, "%.*s=%.*s", (int)key.length, key.data, (int)line.length,
				    line.data);
		r = made ? strings_add(arena, &unit->variables, made) : -ENOMEM;
	}
	return r;
}

/* ---- the command ------------------------------------------------------------------------ */

/* The last value of that name, or NULL. */
static const char *find_variable(const struct unit *unit, const char *name, size_t length)
{
	for (size_t i = unit->variables.count; i-- > 0;) {
		const char *item = unit->variables.items[i];

		if (strncmp(item, name, length) == 0 && item[length] == '=')
			return item + length + 1;
	}
	return NULL;
}

const char *unit_variable(const struct unit *unit, const char *name)
{
	return find_variable(unit, name, strlen(name));
}

static const char *variable(const struct unit *unit, const char *name, size_t length)
{
	const char *value = find_variable(unit, name, length);

	return value ? value : "";
}

/* A word with its ${NAME}. */
static int add_expanded(const struct unit *unit, const char *word, struct arena *arena,
			struct strings *ret)
{
	struct text text = {.arena = arena};

	text_add_string(&text, "");
	while (*word) {
		const char *end = word[0] == '$' && word[1] == '{' ? strchr(word, '}') : NULL;

		if (end)
			text_add_string(&text, variable(unit, word + 2, (size_t)(end - word) - 2));
		else
			text_add(&text, word, 1);
		word = end ? end + 1 : word + (word[0] == '$' && word[1] == '$' ? 2 : 1);
	}
	return text.failed ? -ENOMEM : strings_add(arena, ret, text.data);
}

int unit_words(const struct unit *unit, struct arena *arena, struct strings *ret)
{
	const char *command = unit->command ? unit->command : "";
	size_t prefix = strspn(command, "@-:+!|");
	bool plain = memchr(command, ':', prefix), renamed = memchr(command, '@', prefix);
	struct strings words = {0};
	int r = split(command + prefix, arena, &words);

	*ret = (struct strings){0};
	for (size_t i = 0; r == 0 && i < words.count; i++) {
		const char *word = words.items[i];

		/* The process's name, in the place of the program's path. */
		if (i == 1 && renamed)
			continue;
		/* $NAME as a word of its own becomes as many words as its value has. */
		if (!plain && word[0] == '$' && word[1] != '{' && word[1] != '$' && word[1])
			r = split(variable(unit, word + 1, strlen(word + 1)), arena, ret);
		else if (!plain)
			r = add_expanded(unit, word, arena, ret);
		else
			r = strings_add(arena, ret, word);
	}
	return r;
}
