// SPDX-License-Identifier: Apache-2.0
/* The parts of `davit cdi`. */
#pragma once

#include "cli.h"
#include "davit/cdi.h"
#include "davit/json.h"

extern const struct command command_cdi_generate, command_cdi_list;
/*
 * Puts a text in the place of a file, all of it or nothing: mode and owner of the old one stay. The
 * directory is made when it is missing.
 */
int cdi_replace_file(const char *path, const char *text, struct arena *arena, struct error *err);
