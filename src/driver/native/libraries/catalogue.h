// SPDX-License-Identifier: Apache-2.0
/*
 * The driver's files as one table. To add one, add a row: nothing else knows a file's name. Where
 * distributions have them is the table of places.c.
 */
#pragma once

#include "davit/driver.h"

#define CATALOGUE_LIBCUDA "libcuda.so.@"
#define CATALOGUE_LIBNVML "libnvidia-ml.so.@"
/* Each of these is a package of its own, with a version of its own. */
#define CATALOGUE_EGL_PLATFORM "libnvidia-egl-"

/* What is looked for in a place. */
enum place_kind {
	PLACE_NONE,
	PLACE_LIBRARIES,
	PLACE_LIBRARIES_32,
	PLACE_VDPAU,
	PLACE_PROGRAMS,
	PLACE_PROGRAMS_RARE, /* those that most hosts lack */
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
	PLACE_PERSISTENCED, /* beneath config.driver.run, as the next */
	PLACE_FABRICMANAGER,
};

struct place {
	uint8_t kind; /* enum place_kind */
	/*
	 * With a leading slash: in the driver's root. Without: beneath the prefix that the
	 * libraries are in ("/usr", "/usr/local/nvidia"); vdpau's, and with a leading "./": beneath
	 * the library directory.
	 * `@` stands for the driver's version, `+` for the folder in "nvidia" that the libraries
	 * are in
	 * ("current", "tesla-470"): without such a folder there is no such place.
	 */
	char path[47];
};
/* The next place of that kind after `last` (NULL: the first), or NULL. */
const struct place *place_next(enum place_kind kind, const struct place *last);
/* The directory in the container of what was found there; `@` as above. */
const char *place_target(const struct place *place);

struct catalogue_row {
	/*
	 * The file's name; `@` stands for the driver's version. A library without `@` has a version
	 * of its own and is found by its SONAME: the link of that name leads to the file.
	 */
	const char *name;
	const struct driver_link *links; /* ending with a NULL name; `@` as above */
	/* Only when the file of this beginning was found before, or when it was not; NULL: always.
	 */
	const char *with, *without;
	uint8_t place;         /* enum place_kind; libraries: besides their directories */
	uint8_t kind;          /* enum driver_file_kind */
	unsigned capabilities; /* any of them brings the file; 0: every GPU container has it */
	bool essential;        /* its capability can't do without it */
	bool usual;            /* every driver with its capability has it */
	bool names_library;    /* a text that names a library: nothing without that */
	bool shared;           /* the name is also that of a library of others, such as GLVND's */
};

extern const struct catalogue_row catalogue[];
extern const size_t catalogue_count;

/* `text` with `@` replaced by the version. NULL without memory. */
const char *catalogue_expand(struct arena *arena, const char *text, const char *version);
/* The library's row by a name such as "libcuda.so", "libcuda.so.1", "libcuda.so.580.1"; or NULL. */
const struct catalogue_row *catalogue_library(const char *name);
/* Whether a library of that name, in a cache or a folder of many, may be the driver's. */
bool catalogue_matches(const char *name);
/* libnvidia-ml or libcuda, by whatever of its names: where it is, the driver is. */
bool catalogue_is_sign(const char *name);
/* Libraries whose files don't have the driver's version in their names. */
bool catalogue_has_own_version(const char *name);
bool catalogue_is_shared(const char *name);
