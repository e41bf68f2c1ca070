// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "davit/json_text.h"
#include "davit/plan.h"

#define VERSION 1

/* ---- writing ---------------------------------------------------------------------------- */

/*
 * Written twice: first to measure its length, then into memory of that size. json-c's trees would
 * need far more.
 */
struct output {
	char *to; /* NULL: only measured */
	size_t length;
};

static void put(struct output *output, const char *text, size_t length)
{
	if (output->to)
		memcpy(output->to + output->length, text, length);
	output->length += length;
}

static void put_word(struct output *output, const char *word)
{
	put(output, word, strlen(word));
}

static void put_escaped(struct output *output, unsigned char c)
{
	char escape[sizeof("\\u0000")];

	if (c == '"' || c == '\\')
		(void)snprintf(escape, sizeof(escape), "\\%c", c);
	else
		(void)snprintf(escape, sizeof(escape), "\\u%04x", c);
	put_word(output, escape);
}

static void put_string(struct output *output, const char *text)
{
	const char *plain = text;

	put(output, "\"", 1);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= ' ' && c != '"' && c != '\\')
			continue;
		put(output, plain, (size_t)(text - plain));
		put_escaped(output, c);
		plain = text + 1;
	}
	put(output, plain, (size_t)(text - plain));
	put(output, "\"", 1);
}

/* A comma, unless it is the first of its object or array. */
static void put_comma(struct output *output, bool *first)
{
	put(output, ",", !*first);
	*first = false;
}

static void put_name(struct output *output, bool *first, const char *name)
{
	put_comma(output, first);
	put_string(output, name);
	put(output, ":", 1);
}

static void put_text(struct output *output, bool *first, const char *name, const char *text)
{
	if (!text)
		return;
	put_name(output, first, name);
	put_string(output, text);
}

/* Zero and false are omitted, and a missing member is read as such. */
static void put_number(struct output *output, bool *first, const char *name, uint64_t number)
{
	char digits[21], *at = digits + sizeof(digits);

	if (number == 0)
		return;
	put_name(output, first, name);
	do
		*--at = (char)('0' + number % 10);
	while (number /= 10);
	put(output, at, (size_t)(digits + sizeof(digits) - at));
}

static void put_list(struct output *output, bool *first, const char *name,
		     const struct strings *list)
{
	bool first_item = true;

	put_name(output, first, name);
	put(output, "[", 1);
	for (size_t i = 0; i < list->count; i++) {
		put_comma(output, &first_item);
		put_string(output, list->items[i]);
	}
	put(output, "]", 1);
}

static void put_operation(struct output *output, const struct operation *operation)
{
	bool first = true;

	put(output, "{", 1);
	put_text(output, &first, "op", operation_name(operation->kind));
	put_number(output, &first, "tree", operation->tree);
	put_text(output, &first, "source", operation->source);
	put_text(output, &first, "target", operation->target);
	put_text(output, &first, "text", operation->text);
	put_number(output, &first, "flags", operation->flags);
	put_number(output, &first, "major", operation->major);
	put_number(output, &first, "minor", operation->minor);
	put_number(output, &first, "block", operation->block);
	put_number(output, &first, "owner_root", operation->owner_root);
	put_number(output, &first, "required", operation->required);
	put(output, "}", 1);
}

static void put_mask(struct output *output, const struct proc_mask *mask)
{
	bool first = true;

	put(output, "{", 1);
	put_text(output, &first, "version", mask->version);
	put_text(output, &first, "params", mask->params);
	put_text(output, &first, "registry", mask->registry);
	put_list(output, &first, "bus_ids", &mask->bus_ids);
	put_list(output, &first, "capabilities", &mask->capabilities);
	put_list(output, &first, "capability_files", &mask->capability_files);
	put(output, "}", 1);
}

static void put_library(struct output *output, const struct loader_entry *entry)
{
	bool first = true;

	put(output, "{", 1);
	put_text(output, &first, "name", entry->name);
	put_text(output, &first, "path", entry->path);
	put_number(output, &first, "flags", (uint32_t)entry->flags);
	put_number(output, &first, "os_version", entry->os_version);
	put_number(output, &first, "hwcap", entry->hwcap);
	put_text(output, &first, "hwcaps", entry->hwcaps);
	put(output, "}", 1);
}

static void put_mount(struct output *output, const struct oci_mount *mount)
{
	bool first = true;

	put(output, "{", 1);
	put_text(output, &first, "destination", mount->destination);
	put_text(output, &first, "source", mount->source);
	put_text(output, &first, "type", mount->type);
	put_number(output, &first, "bind", mount->bind);
	put_number(output, &first, "read_only", mount->read_only);
	put(output, "}", 1);
}

static void put_plan(struct output *output, const struct plan *plan, const char *rootfs)
{
	bool first = true, first_item = true;

	put(output, "{", 1);
	put_number(output, &first, "version", VERSION);
	put_text(output, &first, "rootfs", rootfs);
	put_name(output, &first, "operations");
	put(output, "[", 1);
	for (size_t i = 0; i < plan->count; i++) {
		put_comma(output, &first_item);
		put_operation(output, &plan->items[i]);
	}
	put(output, "]", 1);
	put_list(output, &first, "stubs", &plan->stubs);
	put_name(output, &first, "proc_mask");
	put_mask(output, &plan->proc_mask);
	put_name(output, &first, "libraries");
	put(output, "[", 1);
	first_item = true;
	for (size_t i = 0; i < plan->libraries.count; i++) {
		put_comma(output, &first_item);
		put_library(output, &plan->libraries.items[i]);
	}
	put(output, "]", 1);
	put_number(output, &first, "root_readonly", plan->root_readonly);
	put_number(output, &first, "shared_propagation", plan->shared_propagation);
	put_name(output, &first, "mounts");
	put(output, "[", 1);
	first_item = true;
	for (size_t i = 0; i < plan->mounts.count; i++) {
		put_comma(output, &first_item);
		put_mount(output, &plan->mounts.items[i]);
	}
	put(output, "]}", 2);
}

const char *plan_write(const struct plan *plan, const char *rootfs, struct arena *arena)
{
	struct output output = {0};

	put_plan(&output, plan, rootfs);
	output.to = arena_alloc(arena, output.length + 1);
	output.length = 0;
	if (output.to)
		put_plan(&output, plan, rootfs);
	return output.to;
}

/* ---- reading ---------------------------------------------------------------------------- */

struct reader {
	struct json_text json;
	struct arena *arena;
	bool wrong, no_memory;
};

/* NULL: absent, or of another type, which is an error. */
static const struct json_value *get(struct reader *r, const struct json_value *object,
				    const char *name, enum json_kind kind)
{
	const struct json_value *member = NULL;

	if (object && object->kind == JSON_OBJECT)
		member = json_member(&r->json, object, name);
	if (!member || member->kind == kind)
		return member;
	r->wrong = true;
	return NULL;
}

static const char *copy_text(struct reader *r, const struct json_value *text)
{
	const char *copy;

	if (!text || text->kind != JSON_STRING) {
		r->wrong |= text != NULL;
		return NULL;
	}
	copy = json_string(&r->json, text, r->arena);
	r->no_memory |= !copy;
	return copy;
}

static const char *get_text(struct reader *r, const struct json_value *object, const char *name)
{
	return copy_text(r, get(r, object, name, JSON_STRING));
}

static const char *need_text(struct reader *r, const struct json_value *object, const char *name)
{
	const char *text = get_text(r, object, name);

	r->wrong |= !text;
	return text;
}

static uint64_t get_number(struct reader *r, const struct json_value *object, const char *name)
{
	const struct json_value *member = get(r, object, name, JSON_INTEGER);
	uint64_t number = 0;

	if (member &&
	    parse_number(r->json.text + member->start, member->length, 10, UINT64_MAX, &number) < 0)
		r->wrong = true;
	return number;
}

static const struct json_value *first_of(const struct json_value *array)
{
	return array ? json_first(array) : NULL;
}

static void get_list(struct reader *r, const struct json_value *object, const char *name,
		     struct strings *ret)
{
	const struct json_value *array = get(r, object, name, JSON_ARRAY);

	for (const struct json_value *item = first_of(array); item; item = json_next(array, item)) {
		const char *text = copy_text(r, item);

		r->wrong |= !text;
		if (text && strings_add(r->arena, ret, text) < 0)
			r->no_memory = true;
	}
}

static void read_operation(struct reader *r, const struct json_value *object, struct operation *ret)
{
	const char *name = need_text(r, object, "op");
	uint64_t tree = get_number(r, object, "tree");
	unsigned kind = OPERATION_DEVICE_RULE;

	while (kind < OPERATION_LOADER_CACHE &&
	       !string_equal(operation_name((enum operation_kind)kind), name))
		kind++;
	r->wrong |=
		tree > TREE_RUN || !string_equal(operation_name((enum operation_kind)kind), name);
	ret->kind = (enum operation_kind)kind;
	ret->tree = (enum driver_tree)tree;
	ret->source = get_text(r, object, "source");
	ret->source_fd = -1;
	ret->target = need_text(r, object, "target");
	ret->text = get_text(r, object, "text");
	ret->flags = (unsigned)get_number(r, object, "flags");
	ret->major = (unsigned)get_number(r, object, "major");
	ret->minor = (unsigned)get_number(r, object, "minor");
	ret->block = get_number(r, object, "block") != 0;
	ret->owner_root = get_number(r, object, "owner_root") != 0;
	ret->required = get_number(r, object, "required") != 0;
	ret->because = "";
	r->wrong |= (kind == OPERATION_BIND || kind == OPERATION_DEVICE) && !ret->source;
	r->wrong |= (kind == OPERATION_SYMLINK || kind == OPERATION_FILE) && !ret->text;
}

static void read_operations(struct reader *r, const struct json_value *array, struct plan *ret)
{
	for (const struct json_value *object = first_of(array); object;
	     object = json_next(array, object)) {
		struct operation *operation = ARENA_PUSH(r->arena, ret);

		if (!operation)
			r->no_memory = true;
		else
			read_operation(r, object, operation);
	}
}

static void read_libraries(struct reader *r, const struct json_value *array,
			   struct loader_cache *ret)
{
	for (const struct json_value *object = first_of(array); object;
	     object = json_next(array, object)) {
		struct loader_entry *entry = ARENA_PUSH(r->arena, ret);

		if (!entry) {
			r->no_memory = true;
			return;
		}
		entry->name = need_text(r, object, "name");
		entry->path = need_text(r, object, "path");
		entry->flags = (int32_t)(uint32_t)get_number(r, object, "flags");
		entry->os_version = (uint32_t)get_number(r, object, "os_version");
		entry->hwcap = get_number(r, object, "hwcap");
		entry->hwcaps = get_text(r, object, "hwcaps");
	}
}

static void read_mask(struct reader *r, const struct json_value *object, struct proc_mask *ret)
{
	ret->version = get_text(r, object, "version");
	ret->params = get_text(r, object, "params");
	ret->registry = get_text(r, object, "registry");
	get_list(r, object, "bus_ids", &ret->bus_ids);
	get_list(r, object, "capabilities", &ret->capabilities);
	get_list(r, object, "capability_files", &ret->capability_files);
}

static void read_mounts(struct reader *r, const struct json_value *array, struct oci_mounts *ret)
{
	for (const struct json_value *object = first_of(array); object;
	     object = json_next(array, object)) {
		struct oci_mount *mount = ARENA_PUSH(r->arena, ret);

		if (!mount) {
			r->no_memory = true;
			return;
		}
		mount->destination = need_text(r, object, "destination");
		mount->source = need_text(r, object, "source");
		mount->type = need_text(r, object, "type");
		mount->bind = get_number(r, object, "bind") != 0;
		mount->read_only = get_number(r, object, "read_only") != 0;
	}
}

int plan_read(const char *text, size_t length, struct arena *arena, struct plan *ret,
	      const char **ret_rootfs, struct error *err)
{
	struct reader reader = {.arena = arena};
	const struct json_value *object;
	int r = json_text_parse(text, length, ERROR_BAD_BUNDLE, PLAN_FILE " of the bundle", arena,
				&reader.json, err);

	if (r < 0)
		return r;
	object = reader.json.items;
	*ret = (struct plan){0};
	*ret_rootfs = need_text(&reader, object, "rootfs");
	reader.wrong |= get_number(&reader, object, "version") != VERSION;
	read_operations(&reader, get(&reader, object, "operations", JSON_ARRAY), ret);
	get_list(&reader, object, "stubs", &ret->stubs);
	read_mask(&reader, get(&reader, object, "proc_mask", JSON_OBJECT), &ret->proc_mask);
	read_libraries(&reader, get(&reader, object, "libraries", JSON_ARRAY), &ret->libraries);
	read_mounts(&reader, get(&reader, object, "mounts", JSON_ARRAY), &ret->mounts);
	ret->root_readonly = get_number(&reader, object, "root_readonly") != 0;
	ret->shared_propagation = get_number(&reader, object, "shared_propagation") != 0;
	if (reader.no_memory)
		return error_memory(err);
	if (reader.wrong)
		return error_set(err, ERROR_BAD_BUNDLE, EINVAL,
				 "recreate the container: only davit-runtime writes this file",
				 "read the bundle's " PLAN_FILE
				 ": another version of davit wrote it");
	return 0;
}
