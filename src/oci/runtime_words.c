// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/oci.h"

/* "--NAME=VALUE", or "--NAME" before its value. False: another word. */
static bool take_value(struct slice word, const char *name, struct slice *rest, struct slice *ret)
{
	size_t length = strlen(name);

	if (slice_equal(word, name)) {
		if (!slice_next(rest, '\0', ret))
			*ret = (struct slice){0};
		return true;
	}
	if (!slice_starts(word, name) || word.data[length] != '=')
		return false;
	*ret = (struct slice){word.data + length + 1, word.length - length - 1};
	return true;
}

static void keep(struct slice value, struct arena *arena, const char **ret)
{
	const char *text =
		slice_starts(value, "/") ? arena_strndup(arena, value.data, value.length) : NULL;

	*ret = text ? text : "";
}

void oci_runtime_words_parse(struct slice text, const char *id, struct arena *arena,
			     struct oci_runtime_words *ret)
{
	struct slice word, value;

	*ret = (struct oci_runtime_words){.bundle = "", .root = ""};
	while (slice_next(&text, '\0', &word)) {
		if (take_value(word, "--bundle", &text, &value) ||
		    take_value(word, "-b", &text, &value))
			keep(value, arena, &ret->bundle);
		else if (take_value(word, "--root", &text, &value))
			keep(value, arena, &ret->root);
		else
			ret->names |= *id && slice_equal(word, id);
	}
}
