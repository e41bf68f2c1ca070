// SPDX-License-Identifier: Apache-2.0
/*
 * The table of the driver's files. To add a file, add a row; no other code lists file names. The
 * directories of distributions are in places.c.
 */
#pragma once

#include "davit/driver.h"

#define CATALOGUE_LIBCUDA "libcuda.so.@"
#define CATALOGUE_LIBNVML "libnvidia-ml.so.@"
/* Libraries with this prefix are packaged separately and have their own versions. */
#define CATALOGUE_EGL_PLATFORM "libnvidia-egl-"

/* The kind of file searched in a place. */
enum place_kind {
	PLACE_NONE,
	PLACE_LIBRARIES,
	PLACE_LIBRARIES_32,
	PLACE_VDPAU,
	PLACE_PROGRAMS,
	PLACE_PROGRAMS_RARE, /* programs that most hosts lack */
	PLACE_FIRMWARE,
	PLACE_EGL_VENDOR,
	PLACE_EGL_PLATFORM,
	PLACE_VULKAN_ICD,
	PLACE_VULKAN_LAYER,
	PLACE_VULKANSC_ICD,
	PLACE_OPENCL,
	PLACE_SHARE,
	PLACE_XORG_CONF,
	PLACE_XORG_DRIVERS,
	PLACE_XORG_EXTENSIONS,
	PLACE_PERSISTENCED, /* below config.driver.run, as is the next */
	PLACE_FABRICMANAGER,
};

struct place {
	uint8_t kind; /* enum place_kind */
	/*
	 * Absolute: in the driver's root; for sockets, in config.driver.run. Relative: below the
	 * prefix of the library directory ("/usr", "/usr/local/nvidia"). For vdpau, and with a
	 * leading "./": below the library directory itself.
	 *
	 * `@` is the driver's version. `+` is the directory in "nvidia" that has the libraries
	 * ("current", "tesla-470"); without such a directory, the place doesn't exist.
	 */
	char path[47];
};
/* The next place of that kind after `last` (NULL: the first), or NULL. */
#define KERNEL_FIRMWARE "/lib/firmware"
const struct place *place_next(enum place_kind kind, const struct place *last);
/* The container's directory for files found there; `@` as above. */
const char *place_target(const struct place *place);

struct catalogue_row {
	/*
	 * The file's name; `@` is the driver's version. A library without `@` has its own version
	 * and is found by its SONAME, a link to the file.
	 */
	const char *name;
	const struct driver_link *links; /* ending with a NULL name; `@` as above */
	/*
	 * Search only if a file with this prefix was found before (`with`), or wasn't (`without`).
	 * NULL: always.
	 */
	const char *with, *without;
	uint8_t place; /* enum place_kind; for libraries, in addition to their directories */
	uint8_t kind;  /* enum driver_file_kind */
	unsigned capabilities; /* added for any of these; 0: for every GPU container */
	bool essential;        /* its capability requires it */
	bool usual;            /* every driver with its capability has it */
	bool names_library;    /* a text that names a library, and is omitted without it */
	bool shared;           /* other libraries, such as GLVND's, have the same name */
};

extern const struct catalogue_row catalogue[];
extern const size_t catalogue_count;

/* `text` with `@` replaced by the version. NULL: no memory. */
const char *catalogue_expand(struct arena *arena, const char *text, const char *version);
/* The length of "libcuda.so" in "libcuda.so.1" and "libcuda.so.@", or 0. */
size_t catalogue_stem_length(const char *name);
/* The library's row by a name such as "libcuda.so", "libcuda.so.1", "libcuda.so.580.1"; or NULL. */
const struct catalogue_row *catalogue_library(const char *name);
/* Whether a library of that name, in a cache or directory with many others, may be the driver's. */
bool catalogue_matches(const char *name);
/* Whether it is a name of libnvidia-ml or libcuda, which identify a driver's directory. */
bool catalogue_is_sign(const char *name);
/* Libraries whose files don't have the driver's version in their names. */
bool catalogue_has_own_version(const char *name);
bool catalogue_is_shared(const char *name);
