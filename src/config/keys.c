// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "keys.h"
#include "value.h"

struct key {
	const char *name; /* "section.key", or a key of the top */
	size_t member;
	int (*read)(const struct value *value, void *ret);
};
#define MEMBER(name) offsetof(struct config, name)

#define KEY(name, member, kind) {name, MEMBER(member), value_##kind},
static const struct key keys[] = {CONFIG_KEYS(KEY)};
static const char *const sections[] = {"driver", "policy", "cdi", "runtime", "limits", "log"};

static const struct key *find_key(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static bool is_section(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		if (strcmp(sections[i], name) == 0)
			return true;
	return false;
}

static int refuse_key(const char *name, struct error *err)
{
	const char *known[ARRAY_SIZE(keys) + ARRAY_SIZE(sections)], *nearest;
	int r = error_set(err, ERROR_BAD_CONFIG, EINVAL, NULL, "unknown key \"%.100s\"", name);

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		known[i] = keys[i].name;
	memcpy(&known[ARRAY_SIZE(keys)], sections, sizeof(sections));
	nearest = string_nearest(name, known, ARRAY_SIZE(known));
	if (!nearest)
		return error_fix(err, r, "remove the key; `davit config show` lists all keys");
	if (strcmp(nearest, name) == 0)
		return error_fix(err, r, "nest it: {\"%.*s\": {\"%s\": ...}}",
				 (int)(strchr(name, '.') - name), name, strchr(name, '.') + 1);
	return error_fix(err, r, "did you mean \"%s\"?", nearest);
}

static int read_key(const char *name, struct value *value, struct config *config)
{
	const struct key *key = find_key(name);

	if (!key)
		return refuse_key(name, value->err);
	value->key = name;
	return key->read(value, (unsigned char *)config + key->member);
}

static int read_section(const char *section, struct value *value, struct config *config)
{
	const struct json_value *object = value->at, *name;

	value->key = section;
	if (object->kind != JSON_OBJECT)
		return value_refuse(value, "an object with the keys of that section");
	for (name = json_first(object); name; name = json_next(object, name + 1)) {
		const char *key = json_string(value->json, name, value->arena);
		const char *whole = key ? arena_printf(value->arena, "%s.%s", section, key) : NULL;
		int r;

		if (!whole)
			return error_memory(value->err);
		value->at = name + 1;
		r = read_key(whole, value, config);
		if (r < 0)
			return r;
	}
	return 0;
}

int config_parse_keys(const struct json_text *json, struct arena *arena, struct config *config,
		      struct error *err)
{
	const struct json_value *root = json->items, *name;
	struct value value = {.json = json, .arena = arena, .err = err};

	for (name = json_first(root); name; name = json_next(root, name + 1)) {
		const char *key = json_string(json, name, arena);
		int r;

		if (!key)
			return error_memory(err);
		value.at = name + 1;
		if (is_section(key))
			r = read_section(key, &value, config);
		else if (strchr(key, '.'))
			r = refuse_key(key, err);
		else
			r = read_key(key, &value, config);
		if (r < 0)
			return r;
	}
	return 0;
}
