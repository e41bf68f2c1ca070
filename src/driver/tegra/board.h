// SPDX-License-Identifier: Apache-2.0
/* The state that the readers of a board share while they make its inventory. */
#pragma once

#include "csv.h"
#include "davit/loader.h"
#include "walk.h"

struct board {
	const struct driver_roots *roots;
	const struct config *config;
	struct arena *arena;
	struct driver *driver;
	unsigned chip; /* 234 of "nvidia,tegra234"; 0: unknown */
	struct csv_entries entries;
	struct walk files;       /* in the driver's root */
	struct strings left_out; /* lists that are read only if the container requests all */
	struct strings groups;   /* gids of nodes that not every user may open, except 0 */
	size_t listed; /* number of nodes from the lists; later ones are for discrete GPUs */
	size_t absent; /* entries that don't exist on this host */
	struct error *err;
};

/* ---- lists.c ---------------------------------------------------------------------------- */

/*
 * Reads the entries of the lists in driver.csv: devices.csv, drivers.csv and l4t.csv, or with
 * `every` all files that end with ".csv". If the command line names lists, reads only those. A list
 * that users other than root can change is an error. 0 or -errno.
 */
int board_read_lists(struct board *board, bool every);
/* Whether one of the three exists, or the command line names lists. */
bool board_has_lists(const struct driver_roots *roots, const struct config *config);

/* ---- nodes.c ---------------------------------------------------------------------------- */

/* The GPUs and the nodes of each. */
int board_read_gpus(struct board *board);
/* Whether nvgpu, the driver of chips up to Orin, has nodes. */
bool board_has_nvgpu(const struct driver_roots *roots);

/* ---- files.c ---------------------------------------------------------------------------- */

int board_read_files(struct board *board);
/* Whether policy.csv-allow has the path or a directory above it. */
bool board_allows(const struct board *board, const char *path);
