// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "catalogue.h"

/* The suffix after ".so.": a SONAME's number ("1") or a driver version. */
static bool is_version(const char *text)
{
	return *text && text[strspn(text, "0123456789.")] == '\0';
}

/* "libcuda.so.@" is also libcuda.so, libcuda.so.1 and libcuda.so.535.104.05. */
static bool is_library(const struct catalogue_row *row, const char *name, const char **ret_version)
{
	const char *so = strstr(row->name, ".so");
	size_t length = so ? (size_t)(so - row->name) + strlen(".so") : 0;

	*ret_version = NULL;
	if (!length || strncmp(row->name, name, length) != 0)
		return false;
	if (name[length] == '\0')
		return true;
	if (name[length] != '.' || !is_version(name + length + 1))
		return false;
	*ret_version = name + length + 1;
	return true;
}

static bool is_link(const struct catalogue_row *row, const char *name)
{
	for (const struct driver_link *link = row->links; link && link->name; link++) {
		const char *slash = strrchr(link->name, '/');

		if (strcmp(slash ? slash + 1 : link->name, name) == 0)
			return true;
	}
	return false;
}

static int describe(const struct catalogue_row *row, const char *version, struct arena *arena,
		    struct driver_known *ret)
{
	ret->kind = (enum driver_file_kind)row->kind;
	ret->capabilities = row->capabilities;
	ret->name = catalogue_expand(arena, row->name, version);
	if (!ret->name)
		return -ENOMEM;
	for (const struct place *at = NULL; row->place && (at = place_next(row->place, at));) {
		const char *place = catalogue_expand(arena, at->path, version);

		if (place && string_starts(place, "./"))
			place = arena_printf(arena, "LIBRARIES/%s", place + 2);
		else if (place && place[0] != '/')
			place = arena_printf(arena, "PREFIX/%s", place);
		if (!place || strings_add(arena, &ret->places, place) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* A library missing from the table, recognised by its version or NVIDIA's naming scheme. */
static int know_library(const char *name, const char *version, struct arena *arena,
			struct driver_known *ret)
{
	static const struct catalogue_row unknown = {
		.kind = DRIVER_FILE_LIBRARY,
		.capabilities = CAPABILITY_COMPUTE | CAPABILITY_GRAPHICS | CAPABILITY_DISPLAY,
	};
	const char *so = string_starts(name, "lib") ? strstr(name, ".so") : NULL, *other;
	struct catalogue_row row = unknown;

	if (!so || (so[3] && (so[3] != '.' || !is_version(so + 4))))
		return -ENOENT;
	other = so[3] ? so + 4 : "";
	if (strcmp(other, version) != 0 && !catalogue_matches(name))
		return -ENOENT;
	row.name = name;
	*ret = (struct driver_known){0};
	if (strchr(other, '.') && strcspn(other, ".") >= 3 && strcmp(other, version) != 0)
		ret->version = other;
	return describe(&row, version, arena, ret);
}

int driver_know_file(const char *name, const char *version, struct arena *arena,
		     struct driver_known *ret)
{
	for (size_t i = 0; i < catalogue_count; i++) {
		const struct catalogue_row *row = &catalogue[i];
		const char *other = NULL;
		bool library = row->kind == DRIVER_FILE_LIBRARY || strstr(row->name, ".so.");

		/*
		 * Many programs have a socket of that name: only the whole path would identify it.
		 */
		if (row->kind == DRIVER_FILE_SOCKET ||
		    !(library ? is_library(row, name, &other) || is_link(row, name)
			      : strcmp(row->name, name) == 0))
			continue;
		*ret = (struct driver_known){0};
		/* The number in a SONAME has no dot. */
		if (strchr(row->name, '@') && other && strchr(other, '.') &&
		    strcmp(other, version) != 0)
			ret->version = other;
		return describe(row, version, arena, ret);
	}
	return know_library(name, version, arena, ret);
}

const char *driver_complete_name(const char *begin, struct arena *arena)
{
	const char *best = NULL;
	size_t best_length = SIZE_MAX;

	for (size_t i = 0; i < catalogue_count; i++) {
		const struct catalogue_row *row = &catalogue[i];
		const char *so = strstr(row->name, ".so");
		size_t length = so ? (size_t)(so - row->name) + strlen(".so") : strlen(row->name);

		if (row->kind == DRIVER_FILE_SOCKET || strpbrk(row->name, "/*") ||
		    !string_starts(row->name, begin) || length < strlen(begin) ||
		    length >= best_length)
			continue;
		best = row->name;
		best_length = length;
	}
	return best ? arena_strndup(arena, best, best_length) : NULL;
}
