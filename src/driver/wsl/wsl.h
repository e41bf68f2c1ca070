// SPDX-License-Identifier: Apache-2.0
/*
 * WSL2: the driver is Windows'. Its user space for Linux lies in a folder of Windows' driver store,
 * seen beneath /usr/lib/wsl/drivers; all GPUs of Windows are behind the one node /dev/dxg.
 */
#pragma once

#include "../platform.h"

extern const struct platform wsl_platform;
