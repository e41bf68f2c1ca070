// SPDX-License-Identifier: Apache-2.0
/* The new text of config.json: the old one with all collected changes. */
#include <string.h>

#include "document.h"

/* Text is measured first, then written. `to` is NULL while measuring. */
struct output {
	char *to;
	size_t length;
};

static void put(struct output *output, const char *text, size_t length)
{
	if (output->to && length)
		memcpy(output->to + output->length, text, length);
	output->length += length;
}

static void put_text(struct output *output, const char *text)
{
	put(output, text, strlen(text));
}

static bool has_content(const struct document_node *node)
{
	bool content = node->items.count > 0 || node->text;

	for (const struct document_node *child = node->first; child && !content;
	     child = child->next)
		content = has_content(child);
	return content;
}

static void put_value(struct output *output, const struct document_node *node);

/* Writes items, or members that the text lacks. A comma precedes each; the first only if `more`. */
static void put_inside(struct output *output, const struct document_node *node, bool more)
{
	for (size_t i = 0; i < node->items.count; i++) {
		put_text(output, more || i ? "," : "");
		put_text(output, node->items.items[i]);
	}
	for (const struct document_node *child = node->first; child; child = child->next) {
		if (child->value.start || !has_content(child))
			continue;
		put_text(output, more ? ",\"" : "\"");
		put(output, child->name.data, child->name.length);
		put_text(output, "\":");
		put_value(output, child);
		more = true;
	}
}

static void put_value(struct output *output, const struct document_node *node)
{
	if (node->text) {
		put_text(output, node->text);
		return;
	}
	put_text(output, node->first ? "{" : "[");
	put_inside(output, node, false);
	put_text(output, node->first ? "}" : "]");
}

/* Writes appended items at the end of an object or array, or replaces a null with a value. */
static int add_insertion(struct document *document, const struct document_node *node,
			 struct error *err)
{
	struct document_value place = {node->value.start, node->value.start + strlen("null")};
	bool null = !document_exists(node->value), more = false;
	struct output output = {0};

	if (!null) {
		size_t at = node->value.end - 1; /* its bracket */

		while (strchr(" \t\r\n", document->text[at - 1]))
			at--;
		more = at - 1 > node->value.start && !node->emptied;
		place = (struct document_value){at, at};
	}
	for (int i = 0; i < 2; i++) {
		if (i == 1) {
			output.to = arena_alloc(document->arena, output.length + 1);
			if (!output.to)
				return error_memory(err);
			output.length = 0;
		}
		if (null)
			put_value(&output, node);
		else
			put_inside(&output, node, more);
	}
	return output.length ? document_replace(document, place, output.to, err) : 0;
}

static int add_insertions(struct document *document, const struct document_node *node,
			  struct error *err)
{
	int r = 0;

	if (!node->value.start && node != document->changes)
		return 0; /* its parent, which is also missing, contains it */
	if (node->text) {
		struct document_value place = node->value;

		if (!document_exists(place))
			place.end = place.start + strlen("null");
		return document_replace(document, place, node->text, err);
	}
	if (has_content(node))
		r = add_insertion(document, node, err);
	if (!document_exists(node->value))
		return r;
	for (const struct document_node *child = node->first; r == 0 && child; child = child->next)
		r = add_insertions(document, child, err);
	return r;
}

static int by_place(const void *a, const void *b)
{
	const struct document_edit *one = a, *other = b;

	return (one->start > other->start) - (one->start < other->start);
}

/* Usually all but a few are already in order. */
static int sort_edits(struct document *document)
{
	const struct document_edit *edits = document->edits.items;
	size_t count = document->edits.count, sorted = 1;

	while (sorted < count && edits[sorted - 1].start <= edits[sorted].start)
		sorted++;
	if (sorted >= count)
		return 0;
	return sort_items(document->arena, document->edits.items, count, sizeof(*edits), by_place);
}

static void put_edited(struct output *output, const struct document *document)
{
	size_t at = 0;

	for (size_t i = 0; i < document->edits.count; i++) {
		const struct document_edit *edit = &document->edits.items[i];

		put(output, document->text + at, edit->start - at);
		put_text(output, edit->text);
		at = edit->end;
	}
	put(output, document->text + at, document->length - at);
}

int document_write(struct document *document, struct error *err)
{
	struct output output = {0};
	int r = document->changes ? add_insertions(document, document->changes, err) : 0;

	if (r < 0)
		return r;
	if (sort_edits(document) < 0)
		return error_memory(err);
	if (document->edits.count) {
		put_edited(&output, document);
		output.to = arena_alloc(document->arena, output.length + 1);
		if (!output.to)
			return error_memory(err);
		output.length = 0;
		put_edited(&output, document);
		document->text = output.to;
		document->length = output.length;
	}
	document->changes = NULL;
	document->edits = (struct document_edits){0};
	return 0;
}
