// SPDX-License-Identifier: Apache-2.0
/* Changes of the host: loads modules and creates nodes. */
#pragma once

#include "../native/inventory.h"
#include "../native/native.h"

/* Loads a kernel module with the host's modprobe. 0 or -errno, err filled. */
int module_load(const struct driver_roots *roots, const char *name, struct arena *arena,
		struct error *err);
/*
 * Loads the module of that node if it isn't loaded. 1: loaded, or with `pretend`, it would be; 0:
 * nothing to do; or -errno.
 */
int module_load_behind(struct inventory *inv, const char *node_name);
/*
 * Creates an absent node (1) or, if `replace`, replaces a character device of that name with
 * another number (2). 0: nothing to do, or only marked because of `pretend`. -EOPNOTSUPP: the
 * driver doesn't allow or support the node.
 */
int inventory_make_node(struct inventory *inv, struct device_node *node, bool replace);
