// SPDX-License-Identifier: Apache-2.0
/*
 * Members of JSON objects by their names and types. Errors name the place of a member:
 * "process.env", "mounts[3].type". Absent and null are the same, as the engines (Go) have it.
 *
 * davit must not read a name otherwise than the runtime does that acts on the same text, and the
 * runtimes differ among themselves (tests/attacks/repeated-names.sh shows each):
 *  - a name that appears twice: runc (Go's encoding/json) merges two objects and takes the last of
 *    other values, crun takes one of the two;
 *  - a name in another case: runc takes it for the name, by Unicode's simple case folding, in which
 *    U+017F is an s and U+212A a k; crun passes it over.
 * Both are errors for names that davit reads. Other names are passed over.
 */
#pragma once

#include "davit/json_text.h"

/* A text that is being read into structs. */
struct reader {
	struct json_text json;
	struct arena *arena;
	struct error *err;
	bool shared; /* the low-level runtime reads the same text, and messages explain how */
};

/* Where an object is: at a path, or an item of the array at that path. */
struct place {
	const char *path; /* "" for the text's own object */
	size_t index;
	bool item;
};

/* The names that davit reads in one kind of object: ASCII, with a lower-case first letter. */
#define NAMES_MAX 8
struct names {
	struct slice items[NAMES_MAX];
	size_t count;
};
#define NAME(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}

/* An object whose members were found; `members` has the order of its names. */
struct object {
	const struct names *names;
	struct place place;
	const struct json_value *members[NAMES_MAX]; /* NULL: absent */
};

/*
 * Finds the members in one pass. Without a value, or with one that isn't an object, all are absent.
 * -EINVAL with ERROR_BAD_BUNDLE for a name that is repeated or in another case.
 */
int object_read(struct reader *r, const struct json_value *value, struct place place,
		const struct names *names, struct object *ret);
/* The same for each object of a list, if only its names are to be checked. */
int objects_check(struct reader *r, const struct json_value *list, const char *path,
		  const struct names *names);

/* NULL if absent; -EINVAL if it has another type. */
int object_get(struct reader *r, const struct object *object, size_t member, enum json_kind kind,
	       const struct json_value **ret);
/* "" when absent. */
int object_string(struct reader *r, const struct object *object, size_t member, const char **ret);
/* The error "is not a TYPE" for the value at the place. */
int place_wrong_type(struct reader *r, struct place place, enum json_kind kind);
/*
 * The same for the item at that index of the array at `path`, if it has another type; otherwise 0.
 */
int place_check_item(struct reader *r, const struct json_value *item, const char *path,
		     size_t index, enum json_kind kind);
