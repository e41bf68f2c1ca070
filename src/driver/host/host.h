// SPDX-License-Identifier: Apache-2.0
/* The host's trees, as every platform reads them. No function here leaves a message. */
#pragma once

#include "davit/driver.h"

/* A small file of one of the kernel's trees. 0 or -errno. */
int host_read_text(const struct root *root, const char *path, struct arena *arena, char **ret);
/* The value of a line "KEY: value", without white space around; no data when there is none. */
struct slice host_value(const char *text, const char *key);
/* The names in a directory, sorted. 0 or -errno; no directory is the same as an empty one. */
int host_list(const struct root *root, const char *path, struct arena *arena, struct strings *ret);
/*
 * What the node is, without opening it: opening one wakes a GPU. One call for the usual node; a
 * link is worth the resolver. 0 or -errno.
 */
int host_stat_node(const struct root *dev, const char *name, struct stat *ret);
/* "580.159.04" of the text of /proc/driver/nvidia/version; no data when it names none. */
struct slice host_driver_version(const char *text);
/*
 * Adds the nodes of these families (of FAMILY_GDS, _MOFED, _GDRCOPY and _NVSWITCH) to
 * driver->nodes, with the numbers that they have. 0 or -errno, err filled.
 */
int host_find_families(const struct driver_roots *roots, unsigned families, struct arena *arena,
		       struct driver *driver, struct error *err);
/* The text of a link of /proc/self: "exe", "fd/3". NULL when there is none or no memory. */
const char *host_own_link(const char *name, struct arena *arena);
