// SPDX-License-Identifier: Apache-2.0
/*
 * WSL2 uses the Windows driver. Its Linux libraries are in a folder of the Windows driver store,
 * mounted below /usr/lib/wsl/drivers. All GPUs of Windows share the node /dev/dxg.
 */
#pragma once

#include "../platform.h"

extern const struct platform wsl_platform;

/*
 * If the host is WSL but lacks the node, replaces the error in err by one that says so and returns
 * -errno. Otherwise returns 0, and err is unchanged.
 */
int wsl_explain_absence(const struct driver_roots *roots, struct arena *arena, struct error *err);
