// SPDX-License-Identifier: Apache-2.0
/* All commands: each one is `command_NAME` in the file of its name. */
#pragma once

#include "command.h"

/* clang-format off */
#define COMMANDS(X) \
	X(cdi) \
	X(config) \
	X(configure) \
	X(ctk) \
	X(doctor) \
	X(explain) \
	X(info) \
	X(list) \
	X(metrics) \
	X(node) \
	X(require) \
	X(system) \
	X(try)
/* clang-format on */

#define DECLARE_COMMAND(name) extern const struct command command_##name;
COMMANDS(DECLARE_COMMAND)
