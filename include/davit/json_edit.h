// SPDX-License-Identifier: Apache-2.0
/*
 * Edits of a JSON text that preserve the rest: order, blanks, numbers. The text must be an object,
 * already checked by json_parse. A path is a list of member names that ends with NULL.
 */
#pragma once

#include "davit/configure_docker.h"
#include "davit/json.h"

/* The length of a byte order mark at the start, which dockerd accepts since 23.0. */
size_t json_edit_mark(const char *text);
/* Whether a text is blank or null, both of which mean no settings to dockerd. */
bool json_edit_is_empty(const char *text);
/*
 * Parses an engine's file, with or without that mark. -EINVAL with ERROR_BAD_CONFIG: not a JSON
 * object (with line and column).
 */
int configure_parse_json(const char *text, const char *path, struct json_object **ret,
			 struct error *err);

struct json_edit {
	struct arena *arena;
	const char *path; /* of the file, for messages */
	const char *text;
};
/* The text of the member's value, or NULL. */
const char *json_edit_get(const struct json_edit *edit, const char *const *path);
/* Sets a member to a value's text, and creates missing objects. 0 or -errno. */
int json_edit_set(struct json_edit *edit, const char *const *path, const char *value,
		  struct error *err);
/* Removes a member, and parents that become empty. 0, also if it is absent, or -errno. */
int json_edit_remove(struct json_edit *edit, const char *const *path, struct error *err);
