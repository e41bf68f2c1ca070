// SPDX-License-Identifier: Apache-2.0
/* Finds one library of the driver, and explains why there is none. */
#include <fcntl.h>
#include <string.h>

#include "../inventory.h"

#define LINKS_MAX 8
#define ALTERNATIVES "/etc/alternatives/"

static unsigned wanted_of(const char *row_name)
{
	return ELF_WANT_SONAME |
	       (string_equal(row_name, CATALOGUE_LIBCUDA) ? ELF_WANT_CUDA_NOTE : 0);
}

int library_read(struct inventory *inv, enum driver_tree tree, const char *path,
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

/* ---- links ------------------------------------------------------------------------------ */

/* The target of the link "/a/b" with the text "c": "/a/c". NULL: no memory. */
static const char *join_link(struct arena *arena, const char *path, const char *text)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;

	if (text[0] == '/')
		return text;
	/* Only leading "../" are resolved here, the resolver handles everything else. */
	while (string_starts(text, "../") && length > 0) {
		while (length > 0 && path[length - 1] != '/')
			length--;
		length -= length > 0;
		text += 3;
	}
	return arena_printf(arena, "%.*s/%s", (int)length, path, text);
}

int library_resolve(struct inventory *inv, enum driver_tree tree, const char *path,
		    const char **ret, bool *ret_alternatives)
{
	const struct root *root = driver_root_of(inv->roots, tree);

	*ret_alternatives = false;
	for (int i = 0; path && i < LINKS_MAX; i++) {
		const char *text = root_readlink(root, path, inv->arena);

		/* Not a link, or missing: the errno is ENOENT for both, so stat decides. */
		if (!text) {
			struct stat st;
			int r = root_stat(root, path, 0, &st);

			*ret = path;
			return r;
		}
		path = join_link(inv->arena, path, text);
		*ret_alternatives |= path && string_starts(path, ALTERNATIVES);
	}
	return path ? -ELOOP : -ENOMEM;
}

/* ---- one library ------------------------------------------------------------------------ */

/*
 * Follows the link of a SONAME: "libnvidia-egl-gbm.so.1" -> "libnvidia-egl-gbm.so.1.1.2". *name
 * becomes the file's name in the container, *path the path of the file. 0, -ENOENT or -ENOMEM.
 */
static int follow_soname(struct inventory *inv, enum driver_tree tree, const char **name,
			 const char **path)
{
	bool alternatives;
	const char *target, *slash;
	int r = library_resolve(inv, tree, *path, &target, &alternatives);

	if (r < 0)
		return r;
	slash = strrchr(target, '/');
	if (slash && slash[1])
		*name = slash + 1;
	*path = target;
	return 0;
}

/*
 * "libnvidia-nvvm.so.4.0.0" for "libnvidia-nvvm.so.4", if the directory has only the longer name;
 * or NULL.
 */
static const char *find_longer(const struct library_dir *dir, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < dir->names.count; i++)
		if (string_starts(dir->names.items[i], name) && dir->names.items[i][length] == '.')
			return dir->names.items[i];
	return NULL;
}

/*
 * Takes the SONAME from the directory's links, which ldconfig creates, so that the file needn't be
 * read. This requires a directory with a sign and the sign's link. False: the file must be read.
 */
static bool soname_by_links(const struct library_dir *dir, const char *name, const char **ret)
{
	const char *so = strstr(name, ".so.");
	size_t stem = so ? (size_t)(so - name) + strlen(".so.") : 0;

	*ret = NULL;
	if (!stem || !dir->sign ||
	    !(strings_contain(&dir->names, "libcuda.so.1") ||
	      strings_contain(&dir->names, "libnvidia-ml.so.1")))
		return false;
	for (size_t i = 0; i < dir->names.count; i++) {
		const char *other = dir->names.items[i];

		if (strncmp(other, name, stem) != 0 || strcmp(other, name) == 0)
			continue;
		/* Two links, or another version: only the file itself shows its SONAME. */
		if (*ret || strchr(other + stem, '.'))
			return false;
		*ret = other;
	}
	return true;
}

/*
 * Opens a library without reading it. -EAGAIN: it must be read; other results: 0 or -errno. No
 * message.
 */
static int open_library(struct inventory *inv, const struct library_dir *dir, const char *path,
			const char *name, int class_bits, struct elf_facts *ret, int *ret_fd)
{
	AUTO_FD fd = -1;
	const char *soname;
	struct stat st;

	if (!soname_by_links(dir, name, &soname))
		return -EAGAIN;
	fd = root_openat(driver_root_of(inv->roots, dir->tree), path, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size == 0)
		return -EINVAL;
	*ret = (struct elf_facts){.class_bits = class_bits, .soname = soname};
	*ret_fd = fd_take(&fd);
	return 0;
}

/* ret->name remains NULL if the directory has no such library of that class. 0 or -ENOMEM. */
static int find_in(struct inventory *inv, const struct library_dir *dir,
		   const struct catalogue_row *row, int class_bits, struct library *ret)
{
	const char *name = catalogue_expand(inv->arena, row->name, inv->driver->version);
	const char *path;
	AUTO_FD fd = -1;
	int r = 0;

	if (!name || !dir->path)
		return -ENOMEM;
	if (!library_dir_may_have(dir, name)) {
		name = strchr(row->name, '@') ? NULL : find_longer(dir, name);
		if (!name)
			return 0;
	}
	path = arena_printf(inv->arena, "%s/%s", dir->path, name);
	if (!path)
		return -ENOMEM;
	if (!strchr(row->name, '@'))
		r = follow_soname(inv, dir->tree, &name, &path);
	if (r == 0 && strchr(row->name, '@') && !row->essential)
		r = open_library(inv, dir, path, name, class_bits, &ret->facts, &fd);
	else if (r == 0)
		r = -EAGAIN;
	if (r == -EAGAIN)
		r = library_read(inv, dir->tree, path, row->name, &ret->facts, &fd);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (ret->facts.class_bits != class_bits)
		return 0;
	ret->fd = fd_take(&fd);
	ret->tree = dir->tree;
	ret->path = path;
	ret->name = name;
	return 0;
}

/* Searches vdpau's directory: below this one, or at a path of its own. */
static int find_in_place(struct inventory *inv, const struct library_dir *dir, const char *place,
			 const struct catalogue_row *row, int class_bits, struct library *ret)
{
	struct library_dir folder = {.tree = dir->tree, .path = place};

	if (place[0] == '/')
		folder.tree = TREE_DRIVER_ROOT;
	else
		folder.path = arena_printf(inv->arena, "%s/%s", dir->path, place);
	return find_in(inv, &folder, row, class_bits, ret);
}

int library_find(struct inventory *inv, const struct library_dirs *dirs,
		 const struct catalogue_row *row, int class_bits, struct library *ret)
{
	const struct place *place = NULL;
	int r = 0;

	*ret = (struct library){.fd = -1};
	for (size_t i = 0; r == 0 && !ret->name && i < dirs->count; i++)
		r = find_in(inv, &dirs->items[i], row, class_bits, ret);
	while (r == 0 && !ret->name && row->place && (place = place_next(row->place, place))) {
		for (size_t i = 0; r == 0 && !ret->name && i < dirs->count; i++) {
			r = find_in_place(inv, &dirs->items[i], place->path, row, class_bits, ret);
			if (place->path[0] == '/')
				break;
		}
	}
	return r < 0 ? error_memory(inv->err) : 0;
}

/* ---- why there is none ------------------------------------------------------------------ */

static const char *config_path(const struct inventory *inv)
{
	return inv->config->path ? inv->config->path : CONFIG_PATH;
}

int library_explain_other(struct inventory *inv, const struct other_library *other)
{
	error_set(inv->err, ERROR_DRIVER_MISMATCH, ENODEV, NULL,
		  "use the driver: the kernel module has version %s, but %s has version %.32s",
		  inv->driver->version, other->link, other->version);
	if (other->alternatives)
		return error_fix(
			inv->err, -ENODEV,
			"select the libraries of %s with `update-alternatives --config nvidia`; install them first if they aren't listed",
			inv->driver->version);
	return error_fix(
		inv->err, -ENODEV,
		"reboot, reload the kernel module (rmmod, modprobe nvidia), or install libraries of its version");
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

/* Prefers libnvidia-ml, because images' compatibility packages also contain a libcuda. */
static const struct other_library *find_other_sign(const struct inventory *inv)
{
	const struct other_library *found = NULL;

	for (size_t i = 0; i < inv->others.count; i++) {
		const struct other_library *other = &inv->others.items[i];

		if (other->class_bits == 64 && catalogue_is_sign(other->name) &&
		    (!found || (string_starts(other->name, "libnvidia-ml") &&
				!string_equal(other->name, found->name))))
			found = other;
	}
	return found;
}

int library_dirs_explain(struct inventory *inv)
{
	const struct other_library *other = find_other_sign(inv);
	const char *root = inv->roots->driver.path, *list;
	/* The length of a line that is left for these three; the list always gets a part. */
	size_t used = strlen(root) + strlen(config_path(inv)), room = 200, least = 40;

	if (other)
		return library_explain_other(inv, other);
	list = list_probed(inv, used + least < room ? room - used : least);
	if (!list)
		return error_memory(inv->err);
	error_set(
		inv->err, ERROR_NO_DRIVER, ENODEV, NULL,
		"use the driver: the kernel module has version %s, but its libraries were not found in %s: searched %s",
		inv->driver->version, root, list);
	return error_fix(
		inv->err, -ENODEV,
		"install the libraries of driver %s, or set driver.root or driver.search in %s",
		inv->driver->version, config_path(inv));
}
