// SPDX-License-Identifier: Apache-2.0
/*
 * A JSON text (RFC 8259) as the list of its values, in the order of the text. It is made in one
 * pass, for the files that are read for every container and mostly skipped. Strings are only copied
 * on request. Pure.
 */
#pragma once

#include "davit/base.h"

#define JSON_DEPTH_MAX 64

enum json_kind {
	JSON_NULL,
	JSON_BOOLEAN,
	JSON_INTEGER, /* without fraction and exponent */
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

struct json_value {
	uint32_t start, length; /* in the text; of a string: between its quotes */
	uint32_t size;          /* values in the list that it consists of, itself included */
	uint8_t kind;           /* enum json_kind */
	bool escaped;           /* a string with a backslash in it */
};

/* An object is followed by its members' names and values, an array by its items. */
struct json_text {
	const char *text; /* the caller's; must remain valid while this is used */
	struct json_value *items;
	size_t count, capacity;
};

/*
 * Parses a text that is one object, at most JSON_DEPTH_MAX deep, without NUL characters (which
 * would end C strings). 0, -ENOMEM, or -EINVAL with `code` and a message "cannot read WHAT: line 3,
 * column 7: PROBLEM". Invalid UTF-8 is preserved.
 */
int json_text_parse(const char *text, size_t length, enum error_code code, const char *what,
		    struct arena *arena, struct json_text *ret, struct error *err);

/* The value of the last member of that name; NULL: absent, or null. */
const struct json_value *json_member(const struct json_text *json, const struct json_value *object,
				     const char *name);
bool json_equals(const struct json_text *json, const struct json_value *string, const char *text);
/* The string without its escapes; NULL: no memory. */
char *json_string(const struct json_text *json, const struct json_value *string,
		  struct arena *arena);
bool json_is_true(const struct json_text *json, const struct json_value *boolean);
/* Out of range: the nearest value. */
int64_t json_integer(const struct json_text *json, const struct json_value *integer);

/* Iterates over an array's values, or an object's names and values. NULL at the end. */
const struct json_value *json_first(const struct json_value *container);
const struct json_value *json_next(const struct json_value *container,
				   const struct json_value *item);

/* "cannot read WHAT: line 3, column 7: PROBLEM". Returns -EINVAL. */
int json_error_at(const char *text, size_t offset, enum error_code code, const char *what,
		  const char *problem, struct error *err);
