// SPDX-License-Identifier: Apache-2.0
/*
 * loader: the file formats of the dynamic loader. Pure: bytes in, structs or bytes out.
 *
 * The cache's format is that of glibc's sysdeps/generic/dl-cache.h: the old header "ld.so-1.7.0"
 * (32-bit entries, before 2.2) and the new one "glibc-ld.so.cache1.1", alone or inside an old file
 * at the next 8-byte boundary, with an extension section for glibc-hwcaps names since 2.33.
 */
#pragma once

#include "davit/base.h"

/* Values of an entry's `flags`: type ELF_LIBC6 and the architecture's own bits. */
#define LOADER_FLAG_ELF_LIBC6 0x0003
#define LOADER_FLAG_X8664_LIB64 0x0300
#define LOADER_FLAG_AARCH64_LIB64 0x0a00
#if defined(__x86_64__)
#define LOADER_FLAGS_NATIVE (LOADER_FLAG_ELF_LIBC6 | LOADER_FLAG_X8664_LIB64)
#elif defined(__aarch64__)
#define LOADER_FLAGS_NATIVE (LOADER_FLAG_ELF_LIBC6 | LOADER_FLAG_AARCH64_LIB64)
#else
#error "davit: unknown architecture: add its loader cache flags (glibc sysdeps/*/ldconfig.h)"
#endif
/* 32-bit libraries of a 64-bit system (i386; armhf has more bits). */
#define LOADER_FLAGS_32 LOADER_FLAG_ELF_LIBC6

struct loader_entry {
	int32_t flags;
	const char *name; /* SONAME */
	const char *path; /* absolute */
	uint32_t os_version;
	uint64_t hwcap;     /* as in the file; without the glibc-hwcaps index if hwcaps is set */
	const char *hwcaps; /* name of the glibc-hwcaps subdirectory, or NULL */
};

struct loader_cache {
	struct loader_entry *items;
	size_t count, capacity;
};

/*
 * Reads a cache: strings point into `data`, which must outlive ret. Every offset is checked.
 * 0, -EINVAL (not a cache, or damaged: err says where, code ERROR_IMAGE) or -ENOMEM.
 */
int loader_cache_parse(const char *data, size_t length, struct arena *arena,
		       struct loader_cache *ret, struct error *err);

/* The first entry of that name and flags, or NULL. */
const struct loader_entry *loader_cache_find(const struct loader_cache *cache, const char *name,
					     int32_t flags);

/*
 * Merges `added` into `cache`. An added entry replaces all entries of its name and flags; of
 * several added ones, the first counts. The result has only the new format, which every glibc
 * since 2.2 reads, with entries in the loader's order. 0 or -errno (-EFBIG: strings that overlap to
 * a hostile size).
 */
int loader_cache_merge(const struct loader_cache *cache, const struct loader_cache *added,
		       struct arena *arena, char **ret_data, size_t *ret_length, struct error *err);

/* Facts in an ELF file. */
struct elf_facts {
	int class_bits;     /* 32 or 64 */
	uint16_t machine;   /* EM_X86_64, ... */
	const char *soname; /* NULL: none */
	/* libcuda's note ".note.cuda.fwd_compatibility"; NULL: none */
	const char *cuda_note; /* the JSON text */
};
enum elf_want {
	ELF_WANT_SONAME = 1 << 0,
	ELF_WANT_CUDA_NOTE = 1 << 1,
};
/*
 * Reads an open regular file, and copies strings into the arena. Sizes and offsets are untrusted:
 * memory and time are limited, even if the file changes during the call. A SONAME that isn't a
 * plain file name counts as damage. 0, -EINVAL (not an ELF file, or damaged) or -errno. Not pure:
 * it reads fd.
 */
int elf_read(int fd, unsigned want, struct arena *arena, struct elf_facts *ret);

/* The note's JSON. Keys are compared without case, and unknown ones are ignored. */
struct cuda_note {
	const char *cuda_version; /* "13.0"; NULL: absent */
	unsigned drivers[64];     /* the supported majors */
	size_t driver_count;
};
/* 0, -EINVAL (not a JSON object, a key of a wrong type, too many majors) or -ENOMEM. */
int cuda_note_parse(const char *json, struct arena *arena, struct cuda_note *ret);
