// SPDX-License-Identifier: Apache-2.0
#include <json-c/json.h>
#include <string.h>
#include <strings.h>

#include "davit/loader.h"

/* The note of every known driver is less deep and shorter. */
#define NOTE_DEPTH_MAX 8
#define NOTE_LENGTH_MAX 65536

static void json_release(struct json_object **object)
{
	(void)json_object_put(*object);
}

static void tokener_release(struct json_tokener **tokener)
{
	if (*tokener)
		json_tokener_free(*tokener);
}

static struct json_object *parse(const char *json)
{
	__attribute__((cleanup(tokener_release))) struct json_tokener *tokener =
		json_tokener_new_ex(NOTE_DEPTH_MAX);
	size_t length = strlen(json);
	struct json_object *root;

	if (!tokener || length > NOTE_LENGTH_MAX)
		return NULL;
	root = json_tokener_parse_ex(tokener, json, (int)length + 1);
	if (json_tokener_get_error(tokener) == json_tokener_success)
		return root;
	json_object_put(root);
	return NULL;
}

static int read_version(struct json_object *value, struct arena *arena, struct cuda_note *ret)
{
	if (!json_object_is_type(value, json_type_string))
		return -EINVAL;
	ret->cuda_version = arena_strdup(arena, json_object_get_string(value));
	return ret->cuda_version ? 0 : -ENOMEM;
}

static int read_drivers(struct json_object *value, struct cuda_note *ret)
{
	if (!json_object_is_type(value, json_type_array))
		return -EINVAL;
	ret->driver_count = 0;
	for (size_t i = 0; i < json_object_array_length(value); i++) {
		struct json_object *item = json_object_array_get_idx(value, i);
		int64_t major = json_object_get_int64(item);

		if (!json_object_is_type(item, json_type_int) || major < 0 || major > UINT32_MAX ||
		    ret->driver_count == ARRAY_SIZE(ret->drivers))
			return -EINVAL;
		ret->drivers[ret->driver_count++] = (unsigned)major;
	}
	return 0;
}

int cuda_note_parse(const char *json, struct arena *arena, struct cuda_note *ret)
{
	__attribute__((cleanup(json_release))) struct json_object *root = parse(json);
	int r = 0;

	*ret = (struct cuda_note){0};
	if (!json_object_is_type(root, json_type_object))
		return -EINVAL;
	json_object_object_foreach(root, key, value)
	{
		if (strcasecmp(key, "CUDA version") == 0)
			r = read_version(value, arena, ret);
		else if (strcasecmp(key, "driver") == 0)
			r = read_drivers(value, ret);
		if (r < 0)
			break;
	}
	return r;
}
