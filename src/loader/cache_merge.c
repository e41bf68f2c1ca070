// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "cache_format.h"

/* By bytes: a total order, unlike the loader's. */
static int compare_exactly(const struct loader_entry *a, const struct loader_entry *b)
{
	int r = strcmp(a->name, b->name);

	return r ? r : (a->flags > b->flags) - (a->flags < b->flags);
}

static int by_name_and_place(const void *a, const void *b)
{
	const struct loader_entry *const *x = a, *const *y = b;
	int r = compare_exactly(*x, *y);

	return r ? r : (*x > *y) - (*x < *y);
}

static int find_by_name(const void *key, const void *item)
{
	return compare_exactly(key, *(const struct loader_entry *const *)item);
}

/* Sorts pointers to the added entries by name, each name and kind once. 0 or -ENOMEM. */
static int choose_added(const struct loader_cache *added, struct arena *arena,
			const struct loader_entry **ret, size_t *ret_count)
{
	size_t count = 0;

	for (size_t i = 0; i < added->count; i++)
		ret[i] = &added->items[i];
	if (sort_items(arena, ret, added->count, sizeof(void *), by_name_and_place) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < added->count; i++)
		if (count == 0 || compare_exactly(ret[count - 1], ret[i]) != 0)
			ret[count++] = ret[i];
	*ret_count = count;
	return 0;
}

int loader_cache_merge(const struct loader_cache *cache, const struct loader_cache *added,
		       struct arena *arena, char **ret_data, size_t *ret_length, struct error *err)
{
	size_t room = (cache->count + added->count) * sizeof(void *), chosen = 0, count = 0;
	const struct loader_entry **items = arena_alloc(arena, room);
	const struct loader_entry **scratch = arena_alloc(arena, room);
	const struct loader_entry **ours = arena_alloc(arena, added->count * sizeof(void *));

	if (!items || !scratch || !ours || choose_added(added, arena, ours, &chosen) < 0)
		return error_memory(err);
	for (size_t i = 0; i < cache->count; i++)
		if (!chosen ||
		    !bsearch(&cache->items[i], ours, chosen, sizeof(void *), find_by_name))
			items[count++] = &cache->items[i];
	cache_sort(items, scratch, count);
	if (chosen) {
		cache_sort(ours, scratch, chosen);
		memcpy(items + count, ours, chosen * sizeof(void *));
	}
	cache_merge_runs(items, scratch, count, count + chosen);
	return cache_write(items, count + chosen, arena, ret_data, ret_length, err);
}
