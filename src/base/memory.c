// SPDX-License-Identifier: Apache-2.0
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "davit/base.h"

#define BLOCK_SIZE ((size_t)96 * 1024) /* most runs need one; untouched pages cost nothing */

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	alignas(max_align_t) unsigned char data[];
};

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
	errno = saved;
}

int fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

void arena_free(struct arena *arena)
{
	while (arena->head) {
		struct arena_block *next = arena->head->next;

		free(arena->head);
		arena->head = next;
	}
}

/* Memory that isn't zeroed: untouched pages cost nothing. */
static void *alloc_raw(struct arena *arena, size_t size, size_t align)
{
	struct arena_block *block = arena->head;
	size_t at = block ? (block->used + align - 1) / align * align : 0;

	if (size > SIZE_MAX / 2)
		return NULL;
	if (!block || at > block->size || block->size - at < size) {
		size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;

		block = malloc(sizeof(*block) + room);
		if (!block)
			return NULL;
		block->size = room;
		block->next = arena->head;
		arena->head = block;
		at = 0;
	}
	block->used = at + size;
	return block->data + at;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	void *memory = alloc_raw(arena, size, alignof(max_align_t));

	return memory ? memset(memory, 0, size) : NULL;
}

/* Of config.json's strings most are short, and there may be many: they aren't aligned. */
char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
	char *copy = length < SIZE_MAX ? alloc_raw(arena, length + 1, 1) : NULL;

	if (!copy)
		return NULL;
	if (length)
		memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

char *arena_strdup(struct arena *arena, const char *text)
{
	return arena_strndup(arena, text, strlen(text));
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
	char stack[256], *text = NULL;
	va_list args, again;
	int length;

	va_start(args, format);
	va_copy(again, args);
	length = vsnprintf(stack, sizeof(stack), format, args);
	if (length >= 0)
		text = alloc_raw(arena, (size_t)length + 1, 1);
	/* Most texts are short: only a long one is formatted twice. */
	if (text && (size_t)length < sizeof(stack))
		memcpy(text, stack, (size_t)length + 1);
	else if (text)
		(void)vsnprintf(text, (size_t)length + 1, format, again);
	va_end(again);
	va_end(args);
	return text;
}

int arena_make_room(struct arena *arena, void **items, size_t count, size_t *capacity, size_t room,
		    size_t size)
{
	void *grown;

	if (room <= *capacity)
		return 0;
	if (room > SIZE_MAX / 2 / size)
		return -ENOMEM;
	grown = alloc_raw(arena, room * size, alignof(max_align_t));
	if (!grown)
		return -ENOMEM;
	if (count)
		memcpy(grown, *items, count * size);
	*items = grown;
	*capacity = room;
	return 0;
}

void *arena_push(struct arena *arena, void **items, size_t *count, size_t *capacity, size_t size)
{
	if (*count == *capacity && arena_make_room(arena, items, *count, capacity,
						   *capacity ? *capacity * 2 : 8, size) < 0)
		return NULL;
	return memset((unsigned char *)*items + (*count)++ * size, 0, size);
}
