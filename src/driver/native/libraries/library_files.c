// SPDX-License-Identifier: Apache-2.0
/* Adds the driver's libraries to the inventory: those of the catalogue, and those without a row. */
#include <string.h>

#include "../inventory.h"

/* The purpose of a library without a row is unknown, so any of these adds it. */
#define UNKNOWN_CAPABILITIES (CAPABILITY_COMPUTE | CAPABILITY_GRAPHICS | CAPABILITY_DISPLAY)

int inventory_add_links(struct inventory *inv, const struct catalogue_row *row,
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

bool driver_file_has_link(const struct driver_file *file, const char *name)
{
	for (size_t i = 0; i < file->links.count; i++)
		if (string_equal(file->links.items[i].name, name))
			return true;
	return false;
}

/* Adds the link "libcuda.so" -> "libcuda.so.1" if the host has that name. */
static int add_dot_so(struct inventory *inv, const struct library_dirs *dirs,
		      struct driver_file *file)
{
	const char *so = strstr(file->name, ".so."), *name;
	struct driver_link *link;
	bool found = false;

	name = so ? arena_strndup(inv->arena, file->name, (size_t)(so - file->name) + 3) : NULL;
	if (!name)
		return so ? error_memory(inv->err) : 0;
	for (size_t i = 0; !found && i < dirs->count; i++)
		found = strings_contain(&dirs->items[i].names, name);
	if (!found || driver_file_has_link(file, name) || string_equal(file->soname, name))
		return 0;
	link = ARENA_PUSH(inv->arena, &file->links);
	if (!link)
		return error_memory(inv->err);
	*link = (struct driver_link){name, file->soname ? file->soname : file->name};
	return 0;
}

bool inventory_wants(const struct inventory *inv, const struct catalogue_row *row)
{
	bool with = !row->with, without = true;

	if (row->capabilities && !(row->capabilities & inv->capabilities))
		return false;
	for (size_t i = 0; (row->with || row->without) && i < inv->driver->files.count; i++) {
		const char *name = inv->driver->files.items[i].name;

		with |= row->with && string_starts(name, row->with);
		without &= !row->without || !string_starts(name, row->without);
	}
	return with && without;
}

bool driver_has_library(const struct driver *driver, const char *name, int class_bits)
{
	for (size_t i = 0; i < driver->files.count; i++)
		if (driver->files.items[i].class_bits == class_bits &&
		    string_equal(driver->files.items[i].name, name))
			return true;
	return false;
}

const char *library_cuda_version(const struct library *library, struct arena *arena)
{
	struct cuda_note note;

	if (!library->facts.cuda_note ||
	    cuda_note_parse(library->facts.cuda_note, arena, &note) < 0)
		return NULL;
	return note.cuda_version;
}

/* Takes over the library's descriptor, or closes it. */
static int add_library(struct inventory *inv, const struct library_dirs *dirs,
		       const struct catalogue_row *row, int class_bits, struct library *library)
{
	const struct elf_facts *facts = &library->facts;
	struct driver_file *file;
	int r;

	/* Two rows may find the same file: one by its version, one by its SONAME. */
	if (driver_has_library(inv->driver, library->name, class_bits)) {
		fd_close(&library->fd);
		return 0;
	}
	file = ARENA_PUSH(inv->arena, &inv->driver->files);
	if (!file) {
		fd_close(&library->fd);
		return error_memory(inv->err);
	}
	file->fd = fd_take(&library->fd);
	file->kind = (enum driver_file_kind)row->kind;
	file->capabilities = row->capabilities | (class_bits == 32 ? CAPABILITY_COMPAT32 : 0);
	file->tree = library->tree;
	file->path = library->path;
	file->name = library->name;
	file->class_bits = class_bits;
	file->vdpau = row->place == PLACE_VDPAU;
	file->unknown = !catalogue_library(library->name);
	if (facts->soname && !string_equal(facts->soname, library->name))
		file->soname = facts->soname;
	if (class_bits == 64 && facts->cuda_note && !inv->driver->cuda_version)
		inv->driver->cuda_version = library_cuda_version(library, inv->arena);
	r = inventory_add_links(inv, row, file);
	return r < 0 ? r : add_dot_so(inv, dirs, file);
}

/* Some of the libraries have the module's version, so the remedy isn't another module. */
static int half_upgraded(struct inventory *inv, const struct other_library *other)
{
	int r = library_explain_other(inv, other);

	if (other->alternatives)
		return r;
	return error_fix(inv->err, r,
			 "finish the upgrade: reinstall the libraries and programs of driver %s",
			 inv->driver->version);
}

static int essential_absent(struct inventory *inv, const struct catalogue_row *row,
			    const struct library_dirs *dirs)
{
	const char *name = catalogue_expand(inv->arena, row->name, inv->driver->version);
	const char *whole = inventory_whole_path(inv, dirs->found.tree, dirs->found.path);

	for (size_t i = 0; i < inv->others.count; i++)
		if (inv->others.items[i].class_bits == 64 &&
		    catalogue_library(inv->others.items[i].name) == row)
			return half_upgraded(inv, &inv->others.items[i]);
	error_set(inv->err, ERROR_NO_DRIVER, ENOENT, NULL,
		  "provide capability %s: %s has no usable %s", capability_name(row->capabilities),
		  whole ? whole : dirs->found.path, name ? name : row->name);
	return error_fix(inv->err, -ENOENT, "reinstall the libraries and programs of driver %s",
			 inv->driver->version);
}

static int read_library(struct inventory *inv, const struct library_dirs *dirs, int class_bits,
			const struct catalogue_row *row)
{
	struct library library;
	int r = library_find(inv, dirs, row, class_bits, &library);

	if (r == 0 && library.name)
		return add_library(inv, dirs, row, class_bits, &library);
	return r == 0 && row->essential && class_bits == 64 ? essential_absent(inv, row, dirs) : r;
}

/*
 * Adds a library without a row: every library of the driver's version in its directories belongs to
 * the driver, and so does every EGL platform.
 */
static int read_unknown(struct inventory *inv, const struct library_dirs *dirs, int class_bits,
			const char *name)
{
	const char *so = strstr(name, ".so.");
	struct catalogue_row row = {
		.kind = DRIVER_FILE_LIBRARY,
		.name = name,
		.capabilities = UNKNOWN_CAPABILITIES,
	};

	if (!so || catalogue_library(name))
		return 0;
	if (strcmp(so + strlen(".so."), inv->driver->version) == 0)
		row.name = arena_printf(inv->arena, "%.*s.so.@", (int)(so - name), name);
	else if (string_starts(name, CATALOGUE_EGL_PLATFORM) && !strchr(so + strlen(".so."), '.'))
		row.capabilities = CAPABILITY_GRAPHICS | CAPABILITY_DISPLAY;
	else
		return 0;
	if (!row.name)
		return error_memory(inv->err);
	/* X's module has a row, but not as a library. */
	for (size_t i = 0; i < catalogue_count; i++)
		if (string_equal(catalogue[i].name, row.name))
			return 0;
	return row.capabilities & inv->capabilities ? read_library(inv, dirs, class_bits, &row) : 0;
}

int inventory_read_libraries(struct inventory *inv, const struct library_dirs *dirs, int class_bits)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < catalogue_count; i++)
		if (catalogue[i].kind == DRIVER_FILE_LIBRARY && inventory_wants(inv, &catalogue[i]))
			r = read_library(inv, dirs, class_bits, &catalogue[i]);
	for (size_t i = 0; r == 0 && i < dirs->count; i++)
		for (size_t j = 0; r == 0 && j < dirs->items[i].names.count; j++)
			r = read_unknown(inv, dirs, class_bits, dirs->items[i].names.items[j]);
	return r;
}
