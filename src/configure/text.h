// SPDX-License-Identifier: Apache-2.0
/* A text that grows, in an arena: its room doubles, so that long files don't cost their square. */
#pragma once

#include <string.h>

#include "davit/base.h"

struct text {
	struct arena *arena;
	char *data; /* ends with NUL */
	size_t length, room;
	bool failed; /* no memory: `data` is not to be used */
};

static inline void text_add(struct text *text, const char *data, size_t length)
{
	if (text->failed)
		return;
	if (!text->data || text->length + length >= text->room) {
		size_t room = (text->length + length + 1) * 2;
		char *grown = arena_alloc(text->arena, room);

		text->failed = !grown;
		if (!grown)
			return;
		if (text->data)
			memcpy(grown, text->data, text->length);
		text->data = grown;
		text->room = room;
	}
	memcpy(text->data + text->length, data, length);
	text->length += length;
	text->data[text->length] = '\0';
}

static inline void text_add_string(struct text *text, const char *data)
{
	text_add(text, data, strlen(data));
}

/* All of another text, which may be empty. */
static inline void text_add_text(struct text *text, const struct text *other)
{
	text->failed |= other->failed;
	if (other->data)
		text_add(text, other->data, other->length);
}
