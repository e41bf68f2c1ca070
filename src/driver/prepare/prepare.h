// SPDX-License-Identifier: Apache-2.0
/* What is made on the host: modules are loaded, nodes are made. */
#pragma once

#include "../native/inventory.h"
#include "../native/native.h"

/* Loads a kernel module by the host's modprobe. 0 or -errno, err filled. */
int module_load(const struct driver_roots *roots, const char *name, struct arena *arena,
		struct error *err);
/*
 * Loads the module behind that node when it isn't loaded. 1 loaded (or, pretending, to be loaded),
 * 0 nothing to do, or -errno.
 */
int module_load_behind(struct inventory *inv, const char *node_name);
/*
 * Makes a node that is absent (1), or replaces a character device of that name with another number
 * when `replace` (2). 0: nothing to do; -EOPNOTSUPP: the driver wouldn't have it.
 */
int inventory_make_node(struct inventory *inv, struct device_node *node, bool replace);
