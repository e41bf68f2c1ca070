// SPDX-License-Identifier: Apache-2.0
/*
 * The format of the lists (NVIDIA Container Toolkit, internal/platform-support/tegra/csv). A line
 * is "TYPE, PATH": the first comma separates the two, and blanks around both are ignored. There are
 * no comments and no quotes. Lines with another type or without a path are skipped. A path may be a
 * pattern of Go's filepath.Match.
 */
#pragma once

#include "davit/base.h"

enum csv_type { CSV_DEV, CSV_DIR, CSV_LIB, CSV_SYM };

struct csv_entry {
	enum csv_type type;
	const char *path; /* absolute and clean: "../../etc/x" is "/etc/x", "//lib/x" is "/lib/x" */
};
struct csv_entries {
	struct csv_entry *items;
	size_t count, capacity;
};

#define CSV_ENTRIES_MAX 8192 /* of all files: real ones have about 350 */

/* Adds the text's entries, each once. 0, -ENOMEM or -E2BIG. */
int csv_parse(const char *text, size_t length, struct arena *arena, struct csv_entries *ret);

/* "/a/./b//../c" -> "/a/c", and "/../x" -> "/x". NULL: no memory. */
const char *csv_clean_path(const char *path, struct arena *arena);
bool csv_is_pattern(const char *text);
/*
 * Whether a name without slashes matches a component of a pattern: `*`, `?`, `[a-z]`, `[^a]`, `\`.
 */
bool csv_matches(const char *pattern, const char *name);
/* The same for whole paths: `*` doesn't match a slash. */
bool csv_matches_path(const char *pattern, const char *path);
