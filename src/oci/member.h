// SPDX-License-Identifier: Apache-2.0
/*
 * Members of JSON objects by their type. `place` is where the object stands ("process",
 * "mounts[3]", "" for the root): errors name PLACE.NAME. Absent and null are the same, as the
 * engines (Go) have it.
 */
#pragma once

#include "davit/json_text.h"

/* A text that is being read into structs. */
struct reader {
	struct json_text json;
	struct arena *arena;
	struct error *err;
};

/* NULL when absent, or when object is NULL; -EINVAL when it is of another type. */
int member_get(struct reader *r, const struct json_value *object, const char *place,
	       const char *name, enum json_kind kind, const struct json_value **ret);
/* "" when absent. */
int member_string(struct reader *r, const struct json_value *object, const char *place,
		  const char *name, const char **ret);
/* "is not a TYPE" for the thing at PLACE. */
int member_wrong_type(struct reader *r, const char *place, enum json_kind kind);
/* The same for the item at that index of the array at PLACE, when it isn't of that type; else 0. */
int member_check_item(struct reader *r, const struct json_value *item, const char *place,
		      size_t index, enum json_kind kind);
