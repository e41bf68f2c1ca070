// SPDX-License-Identifier: Apache-2.0
/* Shared by the parts of cdi_yaml_parse: yaml_parse.c, and yaml_flow.c for brackets. */
#pragma once

#include "davit/json.h"

#define YAML_DEPTH_MAX 16

struct yaml_line {
	size_t number;
	size_t indent;
	struct slice text; /* without indentation, comment and trailing blanks */
};

struct yaml_parser {
	const char *what;
	struct slice rest;
	size_t number;         /* of the line read last */
	struct yaml_line line; /* the current line */
	bool end;
	struct error *err;
};

/* All return 0 or -errno, err filled. */

/* Fills in the error for the current line. -EINVAL. */
int yaml_bad(const struct yaml_parser *parser, const char *problem);
/* Moves to the next line that has text. */
int yaml_next_line(struct yaml_parser *parser);
int yaml_parse_scalar(const struct yaml_parser *parser, struct slice text,
		      struct json_object **ret);
/* Parses a value in brackets. It may span lines, and no text may follow it. */
int yaml_parse_flow(struct yaml_parser *parser, struct slice text, unsigned depth,
		    struct json_object **ret);
