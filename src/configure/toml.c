// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/json.h"
#include "toml_parser.h"

/* ---- the tree while it grows ------------------------------------------------------------ */

int toml_problem(const struct toml_parser *p, size_t at, const char *what)
{
	int r = json_error_at(p->text, at, ERROR_BAD_CONFIG, p->path, what, p->err);

	return error_fix(p->err, r, "correct that line of %s", p->path);
}

int toml_add(struct toml_parser *p, struct toml_node *parent, size_t at, struct toml_node *node)
{
	if (++p->nodes > TOML_NODES_MAX)
		return toml_problem(p, at, "the file has too many values");
	if (node->key && parent->count >= TOML_MEMBERS_MAX)
		return toml_problem(p, at, "a table has too many keys");
	toml_append(parent, node);
	return 0;
}

static int add_new(struct toml_parser *p, struct toml_node *parent, const char *key,
		   enum toml_type type, enum toml_origin origin, struct toml_node **ret)
{
	struct toml_node *node = arena_alloc(p->arena, sizeof(*node));

	if (!node) {
		(void)error_memory(p->err);
		return -ENOMEM;
	}
	*node = (struct toml_node){.type = type, .origin = origin, .key = key};
	*ret = node;
	return toml_add(p, parent, p->at, node);
}

/* The table that a part of a header leads into: of an array of tables the last one. */
static int enter_for_header(struct toml_parser *p, struct toml_node **table, const char *key)
{
	struct toml_node *next = toml_member(*table, key);

	if (!next)
		return add_new(p, *table, key, TOML_TABLE, TOML_IMPLIED, table);
	if (next->type == TOML_ARRAY && next->origin == TOML_TABLES)
		next = next->last;
	if (next->type != TOML_TABLE || next->origin == TOML_VALUE)
		return toml_problem(p, p->at,
				    "part of this name is not a table that can be extended");
	*table = next;
	return 0;
}

static int open_table(struct toml_parser *p, struct toml_node *parent, const char *key)
{
	struct toml_node *table = toml_member(parent, key);

	p->table = table;
	if (!table)
		return add_new(p, parent, key, TOML_TABLE, TOML_HEADER, &p->table);
	if (table->type != TOML_TABLE || table->origin != TOML_IMPLIED)
		return toml_problem(p, p->at, "this table was already defined");
	table->origin = TOML_HEADER;
	return 0;
}

static int open_array(struct toml_parser *p, struct toml_node *parent, const char *key)
{
	struct toml_node *array = toml_member(parent, key);
	int r = 0;

	if (!array)
		r = add_new(p, parent, key, TOML_ARRAY, TOML_TABLES, &array);
	else if (array->type != TOML_ARRAY || array->origin != TOML_TABLES)
		return toml_problem(p, p->at, "this name was already defined as something else");
	return r < 0 ? r : add_new(p, array, NULL, TOML_TABLE, TOML_HEADER, &p->table);
}

/* ---- keys ------------------------------------------------------------------------------- */

static void skip_blanks(struct toml_parser *p)
{
	p->at += strspn(p->text + p->at, " \t");
}

static bool at_line_end(const struct toml_parser *p)
{
	const char *at = p->text + p->at;

	return !*at || *at == '\n' || (*at == '\r' && at[1] == '\n');
}

/* One part of a key: bare, "basic" or 'literal'. */
static int parse_part(struct toml_parser *p, struct strings *ret)
{
	char quote = p->text[p->at];
	const char *part = NULL;
	size_t length;
	int r = 0;

	if (ret->count >= TOML_DEPTH_MAX)
		return toml_problem(p, p->at, "a key has too many parts");
	if (quote == '"' || quote == '\'') {
		r = toml_parse_string(p, false, &part);
	} else {
		length = strspn(p->text + p->at, TOML_BARE);
		if (length == 0)
			return toml_problem(p, p->at, "a key is missing");
		part = arena_strndup(p->arena, p->text + p->at, length);
		p->at += length;
	}
	if (r < 0)
		return r;
	return !part || strings_add(p->arena, ret, part) < 0 ? error_memory(p->err) : 0;
}

static int parse_key(struct toml_parser *p, struct strings *ret)
{
	*ret = (struct strings){0};
	for (;;) {
		int r;

		skip_blanks(p);
		r = parse_part(p, ret);
		if (r < 0)
			return r;
		if (!ret->items)
			return -ENOMEM;
		skip_blanks(p);
		if (p->text[p->at] != '.')
			return 0;
		p->at++;
	}
}

/* ---- statements ------------------------------------------------------------------------- */

/* Blanks, a comment and the end of the line, or of the text. */
static int end_line(struct toml_parser *p)
{
	skip_blanks(p);
	if (p->text[p->at] == '#') {
		int r = toml_skip_comment(p);

		if (r < 0)
			return r;
	}
	if (!at_line_end(p))
		return toml_problem(p, p->at, "unexpected text after the value");
	p->at += p->text[p->at] == '\r';
	p->at += p->text[p->at] == '\n';
	return 0;
}

static size_t depth_of(const struct toml_node *node)
{
	size_t depth = 0;

	for (; node->parent; node = node->parent)
		depth++;
	return depth;
}

static int parse_header(struct toml_parser *p)
{
	bool array = p->text[p->at + 1] == '[';
	struct toml_node *parent = p->top;
	struct strings keys;
	int r;

	p->at += array ? 2 : 1;
	r = parse_key(p, &keys);
	if (r == 0 && strncmp(p->text + p->at, "]]", array ? 2 : 1) != 0)
		r = toml_problem(p, p->at, "a `]` is missing");
	for (size_t i = 0; r == 0 && i + 1 < keys.count; i++)
		r = enter_for_header(p, &parent, keys.items[i]);
	if (r == 0)
		r = array ? open_array(p, parent, keys.items[keys.count - 1])
			  : open_table(p, parent, keys.items[keys.count - 1]);
	if (r == 0 && depth_of(p->table) > TOML_DEPTH_MAX)
		r = toml_problem(p, p->at, "the file is nested too deeply");
	if (r < 0)
		return r;
	p->at += array ? 2 : 1;
	return end_line(p);
}

int toml_parse_pair(struct toml_parser *p, struct toml_node *table, size_t depth,
		    struct toml_node **ret)
{
	struct strings keys;
	size_t start = p->at;
	int r = parse_key(p, &keys);

	for (size_t i = 0; r == 0 && i + 1 < keys.count; i++) {
		struct toml_node *next = toml_member(table, keys.items[i]);

		if (!next)
			r = add_new(p, table, keys.items[i], TOML_TABLE, TOML_DOTTED, &next);
		else if (next->type != TOML_TABLE || next->origin != TOML_DOTTED)
			r = toml_problem(p, start, "part of this key was already defined");
		table = next;
	}
	if (r == 0 && toml_member(table, keys.items[keys.count - 1]))
		r = toml_problem(p, start, "this key was already defined");
	if (r == 0 && p->text[p->at] != '=')
		r = toml_problem(p, p->at, "a `=` is missing");
	if (r < 0)
		return r;
	p->at++;
	skip_blanks(p);
	r = toml_parse_value(p, depth + keys.count, ret);
	if (r < 0)
		return r;
	(*ret)->key = keys.items[keys.count - 1];
	return toml_add(p, table, start, *ret);
}

static int parse_statement(struct toml_parser *p)
{
	size_t start = p->at;
	struct toml_node *node;
	int r;

	skip_blanks(p);
	if (at_line_end(p) || p->text[p->at] == '#')
		return end_line(p);
	if (p->text[p->at] == '[') {
		r = parse_header(p);
		node = p->table;
	} else {
		r = toml_parse_pair(p, p->table, depth_of(p->table), &node);
		if (r == 0)
			r = end_line(p);
	}
	if (r == 0)
		node->lines = (struct slice){p->text + start, p->at - start};
	return r;
}

/* The length of a character of UTF-8, or 0. */
static size_t character_length(const unsigned char *at)
{
	uint32_t value;
	size_t length = at[0] < 0x80   ? 1
			: at[0] < 0xc2 ? 0
			: at[0] < 0xe0 ? 2
			: at[0] < 0xf0 ? 3
			: at[0] < 0xf5 ? 4
				       : 0;

	if (length < 2)
		return length;
	value = at[0] & (0x7fU >> length);
	for (size_t i = 1; i < length; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (at[i] & 0x3f);
	}
	if ((length == 3 && value < 0x800) ||
	    (length == 4 && (value < 0x10000 || value > 0x10ffff)))
		return 0;
	return value >= 0xd800 && value < 0xe000 ? 0 : length;
}

static int check_characters(const struct toml_parser *p)
{
	for (size_t at = 0; p->text[at];) {
		size_t length = character_length((const unsigned char *)p->text + at);

		if (length == 0)
			return toml_problem(p, at, "a character is not UTF-8");
		at += length;
	}
	return 0;
}

int toml_parse(const char *text, const char *path, struct arena *arena, struct toml_node **ret,
	       struct error *err)
{
	struct toml_parser p = {.text = text, .path = path, .arena = arena, .err = err};
	int r = check_characters(&p);

	p.top = p.table = toml_new_table(arena);
	if (r == 0 && !p.top)
		return error_memory(err);
	/* A byte order mark, as Windows' editors write it. */
	if (string_starts(text, "\xef\xbb\xbf"))
		p.at = 3;
	while (r == 0 && text[p.at])
		r = parse_statement(&p);
	if (r == 0)
		*ret = p.top;
	return r;
}
