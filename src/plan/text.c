// SPDX-License-Identifier: Apache-2.0
#include "davit/json.h"
#include "davit/plan.h"

#define VERSION 1

/* ---- writing ---------------------------------------------------------------------------- */

static void put_text(struct json_object *object, const char *name, const char *text)
{
	if (text)
		json_object_object_add(object, name, json_object_new_string(text));
}

static void put_number(struct json_object *object, const char *name, int64_t number)
{
	json_object_object_add(object, name, json_object_new_int64(number));
}

static void put_list(struct json_object *object, const char *name, const struct strings *list)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < list->count; i++)
		(void)json_object_array_add(array, json_object_new_string(list->items[i]));
	json_object_object_add(object, name, array);
}

static struct json_object *write_operation(const struct operation *operation)
{
	struct json_object *object = json_object_new_object();

	put_text(object, "op", operation_name(operation->kind));
	put_number(object, "tree", operation->tree);
	put_text(object, "source", operation->source);
	put_text(object, "target", operation->target);
	put_text(object, "text", operation->text);
	put_number(object, "flags", operation->flags);
	put_number(object, "major", operation->major);
	put_number(object, "minor", operation->minor);
	if (operation->block)
		put_number(object, "block", true);
	put_number(object, "owner_root", operation->owner_root);
	put_number(object, "required", operation->required);
	return object;
}

static struct json_object *write_mask(const struct proc_mask *mask)
{
	struct json_object *object = json_object_new_object();

	put_text(object, "version", mask->version);
	put_text(object, "params", mask->params);
	put_text(object, "registry", mask->registry);
	put_list(object, "bus_ids", &mask->bus_ids);
	put_list(object, "capabilities", &mask->capabilities);
	put_list(object, "capability_files", &mask->capability_files);
	return object;
}

static struct json_object *write_libraries(const struct loader_cache *libraries)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < libraries->count; i++) {
		const struct loader_entry *entry = &libraries->items[i];
		struct json_object *object = json_object_new_object();

		put_text(object, "name", entry->name);
		put_text(object, "path", entry->path);
		put_number(object, "flags", entry->flags);
		put_number(object, "os_version", entry->os_version);
		json_object_object_add(object, "hwcap", json_object_new_uint64(entry->hwcap));
		put_text(object, "hwcaps", entry->hwcaps);
		(void)json_object_array_add(array, object);
	}
	return array;
}

static struct json_object *write_mount(const struct oci_mount *mount)
{
	struct json_object *object = json_object_new_object();

	put_text(object, "destination", mount->destination);
	put_text(object, "source", mount->source);
	put_text(object, "type", mount->type);
	put_number(object, "bind", mount->bind);
	put_number(object, "read_only", mount->read_only);
	return object;
}

static const char *text_of(struct json_object *object)
{
	return json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
							      JSON_C_TO_STRING_NOSLASHESCAPE);
}

struct output {
	char *to; /* NULL: only measured */
	size_t length;
};

static void put(struct output *output, const char *text, size_t length)
{
	if (output->to)
		(void)memcpy(output->to + output->length, text, length);
	output->length += length;
}

static int put_mounts(struct output *output, const struct oci_mounts *mounts)
{
	for (size_t i = 0; i < mounts->count; i++) {
		AUTO_JSON *object = write_mount(&mounts->items[i]);
		const char *text = text_of(object);

		if (!text)
			return -ENOMEM;
		put(output, ",", i > 0);
		put(output, text, strlen(text));
	}
	return 0;
}

/* Puts the mounts into the object's text: they may be many, and take far more as json-c's tree. */
static char *add_mounts(const char *object, const struct oci_mounts *mounts, struct arena *arena)
{
	struct output output = {0};

	for (int i = 0; i < 2; i++) {
		output.length = 0;
		put(&output, object, strlen(object) - 1); /* without its bracket */
		put(&output, ",\"mounts\":[", strlen(",\"mounts\":["));
		if (put_mounts(&output, mounts) < 0)
			return NULL;
		put(&output, "]}", strlen("]}"));
		if (!output.to)
			output.to = arena_alloc(arena, output.length + 1);
		if (!output.to)
			return NULL;
	}
	return output.to;
}

const char *plan_write(const struct plan *plan, const char *rootfs, struct arena *arena)
{
	AUTO_JSON *object = json_object_new_object();
	struct json_object *operations = json_object_new_array();
	const char *text;

	put_number(object, "version", VERSION);
	put_text(object, "rootfs", rootfs);
	for (size_t i = 0; i < plan->count; i++)
		(void)json_object_array_add(operations, write_operation(&plan->items[i]));
	json_object_object_add(object, "operations", operations);
	put_list(object, "stubs", &plan->stubs);
	json_object_object_add(object, "proc_mask", write_mask(&plan->proc_mask));
	json_object_object_add(object, "libraries", write_libraries(&plan->libraries));
	put_number(object, "root_readonly", plan->root_readonly);
	put_number(object, "shared_propagation", plan->shared_propagation);
	text = text_of(object);
	return text ? add_mounts(text, &plan->mounts, arena) : NULL;
}

/* ---- reading ---------------------------------------------------------------------------- */

struct reader {
	struct arena *arena;
	bool wrong, no_memory;
};

static struct json_object *get(struct reader *r, struct json_object *object, const char *name,
			       enum json_type type)
{
	struct json_object *member = NULL;

	if (json_object_is_type(object, json_type_object) &&
	    json_object_object_get_ex(object, name, &member) &&
	    !json_object_is_type(member, type)) {
		r->wrong = true;
		return NULL;
	}
	return member;
}

static const char *copy_text(struct reader *r, struct json_object *text)
{
	const char *copy;

	if (!json_object_is_type(text, json_type_string)) {
		r->wrong |= text != NULL;
		return NULL;
	}
	copy = arena_strdup(r->arena, json_object_get_string(text));
	r->no_memory |= !copy;
	return copy;
}

static const char *get_text(struct reader *r, struct json_object *object, const char *name)
{
	return copy_text(r, get(r, object, name, json_type_string));
}

static const char *need_text(struct reader *r, struct json_object *object, const char *name)
{
	const char *text = get_text(r, object, name);

	r->wrong |= !text;
	return text;
}

static int64_t get_number(struct reader *r, struct json_object *object, const char *name)
{
	return json_object_get_int64(get(r, object, name, json_type_int));
}

static size_t length_of(struct json_object *array)
{
	return array ? json_object_array_length(array) : 0;
}

static void get_list(struct reader *r, struct json_object *object, const char *name,
		     struct strings *ret)
{
	struct json_object *array = get(r, object, name, json_type_array);

	for (size_t i = 0; i < length_of(array); i++) {
		const char *text = copy_text(r, json_object_array_get_idx(array, i));

		r->wrong |= !text;
		if (text && strings_add(r->arena, ret, text) < 0)
			r->no_memory = true;
	}
}

static void read_operation(struct reader *r, struct json_object *object, struct operation *ret)
{
	const char *name = need_text(r, object, "op");
	int64_t tree = get_number(r, object, "tree");
	unsigned kind = OPERATION_DEVICE_RULE;

	while (kind < OPERATION_LOADER_CACHE &&
	       !string_equal(operation_name((enum operation_kind)kind), name))
		kind++;
	r->wrong |= tree < TREE_DRIVER_ROOT || tree > TREE_RUN ||
		    !string_equal(operation_name((enum operation_kind)kind), name);
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

static void read_operations(struct reader *r, struct json_object *array, struct plan *ret)
{
	for (size_t i = 0; i < length_of(array); i++) {
		struct operation *operation = ARENA_PUSH(r->arena, ret);

		if (!operation)
			r->no_memory = true;
		else
			read_operation(r, json_object_array_get_idx(array, i), operation);
	}
}

static void read_libraries(struct reader *r, struct json_object *array, struct loader_cache *ret)
{
	for (size_t i = 0; i < length_of(array); i++) {
		struct json_object *object = json_object_array_get_idx(array, i);
		struct loader_entry *entry = ARENA_PUSH(r->arena, ret);

		if (!entry) {
			r->no_memory = true;
			return;
		}
		entry->name = need_text(r, object, "name");
		entry->path = need_text(r, object, "path");
		entry->flags = (int32_t)get_number(r, object, "flags");
		entry->os_version = (uint32_t)get_number(r, object, "os_version");
		entry->hwcap = json_object_get_uint64(get(r, object, "hwcap", json_type_int));
		entry->hwcaps = get_text(r, object, "hwcaps");
	}
}

static void read_mask(struct reader *r, struct json_object *object, struct proc_mask *ret)
{
	ret->version = get_text(r, object, "version");
	ret->params = get_text(r, object, "params");
	ret->registry = get_text(r, object, "registry");
	get_list(r, object, "bus_ids", &ret->bus_ids);
	get_list(r, object, "capabilities", &ret->capabilities);
	get_list(r, object, "capability_files", &ret->capability_files);
}

static void read_mounts(struct reader *r, struct json_object *array, struct oci_mounts *ret)
{
	for (size_t i = 0; i < length_of(array); i++) {
		struct json_object *object = json_object_array_get_idx(array, i);
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
	AUTO_JSON *object = NULL;
	int r = json_parse(text, length, ERROR_BAD_BUNDLE, PLAN_FILE " of the bundle", &object,
			   err);

	if (r < 0)
		return r;
	*ret = (struct plan){0};
	*ret_rootfs = need_text(&reader, object, "rootfs");
	reader.wrong |= get_number(&reader, object, "version") != VERSION;
	read_operations(&reader, get(&reader, object, "operations", json_type_array), ret);
	get_list(&reader, object, "stubs", &ret->stubs);
	read_mask(&reader, get(&reader, object, "proc_mask", json_type_object), &ret->proc_mask);
	read_libraries(&reader, get(&reader, object, "libraries", json_type_array),
		       &ret->libraries);
	read_mounts(&reader, get(&reader, object, "mounts", json_type_array), &ret->mounts);
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
