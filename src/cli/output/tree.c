// SPDX-License-Identifier: Apache-2.0
#include "tree.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS 100
#define PREFIX_MAX 64

struct tree *tree_add(struct tree *parent, const char *format, ...)
{
	char text[1024];
	struct tree *node = arena_alloc(parent->arena, sizeof(*node));
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	string_printable(text);
	if (!node)
		return parent;
	node->arena = parent->arena;
	node->text = arena_strdup(parent->arena, text);
	if (!node->text)
		return parent;
	if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	return node;
}

void tree_add_name(struct tree *node, const char *name)
{
	if (name)
		(void)strings_add(node->arena, &node->names, name);
}

static void print_names(const struct strings *names, const char *prefix)
{
	size_t column = 0;

	for (size_t i = 0; i < names->count; i++) {
		const char *name = names->items[i];
		bool more = i + 1 < names->count;
		size_t length = strlen(name) + (more ? 1 : 0);

		if (column && column + 1 + length <= COLUMNS) {
			(void)putchar(' ');
			column++;
		} else {
			(void)printf("%s%s    ", column ? "\n" : "", prefix);
			column = strlen(prefix) + 4;
		}
		(void)printf("%s%s", name, more ? "," : "");
		column += length;
	}
	if (column)
		(void)putchar('\n');
}

static void print_children(const struct tree *node, const char *prefix)
{
	for (const struct tree *child = node->first; child; child = child->next) {
		bool last = !child->next;
		char below[PREFIX_MAX];

		(void)printf("%s%s%s\n", prefix, last ? "`-- " : "|-- ", child->text);
		(void)snprintf(below, sizeof(below), "%s%s", prefix, last ? "    " : "|   ");
		print_names(&child->names, below);
		print_children(child, below);
	}
}

void tree_print(const struct tree *root)
{
	(void)puts(root->text);
	print_children(root, "");
}
