// SPDX-License-Identifier: Apache-2.0
/* Missing modules and nodes: what a hook mends for one container, and what is done at boot. */
#include <string.h>

#include "inventory.h"

/* ---- for one container ------------------------------------------------------------------ */

/* The majors are known once a module is loaded. */
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
		log_line(LOG_LEVEL_INFO, "not mended: cannot %s", inv->err->message);
	}
	return r == -ENOMEM ? r : 0;
}

int driver_repair(const struct driver_roots *roots, const struct config *config,
		  const struct strings *names, bool pretend, struct arena *arena,
		  struct driver *driver, struct error *err)
{
	struct error problem = {0};
	struct inventory inv = {
		.roots = roots,
		.config = config,
		.arena = arena,
		.driver = driver,
		.read_fd = -1,
		.pretend = pretend,
		.err = &problem,
	};
	int r = pretend ? 0 : privilege_set(PRIVILEGE_MOUNT, err);

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

/* ---- at boot ---------------------------------------------------------------------------- */

static int tell(struct inventory *inv, struct strings *done, const char *format, ...)
	PRINTF_LIKE(3, 4);
static int tell(struct inventory *inv, struct strings *done, const char *format, ...)
{
	char text[512];
	const char *copy;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	copy = arena_strdup(inv->arena, text);
	if (!copy || strings_add(inv->arena, done, copy) < 0)
		return error_memory(inv->err);
	return 0;
}

/* Every module, whatever nodes there are; hosts without displays may lack nvidia-modeset. */
static int prepare_modules(struct inventory *inv, struct strings *done)
{
	static const struct {
		const char *node;
		bool required;
	} modules[] = {
		{"nvidia-uvm",     true },
                {"nvidia-modeset", false}
        };
	int r = inventory_read_majors(inv);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(modules); i++) {
		r = module_load_behind(inv, modules[i].node);
		if (r > 0)
			r = tell(inv, done, "loaded the kernel module %s", modules[i].node);
		else if (r < 0 && r != -ENOMEM && !modules[i].required)
			r = tell(inv, done, "left out: cannot %s", inv->err->message);
	}
	return r;
}

static int prepare_node(struct inventory *inv, struct device_node *node, struct strings *done)
{
	int r = inventory_make_node(inv, node, true);

	if (r == -EOPNOTSUPP)
		return tell(inv, done, "left alone: cannot %s", inv->err->message);
	if (r <= 0)
		return r;
	return tell(inv, done, "%s %s/%s (c %u:%u)", r == 2 ? "replaced the stale" : "made",
		    inv->roots->dev.path, node->name, node->major, node->minor);
}

static int prepare_nodes(struct inventory *inv, struct strings *done)
{
	static const struct strings no_channels = {0};
	struct driver *driver = inv->driver;
	int r = inventory_read_gpus(inv);

	if (r == 0)
		r = inventory_read_nodes(inv);
	if (r == 0)
		r = driver_read_families(inv->roots, FAMILY_MIG_CONFIG | FAMILY_MIG_MONITOR,
					 &no_channels, inv->arena, driver, inv->err);
	for (size_t i = 0; r == 0 && i < driver->nodes.count; i++)
		r = prepare_node(inv, &driver->nodes.items[i], done);
	return r;
}

int driver_prepare(const struct driver_roots *roots, const struct config *config,
		   struct arena *arena, struct strings *ret_done, struct error *err)
{
	struct driver driver = {.root_path = config->driver.root};
	struct inventory inv = {
		.roots = roots,
		.config = config,
		.capabilities = CAPABILITY_COMPUTE | CAPABILITY_DISPLAY,
		.arena = arena,
		.driver = &driver,
		.read_fd = -1,
		.stale_allowed = true,
		.err = err,
	};
	int r = driver_load(roots, arena, err);

	*ret_done = (struct strings){0};
	if (r == 0)
		r = tell(&inv, ret_done, "loaded the kernel module nvidia");
	if (r < 0 && r != -EALREADY)
		return r;
	r = inventory_read_kernel(&inv);
	if (r == 0)
		r = prepare_modules(&inv, ret_done);
	return r < 0 ? r : prepare_nodes(&inv, ret_done);
}
