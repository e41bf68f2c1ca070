// SPDX-License-Identifier: Apache-2.0
/*
 * vendor: the vendors of GPUs. NVIDIA's driver has libraries and its own modules (driver.h). For
 * every other vendor, the image contains the whole userland, and a container gets device nodes,
 * their rules and groups, and links. Such a vendor is a table (src/vendor/VENDOR.c), a line in
 * src/vendor/vendors.c, and a reader of sysfs if the table isn't sufficient.
 */
#pragma once

#include "davit/base.h"
#include "davit/driver.h"

struct vendor_table;
struct vendor {
	const char *name;  /* "amd" */
	const char *title; /* "AMD", for messages */
	const char *kind;  /* the kind of its CDI devices: "amd.com/gpu" */
	/* The variable that requests its GPUs, or NULL. */
	const char *variable;
	/* davit-runtime's new value of that variable; NULL: unchanged. */
	const char *void_text;
	const struct vendor_table *table; /* NULL: NVIDIA */
};
/* NVIDIA first; ends with NULL. */
extern const struct vendor *const vendors[];
extern const struct vendor vendor_nvidia, vendor_amd, vendor_intel;

/* The vendor with that name or domain ("amd", "amd.com"), or NULL. */
const struct vendor *vendor_find(const char *name);
/*
 * The vendor of a device such as "amd.com/gpu=0"; *ret_device is the name after the kind. NULL for
 * another kind, and for a name that davit doesn't generate ("intel.com/gpu=gpu0"), which CDI specs
 * may define.
 */
const struct vendor *vendor_of_device(struct slice name, struct slice *ret_device);

/* ---- GPUs of vendors other than NVIDIA ------------------------------------------------- */

struct accelerator_node {
	const char *name; /* below the device directory: "dri/card1", "dri/renderD128", "kfd" */
	unsigned major, minor;
	bool required;
	/* Set by accelerators_find_nodes: it exists with that number; its mode and group. */
	bool present;
	mode_t mode;
	gid_t gid;
};
struct accelerator_nodes {
	struct accelerator_node *items;
	size_t count, capacity;
};

/* A GPU of another vendor, or one partition of it. */
struct accelerator {
	unsigned index;     /* bus order; the partitions of a GPU by their render nodes */
	const char *bus_id; /* of its PCI function: "0000:05:00.0" */
	uint64_t address;   /* the same, as a number: davit/bus_id.h */
	bool split;         /* the GPU has several partitions; this is number: */
	unsigned partition;
	const char *device;   /* "amdgpu_xcp_3"; NULL: the PCI function itself */
	uint64_t unique_id;   /* AMD: the GPU's id; 0: none */
	const char *uid_name; /* a name made of the unique id, or of bus and device id; or NULL */
	const char *driver;   /* the kernel driver: "amdgpu", "xe" */
	unsigned order;       /* its index in the vendor's library (HIP) */
	const char *model, *arch;       /* only with details; arch may be NULL */
	struct accelerator_nodes nodes; /* card before render */
};

/* A device of the vendor that containers can't use. */
struct unusable {
	const char *bus_id;
	const char *problem; /* "it is bound to vfio-pci" */
};

struct accelerators {
	const struct vendor *vendor;
	struct accelerator *items; /* by index */
	size_t count, capacity;
	struct accelerator_node common; /* for every container with such a GPU; name NULL: none */
	struct {
		struct unusable *items;
		size_t count, capacity;
	} unusable;
	/* a warning for containers with these GPUs ("no /dev/kfd: graphics only"), or "" */
	const char *warning;
};

/*
 * Reads all of the vendor's GPUs from sysfs (roots->sys). Only small files are opened, and their
 * texts are untrusted. `details`: also read the models, for output. -ENODEV with ERROR_NO_DRIVER:
 * the host has no such driver, or the driver has no GPU; or -ENOMEM.
 */
int accelerators_read(const struct vendor *vendor, const struct driver_roots *roots, bool details,
		      struct arena *arena, struct accelerators *ret, struct error *err);

/* The GPUs that a request selects, in order, each once. */
struct choice {
	const struct vendor *vendor;
	const char *from;        /* the request's source */
	struct accelerators all; /* all GPUs of the host */
	/*
	 * Set by accelerators_choose: the variable with which programs in the container select
	 * GPUs, and how the vendor's library fails if it sees GPUs that it can't open, or NULL.
	 */
	const char *inside, *subset_problem;
	const char *const *inside_names;  /* all such variables; ends with NULL */
	bool names_by_card;               /* a CDI spec also has the names "card1" */
	const struct accelerator **items; /* the selected ones */
	size_t count;
};
struct choices {
	struct choice *items;
	size_t count, capacity;
};

#define ACCELERATOR_RANGES_MAX 65536
/*
 * Selects GPUs. The caller sets ret->vendor, from and all before. Pure. Items:
 * - `all` (in any case), without the bus ids `excluded`; `none` adds nothing
 * - indices, and ranges ("0-3", including both)
 * - unique ids ("0xef2c...", "GPU-ef2c...", more than eight hexadecimal digits), compared as
 *   numbers; they select all partitions of the GPU
 * - bus ids ("0000:05:00.0", "05:00.0"), with all partitions; "05:00.3" is partition 3 of a split
 *   GPU
 * - "card1", and accelerator.uid_name
 *
 * -ENODEV with ERROR_UNKNOWN_DEVICE (the message lists the host's GPUs), or -EINVAL with
 * ERROR_BAD_REQUEST (a range whose end is before its beginning, or too long a list).
 */
int accelerators_choose(const struct strings *devices, const struct strings *excluded,
			struct arena *arena, struct choice *ret, struct error *err);

/*
 * Finds numbers, modes and groups of the selected GPUs' nodes, and of the common node. -ENODEV with
 * ERROR_NO_DRIVER: a required node doesn't exist, or has another number.
 */
int accelerators_find_nodes(struct choice *choice, const struct driver_roots *roots,
			    struct arena *arena, struct error *err);

/*
 * Whether only the node's group can use it, so that a container's user who isn't in the group
 * can't.
 */
bool node_needs_group(mode_t mode, gid_t gid);
