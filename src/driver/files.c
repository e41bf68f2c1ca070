// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>

#include "inventory.h"

/* "/usr/local/nvidia/lib64" -> "/usr/local/nvidia", "/usr/lib/x86_64-linux-gnu" -> "/usr"; or NULL.
 */
static const char *prefix_of(struct arena *arena, const char *directory)
{
	static const char *const tails[] = {"/nvidia/current", "/x86_64-linux-gnu",
					    "/aarch64-linux-gnu"};
	static const char *const libs[] = {"/lib64", "/lib"};
	char *prefix = arena_strdup(arena, directory);

	for (size_t i = 0; prefix && i < ARRAY_SIZE(tails); i++)
		if (string_ends(prefix, tails[i]))
			prefix[strlen(prefix) - strlen(tails[i])] = '\0';
	for (size_t i = 0; prefix && i < ARRAY_SIZE(libs); i++)
		if (string_ends(prefix, libs[i])) {
			prefix[strlen(prefix) - strlen(libs[i])] = '\0';
			return prefix;
		}
	return NULL;
}

static int add_links(struct inventory *inv, const struct catalogue_row *row,
		     struct driver_file *file)
{
	for (const struct driver_link *link = row->links; link && link->name; link++) {
		struct driver_link *copy = ARENA_PUSH(inv->arena, &file->links);

		if (!copy)
			return error_memory(inv->err);
		copy->name = link->name;
		copy->text = catalogue_expand(inv->arena, link->text, inv->driver->version);
		if (!copy->text)
			return error_memory(inv->err);
	}
	return 0;
}

/* ---- libraries -------------------------------------------------------------------------- */

const char *library_cuda_version(const struct library *library, struct arena *arena)
{
	struct cuda_note note;

	if (!library->facts.cuda_note ||
	    cuda_note_parse(library->facts.cuda_note, arena, &note) < 0)
		return NULL;
	return note.cuda_version;
}

static int add_library(struct inventory *inv, const struct catalogue_row *row, int class_bits,
		       struct library *library)
{
	const struct elf_facts *facts = &library->facts;
	struct driver_file *file = ARENA_PUSH(inv->arena, &inv->driver->files);

	if (!file) {
		fd_close(&library->fd);
		return error_memory(inv->err);
	}
	file->fd = fd_take(&library->fd);
	file->kind = row->kind;
	file->capabilities = row->capabilities | (class_bits == 32 ? CAPABILITY_COMPAT32 : 0);
	file->tree = library->tree;
	file->path = library->path;
	file->name = library->name;
	file->class_bits = class_bits;
	if (facts->soname && !string_equal(facts->soname, library->name))
		file->soname = facts->soname;
	if (class_bits == 64 && facts->cuda_note && !inv->driver->cuda_version)
		inv->driver->cuda_version = library_cuda_version(library, inv->arena);
	return add_links(inv, row, file);
}

static int essential_absent(struct inventory *inv, const struct catalogue_row *row,
			    const struct library_dirs *dirs)
{
	const char *name = catalogue_expand(inv->arena, row->name, inv->driver->version);

	error_set(inv->err, ERROR_NO_DRIVER, ENOENT, NULL,
		  "give the container capability %s: %s has no usable %s",
		  capability_name(row->capabilities), dirs->found.path, name ? name : row->name);
	return error_fix(inv->err, -ENOENT, "reinstall the userland of driver %s",
			 inv->driver->version);
}

static int read_libraries(struct inventory *inv, const struct library_dirs *dirs, int class_bits)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < catalogue_count; i++) {
		const struct catalogue_row *row = &catalogue[i];
		struct library library;

		if (row->kind != DRIVER_FILE_LIBRARY || !(row->capabilities & inv->capabilities))
			continue;
		r = library_find(inv, dirs, row, class_bits, &library);
		if (r == 0 && library.name)
			r = add_library(inv, row, class_bits, &library);
		else if (r == 0 && row->essential && class_bits == 64)
			r = essential_absent(inv, row, dirs);
	}
	return r;
}

/* ---- other files ------------------------------------------------------------------------ */

static const char *join(struct arena *arena, const char *dir, const char *name)
{
	return dir && name ? arena_printf(arena, "%s/%s", dir, name) : NULL;
}

/*
 * The file of a row if it is in that place: path and target stay NULL when `prefix` is needed and
 * there is none. 0 or -ENOMEM.
 */
static int file_at(struct inventory *inv, const struct catalogue_row *row, const char *place,
		   const struct library_dir *found, struct driver_file *ret)
{
	struct arena *arena = inv->arena;
	const char *version = inv->driver->version;
	const char *dir = catalogue_expand(arena, place, version), *target = row->target;

	*ret = (struct driver_file){.name = catalogue_expand(arena, row->name, version), .fd = -1};
	if (!dir || !ret->name)
		return -ENOMEM;
	target = target          ? catalogue_expand(arena, target, version)
		 : dir[0] == '/' ? dir
				 : join(arena, "/usr", dir);
	if (dir[0] == '/') {
		ret->tree = row->kind == DRIVER_FILE_SOCKET ? TREE_RUN : TREE_DRIVER_ROOT;
	} else {
		const char *prefix = prefix_of(arena, found->path);

		if (!prefix)
			return 0;
		ret->tree = found->tree;
		dir = join(arena, prefix, dir);
	}
	ret->path = join(arena, dir, ret->name);
	ret->target = join(arena, target, ret->name);
	return ret->path && ret->target ? 0 : -ENOMEM;
}

/* The file in one of its row's places; path NULL: in none. */
static int find_file(struct inventory *inv, const struct catalogue_row *row,
		     const struct library_dir *found, struct driver_file *ret)
{
	mode_t type = row->kind == DRIVER_FILE_SOCKET ? S_IFSOCK : S_IFREG;
	struct driver_file last = {0};

	for (size_t i = 0; row->places[i]; i++) {
		struct stat st;
		AUTO_FD fd = -1;

		if (file_at(inv, row, row->places[i], found, ret) < 0)
			return error_memory(inv->err);
		/* The prefix is often one of the usual places. */
		if (!ret->path || (ret->tree == last.tree && string_equal(ret->path, last.path)))
			continue;
		fd = root_openat(driver_root_of(inv->roots, ret->tree), ret->path, O_PATH);
		if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type) {
			ret->fd = fd_take(&fd);
			return 0;
		}
		last = *ret;
	}
	ret->path = NULL;
	return 0;
}

static int read_other_files(struct inventory *inv, const struct library_dir *found)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < catalogue_count; i++) {
		const struct catalogue_row *row = &catalogue[i];
		struct driver_file file = {.fd = -1}, *item;

		if (row->kind == DRIVER_FILE_LIBRARY ||
		    (row->capabilities && !(row->capabilities & inv->capabilities)))
			continue;
		r = find_file(inv, row, found, &file);
		if (r < 0 || !file.path)
			continue;
		if (row->kind == DRIVER_FILE_BINARY)
			file.target = NULL;
		file.kind = row->kind;
		file.capabilities = row->capabilities;
		item = ARENA_PUSH(inv->arena, &inv->driver->files);
		if (!item) {
			fd_close(&file.fd);
			return error_memory(inv->err);
		}
		*item = file;
		r = add_links(inv, row, item);
	}
	return r;
}

int inventory_read_files(struct inventory *inv)
{
	struct library_dirs dirs, dirs_32;
	int r = library_dirs_locate(inv, 64, &dirs);

	if (r < 0)
		return r;
	if (!dirs.found.path)
		return library_dirs_explain(inv);
	r = read_libraries(inv, &dirs, 64);
	if (r == 0 && (inv->capabilities & CAPABILITY_COMPAT32)) {
		r = library_dirs_locate(inv, 32, &dirs_32);
		if (r == 0)
			r = read_libraries(inv, &dirs_32, 32);
	}
	return r < 0 ? r : read_other_files(inv, &dirs.found);
}
