// SPDX-License-Identifier: Apache-2.0
/*
 * WSL2: the driver is Windows'. Its user space for Linux lies in a folder of Windows' driver store,
 * seen beneath /usr/lib/wsl/drivers; all GPUs of Windows are behind the one node /dev/dxg.
 */
#pragma once

#include "../platform.h"

extern const struct platform wsl_platform;

/*
 * Whether the host is WSL though it lacks the node: then the error of another platform's room is
 * replaced by one that says so. 0: it isn't, err stays; else -errno.
 */
int wsl_explain_absence(const struct driver_roots *roots, struct arena *arena, struct error *err);
