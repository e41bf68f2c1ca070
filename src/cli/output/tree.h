// SPDX-License-Identifier: Apache-2.0
/* A tree of lines, printed in ASCII. */
#pragma once

#include "davit/base.h"

struct tree {
	const char *text;
	struct arena *arena;
	struct strings names;      /* a list below the line, wrapped */
	struct tree *first, *last; /* the lines below */
	struct tree *next;
};

/*
 * Adds a line below `parent`. Without memory, returns the parent, so that later lines are added to
 * that.
 */
struct tree *tree_add(struct tree *parent, const char *format, ...) PRINTF_LIKE(2, 3);
/* Adds to the list of names. */
void tree_add_name(struct tree *node, const char *name);
/* Prints it to standard output. */
void tree_print(const struct tree *root);
