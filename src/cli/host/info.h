// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli.h"

/* The vendor's GPUs; false when it has none here, err says why. */
bool info_read_vendor(const struct vendor *vendor, const struct driver_roots *roots,
		      struct arena *arena, struct choice *ret, struct error *err);
/* Prints a line for each GPU: index, model, id, bus address, nodes and problems. */
void info_print_vendor(const struct choice *choice, struct arena *arena);
