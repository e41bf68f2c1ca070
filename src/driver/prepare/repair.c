// SPDX-License-Identifier: Apache-2.0
/* Loads missing modules and creates missing nodes for one container. */
#include <string.h>

#include "prepare.h"

/* The major is known only after the module was loaded. */
static void update_major(const struct driver *driver, struct device_node *node)
{
	if (string_starts(node->name, "nvidia-uvm"))
		node->major = driver->majors.uvm;
}

static int repair_node(struct inventory *inv, struct device_node *node)
{
	int r = inv->pretend ? 0 : module_load_behind(inv, node->name);

	if (r >= 0) {
		update_major(inv->driver, node);
		r = inventory_make_node(inv, node, false);
	}
	if (r < 0) {
		inv->driver->repair_problem = arena_strdup(inv->arena, inv->err->message);
		log_line(LOG_LEVEL_INFO, "not repaired: cannot %s", inv->err->message);
	}
	return r == -ENOMEM ? r : 0;
}

int driver_repair(const struct driver_roots *roots, const struct config *config,
		  const struct strings *names, bool pretend, struct arena *arena,
		  struct driver *driver, struct error *err)
{
	struct error problem = {0};
	struct inventory inv = inventory_of(roots, config, driver, arena, &problem);
	int r;

	inv.pretend = pretend;
	if (!driver->repairable)
		return 0;
	r = pretend ? 0 : privilege_set(PRIVILEGE_MOUNT, err);

	for (size_t i = 0; r == 0 && i < driver->nodes.count; i++) {
		struct device_node *node = &driver->nodes.items[i];

		if (!node->present && (!names || strings_contain(names, node->name)) &&
		    repair_node(&inv, node) < 0)
			r = error_memory(err);
	}
	if (pretend || r < 0)
		return r;
	return privilege_set(PRIVILEGE_READ, err);
}
