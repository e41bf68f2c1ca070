// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/request.h"
#include "davit/vendor.h"

#define VISIBLE_DEVICES "_VISIBLE_DEVICES"

/* The words of every request, without the variables of other vendors and the configured names. */
static const char *const words[] = {
	VISIBLE_DEVICES, /* NVIDIA's and AMD's variables; one search is cheaper than two */
	"CUDA_VERSION",  /* the environment */
	"org.davit.",
	"cdi.k8s.io",               /* annotations */
	"nvidia-container-devices", /* mounts of /dev/null */
};

static bool has_word(const char *text, size_t length, const char *word)
{
	return memmem(text, length, word, strlen(word)) != NULL;
}

/*
 * Whether a \u means a character that could be part of a word. Engines write control characters, <,
 * > and &, and the two line separators in this form.
 */
static bool may_spell_word(const char *text, size_t length)
{
	static const char *const others[] = {"\\u000",  "\\u001",  "\\u003c", "\\u003e",
					     "\\u0026", "\\u003C", "\\u003E", "\\u202"};
	const char *end = text + length, *at = text;

	while ((at = memchr(at, '\\', (size_t)(end - at)))) {
		bool other = end - at < 2 || at[1] != 'u';

		for (size_t i = 0; i < ARRAY_SIZE(others); i++)
			other |= (size_t)(end - at) >= strlen(others[i]) &&
				 memcmp(at, others[i], strlen(others[i])) == 0;
		if (!other)
			return true;
		at += end - at < 2 ? 1 : 2;
	}
	return false;
}

static bool has_any(const char *text, size_t length, const struct strings *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strstr(list->items[i], VISIBLE_DEVICES) &&
		    memmem(text, length, list->items[i], strcspn(list->items[i], "=/")))
			return true;
	return false;
}

bool gpu_request_is_possible(const char *text, size_t length, const struct config *config)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (has_word(text, length, words[i]))
			return true;
	for (size_t i = 0; vendors[i]; i++)
		if (vendors[i]->variable && !strstr(vendors[i]->variable, VISIBLE_DEVICES) &&
		    has_word(text, length, vendors[i]->variable))
			return true;
	/* "NAME", "NAME=KIND" and "PREFIX/" */
	return has_any(text, length, &config->policy.env_names) ||
	       has_any(text, length, &config->policy.vendor_env_names) ||
	       has_any(text, length, &config->cdi.annotation_prefixes) ||
	       may_spell_word(text, length);
}

/* ---- without a configuration ---------------------------------------------------------------- */

/* "vendor.com/class=name" */
static bool is_qualified(struct slice item)
{
	const char *slash = memchr(item.data, '/', item.length);
	const char *dot = slash ? memchr(item.data, '.', (size_t)(slash - item.data)) : NULL;
	const char *equals =
		slash ? memchr(slash, '=', item.length - (size_t)(slash - item.data)) : NULL;

	return dot && dot > item.data && equals && equals > slash + 1 &&
	       equals + 1 < item.data + item.length &&
	       !memchr(slash + 1, '/', (size_t)(equals - slash - 1));
}

static bool names_device(const char *value)
{
	struct slice rest = slice_from(value), item;

	while (slice_next(&rest, ',', &item)) {
		item = slice_trim(item);
		if (slice_starts(item, "GPU-") || slice_starts(item, "MIG-") || is_qualified(item))
			return true;
	}
	return false;
}

bool gpu_request_may_have_other_name(const struct oci_spec *spec)
{
	for (size_t i = 0; i < spec->env.count; i++) {
		const char *entry = spec->env.items[i], *equals = strchr(entry, '=');

		if (string_starts(entry, "DOCKER_RESOURCE_") ||
		    (equals && names_device(equals + 1)))
			return true;
	}
	for (size_t i = 0; i < spec->annotations.count; i++)
		if (names_device(spec->annotations.items[i].value))
			return true;
	return false;
}
