/* SPDX-License-Identifier: Apache-2.0 */
/* The changes that document.c collects and document_write.c writes. */
#pragma once

#include "davit/runtime.h"

/*
 * A name in the path of a value that was searched or will be changed. Paths share nodes of the same
 * first names. So a missing parent is created once, and each name is searched once, which takes
 * time in proportion to the text.
 */
struct document_node {
	struct slice name;
	struct document_value value; /* in the text; start 0: absent; end == start: null */
	struct document_node *first, *last, *next; /* its children; its next sibling */
	struct strings items;                      /* to be appended to an array */
	const char *text;                          /* its new text, or NULL */
	bool emptied; /* all items of the array in the text are to be removed */
};

static inline bool document_exists(struct document_value value)
{
	return value.end > value.start;
}
