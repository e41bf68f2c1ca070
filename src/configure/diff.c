// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/configure.h"
#include "text.h"

#define CONTEXT 3
#define TABLE_MAX ((size_t)4 * 1024 * 1024) /* beyond that the middle is shown as replaced */

struct lines {
	struct slice *items; /* with their newlines */
	size_t count, capacity;
};

static int split(const char *text, struct arena *arena, struct lines *ret)
{
	while (text && *text) {
		struct slice *line = ARENA_PUSH(arena, ret);
		const char *newline = strchr(text, '\n');

		if (!line)
			return -ENOMEM;
		*line = (struct slice){text, newline ? (size_t)(newline + 1 - text) : strlen(text)};
		text += line->length;
	}
	return 0;
}

static bool same(struct slice a, struct slice b)
{
	return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

struct diff {
	struct lines old, new;
	size_t head, old_end, new_end; /* what differs: behind head, before the ends */
	uint32_t *table;               /* the longest common part from (i, j) on; NULL: too large */
	struct arena *arena;
	struct text text;
};

static size_t width(const struct diff *d)
{
	return d->new_end - d->head + 1;
}

static uint32_t *cell(const struct diff *d, size_t i, size_t j)
{
	return &d->table[(i - d->head) * width(d) + (j - d->head)];
}

static void fill_table(struct diff *d)
{
	size_t cells = (d->old_end - d->head + 1) * width(d);

	if (cells > TABLE_MAX)
		return;
	d->table = arena_alloc(d->arena, cells * sizeof(*d->table));
	for (size_t i = d->old_end; d->table && i-- > d->head;)
		for (size_t j = d->new_end; j-- > d->head;) {
			uint32_t down = *cell(d, i + 1, j), right = *cell(d, i, j + 1);

			*cell(d, i, j) = same(d->old.items[i], d->new.items[j])
						 ? *cell(d, i + 1, j + 1) + 1
					 : down > right ? down
							: right;
		}
}

static void put(struct diff *d, char mark, struct slice line)
{
	text_add(&d->text, &mark, 1);
	text_add(&d->text, line.data, line.length);
	if (line.data[line.length - 1] != '\n')
		text_add_string(&d->text, "\n\\ No newline at end of file\n");
}

static void put_middle(struct diff *d)
{
	size_t i = d->head, j = d->head;

	while (i < d->old_end || j < d->new_end) {
		bool both = i < d->old_end && j < d->new_end;

		if (both && d->table && same(d->old.items[i], d->new.items[j])) {
			put(d, ' ', d->old.items[i++]);
			j++;
		} else if (j == d->new_end ||
			   (i < d->old_end &&
			    (!d->table || *cell(d, i + 1, j) >= *cell(d, i, j + 1)))) {
			put(d, '-', d->old.items[i++]);
		} else {
			put(d, '+', d->new.items[j++]);
		}
	}
}

/* diff's way to say where a hunk is: an empty range names the line before it. */
static size_t place(size_t start, size_t count)
{
	return count ? start + 1 : start;
}

char *configure_diff(const char *path, const char *before, const char *after, struct arena *arena)
{
	struct diff d = {.arena = arena, .text = {.arena = arena}};
	const char *head;
	size_t start, tail;

	if (split(before, arena, &d.old) < 0 || split(after, arena, &d.new) < 0)
		return NULL;
	while (d.head < d.old.count &&
	       d.head < d.new.count &&same(d.old.items[d.head], d.new.items[d.head]))
		d.head++;
	d.old_end = d.old.count;
	d.new_end = d.new.count;
	while (d.old_end > d.head && d.new_end > d.head &&
	       same(d.old.items[d.old_end - 1], d.new.items[d.new_end - 1])) {
		d.old_end--;
		d.new_end--;
	}
	if (d.head == d.old_end && d.head == d.new_end)
		return arena_strdup(arena, "");
	fill_table(&d);
	start = d.head > CONTEXT ? d.head - CONTEXT : 0;
	tail = d.old.count - d.old_end < CONTEXT ? d.old.count - d.old_end : CONTEXT;
	head = arena_printf(arena, "--- %s\n+++ %s\n@@ -%zu,%zu +%zu,%zu @@\n",
			    before ? path : "/dev/null", after ? path : "/dev/null",
			    place(start, d.old_end + tail - start), d.old_end + tail - start,
			    place(start, d.new_end + tail - start), d.new_end + tail - start);
	if (!head)
		return NULL;
	text_add_string(&d.text, head);
	for (size_t i = start; i < d.head; i++)
		put(&d, ' ', d.old.items[i]);
	put_middle(&d);
	for (size_t i = d.old_end; i < d.old_end + tail; i++)
		put(&d, ' ', d.old.items[i]);
	return d.text.failed ? NULL : d.text.data;
}
