// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "cache_format.h"

static const char generator[] = "davit " DAVIT_VERSION;

struct writer {
	char *data;
	size_t base; /* where the string table begins */
	size_t end;  /* the position of its next string */
	/* The glibc-hwcaps names that entries use, sorted, and the offset of each name's string. */
	const char **hwcaps;
	uint32_t *hwcaps_offsets;
	size_t hwcaps_count;
};

/*
 * The name as the end of the path, which is the usual case. The name then needs no string of its
 * own.
 */
static const char *name_in_path(const struct loader_entry *entry)
{
	size_t path = strlen(entry->path), name = strlen(entry->name);
	const char *tail;

	if (path <= name)
		return NULL;
	tail = entry->path + path - name;
	return memcmp(tail, entry->name, name) == 0 ? tail : NULL;
}

static size_t strings_size(const struct loader_entry *entry)
{
	size_t size = strlen(entry->path) + 1;

	return name_in_path(entry) ? size : size + strlen(entry->name) + 1;
}

static uint32_t put_string(struct writer *writer, const char *text)
{
	size_t offset = writer->end, size = strlen(text) + 1;

	memcpy(writer->data + offset, text, size);
	writer->end += size;
	return (uint32_t)offset;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int collect_hwcaps(const struct loader_entry *const *entries, size_t count,
			  struct arena *arena, struct writer *writer)
{
	size_t used = 0, distinct = 0;

	for (size_t i = 0; i < count; i++)
		used += entries[i]->hwcaps != NULL;
	writer->hwcaps = arena_alloc(arena, used * sizeof(*writer->hwcaps));
	writer->hwcaps_offsets = arena_alloc(arena, used * sizeof(*writer->hwcaps_offsets));
	if (!writer->hwcaps || !writer->hwcaps_offsets)
		return -ENOMEM;
	if (used == 0)
		return 0;
	used = 0;
	for (size_t i = 0; i < count; i++)
		if (entries[i]->hwcaps)
			writer->hwcaps[used++] = entries[i]->hwcaps;
	if (sort_items(arena, writer->hwcaps, used, sizeof(*writer->hwcaps), by_text) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < used; i++)
		if (distinct == 0 || strcmp(writer->hwcaps[distinct - 1], writer->hwcaps[i]) != 0)
			writer->hwcaps[distinct++] = writer->hwcaps[i];
	writer->hwcaps_count = distinct;
	return 0;
}

static void put_entry(struct writer *writer, const struct loader_entry *entry, size_t offset)
{
	const char *tail = name_in_path(entry), **found;
	struct new_entry raw = {
		.flags = entry->flags,
		.os_version = entry->os_version,
		.hwcap = entry->hwcap,
	};

	raw.path = put_string(writer, entry->path);
	raw.name =
		tail ? raw.path + (uint32_t)(tail - entry->path) : put_string(writer, entry->name);
	if (entry->hwcaps) {
		found = bsearch(&entry->hwcaps, writer->hwcaps, writer->hwcaps_count,
				sizeof(*writer->hwcaps), by_text);
		raw.hwcap = HWCAP_EXTENSION | (entry->hwcap & HWCAP_ISA_LEVELS) |
			    (uint64_t)(found - writer->hwcaps);
	}
	memcpy(writer->data + offset, &raw, sizeof(raw));
}

/*
 * Writes what follows the strings: the directory, the hwcaps section if there is one, and the
 * generator's name.
 */
static void put_extension(struct writer *writer, size_t offset)
{
	struct extension_header header = {EXTENSION_MAGIC, writer->hwcaps_count ? 2 : 1};
	size_t hwcaps_size = writer->hwcaps_count * sizeof(uint32_t);
	size_t hwcaps = offset + sizeof(header) + header.count * sizeof(struct extension_section);
	struct extension_section sections[] = {
		{EXTENSION_GENERATOR, 0, (uint32_t)(hwcaps + hwcaps_size), sizeof(generator) - 1},
		{EXTENSION_GLIBC_HWCAPS, 0, (uint32_t)hwcaps, (uint32_t)hwcaps_size},
	};

	memcpy(writer->data + offset, &header, sizeof(header));
	memcpy(writer->data + offset + sizeof(header), sections,
	       header.count * sizeof(sections[0]));
	memcpy(writer->data + hwcaps, writer->hwcaps_offsets, hwcaps_size);
	memcpy(writer->data + hwcaps + hwcaps_size, generator, sizeof(generator) - 1);
}

int cache_write(const struct loader_entry *const *entries, size_t count, struct arena *arena,
		char **ret_data, size_t *ret_length, struct error *err)
{
	struct new_header header = {.flags = NEW_FLAGS_NATIVE, .count = (uint32_t)count};
	struct writer writer = {.base = sizeof(header) + count * sizeof(struct new_entry)};
	size_t length = writer.base, extension;

	if (collect_hwcaps(entries, count, arena, &writer) < 0)
		return error_memory(err);
	for (size_t i = 0; i < count; i++)
		length += strings_size(entries[i]);
	for (size_t i = 0; i < writer.hwcaps_count; i++)
		length += strlen(writer.hwcaps[i]) + 1;
	extension = (length + 3) / 4 * 4;
	length = extension + sizeof(struct extension_header) +
		 2 * sizeof(struct extension_section) + writer.hwcaps_count * sizeof(uint32_t) +
		 sizeof(generator);
	if (length > 2 * CACHE_SIZE_MAX)
		return error_set(err, ERROR_IMAGE, EFBIG,
				 "rebuild it by running ldconfig in the image",
				 "write the loader cache: it would be %zu bytes long", length);
	writer.data = arena_alloc(arena, length);
	if (!writer.data)
		return error_memory(err);
	writer.end = writer.base;
	for (size_t i = 0; i < writer.hwcaps_count; i++)
		writer.hwcaps_offsets[i] = put_string(&writer, writer.hwcaps[i]);
	for (size_t i = 0; i < count; i++)
		put_entry(&writer, entries[i], sizeof(header) + i * sizeof(struct new_entry));
	put_extension(&writer, extension);
	memcpy(header.magic, NEW_MAGIC, sizeof(header.magic));
	header.strings_size = (uint32_t)(writer.end - writer.base);
	header.extension = (uint32_t)extension;
	memcpy(writer.data, &header, sizeof(header));
	*ret_data = writer.data;
	*ret_length = extension + sizeof(struct extension_header) +
		      (writer.hwcaps_count ? 2 : 1) * sizeof(struct extension_section) +
		      writer.hwcaps_count * sizeof(uint32_t) + sizeof(generator) - 1;
	return 0;
}
