// SPDX-License-Identifier: Apache-2.0
#include "csv.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	enum csv_type type;
} types[] = {
	{"dev", CSV_DEV},
	{"dir", CSV_DIR},
	{"lib", CSV_LIB},
	{"sym", CSV_SYM},
};

const char *csv_clean_path(const char *path, struct arena *arena)
{
	struct slice rest = slice_from(path), part;
	char *text = arena_alloc(arena, strlen(path) + 2);
	size_t length = 0;

	if (!text)
		return NULL;
	while (slice_next(&rest, '/', &part)) {
		if (part.length == 0 || slice_equal(part, "."))
			continue;
		if (slice_equal(part, "..")) {
			while (length > 0 && text[--length] != '/')
				;
			continue;
		}
		text[length++] = '/';
		memcpy(text + length, part.data, part.length);
		length += part.length;
	}
	if (length == 0)
		text[length++] = '/';
	text[length] = '\0';
	return text;
}

/* ---- patterns --------------------------------------------------------------------------- */

bool csv_is_pattern(const char *text)
{
	return text[strcspn(text, "*?[\\")] != '\0';
}

/* Reads one character of a class and advances *at. */
static bool take_member(const char **at, char *ret)
{
	if (**at == '\\')
		(*at)++;
	if (!**at || **at == '/')
		return false;
	*ret = *(*at)++;
	return true;
}

/*
 * Matches a class, "[a-z]". *at is after the opening bracket and moves past the closing one. False:
 * the class isn't closed.
 */
static bool match_class(const char **at, char c, bool *ret)
{
	bool negated = **at == '^', found = false;
	size_t members = 0;

	*at += negated;
	while (**at != ']' || members == 0) {
		char low, high;

		if (!take_member(at, &low))
			return false;
		high = low;
		if (**at == '-' && (*at)[1] != ']') {
			(*at)++;
			if (!take_member(at, &high))
				return false;
		}
		found |= c >= low && c <= high;
		members++;
	}
	(*at)++;
	*ret = found != negated;
	return true;
}

/* Matches one character with the pattern at *at, and advances *at. */
static bool match_one(const char **at, char c)
{
	bool matched;

	switch (*(*at)++) {
	case '?':
		return true;
	case '[':
		return match_class(at, c, &matched) && matched;
	case '\\':
		return **at && *(*at)++ == c;
	default:
		return (*at)[-1] == c;
	}
}

/*
 * On a mismatch, continues at the last star. This needs constant memory and at most length times
 * length steps.
 */
bool csv_matches(const char *pattern, const char *name)
{
	const char *star = NULL, *resumed = NULL;

	while (*name) {
		const char *at = pattern;

		if (*pattern == '*') {
			star = ++pattern;
			resumed = name;
			continue;
		}
		if (*pattern && match_one(&at, *name)) {
			pattern = at;
			name++;
			continue;
		}
		if (!star)
			return false;
		pattern = star;
		name = ++resumed;
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

bool csv_matches_path(const char *pattern, const char *path)
{
	char one[256], other[256];

	while (*pattern && *path) {
		size_t length = strcspn(pattern, "/"), own = strcspn(path, "/");

		if (length >= sizeof(one) || own >= sizeof(other))
			return false;
		(void)snprintf(one, sizeof(one), "%.*s", (int)length, pattern);
		(void)snprintf(other, sizeof(other), "%.*s", (int)own, path);
		if (!csv_matches(one, other))
			return false;
		pattern += length + (pattern[length] == '/');
		path += own + (path[own] == '/');
	}
	return *pattern == *path;
}

/* ---- the text --------------------------------------------------------------------------- */

/* No control characters, which have a meaning for terminals and in files of lines. */
static bool is_plain(struct slice path)
{
	for (size_t i = 0; i < path.length; i++)
		if ((unsigned char)path.data[i] < ' ' || path.data[i] == 0x7f)
			return false;
	return true;
}

static bool is_known(const struct csv_entries *entries, enum csv_type type, const char *path)
{
	for (size_t i = 0; i < entries->count; i++)
		if (entries->items[i].type == type && strcmp(entries->items[i].path, path) == 0)
			return true;
	return false;
}

static int add_entry(enum csv_type type, struct slice path, struct arena *arena,
		     struct csv_entries *ret)
{
	const char *text = arena_strndup(arena, path.data, path.length);
	struct csv_entry *entry;

	text = text ? csv_clean_path(text, arena) : NULL;
	if (!text)
		return -ENOMEM;
	if (is_known(ret, type, text))
		return 0;
	if (ret->count >= CSV_ENTRIES_MAX)
		return -E2BIG;
	entry = ARENA_PUSH(arena, ret);
	if (!entry)
		return -ENOMEM;
	*entry = (struct csv_entry){type, text};
	return 0;
}

int csv_parse(const char *text, size_t length, struct arena *arena, struct csv_entries *ret)
{
	struct slice rest = {text, length}, line, type;
	int r = 0;

	while (r == 0 && slice_next(&rest, '\n', &line)) {
		struct slice path = line;

		if (!slice_next(&path, ',', &type) || !path.data)
			continue;
		path = slice_trim(path);
		if (path.length == 0 || path.length >= 4096 || !is_plain(path))
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(types); i++)
			if (slice_equal(slice_trim(type), types[i].name))
				r = add_entry(types[i].type, path, arena, ret);
	}
	return r;
}
