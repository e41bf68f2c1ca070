// SPDX-License-Identifier: Apache-2.0
/*
 * Members of JSON objects by their type. `place` is where the object stands ("process",
 * "mounts[3]",
 * "" for the root): errors name PLACE.NAME. Absent and null are the same, as the engines (Go) have
 * it.
 */
#pragma once

#include "davit/json.h"

/* NULL when absent; -EINVAL when it is of another type. */
int member_get(struct json_object *object, const char *place, const char *name, enum json_type type,
	       struct json_object **ret, struct error *err);
/* "" when absent. */
int member_string(struct json_object *object, const char *place, const char *name,
		  struct arena *arena, const char **ret, struct error *err);
/* "is not a TYPE" for the thing at PLACE. */
int member_wrong_type(const char *place, enum json_type type, struct error *err);
/* A copy of a text in the arena, or NULL. */
const char *member_copy(struct json_object *text, struct arena *arena);
