// SPDX-License-Identifier: Apache-2.0
/*
 * Finds the directories of the driver's libraries. Each entry of the loader cache in the driver's
 * root is followed, link by link, to a file of the kernel module's version.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "../inventory.h"

#define CACHE_MAX ((size_t)8 * 1024 * 1024)
/*
 * A directory with at most this many entries in the cache is read, which takes less than 0.1 ms.
 * For a larger one (a distribution's only library directory has thousands of files), the names are
 * taken from the cache.
 */
#define LISTED_MAX 256
#define NAMES_MAX 4096

/* The state of a search for the directories of one class (64 or 32 bits). */
struct search {
	struct inventory *inv;
	struct library_dirs *dirs;
	int class_bits;
	size_t configured; /* the number of directories from driver.search */
};

const char *inventory_whole_path(struct inventory *inv, enum driver_tree tree, const char *path)
{
	const char *root = driver_root_of(inv->roots, tree)->path;

	return string_equal(root, "/") ? path : arena_printf(inv->arena, "%s%s", root, path);
}

/* ---- names ------------------------------------------------------------------------------ */

static bool has_version(const struct inventory *inv, const char *name)
{
	const char *so = strstr(name, ".so.");

	return so && strcmp(so + strlen(".so."), inv->driver->version) == 0;
}

/* Whether a name in a directory or the cache may be the driver's. */
static bool is_drivers(const struct inventory *inv, const char *name)
{
	if (!string_starts(name, "lib") || !catalogue_stem_length(name))
		return false;
	return has_version(inv, name) || catalogue_matches(name);
}

bool library_dir_may_have(const struct library_dir *dir, const char *name)
{
	size_t stem = catalogue_stem_length(name);

	if (strings_contain(&dir->names, name))
		return true;
	if (dir->listed)
		return false;
	/*
	 * The cache lists a library by its SONAME ("libcuda.so.1"), so any name of the library
	 * counts: the file is beside its link.
	 */
	for (size_t i = 0; i < dir->names.count; i++)
		if (stem && catalogue_stem_length(dir->names.items[i]) == stem &&
		    strncmp(dir->names.items[i], name, stem) == 0)
			return true;
	/* No names are known, for example of vdpau's directory, which isn't in the cache. */
	return dir->names.count == 0;
}

/* ---- directories ------------------------------------------------------------------------ */

static struct library_dir *find_dir(struct library_dirs *dirs, enum driver_tree tree,
				    const char *path)
{
	for (size_t i = 0; i < dirs->count; i++)
		if (dirs->items[i].tree == tree && strcmp(dirs->items[i].path, path) == 0)
			return &dirs->items[i];
	return NULL;
}

static int remember_probe(struct search *s, const struct library_dir *dir)
{
	struct inventory *inv = s->inv;
	const char *whole = inventory_whole_path(inv, dir->tree, dir->path);
	struct library_dir *probed;

	if (s->class_bits != 64)
		return 0;
	probed = ARENA_PUSH(inv->arena, &inv->probed);
	if (!whole || !probed)
		return -ENOMEM;
	*probed = *dir;
	if (strings_contain(&inv->driver->searched, whole))
		return 0;
	return strings_add(inv->arena, &inv->driver->searched, whole);
}

/* Keeps every name that ends with ".so", because it may be a link to a file of the driver. */
static int keep_name(struct inventory *inv, struct library_dir *dir, const char *name)
{
	if (!string_starts(name, "lib") || dir->names.count >= NAMES_MAX ||
	    (!is_drivers(inv, name) && !catalogue_is_shared(name) && !string_ends(name, ".so")))
		return 0;
	name = arena_strdup(inv->arena, name);
	return name ? strings_add(inv->arena, &dir->names, name) : -ENOMEM;
}

/* Reads the names in the directory. An unreadable directory counts as empty. 0 or -ENOMEM. */
static int list_dir(struct inventory *inv, struct library_dir *dir)
{
	AUTO_FD fd = root_openat(driver_root_of(inv->roots, dir->tree), dir->path,
				 O_RDONLY | O_DIRECTORY);
	/* Not on the stack: every page of it would be touched. */
	static _Alignas(struct dirent64) char buffer[32768];
	ssize_t length = 0;
	int r = 0;

	dir->listed = true;
	while (fd >= 0 && r == 0 && (length = getdents64(fd, buffer, sizeof(buffer))) > 0)
		for (ssize_t at = 0; r == 0 && at < length;) {
			const struct dirent64 *entry = (const void *)(buffer + at);

			r = keep_name(inv, dir, entry->d_name);
			at += entry->d_reclen;
		}
	return r;
}

/* ---- the cache -------------------------------------------------------------------------- */

static void read_cache(struct inventory *inv)
{
	struct error ignored;
	size_t length;
	char *data;

	if (inv->cache_read)
		return;
	inv->cache_read = true;
	/* Without a readable cache, the known directories remain. */
	if (root_read(&inv->roots->driver, "/etc/ld.so.cache", CACHE_MAX, inv->arena, &data,
		      &length) < 0 ||
	    loader_cache_parse(data, length, inv->arena, &inv->cache, &ignored) < 0)
		inv->cache = (struct loader_cache){0};
}

static int32_t flags_of(int class_bits)
{
	return class_bits == 64 ? LOADER_FLAGS_NATIVE : LOADER_FLAGS_32;
}

/* The file name of an entry that is directly in that directory, or NULL. */
static const char *name_in(const struct loader_entry *entry, const char *dir, size_t length)
{
	const char *name;

	if (strncmp(entry->path, dir, length) != 0 || entry->path[length] != '/')
		return NULL;
	name = entry->path + length + 1;
	return strchr(name, '/') ? NULL : name;
}

static size_t count_in_cache(const struct search *s, const char *dir)
{
	const struct loader_cache *cache = &s->inv->cache;
	size_t length = strlen(dir), count = 0;

	for (size_t i = 0; i < cache->count; i++)
		count += cache->items[i].flags == flags_of(s->class_bits) &&
			 name_in(&cache->items[i], dir, length);
	return count;
}

static int take_names_of_cache(struct search *s, struct library_dir *dir)
{
	const struct loader_cache *cache = &s->inv->cache;
	size_t length = strlen(dir->path);
	int r = 0;

	for (size_t i = 0; r == 0 && i < cache->count; i++) {
		const char *name = name_in(&cache->items[i], dir->path, length);

		if (name && cache->items[i].flags == flags_of(s->class_bits) &&
		    (is_drivers(s->inv, name) || catalogue_is_shared(name)) &&
		    !strings_contain(&dir->names, name))
			r = strings_add(s->inv->arena, &dir->names, name);
	}
	return r;
}

/* ---- what the directories have ---------------------------------------------------------- */

/* Whether the directory has a sign of the driver of the right class: 1, 0 or -ENOMEM. */
static int probe(struct search *s, const struct library_dir *dir)
{
	static const char *const signs[] = {CATALOGUE_LIBNVML, CATALOGUE_LIBCUDA};
	struct inventory *inv = s->inv;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(signs); i++) {
		const char *name = catalogue_expand(inv->arena, signs[i], inv->driver->version);
		const char *path = name ? arena_printf(inv->arena, "%s/%s", dir->path, name) : NULL;
		struct elf_facts facts;
		AUTO_FD fd = -1;

		if (!path)
			return -ENOMEM;
		if (!library_dir_may_have(dir, name))
			continue;
		r = library_read(inv, dir->tree, path, signs[i], &facts, &fd);
		if (r == -ENOMEM)
			return r;
		r = r == 0 && facts.class_bits == s->class_bits;
		if (r) {
			inv->read = (struct library_dir){.tree = dir->tree, .path = path};
			inv->read_facts = facts;
			fd_close(&inv->read_fd);
			inv->read_fd = fd_take(&fd);
		}
	}
	return r;
}

/*
 * Whether one of the directories has "STEM.VERSION". If the names of a directory are from the
 * cache, its sign is proof for the other libraries: if the sign's file is beside its link, so are
 * theirs.
 */
static bool is_found(const struct search *s, const char *name)
{
	size_t stem = catalogue_stem_length(name);

	for (size_t i = 0; stem && i < s->dirs->count; i++) {
		const struct library_dir *dir = &s->dirs->items[i];

		for (size_t j = 0; j < dir->names.count; j++) {
			const char *other = dir->names.items[j];

			if (strncmp(other, name, stem) != 0 ||
			    (other[stem] != '.' && other[stem] != '\0'))
				continue;
			if ((!dir->listed && dir->sign) ||
			    (other[stem] && strcmp(other + stem + 1, s->inv->driver->version) == 0))
				return true;
		}
	}
	return false;
}

static int add_dir(struct search *s, enum driver_tree tree, const char *path);

/* Follows a link whose file isn't in the same directory. */
static int follow(struct search *s, enum driver_tree tree, const char *dir, const char *name)
{
	struct inventory *inv = s->inv;
	const char *path = arena_printf(inv->arena, "%s/%s", dir, name), *target = NULL, *slash;
	bool alternatives = false;
	int r = path ? library_resolve(inv, tree, path, &target, &alternatives) : -ENOMEM;

	/* A dangling link still shows a version, for example of libraries that were removed. */
	if (r < 0 && r != -ENOENT)
		return r == -ENOMEM ? r : 0;
	slash = target ? strrchr(target, '/') : NULL;
	if (!slash || slash == target)
		return 0;
	if (!has_version(inv, slash + 1))
		return library_remember_other(inv, s->class_bits, tree, path, target, alternatives);
	if (r < 0)
		return 0;
	target = arena_strndup(inv->arena, target, (size_t)(slash - target));
	return target ? add_dir(s, tree, target) : -ENOMEM;
}

/* Follows the names for which no file of the module's version was found. */
static int follow_all(struct search *s, size_t index)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < s->dirs->items[index].names.count; i++) {
		/* Read again each time, because add_dir may move the array. */
		const struct library_dir *dir = &s->dirs->items[index];
		const char *name = dir->names.items[i];

		/* The cheapest check is first: most names are links to a file beside them. */
		if (!is_found(s, name) && is_drivers(s->inv, name) &&
		    !catalogue_has_own_version(name))
			r = follow(s, dir->tree, dir->path, name);
	}
	return r;
}

/* Adds a directory, unless it is known, and those that its links lead to. 0 or -ENOMEM. */
static int add_dir(struct search *s, enum driver_tree tree, const char *path)
{
	struct library_dir dir = {.tree = tree, .path = path}, *added;
	int r;

	if (find_dir(s->dirs, tree, path))
		return 0;
	if (tree == TREE_DRIVER_ROOT && count_in_cache(s, path) > LISTED_MAX)
		r = take_names_of_cache(s, &dir);
	else
		r = list_dir(s->inv, &dir);
	if (r == 0)
		r = remember_probe(s, &dir);
	if (r == 0)
		r = probe(s, &dir);
	if (r < 0)
		return r;
	dir.sign = r;
	added = ARENA_PUSH(s->inv->arena, s->dirs);
	if (!added)
		return -ENOMEM;
	*added = dir;
	return follow_all(s, s->dirs->count - 1);
}

/*
 * Adds directories of the cache's entries: with `signs`, those of libnvidia-ml and libcuda;
 * otherwise those of the driver's libraries that weren't found yet. Usually there is one.
 */
static int add_cached(struct search *s, bool signs)
{
	const struct loader_cache *cache = &s->inv->cache;
	int r = 0;

	for (size_t i = 0; r == 0 && i < cache->count; i++) {
		const struct loader_entry *entry = &cache->items[i];
		const char *slash = strrchr(entry->path, '/'), *path;

		if (entry->flags != flags_of(s->class_bits) || !slash || slash == entry->path ||
		    (signs ? !catalogue_is_sign(entry->name) : !catalogue_matches(entry->name)))
			continue;
		path = arena_strndup(s->inv->arena, entry->path, (size_t)(slash - entry->path));
		if (!path)
			return -ENOMEM;
		if (!signs && is_found(s, entry->name))
			continue;
		r = add_dir(s, TREE_DRIVER_ROOT, path);
	}
	return r;
}

/* Whether all libraries were found that every driver has for these capabilities. */
static bool is_complete(const struct search *s)
{
	unsigned wanted = s->inv->capabilities;
	bool sign = false;

	for (size_t i = 0; i < s->dirs->count; i++)
		sign |= s->dirs->items[i].sign;
	for (size_t i = 0; sign && i < catalogue_count; i++) {
		const struct catalogue_row *row = &catalogue[i];

		/* A caller without capabilities needs one of the two signs. */
		if ((wanted ? row->usual && (row->capabilities & wanted) : row->essential) &&
		    !is_found(s, row->name))
			return false;
	}
	return sign;
}

/* ---- all -------------------------------------------------------------------------------- */

/* The number of the driver's names in a directory; 0 without a sign. */
static size_t weight(const struct inventory *inv, const struct library_dir *dir)
{
	size_t count = 0;

	if (!dir->sign)
		return 0;
	for (size_t i = 0; i < dir->names.count; i++)
		count += dir->listed ? has_version(inv, dir->names.items[i])
				     : is_drivers(inv, dir->names.items[i]);
	return count + 1;
}

/*
 * Puts the most complete directory first, since a stray library may be anywhere, but after those of
 * driver.search. A directory of driver.search with a sign is always preferred.
 */
static void put_first(struct search *s)
{
	struct library_dirs *dirs = s->dirs;
	size_t search = s->configured, best = 0, most = 0;
	struct library_dir found;

	for (size_t i = 0; i < dirs->count; i++) {
		size_t own = weight(s->inv, &dirs->items[i]);

		if (own > most && !(most && i >= search && best < search)) {
			most = own;
			best = i;
		}
	}
	if (!most)
		return;
	dirs->found = found = dirs->items[best];
	if (best < search)
		return;
	memmove(&dirs->items[search + 1], &dirs->items[search], (best - search) * sizeof(found));
	dirs->items[search] = found;
}

int library_dirs_locate(struct inventory *inv, int class_bits, struct library_dirs *ret)
{
	const struct strings *search = &inv->config->driver.search;
	struct search s = {.inv = inv, .dirs = ret, .class_bits = class_bits};
	enum place_kind kind = class_bits == 64 ? PLACE_LIBRARIES : PLACE_LIBRARIES_32;
	const struct place *place = NULL;
	int r = 0;

	*ret = (struct library_dirs){0};
	for (size_t i = 0; r == 0 && i < search->count; i++)
		r = add_dir(&s, TREE_HOST, search->items[i]);
	s.configured = ret->count;
	if (r == 0 && !is_complete(&s)) {
		read_cache(inv);
		r = add_cached(&s, true);
		if (r == 0)
			r = add_cached(&s, false);
	}
	while (r == 0 && !is_complete(&s) && !library_other_is_selected(inv, class_bits) &&
	       (place = place_next(kind, place)))
		r = add_dir(&s, TREE_DRIVER_ROOT, place->path);
	if (r < 0)
		return error_memory(inv->err);
	put_first(&s);
	return 0;
}
