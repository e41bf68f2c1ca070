// SPDX-License-Identifier: Apache-2.0
/* What the readers of a board share while its inventory is made. */
#pragma once

#include "csv.h"
#include "davit/loader.h"
#include "walk.h"

struct board {
	const struct driver_roots *roots;
	const struct config *config;
	struct arena *arena;
	struct driver *driver;
	unsigned chip; /* 234 of "nvidia,tegra234"; 0: the device tree doesn't tell */
	struct csv_entries entries;
	struct walk files;       /* in the driver's root */
	struct strings left_out; /* lists that aren't read unless the container asks for all */
	struct strings groups;   /* of nodes that not everybody may open, root's aside: numbers */
	size_t listed; /* how many nodes are from the lists: the others are discrete GPUs' */
	size_t absent; /* entries that this host doesn't have */
	struct error *err;
};

/* ---- lists.c ---------------------------------------------------------------------------- */

/*
 * The entries of the lists in driver.csv: of devices.csv, drivers.csv and l4t.csv, or of every file
 * that ends with ".csv". A list that others than root can change is an error. 0 or -errno.
 */
int board_read_lists(struct board *board, bool every);
/* Whether one of the three is there. */
bool board_has_lists(const struct driver_roots *roots, const struct config *config);

/* ---- nodes.c ---------------------------------------------------------------------------- */

/* The GPUs and the nodes of each. */
int board_read_gpus(struct board *board);
/* Whether nvgpu, the driver of chips up to Orin, has nodes. */
bool board_has_nvgpu(const struct driver_roots *roots);

/* ---- files.c ---------------------------------------------------------------------------- */

int board_read_files(struct board *board);
/* Whether policy.csv-allow names it. */
bool board_allows(const struct board *board, const char *path);
