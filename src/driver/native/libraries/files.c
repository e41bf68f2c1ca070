// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>

#include "../inventory.h"

#define TEXT_MAX ((size_t)64 * 1024)

/*
 * The name of a library directory directly in "nvidia": "tesla-470" of ".../nvidia/tesla-470"; or
 * NULL.
 */
static const char *flavour_of(const char *directory)
{
	const char *folder = strstr(directory, "/nvidia/");

	return folder && !strchr(folder + strlen("/nvidia/"), '/') ? folder + strlen("/nvidia/")
								   : NULL;
}

static void strip(char *text, const char *tail)
{
	if (string_ends(text, tail))
		text[strlen(text) - strlen(tail)] = '\0';
}

/*
 * "/usr/local/nvidia/lib64" -> "/usr/local/nvidia", "/usr/lib/x86_64-linux-gnu" -> "/usr",
 * "/usr/lib/x86_64-linux-gnu/nvidia/tesla-470" -> "/usr"; or NULL.
 */
static const char *prefix_of(struct arena *arena, const char *directory)
{
	static const char *const libs[] = {"/lib64", "/lib"};
	const char *flavour = flavour_of(directory);
	char *prefix = arena_strdup(arena, directory);

	if (prefix && flavour && strcmp(flavour, "lib64") != 0 && strcmp(flavour, "lib") != 0)
		prefix[flavour - directory - (ptrdiff_t)strlen("/nvidia/")] = '\0';
	if (prefix) {
		strip(prefix, "/nvidia");
		strip(prefix, "/x86_64-linux-gnu");
		strip(prefix, "/aarch64-linux-gnu");
	}
	for (size_t i = 0; prefix && i < ARRAY_SIZE(libs); i++)
		if (string_ends(prefix, libs[i])) {
			prefix[strlen(prefix) - strlen(libs[i])] = '\0';
			return prefix;
		}
	return NULL;
}

/* ---- other files ------------------------------------------------------------------------ */

static const char *join(struct arena *arena, const char *dir, const char *name)
{
	return dir && name ? arena_printf(arena, "%s/%s", dir, name) : NULL;
}

/* A place's path with `@` and `+` replaced. NULL: no such place. */
static const char *expand_place(struct inventory *inv, const char *path,
				const struct library_dir *found)
{
	const char *plus = strchr(path, '+'), *flavour;

	if (!plus)
		return catalogue_expand(inv->arena, path, inv->driver->version);
	flavour = flavour_of(found->path);
	return flavour ? arena_printf(inv->arena, "%.*s%s", (int)(plus - path), path, flavour)
		       : NULL;
}

/*
 * Fills in the row's path in that place, without checking that the file exists. The path remains
 * NULL if the place doesn't exist on this host. 0 or -ENOMEM.
 */
static int file_at(struct inventory *inv, const struct catalogue_row *row,
		   const struct place *place, const struct library_dir *found,
		   struct driver_file *ret)
{
	struct arena *arena = inv->arena;
	const char *dir = expand_place(inv, place->path, found);
	const char *target = catalogue_expand(arena, place_target(place), inv->driver->version);

	*ret = (struct driver_file){
		.name = catalogue_expand(arena, row->name, inv->driver->version), .fd = -1};
	if (!target || !ret->name)
		return -ENOMEM;
	if (!dir)
		return 0;
	if (dir[0] == '/') {
		ret->tree = row->kind == DRIVER_FILE_SOCKET ? TREE_RUN : TREE_DRIVER_ROOT;
	} else {
		bool beside = string_starts(dir, "./");
		const char *prefix = beside ? found->path : prefix_of(arena, found->path);

		if (!prefix)
			return 0;
		ret->tree = found->tree;
		dir = join(arena, prefix, beside ? dir + 2 : dir);
	}
	ret->path = join(arena, dir, ret->name);
	ret->target = join(arena, target, ret->name);
	return ret->path && ret->target ? 0 : -ENOMEM;
}

/* Opens the file if it exists and has the right type. */
static bool open_file(struct inventory *inv, const struct catalogue_row *row,
		      struct driver_file *file)
{
	mode_t type = row->kind == DRIVER_FILE_SOCKET ? S_IFSOCK : S_IFREG;
	struct stat st;
	AUTO_FD fd = root_openat(driver_root_of(inv->roots, file->tree), file->path, O_PATH);

	if (fd < 0 || fstat(fd, &st) < 0 || (st.st_mode & S_IFMT) != type)
		return false;
	file->fd = fd_take(&fd);
	return true;
}

/* 1: found, 0 or -ENOMEM. */
static int try_place(struct inventory *inv, const struct catalogue_row *row,
		     const struct place *place, const struct library_dir *found,
		     struct driver_file *ret)
{
	struct driver_file last = *ret;

	if (file_at(inv, row, place, found, ret) < 0)
		return error_memory(inv->err);
	/* The prefix is often one of the usual places: don't try the same path twice. */
	if (!ret->path || (ret->tree == last.tree && string_equal(ret->path, last.path)))
		return 0;
	return open_file(inv, row, ret);
}

/*
 * Looks in the directory of the kernel's parameter firmware_class.path, which the kernel searches
 * first. 1: found, 0 or -ENOMEM.
 */
static int try_firmware_path(struct inventory *inv, const struct catalogue_row *row,
			     struct driver_file *ret)
{
	const struct place *place = place_next(PLACE_FIRMWARE, NULL);
	const char *target;
	struct slice path;
	char *text;

	if (host_read_text(&inv->roots->sys, "module/firmware_class/parameters/path", inv->arena,
			   &text) < 0)
		return 0;
	path = slice_trim(slice_from(text));
	if (path.length == 0 || path.data[0] != '/')
		return 0;
	target = catalogue_expand(inv->arena, place_target(place), inv->driver->version);
	*ret = (struct driver_file){
		.name = row->name,
		.tree = TREE_HOST,
		.path = arena_printf(inv->arena, "%.*s/nvidia/%s/%s", (int)path.length, path.data,
				     inv->driver->version, row->name),
		.target = target ? join(inv->arena, target, row->name) : NULL,
		.fd = -1,
	};
	return ret->path && ret->target ? open_file(inv, row, ret) : error_memory(inv->err);
}

/* Where the last file of this kind was found, since the others are usually beside it; or NULL. */
static const struct place **last_place(struct inventory *inv, enum place_kind kind)
{
	if (kind == PLACE_PROGRAMS || kind == PLACE_PROGRAMS_RARE)
		return &inv->programs_at;
	return kind == PLACE_FIRMWARE ? &inv->firmware_at : NULL;
}

/*
 * Whether the place is /usr/bin: absolute, as "bin" below "/usr", or as "bin" below "" (/bin is a
 * link to it). A driver's own prefix has another directory.
 */
static bool is_bin(struct inventory *inv, const struct place *place,
		   const struct library_dir *found)
{
	const char *prefix = place->path[0] == '/' ? NULL : prefix_of(inv->arena, found->path);

	return string_equal(place->path, "/usr/bin") || string_equal(prefix, "") ||
	       string_equal(prefix, "/usr");
}

/* The file in one of its row's places; path NULL: in none. */
static int find_file(struct inventory *inv, const struct catalogue_row *row,
		     const struct library_dir *found, struct driver_file *ret)
{
	const struct place **last = last_place(inv, row->place), *place = last ? *last : NULL;
	int r = place ? try_place(inv, row, place, found, ret) : 0;
	/*
	 * A driver has all its firmware in one directory, but not every firmware of the catalogue.
	 * If the programs are in /usr/bin, so are the rare ones.
	 */
	bool only = place && (row->place == PLACE_FIRMWARE ||
			      (row->place == PLACE_PROGRAMS_RARE && is_bin(inv, place, found)));
	bool kernels = true;
	struct stat st;

	if (r == 0 && !only && row->place == PLACE_FIRMWARE) {
		r = try_firmware_path(inv, row, ret);
		kernels = root_stat(&inv->roots->driver, KERNEL_FIRMWARE, 0, &st) == 0;
	}
	for (place = NULL; r == 0 && !only && (place = place_next(row->place, place));) {
		/* Without this directory, none of the four in it needs to be tried. */
		if (!kernels && string_starts(place->path, KERNEL_FIRMWARE "/"))
			continue;
		r = try_place(inv, row, place, found, ret);
		if (r > 0 && last)
			*last = place;
	}
	if (r == 0)
		ret->path = NULL;
	return r < 0 ? r : 0;
}

/* Whether the container gets a library of that name. */
static bool gives_library(const struct driver *driver, const char *name)
{
	for (size_t i = 0; i < driver->files.count; i++) {
		const struct driver_file *file = &driver->files.items[i];

		if (file->kind == DRIVER_FILE_LIBRARY &&
		    (string_equal(file->name, name) || string_equal(file->soname, name) ||
		     driver_file_has_link(file, name)))
			return true;
	}
	return false;
}

/* The part of the text that ends at `end` and begins after a space or a quote. */
static const char *path_before(struct arena *arena, const char *text, const char *name,
			       const char *end)
{
	while (name > text && name[-1] > ' ' && name[-1] != '"' && name[-1] != '\'')
		name--;
	return arena_strndup(arena, name, (size_t)(end - name));
}

/*
 * NixOS and Guix name the library by its whole path, which doesn't exist in containers. A link with
 * that path leads to the container's library. 0 or -ENOMEM.
 */
static int add_named_path(struct inventory *inv, struct driver_file *file, const char *path)
{
	struct driver_link *link;

	if (!path)
		return error_memory(inv->err);
	if (path[0] != '/' || strstr(path, "/../") || driver_file_has_link(file, path))
		return 0;
	link = ARENA_PUSH(inv->arena, &file->links);
	if (!link)
		return error_memory(inv->err);
	*link = (struct driver_link){.name = path};
	return 0;
}

/*
 * Whether the container gets one of the libraries that a text names ("library_path":
 * "libGLX_nvidia.so.0", or a plain line). A text that names none, or can't be read, is added. 1, 0
 * or -ENOMEM.
 */
static int library_is_given(struct inventory *inv, struct driver_file *file)
{
	AUTO_FD fd = fd_reopen(file->fd, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	bool named = false, given = false;
	const char *at;
	char *text;
	int r = 0;

	if (fd < 0 || file_read(fd, TEXT_MAX, inv->arena, &text, NULL) < 0)
		return 1;
	for (at = text; r == 0 && (at = strstr(at, "lib"));) {
		size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					   "0123456789_.-+");
		const char *start = at, *name = arena_strndup(inv->arena, at, length);

		if (!name)
			return error_memory(inv->err);
		at += length;
		if (!strstr(name, ".so"))
			continue;
		named = true;
		if (!gives_library(inv->driver, name))
			continue;
		given = true;
		if (start > text && start[-1] == '/')
			r = add_named_path(inv, file, path_before(inv->arena, text, start, at));
	}
	return r < 0 ? r : given || !named;
}

/*
 * A text needn't be read if the catalogue names its library and the file is at the container's
 * path. That is the case in every container with compute.
 */
static bool is_read(const struct catalogue_row *row, const struct driver_file *file)
{
	return row->names_library && !(row->with && string_equal(file->path, file->target));
}

static int add_file(struct inventory *inv, const struct catalogue_row *row,
		    struct driver_file *file)
{
	struct driver_file *item;
	int r = is_read(row, file) ? library_is_given(inv, file) : 1;

	if (r <= 0) {
		fd_close(&file->fd);
		return r;
	}
	if (row->kind == DRIVER_FILE_BINARY)
		file->target = NULL;
	file->kind = (enum driver_file_kind)row->kind;
	file->capabilities = row->capabilities;
	item = ARENA_PUSH(inv->arena, &inv->driver->files);
	if (!item) {
		fd_close(&file->fd);
		return error_memory(inv->err);
	}
	*item = *file;
	return inventory_add_links(inv, row, item);
}

static int read_other_files(struct inventory *inv, const struct library_dir *found)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < catalogue_count; i++) {
		const struct catalogue_row *row = &catalogue[i];
		struct driver_file file = {.fd = -1};

		if (row->kind == DRIVER_FILE_LIBRARY || !inventory_wants(inv, row))
			continue;
		r = find_file(inv, row, found, &file);
		if (r == 0 && file.path)
			r = add_file(inv, row, &file);
	}
	return r;
}

/* Reports libraries of another version if the module's version of them wasn't found. */
static int report_others(struct inventory *inv)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < inv->others.count; i++) {
		const struct other_library *other = &inv->others.items[i];
		const char *name =
			arena_printf(inv->arena, "%s.%s", other->name, inv->driver->version);
		const char *text =
			arena_printf(inv->arena, "%s (of %s)", other->path, other->version);

		if (!name || !text)
			r = -ENOMEM;
		else if (!driver_has_library(inv->driver, name, other->class_bits))
			r = strings_add(inv->arena, &inv->driver->other_versions, text);
	}
	return r < 0 ? error_memory(inv->err) : 0;
}

static int read_32(struct inventory *inv)
{
	struct library_dirs dirs;
	int r = library_dirs_locate(inv, 32, &dirs);

	return r < 0 ? r : inventory_read_libraries(inv, &dirs, 32);
}

int inventory_read_files(struct inventory *inv)
{
	struct library_dirs dirs;
	int r = library_dirs_locate(inv, 64, &dirs);

	if (r < 0)
		return r;
	if (!dirs.found.path)
		return library_dirs_explain(inv);
	r = inventory_read_libraries(inv, &dirs, 64);
	if (r == 0 && (inv->capabilities & CAPABILITY_COMPAT32))
		r = read_32(inv);
	if (r == 0 || inv->thorough) {
		int other = read_other_files(inv, &dirs.found);

		r = r < 0 ? r : other;
	}
	return r < 0 ? r : report_others(inv);
}
