// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/base.h"

/* Insertion of pieces up to this length, then merging: the shorter part of the work. */
#define RUN_LENGTH 8

struct sorting {
	size_t size;
	int (*compare)(const void *a, const void *b);
};

static void sort_run(const struct sorting *sorting, unsigned char *items, size_t count,
		     unsigned char *spare)
{
	size_t size = sorting->size;

	for (size_t i = 1; i < count; i++) {
		size_t at = i;

		while (at > 0 && sorting->compare(items + (at - 1) * size, items + i * size) > 0)
			at--;
		if (at == i)
			continue;
		memcpy(spare, items + i * size, size);
		memmove(items + (at + 1) * size, items + at * size, (i - at) * size);
		memcpy(items + at * size, spare, size);
	}
}

/* from[0..middle) and from[middle..count), each sorted, as one to `to`. */
static void merge(const struct sorting *sorting, const unsigned char *from, size_t middle,
		  size_t count, unsigned char *to)
{
	size_t size = sorting->size, left = 0, right = middle;

	while (left < middle && right < count) {
		bool second = sorting->compare(from + left * size, from + right * size) > 0;

		memcpy(to, from + (second ? right++ : left++) * size, size);
		to += size;
	}
	memcpy(to, from + left * size, (middle - left) * size);
	memcpy(to + (middle - left) * size, from + right * size, (count - right) * size);
}

int sort_items(struct arena *arena, void *items, size_t count, size_t size,
	       int (*compare)(const void *a, const void *b))
{
	const struct sorting sorting = {size, compare};
	unsigned char *from = items, *to, *spare;

	if (count < 2)
		return 0;
	if (count > SIZE_MAX / 4 / size)
		return -ENOMEM;
	/* Room for one item, at least, to be put aside. */
	spare = arena_alloc(arena, (count > RUN_LENGTH ? count : 1) * size);
	if (!spare)
		return -ENOMEM;
	for (size_t at = 0; at < count; at += RUN_LENGTH)
		sort_run(&sorting, from + at * size,
			 count - at < RUN_LENGTH ? count - at : RUN_LENGTH, spare);
	to = spare;
	for (size_t length = RUN_LENGTH; length < count; length *= 2) {
		unsigned char *merged = to;

		for (size_t at = 0; at < count; at += 2 * length) {
			size_t rest = count - at;

			merge(&sorting, from + at * size, rest < length ? rest : length,
			      rest < 2 * length ? rest : 2 * length, to + at * size);
		}
		to = from;
		from = merged;
	}
	if (from != items)
		memcpy(items, from, count * size);
	return 0;
}
