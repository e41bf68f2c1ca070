// SPDX-License-Identifier: Apache-2.0
/* Devices besides the GPUs. The driver lists only some of them, so davit looks for their nodes. */
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "../inventory.h"
#include "../native.h"

#define CAPABILITIES "driver/nvidia/capabilities/"
#define IMEX_DIRECTORY "nvidia-caps-imex-channels"

static bool is_number(const char *text)
{
	uint64_t number;

	return parse_number(text, strlen(text), 10, UINT32_MAX, &number) == 0;
}

/* ---- by their names --------------------------------------------------------------------- */

/* If another driver now owns the number, the container would get that driver's device. */
static int check_owner(struct inventory *inv, const struct device_node *node)
{
	unsigned nvswitch = inv->driver->majors.nvswitch;

	if (node->family != FAMILY_NVSWITCH || node->major == nvswitch)
		return 0;
	error_set(inv->err, ERROR_NO_DRIVER, ENODEV, NULL,
		  "use %s/%s: it is device %u:%u, but the major number of nvidia-nvswitch is %u",
		  inv->roots->dev.path, node->name, node->major, node->minor, nvswitch);
	return error_fix(inv->err, -ENODEV, "remove this node of an earlier boot");
}

static int find_by_name(struct inventory *inv, unsigned families)
{
	size_t first = inv->driver->nodes.count;
	int r = host_find_families(inv->roots, families, inv->arena, inv->driver, inv->err);

	for (size_t i = first; r == 0 && i < inv->driver->nodes.count; i++)
		r = check_owner(inv, &inv->driver->nodes.items[i]);
	return r;
}

/* ---- IMEX channels ---------------------------------------------------------------------- */

static int add_channel(struct inventory *inv, const char *number)
{
	const char *name = arena_printf(inv->arena, IMEX_DIRECTORY "/channel%s", number);
	struct device_nodes *nodes = &inv->driver->nodes;
	struct device_node *node;
	uint64_t minor = 0;
	struct stat st;
	int r;

	(void)parse_number(number, strlen(number), 10, UINT32_MAX, &minor);
	r = inventory_add_node(inv, name, inv->driver->majors.imex, (unsigned)minor);
	if (r < 0)
		return r;
	node = &nodes->items[nodes->count - 1];
	node->family = FAMILY_IMEX;
	if (node->present || node->major == 0 || host_stat_node(&inv->roots->dev, name, &st) < 0)
		return 0;
	error_set(inv->err, ERROR_NO_DRIVER, ENODEV, NULL,
		  "use %s/%s: it is device %u:%u, but the driver's is %u:%u", inv->roots->dev.path,
		  name, major(st.st_rdev), minor(st.st_rdev), node->major, node->minor);
	return error_fix(inv->err, -ENODEV, "remove this node of an earlier boot");
}

/* Adds the other existing channels, for a message. */
static int add_other_channels(struct inventory *inv, const struct strings *asked)
{
	static const char prefix[] = "channel";
	struct strings entries;
	int r = host_list(&inv->roots->dev, IMEX_DIRECTORY, inv->arena, &entries);

	for (size_t i = 0; r == 0 && i < entries.count; i++) {
		const char *number = entries.items[i] + strlen(prefix);

		if (string_starts(entries.items[i], prefix) && is_number(number) &&
		    !strings_contain(asked, number))
			r = add_channel(inv, number);
	}
	return r == -ENOMEM ? error_memory(inv->err) : 0;
}

static int find_channels(struct inventory *inv, const struct strings *asked)
{
	bool absent = false;
	int r = 0;

	for (size_t i = 0; r == 0 && i < asked->count; i++) {
		r = add_channel(inv, asked->items[i]);
		absent |= r == 0 && !inv->driver->nodes.items[inv->driver->nodes.count - 1].present;
	}
	return r == 0 && absent ? add_other_channels(inv, asked) : r;
}

/* ---- MIG -------------------------------------------------------------------------------- */

/* The node for configuring or monitoring MIG. A driver without MIG has neither. */
static int find_mig(struct inventory *inv, unsigned family)
{
	const char *path = family == FAMILY_MIG_CONFIG ? CAPABILITIES "mig/config"
						       : CAPABILITIES "mig/monitor";
	struct device_nodes *nodes = &inv->driver->nodes;
	unsigned minor;
	int r = inventory_read_cap(inv, path, &minor);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return error_errno(inv->err, -r, "read %s/%s", inv->roots->proc.path, path);
	r = inventory_add_cap(inv, minor, path);
	if (r == 0)
		nodes->items[nodes->count - 1].family = family;
	return r;
}

int native_read_families(const struct driver_roots *roots, unsigned families,
			 const struct strings *imex, struct arena *arena, struct driver *driver,
			 struct error *err)
{
	struct inventory inv = inventory_of(roots, NULL, driver, arena, err);
	int r = find_by_name(&inv, families);

	if (r == 0 && (families & FAMILY_IMEX))
		r = find_channels(&inv, imex);
	if (r == 0 && (families & FAMILY_MIG_CONFIG))
		r = find_mig(&inv, FAMILY_MIG_CONFIG);
	if (r == 0 && (families & FAMILY_MIG_MONITOR))
		r = find_mig(&inv, FAMILY_MIG_MONITOR);
	return r;
}
