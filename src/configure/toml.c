// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/json.h"
#include "toml.h"

struct parser {
	const char *text, *path;
	size_t at;
	struct arena *arena;
	struct error *err;
};

static int problem(const struct parser *p, size_t at, const char *what)
{
	return json_error_at(p->text, at, ERROR_BAD_CONFIG, p->path, what, p->err);
}

static void skip_blanks(struct parser *p)
{
	p->at += strspn(p->text + p->at, " \t");
}

static bool at_line_end(const struct parser *p)
{
	const char *at = p->text + p->at;

	return !*at || *at == '\n' || *at == '#' || (*at == '\r' && at[1] == '\n');
}

/* One part of a key: bare, "basic" or 'literal'. */
static int parse_part(struct parser *p, struct strings *ret)
{
	static const char bare[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	char quote = p->text[p->at];
	size_t start = p->at, length;
	const char *part;

	if (quote == '"' || quote == '\'') {
		start++;
		length = strcspn(p->text + start, quote == '"' ? "\"\\\n" : "'\n");
		if (p->text[start + length] == '\\')
			return problem(p, start + length, "a key with an escape isn't supported");
		if (p->text[start + length] != quote)
			return problem(p, start + length, "the quotation mark of a key is missing");
		p->at = start + length + 1;
	} else {
		length = strspn(p->text + start, bare);
		if (length == 0)
			return problem(p, start, "a key is missing");
		p->at = start + length;
	}
	part = arena_strndup(p->arena, p->text + start, length);
	return !part || strings_add(p->arena, ret, part) < 0 ? error_memory(p->err) : 0;
}

static int parse_key(struct parser *p, struct strings *ret)
{
	for (;;) {
		int r;

		skip_blanks(p);
		r = parse_part(p, ret);
		if (r < 0)
			return r;
		skip_blanks(p);
		if (p->text[p->at] != '.')
			return 0;
		p->at++;
	}
}

static int skip_string(struct parser *p)
{
	const char *at = p->text + p->at, quote = *at;
	const char triple[] = {quote, quote, quote, '\0'};
	bool several = strncmp(at, triple, 3) == 0;
	size_t start = p->at;

	p->at += several ? 3 : 1;
	for (; p->text[p->at]; p->at++) {
		at = p->text + p->at;
		if (*at == '\\' && quote == '"' && at[1]) {
			p->at++;
		} else if (several && strncmp(at, triple, 3) == 0) {
			/* Up to two quotation marks may stand before the closing ones. */
			p->at += 3;
			while (p->text[p->at] == quote)
				p->at++;
			return 0;
		} else if (!several && *at == quote) {
			p->at++;
			return 0;
		} else if (!several && *at == '\n') {
			break;
		}
	}
	return problem(p, start, "the end of a string is missing");
}

/* To the end of the value; in brackets, it may go over lines and have comments. */
static int skip_value(struct parser *p)
{
	size_t depth = 0, start = p->at;
	int r;

	if (at_line_end(p))
		return problem(p, p->at, "a value is missing");
	for (;;) {
		char c = p->text[p->at];

		if (c == '"' || c == '\'') {
			r = skip_string(p);
			if (r < 0)
				return r;
			continue;
		}
		if (depth == 0 && (at_line_end(p) || c == ' ' || c == '\t'))
			return 0;
		if (!c)
			return problem(p, start, "the end of an array is missing");
		if (c == '#') {
			p->at += strcspn(p->text + p->at, "\n");
			continue;
		}
		if (c == '[' || c == '{')
			depth++;
		if ((c == ']' || c == '}') && depth-- == 0)
			return problem(p, p->at, "a bracket that nothing opened");
		p->at++;
	}
}

static int parse_header(struct parser *p, struct toml_line *line)
{
	struct strings *table = arena_alloc(p->arena, sizeof(*table));
	bool array = p->text[p->at + 1] == '[';
	int r;

	if (!table)
		return error_memory(p->err);
	p->at += array ? 2 : 1;
	r = parse_key(p, table);
	if (r < 0)
		return r;
	if (strncmp(p->text + p->at, "]]", array ? 2 : 1) != 0)
		return problem(p, p->at, "a `]` is missing");
	p->at += array ? 2 : 1;
	line->kind = array ? TOML_ARRAY : TOML_TABLE;
	line->table = table;
	return 0;
}

static int parse_pair(struct parser *p, size_t start, struct toml_line *line)
{
	int r = parse_key(p, &line->keys);

	if (r < 0)
		return r;
	if (p->text[p->at] != '=')
		return problem(p, p->at, "a `=` is missing");
	p->at++;
	skip_blanks(p);
	line->kind = TOML_PAIR;
	line->value = p->at - start;
	r = skip_value(p);
	line->value_length = p->at - start - line->value;
	return r;
}

static int parse_line(struct parser *p, struct toml_line *line)
{
	size_t start = p->at;
	int r = 0;

	skip_blanks(p);
	line->text = p->text + start;
	if (p->text[p->at] == '[')
		r = parse_header(p, line);
	else if (!at_line_end(p))
		r = parse_pair(p, start, line);
	if (r < 0)
		return r;
	skip_blanks(p);
	if (!at_line_end(p))
		return problem(p, p->at, "something stands behind the end");
	p->at += strcspn(p->text + p->at, "\n");
	if (p->text[p->at])
		p->at++;
	return 0;
}

/* A value of several lines is as many lines here. */
static int split(struct toml *toml, struct toml_line *whole, size_t length, struct arena *arena)
{
	size_t done = 0;

	while (done < length) {
		const char *newline = memchr(whole->text + done, '\n', length - done);
		struct toml_line *line = ARENA_PUSH(arena, toml);

		if (!line)
			return -ENOMEM;
		*line = *whole;
		line->text = whole->text + done;
		line->length = newline ? (size_t)(newline + 1 - line->text) : length - done;
		if (done > 0)
			line->kind = TOML_CONTINUED;
		done += line->length;
	}
	return 0;
}

int toml_parse(const char *text, const char *path, struct arena *arena, struct toml *ret,
	       struct error *err)
{
	static const struct strings top;
	struct parser p = {.text = text, .path = path, .arena = arena, .err = err};
	const struct strings *table = &top;

	*ret = (struct toml){0};
	while (text[p.at]) {
		struct toml_line line = {.table = table};
		size_t start = p.at;
		int r = parse_line(&p, &line);

		if (r == 0 && split(ret, &line, p.at - start, arena) < 0)
			r = error_memory(err);
		if (r < 0)
			return r;
		table = line.table;
	}
	return 0;
}

bool toml_path_starts(const struct strings *path, const char *const *names)
{
	size_t i = 0;

	while (names[i] && i < path->count && string_equal(path->items[i], names[i]))
		i++;
	return !names[i];
}

bool toml_path_is(const struct strings *path, const char *const *names)
{
	size_t length = 0;

	while (names[length])
		length++;
	return length == path->count && toml_path_starts(path, names);
}
