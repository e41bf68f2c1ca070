// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/json.h"
#include "davit/runtime.h"
#include "davit/sys.h"

#define OVERFLOW_GID 65534 /* how a user namespace shows groups that it doesn't have */

/* The object as text in the arena; it is released. */
static const char *take_text(struct json_object *object, struct arena *arena)
{
	const char *text = json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	char *copy = text ? arena_strdup(arena, text) : NULL;

	(void)json_object_put(object);
	return copy;
}

/* Appends a text; NULL means no memory. */
static int append(struct document *document, const char *path, const char *item, struct error *err)
{
	return item ? document_append(document, path, item, err) : error_memory(err);
}

/* ---- devices ---------------------------------------------------------------------------- */

/*
 * Finds the devices that the engine has already added (--device, --privileged), which are
 * preserved. There are few devices, but config.json may be large, so it is read once.
 */
static int find_present(struct document *document, const struct spec_devices *devices, bool *ret,
			struct error *err)
{
	struct document_value array, item;
	int r = document_find(document, "linux.devices", &array, err);

	for (size_t at = array.start; r == 0 && document_next_item(document, array, &at, &item);) {
		struct document_value value = document_member(document, item, "path");
		AUTO_JSON *owner = NULL;
		struct slice path;

		if (!document_string(document, value, &owner, &path))
			continue;
		for (size_t i = 0; i < devices->count; i++)
			ret[i] |= slice_equal(path, devices->items[i].path);
	}
	return r;
}

static const char *device_text(const struct spec_device *device, struct arena *arena)
{
	char type[] = "c";
	struct json_object *object = json_object_new_object();

	if (device->type)
		type[0] = device->type;

	json_object_object_add(object, "path", json_object_new_string(device->path));
	json_object_object_add(object, "type", json_object_new_string(type));
	if (device->type != 'p') {
		json_object_object_add(object, "major", json_object_new_int64(device->major));
		json_object_object_add(object, "minor", json_object_new_int64(device->minor));
	}
	if (!device->no_mode)
		json_object_object_add(object, "fileMode", json_object_new_int64(device->mode));
	json_object_object_add(object, "uid", json_object_new_int64(device->uid));
	json_object_object_add(object, "gid", json_object_new_int64(device->gid));
	return take_text(object, arena);
}

static int edit_devices(struct document *document, const struct spec_devices *devices,
			struct error *err)
{
	bool *present = arena_alloc(document->arena, devices->count + 1);
	int r;

	if (!present)
		return error_memory(err);
	r = find_present(document, devices, present, err);
	for (size_t i = 0; r == 0 && i < devices->count; i++)
		if (!present[i] && !devices->items[i].by_hook)
			r = append(document, "linux.devices",
				   device_text(&devices->items[i], document->arena), err);
	return r;
}

/* At the end, because the last of several matching rules counts. */
static int edit_rules(struct document *document, const struct spec_devices *rules,
		      struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < rules->count; i++)
		r = append(document, "linux.resources.devices",
			   arena_printf(document->arena,
					"{\"allow\":true,\"type\":\"%c\",\"major\":%u,"
					"\"minor\":%u,\"access\":\"%s\"}",
					rules->items[i].type ? rules->items[i].type : 'c',
					rules->items[i].major, rules->items[i].minor,
					device_access_name(rules->items[i].access)),
			   err);
	return r;
}

/* Whether only the group's members can use the node. */
static bool needs_group(const struct spec_device *device)
{
	return !device->no_mode && device->gid != 0 && device->gid != OVERFLOW_GID &&
	       (device->mode & 0060) == 0060 && (device->mode & 0006) != 0006;
}

static bool is_number(const struct document *document, struct document_value item, uint32_t wanted)
{
	uint64_t number;

	return parse_number(document->text + item.start, item.end - item.start, 10, UINT32_MAX,
			    &number) == 0 &&
	       number == wanted;
}

/* Marks the devices whose group the container's user has, and those of a group named before. */
static int find_members(struct document *document, const char *path,
			const struct spec_devices *devices, bool *ret, struct error *err)
{
	struct document_value array, item;
	int r = document_find(document, path, &array, err);

	for (size_t at = array.start; r == 0 && document_next_item(document, array, &at, &item);)
		for (size_t i = 0; i < devices->count; i++)
			ret[i] |= is_number(document, item, devices->items[i].gid);
	for (size_t i = 0; i < devices->count; i++)
		for (size_t j = 0; j < i; j++)
			ret[i] |= needs_group(&devices->items[j]) &&
				  devices->items[i].gid == devices->items[j].gid;
	return r;
}

/* Nodes that their group may use and others may not: the container's user joins the group. */
static int edit_groups(struct document *document, const struct spec_devices *devices,
		       struct error *err)
{
	static const char path[] = "process.user.additionalGids";
	bool *member = arena_alloc(document->arena, devices->count + 1), any = false;
	int r = 0;

	for (size_t i = 0; i < devices->count; i++)
		any |= needs_group(&devices->items[i]);
	if (!member)
		return error_memory(err);
	if (any)
		r = find_members(document, path, devices, member, err);
	for (size_t i = 0; r == 0 && any && i < devices->count; i++)
		if (needs_group(&devices->items[i]) && !member[i])
			r = append(document, path,
				   arena_printf(document->arena, "%u", devices->items[i].gid), err);
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
	(void)json_object_array_add(
		list,
		json_object_new_string(mount->flags & MOUNT_FLAG_RECURSIVE ? "rbind" : "bind"));
	for (size_t i = 0; i < count; i++)
		(void)json_object_array_add(list, json_object_new_string(options[i]));
	(void)json_object_array_add(list, json_object_new_string("rprivate"));
	json_object_object_add(object, "options", list);
	return take_text(object, arena);
}

static int edit_mounts(struct document *document, const struct spec_mounts *mounts,
		       const struct strings *given, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < mounts->count; i++)
		r = append(document, "mounts", mount_text(&mounts->items[i], document->arena), err);
	for (size_t i = 0; r == 0 && i < given->count; i++)
		r = append(document, "mounts", given->items[i], err);
	return r;
}

/* `void`, so that other injectors ignore this container. */
static int set_variable(struct document *document, const char *entry, struct error *err)
{
	size_t name = strcspn(entry, "=") + 1;
	const char *quoted = take_text(json_object_new_string(entry), document->arena);
	struct document_value array = {0}, item;
	bool found = false;
	int r = quoted ? document_find(document, "process.env", &array, err) : error_memory(err);

	for (size_t at = array.start; r == 0 && document_next_item(document, array, &at, &item);) {
		AUTO_JSON *owner = NULL;
		struct slice text;

		if (!document_string(document, item, &owner, &text) || text.length < name ||
		    memcmp(text.data, entry, name) != 0)
			continue;
		r = document_replace(document, item, quoted, err);
		found = true;
	}
	return r < 0 || found ? r : document_append(document, "process.env", quoted, err);
}

static int edit_environment(struct document *document, const struct strings *variables,
			    struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < variables->count; i++)
		r = set_variable(document, variables->items[i], err);
	return r;
}

/* ---- hooks ------------------------------------------------------------------------------ */

#define HOOK "davit-hook"
#define HOOK_OF_GPUS "nvidia-container-runtime-hook" /* the hook that dockerd adds for --gpus */

static const char *const hook_stages[] = {"hooks.prestart", "hooks.createRuntime"};

/* Ours or NVIDIA's, by the names that engines call them by. */
static bool is_injector(const struct document *document, struct document_value value)
{
	static const char *const names[] = {
		HOOK,
		HOOK_OF_GPUS,
		"nvidia-container-toolkit",
	};

	AUTO_JSON *owner = NULL;
	struct slice path;
	const char *slash;

	if (!document_string(document, value, &owner, &path))
		return false;
	slash = memrchr(path.data, '/', path.length);
	if (slash)
		path = (struct slice){slash + 1, (size_t)(path.data + path.length - slash) - 1};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (slice_equal(path, names[i]))
			return true;
	return false;
}

/* Whether the existing hook injects GPUs, by its path or by the name under which it is called. */
static bool item_is_injector(const struct document *document, struct document_value item)
{
	struct document_value arguments = document_member(document, item, "args"), first;
	size_t at = arguments.start;

	return is_injector(document, document_member(document, item, "path")) ||
	       (document_next_item(document, arguments, &at, &first) &&
		is_injector(document, first));
}

/* Whether one of the engine's hooks at that path injects GPUs. */
static int find_injector(struct document *document, const char *path, bool *ret_found,
			 struct error *err)
{
	struct document_value array, item;
	int r = document_find(document, path, &array, err);

	for (size_t at = array.start;
	     r == 0 && !*ret_found && document_next_item(document, array, &at, &item);)
		*ret_found = item_is_injector(document, item);
	return r;
}

static int find_hook_of_gpus(struct document *document, bool *ret_found, struct error *err)
{
	struct document_value array, item;
	int r = document_find(document, "hooks.prestart", &array, err);

	for (size_t at = array.start;
	     r == 0 && !*ret_found && document_next_item(document, array, &at, &item);) {
		struct document_value arguments = document_member(document, item, "args"), first;
		size_t place = arguments.start;
		AUTO_JSON *owner = NULL;
		struct slice name;

		*ret_found = document_next_item(document, arguments, &place, &first) &&
			     document_string(document, first, &owner, &name) &&
			     slice_equal(name, HOOK_OF_GPUS);
	}
	return r;
}

/* This edit already does the work of these hooks. */
static int remove_injectors(struct document *document, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(hook_stages); i++)
		r = document_remove_items(document, hook_stages[i], item_is_injector, err);
	return r;
}

/* The hook `program`, called by that name; `options` may be NULL. */
static int add_hook(struct document *document, const char *path, const char *program,
		    const char *name, const char *const *options, const char *stage,
		    struct error *err)
{
	struct json_object *hook = json_object_new_object(), *arguments = json_object_new_array();

	json_object_object_add(hook, "path", json_object_new_string(program));
	(void)json_object_array_add(arguments, json_object_new_string(name));
	for (; options && *options; options++)
		(void)json_object_array_add(arguments, json_object_new_string(*options));
	(void)json_object_array_add(arguments, json_object_new_string(stage));
	json_object_object_add(hook, "args", arguments);
	return append(document, path, take_text(hook, document->arena), err);
}

/* Unless an engine has it registered already (a file in hooks.d). */
static int add_poststop(struct document *document, const char *program, struct error *err)
{
	bool found = false;
	int r = find_injector(document, "hooks.poststop", &found, err);

	if (r < 0 || found)
		return r;
	return add_hook(document, "hooks.poststop", program, HOOK, NULL, "poststop", err);
}

/*
 * An engine's own hook, such as dockerd's for --gpus, doesn't record created files, so davit's hook
 * replaces it.
 */
int spec_add_hook(struct document *document, const char *hook, bool for_runtime, struct error *err)
{
	const char *const options[] = {"-record", for_runtime ? "-runtime" : NULL, NULL};
	bool by_gpus = false;
	int r = find_hook_of_gpus(document, &by_gpus, err);

	if (r == 0)
		r = remove_injectors(document, err);
	/* The hook keeps this name, so that messages name --gpus. */
	if (r == 0)
		r = add_hook(document, "hooks.prestart", hook, by_gpus ? HOOK_OF_GPUS : HOOK,
			     options, "prestart", err);
	if (r == 0)
		r = add_poststop(document, hook, err);
	return r < 0 ? r : document_write(document, err);
}

/* ---- CDI specs' edits --------------------------------------------------------------------- */

static bool is_same_list(const struct document *document, struct document_value array,
			 const struct strings *list)
{
	struct document_value item;
	size_t count = 0;

	for (size_t at = array.start; document_next_item(document, array, &at, &item); count++) {
		AUTO_JSON *owner = NULL;
		struct slice text;

		if (count == list->count || !document_string(document, item, &owner, &text) ||
		    !slice_equal(text, list->items[count]))
			return false;
	}
	return count == list->count;
}

/* Whether the engine has registered it itself, by the same annotation. */
static int find_hook(struct document *document, const char *path, const struct cdi_edit_hook *hook,
		     bool *ret, struct error *err)
{
	struct document_value array, item;
	int r = document_find(document, path, &array, err);

	for (size_t at = array.start; r == 0 && document_next_item(document, array, &at, &item);) {
		AUTO_JSON *owner = NULL;
		struct slice text;

		if (document_string(document, document_member(document, item, "path"), &owner,
				    &text) &&
		    slice_equal(text, hook->path) &&
		    is_same_list(document, document_member(document, item, "args"),
				 &hook->arguments))
			*ret = true;
	}
	return r;
}

static int add_spec_hook(struct document *document, const struct cdi_edit_hook *hook,
			 struct error *err)
{
	const char *path = arena_printf(document->arena, "hooks.%s", hook->stage);
	bool found = false;
	int r = path ? find_hook(document, path, hook, &found, err) : error_memory(err);

	return r < 0 || found ? r : append(document, path, hook->json, err);
}

static int has_group(struct document *document, const char *group, bool *ret, struct error *err)
{
	struct document_value array, item;
	int r = document_find(document, "process.user.additionalGids", &array, err);

	for (size_t at = array.start; r == 0 && document_next_item(document, array, &at, &item);)
		*ret |= slice_equal(
			(struct slice){document->text + item.start, item.end - item.start}, group);
	return r;
}

/* If config.json moves the same interface, the spec's name replaces the other. */
static int move_net_device(struct document *document, const struct cdi_net_device *device,
			   struct error *err)
{
	const char *text = arena_printf(document->arena, "{\"name\":\"%s\"}", device->name);

	return text ? document_set(document, "linux.netDevices", device->host, text, err)
		    : error_memory(err);
}

static int edit_by_specs(struct document *document, const struct cdi_edits *edits,
			 struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < edits->groups.count; i++) {
		bool found = false;

		r = has_group(document, edits->groups.items[i], &found, err);
		if (r == 0 && !found)
			r = append(document, "process.user.additionalGids", edits->groups.items[i],
				   err);
	}
	for (size_t i = 0; r == 0 && i < edits->hooks.count; i++)
		r = add_spec_hook(document, &edits->hooks.items[i], err);
	for (size_t i = 0; r == 0 && i < edits->net_devices.count; i++)
		r = move_net_device(document, &edits->net_devices.items[i], err);
	if (r == 0 && edits->intel_rdt)
		r = document_set(document, "linux", "intelRdt", edits->intel_rdt, err);
	return r;
}

int spec_edit(struct document *document, const struct spec_edits *edits, struct error *err)
{
	int r = edit_devices(document, &edits->devices, err);

	if (r == 0)
		r = edit_groups(document, &edits->devices, err);
	if (r == 0)
		r = edit_rules(document, &edits->rules, err);
	if (r == 0)
		r = edit_mounts(document, &edits->mounts, &edits->given_mounts, err);
	if (r == 0)
		r = edit_environment(document, &edits->variables, err);
	if (r == 0)
		r = remove_injectors(document, err);
	if (r == 0)
		r = add_hook(document, "hooks.createContainer", edits->hook, HOOK, NULL,
			     "createContainer", err);
	/* After ours, which may have to mount something first. */
	if (r == 0 && edits->cdi)
		r = edit_by_specs(document, edits->cdi, err);
	if (r == 0 && edits->poststop)
		r = add_poststop(document, edits->hook, err);
	return r < 0 ? r : document_write(document, err);
}
