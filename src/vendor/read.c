// SPDX-License-Identifier: Apache-2.0
/* Reads the GPUs of a vendor other than NVIDIA from sysfs. */
#include <string.h>
#include <sys/sysmacros.h>

#include "../driver/host/host.h"
#include "table.h"

#define DRM_MAJOR 226 /* Documentation/admin-guide/devices.txt */
/* The limit for a file in a function's directory, which contains a name or a number. */
#define VALUE_MAX ((size_t)4096)

int vendor_no_memory(struct vendor_reader *reader)
{
	return error_memory(reader->err);
}

bool vendor_is_drm(const char *name, const char *prefix, unsigned *ret)
{
	size_t length = strlen(prefix);
	uint64_t number;

	if (!string_starts(name, prefix) ||
	    parse_number(name + length, strlen(name + length), 10, 0xfffff, &number) < 0)
		return false;
	*ret = (unsigned)number;
	return true;
}

/* ---- functions -------------------------------------------------------------------------- */

struct slice vendor_read_value(struct vendor_reader *reader, const char *id, const char *file)
{
	const char *path = arena_printf(reader->arena, "bus/pci/devices/%s/%s", id, file);
	char *text;

	if (!path ||
	    root_read(&reader->roots->sys, path, VALUE_MAX, reader->arena, &text, NULL) < 0)
		return (struct slice){0};
	return slice_trim(slice_from(text));
}

bool vendor_read_number(struct vendor_reader *reader, const char *id, const char *file,
			uint64_t max, uint64_t *ret)
{
	struct slice value = vendor_read_value(reader, id, file);

	if (slice_starts(value, "0x"))
		value = (struct slice){value.data + 2, value.length - 2};
	return value.data && parse_number(value.data, value.length, 16, max, ret) == 0;
}

/* With check_class, a device must have the vendor's id and a display class. */
static bool is_gpu(struct vendor_reader *reader, const char *id)
{
	uint64_t vendor, class;

	if (!reader->vendor->table->check_class)
		return true;
	return vendor_read_number(reader, id, "vendor", UINT16_MAX, &vendor) &&
	       vendor == reader->vendor->table->pci_vendor &&
	       vendor_read_number(reader, id, "class", 0xffffff, &class) &&
	       (class >> 8 == 0x0300 || class >> 8 == 0x0380);
}

static int read_drm(struct vendor_reader *reader, const char *folder, struct strings *ret)
{
	struct strings names;
	unsigned number;
	int r = folder ? host_list(&reader->roots->sys, folder, reader->arena, &names) : -ENOMEM;

	if (r == -ENOMEM)
		return vendor_no_memory(reader);
	/* A GPU whose directory can't be read has no nodes. A request for it reports that. */
	for (size_t i = 0; r == 0 && i < names.count; i++)
		if ((vendor_is_drm(names.items[i], "card", &number) ||
		     vendor_is_drm(names.items[i], "renderD", &number)) &&
		    strings_add(reader->arena, ret, names.items[i]) < 0)
			return vendor_no_memory(reader);
	return 0;
}

static int add_function(struct vendor_reader *reader, const char *driver, const char *id)
{
	struct pci_function *function;
	bus_id address;

	if (bus_id_parse(id, &address) < 0 || !is_gpu(reader, id))
		return 0;
	function = ARENA_PUSH(reader->arena, &reader->functions);
	if (!function)
		return vendor_no_memory(reader);
	*function = (struct pci_function){.address = address, .bus_id = id, .driver = driver};
	return read_drm(reader, arena_printf(reader->arena, "bus/pci/devices/%s/drm", id),
			&function->drm);
}

static int by_address(const void *a, const void *b)
{
	const struct pci_function *one = a, *other = b;

	return (one->address > other->address) - (one->address < other->address);
}

/* Reads the functions bound to one of the vendor's drivers, in bus order. */
static int read_functions(struct vendor_reader *reader)
{
	const char *const *drivers = reader->vendor->table->drivers;
	int r = 0;

	for (size_t i = 0; r == 0 && drivers[i]; i++) {
		const char *folder = arena_printf(reader->arena, "bus/pci/drivers/%s", drivers[i]);
		struct strings ids;

		r = folder ? host_list(&reader->roots->sys, folder, reader->arena, &ids) : -ENOMEM;
		if (r < 0)
			return error_errno(reader->err, -r, "read %s/bus/pci/drivers/%s",
					   reader->roots->sys.path, drivers[i]);
		for (size_t j = 0; r == 0 && j < ids.count; j++)
			r = add_function(reader, drivers[i], ids.items[j]);
	}
	if (r == 0 && sort_items(reader->arena, reader->functions.items, reader->functions.count,
				 sizeof(*reader->functions.items), by_address) < 0)
		r = vendor_no_memory(reader);
	return r;
}

/* ---- accelerators ----------------------------------------------------------------------- */

static bool add_node(struct vendor_reader *reader, struct accelerator *accelerator,
		     const char *leaf, const char *prefix, bool required)
{
	struct accelerator_node *node;
	unsigned minor;

	if (!vendor_is_drm(leaf, prefix, &minor))
		return true;
	node = ARENA_PUSH(reader->arena, &accelerator->nodes);
	if (!node)
		return false;
	*node = (struct accelerator_node){
		.name = arena_printf(reader->arena, "dri/%s", leaf),
		.major = DRM_MAJOR,
		.minor = minor,
		.required = required,
	};
	return node->name != NULL;
}

struct accelerator *vendor_add(struct vendor_reader *reader, const struct pci_function *function,
			       const struct strings *drm)
{
	struct accelerator *accelerator = ARENA_PUSH(reader->arena, reader->ret);
	bool fine = accelerator != NULL;

	if (!fine)
		return NULL;
	*accelerator = (struct accelerator){
		.bus_id = function->bus_id,
		.address = function->address,
		.driver = function->driver,
		.order = (unsigned)reader->ret->count - 1,
	};
	for (size_t i = 0; fine && i < drm->count; i++)
		fine = add_node(reader, accelerator, drm->items[i], "card", false);
	for (size_t i = 0; fine && i < drm->count; i++)
		fine = add_node(reader, accelerator, drm->items[i], "renderD", false);
	/* Programs need the render node or, if there is none, the card. */
	if (fine && accelerator->nodes.count)
		accelerator->nodes.items[accelerator->nodes.count - 1].required = true;
	return fine ? accelerator : NULL;
}

static int add_unusable(struct vendor_reader *reader, const char *id, const char *problem)
{
	struct unusable *unusable = ARENA_PUSH(reader->arena, &reader->ret->unusable);

	if (!unusable)
		return vendor_no_memory(reader);
	*unusable = (struct unusable){id, problem};
	return 0;
}

static int arrange(struct vendor_reader *reader)
{
	for (size_t i = 0; i < reader->functions.count; i++) {
		const struct pci_function *function = &reader->functions.items[i];

		if (function->drm.count == 0) {
			if (add_unusable(reader, function->bus_id, "it has no DRM nodes") < 0)
				return -ENOMEM;
			continue;
		}
		if (!vendor_add(reader, function, &function->drm))
			return vendor_no_memory(reader);
	}
	return 0;
}

static bool has_driver(const struct vendor_reader *reader)
{
	const char *const *drivers = reader->vendor->table->drivers;
	struct stat st;

	for (size_t i = 0; drivers[i]; i++) {
		const char *path = arena_printf(reader->arena, "bus/pci/drivers/%s", drivers[i]);

		if (path && reader->roots->sys.fd >= 0 &&
		    root_stat(&reader->roots->sys, path, 0, &st) == 0)
			return true;
	}
	return false;
}

/* WSL2 has its GPUs behind this node, and no driver of the vendor. */
static bool is_wsl(const struct vendor_reader *reader)
{
	struct stat st;

	return root_stat(&reader->roots->dev, "dxg", 0, &st) == 0;
}

static int no_driver(const struct vendor_reader *reader)
{
	const struct vendor *vendor = reader->vendor;

	if (!has_driver(reader) && is_wsl(reader))
		return error_set(reader->err, ERROR_NO_DRIVER, ENODEV,
				 "run the container on a Linux host with the GPU",
				 "find an %s GPU: this host is WSL2 (/dev/dxg), which has no %s",
				 vendor->title, vendor == &vendor_amd ? "/dev/kfd" : "/dev/dri");
	if (!has_driver(reader))
		return error_set(reader->err, ERROR_NO_DRIVER, ENODEV, vendor->table->absent_fix,
				 "find an %s GPU: %s", vendor->title, vendor->table->absent);
	return error_set(reader->err, ERROR_NO_DRIVER, ENODEV,
			 "check `dmesg | grep -iE 'drm|kfd'` on the host",
			 "find an %s GPU: the driver %s has no device that containers can use%s%s",
			 vendor->title, vendor->table->drivers[0],
			 reader->ret->unusable.count ? "; of " : "",
			 reader->ret->unusable.count
				 ? arena_printf(reader->arena, "%s: %s",
						reader->ret->unusable.items[0].bus_id,
						reader->ret->unusable.items[0].problem)
				 : "");
}

/*
 * Devices that are bound to another driver can't be used until they are bound to the vendor's
 * again.
 */
static int read_unbound(struct vendor_reader *reader)
{
	static const char *const others[] = {"vfio-pci", "xe-vfio-pci"};
	struct strings ids;
	bus_id address;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(others); i++) {
		const char *folder = arena_printf(reader->arena, "bus/pci/drivers/%s", others[i]);
		const char *problem = arena_printf(reader->arena, "it is bound to %s", others[i]);

		if (!folder || !problem)
			return vendor_no_memory(reader);
		if (host_list(&reader->roots->sys, folder, reader->arena, &ids) < 0)
			continue;
		for (size_t j = 0; r == 0 && j < ids.count; j++) {
			uint64_t vendor;

			if (bus_id_parse(ids.items[j], &address) == 0 &&
			    vendor_read_number(reader, ids.items[j], "vendor", UINT16_MAX,
					       &vendor) &&
			    vendor == reader->vendor->table->pci_vendor)
				r = add_unusable(reader, ids.items[j], problem);
		}
	}
	return r;
}

int accelerators_read(const struct vendor *vendor, const struct driver_roots *roots, bool details,
		      struct arena *arena, struct accelerators *ret, struct error *err)
{
	struct vendor_reader reader = {
		.vendor = vendor,
		.roots = roots,
		.details = details,
		.arena = arena,
		.ret = ret,
		.err = err,
	};
	int r;

	*ret = (struct accelerators){.vendor = vendor, .warning = ""};
	r = read_functions(&reader);
	if (r == 0)
		r = vendor->table->arrange ? vendor->table->arrange(&reader) : arrange(&reader);
	for (size_t i = 0; r == 0 && i < ret->count; i++) {
		ret->items[i].index = (unsigned)i;
		r = vendor->table->describe(&reader, &ret->items[i]);
	}
	if (r == 0)
		r = read_unbound(&reader);
	return r == 0 && ret->count == 0 ? no_driver(&reader) : r;
}

/* ---- nodes ------------------------------------------------------------------------------ */

bool node_needs_group(mode_t mode, gid_t gid)
{
	return gid != 0 && (mode & 0060) == 0060 && (mode & 0006) != 0006;
}

/* The device number from sysfs ("226:128"), if known: names alone aren't reliable. */
static void read_number(const struct driver_roots *roots, struct accelerator_node *node,
			struct arena *arena)
{
	const char *leaf = strrchr(node->name, '/');
	const char *path = leaf ? arena_printf(arena, "class/drm/%s/dev", leaf + 1) : NULL;
	struct slice rest, major;
	uint64_t numbers[2];
	char *text;

	if (!path || root_read(&roots->sys, path, VALUE_MAX, arena, &text, NULL) < 0)
		return;
	rest = slice_trim(slice_from(text));
	if (!slice_next(&rest, ':', &major) || !rest.data ||
	    parse_number(major.data, major.length, 10, 0xfff, &numbers[0]) < 0 ||
	    parse_number(rest.data, rest.length, 10, 0xfffff, &numbers[1]) < 0)
		return;
	node->major = (unsigned)numbers[0];
	node->minor = (unsigned)numbers[1];
}

static int find_node(const struct driver_roots *roots, struct accelerator_node *node,
		     struct arena *arena, struct error *err)
{
	struct stat st;
	int r;

	read_number(roots, node, arena);
	r = host_stat_node(&roots->dev, node->name, &st);
	node->present =
		r == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(node->major, node->minor);
	if (node->present) {
		node->mode = st.st_mode & 0777;
		node->gid = st.st_gid;
		return 0;
	}
	if (!node->required)
		return 0;
	if (r == 0)
		return error_set(err, ERROR_NO_DRIVER, ENODEV,
				 "remove it and run `udevadm trigger` on the host",
				 "use %s/%s: it is not the kernel's device %u:%u", roots->dev.path,
				 node->name, node->major, node->minor);
	return error_set(
		err, ERROR_NO_DRIVER, ENODEV,
		"run `udevadm trigger` on the host; in a container or virtual machine, pass the node through",
		"add /dev/%s to the container: the host has no such node", node->name);
}

int accelerators_find_nodes(struct choice *choice, const struct driver_roots *roots,
			    struct arena *arena, struct error *err)
{
	int r = 0;

	if (choice->count && choice->all.common.name)
		r = find_node(roots, &choice->all.common, arena, err);
	for (size_t i = 0; r == 0 && i < choice->count; i++) {
		/* The selected one, as a member of choice->all. */
		struct accelerator *chosen = &choice->all.items[choice->items[i]->index];

		for (size_t j = 0; r == 0 && j < chosen->nodes.count; j++)
			r = find_node(roots, &chosen->nodes.items[j], arena, err);
		if (r == -ENODEV)
			r = error_wrap(err, r, "inject %s GPU %u", choice->vendor->title,
				       chosen->index);
	}
	return r;
}
