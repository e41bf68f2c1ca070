// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/json.h"
#include "davit/runtime.h"

/* The text was parsed before, so that values are well formed: here only their ends are found. */

static size_t skip_blanks(const struct document *document, size_t at)
{
	while (at < document->length && strchr(" \t\r\n", document->text[at]))
		at++;
	return at;
}

/* Behind the string whose quote stands at `at`. */
static size_t skip_string(const struct document *document, size_t at)
{
	for (at++; at < document->length && document->text[at] != '"'; at++)
		if (document->text[at] == '\\')
			at++;
	return at < document->length ? at + 1 : document->length;
}

/* Behind the value that begins at `at`. */
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
	return at < document->length ? document->text[at] : '\0';
}

/* Whether the string at `start` says `name`, however it is escaped. */
static bool string_says(const struct document *document, struct document_value string,
			struct slice name)
{
	const char *text = document->text + string.start;
	size_t length = string.end - string.start;
	AUTO_JSON *decoded = NULL;
	char *copy;

	if (length < 2)
		return false;
	if (!memchr(text, '\\', length))
		return length - 2 == name.length && memcmp(text + 1, name.data, name.length) == 0;
	copy = arena_strndup(document->arena, text, length);
	decoded = copy ? json_tokener_parse(copy) : NULL;
	return decoded && (size_t)json_object_get_string_len(decoded) == name.length &&
	       memcmp(json_object_get_string(decoded), name.data, name.length) == 0;
}

/* The last member of that name of the object at `object`. */
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
		if (string_says(document, key, name))
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

static struct document_value top_of(const struct document *document)
{
	size_t start = skip_blanks(document, 0);

	return (struct document_value){start, skip_value(document, start)};
}

static int wrong_type(const char *path, struct slice rest, const char *type, struct error *err)
{
	size_t length = (size_t)(rest.data - path);

	/* `rest` begins behind the dot that follows what is of the wrong type. */
	return error_set(err, ERROR_BAD_BUNDLE, EINVAL, "compare it with the output of `runc spec`",
			 "edit config.json: %.*s is no %s", (int)(length ? length - 1 : 0), path,
			 type);
}

/*
 * Goes down the path as far as there is something. *ret is the value of the last name found (or the
 * null in its place), *ret_parent the object it is or would be in, *ret_rest what is left of path.
 */
static int descend(const struct document *document, const char *path, struct document_value *ret,
		   struct document_value *ret_parent, struct slice *ret_rest, struct error *err)
{
	struct slice rest = slice_from(path), name;

	*ret = top_of(document);
	*ret_rest = rest;
	while (slice_next(&rest, '.', &name)) {
		if (char_at(document, ret->start) != '{')
			return wrong_type(path, *ret_rest, "object", err);
		*ret_parent = *ret;
		*ret = find_member(document, *ret, name);
		if (ret->start == ret->end)
			return 0;
		*ret_rest = rest;
	}
	*ret_rest = (struct slice){path + strlen(path), 0};
	return 0;
}

int document_find(const struct document *document, const char *path, struct document_value *ret,
		  struct error *err)
{
	struct document_value parent;
	struct slice rest;

	return descend(document, path, ret, &parent, &rest, err);
}

bool document_next_item(const struct document *document, struct document_value array, size_t *at,
			struct document_value *ret)
{
	if (array.start == array.end || char_at(document, array.start) != '[')
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
	return ret->end > ret->start;
}

int document_replace(struct document *document, struct document_value value, const char *text,
		     struct error *err)
{
	size_t added = strlen(text), kept = document->length - value.end;
	char *changed = arena_alloc(document->arena, value.start + added + kept + 1);

	if (!changed)
		return error_memory(err);
	memcpy(changed, document->text, value.start);
	memcpy(changed + value.start, text, added);
	memcpy(changed + value.start + added, document->text + value.end, kept);
	document->text = changed;
	document->length = value.start + added + kept;
	return 0;
}

/* Inserts text behind what an object or array holds last, with a comma when it holds anything. */
static int insert_last(struct document *document, struct document_value container, const char *text,
		       struct error *err)
{
	size_t at = container.end - 1; /* its bracket */
	const char *separated;
	bool empty;

	while (strchr(" \t\r\n", document->text[at - 1]))
		at--;
	empty = at - 1 == container.start;
	separated = arena_printf(document->arena, "%s%s", empty ? "" : ",", text);
	if (!separated)
		return error_memory(err);
	return document_replace(document, (struct document_value){at, at}, separated, err);
}

/* The value that gets the array at the end of `names`: {"b":{"c":[items]}} for "b.c". */
static const char *wrap(struct arena *arena, struct slice names, const char *items)
{
	const char *head = "", *tail = "";
	struct slice name;

	while (head && tail && slice_next(&names, '.', &name)) {
		head = arena_printf(arena, "%s{\"%.*s\":", head, (int)name.length, name.data);
		tail = arena_printf(arena, "%s}", tail);
	}
	return head && tail ? arena_printf(arena, "%s[%s]%s", head, items, tail) : NULL;
}

/* Makes the first name of `rest`, and what is below it, in `parent`. */
static int make_array(struct document *document, struct document_value parent,
		      struct document_value null, struct slice rest, const char *items,
		      struct error *err)
{
	struct slice name;
	const char *value, *member;

	(void)slice_next(&rest, '.', &name);
	value = wrap(document->arena, rest, items);
	if (!value)
		return error_memory(err);
	if (null.start) { /* a null is there: it gives way */
		null.end = null.start + strlen("null");
		return document_replace(document, null, value, err);
	}
	member = arena_printf(document->arena, "\"%.*s\":%s", (int)name.length, name.data, value);
	return member ? insert_last(document, parent, member, err) : error_memory(err);
}

int document_append(struct document *document, const char *path, const char *items,
		    struct error *err)
{
	struct document_value value, parent = {0};
	struct slice rest;
	int r = descend(document, path, &value, &parent, &rest, err);

	if (r < 0)
		return r;
	if (value.start == value.end)
		return make_array(document, parent, value, rest, items, err);
	if (char_at(document, value.start) != '[')
		return wrong_type(path, (struct slice){path + strlen(path) + 1, 0}, "array", err);
	return insert_last(document, value, items, err);
}

int document_remove_item(struct document *document, struct document_value array,
			 struct document_value item, struct error *err)
{
	size_t before = item.start, after = skip_blanks(document, item.end);

	if (char_at(document, after) == ',') {
		item.end = skip_blanks(document, after + 1);
	} else {
		while (before > array.start + 1 && strchr(" \t\r\n", document->text[before - 1]))
			before--;
		if (document->text[before - 1] == ',')
			item.start = before - 1;
	}
	return document_replace(document, item, "", err);
}
