// SPDX-License-Identifier: Apache-2.0
/* The configuration as JSON. The hook doesn't need this. */
#include <stdio.h>
#include <string.h>

#include "keys.h"
#include "value.h"

/* A string with its quotation marks. */
static const char *quote(struct arena *arena, const char *text)
{
	char *made = arena_alloc(arena, strlen(text) * 6 + 3), *at = made;

	if (!made)
		return NULL;
	*at++ = '"';
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20) {
			at += snprintf(at, sizeof("\\u0000"), "\\u%04x", c);
			continue;
		}
		if (c == '"' || c == '\\')
			*at++ = '\\';
		*at++ = *text;
	}
	*at = '"';
	return made;
}

static const char *describe_texts(struct arena *arena, const void *member)
{
	const struct strings *list = member;
	struct strings quoted = {0};
	const char *joined;

	for (size_t i = 0; i < list->count; i++) {
		const char *text = quote(arena, list->items[i]);

		if (!text || strings_add(arena, &quoted, text) < 0)
			return NULL;
	}
	joined = strings_join(arena, &quoted, ", ");
	return joined ? arena_printf(arena, "[%s]", joined) : NULL;
}
#define describe_paths describe_texts
#define describe_patterns describe_texts
#define describe_env_names describe_texts
#define describe_vendor_env_names describe_texts
#define describe_bus_ids describe_texts
#define describe_prefixes describe_texts
#define describe_programs describe_texts

static const char *describe_path(struct arena *arena, const void *member)
{
	return quote(arena, *(const char *const *)member);
}
#define describe_log_file describe_path

/* The names of the bits that are set. */
static const char *describe_bits(struct arena *arena, unsigned bits,
				 const char *(*name_of)(unsigned))
{
	struct strings names = {0};

	for (unsigned bit = 1; name_of(bit); bit <<= 1)
		if ((bits & bit) && strings_add(arena, &names, name_of(bit)) < 0)
			return NULL;
	return describe_texts(arena, &names);
}

static const char *describe_capabilities(struct arena *arena, const void *member)
{
	return describe_bits(arena, *(const unsigned *)member, capability_name);
}

static const char *describe_features(struct arena *arena, const void *member)
{
	return describe_bits(arena, *(const unsigned *)member, feature_name);
}

static const char *describe_bool(struct arena *arena, const void *member)
{
	(void)arena;
	return *(const bool *)member ? "true" : "false";
}

static const char *describe_seconds(struct arena *arena, const void *member)
{
	return arena_printf(arena, "%u", *(const unsigned *)member);
}

static const char *describe_auto(struct arena *arena, const void *member)
{
	return quote(arena, value_auto_words[*(const bool *)member]);
}

static const char *describe_accept(struct arena *arena, const void *member)
{
	return quote(arena, value_accept_words[*(const enum accept *)member]);
}
#define describe_accept_annotations describe_accept

static const char *describe_mounts(struct arena *arena, const void *member)
{
	return quote(arena, value_mounts_words[*(const enum runtime_mounts *)member]);
}

static const char *describe_requirements(struct arena *arena, const void *member)
{
	return quote(arena, value_requirements_words[*(const enum requirements *)member]);
}

static const char *describe_mode(struct arena *arena, const void *member)
{
	return quote(arena, value_mode_words[*(const enum runtime_mode *)member]);
}

static const char *describe_log_level(struct arena *arena, const void *member)
{
	static const char *const words[] = {"error", "warning", "info", "debug"};

	return quote(arena, words[*(const enum log_level *)member]);
}

int config_describe(const struct config *config, struct arena *arena, struct config_values *ret)
{
#define KEY(name, member, kind) {name, describe_##kind, &config->member},
	const struct {
		const char *name;
		const char *(*describe)(struct arena *arena, const void *member);
		const void *member;
	} keys[] = {CONFIG_KEYS(KEY)};

	*ret = (struct config_values){0};
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct config_value *value = ARENA_PUSH(arena, ret);

		if (!value)
			return -ENOMEM;
		value->key = keys[i].name;
		value->json = keys[i].describe(arena, keys[i].member);
		if (!value->json)
			return -ENOMEM;
	}
	return 0;
}
