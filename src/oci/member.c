// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "member.h"

int member_wrong_type(const char *place, enum json_type type, struct error *err)
{
	bool vowel = type == json_type_object || type == json_type_array || type == json_type_int;

	return error_set(err, ERROR_BAD_BUNDLE, EINVAL, NULL, "read the bundle: %s is not %s %s",
			 place, vowel ? "an" : "a", json_type_to_name(type));
}

int member_get(struct json_object *object, const char *place, const char *name, enum json_type type,
	       struct json_object **ret, struct error *err)
{
	char where[128];

	*ret = NULL;
	if (!object || !json_object_object_get_ex(object, name, ret) || !*ret ||
	    json_object_is_type(*ret, type))
		return 0;
	*ret = NULL;
	(void)snprintf(where, sizeof(where), "%s%s%s", place, *place ? "." : "", name);
	return member_wrong_type(where, type, err);
}

const char *member_copy(struct json_object *text, struct arena *arena)
{
	return arena_strndup(arena, json_object_get_string(text),
			     (size_t)json_object_get_string_len(text));
}

int member_string(struct json_object *object, const char *place, const char *name,
		  struct arena *arena, const char **ret, struct error *err)
{
	struct json_object *text;
	int r = member_get(object, place, name, json_type_string, &text, err);

	if (r < 0)
		return r;
	*ret = text ? member_copy(text, arena) : "";
	return *ret ? 0 : error_memory(err);
}
