// SPDX-License-Identifier: Apache-2.0
/* CUDA forward compatibility: newer driver libraries that an image brings along. */
#include <fcntl.h>
#include <string.h>

#include "davit/image.h"

#define FILES_MAX 4096 /* real ones have about ten */
#define LIBRARIES_MAX 256

/* "libcuda.so.575.51.03" -> "575.51.03"; links such as libcuda.so.1 have no dot. */
static const char *libcuda_version(const char *name)
{
	static const char prefix[] = "libcuda.so.";
	const char *version = name + strlen(prefix);

	if (!string_starts(name, prefix) || !strchr(version, '.') ||
	    strspn(version, "0123456789.") != strlen(version))
		return NULL;
	return version;
}

static unsigned major_of(const char *version)
{
	uint64_t major = 0;

	(void)parse_number(version, strcspn(version, "."), 10, UINT32_MAX, &major);
	return (unsigned)major;
}

/* Lists the libraries' names, up to the limit. Further ones are ignored. */
static int list_libraries(const struct root *root, const char *dir, struct arena *arena,
			  struct strings *ret)
{
	struct strings all = {0};
	int r = root_list(root, dir, FILES_MAX, arena, &all);

	if (r < 0 && r != -E2BIG)
		return r;
	for (size_t i = 0; i < all.count && ret->count < LIBRARIES_MAX; i++)
		if (string_starts(all.items[i], "lib") && strstr(all.items[i], ".so.") &&
		    strings_add(arena, ret, all.items[i]) < 0)
			return -ENOMEM;
	return 0;
}

static int read_library(const struct root *root, const char *dir, const char *name, unsigned want,
			struct arena *arena, struct elf_facts *ret)
{
	const char *path = arena_printf(arena, "%s/%s", dir, name);
	AUTO_FD fd = path ? root_open_regular(root, path) : -ENOMEM;
	struct error ignored;
	int r;

	if (fd < 0)
		return fd;
	/* The image's files are parsed with no effective capability. */
	r = privilege_set(PRIVILEGE_PARSE, &ignored);
	if (r == 0)
		r = elf_read(fd, want, arena, ret);
	return privilege_set(PRIVILEGE_READ, &ignored) < 0 ? -EPERM : r;
}

/* Whether libcuda of `version` runs on the host's kernel module, and is worth it. */
static bool is_compatible(const struct elf_facts *libcuda, const char *version,
			  const struct compat_host *host, struct arena *arena)
{
	struct cuda_note note;

	/* A CUDA version is compared only with the note's. */
	if (!libcuda->cuda_note || cuda_note_parse(libcuda->cuda_note, arena, &note) < 0)
		return !host->cuda && major_of(version) > major_of(host->driver);
	if (!host->driver)
		return note.cuda_version && version_compare(note.cuda_version, host->cuda) > 0;
	for (size_t i = 0; i < note.driver_count; i++)
		if (note.drivers[i] == major_of(host->driver))
			return version_compare(version, host->driver) > 0;
	return false;
}

/* The newest libcuda in the directory, by name. */
static const char *find_libcuda(const struct strings *names)
{
	const char *newest = NULL;

	for (size_t i = 0; i < names->count; i++)
		if (libcuda_version(names->items[i]) &&
		    (!newest || version_compare(libcuda_version(names->items[i]),
						libcuda_version(newest)) > 0))
			newest = names->items[i];
	return newest;
}

/* Adds files of libcuda's version, by their SONAME. The image's links aren't trusted. */
static int add_libraries(const struct root *root, const char *dir, const struct strings *names,
			 struct arena *arena, struct image *image)
{
	const char *version = image->compat_version;

	for (size_t i = 0; i < names->count; i++) {
		struct elf_facts facts = {0};
		struct loader_entry *entry;
		int r;

		if (!string_ends(names->items[i], version))
			continue;
		r = read_library(root, dir, names->items[i], ELF_WANT_SONAME, arena, &facts);
		if (r == -ENOMEM)
			return r;
		if (r < 0 || !facts.soname || facts.class_bits != 64 || strchr(facts.soname, '/'))
			continue;
		entry = ARENA_PUSH(arena, &image->compat);
		if (!entry)
			return -ENOMEM;
		entry->flags = LOADER_FLAGS_NATIVE;
		entry->name = facts.soname;
		entry->path = arena_printf(arena, "%s/%s", dir, names->items[i]);
		if (!entry->path)
			return -ENOMEM;
	}
	return 0;
}

int image_find_compat(const struct root *root, const char *host_version, struct arena *arena,
		      struct image *image, struct error *err)
{
	const struct compat_host host = {.dir = COMPAT_DIR, .driver = host_version};

	return image_find_compat_for(root, &host, arena, image, err);
}

int image_find_compat_for(const struct root *root, const struct compat_host *host,
			  struct arena *arena, struct image *image, struct error *err)
{
	struct strings names = {0};
	struct elf_facts facts = {0};
	const char *libcuda;
	struct stat st;
	int r = !host->driver && !host->cuda ? -ENOENT
					     : list_libraries(root, host->dir, arena, &names);

	if (r == -ENOMEM)
		return error_memory(err);
	libcuda = r < 0 ? NULL : find_libcuda(&names);
	if (!libcuda)
		return 0;
	r = read_library(root, host->dir, libcuda, ELF_WANT_CUDA_NOTE, arena, &facts);
	if (r == -ENOMEM)
		return error_memory(err);
	/* A damaged file is only the image's problem: the host's libcuda is used. */
	if (r < 0 || facts.class_bits != 64)
		return 0;
	image->compat_version = libcuda_version(libcuda);
	image->compat_used = is_compatible(&facts, image->compat_version, host, arena);
	/* The image may have been committed from a container on a host with another driver. */
	if (!image->compat_used)
		image->compat_stale = root_stat(root, COMPAT_CONF, AT_SYMLINK_NOFOLLOW, &st) == 0 &&
				      S_ISREG(st.st_mode) && st.st_size > 0;
	if (!image->compat_used)
		return 0;
	r = add_libraries(root, host->dir, &names, arena, image);
	return r < 0 ? error_memory(err) : 0;
}
