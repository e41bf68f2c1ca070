// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "member.h"

#define PLACE_MAX 128

/* "mounts[3].type"; `name` may be NULL. */
static void place_print(struct place place, const struct slice *name, char text[static PLACE_MAX])
{
	char index[sizeof("[]") + 3 * sizeof(size_t)] = "";

	if (place.item)
		(void)snprintf(index, sizeof(index), "[%zu]", place.index);
	(void)snprintf(text, PLACE_MAX, "%s%s%s%.*s", place.path, index,
		       place.path[0] && name ? "." : "", name ? (int)name->length : 0,
		       name ? name->data : "");
}

static int wrong_type(struct reader *r, struct place place, const struct slice *name,
		      enum json_kind kind)
{
	static const char *const names[] = {
		[JSON_NULL] = "a null",      [JSON_BOOLEAN] = "a boolean",
		[JSON_INTEGER] = "an int",   [JSON_NUMBER] = "a number",
		[JSON_STRING] = "a string",  [JSON_ARRAY] = "an array",
		[JSON_OBJECT] = "an object",
	};
	char where[PLACE_MAX];

	place_print(place, name, where);
	return error_set(r->err, ERROR_BAD_BUNDLE, EINVAL, NULL, "read the bundle: %s is not %s",
			 where, names[kind]);
}

int place_wrong_type(struct reader *r, struct place place, enum json_kind kind)
{
	return wrong_type(r, place, NULL, kind);
}

int place_check_item(struct reader *r, const struct json_value *item, const char *path,
		     size_t index, enum json_kind kind)
{
	const struct place place = {path, index, true};

	return item->kind == kind ? 0 : wrong_type(r, place, NULL, kind);
}

/* ---- names ------------------------------------------------------------------------------ */

static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

/* The two characters beyond ASCII that are another case of an ASCII letter, in UTF-8. */
static const struct {
	struct slice character;
	char letter;
} foldings[] = {
	{NAME("\xc5\xbf"), 's'},     /* U+017F, a long s */
	{NAME("\xe2\x84\xaa"), 'k'}, /* U+212A, the sign of the kelvin */
};

/* Returns the key's first letter in lower case, and removes it from *key. */
static unsigned char take_folded(struct slice *key)
{
	size_t length = 1;
	char letter = key->data[0];

	for (size_t i = 0; i < ARRAY_SIZE(foldings); i++)
		if (slice_starts(*key, foldings[i].character.data)) {
			letter = foldings[i].letter;
			length = foldings[i].character.length;
		}
	*key = (struct slice){key->data + length, key->length - length};
	return lower(letter);
}

/* Whether Go's encoding/json treats both names as equal. */
static bool folds_to(struct slice key, struct slice name)
{
	for (size_t i = 0; i < name.length; i++)
		if (key.length == 0 || take_folded(&key) != lower(name.data[i]))
			return false;
	return key.length == 0;
}

static bool is_same(struct slice key, struct slice name)
{
	return key.length == name.length && memcmp(key.data, name.data, name.length) == 0;
}

/* The first letter is compared first, because most keys differ in it. */
static bool may_be(struct slice key, struct slice name)
{
	unsigned char first = key.length ? lower(key.data[0]) : 0;

	return first == (unsigned char)name.data[0] || first >= 0x80;
}

/* The index of the name that the key equals, or may equal; otherwise the number of names. */
static size_t find_name(const struct names *names, struct slice key)
{
	size_t i = 0;

	while (i < names->count &&
	       !(may_be(key, names->items[i]) &&
		 (is_same(key, names->items[i]) || folds_to(key, names->items[i]))))
		i++;
	return i;
}

/* ---- objects ---------------------------------------------------------------------------- */

/* The key without escapes, as both runtimes read it. */
static int read_key(struct reader *r, const struct json_value *key, struct slice *ret)
{
	*ret = (struct slice){r->json.text + key->start, key->length};
	if (!key->escaped)
		return 0;
	ret->data = json_string(&r->json, key, r->arena);
	if (!ret->data)
		return error_memory(r->err);
	ret->length = strlen(ret->data);
	return 0;
}

static int refuse_case(struct reader *r, const struct object *object, const struct slice *name,
		       struct slice key)
{
	char where[PLACE_MAX];

	place_print(object->place, name, where);
	(void)error_set(r->err, ERROR_BAD_BUNDLE, EINVAL, NULL,
			r->shared
				? "read the bundle: runc reads \"%.*s\" as %s, but crun ignores it"
				: "read the bundle: \"%.*s\" is a wrong spelling of %s",
			(int)(key.length < PLACE_MAX ? key.length : PLACE_MAX), key.data, where);
	return error_fix(r->err, -EINVAL, "write \"%.*s\", or remove it", (int)name->length,
			 name->data);
}

static int refuse_repeated(struct reader *r, const struct object *object, const struct slice *name)
{
	char where[PLACE_MAX];

	place_print(object->place, name, where);
	return error_set(r->err, ERROR_BAD_BUNDLE, EINVAL, "keep one of them",
			 "read the bundle: %s appears twice%s", where,
			 r->shared ? ": runc merges them or uses the last, crun uses one" : "");
}

int object_read(struct reader *r, const struct json_value *value, struct place place,
		const struct names *names, struct object *ret)
{
	const struct json_value *key = NULL;

	*ret = (struct object){.names = names, .place = place};
	if (value && value->kind == JSON_OBJECT)
		key = json_first(value);
	for (; key; key = json_next(value, key + 1)) {
		struct slice text;
		size_t found;

		int result = read_key(r, key, &text);

		if (result < 0)
			return result;
		found = find_name(names, text);
		if (found == names->count)
			continue;
		if (!is_same(text, names->items[found]))
			return refuse_case(r, ret, &names->items[found], text);
		if (ret->members[found])
			return refuse_repeated(r, ret, &names->items[found]);
		ret->members[found] = key + 1;
	}
	for (size_t i = 0; i < names->count; i++)
		if (ret->members[i] && ret->members[i]->kind == JSON_NULL)
			ret->members[i] = NULL;
	return 0;
}

int objects_check(struct reader *r, const struct json_value *list, const char *path,
		  const struct names *names)
{
	const struct json_value *item = list && list->kind == JSON_ARRAY ? json_first(list) : NULL;
	struct place place = {path, 0, true};
	int result = 0;

	for (; result == 0 && item; item = json_next(list, item), place.index++) {
		struct object ignored;

		result = object_read(r, item, place, names, &ignored);
	}
	return result;
}

int object_get(struct reader *r, const struct object *object, size_t member, enum json_kind kind,
	       const struct json_value **ret)
{
	*ret = object->members[member];
	if (!*ret || (*ret)->kind == kind)
		return 0;
	*ret = NULL;
	return wrong_type(r, object->place, &object->names->items[member], kind);
}

int object_string(struct reader *r, const struct object *object, size_t member, const char **ret)
{
	const struct json_value *text;
	int result = object_get(r, object, member, JSON_STRING, &text);

	if (result < 0)
		return result;
	*ret = text ? json_string(&r->json, text, r->arena) : "";
	return *ret ? 0 : error_memory(r->err);
}
