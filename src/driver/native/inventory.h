// SPDX-License-Identifier: Apache-2.0
/*
 * What the readers of a PCI host share while an inventory is made. Every reader returns 0 or -errno
 * with inv->err filled, and puts what it found into inv->driver.
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
	bool listed; /* it was read: a name that isn't among `names` doesn't exist */
	bool sign;   /* it has libnvidia-ml or libcuda of the version and the right class */
};
struct library_dirs {
	struct library_dir *items; /* searched in this order */
	size_t count, capacity;
	/* The first that has a sign of the driver, the most complete one; path NULL: none. */
	struct library_dir found;
};

/* A library whose name or link leads to another version than the kernel module's. */
struct other_library {
	const char *name;    /* "libnvidia-ml.so" */
	const char *path;    /* whole, with the tree's own path before it */
	const char *link;    /* the same of the name that led there: its SONAME, if there is one */
	const char *version; /* "535.161.08" */
	int class_bits;
	bool alternatives; /* a link of /etc/alternatives chose it */
};

struct inventory {
	const struct driver_roots *roots;
	const struct config *config;
	unsigned capabilities;
	const struct strings *devices; /* NULL: all GPUs, else enough of them for these */
	struct arena *arena;
	struct driver *driver;
	struct {
		struct library_dir *items;
		size_t count, capacity;
	} probed; /* for 64-bit libraries: driver->searched is the same for people */
	/* The loader cache of the driver's root, once it was read. */
	struct loader_cache cache;
	bool cache_read;
	/* Libraries of another version that were found in place of the module's. */
	struct {
		struct other_library *items;
		size_t count, capacity;
	} others;
	/* The library that showed where the others are, so that it isn't read twice. */
	struct library_dir read; /* tree and path */
	struct elf_facts read_facts;
	int read_fd; /* -1: none yet, or taken */
	/* Where the first program and the first firmware were: the others are beside them. */
	const struct place *programs_at, *firmware_at;
	bool thorough; /* a library that a capability can't do without may be missing */
	/* A control node with another number than the driver's is no error, only absent. */
	bool stale_allowed;
	bool pretend;              /* nothing on the host is changed */
	const char *module_failed; /* to be loaded; err still says why */
	struct error *err;
};
/* One with nothing found yet, that fills `driver`. */
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

/* ---- devices/kernel.c: /proc/driver/nvidia and /proc/devices ------------------------------------
 */

int inventory_read_kernel(struct inventory *inv);
int inventory_read_majors(struct inventory *inv);

/* ---- devices/gpus.c, mig.c, nodes.c -------------------------------------------------------------
 */

int inventory_read_gpus(struct inventory *inv);
int inventory_read_mig(struct inventory *inv, struct gpu *gpu);
/* The minor in a file of /proc/driver/nvidia/capabilities. 0 or -errno, no message. */
int inventory_read_cap(struct inventory *inv, const char *path, unsigned *ret_minor);
int inventory_read_nodes(struct inventory *inv);
/* Adds one, present when it is there; the name may be NULL for want of memory. */
int inventory_add_node(struct inventory *inv, const char *name, unsigned major, unsigned minor);
/* Adds the node of a capability; `access` is its file in driver.proc. */
int inventory_add_cap(struct inventory *inv, unsigned minor, const char *access);

/* ---- libraries/folders.c: where the libraries are
 * ------------------------------------------------- */

/*
 * Finds the directories that the driver's libraries are in: those of driver.search; those that the
 * loader cache leads to, link by link; and, while something that a driver has is missing, the known
 * places. 0 or -ENOMEM, err filled.
 */
int library_dirs_locate(struct inventory *inv, int class_bits, struct library_dirs *ret);
/* The directory has a library of that name, or may have it: it wasn't read. */
bool library_dir_may_have(const struct library_dir *dir, const char *name);
/* The path as people know it: a tree's own path before it. For messages. NULL without memory. */
const char *inventory_whole_path(struct inventory *inv, enum driver_tree tree, const char *path);

/* ---- libraries/libraries.c: one library
 * ----------------------------------------------------------- */

/* Why no directory was found: fills the error and returns it. */
int library_dirs_explain(struct inventory *inv);
/* Says that this one is there in place of the kernel module's. Fills the error and returns it. */
int library_explain_other(struct inventory *inv, const struct other_library *other);

/* A library of the catalogue; name NULL: there is none. */
struct library {
	enum driver_tree tree;
	const char *path, *name;
	struct elf_facts facts;
	int fd; /* open for reading, the caller's; -1 when there is none */
};
int library_find(struct inventory *inv, const struct library_dirs *dirs,
		 const struct catalogue_row *row, int class_bits, struct library *ret);
/*
 * Opens and reads a library; it stays open in *ret_fd, so that whoever binds it needn't look it up
 * again. 0 or -errno, no message.
 */
int library_read(struct inventory *inv, enum driver_tree tree, const char *path,
		 const char *row_name, struct elf_facts *ret, int *ret_fd);
/*
 * Follows the links of `path` in its tree to the file. *ret is that file's path as far as the links
 * tell it, *ret_alternatives whether one of /etc/alternatives was among them. 0, -ENOENT, -ELOOP or
 * -ENOMEM.
 */
int library_resolve(struct inventory *inv, enum driver_tree tree, const char *path,
		    const char **ret, bool *ret_alternatives);

/* ---- libraries/files.c: the catalogue's files
 * ----------------------------------------------------- */

int inventory_read_files(struct inventory *inv);
/* The CUDA version from a library's note, or NULL. */
const char *library_cuda_version(const struct library *library, struct arena *arena);
/* The libraries of one word size: 64 or 32. */
int inventory_read_libraries(struct inventory *inv, const struct library_dirs *dirs,
			     int class_bits);
/* Whether this row is looked for: by its capabilities, and by what other rows found before. */
bool inventory_wants(const struct inventory *inv, const struct catalogue_row *row);
/* The row's further links, with the driver's version in them. */
int inventory_add_links(struct inventory *inv, const struct catalogue_row *row,
			struct driver_file *file);
bool driver_file_has_link(const struct driver_file *file, const char *name);
bool driver_has_library(const struct driver *driver, const char *name, int class_bits);
