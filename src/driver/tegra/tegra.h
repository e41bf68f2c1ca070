// SPDX-License-Identifier: Apache-2.0
/*
 * Boards with NVIDIA's Tegra (Jetson). Lists of files, the CSV files of L4T, determine what a
 * container gets. One GPU is part of the chip, and there may be discrete GPUs.
 */
#pragma once

#include "../platform.h"

extern const struct platform tegra_platform;

/*
 * If the host is such a board but lacks the lists, replaces the error in err by one that says so
 * and returns -errno. Otherwise returns 0, and err is unchanged.
 */
int tegra_explain_absence(const struct driver_roots *roots, const struct config *config,
			  struct arena *arena, struct error *err);
