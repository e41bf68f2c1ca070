// SPDX-License-Identifier: Apache-2.0
/*
 * Files and blocks that davit writes and that others edit. A checksum of each of davit's lines
 * stands in the file, so that they can be told from all others, whatever davit would write today.
 */
#include <stdio.h>
#include <string.h>

#include "own_lines.h"

#define SUMS "# Checksums of davit's lines:"
#define SUMS_PER_LINE 7
#define SUM_DIGITS 8

/* ---- checksums -------------------------------------------------------------------------- */

/* FNV-1a with 32 bits, over a path and a value: it tells edited lines, and protects nothing. */
uint32_t own_sum(const char *path, struct slice value)
{
	uint32_t sum = 2166136261U;

	for (; *path; path++)
		sum = (sum ^ (unsigned char)*path) * 16777619U;
	sum *= 16777619U;
	for (size_t i = 0; i < value.length; i++)
		sum = (sum ^ (unsigned char)value.data[i]) * 16777619U;
	return sum;
}

bool own_has_sum(const struct own_sums *sums, uint32_t sum)
{
	for (size_t i = 0; i < sums->count; i++)
		if (sums->items[i] == sum)
			return true;
	return false;
}

int own_add_sum(struct own_sums *sums, uint32_t sum, struct arena *arena)
{
	uint32_t *item = ARENA_PUSH(arena, sums);

	if (!item)
		return -ENOMEM;
	*item = sum;
	return 0;
}

static int read_sums(const char *text, struct arena *arena, struct own_sums *ret)
{
	struct slice rest = slice_from(text), line, word;

	*ret = (struct own_sums){0};
	while (slice_next(&rest, '\n', &line)) {
		line = slice_trim(line);
		if (!slice_starts(line, SUMS))
			continue;
		line = (struct slice){line.data + strlen(SUMS), line.length - strlen(SUMS)};
		while (slice_next(&line, ' ', &word)) {
			uint64_t sum;

			if (parse_number(word.data, word.length, 16, UINT32_MAX, &sum) == 0 &&
			    own_add_sum(ret, (uint32_t)sum, arena) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

void own_write_sums(struct text *text, const struct own_sums *sums)
{
	for (size_t i = 0; i < sums->count; i++) {
		char sum[SUM_DIGITS + 2];

		if (i % SUMS_PER_LINE == 0)
			text_add_string(text, i ? "\n" SUMS : SUMS);
		(void)snprintf(sum, sizeof(sum), " %0*x", SUM_DIGITS, (unsigned)sums->items[i]);
		text_add_string(text, sum);
	}
	text_add_string(text, sums->count ? "\n" : "");
}

/* ---- statements ------------------------------------------------------------------------- */

bool own_is_header(const struct own_statement *statement)
{
	return statement->node->origin == TOML_HEADER;
}

/* What stands behind the value, or behind the header. */
static bool has_comment(const struct own_statement *statement)
{
	const char *at = statement->node->text.length
				 ? statement->node->text.data + statement->node->text.length
				 : statement->start;
	bool quoted = false;

	/* A header's keys may have the character in quotation marks. */
	for (; at < statement->end; at++) {
		quoted ^= *at == '"' || *at == '\'';
		if (*at == '#' && !quoted)
			return true;
	}
	return false;
}

/* davit writes values on one line, in one way of several: whoever writes it otherwise has edited
 * it. */
static bool is_plain(const struct own_statement *statement, const char *value)
{
	const struct toml_node *node = statement->node;

	return !has_comment(statement) &&
	       (own_is_header(statement) || slice_equal(node->text, value));
}

static int add_statement(struct own_statements *list, const struct toml_node *node,
			 const struct own_sums *sums, struct arena *arena)
{
	struct own_statement *statement = ARENA_PUSH(arena, list);
	const char *path = toml_path_of(node, arena), *value = "[]";
	struct text text = {.arena = arena};

	if (!statement || !path)
		return -ENOMEM;
	*statement = (struct own_statement){
		.node = node,
		.start = node->lines.data,
		.end = node->lines.data + node->lines.length,
	};
	if (!own_is_header(statement)) {
		toml_write_value(&text, node);
		if (text.failed)
			return -ENOMEM;
		value = text.data;
	}
	statement->sum = own_sum(path, slice_from(value));
	statement->ours = own_has_sum(sums, statement->sum) && is_plain(statement, value);
	return 0;
}

static int add_statements(struct own_statements *list, const struct toml_node *table,
			  const struct own_sums *sums, struct arena *arena)
{
	for (const struct toml_node *node = table->first; node; node = node->next) {
		if (node->lines.length && add_statement(list, node, sums, arena) < 0)
			return -ENOMEM;
		/* What is within a value has no statement of its own. */
		if (node->origin != TOML_VALUE && add_statements(list, node, sums, arena) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	const char *x = ((const struct own_statement *)a)->start,
		   *y = ((const struct own_statement *)b)->start;

	return x < y ? -1 : x > y;
}

/* All of a text, in its order. */
int own_find_statements(const struct toml_node *top, const struct own_sums *sums,
			struct arena *arena, struct own_statements *ret)
{
	*ret = (struct own_statements){0};
	return add_statements(ret, top, sums, arena) < 0 ||
			       sort_items(arena, ret->items, ret->count, sizeof(*ret->items),
					  compare) < 0
		       ? -ENOMEM
		       : 0;
}

/* ---- taking davit's lines out ------------------------------------------------------------- */

const struct toml_node *own_find_version(const struct toml_node *top)
{
	const struct toml_node *version = toml_member(top, "version");

	return version && version->type == TOML_INTEGER ? version : NULL;
}

/* Blank lines and comments between statements. */
static void copy_gap(struct text *text, const char *at, const char *end,
		     const struct own_sums *sums)
{
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *next = newline ? newline + 1 : end;
		struct slice line = slice_trim((struct slice){at, (size_t)(next - at)});
		bool ours = slice_starts(line, SUMS) || slice_starts(line, CONFIGURE_MARK) ||
			    (line.length && own_has_sum(sums, own_sum("#", line)));

		if (!ours)
			text_add(text, at, (size_t)(next - at));
		at = next;
	}
}

/* The empty line before a header that goes. */
static void drop_blank_line(struct text *text)
{
	size_t at = text->length;

	if (at == 0 || text->data[at - 1] != '\n')
		return;
	at -= at > 1 && text->data[at - 2] == '\r' ? 2 : 1;
	if (at > 0 && text->data[at - 1] != '\n')
		return;
	text->length = at;
	text->data[at] = '\0';
}

bool own_is_blank(const struct text *text)
{
	return text->length == 0 || text->data[strspn(text->data, " \t\r\n")] == '\0';
}

/* A header stays as long as one of its own pairs does. */
bool own_is_used(const struct own_statements *list, size_t header)
{
	for (size_t i = header + 1; i < list->count && !own_is_header(&list->items[i]); i++)
		if (!list->items[i].goes)
			return true;
	return false;
}

void own_copy_rest(const struct own_statements *list, const char *text, const struct own_sums *sums,
		   struct text *ret)
{
	const char *at = text + (string_starts(text, "\xef\xbb\xbf") ? 3 : 0);

	for (size_t i = 0; i < list->count; i++) {
		const struct own_statement *statement = &list->items[i];

		copy_gap(ret, at, statement->start, sums);
		at = statement->end;
		if (!statement->goes || (own_is_header(statement) && own_is_used(list, i)))
			text_add(ret, statement->start, (size_t)(at - statement->start));
		else if (own_is_header(statement))
			drop_blank_line(ret);
	}
	copy_gap(ret, at, at + strlen(at), sums);
	text_add_string(ret, "");
}

/* The sums of all of a text of davit's. */
static int sum_all(const char *ours, const char *path, struct arena *arena, struct own_sums *ret,
		   struct error *err)
{
	const struct own_sums none = {0};
	struct own_statements list;
	struct toml_node *top;
	int r = toml_parse(ours, path, arena, &top, err);

	*ret = none;
	if (r == 0 && own_find_statements(top, &none, arena, &list) < 0)
		r = error_memory(err);
	for (size_t i = 0; r == 0 && i < list.count; i++)
		r = own_add_sum(ret, list.items[i].sum, arena) < 0 ? error_memory(err) : 0;
	return r;
}

/* What davit wrote: by the file, or in one that has no checksums by what it would write now. */
int own_find_sums(const char *text, const char *ours, const char *path, struct arena *arena,
		  struct own_sums *ret, struct error *err)
{
	if (read_sums(text, arena, ret) < 0)
		return error_memory(err);
	return !ret->count && ours && strstr(text, CONFIGURE_MARK)
		       ? sum_all(ours, path, arena, ret, err)
		       : 0;
}

int configure_split(const char *text, const char *ours, const char *path, struct arena *arena,
		    struct configure_others *ret, struct error *err)
{
	struct text others = {.arena = arena}, rest = {.arena = arena};
	struct own_sums sums = {0}, now = {0};
	struct toml_node *top = NULL;
	struct own_statements list;
	int r;

	*ret = (struct configure_others){0};
	if (!text)
		return 0;
	r = toml_parse(text, path, arena, &top, err);
	if (r == 0)
		r = own_find_sums(text, ours, path, arena, &sums, err);
	if (r == 0 && ours)
		r = sum_all(ours, path, arena, &now, err);
	if (r < 0)
		return r;
	if (own_find_statements(top, &sums, arena, &list) < 0)
		return error_memory(err);
	for (size_t i = 0; i < list.count; i++)
		list.items[i].goes = list.items[i].ours;
	own_copy_rest(&list, text, &sums, &others);
	/* What davit would write again can stay where it is. */
	for (size_t i = 0; i < list.count; i++)
		list.items[i].goes = list.items[i].ours && !own_has_sum(&now, list.items[i].sum);
	own_copy_rest(&list, text, &sums, &rest);
	if (others.failed || rest.failed)
		return error_memory(err);
	if (own_is_blank(&others))
		return 0;
	*ret = (struct configure_others){
		.text = others.data,
		.rest = rest.data,
		.before = text,
		.version = own_find_version(top),
	};
	r = toml_parse(others.data, path, arena, &top, err);
	ret->top = top;
	return r;
}

/* ---- comparing ------------------------------------------------------------------------------ */

bool configure_has_lines(const char *text)
{
	return strstr(text, SUMS);
}

bool configure_is_same(const char *text, const char *other, const char *path, struct arena *arena)
{
	struct toml_node *top_a, *top_b;
	struct own_sums sums_a, sums_b;
	struct error ignored;

	if (!text || !other || toml_parse(text, path, arena, &top_a, &ignored) < 0 ||
	    toml_parse(other, path, arena, &top_b, &ignored) < 0 || !toml_equal(top_a, top_b) ||
	    read_sums(text, arena, &sums_a) < 0 || read_sums(other, arena, &sums_b) < 0)
		return false;
	for (size_t i = 0; i < sums_b.count; i++)
		if (!own_has_sum(&sums_a, sums_b.items[i]))
			return false;
	return true;
}
