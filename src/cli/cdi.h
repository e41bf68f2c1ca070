// SPDX-License-Identifier: Apache-2.0
/* The parts of `davit cdi`. */
#pragma once

#include "cli.h"
#include "davit/cdi.h"
#include "davit/json.h"

extern const struct command command_cdi_generate, command_cdi_list;

/* The spec of a plain vendor's GPUs; the result is to be put. 0 or -errno. */
int cdi_make_plain(const struct config *config, const struct vendor *vendor,
		   const struct cdi_options *options, struct arena *arena, struct json_object **ret,
		   struct strings *ret_left_out, struct error *err);
