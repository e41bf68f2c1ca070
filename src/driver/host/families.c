// SPDX-License-Identifier: Apache-2.0
/* Devices besides the GPUs that are recognised only by the names of their nodes. */
#include <string.h>
#include <sys/sysmacros.h>

#include "host.h"

struct finder {
	const struct driver_roots *roots;
	struct arena *arena;
	struct driver *driver;
	struct error *err;
};

/* Names in a directory: `name` itself or, if `numbered`, `name` followed by a number. */
static const struct pattern {
	const char *directory, *name;
	unsigned family;
	bool numbered;
} patterns[] = {
	{"", "nvidia-fs", FAMILY_GDS, true},
	{"infiniband", "uverbs", FAMILY_MOFED, true},
	{"infiniband", "rdma_cm", FAMILY_MOFED, false},
	{"", "gdrdrv", FAMILY_GDRCOPY, false},
	{"", "nvidia-nvswitchctl", FAMILY_NVSWITCH, false},
	{"", "nvidia-nvswitch", FAMILY_NVSWITCH, true},
};

static const struct {
	unsigned family;
	const char *name;
} names[] = {
	{FAMILY_GDS, "GPUDirect Storage"},
	{FAMILY_MOFED, "MOFED"},
	{FAMILY_GDRCOPY, "GDRCopy"},
	{FAMILY_NVSWITCH, "NVSwitch"},
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

static int add_found(struct finder *f, unsigned family, const char *name)
{
	struct device_node *node;
	struct stat st;

	if (!name)
		return error_memory(f->err);
	/* Skip other files, and nodes that were removed in the meantime. */
	if (host_stat_node(&f->roots->dev, name, &st) < 0 || !S_ISCHR(st.st_mode))
		return 0;
	node = ARENA_PUSH(f->arena, &f->driver->nodes);
	if (!node)
		return error_memory(f->err);
	*node = (struct device_node){
		.name = name,
		.major = major(st.st_rdev),
		.minor = minor(st.st_rdev),
		.family = family,
		.present = true,
	};
	return 0;
}

static int find_in_directory(struct finder *f, unsigned families, const char *directory)
{
	struct strings entries;
	int r = host_list(&f->roots->dev, *directory ? directory : ".", f->arena, &entries);

	if (r < 0)
		return error_errno(f->err, -r, "list %s/%s", f->roots->dev.path, directory);
	for (size_t i = 0; r == 0 && i < entries.count; i++) {
		const char *entry = entries.items[i];
		unsigned family = 0;

		for (size_t j = 0; j < ARRAY_SIZE(patterns); j++)
			if ((patterns[j].family & families) &&
			    strcmp(patterns[j].directory, directory) == 0 &&
			    matches(&patterns[j], entry))
				family = patterns[j].family;
		if (family)
			r = add_found(f, family,
				      *directory ? arena_printf(f->arena, "%s/%s", directory, entry)
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

static int find_by_name(struct finder *f, unsigned families)
{
	int r = 0;

	if (families & FAMILY_MOFED)
		r = find_in_directory(f, families, "infiniband");
	if (r == 0 && (families & (FAMILY_GDS | FAMILY_GDRCOPY | FAMILY_NVSWITCH)))
		r = find_in_directory(f, families, "");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++)
		if ((families & names[i].family) && !has_family(f->driver, names[i].family))
			log_line(LOG_LEVEL_WARNING,
				 "the container requests %s, but the host has no such device",
				 names[i].name);
	return r;
}

int host_find_families(const struct driver_roots *roots, unsigned families, struct arena *arena,
		       struct driver *driver, struct error *err)
{
	struct finder finder = {roots, arena, driver, err};

	return find_by_name(&finder, families);
}
