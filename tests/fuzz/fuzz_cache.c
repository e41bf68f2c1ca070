// SPDX-License-Identifier: Apache-2.0
/*
 * The loader cache: read, merged with what davit adds, read again. Nothing is lost, what is added
 * is what the loader finds, and a second merge changes nothing.
 */
#include "fuzz.h"
#include "loader/cache_format.h"

#define ADDED_FLAGS LOADER_FLAGS_NATIVE
#define ADDED_PATH "/davit/" /* of no entry of the cache: such files are passed over */
#define ADDED_MAX 8

/* The driver's libraries, one for 32 bits, one twice; and names that the cache has. */
static void choose_added(const struct loader_cache *cache, struct arena *arena,
			 struct loader_cache *ret)
{
	static struct loader_entry driver[] = {
		{.flags = ADDED_FLAGS, .name = "libcuda.so.1", .path = ADDED_PATH "a"},
		{.flags = ADDED_FLAGS, .name = "libnvidia-ml.so.1", .path = ADDED_PATH "b"},
		{.flags = LOADER_FLAGS_32, .name = "libcuda.so.1", .path = ADDED_PATH "c"},
		{.flags = ADDED_FLAGS, .name = "libcuda.so.1", .path = ADDED_PATH "d"},
	};
	const size_t places[] = {0, cache->count / 2, cache->count};

	*ret = (struct loader_cache){0};
	for (size_t i = 0; i < ARRAY_SIZE(driver); i++)
		*ARENA_PUSH(arena, ret) = driver[i];
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct loader_entry *entry;

		if (places[i] == cache->count)
			continue;
		entry = ARENA_PUSH(arena, ret);
		entry->flags = cache->items[places[i]].flags;
		entry->name = cache->items[places[i]].name;
		entry->path = ADDED_PATH "e";
	}
}

static bool is_ours(const struct loader_entry *entry)
{
	return string_starts(entry->path, ADDED_PATH);
}

/* ---- the entries ------------------------------------------------------------------------ */

static int by_all(const void *a, const void *b)
{
	const struct loader_entry *x = *(const struct loader_entry *const *)a;
	const struct loader_entry *y = *(const struct loader_entry *const *)b;
	int r = strcmp(x->name, y->name);

	if (r == 0)
		r = strcmp(x->path, y->path);
	if (r == 0)
		r = strcmp(x->hwcaps ? x->hwcaps : "", y->hwcaps ? y->hwcaps : "");
	if (r == 0)
		r = (x->flags > y->flags) - (x->flags < y->flags);
	if (r == 0)
		r = (x->os_version > y->os_version) - (x->os_version < y->os_version);
	return r ? r : (x->hwcap > y->hwcap) - (x->hwcap < y->hwcap);
}

struct list {
	const struct loader_entry **items;
	size_t count;
};

/* Those that are ours, or those that aren't and that nothing of `added` takes the place of. */
static struct list choose(const struct loader_cache *cache, const struct loader_cache *added,
			  bool ours, struct arena *arena)
{
	struct list list = {arena_alloc(arena, (cache->count + 1) * sizeof(void *)), 0};

	for (size_t i = 0; i < cache->count; i++) {
		const struct loader_entry *entry = &cache->items[i];

		if (ours ? is_ours(entry)
			 : !is_ours(entry) && !loader_cache_find(added, entry->name, entry->flags))
			list.items[list.count++] = entry;
	}
	return list;
}

static void compare_lists(const struct list *before, const struct list *after)
{
	FUZZ_CHECK(before->count == after->count);
	for (size_t i = 0; i < before->count; i++)
		FUZZ_CHECK(by_all(&before->items[i], &after->items[i]) == 0);
}

static bool is_sorted(const struct list *list)
{
	for (size_t i = 1; i < list->count; i++)
		if (cache_compare(list->items[i - 1], list->items[i]) > 0)
			return false;
	return true;
}

static void check_kept(const struct loader_cache *cache, const struct loader_cache *added,
		       const struct loader_cache *merged, struct arena *arena)
{
	struct list before = choose(cache, added, false, arena);
	struct list after = choose(merged, added, false, arena);

	/* In the loader's order they stay as they are. */
	if (!is_sorted(&before) && before.count) {
		qsort(before.items, before.count, sizeof(void *), by_all);
		qsort(after.items, after.count, sizeof(void *), by_all);
	}
	compare_lists(&before, &after);
}

/* Each name and kind once, the first of them; nothing else has its name and kind. */
static void check_added(const struct loader_cache *added, const struct loader_cache *merged,
			struct arena *arena)
{
	struct list ours = choose(merged, added, true, arena);
	size_t distinct = 0;

	for (size_t i = 0; i < added->count; i++) {
		const struct loader_entry *want = &added->items[i], *found;
		const struct loader_entry *first =
			loader_cache_find(added, want->name, want->flags);

		distinct += first == want;
		found = loader_cache_find(merged, want->name, want->flags);
		FUZZ_CHECK(found && string_equal(found->path, first->path));
	}
	FUZZ_CHECK(ours.count == distinct);
}

/* ---- the loader's view ------------------------------------------------------------------ */

/* Digits that the loader's comparison doesn't wrap at: its order is a total one then. */
static bool is_sane(const struct loader_cache *cache)
{
	for (size_t i = 0; i < cache->count; i++)
		for (const char *c = cache->items[i].name; *c; c++)
			if (strspn(c, "0123456789") > 9)
				return false;
	return true;
}

static int compare_name(const char *name, const struct loader_entry *entry)
{
	const struct loader_entry a = {.name = name}, b = {.name = entry->name};

	return cache_compare(&a, &b);
}

/* The binary search of the loader: the first of the equal names that has the flags. */
static const struct loader_entry *search(const struct loader_cache *cache, const char *name,
					 int32_t flags)
{
	size_t left = 0, right = cache->count;

	while (left < right) {
		size_t middle = left + (right - left) / 2;

		if (compare_name(name, &cache->items[middle]) > 0)
			left = middle + 1;
		else
			right = middle;
	}
	for (; left < cache->count && compare_name(name, &cache->items[left]) == 0; left++)
		if (cache->items[left].flags == flags)
			return &cache->items[left];
	return NULL;
}

static void check_search(const struct loader_cache *added, const struct loader_cache *merged)
{
	for (size_t i = 0; i < added->count; i++) {
		const struct loader_entry *want = &added->items[i];
		const struct loader_entry *found = search(merged, want->name, want->flags);

		FUZZ_CHECK(found);
		/* "liba.so.01" and "liba.so.1" are equal names to the loader, not to us. */
		FUZZ_CHECK(is_ours(found) || strcmp(found->name, want->name) != 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct loader_cache cache, added, merged;
	struct error err = FUZZ_ERROR;
	size_t length, again_length;
	AUTO_ARENA arena = {0};
	char *file, *again;
	int r = loader_cache_parse((const char *)data, size, &arena, &cache, &err);

	if (r < 0) {
		fuzz_check_error(r, &err);
		FUZZ_CHECK(r == -EINVAL && err.code == ERROR_IMAGE);
		return 0;
	}
	if (cache.count > 4096)
		return -1;
	for (size_t i = 0; i < cache.count; i++)
		if (is_ours(&cache.items[i]))
			return -1;
	choose_added(&cache, &arena, &added);
	r = loader_cache_merge(&cache, &added, &arena, &file, &length, &err);
	if (r < 0) {
		fuzz_check_error(r, &err);
		FUZZ_CHECK(r == -EFBIG);
		return 0;
	}
	FUZZ_CHECK(loader_cache_parse(file, length, &arena, &merged, &err) == 0);
	check_kept(&cache, &added, &merged, &arena);
	check_added(&added, &merged, &arena);
	if (!is_sane(&cache))
		return 0;
	check_search(&added, &merged);
	r = loader_cache_merge(&merged, &added, &arena, &again, &again_length, &err);
	FUZZ_CHECK(r == 0 && length == again_length && memcmp(file, again, length) == 0);
	return 0;
}
