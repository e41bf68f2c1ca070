// SPDX-License-Identifier: Apache-2.0
/* The table that a vendor's file (VENDOR.c) defines, and functions for its reader. */
#pragma once

#include "davit/bus_id.h"
#include "davit/vendor.h"

/* Numbers with more digits are unique ids, as in AMD's toolkit. */
#define INDEX_DIGITS_MAX 8

/* A PCI function that is bound to one of the vendor's drivers. */
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
	/* The kernel drivers of its GPUs; ends with NULL. */
	const char *const *drivers;
	unsigned pci_vendor;
	/* Whether each function must have this PCI vendor and a display class. */
	bool check_class;
	/* The cause and the remedy if the host has none of these drivers. */
	const char *absent, *absent_fix;
	/* The variable with which programs in the container select among the visible GPUs. */
	const char *inside;
	/* All such variables that take indices; ends with NULL. */
	const char *const *inside_names;
	/* The remedy if an item names part of a GPU ("2.0"), or NULL. */
	const char *parts_hint;
	/*
	 * How the vendor's library fails if it sees GPUs that it can't open, which happens if there
	 * are no device rules; or NULL.
	 */
	const char *subset_problem;
	/* Whether the vendor's own CDI specs name devices "card1". */
	bool names_by_card;
	/* Makes the accelerators from reader->functions. NULL: each function is a GPU. */
	int (*arrange)(struct vendor_reader *reader);
	/* Fills in the names of an accelerator and, with `details`, its model. */
	int (*describe)(struct vendor_reader *reader, struct accelerator *accelerator);
};

/* Adds an accelerator for a function, with its card and render nodes. NULL: no memory. */
struct accelerator *vendor_add(struct vendor_reader *reader, const struct pci_function *function,
			       const struct strings *drm);
/* Whether it is a DRM name with that prefix ("card12", "renderD128"), and its number. */
bool vendor_is_drm(const char *name, const char *prefix, unsigned *ret);
/* The trimmed text of a file in the function's directory; data is NULL if there is none. */
struct slice vendor_read_value(struct vendor_reader *reader, const char *id, const char *file);
/* The same as a hexadecimal number, with or without "0x". False: not a number. */
bool vendor_read_number(struct vendor_reader *reader, const char *id, const char *file,
			uint64_t max, uint64_t *ret);
/* Fills in the error for missing memory and returns -ENOMEM. */
int vendor_no_memory(struct vendor_reader *reader);

extern const struct vendor_table vendor_table_amd, vendor_table_intel;
