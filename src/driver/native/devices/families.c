// SPDX-License-Identifier: Apache-2.0
/* Devices beside the GPUs. No table of the driver's tells of most of them: the nodes are looked at.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "../inventory.h"
#include "../native.h"

#define CAPABILITIES "driver/nvidia/capabilities/"
#define IMEX_DIRECTORY "nvidia-caps-imex-channels"

/* Names in a directory: `name` itself or, when `numbered`, with a number behind it. */
static const struct pattern {
	const char *directory, *name;
	unsigned family;
	bool numbered;
} patterns[] = {
	{"",           "nvidia-fs",          FAMILY_GDS,      true },
	{"infiniband", "uverbs",             FAMILY_MOFED,    true },
	{"infiniband", "rdma_cm",            FAMILY_MOFED,    false},
	{"",           "gdrdrv",             FAMILY_GDRCOPY,  false},
	{"",           "nvidia-nvswitchctl", FAMILY_NVSWITCH, false},
	{"",           "nvidia-nvswitch",    FAMILY_NVSWITCH, true },
};

static const struct {
	unsigned family;
	const char *name;
} names[] = {
	{FAMILY_GDS,      "GPUDirect Storage"},
	{FAMILY_MOFED,    "MOFED"            },
	{FAMILY_GDRCOPY,  "GDRCopy"          },
	{FAMILY_NVSWITCH, "NVSwitch"         },
};

static bool is_number(const char *text)
{
	uint64_t number;

	return parse_number(text, strlen(text), 10, UINT32_MAX, &number) == 0;
}

static bool matches(const struct pattern *pattern, const char *name)
{
	size_t length = strlen(pattern->name);

	if (!pattern->numbered)
		return strcmp(name, pattern->name) == 0;
	return strncmp(name, pattern->name, length) == 0 && is_number(name + length);
}

/* ---- by their names --------------------------------------------------------------------- */

/* A number that is now another driver's would be that driver's device in the container. */
static int check_owner(struct inventory *inv, const struct device_node *node)
{
	unsigned nvswitch = inv->driver->majors.nvswitch;

	if (node->family != FAMILY_NVSWITCH || node->major == nvswitch)
		return 0;
	error_set(inv->err, ERROR_NO_DRIVER, ENODEV, NULL,
		  "use %s/%s: it is device %u:%u, but nvidia-nvswitch has major %u",
		  inv->roots->dev.path, node->name, node->major, node->minor, nvswitch);
	return error_fix(inv->err, -ENODEV, "remove it: it is left over from an earlier boot");
}

static int add_found(struct inventory *inv, unsigned family, const char *name)
{
	struct device_node *node;
	struct stat st;

	if (!name)
		return error_memory(inv->err);
	/* What is no device, or went away meanwhile, is none of the family. */
	if (host_stat_node(&inv->roots->dev, name, &st) < 0 || !S_ISCHR(st.st_mode))
		return 0;
	node = ARENA_PUSH(inv->arena, &inv->driver->nodes);
	if (!node)
		return error_memory(inv->err);
	*node = (struct device_node){
		.name = name,
		.major = major(st.st_rdev),
		.minor = minor(st.st_rdev),
		.family = family,
		.present = true,
	};
	return check_owner(inv, node);
}

static int find_in_directory(struct inventory *inv, unsigned families, const char *directory)
{
	struct strings entries;
	int r = host_list(&inv->roots->dev, *directory ? directory : ".", inv->arena, &entries);

	if (r < 0)
		return error_errno(inv->err, -r, "list %s/%s", inv->roots->dev.path, directory);
	for (size_t i = 0; r == 0 && i < entries.count; i++) {
		const char *entry = entries.items[i];
		unsigned family = 0;

		for (size_t j = 0; j < ARRAY_SIZE(patterns); j++)
			if ((patterns[j].family & families) &&
			    strcmp(patterns[j].directory, directory) == 0 &&
			    matches(&patterns[j], entry))
				family = patterns[j].family;
		if (family)
			r = add_found(inv, family,
				      *directory
					      ? arena_printf(inv->arena, "%s/%s", directory, entry)
					      : entry);
	}
	return r;
}

static bool has_family(const struct driver *driver, unsigned family)
{
	for (size_t i = 0; i < driver->nodes.count; i++)
		if (driver->nodes.items[i].family == family)
			return true;
	return false;
}

static int find_by_name(struct inventory *inv, unsigned families)
{
	int r = 0;

	if (families & FAMILY_MOFED)
		r = find_in_directory(inv, families, "infiniband");
	if (r == 0 && (families & (FAMILY_GDS | FAMILY_GDRCOPY | FAMILY_NVSWITCH)))
		r = find_in_directory(inv, families, "");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++)
		if ((families & names[i].family) && !has_family(inv->driver, names[i].family))
			log_line(LOG_LEVEL_WARNING,
				 "%s is asked for, but the host has no such device", names[i].name);
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
	return error_fix(inv->err, -ENODEV, "remove it: it is left over from an earlier boot");
}

/* The channels there are, for a message. */
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

/* Whoever may configure or watch MIG opens one of these. A driver without MIG has neither. */
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
	struct inventory inv = {
		.roots = roots,
		.arena = arena,
		.driver = driver,
		.read_fd = -1,
		.err = err,
	};
	int r = find_by_name(&inv, families);

	if (r == 0 && (families & FAMILY_IMEX))
		r = find_channels(&inv, imex);
	if (r == 0 && (families & FAMILY_MIG_CONFIG))
		r = find_mig(&inv, FAMILY_MIG_CONFIG);
	if (r == 0 && (families & FAMILY_MIG_MONITOR))
		r = find_mig(&inv, FAMILY_MIG_MONITOR);
	return r;
}
