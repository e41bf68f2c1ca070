// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/json.h"
#include "davit/runtime.h"
#include "davit/sys.h"

#define OVERFLOW_GID 65534 /* how a user namespace shows groups that it doesn't have */
#define VARIABLE "NVIDIA_VISIBLE_DEVICES="
#define VOID_VARIABLE "\"" VARIABLE "void\""

/* Text behind what is in *list, with a comma. */
static int add_text(struct arena *arena, const char **list, const char *text)
{
	*list = !text ? NULL : **list ? arena_printf(arena, "%s,%s", *list, text) : text;
	return *list ? 0 : -ENOMEM;
}

/* The object as text in the arena; it is released. */
static const char *take_text(struct json_object *object, struct arena *arena)
{
	const char *text = json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	char *copy = text ? arena_strdup(arena, text) : NULL;

	(void)json_object_put(object);
	return copy;
}

static int append(struct document *document, const char *path, const char *items, struct error *err)
{
	return *items ? document_append(document, path, items, err) : 0;
}

/* The value at the item, parsed; NULL when it can't be. To be put. */
static struct json_object *parse_item(const struct document *document, struct document_value item)
{
	char *copy =
		arena_strndup(document->arena, document->text + item.start, item.end - item.start);

	return copy ? json_tokener_parse(copy) : NULL;
}

static const char *member_text(struct json_object *object, const char *name)
{
	struct json_object *member;

	return json_object_is_type(object, json_type_object) &&
			       json_object_object_get_ex(object, name, &member) &&
			       json_object_is_type(member, json_type_string)
		       ? json_object_get_string(member)
		       : "";
}

/* ---- devices ---------------------------------------------------------------------------- */

static int find_paths(const struct document *document, struct strings *ret, struct error *err)
{
	struct document_value array, item;
	size_t at;
	int r = document_find(document, "linux.devices", &array, err);

	for (at = array.start; r == 0 && document_next_item(document, array, &at, &item);) {
		AUTO_JSON *device = parse_item(document, item);
		const char *path = arena_strdup(document->arena, member_text(device, "path"));

		if (!path || strings_add(document->arena, ret, path) < 0)
			return error_memory(err);
	}
	return r;
}

static const char *device_text(const struct spec_device *device, struct arena *arena)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "path", json_object_new_string(device->path));
	json_object_object_add(object, "type", json_object_new_string("c"));
	json_object_object_add(object, "major", json_object_new_int64(device->major));
	json_object_object_add(object, "minor", json_object_new_int64(device->minor));
	json_object_object_add(object, "fileMode", json_object_new_int64(device->mode));
	json_object_object_add(object, "uid", json_object_new_int64(device->uid));
	json_object_object_add(object, "gid", json_object_new_int64(device->gid));
	return take_text(object, arena);
}

/* A path that the engine has a device for already (--device, --privileged) keeps that one. */
static int edit_devices(struct document *document, const struct spec_devices *devices,
			struct error *err)
{
	struct strings present = {0};
	const char *items = "";
	int r = find_paths(document, &present, err);

	for (size_t i = 0; r == 0 && i < devices->count; i++)
		if (!strings_contain(&present, devices->items[i].path) &&
		    add_text(document->arena, &items,
			     device_text(&devices->items[i], document->arena)) < 0)
			return error_memory(err);
	return r < 0 ? r : append(document, "linux.devices", items, err);
}

/* At the end: of several rules that match, the last one counts. */
static int edit_rules(struct document *document, const struct spec_devices *rules,
		      struct error *err)
{
	const char *items = "";

	for (size_t i = 0; i < rules->count; i++)
		if (add_text(document->arena, &items,
			     arena_printf(document->arena,
					  "{\"allow\":true,\"type\":\"c\",\"major\":%u,"
					  "\"minor\":%u,\"access\":\"rw\"}",
					  rules->items[i].major, rules->items[i].minor)) < 0)
			return error_memory(err);
	return append(document, "linux.resources.devices", items, err);
}

static bool has_number(const struct document *document, struct document_value array,
		       uint32_t wanted)
{
	struct document_value item;
	size_t at = array.start;

	while (document_next_item(document, array, &at, &item)) {
		uint64_t number;

		if (parse_number(document->text + item.start, item.end - item.start, 10, UINT32_MAX,
				 &number) == 0 &&
		    number == wanted)
			return true;
	}
	return false;
}

/* Nodes that their group may use and others may not: the container's user joins the group. */
static int edit_groups(struct document *document, const struct spec_devices *devices,
		       struct error *err)
{
	static const char path[] = "process.user.additionalGids";
	int r = 0;

	for (size_t i = 0; r == 0 && i < devices->count; i++) {
		const struct spec_device *device = &devices->items[i];
		struct document_value array;
		char number[3 * sizeof(uint32_t)];

		if (device->gid == 0 || device->gid == OVERFLOW_GID ||
		    (device->mode & 0060) != 0060 || (device->mode & 0006) == 0006)
			continue;
		r = document_find(document, path, &array, err);
		if (r < 0 || has_number(document, array, device->gid))
			continue;
		(void)snprintf(number, sizeof(number), "%u", device->gid);
		r = document_append(document, path, number, err);
	}
	return r;
}

/* ---- mounts and environment ------------------------------------------------------------- */

static const char *mount_text(const struct spec_mount *mount, struct arena *arena)
{
	const char *options[MOUNT_OPTIONS_MAX];
	size_t count = mount_option_names(mount->flags, options);
	struct json_object *object = json_object_new_object(), *list = json_object_new_array();

	json_object_object_add(object, "destination", json_object_new_string(mount->destination));
	json_object_object_add(object, "type", json_object_new_string("bind"));
	json_object_object_add(object, "source", json_object_new_string(mount->source));
	(void)json_object_array_add(list, json_object_new_string("bind"));
	for (size_t i = 0; i < count; i++)
		(void)json_object_array_add(list, json_object_new_string(options[i]));
	(void)json_object_array_add(list, json_object_new_string("rprivate"));
	json_object_object_add(object, "options", list);
	return take_text(object, arena);
}

static int edit_mounts(struct document *document, const struct spec_mounts *mounts,
		       struct error *err)
{
	const char *items = "";

	for (size_t i = 0; i < mounts->count; i++)
		if (add_text(document->arena, &items,
			     mount_text(&mounts->items[i], document->arena)) < 0)
			return error_memory(err);
	return append(document, "mounts", items, err);
}

/* `void` for other injectors: to them it is no GPU container any more. */
static int edit_environment(struct document *document, struct error *err)
{
	struct document_value array, item;
	bool found = false;
	size_t at;
	int r = document_find(document, "process.env", &array, err);

	for (at = array.start; r == 0 && document_next_item(document, array, &at, &item);) {
		AUTO_JSON *text = parse_item(document, item);
		ptrdiff_t growth;

		if (!text || !string_starts(json_object_get_string(text), VARIABLE))
			continue;
		growth = (ptrdiff_t)strlen(VOID_VARIABLE) - (ptrdiff_t)(item.end - item.start);
		r = document_replace(document, item, VOID_VARIABLE, err);
		array.end = (size_t)((ptrdiff_t)array.end + growth);
		at = (size_t)((ptrdiff_t)at + growth);
		found = true;
	}
	return r < 0 || found ? r : document_append(document, "process.env", VOID_VARIABLE, err);
}

/* ---- hooks ------------------------------------------------------------------------------ */

static const char *const hook_stages[] = {"hooks.prestart", "hooks.createRuntime"};

/* Ours or NVIDIA's, by the names that engines call them by. */
static bool is_injector(const char *path)
{
	static const char *const names[] = {
		"davit-hook",
		"nvidia-container-runtime-hook",
		"nvidia-container-toolkit",
	};
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(base, names[i]) == 0)
			return true;
	return false;
}

/* Whether the hook that stands there injects GPUs: by its path, or by the name it is called by. */
static bool item_is_injector(const struct document *document, struct document_value item)
{
	AUTO_JSON *hook = parse_item(document, item);
	struct json_object *arguments, *first;

	if (is_injector(member_text(hook, "path")))
		return true;
	if (!json_object_is_type(hook, json_type_object) ||
	    !json_object_object_get_ex(hook, "args", &arguments) ||
	    !json_object_is_type(arguments, json_type_array))
		return false;
	first = json_object_array_get_idx(arguments, 0);
	return json_object_is_type(first, json_type_string) &&
	       is_injector(json_object_get_string(first));
}

/* The first of an engine's hooks that injects GPUs; *ret_array is what it is in. */
static int find_injector(const struct document *document, struct document_value *ret_array,
			 struct document_value *ret, bool *ret_found, struct error *err)
{
	*ret_found = false;
	for (size_t i = 0; i < ARRAY_SIZE(hook_stages); i++) {
		size_t at;
		int r = document_find(document, hook_stages[i], ret_array, err);

		if (r < 0)
			return r;
		for (at = ret_array->start; document_next_item(document, *ret_array, &at, ret);)
			if (item_is_injector(document, *ret)) {
				*ret_found = true;
				return 0;
			}
	}
	return 0;
}

/* What they would do is done by this edit already. */
static int remove_injectors(struct document *document, struct error *err)
{
	struct document_value array, item;
	bool found;
	int r = find_injector(document, &array, &item, &found, err);

	while (r == 0 && found) {
		r = document_remove_item(document, array, item, err);
		if (r == 0)
			r = find_injector(document, &array, &item, &found, err);
	}
	return r;
}

/* `option` may be NULL. */
static int add_hook(struct document *document, const char *path, const char *program,
		    const char *option, const char *stage, struct error *err)
{
	struct json_object *hook = json_object_new_object(), *arguments = json_object_new_array();
	const char *text;

	json_object_object_add(hook, "path", json_object_new_string(program));
	(void)json_object_array_add(arguments, json_object_new_string("davit-hook"));
	if (option)
		(void)json_object_array_add(arguments, json_object_new_string(option));
	(void)json_object_array_add(arguments, json_object_new_string(stage));
	json_object_object_add(hook, "args", arguments);
	text = take_text(hook, document->arena);
	return text ? document_append(document, path, text, err) : error_memory(err);
}

/* Unless an engine has it registered already (a file in hooks.d). */
static int add_poststop(struct document *document, const char *program, struct error *err)
{
	struct document_value array, item;
	size_t at;
	int r = document_find(document, "hooks.poststop", &array, err);

	if (r < 0)
		return r;
	for (at = array.start; document_next_item(document, array, &at, &item);)
		if (item_is_injector(document, item))
			return 0;
	return add_hook(document, "hooks.poststop", program, NULL, "poststop", err);
}

int spec_add_hook(struct document *document, const char *hook, struct error *err)
{
	struct document_value array, item;
	bool found;
	int r = find_injector(document, &array, &item, &found, err);

	if (r < 0 || found)
		return r;
	r = add_hook(document, "hooks.prestart", hook, "-record", "prestart", err);
	return r < 0 ? r : add_poststop(document, hook, err);
}

int spec_edit(struct document *document, const struct spec_edits *edits, struct error *err)
{
	int r = edit_devices(document, &edits->devices, err);

	if (r == 0)
		r = edit_groups(document, &edits->devices, err);
	if (r == 0)
		r = edit_rules(document, &edits->rules, err);
	if (r == 0)
		r = edit_mounts(document, &edits->mounts, err);
	if (r == 0)
		r = edit_environment(document, err);
	if (r == 0)
		r = remove_injectors(document, err);
	if (r == 0)
		r = add_hook(document, "hooks.createContainer", edits->hook, NULL,
			     "createContainer", err);
	if (r == 0)
		r = add_poststop(document, edits->hook, err);
	return r;
}
