// SPDX-License-Identifier: Apache-2.0
/*
 * config.json as davit-runtime edits it: still JSON for a parser that isn't ours; what was asked
 * for is in it, and all else means what it did.
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

/* What may be changed: an object on the way, or a list that gets items at its end. */
enum place { PLACE_OTHER, PLACE_OBJECT, PLACE_LIST, PLACE_ENV, PLACE_HOOKS };

static enum place place_of(const char *path)
{
	static const struct {
		const char *path;
		enum place place;
	} places[] = {
		{"",			     PLACE_OBJECT},
		{".linux",                       PLACE_OBJECT},
		{".linux.resources",             PLACE_OBJECT},
		{".process",                     PLACE_OBJECT},
		{".process.user",                PLACE_OBJECT},
		{".hooks",                       PLACE_OBJECT},
		{".linux.devices",               PLACE_LIST  },
		{".linux.resources.devices",     PLACE_LIST  },
		{".process.user.additionalGids", PLACE_LIST  },
		{".mounts",                      PLACE_LIST  },
		{".hooks.createContainer",       PLACE_LIST  },
		{".process.env",                 PLACE_ENV   },
		{".hooks.prestart",              PLACE_HOOKS },
		{".hooks.createRuntime",         PLACE_HOOKS },
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (strcmp(places[i].path, path) == 0)
			return places[i].place;
	return PLACE_OTHER;
}

static bool is_variable(struct json_object *item)
{
	return json_object_is_type(item, json_type_string) &&
	       string_starts(json_object_get_string(item), VARIABLE);
}

/* The old items in their order; of hooks some may be gone. */
static void compare_lists(struct json_object *before, struct json_object *after, enum place place)
{
	size_t count = json_object_array_length(after), at = 0;

	for (size_t i = 0; i < json_object_array_length(before); i++) {
		struct json_object *old = json_object_array_get_idx(before, i);
		struct json_object *new = json_object_array_get_idx(after, at);

		if (place == PLACE_HOOKS && (at >= count || !same(old, new)))
			continue;
		FUZZ_CHECK(at < count);
		if (place == PLACE_ENV && is_variable(old))
			FUZZ_CHECK(string_equal(json_object_get_string(new), VARIABLE "void"));
		else
			FUZZ_CHECK(same(old, new));
		at++;
	}
	FUZZ_CHECK(place != PLACE_HOOKS || at == count);
}

static void compare(struct json_object *before, struct json_object *after, const char *path,
		    bool hooks_grow)
{
	enum place place = place_of(path);

	if (same(before, after) || (!before && place != PLACE_OTHER))
		return;
	FUZZ_CHECK(place != PLACE_OTHER);
	FUZZ_CHECK(json_object_get_type(before) == json_object_get_type(after));
	if (place == PLACE_OBJECT) {
		FUZZ_CHECK(json_object_is_type(after, json_type_object));
		json_object_object_foreach(before, name, value)
		{
			char deeper[64];

			if (strlen(path) + strlen(name) + 2 > sizeof(deeper)) {
				FUZZ_CHECK(same(value, json_object_object_get(after, name)));
				continue;
			}
			(void)snprintf(deeper, sizeof(deeper), "%s.%s", path, name);
			compare(value, json_object_object_get(after, name), deeper, hooks_grow);
		}
		return;
	}
	FUZZ_CHECK(json_object_is_type(after, json_type_array));
	compare_lists(before, after, place == PLACE_HOOKS && hooks_grow ? PLACE_LIST : place);
}

static void check_added(struct json_object *after)
{
	struct json_object *process = json_object_object_get(after, "process");
	struct json_object *env = json_object_object_get(process, "env"), *hook;
	struct json_object *hooks = json_object_object_get(after, "hooks");
	bool found = false;

	for (size_t i = 0; i < json_object_array_length(env); i++) {
		struct json_object *item = json_object_array_get_idx(env, i);

		if (is_variable(item))
			FUZZ_CHECK(string_equal(json_object_get_string(item), VARIABLE "void"));
		found |= is_variable(item);
	}
	FUZZ_CHECK(found);
	hooks = json_object_object_get(hooks, "createContainer");
	hook = json_object_array_get_idx(hooks, json_object_array_length(hooks) - 1);
	FUZZ_CHECK(
		string_equal(json_object_get_string(json_object_object_get(hook, "path")), HOOK));
}

static void edit(struct json_object *before, const char *text, bool whole)
{
	static struct spec_device devices[] = {
		{"/dev/nvidia0",   195, 0,   0666, 0, 0,   false},
		{"/dev/nvidiactl", 195, 255, 0660, 0, 44,  false},
		{"/dev/dri/card1", 226, 1,   0660, 0, 104, true },
		{"/dev/dri/card2", 226, 2,   0660, 0, 44,  false},
	};
	static struct spec_mount mounts[] = {
		{"/usr/lib/libcuda.so.1", "/usr/lib/\"x\\", MOUNT_FLAG_RDONLY | MOUNT_FLAG_NOSUID},
	};
	const struct spec_edits edits = {
		.devices = {devices, ARRAY_SIZE(devices), 3},
		.rules = {devices, 2,                   3},
		.mounts = {mounts,  ARRAY_SIZE(mounts),  1},
		.hook = HOOK
        };
	AUTO_ARENA arena = {0};
	struct document document = DOCUMENT_INIT(&arena, text, strlen(text));
	struct error err = FUZZ_ERROR;
	AUTO_JSON *after = NULL;
	int r = whole ? spec_edit(&document, &edits, &err) : spec_add_hook(&document, HOOK, &err);

	if (r < 0) {
		fuzz_check_error(r, &err);
		FUZZ_CHECK(r == -EINVAL && err.code == ERROR_BAD_BUNDLE);
		return;
	}
	after = parse(document.text, document.length);
	FUZZ_CHECK(after);
	compare(before, after, "", !whole);
	if (whole)
		check_added(after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_TEXT text = fuzz_text(data, size);
	AUTO_JSON *before = parse((const char *)data, size);

	if (!before)
		return 0;
	edit(before, text, true);
	edit(before, text, false);
	return 0;
}
