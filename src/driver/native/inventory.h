// SPDX-License-Identifier: Apache-2.0
/*
 * The state that the readers of a PCI host share while they make an inventory. Each reader adds to
 * inv->driver and returns 0, or -errno with inv->err filled.
 */
#pragma once

#include "../host/host.h"
#include "davit/loader.h"
#include "libraries/catalogue.h"

/* A directory that may hold libraries of the driver. */
struct library_dir {
	enum driver_tree tree;
	const char *path;
	/* Names of libraries in it that may be the driver's: from reading it, or from the cache. */
	struct strings names;
	bool listed; /* read as a directory: the driver has no other names in it than `names` */
	bool sign;   /* has libnvidia-ml or libcuda of the module's version and the right class */
};
struct library_dirs {
	struct library_dir *items; /* searched in this order */
	size_t count, capacity;
	/*
	 * The most complete directory with a sign, from driver.search if one there has a sign. path
	 * NULL: none.
	 */
	struct library_dir found;
};

/* A library of another version than the kernel module's, found by its name or a link. */
struct other_library {
	const char *name;    /* "libnvidia-ml.so" */
	const char *path;    /* including the tree's own path */
	const char *link;    /* the same for the link that led there, if possible the SONAME */
	const char *version; /* "535.161.08" */
	int class_bits;
	bool alternatives; /* a link of /etc/alternatives chose it */
};

struct inventory {
	const struct driver_roots *roots;
	const struct config *config;
	unsigned capabilities;
	const struct strings *devices; /* read only as many GPUs as these need; NULL: all */
	struct arena *arena;
	struct driver *driver;
	struct {
		struct library_dir *items;
		size_t count, capacity;
	} probed; /* directories searched for 64-bit libraries; driver->searched names them */
	/* The loader cache of the driver's root; valid if cache_read. */
	struct loader_cache cache;
	bool cache_read;
	/* Libraries of another version that were found instead of the module's. */
	struct {
		struct other_library *items;
		size_t count, capacity;
	} others;
	/* The last library that identified a directory, kept so that it isn't read twice. */
	struct library_dir read; /* tree and path */
	struct elf_facts read_facts;
	int read_fd; /* -1: none, or taken */
	/* Where the last program and firmware were found: the others are searched there first. */
	const struct place *programs_at, *firmware_at;
	bool thorough; /* also read the other files if a required library is missing */
	/* A control node with a stale number counts as absent instead of being an error. */
	bool stale_allowed;
	bool pretend;              /* don't change the host */
	const char *module_failed; /* couldn't be loaded; err has the reason */
	struct error *err;
};
/* An empty inventory that fills `driver`. */
static inline struct inventory inventory_of(const struct driver_roots *roots,
					    const struct config *config, struct driver *driver,
					    struct arena *arena, struct error *err)
{
	return (struct inventory){
		.roots = roots,
		.config = config,
		.driver = driver,
		.arena = arena,
		.err = err,
		.read_fd = -1,
	};
}

/* ---- devices/kernel.c: /proc/driver/nvidia and /proc/devices ------------------------- */

int inventory_read_kernel(struct inventory *inv);
int inventory_read_majors(struct inventory *inv);

/* ---- devices/gpus.c, mig.c, nodes.c -------------------------------------------------- */

int inventory_read_gpus(struct inventory *inv);
int inventory_read_mig(struct inventory *inv, struct gpu *gpu);
/* The minor in a file of /proc/driver/nvidia/capabilities. 0 or -errno, no message. */
int inventory_read_cap(struct inventory *inv, const char *path, unsigned *ret_minor);
int inventory_read_nodes(struct inventory *inv);
/* Adds a node, marked present if it exists. `name` may be NULL: out of memory. */
int inventory_add_node(struct inventory *inv, const char *name, unsigned major, unsigned minor);
/* Adds the node of a capability; `access` is its file in driver.proc. */
int inventory_add_cap(struct inventory *inv, unsigned minor, const char *access);

/* ---- libraries/folders.c: the directories of the libraries --------------------------- */

/*
 * Finds the directories of the driver's libraries: those of driver.search, then those to which
 * entries of the loader cache lead, link by link. While a library that every driver has is missing,
 * also the known directories of distributions. 0 or -ENOMEM, err filled.
 */
int library_dirs_locate(struct inventory *inv, int class_bits, struct library_dirs *ret);
/* Whether the directory has a library of that name, or may have it because it wasn't read. */
bool library_dir_may_have(const struct library_dir *dir, const char *name);
/* The path including its tree's own path, for messages. NULL: no memory. */
const char *inventory_whole_path(struct inventory *inv, enum driver_tree tree, const char *path);

/* ---- libraries/other_versions.c ------------------------------------------------------- */

/*
 * Adds the file `path`, to which `link` leads, to inv->others if it is a library of another version
 * than the module's. 0 or -ENOMEM.
 */
int library_remember_other(struct inventory *inv, int class_bits, enum driver_tree tree,
			   const char *link, const char *path, bool alternatives);
/*
 * Whether Debian's alternatives select a driver of another version. Programs and texts would be
 * that version's, so libraries in the known directories are not combined with them.
 */
bool library_other_is_selected(const struct inventory *inv, int class_bits);

/* ---- libraries/libraries.c: one library ---------------------------------------------- */

/* Fills in why no directory was found, and returns the error. */
int library_dirs_explain(struct inventory *inv);
/* Reports that this library was found instead of the kernel module's version. Returns the error. */
int library_explain_other(struct inventory *inv, const struct other_library *other);

/* A library of the catalogue; name NULL: not found. */
struct library {
	enum driver_tree tree;
	const char *path, *name;
	struct elf_facts facts;
	int fd; /* open for reading, owned by the caller; -1: not found */
};
int library_find(struct inventory *inv, const struct library_dirs *dirs,
		 const struct catalogue_row *row, int class_bits, struct library *ret);
/*
 * Opens a library and reads its ELF facts. *ret_fd keeps it open, so that it can be mounted without
 * resolving the path again. 0 or -errno, no message.
 */
int library_read(struct inventory *inv, enum driver_tree tree, const char *path,
		 const char *row_name, struct elf_facts *ret, int *ret_fd);
/*
 * Follows the links of `path` in its tree to the file. *ret is the file's path after these links,
 * *ret_alternatives whether one of them is in /etc/alternatives. 0, -ENOENT, -ELOOP or -ENOMEM.
 */
int library_resolve(struct inventory *inv, enum driver_tree tree, const char *path,
		    const char **ret, bool *ret_alternatives);

/* ---- libraries/files.c, library_files.c: the catalogue's files ----------------------- */

int inventory_read_files(struct inventory *inv);
/* The CUDA version from a library's note, or NULL. */
const char *library_cuda_version(const struct library *library, struct arena *arena);
/* The libraries of one word size: 64 or 32. */
int inventory_read_libraries(struct inventory *inv, const struct library_dirs *dirs,
			     int class_bits);
/* Whether to search for this row, given the requested capabilities and the files found so far. */
bool inventory_wants(const struct inventory *inv, const struct catalogue_row *row);
/* Adds the row's links, with the driver's version in them. */
int inventory_add_links(struct inventory *inv, const struct catalogue_row *row,
			struct driver_file *file);
bool driver_file_has_link(const struct driver_file *file, const char *name);
bool driver_has_library(const struct driver *driver, const char *name, int class_bits);
