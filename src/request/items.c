// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "resolver.h"

struct keyed {
	const char *key;
	size_t place;
};

static int compare_keyed(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;
	int order = strcmp(x->key, y->key);

	if (order)
		return order;
	return x->place < y->place ? -1 : x->place > y->place;
}

/* Sorts the keys. Unlike a hash table, this has no worst case that an image could cause. */
int items_keep_last(struct arena *arena, const char *const *keys, size_t count, bool *keep)
{
	struct keyed *sorted = arena_alloc(arena, (count + 1) * sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		sorted[i] = (struct keyed){keys[i], i};
	if (sort_items(arena, sorted, count, sizeof(*sorted), compare_keyed) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		keep[sorted[i].place] =
			i + 1 == count || strcmp(sorted[i].key, sorted[i + 1].key) != 0;
	return 0;
}

int items_unique(struct resolver *r, struct strings *list)
{
	bool *keep = arena_alloc(r->arena, list->count + 1);
	size_t kept = 0;

	if (list->count < 2)
		return 0;
	if (!keep || items_keep_last(r->arena, list->items, list->count, keep) < 0)
		return error_memory(r->err);
	for (size_t i = 0; i < list->count; i++)
		if (keep[i])
			list->items[kept++] = list->items[i];
	list->count = kept;
	return 0;
}

int items_too_many(struct resolver *r, const char *what)
{
	return error_set(r->err, ERROR_BAD_REQUEST, EINVAL, NULL,
			 "read %.100s: it has more than %d items", what, REQUEST_ITEMS_MAX);
}

int items_split(struct resolver *r, const char *what, const char *value, struct strings *ret)
{
	struct slice rest = slice_from(value), item;

	while (slice_next(&rest, ',', &item)) {
		const char *copy;

		item = slice_trim(item);
		if (item.length == 0)
			continue;
		if (ret->count == REQUEST_ITEMS_MAX)
			return items_too_many(r, what);
		copy = arena_strndup(r->arena, item.data, item.length);
		if (!copy || strings_add(r->arena, ret, copy) < 0)
			return error_memory(r->err);
	}
	return 0;
}

int items_check_printable(struct resolver *r, const char *what, const char *text)
{
	for (const char *c = text; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			return error_set(
				r->err, ERROR_BAD_REQUEST, EINVAL, NULL,
				"read %.100s: \"%.60s\" contains characters other than printable ASCII",
				what, text);
	return 0;
}
