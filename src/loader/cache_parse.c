// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "cache_format.h"

struct reader {
	const char *data;
	size_t length;
	size_t strings_end; /* after the last NUL: a string that begins before this also ends before
			       it */
	struct error *err;
};

/* The position of the names of glibc-hwcaps subdirectories. */
struct hwcaps {
	size_t offset, count;
};

static int damaged(const struct reader *reader, size_t offset, const char *what)
{
	return error_set(
		reader->err, ERROR_IMAGE, EINVAL, "rebuild it by running ldconfig in the image",
		"read the loader cache: %s at byte %zu of %zu", what, offset, reader->length);
}

static bool has_room(const struct reader *reader, size_t offset, size_t count, size_t size)
{
	return offset <= reader->length && count <= (reader->length - offset) / size;
}

/*
 * Reads the string `offset` bytes after `base`. It must end within the file and within `limit`
 * bytes.
 */
static int read_string(const struct reader *reader, size_t base, uint32_t offset, size_t limit,
		       const char **ret)
{
	size_t start = base + offset;
	const char *text = reader->data + start;

	if (start >= reader->strings_end)
		return damaged(reader, start, "a string beyond the end");
	if (strnlen(text, limit + 1) > limit)
		return damaged(reader, start, "a string too long");
	*ret = text;
	return 0;
}

static int read_names(const struct reader *reader, size_t base, uint32_t name, uint32_t path,
		      struct loader_entry *entry)
{
	int r = read_string(reader, base, name, CACHE_NAME_MAX, &entry->name);

	return r < 0 ? r : read_string(reader, base, path, CACHE_PATH_MAX, &entry->path);
}

/* Reads the extension directory, of which only the hwcaps section is needed. */
static int read_extension(const struct reader *reader, size_t offset, struct hwcaps *ret)
{
	struct extension_header header;

	if (!has_room(reader, offset, 1, sizeof(header)))
		return damaged(reader, offset, "an extension beyond the end");
	memcpy(&header, reader->data + offset, sizeof(header));
	if (header.magic != EXTENSION_MAGIC)
		return damaged(reader, offset, "an extension without its magic number");
	offset += sizeof(header);
	if (!has_room(reader, offset, header.count, sizeof(struct extension_section)))
		return damaged(reader, offset, "extension sections beyond the end");
	for (uint32_t i = 0; i < header.count; i++, offset += sizeof(struct extension_section)) {
		struct extension_section section;

		memcpy(&section, reader->data + offset, sizeof(section));
		if (!has_room(reader, section.offset, section.size, 1))
			return damaged(reader, offset, "an extension section beyond the end");
		if (section.tag == EXTENSION_GLIBC_HWCAPS)
			*ret = (struct hwcaps){section.offset, section.size / sizeof(uint32_t)};
	}
	return 0;
}

static int read_hwcap(const struct reader *reader, size_t base, const struct hwcaps *hwcaps,
		      uint64_t hwcap, struct loader_entry *entry)
{
	uint64_t index = hwcap & HWCAP_INDEX;
	uint32_t offset;

	entry->hwcap = hwcap;
	if ((hwcap & ~(HWCAP_ISA_LEVELS | HWCAP_INDEX)) != HWCAP_EXTENSION)
		return 0;
	if (index >= hwcaps->count)
		return damaged(reader, base, "an entry with an unknown glibc-hwcaps directory");
	memcpy(&offset, reader->data + hwcaps->offset + index * sizeof(offset), sizeof(offset));
	entry->hwcap = hwcap & ~HWCAP_INDEX;
	return read_string(reader, base, offset, CACHE_NAME_MAX, &entry->hwcaps);
}

static int allocate(const struct reader *reader, size_t offset, size_t count, size_t size,
		    struct arena *arena, struct loader_cache *ret)
{
	if (!has_room(reader, offset, count, size))
		return damaged(reader, offset, "more entries than the file can contain");
	ret->items = arena_alloc(arena, count * sizeof(*ret->items));
	if (!ret->items)
		return error_memory(reader->err);
	ret->capacity = count;
	return 0;
}

static int parse_new(const struct reader *reader, size_t base, struct arena *arena,
		     struct loader_cache *ret)
{
	size_t offset = base + sizeof(struct new_header);
	struct hwcaps hwcaps = {0};
	struct new_header header;
	int r;

	memcpy(&header, reader->data + base, sizeof(header));
	if (header.flags && (header.flags & NEW_FLAGS_MASK) != NEW_FLAGS_NATIVE)
		return damaged(reader, base, "the byte order is different");
	r = allocate(reader, offset, header.count, sizeof(struct new_entry), arena, ret);
	if (r == 0 && header.extension)
		r = read_extension(reader, header.extension, &hwcaps);
	for (; r == 0 && ret->count < header.count; offset += sizeof(struct new_entry)) {
		struct loader_entry *entry = &ret->items[ret->count];
		struct new_entry raw;

		memcpy(&raw, reader->data + offset, sizeof(raw));
		entry->flags = raw.flags;
		entry->os_version = raw.os_version;
		r = read_names(reader, base, raw.name, raw.path, entry);
		if (r == 0)
			r = read_hwcap(reader, base, &hwcaps, raw.hwcap, entry);
		ret->count += r == 0;
	}
	return r;
}

static int parse_old(const struct reader *reader, uint32_t count, struct arena *arena,
		     struct loader_cache *ret)
{
	size_t offset = sizeof(struct old_header), strings;
	int r = allocate(reader, offset, count, sizeof(struct old_entry), arena, ret);

	strings = offset + count * sizeof(struct old_entry);
	for (; r == 0 && ret->count < count; offset += sizeof(struct old_entry)) {
		struct loader_entry *entry = &ret->items[ret->count];
		struct old_entry raw;

		memcpy(&raw, reader->data + offset, sizeof(raw));
		entry->flags = raw.flags;
		r = read_names(reader, strings, raw.name, raw.path, entry);
		ret->count += r == 0;
	}
	return r;
}

static bool is_new(const struct reader *reader, size_t offset)
{
	return has_room(reader, offset, 1, sizeof(struct new_header)) &&
	       memcmp(reader->data + offset, NEW_MAGIC, strlen(NEW_MAGIC)) == 0;
}

static int parse(const struct reader *reader, struct arena *arena, struct loader_cache *ret)
{
	struct old_header header;
	size_t end;

	if (reader->length > CACHE_SIZE_MAX)
		return damaged(reader, CACHE_SIZE_MAX, "too large a file");
	if (is_new(reader, 0))
		return parse_new(reader, 0, arena, ret);
	if (reader->length < sizeof(header) ||
	    memcmp(reader->data, OLD_MAGIC, strlen(OLD_MAGIC)) != 0)
		return damaged(reader, 0, "it has no loader cache header");
	memcpy(&header, reader->data, sizeof(header));
	end = sizeof(header) + header.count * sizeof(struct old_entry);
	end = (end + NEW_ALIGNMENT - 1) / NEW_ALIGNMENT * NEW_ALIGNMENT;
	/*
	 * A cache of the new format may follow among the strings, and contains more than the old
	 * one.
	 */
	if (is_new(reader, end))
		return parse_new(reader, end, arena, ret);
	return parse_old(reader, header.count, arena, ret);
}

int loader_cache_parse(const char *data, size_t length, struct arena *arena,
		       struct loader_cache *ret, struct error *err)
{
	const char *last = length ? memrchr(data, '\0', length) : NULL;
	struct reader reader = {
		.data = data,
		.length = length,
		.strings_end = last ? (size_t)(last - data) + 1 : 0,
		.err = err,
	};

	*ret = (struct loader_cache){0};
	return parse(&reader, arena, ret);
}

const struct loader_entry *loader_cache_find(const struct loader_cache *cache, const char *name,
					     int32_t flags)
{
	for (size_t i = 0; i < cache->count; i++)
		if (cache->items[i].flags == flags && strcmp(cache->items[i].name, name) == 0)
			return &cache->items[i];
	return NULL;
}
