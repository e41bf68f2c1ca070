// SPDX-License-Identifier: Apache-2.0
/* davit's block in the text of another program. */
#include <string.h>

#include "containerd.h"
#include "text.h"

#define BLOCK_BEGIN CONFIGURE_MARK " containerd`: begin"
#define BLOCK_END CONFIGURE_MARK " containerd`: end"

/* ---- a block of ours in a text of others -------------------------------------------------- */

/* From the line that begins it to the one that ends it, which is `end`. */
struct block {
	const char *begin, *last, *end;
};

/* The last one that has an end. */
static bool find_block(const char *text, struct block *ret)
{
	const char *next = text, *last;
	bool found = false;

	while (next && (next = strstr(next, BLOCK_BEGIN)) && (last = strstr(next, BLOCK_END))) {
		const char *end = last + strcspn(last, "\n");

		*ret = (struct block){next, last, *end ? end + 1 : end};
		next += strlen(BLOCK_BEGIN);
		found = true;
	}
	return found;
}

bool containerd_has_block(const char *text)
{
	struct block block;

	return find_block(text, &block);
}

static bool is_condition(struct slice line)
{
	line = slice_trim(line);
	return slice_starts(line, CONTAINERD_CONDITION_BEGIN) ||
	       slice_equal(line, CONTAINERD_CONDITION_END);
}

bool containerd_next_line(const char **at, struct slice *ret)
{
	const char *end = *at + strcspn(*at, "\n");

	*ret = (struct slice){*at, (size_t)(end + (*end == '\n') - *at)};
	*at += ret->length;
	return ret->length > 0;
}

char *containerd_block(const char *text, struct arena *arena)
{
	struct text made = {.arena = arena};
	struct block block;
	struct slice line;
	char *lines = find_block(text, &block) ? arena_strndup(arena, block.begin,
							       (size_t)(block.last - block.begin))
					       : NULL;

	for (const char *at = lines; at && containerd_next_line(&at, &line);)
		if (!is_condition(line))
			text_add(&made, line.data, line.length);
	return made.failed ? NULL : made.data;
}

char *containerd_set_block(const char *text, const char *made, struct arena *arena)
{
	struct block block;

	if (!find_block(text, &block))
		return arena_strdup(arena, text);
	return arena_printf(arena, "%.*s%s%s", (int)(block.begin - text), text, made, block.last);
}

char *containerd_replace_block(const char *text, const char *left, struct arena *arena)
{
	struct block block;

	if (!find_block(text, &block))
		return arena_strdup(arena, text);
	/* With the empty line before it. */
	if (!left && block.begin > text && block.begin[-1] == '\n' &&
	    (block.begin - text == 1 || block.begin[-2] == '\n'))
		block.begin--;
	return arena_printf(arena, "%.*s%s%s", (int)(block.begin - text), text, left ? left : "",
			    block.end);
}

char *containerd_without_block(const char *text, struct arena *arena)
{
	return containerd_replace_block(text, NULL, arena);
}

int containerd_check_block(const char *text, const char *path, struct error *err)
{
	struct block block;
	const char *at;

	if (!text || !find_block(text, &block))
		return 0;
	for (at = block.end; *(at += strspn(at, " \t\r\n")) == '#';)
		at += strcspn(at, "\n");
	if (!*at || *at == '[' || *at == '{')
		return 0;
	return error_set(
		err, ERROR_BAD_CONFIG, EEXIST,
		"give that line a [table] of its own, then run the command again",
		"edit %s: the line `%.*s` behind davit's lines belongs to their last table", path,
		(int)strcspn(at, "\r\n"), at);
}

char *containerd_put_block(const char *text, const char *lines, struct arena *arena)
{
	const char *made = arena_printf(arena, BLOCK_BEGIN "\n%s", lines);

	if (!made)
		return NULL;
	if (containerd_has_block(text))
		return containerd_set_block(text, made, arena);
	return arena_printf(arena, "%s%s\n%s" BLOCK_END "\n", text,
			    !text[0] || string_ends(text, "\n") ? "" : "\n", made);
}
