// SPDX-License-Identifier: Apache-2.0
/* The stage createContainer: what davit-runtime could not write into config.json. */
#pragma once

#include "davit/config.h"
#include "davit/oci.h"

#define CREATE_CONTAINER "createContainer"

/*
 * Carries out the bundle's plan file in the container whose namespaces the hook runs in, between
 * the set-up of its mounts and its pivot_root.
 */
int written_plan_apply(const struct config *config, const struct oci_state *state,
		       struct arena *arena, struct error *err);
