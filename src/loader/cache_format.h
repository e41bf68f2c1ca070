// SPDX-License-Identifier: Apache-2.0
/*
 * The loader cache as bytes (glibc's sysdeps/generic/dl-cache.h). Numbers have the machine's byte
 * order. They are copied before use, because they may be unaligned in a hostile file.
 */
#pragma once

#include "davit/loader.h"

/* A larger file is not a loader cache: a large system's has 200 KiB. */
#define CACHE_SIZE_MAX ((size_t)8 * 1024 * 1024)
/* The limits of a file's name (for SONAMEs) and of a path. */
#define CACHE_NAME_MAX 255
#define CACHE_PATH_MAX 4095

/*
 * The format before glibc 2.2, and the outer one with `ldconfig -c compat`. Offsets of strings
 * count from its end.
 */
#define OLD_MAGIC "ld.so-1.7.0"
struct old_header {
	char magic[12]; /* one byte of padding */
	uint32_t count;
};
struct old_entry {
	int32_t flags;
	uint32_t name, path;
};

/* Offsets of strings count from the beginning of this header. */
#define NEW_MAGIC "glibc-ld.so.cache1.1"
#define NEW_ALIGNMENT 8
struct new_header {
	char magic[20];
	uint32_t count;
	uint32_t strings_size;
	uint8_t flags; /* enum new_flags, in the lowest two bits; 0 before glibc 2.33 */
	uint8_t padding[3];
	uint32_t extension; /* offset in the file; 0: none */
	uint32_t unused[3];
};
enum new_flags { NEW_FLAGS_LITTLE_ENDIAN = 2, NEW_FLAGS_BIG_ENDIAN = 3, NEW_FLAGS_MASK = 3 };
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define NEW_FLAGS_NATIVE NEW_FLAGS_LITTLE_ENDIAN
#else
#define NEW_FLAGS_NATIVE NEW_FLAGS_BIG_ENDIAN
#endif
struct new_entry {
	int32_t flags;
	uint32_t name, path;
	uint32_t os_version;
	uint64_t hwcap;
};
/*
 * If bit 62 is set, hwcap's low half is an index into the hwcaps section, and the ten bits above it
 * are an ISA level (glibc 2.33 and later).
 */
#define HWCAP_EXTENSION (UINT64_C(1) << 62)
#define HWCAP_ISA_LEVELS (UINT64_C(0x3ff) << 32)
#define HWCAP_INDEX UINT64_C(0xffffffff)

/* The extension directory: a header, then `count` sections; offsets count from the file's start. */
#define EXTENSION_MAGIC 0xeaa42174u
struct extension_header {
	uint32_t magic, count;
};
enum extension_tag {
	EXTENSION_GENERATOR,    /* the name of the program that wrote the file */
	EXTENSION_GLIBC_HWCAPS, /* uint32_t offsets of names, sorted by strcmp */
};
struct extension_section {
	uint32_t tag, flags, offset, size;
};

_Static_assert(sizeof(struct old_header) == 16, "old header");
_Static_assert(sizeof(struct old_entry) == 12, "old entry");
_Static_assert(sizeof(struct new_header) == 48, "new header");
_Static_assert(sizeof(struct new_entry) == 24, "new entry");
_Static_assert(sizeof(struct extension_section) == 16, "extension section");

/*
 * The order that the loader requires for its binary search, and for its choice among equal names.
 * <0: a comes first. As in the loader, digits in names compare as 32-bit numbers that may wrap. So
 * this is not a total order for hostile names, and only cache_sort may depend on it.
 */
int cache_compare(const struct loader_entry *a, const struct loader_entry *b);
/* A stable merge sort; linear if the items are sorted. `scratch` has at least `count` items. */
void cache_sort(const struct loader_entry **items, const struct loader_entry **scratch,
		size_t count);
/* Merges the sorted items[0..middle) and items[middle..count). */
void cache_merge_runs(const struct loader_entry **items, const struct loader_entry **scratch,
		      size_t middle, size_t count);
/* Writes the entries in their order as a file. 0 or -errno. */
int cache_write(const struct loader_entry *const *entries, size_t count, struct arena *arena,
		char **ret_data, size_t *ret_length, struct error *err);
