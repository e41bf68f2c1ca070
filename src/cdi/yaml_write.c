// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/cdi.h"

/* A text that grows. */
struct writer {
	struct arena *arena;
	char *text;
	size_t length, capacity;
	bool failed;
};

static void put(struct writer *writer, const char *text, size_t length)
{
	if (writer->failed)
		return;
	if (writer->length + length + 1 > writer->capacity) {
		size_t capacity = 2 * (writer->length + length + 1);
		char *larger = arena_alloc(writer->arena, capacity);

		if (!larger) {
			writer->failed = true;
			return;
		}
		if (writer->length)
			memcpy(larger, writer->text, writer->length);
		writer->text = larger;
		writer->capacity = capacity;
	}
	memcpy(writer->text + writer->length, text, length);
	writer->length += length;
	writer->text[writer->length] = '\0';
}

static void put_text(struct writer *writer, const char *text)
{
	put(writer, text, strlen(text));
}

static void put_indent(struct writer *writer, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		put_text(writer, "  ");
}

/* JSON's strings, numbers and booleans are also YAML. */
static void put_scalar(struct writer *writer, struct json_object *value)
{
	const char *text = json_object_to_json_string_ext(
		value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (text)
		put_text(writer, text);
	writer->failed |= !text;
}

static bool is_block(struct json_object *value)
{
	return (json_object_is_type(value, json_type_object) &&
		json_object_object_length(value) > 0) ||
	       (json_object_is_type(value, json_type_array) && json_object_array_length(value) > 0);
}

static void put_block(struct writer *writer, struct json_object *value, unsigned depth, bool begun);

static void put_member(struct writer *writer, const char *name, struct json_object *value,
		       unsigned depth)
{
	struct json_object *key = json_object_new_string(name);

	writer->failed |= !key;
	/* Names of fields are plain words; those of annotations may be anything. */
	if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(name))
		put_text(writer, name);
	else if (key)
		put_scalar(writer, key);
	(void)json_object_put(key);
	put_text(writer, ":");
	if (is_block(value)) {
		put_text(writer, "\n");
		put_block(writer, value, depth + 1, false);
		return;
	}
	put_text(writer, " ");
	put_scalar(writer, value);
	put_text(writer, "\n");
}

/* `begun`: the first line already has its indentation and a dash. */
static void put_block(struct writer *writer, struct json_object *value, unsigned depth, bool begun)
{
	if (json_object_is_type(value, json_type_object)) {
		json_object_object_foreach(value, name, member)
		{
			if (!begun)
				put_indent(writer, depth);
			begun = false;
			put_member(writer, name, member, depth);
		}
		return;
	}
	for (size_t i = 0; i < json_object_array_length(value); i++) {
		struct json_object *item = json_object_array_get_idx(value, i);

		if (!begun)
			put_indent(writer, depth);
		begun = false;
		put_text(writer, "- ");
		if (is_block(item)) {
			put_block(writer, item, depth + 1, true);
		} else {
			put_scalar(writer, item);
			put_text(writer, "\n");
		}
	}
}

const char *cdi_yaml_write(struct json_object *spec, struct arena *arena)
{
	struct writer writer = {.arena = arena};

	put_text(&writer, "---\n");
	if (is_block(spec))
		put_block(&writer, spec, 0, false);
	else
		put_text(&writer, "{}\n");
	return writer.failed ? NULL : writer.text;
}
