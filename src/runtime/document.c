// SPDX-License-Identifier: Apache-2.0
#include <limits.h>
#include <string.h>

#include "davit/json.h"
#include "document.h"

/* The text was parsed before, so all values are well formed. Only their ends are searched here. */

static size_t skip_blanks(const struct document *document, size_t at)
{
	while (at < document->length && strchr(" \t\r\n", document->text[at]))
		at++;
	return at;
}

/* The end of the string whose quote is at `at`. */
static size_t skip_string(const struct document *document, size_t at)
{
	for (at++; at < document->length && document->text[at] != '"'; at++)
		if (document->text[at] == '\\')
			at++;
	return at < document->length ? at + 1 : document->length;
}

/* The position after the value that begins at `at`. */
static size_t skip_value(const struct document *document, size_t at)
{
	size_t depth = 0;

	while (at < document->length) {
		char c = document->text[at];

		if (c == '"') {
			at = skip_string(document, at);
		} else if (c == '{' || c == '[') {
			depth++;
			at++;
		} else if (c == '}' || c == ']') {
			if (depth == 0)
				return at;
			depth--;
			at++;
		} else if (depth > 0) {
			at++;
			continue;
		} else {
			return at + strcspn(document->text + at, ",]} \t\r\n");
		}
		if (depth == 0)
			return at;
	}
	return document->length;
}

static char char_at(const struct document *document, size_t at)
{
	if (at >= document->length)
		return '\0';
	return document->text[at];
}

/* Parses the value with json-c. NULL: no value, one that is too long, or no memory. */
static struct json_object *parse(const struct document *document, struct document_value value)
{
	__attribute__((cleanup(json_tokener_release))) struct json_tokener *tokener =
		json_tokener_new_ex(JSON_DEPTH_MAX);
	size_t length = value.end - value.start;

	if (!tokener || length == 0 || length > INT_MAX)
		return NULL;
	return json_tokener_parse_ex(tokener, document->text + value.start, (int)length);
}

bool document_string(const struct document *document, struct document_value string,
		     struct json_object **owner, struct slice *ret)
{
	const char *text = document->text + string.start;
	size_t length = string.end - string.start;

	if (length < 2 || text[0] != '"')
		return false;
	*ret = (struct slice){text + 1, length - 2};
	if (!memchr(text, '\\', length))
		return true;
	*owner = parse(document, string);
	if (!*owner)
		return false;
	*ret = (struct slice){json_object_get_string(*owner),
			      (size_t)json_object_get_string_len(*owner)};
	return true;
}

static bool says_slice(const struct document *document, struct document_value string,
		       struct slice name)
{
	AUTO_JSON *owner = NULL;
	struct slice text;

	return document_string(document, string, &owner, &text) && text.length == name.length &&
	       memcmp(text.data, name.data, name.length) == 0;
}

/* The last member of that name in the object at `object`. If its value is null, only the place. */
static struct document_value find_member(const struct document *document,
					 struct document_value object, struct slice name)
{
	struct document_value found = {0};
	size_t at = skip_blanks(document, object.start + 1);

	while (at < object.end && char_at(document, at) == '"') {
		struct document_value key = {at, skip_string(document, at)}, value;

		at = skip_blanks(document, key.end);
		if (char_at(document, at) != ':')
			break;
		value.start = skip_blanks(document, at + 1);
		value.end = skip_value(document, value.start);
		if (says_slice(document, key, name))
			found = value;
		at = skip_blanks(document, value.end);
		if (char_at(document, at) != ',')
			break;
		at = skip_blanks(document, at + 1);
	}
	if (char_at(document, found.start) == 'n')
		found.end = found.start; /* null, whose place may be used */
	return found;
}

struct document_value document_member(const struct document *document, struct document_value object,
				      const char *name)
{
	if (char_at(document, object.start) != '{')
		return (struct document_value){0};
	return find_member(document, object, slice_from(name));
}

static struct document_value top_of(const struct document *document)
{
	size_t start = skip_blanks(document, 0);

	return (struct document_value){start, skip_value(document, start)};
}

static int wrong_type(const char *path, size_t length, const char *type, struct error *err)
{
	return error_set(err, ERROR_BAD_BUNDLE, EINVAL, "compare it with the output of `runc spec`",
			 "edit config.json: %.*s is not %s", (int)length, path, type);
}

/* ---- reading ---------------------------------------------------------------------------- */

bool document_next_item(const struct document *document, struct document_value array, size_t *at,
			struct document_value *ret)
{
	if (!document_exists(array) || char_at(document, array.start) != '[')
		return false;
	if (*at == array.start)
		*at = skip_blanks(document, array.start + 1);
	else
		*at = skip_blanks(document, *at);
	if (char_at(document, *at) == ',')
		*at = skip_blanks(document, *at + 1);
	if (*at >= array.end || char_at(document, *at) == ']')
		return false;
	ret->start = *at;
	ret->end = *at = skip_value(document, *at);
	return document_exists(*ret);
}

/* ---- collecting changes ------------------------------------------------------------------ */

static struct document_node *find_node(const struct document_node *parent, struct slice name)
{
	struct document_node *node = parent->first;

	while (node && (node->name.length != name.length ||
			memcmp(node->name.data, name.data, name.length) != 0))
		node = node->next;
	return node;
}

static struct document_node *add_node(struct document *document, struct document_node *parent,
				      struct slice name)
{
	struct document_node *node = arena_alloc(document->arena, sizeof(*node));

	if (!node)
		return NULL;
	node->name = name;
	if (document_exists(parent->value))
		node->value = find_member(document, parent->value, name);
	if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	return node;
}

static int get_node(struct document *document, const char *path, struct document_node **ret,
		    struct error *err)
{
	struct slice rest = slice_from(path), name;
	struct document_node *node = document->changes;

	if (!node) {
		node = arena_alloc(document->arena, sizeof(*node));
		if (!node)
			return error_memory(err);
		node->value = top_of(document);
		document->changes = node;
	}
	while (slice_next(&rest, '.', &name)) {
		struct document_node *parent = node;

		if (document_exists(parent->value) && char_at(document, parent->value.start) != '{')
			return wrong_type(path, (size_t)(name.data - path) - (name.data > path),
					  "an object", err);
		node = find_node(parent, name);
		if (!node)
			node = add_node(document, parent, name);
		if (!node)
			return error_memory(err);
	}
	*ret = node;
	return 0;
}

int document_find(struct document *document, const char *path, struct document_value *ret,
		  struct error *err)
{
	struct document_node *node = NULL;
	int r = get_node(document, path, &node, err);

	*ret = r == 0 && node ? node->value : (struct document_value){0};
	return r;
}

int document_replace(struct document *document, struct document_value value, const char *text,
		     struct error *err)
{
	struct document_edit *edit = ARENA_PUSH(document->arena, &document->edits);

	if (!edit)
		return error_memory(err);
	*edit = (struct document_edit){(uint32_t)value.start, (uint32_t)value.end, text};
	return 0;
}

int document_append(struct document *document, const char *path, const char *item,
		    struct error *err)
{
	struct document_node *node = NULL;
	int r = get_node(document, path, &node, err);

	if (r < 0 || !node)
		return r;
	if (document_exists(node->value) && char_at(document, node->value.start) != '[')
		return wrong_type(path, strlen(path), "an array", err);
	return strings_add(document->arena, &node->items, item) < 0 ? error_memory(err) : 0;
}

int document_set(struct document *document, const char *path, const char *name, const char *text,
		 struct error *err)
{
	struct document_node *parent = NULL, *node;
	int r = get_node(document, path, &parent, err);

	if (r < 0 || !parent)
		return r;
	if (document_exists(parent->value) && char_at(document, parent->value.start) != '{')
		return wrong_type(path, strlen(path), "an object", err);
	node = find_node(parent, slice_from(name));
	if (!node)
		node = add_node(document, parent, slice_from(name));
	if (!node)
		return error_memory(err);
	node->text = text;
	return 0;
}

/*
 * Removes the items from `first` to the end of the array, with the comma before them if others
 * remain.
 */
static int remove_tail(struct document *document, struct document_value items, bool others,
		       struct error *err)
{
	size_t before = items.start;

	while (others && strchr(" \t\r\n", document->text[before - 1]))
		before--;
	if (others)
		items.start = before - 1; /* the comma */
	return document_replace(document, items, "", err);
}

int document_remove_items(struct document *document, const char *path,
			  bool (*goes)(const struct document *, struct document_value),
			  struct error *err)
{
	struct document_node *node = NULL;
	struct document_value item, run = {0};
	bool others = false;
	int r = get_node(document, path, &node, err);

	if (r < 0 || !node)
		return r;
	for (size_t at = node->value.start;
	     r == 0 && document_next_item(document, node->value, &at, &item);) {
		if (goes(document, item)) {
			run.start = run.start ? run.start : item.start;
			run.end = item.end;
			continue;
		}
		others = true;
		/* A comma is removed with the item before it. */
		if (run.start)
			r = document_replace(
				document, (struct document_value){run.start, item.start}, "", err);
		run.start = 0;
	}
	if (r < 0 || !run.start)
		return r;
	node->emptied = !others;
	return remove_tail(document, run, others, err);
}
