// SPDX-License-Identifier: Apache-2.0
/*
 * config.json as davit-runtime edits it, in the text, against the same edit of json-c's tree: the
 * text is still JSON for that parser, and reads as the tree does.
 */
#include "davit/json.h"
#include "davit/runtime.h"
#include "davit/sys.h"
#include "fuzz.h"

#define HOOK "/usr/bin/davit-hook"
#define VARIABLE "NVIDIA_VISIBLE_DEVICES="

static struct json_object *parse(const char *text, size_t length)
{
	struct json_object *object = NULL;
	struct error err = FUZZ_ERROR;

	if (json_parse(text, length, ERROR_BAD_BUNDLE, "config.json", &object, &err) < 0)
		return NULL;
	return object;
}

/* As text: there are numbers that don't equal themselves. */
static bool same(struct json_object *a, struct json_object *b)
{
	return string_equal(json_object_to_json_string(a), json_object_to_json_string(b));
}

/* ---- the same edit, of json-c's tree ------------------------------------------------------ */

static struct json_object *get(struct json_object *object, const char *name)
{
	struct json_object *value = NULL;

	return json_object_is_type(object, json_type_object) &&
			       json_object_object_get_ex(object, name, &value)
		       ? value
		       : NULL;
}

/* What is at the path; *ret_fits is false when something on the way is no object. */
static struct json_object *find(struct json_object *object, const char *path, bool *ret_fits)
{
	struct slice rest = slice_from(path), name;

	while (object && slice_next(&rest, '.', &name)) {
		char copy[64];

		if (!json_object_is_type(object, json_type_object)) {
			*ret_fits = false;
			return NULL;
		}
		(void)snprintf(copy, sizeof(copy), "%.*s", (int)name.length, name.data);
		object = get(object, copy);
	}
	return object;
}

/* Puts an item at the end of the array at the path, made with what it is in. It is released. */
static void append(struct json_object *object, const char *path, struct json_object *item,
		   bool *ret_fits)
{
	struct slice rest = slice_from(path), name;

	while (*ret_fits && slice_next(&rest, '.', &name)) {
		bool last = rest.length == 0;
		struct json_object *value;
		char copy[64];

		*ret_fits = json_object_is_type(object, json_type_object);
		if (!*ret_fits)
			break;
		(void)snprintf(copy, sizeof(copy), "%.*s", (int)name.length, name.data);
		value = get(object, copy);
		if (!value) {
			value = last ? json_object_new_array() : json_object_new_object();
			json_object_object_add(object, copy, value);
		}
		object = value;
	}
	*ret_fits &= json_object_is_type(object, json_type_array);
	if (*ret_fits)
		(void)json_object_array_add(object, item);
	else
		(void)json_object_put(item);
}

static const char *text_of(struct json_object *value)
{
	return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

static size_t count_of(struct json_object *array)
{
	return json_object_is_type(array, json_type_array) ? json_object_array_length(array) : 0;
}

static bool names_injector(struct json_object *value)
{
	const char *path = text_of(value), *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;

	return string_equal(base, "davit-hook") ||
	       string_equal(base, "nvidia-container-runtime-hook") ||
	       string_equal(base, "nvidia-container-toolkit");
}

static bool is_injector(struct json_object *hook)
{
	struct json_object *arguments = get(hook, "args");

	return names_injector(get(hook, "path")) ||
	       (count_of(arguments) && names_injector(json_object_array_get_idx(arguments, 0)));
}

static bool has_injector(struct json_object *array)
{
	for (size_t i = 0; i < count_of(array); i++)
		if (is_injector(json_object_array_get_idx(array, i)))
			return true;
	return false;
}

static struct json_object *parsed(const char *text)
{
	struct json_object *object = json_tokener_parse(text);

	FUZZ_CHECK(object);
	return object;
}

static void add_hook(struct json_object *object, const char *path, const char *words, bool *fits)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "{\"path\":\"" HOOK "\",\"args\":[\"davit-hook\",%s]}",
		       words);
	append(object, path, parsed(text), fits);
}

static void add_poststop(struct json_object *object, bool *fits)
{
	if (!has_injector(find(object, "hooks.poststop", fits)) && *fits)
		add_hook(object, "hooks.poststop", "\"poststop\"", fits);
}

static void model_device(struct json_object *object, const struct spec_device *device, bool *fits)
{
	struct json_object *devices = find(object, "linux.devices", fits);
	char text[256];

	/* Only what was there before counts: ours have paths of their own. */
	for (size_t i = 0; i < count_of(devices); i++)
		if (string_equal(text_of(get(json_object_array_get_idx(devices, i), "path")),
				 device->path))
			return;
	if (device->by_hook || !*fits)
		return;
	(void)snprintf(text, sizeof(text),
		       "{\"path\":\"%s\",\"type\":\"c\",\"major\":%u,\"minor\":%u,\"fileMode\":%u,"
		       "\"uid\":%u,\"gid\":%u}",
		       device->path, device->major, device->minor, device->mode, device->uid,
		       device->gid);
	append(object, "linux.devices", parsed(text), fits);
}

/* json-c keeps a number's digits: -0 and 44.0 are no groups. */
static void model_group(struct json_object *object, const struct spec_device *device, bool *fits)
{
	static const char path[] = "process.user.additionalGids";
	struct json_object *gids;
	char text[16];

	if (device->mode == 0666 || device->gid == 0)
		return;
	(void)snprintf(text, sizeof(text), "%u", device->gid);
	gids = find(object, path, fits);
	for (size_t i = 0; i < count_of(gids); i++) {
		struct json_object *gid = json_object_array_get_idx(gids, i);

		if (json_object_is_type(gid, json_type_int) &&
		    string_equal(json_object_to_json_string(gid), text))
			return;
	}
	if (*fits)
		append(object, path, parsed(text), fits);
}

static void model_environment(struct json_object *object, bool *fits)
{
	struct json_object *env = find(object, "process.env", fits);
	bool found = false;

	for (size_t i = 0; i < count_of(env); i++) {
		if (!string_starts(text_of(json_object_array_get_idx(env, i)), VARIABLE))
			continue;
		(void)json_object_array_put_idx(env, i, json_object_new_string(VARIABLE "void"));
		found = true;
	}
	if (*fits && !found)
		append(object, "process.env", json_object_new_string(VARIABLE "void"), fits);
}

static void model_removal(struct json_object *object, const char *path, bool *fits)
{
	struct json_object *array = find(object, path, fits);
	size_t i = 0;

	while (i < count_of(array))
		if (is_injector(json_object_array_get_idx(array, i)))
			(void)json_object_array_del_idx(array, i, 1);
		else
			i++;
}

/* False: it can't be done. */
static bool model_hook(struct json_object *object)
{
	bool fits = true;

	model_removal(object, "hooks.prestart", &fits);
	if (fits)
		model_removal(object, "hooks.createRuntime", &fits);
	if (fits)
		add_hook(object, "hooks.prestart", "\"-record\",\"-runtime\",\"prestart\"", &fits);
	if (fits)
		add_poststop(object, &fits);
	return fits;
}

static bool model_edit(struct json_object *object, const struct spec_edits *edits)
{
	bool fits = true;
	char text[128];

	for (size_t i = 0; fits && i < edits->devices.count; i++)
		model_device(object, &edits->devices.items[i], &fits);
	for (size_t i = 0; fits && i < edits->devices.count; i++)
		model_group(object, &edits->devices.items[i], &fits);
	for (size_t i = 0; fits && i < edits->rules.count; i++) {
		(void)snprintf(text, sizeof(text),
			       "{\"allow\":true,\"type\":\"c\",\"major\":%u,\"minor\":%u,"
			       "\"access\":\"rw\"}",
			       edits->rules.items[i].major, edits->rules.items[i].minor);
		append(object, "linux.resources.devices", parsed(text), &fits);
	}
	if (fits)
		append(object, "mounts",
		       parsed("{\"destination\":\"/usr/lib/\\\"x\\\\\",\"type\":\"bind\",\"source\":"
			      "\"/usr/lib/libcuda.so.1\",\"options\":[\"bind\",\"ro\",\"nosuid\","
			      "\"rprivate\"]}"),
		       &fits);
	if (fits)
		model_environment(object, &fits);
	if (fits)
		model_removal(object, "hooks.prestart", &fits);
	if (fits)
		model_removal(object, "hooks.createRuntime", &fits);
	if (fits)
		add_hook(object, "hooks.createContainer", "\"createContainer\"", &fits);
	if (fits)
		add_poststop(object, &fits);
	return fits;
}

/* ---- both, compared ----------------------------------------------------------------------- */

static void edit(const char *text, bool whole)
{
	static struct spec_device devices[] = {
		{.path = "/dev/nvidia0",
		 .major = 195,
		 .minor = 0,
		 .mode = 0666,
		 .gid = 0,
		 .by_hook = false},
		{.path = "/dev/nvidiactl",
		 .major = 195,
		 .minor = 255,
		 .mode = 0660,
		 .gid = 44,
		 .by_hook = false},
		{.path = "/dev/dri/card1",
		 .major = 226,
		 .minor = 1,
		 .mode = 0660,
		 .gid = 104,
		 .by_hook = true},
		{.path = "/dev/dri/card2",
		 .major = 226,
		 .minor = 2,
		 .mode = 0660,
		 .gid = 44,
		 .by_hook = false},
	};
	static struct spec_mount mounts[] = {
		{"/usr/lib/libcuda.so.1", "/usr/lib/\"x\\", MOUNT_FLAG_RDONLY | MOUNT_FLAG_NOSUID},
	};
	static const char *variables[] = {"NVIDIA_VISIBLE_DEVICES=void"};
	const struct spec_edits edits = {.variables = {variables, 1, 1},
					 .devices = {devices, ARRAY_SIZE(devices), 3},
					 .rules = {devices, 2, 3},
					 .mounts = {mounts, ARRAY_SIZE(mounts), 1},
					 .hook = HOOK,
					 .poststop = true};
	AUTO_ARENA arena = {0};
	struct document document = DOCUMENT_INIT(&arena, text, strlen(text));
	struct error err = FUZZ_ERROR;
	AUTO_JSON *expected = parse(text, strlen(text));
	AUTO_JSON *after = NULL;
	int r = whole ? spec_edit(&document, &edits, &err)
		      : spec_add_hook(&document, HOOK, true, &err);
	bool fits = whole ? model_edit(expected, &edits) : model_hook(expected);

	FUZZ_CHECK(fits == (r == 0));
	if (r < 0) {
		fuzz_check_error(r, &err);
		FUZZ_CHECK(r == -EINVAL && err.code == ERROR_BAD_BUNDLE);
		return;
	}
	after = parse(document.text, document.length);
	FUZZ_CHECK(after);
	FUZZ_CHECK(same(expected, after));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_TEXT text = fuzz_text(data, size);
	AUTO_JSON *before = parse((const char *)data, size);

	if (!before)
		return 0;
	edit(text, true);
	edit(text, false);
	return 0;
}
