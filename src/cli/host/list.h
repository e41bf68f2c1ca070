// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cli.h"

/* Which running containers have which GPU. The exit code. */
int list_containers(const struct config *config, bool json, struct arena *arena);
