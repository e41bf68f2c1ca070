// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "toml_parser.h"

void toml_append(struct toml_node *parent, struct toml_node *node)
{
	node->parent = parent;
	node->next = NULL;
	if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	parent->count++;
}

/* ---- looking ---------------------------------------------------------------------------- */

struct toml_node *toml_member(const struct toml_node *table, const char *key)
{
	if (!table || table->type != TOML_TABLE)
		return NULL;
	for (struct toml_node *node = table->first; node; node = node->next)
		if (strcmp(node->key, key) == 0)
			return node;
	return NULL;
}

struct toml_node *toml_find(const struct toml_node *table, const char *const *path)
{
	struct toml_node *node = NULL;

	for (; *path; path++, table = node) {
		node = toml_member(table, *path);
		if (!node)
			return NULL;
	}
	return node;
}

const char *toml_find_string(const struct toml_node *table, const char *const *path)
{
	const struct toml_node *node = toml_find(table, path);

	return node && node->type == TOML_STRING ? node->string : NULL;
}

bool toml_is_true(const struct toml_node *node)
{
	return node && node->type == TOML_BOOLEAN && slice_equal(node->text, "true");
}

int toml_number(const struct toml_node *node, uint64_t *ret)
{
	char digits[72] = "";
	size_t length = 0, from = 0;
	unsigned base = 10;

	if (!node || node->type != TOML_INTEGER)
		return -EINVAL;
	for (size_t i = 0; i < node->text.length; i++)
		if (node->text.data[i] != '_' && length < sizeof(digits))
			digits[length++] = node->text.data[i];
	if (length > 2 && digits[0] == '0') {
		base = digits[1] == 'x' ? 16 : digits[1] == 'o' ? 8 : 2;
		from = 2;
	} else if (digits[0] == '+') {
		from = 1;
	}
	return parse_number(digits + from, length - from, base, INT64_MAX, ret) < 0 ? -EINVAL : 0;
}

bool toml_is_empty(const struct toml_node *node)
{
	if (node->type == TOML_STRING)
		return !node->string[0];
	if (node->type == TOML_BOOLEAN)
		return !toml_is_true(node);
	if (node->type != TOML_ARRAY && node->type != TOML_TABLE)
		return slice_equal(node->text, "0") || slice_equal(node->text, "0.0");
	for (const struct toml_node *of = node->first; of; of = of->next)
		if (node->type == TOML_ARRAY || !toml_is_empty(of))
			return false;
	return true;
}

bool toml_find_bool(const struct toml_node *table, const char *const *path, bool otherwise)
{
	const struct toml_node *node = toml_find(table, path);

	return node && node->type == TOML_BOOLEAN ? toml_is_true(node) : otherwise;
}

int toml_strings(const struct toml_node *array, struct arena *arena, struct strings *ret)
{
	*ret = (struct strings){0};
	if (!array || array->type != TOML_ARRAY)
		return 0;
	for (const struct toml_node *item = array->first; item; item = item->next)
		if (item->type == TOML_STRING && strings_add(arena, ret, item->string) < 0)
			return -ENOMEM;
	return 0;
}

const char *toml_path_of(const struct toml_node *node, struct arena *arena)
{
	const char *path = node->key ? node->key : "";

	for (node = node->parent; path && node; node = node->parent)
		if (node->key)
			path = *path ? arena_printf(arena, "%s.%s", node->key, path) : node->key;
	return path;
}

/* Numbers as they are written, but for underscores. */
static bool same_text(struct slice a, struct slice b)
{
	size_t i = 0, j = 0;

	for (;;) {
		while (i < a.length && a.data[i] == '_')
			i++;
		while (j < b.length && b.data[j] == '_')
			j++;
		if (i == a.length || j == b.length)
			return i == a.length && j == b.length;
		if (a.data[i++] != b.data[j++])
			return false;
	}
}

bool toml_equal(const struct toml_node *a, const struct toml_node *b)
{
	const struct toml_node *of_a, *of_b;

	if (a->type != b->type || a->count != b->count)
		return false;
	if (a->type == TOML_STRING)
		return strcmp(a->string, b->string) == 0;
	if (a->type != TOML_ARRAY && a->type != TOML_TABLE)
		return same_text(a->text, b->text);
	for (of_a = a->first, of_b = b->first; of_a; of_a = of_a->next, of_b = of_b->next) {
		const struct toml_node *other = of_b;

		if (a->type == TOML_TABLE && strcmp(of_a->key, of_b->key) != 0)
			other = toml_member(b, of_a->key);
		if (!other || !toml_equal(of_a, other))
			return false;
	}
	return true;
}

/* ---- making ----------------------------------------------------------------------------- */

static struct toml_node *new_node(enum toml_type type, struct arena *arena)
{
	struct toml_node *node = arena_alloc(arena, sizeof(*node));

	if (node)
		node->type = type;
	return node;
}

struct toml_node *toml_new_table(struct arena *arena)
{
	struct toml_node *table = new_node(TOML_TABLE, arena);

	if (table)
		table->origin = TOML_HEADER;
	return table;
}

static struct toml_node *copy(const struct toml_node *node, struct arena *arena)
{
	struct toml_node *made = new_node(node->type, arena);

	if (!made)
		return NULL;
	*made = *node;
	made->parent = made->next = made->first = made->last = NULL;
	made->count = 0;
	for (const struct toml_node *of = node->first; of; of = of->next) {
		struct toml_node *member = copy(of, arena);

		if (!member)
			return NULL;
		toml_append(made, member);
	}
	return made;
}

void toml_remove(struct toml_node *table, const char *key)
{
	struct toml_node *before = NULL, *node = table->first;

	while (node && strcmp(node->key, key) != 0) {
		before = node;
		node = node->next;
	}
	if (!node)
		return;
	if (before)
		before->next = node->next;
	else
		table->first = node->next;
	if (table->last == node)
		table->last = before;
	table->count--;
}

/* In the place of the member of that name, or as the last one. */
static struct toml_node *put(struct toml_node *table, const char *key, struct toml_node *node)
{
	struct toml_node **at = &table->first, *before = NULL;

	if (!node)
		return NULL;
	node->key = key;
	while (*at && strcmp((*at)->key, key) != 0) {
		before = *at;
		at = &(*at)->next;
	}
	if (!*at) {
		toml_append(table, node);
		return node;
	}
	node->next = (*at)->next;
	node->parent = table;
	if (table->last == *at)
		table->last = node;
	if (before)
		before->next = node;
	else
		table->first = node;
	return node;
}

struct toml_node *toml_set(struct toml_node *table, const char *key, const struct toml_node *value,
			   struct arena *arena)
{
	return put(table, key, copy(value, arena));
}

struct toml_node *toml_set_string(struct toml_node *table, const char *key, const char *string,
				  struct arena *arena)
{
	struct toml_node *node = new_node(TOML_STRING, arena);

	if (node)
		node->string = string;
	return put(table, key, node);
}

struct toml_node *toml_set_bool(struct toml_node *table, const char *key, bool value,
				struct arena *arena)
{
	struct toml_node *node = new_node(TOML_BOOLEAN, arena);

	if (node)
		node->text = slice_from(value ? "true" : "false");
	return put(table, key, node);
}

struct toml_node *toml_set_number(struct toml_node *table, const char *key, unsigned value,
				  struct arena *arena)
{
	struct toml_node *node = new_node(TOML_INTEGER, arena);
	const char *text = arena_printf(arena, "%u", value);

	if (!node || !text)
		return NULL;
	node->text = slice_from(text);
	return put(table, key, node);
}

struct toml_node *toml_set_array(struct toml_node *table, const char *key, struct arena *arena)
{
	return put(table, key, new_node(TOML_ARRAY, arena));
}

int toml_add_string(struct toml_node *array, const char *string, struct arena *arena)
{
	struct toml_node *node;

	for (node = array->first; node; node = node->next)
		if (node->type == TOML_STRING && strcmp(node->string, string) == 0)
			return 0;
	node = new_node(TOML_STRING, arena);
	if (!node)
		return -ENOMEM;
	node->string = string;
	toml_append(array, node);
	return 0;
}

struct toml_node *toml_make_table(struct toml_node *table, const char *const *path,
				  struct arena *arena)
{
	for (; table && *path; path++) {
		struct toml_node *next = toml_member(table, *path);

		table = next && next->type == TOML_TABLE ? next
							 : put(table, *path, toml_new_table(arena));
	}
	return table;
}

int toml_merge(struct toml_node *to, const struct toml_node *from, struct arena *arena)
{
	for (const struct toml_node *node = from->first; node; node = node->next) {
		struct toml_node *there = toml_member(to, node->key);

		if (node->type == TOML_TABLE && there && there->type == TOML_TABLE) {
			int r = toml_merge(there, node, arena);

			if (r < 0)
				return r;
		} else if (!toml_set(to, node->key, node, arena)) {
			return -ENOMEM;
		}
	}
	return 0;
}
