// SPDX-License-Identifier: Apache-2.0
/*
 * Boards with NVIDIA's Tegra (Jetson): what a container gets stands in lists of files, the CSV
 * files of L4T. One GPU is the chip's own; discrete ones may be beside it.
 */
#pragma once

#include "../platform.h"

extern const struct platform tegra_platform;

/*
 * Whether the host is such a board though it lacks the lists: then the error of another platform's
 * room is replaced by one that says so. 0: it isn't, err stays; else -errno.
 */
int tegra_explain_absence(const struct driver_roots *roots, const struct config *config,
			  struct arena *arena, struct error *err);
