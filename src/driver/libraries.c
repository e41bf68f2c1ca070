// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>

#include "inventory.h"

#define CACHE_MAX ((size_t)8 * 1024 * 1024)

#if defined(__x86_64__)
#define MULTIARCH "/usr/lib/x86_64-linux-gnu"
#define MULTIARCH_32 "/usr/lib/i386-linux-gnu"
#elif defined(__aarch64__)
#define MULTIARCH "/usr/lib/aarch64-linux-gnu"
#define MULTIARCH_32 "/usr/lib/arm-linux-gnueabihf"
#else
#error "davit: unknown architecture: add its library directories"
#endif
/* Where Debian's packages keep the libraries that its alternatives choose from. */
#define DEBIAN_CURRENT "/nvidia/current"

static const char *const usual[] = {
	"/lib64",
	"/lib",
	"/usr/lib64",
	MULTIARCH,
	"/usr/lib",
	"/usr/local/nvidia/lib64",
	(MULTIARCH DEBIAN_CURRENT),
	"/run/opengl-driver/lib", /* NixOS */
};
static const char *const usual_32[] = {
	"/lib32",
	"/usr/lib32",
	MULTIARCH_32,
	"/lib",
	"/usr/lib",
	"/usr/local/nvidia/lib32",
	(MULTIARCH_32 DEBIAN_CURRENT),
};

/* A directory with one of these, of the kernel module's version, is the driver's. */
static const struct {
	const char *row, *soname;
} signs[] = {
	{CATALOGUE_LIBNVML, "libnvidia-ml.so.1"},
	{CATALOGUE_LIBCUDA, "libcuda.so.1"     },
};

static unsigned wanted_of(const char *row_name)
{
	return ELF_WANT_SONAME |
	       (string_equal(row_name, CATALOGUE_LIBCUDA) ? ELF_WANT_CUDA_NOTE : 0);
}

/* The library stays open in *ret_fd: whoever binds it needn't look it up again. */
static int read_library(struct inventory *inv, enum driver_tree tree, const char *path,
			const char *row_name, struct elf_facts *ret, int *ret_fd)
{
	AUTO_FD fd = -1;
	int r;

	if (inv->read_fd >= 0 && tree == inv->read.tree && string_equal(path, inv->read.path)) {
		*ret = inv->read_facts;
		*ret_fd = fd_take(&inv->read_fd);
		return 0;
	}
	fd = root_openat(driver_root_of(inv->roots, tree), path, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return fd;
	r = elf_read(fd, wanted_of(row_name), inv->arena, ret);
	if (r == 0)
		*ret_fd = fd_take(&fd);
	return r;
}

/* ---- the directory ---------------------------------------------------------------------- */

/* The path as people know it: a tree's own path before it. For messages. */
static const char *whole_path(struct inventory *inv, enum driver_tree tree, const char *path)
{
	const char *root = driver_root_of(inv->roots, tree)->path;

	return string_equal(root, "/") ? path : arena_printf(inv->arena, "%s%s", root, path);
}

static int remember_probe(struct inventory *inv, struct library_dir dir)
{
	const char *whole = whole_path(inv, dir.tree, dir.path);
	struct library_dir *probed = ARENA_PUSH(inv->arena, &inv->probed);

	if (!whole || !probed)
		return -ENOMEM;
	*probed = dir;
	if (strings_contain(&inv->driver->searched, whole))
		return 0;
	return strings_add(inv->arena, &inv->driver->searched, whole);
}

/* Whether the directory has a sign of the driver: 1, 0 or -ENOMEM. */
static int probe(struct inventory *inv, struct library_dir dir, int class_bits)
{
	int r = class_bits == 64 ? remember_probe(inv, dir) : 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(signs); i++) {
		const char *name = catalogue_expand(inv->arena, signs[i].row, inv->driver->version);
		const char *path = name ? arena_printf(inv->arena, "%s/%s", dir.path, name) : NULL;
		struct elf_facts facts;
		AUTO_FD fd = -1;

		if (!path)
			return -ENOMEM;
		r = read_library(inv, dir.tree, path, signs[i].row, &facts, &fd);
		if (r == -ENOMEM)
			return r;
		r = r == 0 && facts.class_bits == class_bits;
		if (r) {
			inv->read = (struct library_dir){dir.tree, path};
			inv->read_facts = facts;
			fd_close(&inv->read_fd);
			inv->read_fd = fd_take(&fd);
		}
	}
	return r;
}

static int add_dir(struct inventory *inv, struct library_dirs *dirs, enum driver_tree tree,
		   const char *path)
{
	struct library_dir *dir = ARENA_PUSH(inv->arena, dirs);

	if (!dir || !path)
		return -ENOMEM;
	*dir = (struct library_dir){tree, path};
	return 0;
}

/* Probes a directory of the driver's root and takes it when it is the one. */
static int try_dir(struct inventory *inv, const char *path, int class_bits,
		   struct library_dirs *dirs)
{
	struct library_dir dir = {TREE_DRIVER_ROOT, path};
	int r = probe(inv, dir, class_bits);

	if (r <= 0)
		return r;
	dirs->found = dir;
	r = add_dir(inv, dirs, dir.tree, path);
	/* Debian has the libraries without alternatives two folders up. */
	if (r == 0 && string_ends(path, DEBIAN_CURRENT))
		r = add_dir(inv, dirs, dir.tree,
			    arena_strndup(inv->arena, path, strlen(path) - strlen(DEBIAN_CURRENT)));
	return r;
}

/* The directories that the loader cache of the driver's root has the signs in. */
static int try_cache(struct inventory *inv, int class_bits, struct library_dirs *dirs)
{
	int32_t flags = class_bits == 64 ? LOADER_FLAGS_NATIVE : LOADER_FLAGS_32;
	struct strings tried = {0};
	struct loader_cache cache;
	struct error ignored;
	size_t length;
	char *data;

	/* No cache, or none that can be read: the usual directories are left. */
	if (root_read(&inv->roots->driver, "/etc/ld.so.cache", CACHE_MAX, inv->arena, &data,
		      &length) < 0 ||
	    loader_cache_parse(data, length, inv->arena, &cache, &ignored) < 0)
		return 0;
	for (size_t i = 0; !dirs->found.path && i < cache.count; i++) {
		const struct loader_entry *entry = &cache.items[i];
		const char *slash = strrchr(entry->path, '/'), *path;

		if (entry->flags != flags || !slash || slash == entry->path ||
		    (strcmp(entry->name, signs[0].soname) != 0 &&
		     strcmp(entry->name, signs[1].soname) != 0))
			continue;
		path = arena_strndup(inv->arena, entry->path, (size_t)(slash - entry->path));
		if (!path)
			return -ENOMEM;
		if (strings_contain(&tried, path))
			continue;
		if (strings_add(inv->arena, &tried, path) < 0 ||
		    try_dir(inv, path, class_bits, dirs) < 0)
			return -ENOMEM;
	}
	return 0;
}

int library_dirs_locate(struct inventory *inv, int class_bits, struct library_dirs *ret)
{
	const struct strings *search = &inv->config->driver.search;
	const char *const *places = class_bits == 64 ? usual : usual_32;
	size_t count = class_bits == 64 ? ARRAY_SIZE(usual) : ARRAY_SIZE(usual_32);
	int r = 0;

	*ret = (struct library_dirs){0};
	for (size_t i = 0; r >= 0 && i < search->count; i++) {
		struct library_dir dir = {TREE_HOST, search->items[i]};

		r = ret->found.path ? 0 : probe(inv, dir, class_bits);
		if (r > 0)
			ret->found = dir;
		if (r >= 0)
			r = add_dir(inv, ret, dir.tree, dir.path);
	}
	if (r >= 0 && !ret->found.path)
		r = try_cache(inv, class_bits, ret);
	for (size_t i = 0; r >= 0 && !ret->found.path && i < count; i++)
		r = try_dir(inv, places[i], class_bits, ret);
	return r < 0 ? error_memory(inv->err) : 0;
}

/* ---- why there is none ------------------------------------------------------------------ */

#define LINKS_MAX 8

/* The version behind a SONAME's link: "libcuda.so.1" -> ... -> "libcuda.so.535.104.05"; or NULL. */
static const char *version_behind(struct inventory *inv, struct library_dir dir, const char *soname)
{
	const struct root *root = driver_root_of(inv->roots, dir.tree);
	const char *path = arena_printf(inv->arena, "%s/%s", dir.path, soname);

	for (int i = 0; path && i < LINKS_MAX; i++) {
		const char *text = root_readlink(root, path, inv->arena);
		const char *slash = strrchr(path, '/'), *version;

		if (!text) {
			version = strstr(slash, ".so.");
			return version && strchr(version + 4, '.') ? version + 4 : NULL;
		}
		path = text[0] == '/' ? text
				      : arena_printf(inv->arena, "%.*s/%s", (int)(slash - path),
						     path, text);
	}
	return NULL;
}

static bool explain_mismatch(struct inventory *inv, struct library_dir dir)
{
	for (size_t i = 0; i < ARRAY_SIZE(signs); i++) {
		const char *version = version_behind(inv, dir, signs[i].soname);
		const char *whole = whole_path(inv, dir.tree, dir.path);

		if (!version || string_equal(version, inv->driver->version))
			continue;
		error_set(inv->err, ERROR_DRIVER_MISMATCH, ENODEV,
			  "reboot or reload the kernel module (rmmod, modprobe nvidia), or install "
			  "the libraries of its version",
			  "use the driver: the kernel module is %s, but %s/%s is of %.32s",
			  inv->driver->version, whole ? whole : dir.path, signs[i].soname, version);
		return true;
	}
	return false;
}

/* The directories below the driver's root that were searched, and those of driver.search. */
static const char *list_probed(struct inventory *inv, size_t max)
{
	struct strings probed = {0};

	for (size_t i = 0; i < inv->probed.count; i++)
		if (!strings_contain(&probed, inv->probed.items[i].path) &&
		    strings_add(inv->arena, &probed, inv->probed.items[i].path) < 0)
			return NULL;
	return strings_list(inv->arena, &probed, max);
}

int library_dirs_explain(struct inventory *inv)
{
	const char *root = inv->roots->driver.path, *list;
	const char *path = inv->config->path ? inv->config->path : CONFIG_PATH;
	/* What a line has for all that may be long here: some of the list is always told. */
	size_t used = strlen(root) + strlen(path), room = 200, least = 40;

	for (size_t i = 0; i < inv->probed.count; i++)
		if (explain_mismatch(inv, inv->probed.items[i]))
			return -ENODEV;
	list = list_probed(inv, used + least < room ? room - used : least);
	if (!list)
		return error_memory(inv->err);
	error_set(inv->err, ERROR_NO_DRIVER, ENODEV, NULL,
		  "use the driver: the kernel module is %s, but its libraries are not in %s: "
		  "searched %s",
		  inv->driver->version, root, list);
	return error_fix(inv->err, -ENODEV,
			 "install the userland of %s, or set driver.root or driver.search in %s",
			 inv->driver->version, path);
}

/* ---- one library ------------------------------------------------------------------------ */

/*
 * The file behind the link of a SONAME: "libnvidia-egl-gbm.so.1" -> "libnvidia-egl-gbm.so.1.1.2".
 * *name becomes the name that the container's copy gets, *path the file's own where the link's text
 * tells it. 0, -ENOENT or -ENOMEM.
 */
static int follow_soname(struct inventory *inv, enum driver_tree tree, const char *dir,
			 const char **name, const char **path)
{
	const char *text = root_readlink(driver_root_of(inv->roots, tree), *path, inv->arena);
	const char *slash;

	/* ENOENT is also what a file that is no link gives: opening it tells. */
	if (!text)
		return errno == EINVAL || errno == ENOENT ? 0 : -errno;
	slash = strrchr(text, '/');
	if (slash) {
		*name = slash[1] ? slash + 1 : *name;
		return 0;
	}
	*name = text;
	*path = arena_printf(inv->arena, "%s/%s", dir, text);
	return *path ? 0 : -ENOMEM;
}

/* ret->name stays NULL when there is none of that class. 0 or -ENOMEM. */
static int find_in(struct inventory *inv, enum driver_tree tree, const char *dir,
		   const struct catalogue_row *row, int class_bits, struct library *ret)
{
	const char *name = catalogue_expand(inv->arena, row->name, inv->driver->version);
	const char *path = name && dir ? arena_printf(inv->arena, "%s/%s", dir, name) : NULL;
	int r = path ? 0 : -ENOMEM;
	AUTO_FD fd = -1;

	if (r == 0 && !strchr(row->name, '@'))
		r = follow_soname(inv, tree, dir, &name, &path);
	if (r == 0)
		r = read_library(inv, tree, path, row->name, &ret->facts, &fd);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (ret->facts.class_bits != class_bits)
		return 0;
	ret->fd = fd_take(&fd);
	ret->tree = tree;
	ret->path = path;
	ret->name = name;
	return 0;
}

int library_find(struct inventory *inv, const struct library_dirs *dirs,
		 const struct catalogue_row *row, int class_bits, struct library *ret)
{
	int r = 0;

	*ret = (struct library){.fd = -1};
	for (size_t i = 0; r == 0 && !ret->name && i < dirs->count; i++) {
		const struct library_dir *dir = &dirs->items[i];

		r = find_in(inv, dir->tree, dir->path, row, class_bits, ret);
		for (size_t j = 0; r == 0 && !ret->name && row->places && row->places[j]; j++)
			r = find_in(inv, dir->tree,
				    arena_printf(inv->arena, "%s/%s", dir->path, row->places[j]),
				    row, class_bits, ret);
	}
	return r < 0 ? error_memory(inv->err) : 0;
}
