// SPDX-License-Identifier: Apache-2.0
/*
 * The driver's files as one table. To add one, add a row: nothing else knows a file's name.
 */
#pragma once

#include "davit/driver.h"

#define CATALOGUE_LIBCUDA "libcuda.so.@"
#define CATALOGUE_LIBNVML "libnvidia-ml.so.@"

struct catalogue_row {
	/*
	 * The file's name; `@` stands for the driver's version. A library without `@` is found by
	 * its SONAME: the link of that name leads to the file.
	 */
	const char *name;
	/*
	 * Directories that are looked into, in this order, ending with NULL. Without leading slash:
	 * beneath the prefix that the libraries are in ("/usr", "/usr/local/nvidia"); else in the
	 * driver's root. Libraries: folders beneath the library directory, after itself.
	 */
	const char *const *places;
	/*
	 * The directory in the container. NULL: for libraries and binaries the image's own, for
	 * others where it was found, with "/usr" as prefix.
	 */
	const char *target;
	const struct driver_link *links; /* ending with a NULL name; `@` as above */
	enum driver_file_kind kind;
	unsigned capabilities; /* any of them brings the file; 0: every GPU container has it */
	bool essential;        /* its capability can't do without it */
};

extern const struct catalogue_row catalogue[];
extern const size_t catalogue_count;

/* `text` with `@` replaced by the version. NULL without memory. */
const char *catalogue_expand(struct arena *arena, const char *text, const char *version);
