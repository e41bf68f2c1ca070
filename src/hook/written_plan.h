// SPDX-License-Identifier: Apache-2.0
/* The stage createContainer: the part of a plan that davit-runtime left to the hook. */
#pragma once

#include "davit/config.h"
#include "davit/oci.h"

#define CREATE_CONTAINER "createContainer"

/*
 * Applies the bundle's plan file. The hook runs in the container's namespaces, after the runtime
 * has made the mounts and before its pivot_root.
 */
int written_plan_apply(const struct config *config, const struct oci_state *state,
		       struct arena *arena, struct error *err);
