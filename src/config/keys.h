// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "davit/config.h"
#include "davit/json_text.h"

/* Reads every key of the text into config, which has the defaults. Errors as config_parse. */
int config_parse_keys(const struct json_text *json, struct arena *arena, struct config *config,
		      struct error *err);
