// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "davit/config.h"
#include "davit/json.h"

/* Reads every key of root into config, which has the defaults. Errors as config_parse. */
int config_parse_keys(struct json_object *root, struct arena *arena, struct config *config,
		      struct error *err);
