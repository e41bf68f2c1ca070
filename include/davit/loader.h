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
/* 32-bit libraries beside a 64-bit system (i386, armhf has more bits). */
#define LOADER_FLAGS_32 LOADER_FLAG_ELF_LIBC6

struct loader_entry {
	int32_t flags;
	const char *name; /* SONAME */
	const char *path; /* where it is, absolute */
	uint32_t os_version;
	uint64_t hwcap;     /* as in the file, without the glibc-hwcaps index when hwcaps is set */
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
 * Adds `added` to `cache`: an added entry takes the place of all that have its name and flags.
 * Among themselves added entries of the same name and flags: the first one wins.
 * Writes a file in the new format alone (every glibc since 2.2 reads that), entries in the loader's
 * own order. 0 or -errno (-EFBIG: strings that overlap to a hostile size).
 */
int loader_cache_merge(const struct loader_cache *cache, const struct loader_cache *added,
		       struct arena *arena, char **ret_data, size_t *ret_length, struct error *err);

/* What an ELF file says about itself. */
struct elf_facts {
	int class_bits;     /* 32 or 64 */
	uint16_t machine;   /* EM_X86_64, ... */
	const char *soname; /* NULL: none */
	/* libcuda's note: ".note.cuda.fwd_compatibility"; NULL without */
	const char *cuda_note; /* the JSON text */
};
enum elf_want {
	ELF_WANT_SONAME = 1 << 0,
	ELF_WANT_CUDA_NOTE = 1 << 1,
};
/*
 * Reads an open regular file; strings are copied into the arena. Sizes and offsets are not
 * believed: memory and time are bounded, whatever the file says and even when it changes meanwhile.
 * A SONAME that isn't a plain file name is damage. 0, -EINVAL (not an ELF file, or damaged) or
 * -errno. Not pure: it reads fd.
 */
int elf_read(int fd, unsigned want, struct arena *arena, struct elf_facts *ret);

/* The JSON of the note: keys compare without case, unknown ones are passed over. */
struct cuda_note {
	const char *cuda_version; /* "13.0"; NULL: absent */
	unsigned drivers[64];     /* majors it runs on */
	size_t driver_count;
};
/* 0, -EINVAL (no JSON object, a key of a wrong type, too many majors) or -ENOMEM. */
int cuda_note_parse(const char *json, struct arena *arena, struct cuda_note *ret);
