// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/oci.h"

/*
 * "--NAME=VALUE", or "--NAME" before its value. As in crun, the first `least` letters of NAME
 * suffice. False: another word.
 */
static bool take_long(struct slice word, const char *name, size_t least, struct slice *rest,
		      struct slice *ret)
{
	const char *equals;
	size_t length;

	if (!slice_starts(word, "--"))
		return false;
	equals = memchr(word.data, '=', word.length);
	length = (equals ? (size_t)(equals - word.data) : word.length) - 2;
	if (length < least || length > strlen(name) || memcmp(word.data + 2, name, length) != 0)
		return false;
	if (equals)
		*ret = (struct slice){equals + 1, word.length - (size_t)(equals + 1 - word.data)};
	else if (!slice_next(rest, '\0', ret))
		*ret = (struct slice){0};
	return true;
}

/* "-bVALUE", "-b=VALUE", or "-b" before it. */
static bool take_letter(struct slice word, const char *letter, struct slice *rest,
			struct slice *ret)
{
	if (!slice_starts(word, letter))
		return false;
	if (word.length <= 2) {
		if (!slice_next(rest, '\0', ret))
			*ret = (struct slice){0};
		return true;
	}
	*ret = (struct slice){word.data + 2, word.length - 2};
	if (ret->data[0] == '=')
		*ret = (struct slice){ret->data + 1, ret->length - 1};
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

	*ret = (struct oci_runtime_words){.bundle = "", .root = "", .config = ""};
	while (slice_next(&text, '\0', &word)) {
		if (take_long(word, "bundle", strlen("b"), &text, &value) ||
		    take_letter(word, "-b", &text, &value))
			keep(value, arena, &ret->bundle);
		else if (take_long(word, "root", strlen("root"), &text, &value))
			keep(value, arena, &ret->root);
		else if (take_long(word, "config", strlen("conf"), &text, &value) ||
			 take_letter(word, "-f", &text, &value))
			ret->config =
				arena_strndup(arena, value.data ? value.data : "", value.length);
		else
			ret->names |= *id && slice_equal(word, id);
	}
	if (!ret->config)
		ret->config = "";
}
