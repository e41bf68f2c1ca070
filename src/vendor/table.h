// SPDX-License-Identifier: Apache-2.0
/* What a vendor's file (VENDOR.c) defines, and what its reader may use. */
#pragma once

#include "davit/bus_id.h"
#include "davit/vendor.h"

/* Numbers with more digits are unique ids, as AMD's toolkit has it. */
#define INDEX_DIGITS_MAX 8

/* A function of the PCI bus that one of the vendor's drivers has. */
struct pci_function {
	bus_id address;
	const char *bus_id, *driver;
	struct strings drm; /* "card1", "renderD128", sorted */
};
struct pci_functions {
	struct pci_function *items;
	size_t count, capacity;
};

struct vendor_reader {
	const struct vendor *vendor;
	const struct driver_roots *roots;
	bool details;
	struct arena *arena;
	struct pci_functions functions; /* in bus order */
	struct accelerators *ret;
	struct error *err;
};

struct vendor_table {
	/* The kernel's drivers of its GPUs; ends with NULL. */
	const char *const *drivers;
	unsigned pci_vendor;
	/* Whether these are asked of each function: PCI vendor and display class. */
	bool check_class;
	/* The host has none of the drivers: the cause, and what to do. */
	const char *absent, *absent_fix;
	/* The variable by which a program in the container chooses among what it sees. */
	const char *inside;
	/* All such variables that take indices; ends with NULL. */
	const char *const *inside_names;
	/* A hint when an item names part of a GPU ("2.0"), or NULL. */
	const char *parts_hint;
	/* Whether the vendor's library fails with some of the host's GPUs where no device rules
	 * hold; NULL, or how it says so. */
	const char *subset_problem;
	/* Whether the vendor's own CDI specs name devices "card1". */
	bool names_by_card;
	/* NULL: each function is a GPU. Else makes the accelerators of reader->functions. */
	int (*arrange)(struct vendor_reader *reader);
	/* Fills names, and model and arch with details, of one. */
	int (*describe)(struct vendor_reader *reader, struct accelerator *accelerator);
};

/* One accelerator for a function, with its card and render nodes. NULL: no memory. */
struct accelerator *vendor_add(struct vendor_reader *reader, const struct pci_function *function,
			       const struct strings *drm);
/* A device or file name of the kernel's list: "card12", "renderD128"; its number. */
bool vendor_is_drm(const char *name, const char *prefix, unsigned *ret);
/* A file of the function's folder, white space at its ends cut off; no data: there is none. */
struct slice vendor_read_value(struct vendor_reader *reader, const char *id, const char *file);
/* The same as a number of that base ("0x1002" with 16); false: it is none. */
bool vendor_read_number(struct vendor_reader *reader, const char *id, const char *file,
			uint64_t max, uint64_t *ret);
/* Without memory: fills the error. */
int vendor_no_memory(struct vendor_reader *reader);

extern const struct vendor_table vendor_table_amd, vendor_table_intel;
