// SPDX-License-Identifier: Apache-2.0
/* Access to the host's trees, for all platforms. Only host_find_families sets an error message. */
#pragma once

#include "davit/driver.h"

/* Reads a small file from one of the kernel's trees. 0 or -errno. */
int host_read_text(const struct root *root, const char *path, struct arena *arena, char **ret);
/* The trimmed value in the first line "KEY: value"; data is NULL if there is none. */
struct slice host_value(const char *text, const char *key);
/*
 * The names in a directory, sorted, without those that begin with a dot. A missing directory counts
 * as empty. 0 or -errno.
 */
int host_list(const struct root *root, const char *path, struct arena *arena, struct strings *ret);
/*
 * Stats a node without opening it, because opening a node wakes the GPU. Usually this is one system
 * call; the resolver is used only for a link. 0 or -errno.
 */
int host_stat_node(const struct root *dev, const char *name, struct stat *ret);
/*
 * The version ("580.159.04") in the text of /proc/driver/nvidia/version; data is NULL if there is
 * none.
 */
struct slice host_driver_version(const char *text);
/*
 * Adds the nodes of these families (of FAMILY_GDS, _MOFED, _GDRCOPY and _NVSWITCH) to
 * driver->nodes, with the numbers of the nodes. 0 or -errno, err filled.
 */
int host_find_families(const struct driver_roots *roots, unsigned families, struct arena *arena,
		       struct driver *driver, struct error *err);
/* The target of a link in /proc/self ("exe", "fd/3"). NULL: no such link, or no memory. */
const char *host_own_link(const char *name, struct arena *arena);
