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
/* The text of a link of /proc/self: "exe", "fd/3". NULL when there is none or no memory. */
const char *host_own_link(const char *name, struct arena *arena);
