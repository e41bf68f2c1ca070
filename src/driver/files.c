// SPDX-License-Identifier: Apache-2.0
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
		       const struct library *library)
{
	const struct elf_facts *facts = &library->facts;
	struct driver_file *file = ARENA_PUSH(inv->arena, &inv->driver->files);

	if (!file)
		return error_memory(inv->err);
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

/* The file in one of its row's places: where it is and where it goes. name NULL: nowhere. */
static int find_file(struct inventory *inv, const struct catalogue_row *row,
		     const struct library_dir *found, struct driver_file *ret)
{
	mode_t type = row->kind == DRIVER_FILE_SOCKET ? S_IFSOCK : S_IFREG;
	const char *prefix = prefix_of(inv->arena, found->path);
	const char *version = inv->driver->version, *last = "";
	const char *name = catalogue_expand(inv->arena, row->name, version);

	for (size_t i = 0; row->places[i]; i++) {
		const char *place = catalogue_expand(inv->arena, row->places[i], version);
		bool absolute = place && place[0] == '/';
		enum driver_tree tree = row->kind == DRIVER_FILE_SOCKET ? TREE_RUN
					: absolute                      ? TREE_DRIVER_ROOT
									: found->tree;
		const char *target, *dir = absolute ? place : join(inv->arena, prefix, place);
		const char *path = join(inv->arena, dir, name);
		struct stat st;

		if (!absolute && !prefix)
			continue;
		target = row->target ? catalogue_expand(inv->arena, row->target, version)
			 : absolute  ? place
				     : join(inv->arena, "/usr", place);
		if (!path || !target)
			return error_memory(inv->err);
		if (string_equal(path, last) ||
		    root_stat(driver_root_of(inv->roots, tree), path, 0, &st) < 0 ||
		    (st.st_mode & S_IFMT) != type) {
			last = path;
			continue;
		}
		*ret = (struct driver_file){.tree = tree, .path = path, .name = name};
		if (row->kind != DRIVER_FILE_BINARY)
			ret->target = join(inv->arena, target, name);
		return 0;
	}
	return 0;
}

static int read_other_files(struct inventory *inv, const struct library_dir *found)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < catalogue_count; i++) {
		const struct catalogue_row *row = &catalogue[i];
		struct driver_file file = {0}, *item;

		if (row->kind == DRIVER_FILE_LIBRARY ||
		    (row->capabilities && !(row->capabilities & inv->capabilities)))
			continue;
		r = find_file(inv, row, found, &file);
		if (r < 0 || !file.name)
			continue;
		file.kind = row->kind;
		file.capabilities = row->capabilities;
		item = ARENA_PUSH(inv->arena, &inv->driver->files);
		if (!item)
			return error_memory(inv->err);
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
