// SPDX-License-Identifier: Apache-2.0
/*
 * TOML 1.0 (https://toml.io/en/v1.0.0) as a tree that knows where each of its values stands in the
 * text, so that a file can be edited as text. One deviation: a string can't hold a NUL character.
 */
#pragma once

#include "davit/configure.h"

/* What a file may have at most; an engine's own have some hundred. */
#define TOML_NODES_MAX 65536
#define TOML_MEMBERS_MAX 4096 /* of one table */
#define TOML_DEPTH_MAX 64

enum toml_type {
	TOML_STRING,
	TOML_INTEGER,
	TOML_FLOAT,
	TOML_BOOLEAN,
	TOML_DATETIME,
	TOML_ARRAY,
	TOML_TABLE
};

/* How a table or array came to be, which decides what may be added to it. */
enum toml_origin {
	TOML_VALUE,   /* key = value: complete */
	TOML_IMPLIED, /* [a.b] made `a` */
	TOML_HEADER,  /* [a] */
	TOML_DOTTED,  /* a.b = 1 made `a` */
	TOML_TABLES   /* [[a]] made the array `a` */
};

struct toml_node {
	enum toml_type type;
	enum toml_origin origin;
	const char *key;    /* of a table's member; NULL: an array's item, or the top */
	const char *string; /* TOML_STRING: decoded */
	/* TOML_VALUE: the value as it is written. Others: empty. */
	struct slice text;
	/*
	 * The lines of its statement, with the last one's newline: a pair's, or a header's own
	 * line. Empty: it has none of its own.
	 */
	struct slice lines;
	struct toml_node *parent, *next, *first, *last; /* members or items, in their order */
	size_t count;
};

/*
 * *ret is the top's table; `text` must outlive it. -EINVAL with ERROR_BAD_CONFIG: not TOML, or more
 * than the limits above (line and column).
 */
int toml_parse(const char *text, const char *path, struct arena *arena, struct toml_node **ret,
	       struct error *err);

/* ---- looking ---------------------------------------------------------------------------- */

#define TOML_PATH(...) ((const char *const[]){__VA_ARGS__, NULL})

/* A table's member, or NULL; `table` may be NULL or something else than a table. */
struct toml_node *toml_member(const struct toml_node *table, const char *key);
/* Along a path of member names, which NULL ends. */
struct toml_node *toml_find(const struct toml_node *table, const char *const *path);
/* The string found there, or NULL. */
const char *toml_find_string(const struct toml_node *table, const char *const *path);
/* The boolean found there; `otherwise` when there is none. */
bool toml_find_bool(const struct toml_node *table, const char *const *path, bool otherwise);
bool toml_is_true(const struct toml_node *node);
/* An integer that isn't negative. 0 or -EINVAL, also of other values. */
int toml_number(const struct toml_node *node, uint64_t *ret);
/* "", 0, false, a list or table without anything, or with such alone. */
bool toml_is_empty(const struct toml_node *node);
/* The strings of an array, in the arena; what isn't a string is left out. 0 or -ENOMEM. */
int toml_strings(const struct toml_node *array, struct arena *arena, struct strings *ret);
/* "a.b.c", for messages; NULL without memory. */
const char *toml_path_of(const struct toml_node *node, struct arena *arena);
/* Whether two values say the same, however they are written. */
bool toml_equal(const struct toml_node *a, const struct toml_node *b);

/* ---- making ----------------------------------------------------------------------------- */

/* All return NULL without memory. A table without text, to be filled by the others. */
struct toml_node *toml_new_table(struct arena *arena);
/* The table along that path, made where it is missing. A value in the way is replaced. */
struct toml_node *toml_make_table(struct toml_node *table, const char *const *path,
				  struct arena *arena);
/* Sets a member to a copy of a value, in the place of what it was. */
struct toml_node *toml_set(struct toml_node *table, const char *key, const struct toml_node *value,
			   struct arena *arena);
struct toml_node *toml_set_string(struct toml_node *table, const char *key, const char *string,
				  struct arena *arena);
struct toml_node *toml_set_bool(struct toml_node *table, const char *key, bool value,
				struct arena *arena);
struct toml_node *toml_set_number(struct toml_node *table, const char *key, unsigned value,
				  struct arena *arena);
/* An empty array. */
struct toml_node *toml_set_array(struct toml_node *table, const char *key, struct arena *arena);
/* Adds a string to an array, when it isn't in it. 0 or -ENOMEM. */
int toml_add_string(struct toml_node *array, const char *string, struct arena *arena);
void toml_remove(struct toml_node *table, const char *key);
/*
 * All of `from` into `to`: tables member by member, other values in the place of what was there. 0
 * or -ENOMEM.
 */
int toml_merge(struct toml_node *to, const struct toml_node *from, struct arena *arena);

/* ---- writing ---------------------------------------------------------------------------- */

struct text;
/*
 * A table's members as lines, sub-tables under headers that begin with `path`. Only what
 * containerd's and CRI-O's readers of every version understand: no dotted keys, inline tables in
 * arrays alone.
 */
void toml_write(struct text *text, const struct strings *path, const struct toml_node *table,
		struct arena *arena);
/* "[a.\"b.c\"]\n" */
void toml_write_header(struct text *text, const struct strings *path);
/* A value as it stands behind `=`; of a table, an inline one. */
void toml_write_value(struct text *text, const struct toml_node *node);
/* A string as a value. */
void toml_write_string(struct text *text, const char *string);
/* All of it as a text; NULL without memory. */
const char *toml_text(const struct toml_node *top, struct arena *arena);
