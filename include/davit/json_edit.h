// SPDX-License-Identifier: Apache-2.0
/*
 * Edits of a JSON text that leave the rest of it as it is: order, blanks, numbers. The text must
 * have been found to be an object (json_parse). A path is member names, ending with NULL.
 */
#pragma once

#include "davit/configure.h"
#include "davit/json.h"

/* A byte order mark, which dockerd takes from 23.0 on: how many bytes it has at the start. */
size_t json_edit_mark(const char *text);
/*
 * Parses an engine's file, with or without that mark. -EINVAL with ERROR_BAD_CONFIG: no JSON object
 * (line and column).
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
/* Sets a member to a value's text; objects on the way are made. 0 or -errno. */
int json_edit_set(struct json_edit *edit, const char *const *path, const char *value,
		  struct error *err);
/* Removes a member, and the objects around it that are left empty. 0 (also: not there), -errno. */
int json_edit_remove(struct json_edit *edit, const char *const *path, struct error *err);
