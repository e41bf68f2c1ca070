// SPDX-License-Identifier: Apache-2.0
/* The parts of `davit cdi`. */
#pragma once

#include "cli.h"
#include "davit/cdi.h"
#include "davit/json.h"

extern const struct command command_cdi_generate, command_cdi_list;
