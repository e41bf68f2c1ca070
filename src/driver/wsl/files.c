// SPDX-License-Identifier: Apache-2.0
/* Selects the files of the store and of /usr/lib/wsl/lib for a container, and their names. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store.h"

#define FILES_MAX 4096
#define SMI "nvidia-smi"
#define LOADER "libcuda_loader.so"
#define LIBCUDA "libcuda.so.1" /* in /usr/lib/wsl/lib: the shim as well */
#define GRAPHICS (CAPABILITY_GRAPHICS | CAPABILITY_DISPLAY)
#define EVERYTHING \
	(CAPABILITY_COMPUTE | CAPABILITY_UTILITY | CAPABILITY_VIDEO | GRAPHICS | CAPABILITY_NGX)

/* Matched by name prefix; files without a row belong to compute. */
static const struct {
	const char *beginning;
	unsigned capabilities;
} classes[] = {
	{"libnvidia-ml", CAPABILITY_UTILITY},
	{SMI, CAPABILITY_UTILITY},
	{"libnvcuvid.", CAPABILITY_VIDEO},
	{"libnvidia-encode.", CAPABILITY_VIDEO},
	{"libnvidia-opticalflow", CAPABILITY_VIDEO},
	{"libnvvamanager.", CAPABILITY_VIDEO},
	{"libnvwgf2umx.", GRAPHICS},
	{"libnvoptix", GRAPHICS},
	{"nvoptix.bin", GRAPHICS},
	{"libnvidia-ngx.", GRAPHICS | CAPABILITY_NGX},
};

/*
 * Names that files have in /usr/lib/wsl/lib but not in the store. libcuda.so.1 is the shim: it asks
 * Windows which store is in use and opens libcuda.so.1.1 there. Both have the SONAME libcuda.so.1,
 * so which one the loader finds must not depend on their order.
 */
static const struct {
	const char *file, *name, *text;
} names[] = {
	{LOADER, "libcuda.so.1", LOADER},
	{LOADER, "libcuda.so", "libcuda.so.1"},
	{LIBCUDA, "libcuda.so", LIBCUDA},
	{"libnvoptix_loader.so.1", "libnvoptix.so.1", "libnvoptix_loader.so.1"},
	{"libnvcuvid.so.1", "libnvcuvid.so", "libnvcuvid.so.1"},
	{"libnvidia-encode.so.1", "libnvidia-encode.so", "libnvidia-encode.so.1"},
	{"libnvidia-opticalflow.so.1", "libnvidia-opticalflow.so", "libnvidia-opticalflow.so.1"},
};

/*
 * Other libraries open these by their paths or by another name, so the loader must not know them.
 */
static const char *const unnamed[] = {
	WSL_LIBCUDA,
	LOADER,
	"libnvidia-ml_loader.so",
	"libnvoptix_loader.so.1",
};

/* Microsoft's libraries, needed in addition to the driver's. */
static const struct {
	const char *name;
	unsigned capabilities; /* 0: always */
	bool needed;
} libraries[] = {
	{"libdxcore.so", 0, true},
	{"libd3d12.so", GRAPHICS, false},
	{"libd3d12core.so", GRAPHICS, false},
};

struct reader {
	const struct wsl_store *store;
	unsigned capabilities;
	bool whole; /* the store is mounted as one directory */
	bool shim;  /* the store has the shim */
	struct arena *arena;
	struct driver *driver;
	struct error *err;
};

/* ---- one file --------------------------------------------------------------------------- */

static bool ends_with_any(const char *name)
{
	const char *so = strstr(name, ".so");

	return (so && (so[3] == '.' || !so[3])) || string_ends(name, ".bin") ||
	       string_ends(name, ".dll");
}

static unsigned class_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (string_starts(name, classes[i].beginning))
			return classes[i].capabilities;
	return CAPABILITY_COMPUTE;
}

static bool is_library(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(unnamed); i++)
		if (strcmp(name, unnamed[i]) == 0)
			return false;
	return strstr(name, ".so") != NULL;
}

static int add_pair(struct reader *r, struct driver_links *links, const char *name,
		    const char *text)
{
	struct driver_link *link = ARENA_PUSH(r->arena, links);

	if (!link || !name || !text)
		return error_memory(r->err);
	*link = (struct driver_link){name, text};
	return 0;
}

/*
 * The links are in the store's directory if it can be changed in the container. If the host's store
 * is mounted there as a whole, they are in /usr/lib/wsl/lib, where the host has these names.
 */
static int add_names(struct reader *r, struct driver_file *file, const char *directory)
{
	const char *where = r->whole ? WSL_LIBRARIES : directory;
	int result = 0;

	for (size_t i = 0; result == 0 && i < ARRAY_SIZE(names); i++) {
		const char *link, *text = names[i].text;

		if (strcmp(names[i].file, file->name) != 0)
			continue;
		link = arena_printf(r->arena, "%s/%s", where, names[i].name);
		if (r->whole && strcmp(text, file->name) == 0)
			text = file->target;
		result = add_pair(r, &file->links, link, text);
		if (result == 0)
			result = add_pair(r, &file->loader, names[i].name, link);
	}
	if (result == 0 && is_library(file->name))
		result = add_pair(r, &file->loader, file->name, file->target);
	return result;
}

static int add_file(struct reader *r, const char *directory, const char *name,
		    unsigned capabilities, bool needed, int *fd)
{
	struct driver_file *file = ARENA_PUSH(r->arena, &r->driver->files);
	bool smi = strcmp(name, SMI) == 0;
	int result;

	if (!file)
		return error_memory(r->err);
	*file = (struct driver_file){
		.kind = smi                   ? DRIVER_FILE_BINARY
			: strstr(name, ".so") ? DRIVER_FILE_LIBRARY
					      : DRIVER_FILE_DATA,
		.capabilities = capabilities,
		.tree = TREE_DRIVER_ROOT,
		.fd = -1,
		.name = name,
		.class_bits = strstr(name, ".so") ? 64 : 0,
		.needed = needed,
		.inside = r->whole,
	};
	file->path = file->target = arena_printf(r->arena, "%s/%s", directory, name);
	if (!file->path)
		return error_memory(r->err);
	file->fd = fd_take(fd);
	result = add_names(r, file, directory);
	if (result == 0 && smi)
		result = add_pair(r, &file->links, "/usr/bin/" SMI, file->target);
	return result;
}

/* ---- all -------------------------------------------------------------------------------- */

/* Files that can't be used are omitted, unless the driver requires them. */
static int take(struct reader *r, int directory, const char *path, const char *name,
		unsigned capabilities, bool needed)
{
	AUTO_FD fd = wsl_open_file(directory, name, r->arena);

	if (fd >= 0)
		return add_file(r, path, name, capabilities, needed, &fd);
	if (fd == -ENOMEM)
		return error_memory(r->err);
	if (needed)
		return error_set(
			r->err, ERROR_NO_DRIVER, -fd,
			"update WSL and the Windows driver (`wsl --update`), and undo changes in /usr/lib/wsl",
			"use %s/%s: %s", path, name,
			fd == -ELOOP   ? "it is a link to another directory"
			: fd == -EPERM ? "users other than root can change it"
				       : strerror(-fd));
	if (fd != -ENOENT && fd != -EINVAL)
		log_line(LOG_LEVEL_WARNING, "%s/%s is skipped: %s", path, name,
			 fd == -ELOOP   ? "it is a link to another directory"
			 : fd == -EPERM ? "users other than root can change it"
					: strerror(-fd));
	return 0;
}

static int take_libraries(struct reader *r, const struct driver_roots *roots)
{
	AUTO_FD directory = root_openat(&roots->driver, WSL_LIBRARIES, O_RDONLY | O_DIRECTORY);
	int result = 0;

	for (size_t i = 0; result == 0 && i < ARRAY_SIZE(libraries); i++)
		if (!libraries[i].capabilities || (libraries[i].capabilities & r->capabilities))
			result = take(r, directory, WSL_LIBRARIES, libraries[i].name,
				      libraries[i].capabilities, libraries[i].needed);
	return result;
}

/* Opens the entry only if its owner isn't root here, because each access is a request to Windows.
 */
static bool has_trusted_owner(int directory, const char *name, const struct stat *st)
{
	AUTO_FD fd =
		st->st_uid == 0 ? -1 : openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return st->st_uid == 0 || (fd >= 0 && owner_is_trusted(fd, st));
}

/*
 * Whether the store can be mounted as a whole, which needs one mount instead of a hundred. This
 * requires that all entries are regular files or directories that only root can change. Otherwise
 * each file is checked separately, and only those that fail are omitted.
 */
static bool is_plain(const struct reader *r, const struct driver_roots *roots)
{
	struct strings entries = {0};

	/* Names that begin with a dot would be mounted as well. */
	if (root_list(&roots->driver, r->store->path, FILES_MAX, r->arena, &entries) < 0)
		return false;
	for (size_t i = 0; i < entries.count; i++) {
		struct stat st;

		if (fstatat(r->store->fd, entries.items[i], &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) ||
		    !has_trusted_owner(r->store->fd, entries.items[i], &st) ||
		    (st.st_mode & (S_IWGRP | S_IWOTH)))
			return false;
	}
	return true;
}

static int take_whole(struct reader *r)
{
	struct driver_file *file = ARENA_PUSH(r->arena, &r->driver->files);

	if (!file)
		return error_memory(r->err);
	*file = (struct driver_file){
		.kind = DRIVER_FILE_DATA,
		.capabilities = CAPABILITY_COMPUTE,
		.tree = TREE_DRIVER_ROOT,
		.path = r->store->path,
		.target = r->store->path,
		.fd = openat(r->store->fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC),
		.name = strrchr(r->store->path, '/') + 1,
		.directory = true,
		.needed = true,
	};
	return 0;
}

static int take_entry(struct reader *r, const char *name)
{
	unsigned capabilities = class_of(name);
	int none = -1;

	if ((!ends_with_any(name) && strcmp(name, SMI) != 0) || !(capabilities & r->capabilities))
		return 0;
	/* The name is reserved for the shim, even if the store has a file of that name. */
	if (r->shim && strcmp(name, LIBCUDA) == 0)
		return 0;
	/* is_plain has checked the files of a whole store, so only the name is recorded. */
	if (r->whole)
		return add_file(r, r->store->path, name, capabilities, false, &none);
	return take(r, r->store->fd, r->store->path, name, capabilities,
		    strcmp(name, WSL_LIBCUDA) == 0 || strcmp(name, LOADER) == 0);
}

/* The store lacks the shim: use the one that the host's own programs load. */
static int take_shim(struct reader *r, const struct driver_roots *roots)
{
	AUTO_FD directory = root_openat(&roots->driver, WSL_LIBRARIES, O_RDONLY | O_DIRECTORY);

	r->whole = false;
	return take(r, directory, WSL_LIBRARIES, LIBCUDA, CAPABILITY_COMPUTE, true);
}

static int take_store(struct reader *r, const struct driver_roots *roots)
{
	bool compute = r->capabilities & CAPABILITY_COMPUTE;
	struct strings entries;
	int result = host_list(&roots->driver, r->store->path, r->arena, &entries);

	if (result < 0)
		return error_errno(r->err, -result, "read %s", r->store->path);
	/* Nearly all files belong to compute. Without it, the store isn't mounted as a whole. */
	r->whole = compute && is_plain(r, roots);
	r->shim = strings_contain(&entries, LOADER);
	if (r->whole)
		result = take_whole(r);
	for (size_t i = 0; result == 0 && i < entries.count && i < FILES_MAX; i++)
		result = take_entry(r, entries.items[i]);
	if (result == 0 && compute && !r->shim)
		result = take_shim(r, roots);
	return result;
}

int wsl_read_files(const struct driver_roots *roots, unsigned capabilities,
		   const struct wsl_store *store, struct arena *arena, struct driver *driver,
		   struct error *err)
{
	struct reader reader = {
		.store = store,
		.capabilities = capabilities,
		.arena = arena,
		.driver = driver,
		.err = err,
	};
	int r = take_libraries(&reader, roots);

	return r < 0 ? r : take_store(&reader, roots);
}
