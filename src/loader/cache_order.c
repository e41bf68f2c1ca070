// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "cache_format.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int32_t read_digits(const char **text)
{
	uint32_t value = 0;

	while (is_digit(**text))
		value = value * 10 + (uint32_t)(*(*text)++ - '0');
	return (int32_t)value;
}

/*
 * The loader's comparison of names; <0: a is less. As in the loader, the machine decides whether
 * `char` is signed.
 */
static int compare_names(const char *a, const char *b)
{
	while (*a && a != b) {
		if (is_digit(*a) && is_digit(*b)) {
			int32_t x = read_digits(&a), y = read_digits(&b);

			if (x != y)
				return (int32_t)((uint32_t)x - (uint32_t)y);
		} else if (is_digit(*a) != is_digit(*b)) {
			return is_digit(*a) ? 1 : -1;
		} else if (*a != *b) {
			break;
		} else {
			a++;
			b++;
		}
	}
	return *a - *b;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

/* Of the entries with the same name and kind, the loader uses the first that fits the machine. */
static int compare_hwcaps(const struct loader_entry *a, const struct loader_entry *b)
{
	int r;

	if (!a->hwcaps != !b->hwcaps)
		return a->hwcaps ? -1 : 1;
	if (a->hwcaps)
		return strcmp(a->hwcaps, b->hwcaps);
	r = compare_numbers((unsigned)__builtin_popcountll(b->hwcap),
			    (unsigned)__builtin_popcountll(a->hwcap));
	return r ? r : compare_numbers(b->hwcap, a->hwcap);
}

int cache_compare(const struct loader_entry *a, const struct loader_entry *b)
{
	int r = compare_names(b->name, a->name);

	if (r)
		return r;
	if (a->flags != b->flags)
		return a->flags > b->flags ? -1 : 1;
	return compare_hwcaps(a, b);
}

void cache_merge_runs(const struct loader_entry **items, const struct loader_entry **scratch,
		      size_t middle, size_t count)
{
	size_t left = 0, right = middle, out = 0;

	if (middle == 0 || middle == count || cache_compare(items[middle - 1], items[middle]) <= 0)
		return;
	memcpy(scratch, items, middle * sizeof(void *));
	while (left < middle)
		if (right < count && cache_compare(scratch[left], items[right]) > 0)
			items[out++] = items[right++];
		else
			items[out++] = scratch[left++];
}

void cache_sort(const struct loader_entry **items, const struct loader_entry **scratch,
		size_t count)
{
	size_t middle = count / 2;

	if (count < 2)
		return;
	cache_sort(items, scratch, middle);
	cache_sort(items + middle, scratch, count - middle);
	cache_merge_runs(items, scratch, middle, count);
}
