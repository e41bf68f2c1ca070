// SPDX-License-Identifier: Apache-2.0
/*
 * vendor: whose GPUs davit gives. NVIDIA's have a driver with libraries and a way of their own
 * (driver.h). For every other vendor the image brings the whole userland, and the host gives device
 * nodes, their rules and groups, and links: such a vendor is a table (src/vendor/VENDOR.c) and a
 * line in src/vendor/vendors.c; what the table can't say is a reader of sysfs.
 */
#pragma once

#include "davit/base.h"
#include "davit/driver.h"

struct vendor_table;
struct vendor {
	const char *name;  /* "amd" */
	const char *title; /* "AMD", for messages */
	const char *kind;  /* of its CDI devices: "amd.com/gpu" */
	/* The variable that asks for its GPUs, or NULL: there is none. */
	const char *variable;
	/* What davit-runtime sets that variable to afterwards, or NULL: it stays as it is. */
	const char *void_text;
	const struct vendor_table *table; /* NULL: NVIDIA */
};
/* NVIDIA first; ends with NULL. */
extern const struct vendor *const vendors[];
extern const struct vendor vendor_nvidia, vendor_amd, vendor_intel;

/* By its name or its kind's vendor ("amd", "amd.com"), or NULL. */
const struct vendor *vendor_find(const char *name);
/*
 * Whose device "amd.com/gpu=0" is; *ret_device is what follows the kind. NULL: it is of another
 * kind, or a plain vendor's with a name that davit doesn't give ("intel.com/gpu=gpu0"), which is
 * for the CDI specs.
 */
const struct vendor *vendor_of_device(struct slice name, struct slice *ret_device);

/* ---- GPUs of vendors other than NVIDIA ------------------------------------------------- */

struct accelerator_node {
	const char *name; /* beneath the device folder: "dri/card1", "dri/renderD128", "kfd" */
	unsigned major, minor;
	bool required;
	/* Filled by accelerators_find_nodes: the host has it, with that number; who may use it. */
	bool present;
	mode_t mode;
	gid_t gid;
};
struct accelerator_nodes {
	struct accelerator_node *items;
	size_t count, capacity;
};

/* What a request for another vendor's GPUs chooses among: a GPU, or one partition of it. */
struct accelerator {
	unsigned index;     /* bus order; the partitions of a GPU by their render nodes */
	const char *bus_id; /* of the PCI function that it is, or is a part of: "0000:05:00.0" */
	uint64_t address;   /* the same, as a number: davit/bus_id.h */
	bool split;         /* the GPU has several partitions; this is the one of that number: */
	unsigned partition;
	const char *device;   /* "amdgpu_xcp_3"; NULL: the PCI function itself */
	uint64_t unique_id;   /* AMD: of the GPU; 0: it has none */
	const char *uid_name; /* a name for people and CDI, made of it or of bus and device id; or
				 NULL */
	const char *driver;   /* the kernel's: "amdgpu", "xe" */
	unsigned order;       /* the place that the vendor's own library gives it (HIP's index) */
	const char *model, *arch;       /* only with details; arch may be NULL */
	struct accelerator_nodes nodes; /* card before render */
};

/* A device of the vendor that no container can have. */
struct unusable {
	const char *bus_id;
	const char *problem; /* "it is bound to vfio-pci" */
};

struct accelerators {
	const struct vendor *vendor;
	struct accelerator *items; /* by index */
	size_t count, capacity;
	struct accelerator_node common; /* goes along with any of them; name NULL: nothing does */
	struct {
		struct unusable *items;
		size_t count, capacity;
	} unusable;
	/* "" or what a container with them should know ("no /dev/kfd: graphics only") */
	const char *warning;
};

/*
 * All of the vendor's GPUs, by sysfs (roots->sys), whose texts are taken as untrusted. Nothing is
 * opened but small files there. `details` reads what only people want to know: models. -ENODEV with
 * ERROR_NO_DRIVER: the host has no such driver, or it has no GPU; or -ENOMEM.
 */
int accelerators_read(const struct vendor *vendor, const struct driver_roots *roots, bool details,
		      struct arena *arena, struct accelerators *ret, struct error *err);

/* What a wish means: some of them, in their order, each once. */
struct choice {
	const struct vendor *vendor;
	const char *from;        /* the wish's */
	struct accelerators all; /* those of the host */
	/*
	 * Filled by accelerators_choose: the variable by which programs in the container choose
	 * among what they see; and how the vendor's library fails when it sees GPUs that it may not
	 * open, or NULL.
	 */
	const char *inside, *subset_problem;
	const char *const *inside_names; /* all such variables; ends with NULL */
	bool names_by_card; /* the same: a CDI spec names its devices "card1" as well */
	const struct accelerator **items; /* those chosen */
	size_t count;
};
struct choices {
	struct choice *items;
	size_t count, capacity;
};

#define ACCELERATOR_RANGES_MAX 65536
/*
 * `all` (in any case; without the bus ids `excluded`), indices, ranges ("0-3", both ends included),
 * unique ids ("0xef2c...", "GPU-ef2c...", more than eight hexadecimal digits; compared as numbers,
 * and all partitions of the GPU), bus ids ("0000:05:00.0", "05:00.0": with all partitions;
 * "05:00.3": partition 3 of a GPU that is split), "card1", and the names of accelerator.uid_name;
 * `none` adds nothing. -ENODEV with ERROR_UNKNOWN_DEVICE, naming those there are, or -EINVAL with
 * ERROR_BAD_REQUEST (a range that ends before it begins, or too long a list). Pure.
 *
 * ret->vendor, from and all are to be set before.
 */
int accelerators_choose(const struct strings *devices, const struct strings *excluded,
			struct arena *arena, struct choice *ret, struct error *err);

/*
 * The numbers, modes and groups of the chosen ones' nodes and of the common one. -ENODEV with
 * ERROR_NO_DRIVER: a required node isn't there, or has another number.
 */
int accelerators_find_nodes(struct choice *choice, const struct driver_roots *roots,
			    struct arena *arena, struct error *err);

/*
 * Whether only the node's group, and not everybody, may use it: a container's user that isn't in
 * the group can't.
 */
bool node_needs_group(mode_t mode, gid_t gid);
