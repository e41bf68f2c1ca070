// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "command/command.h"

/* davit as amd-ctk. */
extern const struct command command_amd_ctk;
