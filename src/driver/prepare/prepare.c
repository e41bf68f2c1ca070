// SPDX-License-Identifier: Apache-2.0
/* Loads all modules and creates all nodes at boot (`davit system prepare`). */
#include <string.h>

#include "prepare.h"

static int add_line(struct inventory *inv, struct strings *done, const char *format, ...)
	PRINTF_LIKE(3, 4);
static int add_line(struct inventory *inv, struct strings *done, const char *format, ...)
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

/* 1: with `pretend`, the module would be loaded; until then, its nodes are unknown. */
static int prepare_driver(struct inventory *inv, struct strings *done)
{
	struct stat st;
	int r;

	if (!inv->pretend) {
		r = driver_load(inv->roots, inv->arena, inv->err);
		if (r == -EALREADY)
			return 0;
		return r < 0 ? r : add_line(inv, done, "loaded the kernel module nvidia");
	}
	if (root_stat(&inv->roots->proc, "driver/nvidia/version", 0, &st) == 0)
		return 0;
	r = add_line(inv, done, "would load the kernel module nvidia and create its nodes");
	return r < 0 ? r : 1;
}

/* Loads every module, even if its nodes exist. Hosts without displays may lack nvidia-modeset. */
static int prepare_modules(struct inventory *inv, struct strings *done)
{
	static const struct {
		const char *node;
		bool required;
	} modules[] = {{"nvidia-uvm", true}, {"nvidia-modeset", false}};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(modules); i++) {
		r = module_load_behind(inv, modules[i].node);
		if (r > 0)
			r = add_line(inv, done, "%s the kernel module %s",
				     inv->pretend ? "would load" : "loaded", modules[i].node);
		else if (r < 0 && r != -ENOMEM && !modules[i].required)
			r = add_line(inv, done, "skipped: cannot %s", inv->err->message);
	}
	return r;
}

static int prepare_node(struct inventory *inv, struct device_node *node, bool number_comes,
			struct strings *done)
{
	static const char *const did[] = {"would create", "created", "replaced the stale"};
	const char *dev = inv->roots->dev.path;
	int r;

	if (node->present)
		return 0;
	if (inv->pretend && node->major == 0 && number_comes)
		return add_line(inv, done, "would create %s/%s", dev, node->name);
	r = inventory_make_node(inv, node, true);
	if (r == -EOPNOTSUPP)
		return add_line(inv, done, "unchanged: cannot %s", inv->err->message);
	if (r < 0 || (r == 0 && !inv->pretend))
		return r;
	return add_line(inv, done, "%s %s/%s (c %u:%u)", did[r], dev, node->name, node->major,
			node->minor);
}

static int read_nodes(struct inventory *inv, bool control_alone)
{
	static const struct strings no_channels = {0};
	int r = control_alone ? 0 : inventory_read_gpus(inv);

	if (r == 0)
		r = inventory_read_nodes(inv);
	if (r < 0 || control_alone)
		return r;
	return native_read_families(inv->roots, FAMILY_MIG_CONFIG | FAMILY_MIG_MONITOR,
				    &no_channels, inv->arena, inv->driver, inv->err);
}

int driver_prepare(const struct driver_roots *roots, const struct config *config, unsigned what,
		   struct arena *arena, struct driver *ret, struct strings *ret_done,
		   struct error *err)
{
	struct inventory inv = inventory_of(roots, config, ret, arena, err);
	int r;

	inv.capabilities = CAPABILITY_COMPUTE | CAPABILITY_DISPLAY;
	inv.stale_allowed = true;
	inv.pretend = what & PREPARE_PRETEND;
	*ret = (struct driver){.root_path = config->driver.root, .repairable = true};
	*ret_done = (struct strings){0};
	r = what & PREPARE_MODULES ? prepare_driver(&inv, ret_done) : 0;
	if (r != 0)
		return r < 0 ? r : 0;
	r = inventory_read_kernel(&inv);
	if (r == 0)
		r = inventory_read_majors(&inv);
	if (r == 0 && (what & PREPARE_MODULES))
		r = prepare_modules(&inv, ret_done);
	if (r == 0)
		r = read_nodes(&inv, what & PREPARE_CONTROL_NODES);
	if (!(what & (PREPARE_NODES | PREPARE_CONTROL_NODES)))
		return r;
	for (size_t i = 0; r == 0 && i < ret->nodes.count; i++)
		r = prepare_node(&inv, &ret->nodes.items[i], what & PREPARE_MODULES, ret_done);
	return r;
}
