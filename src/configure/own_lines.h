// SPDX-License-Identifier: Apache-2.0
/* What the parts share that tell davit's lines of a file from those of others. */
#pragma once

#include "text.h"
#include "toml.h"

struct own_sums {
	uint32_t *items;
	size_t count, capacity;
};

/* A header, or a pair of key and value, with its lines. */
struct own_statement {
	const struct toml_node *node;
	const char *start, *end;
	uint32_t sum;
	bool ours; /* davit's */
	bool goes; /* isn't copied */
};
struct own_statements {
	struct own_statement *items;
	size_t count, capacity;
};

/* A checksum of a path and a value, or of "#" and a comment. */
uint32_t own_sum(const char *path, struct slice value);
bool own_has_sum(const struct own_sums *sums, uint32_t sum);
/* 0 or -ENOMEM. */
int own_add_sum(struct own_sums *sums, uint32_t sum, struct arena *arena);
/* As comments that configure_split finds. */
void own_write_sums(struct text *text, const struct own_sums *sums);
/*
 * What davit wrote, by the checksums of a text; in a text of davit's that has none, by what it
 * would write now (`ours`; NULL: unknown). 0 or -errno.
 */
int own_find_sums(const char *text, const char *ours, const char *path, struct arena *arena,
		  struct own_sums *ret, struct error *err);

/* All statements of a text in its order, those with these sums as davit's. 0 or -ENOMEM. */
int own_find_statements(const struct toml_node *top, const struct own_sums *sums,
			struct arena *arena, struct own_statements *ret);
/* [a] or [[a]], not a pair. */
bool own_is_header(const struct own_statement *statement);
/* Whether a header has a pair that doesn't go. */
bool own_is_used(const struct own_statements *list, size_t header);
/* `version`; NULL: there is none, or it isn't a number. */
const struct toml_node *own_find_version(const struct toml_node *top);
/* The text without statements that go, and without davit's comments. */
void own_copy_rest(const struct own_statements *list, const char *text, const struct own_sums *sums,
		   struct text *ret);
bool own_is_blank(const struct text *text);
