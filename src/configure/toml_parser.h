// SPDX-License-Identifier: Apache-2.0
/* What the two halves of the reader share: statements and keys, values. */
#pragma once

#include "toml.h"

#define TOML_BARE "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

struct toml_parser {
	const char *text, *path;
	size_t at, nodes;
	struct toml_node *top, *table; /* table: that of the last header */
	struct arena *arena;
	struct error *err;
};

/* -EINVAL with line and column. */
int toml_problem(const struct toml_parser *p, size_t at, const char *what);
/* Makes the node the last one of its parent, within the limits. */
int toml_add(struct toml_parser *p, struct toml_node *parent, size_t at, struct toml_node *node);
/* The same without limits. */
void toml_append(struct toml_node *parent, struct toml_node *node);

/* All move `at` behind what they have read. 0 or -errno. */
int toml_parse_value(struct toml_parser *p, size_t depth, struct toml_node **ret);
/* "..." or '...'; with `several` also those in three quotation marks. */
int toml_parse_string(struct toml_parser *p, bool several, const char **ret);
/* key = value: a member of the table, in which dotted keys make others. */
int toml_parse_pair(struct toml_parser *p, struct toml_node *table, size_t depth,
		    struct toml_node **ret);
/* To the end of the line. */
int toml_skip_comment(struct toml_parser *p);
