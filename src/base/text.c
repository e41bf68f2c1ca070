// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/base.h"

int strings_add(struct arena *arena, struct strings *list, const char *text)
{
	const char **item = ARENA_PUSH(arena, list);

	if (!item)
		return -ENOMEM;
	*item = text;
	return 0;
}

bool strings_contain(const struct strings *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

const char *strings_join(struct arena *arena, const struct strings *list, const char *separator)
{
	size_t length = 0, gap = strlen(separator);
	char *joined, *end;

	for (size_t i = 0; i < list->count; i++)
		length += strlen(list->items[i]) + gap;
	joined = arena_alloc(arena, length + 1);
	if (!joined)
		return NULL;
	end = joined;
	for (size_t i = 0; i < list->count; i++) {
		if (i > 0)
			end = stpcpy(end, separator);
		end = stpcpy(end, list->items[i]);
	}
	return joined;
}

const char *strings_list(struct arena *arena, const struct strings *list, size_t max)
{
	size_t length = 0, shown = 0;
	const char *text;

	while (shown < list->count && length + strlen(list->items[shown]) + 2 <= max)
		length += strlen(list->items[shown++]) + 2;
	text = strings_join(arena, &(struct strings){list->items, shown, shown}, ", ");
	if (!text || shown == list->count)
		return text;
	return arena_printf(arena, "%s and %zu more", text, list->count - shown);
}

bool string_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool string_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool string_ends(const char *text, const char *suffix)
{
	size_t length = strlen(text), tail = strlen(suffix);

	return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

/* Levenshtein's distance in one row. Names longer than the row have no near miss. */
static size_t edit_distance(const char *a, const char *b)
{
	size_t row[65], length_b = strlen(b);

	if (strlen(a) > 64 || length_b > 64)
		return SIZE_MAX;
	for (size_t j = 0; j <= length_b; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < length_b; j++) {
			size_t change = diagonal + (a[i] != b[j]);
			size_t best = row[j] < row[j + 1] ? row[j] + 1 : row[j + 1] + 1;

			diagonal = row[j + 1];
			row[j + 1] = change < best ? change : best;
		}
	}
	return row[length_b];
}

const char *string_nearest(const char *text, const char *const *candidates, size_t count)
{
	size_t best = strlen(text) > 8 ? 4 : 3;
	const char *nearest = NULL;

	for (size_t i = 0; i < count; i++) {
		size_t distance = edit_distance(text, candidates[i]);

		if (distance < best) {
			best = distance;
			nearest = candidates[i];
		}
	}
	return nearest;
}

void string_printable(char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			*text = '?';
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

int parse_number(const char *text, size_t length, unsigned base, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;

	if (length == 0)
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		unsigned digit = (unsigned)digit_value(text[i]);

		if (digit >= base)
			return -EINVAL;
		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, digit, &value) || value > max) {
			/* Distinguish a number that is too large from text that isn't a number. */
			for (i++; i < length; i++)
				if ((unsigned)digit_value(text[i]) >= base)
					return -EINVAL;
			return -ERANGE;
		}
	}
	*ret = value;
	return 0;
}

struct slice slice_from(const char *text)
{
	return (struct slice){text, strlen(text)};
}

bool slice_next(struct slice *rest, char separator, struct slice *ret)
{
	const char *end;

	if (!rest->data)
		return false;
	end = rest->length ? memchr(rest->data, separator, rest->length) : NULL;
	if (!end) {
		*ret = *rest;
		*rest = (struct slice){0};
		return true;
	}
	*ret = (struct slice){rest->data, (size_t)(end - rest->data)};
	rest->length -= ret->length + 1;
	rest->data = end + 1;
	return true;
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct slice slice_trim(struct slice slice)
{
	while (slice.length && is_space(slice.data[0])) {
		slice.data++;
		slice.length--;
	}
	while (slice.length && is_space(slice.data[slice.length - 1]))
		slice.length--;
	return slice;
}

bool slice_equal(struct slice slice, const char *text)
{
	return slice.length == strlen(text) && memcmp(slice.data, text, slice.length) == 0;
}

bool slice_starts(struct slice slice, const char *prefix)
{
	size_t length = strlen(prefix);

	return slice.length >= length && memcmp(slice.data, prefix, length) == 0;
}

static uint64_t version_part(struct slice *rest)
{
	struct slice part;
	uint64_t value = 0;

	if (!slice_next(rest, '.', &part) ||
	    parse_number(part.data, part.length, 10, UINT64_MAX - 1, &value) < 0)
		return 0;
	return value;
}

int version_compare(const char *a, const char *b)
{
	struct slice rest_a = slice_from(a), rest_b = slice_from(b);

	while (rest_a.data || rest_b.data) {
		uint64_t x = version_part(&rest_a), y = version_part(&rest_b);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return 0;
}
