// SPDX-License-Identifier: Apache-2.0
/*
 * json: reads JSON with json-c, except for the files of every container (json_text.h): strictly,
 * with a limited depth, without text after the end, without NUL characters (where json-c ends keys
 * and texts), and with line and column in errors. A header, because it is only one function.
 */
#pragma once

#include <json-c/json.h>
#include <limits.h>
#include <string.h>

#include "davit/json_text.h"

static inline void json_object_release(struct json_object **object)
{
	(void)json_object_put(*object);
}
#define AUTO_JSON __attribute__((cleanup(json_object_release))) struct json_object

static inline void json_tokener_release(struct json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

/* The offset of a NUL, as a byte or as the escape \u0000; `length` if there is none. */
static inline size_t json_find_nul(const char *text, size_t length)
{
	const char *nul = memchr(text, '\0', length), *at = text;

	while ((at = memmem(at, length - (size_t)(at - text), "\\u0000", strlen("\\u0000")))) {
		size_t slashes = 1;

		/* An even number of backslashes is that many characters `\` before "u0000". */
		while (slashes <= (size_t)(at - text) && at[-(ptrdiff_t)slashes] == '\\')
			slashes++;
		if (slashes % 2 == 1)
			return (size_t)(at - text);
		at++;
	}
	return nul ? (size_t)(nul - text) : length;
}

/*
 * Parses a text that is one object. The caller releases *ret (AUTO_JSON). 0, -ENOMEM or -EINVAL
 * with `code` and a message "cannot read WHAT: ...".
 */
static inline int json_parse(const char *text, size_t length, enum error_code code,
			     const char *what, struct json_object **ret, struct error *err)
{
	__attribute__((cleanup(json_tokener_release))) struct json_tokener *tokener =
		json_tokener_new_ex(JSON_DEPTH_MAX);
	enum json_tokener_error problem;
	AUTO_JSON *object = NULL;
	size_t nul;

	if (!tokener)
		return error_memory(err);
	if (length == 0)
		return error_set(err, code, EINVAL, NULL, "read %s: it is empty", what);
	if (length > INT_MAX)
		return error_set(err, code, EINVAL, NULL, "read %s: it is too large", what);
	nul = json_find_nul(text, length);
	if (nul < length)
		return json_error_at(text, nul, code, what, "a NUL character", err);
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	object = json_tokener_parse_ex(tokener, text, (int)length);
	problem = json_tokener_get_error(tokener);
	if (problem == json_tokener_continue)
		return json_error_at(text, length, code, what, "the text ends too early", err);
	if (problem != json_tokener_success)
		return json_error_at(text, json_tokener_get_parse_end(tokener), code, what,
				     json_tokener_error_desc(problem), err);
	if (!json_object_is_type(object, json_type_object))
		return error_set(err, code, EINVAL, NULL, "read %s: it is not a JSON object", what);
	*ret = object;
	object = NULL;
	return 0;
}
