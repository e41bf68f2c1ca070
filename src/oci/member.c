// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "member.h"

#define PLACE_MAX 128

int member_wrong_type(struct reader *r, const char *place, enum json_kind kind)
{
	static const char *const names[] = {
		[JSON_NULL] = "a null",      [JSON_BOOLEAN] = "a boolean",
		[JSON_INTEGER] = "an int",   [JSON_NUMBER] = "a number",
		[JSON_STRING] = "a string",  [JSON_ARRAY] = "an array",
		[JSON_OBJECT] = "an object",
	};

	return error_set(r->err, ERROR_BAD_BUNDLE, EINVAL, NULL, "read the bundle: %s is not %s",
			 place, names[kind]);
}

int member_check_item(struct reader *r, const struct json_value *item, const char *place,
		      size_t index, enum json_kind kind)
{
	char where[PLACE_MAX];

	if (item->kind == kind)
		return 0;
	(void)snprintf(where, sizeof(where), "%s[%zu]", place, index);
	return member_wrong_type(r, where, kind);
}

int member_get(struct reader *r, const struct json_value *object, const char *place,
	       const char *name, enum json_kind kind, const struct json_value **ret)
{
	char where[PLACE_MAX];

	*ret = object ? json_member(&r->json, object, name) : NULL;
	if (!*ret || (*ret)->kind == kind)
		return 0;
	*ret = NULL;
	(void)snprintf(where, sizeof(where), "%s%s%s", place, *place ? "." : "", name);
	return member_wrong_type(r, where, kind);
}

int member_string(struct reader *r, const struct json_value *object, const char *place,
		  const char *name, const char **ret)
{
	const struct json_value *text;
	int result = member_get(r, object, place, name, JSON_STRING, &text);

	if (result < 0)
		return result;
	*ret = text ? json_string(&r->json, text, r->arena) : "";
	return *ret ? 0 : error_memory(r->err);
}
