// SPDX-License-Identifier: Apache-2.0
/* Finds a container's bundle: the one that the state names, or crun's copy. */
#pragma once

#include "davit/pipeline.h"

/*
 * Reads the container's config.json into the pipeline, `pipeline.bundle` and `pipeline.rootfs`
 * (NULL: config.json's decides) with it. For crun, whose state says "/" of a container with a user
 * namespace and device nodes, and where the bundle can't be read:
 *  - the bundle that the runtime which called us was started with, when it names this container;
 *  - the copy of config.json in crun's own directory for this container, whose root is the state's.
 * `ret_record` false: the bundle isn't known, so nothing can be kept in it for poststop.
 *
 * -errno and ERROR_BAD_BUNDLE, of the bundle that the state names, when nothing can be read.
 */
int bundle_read(struct pipeline *pipeline, const struct config *config,
		const struct oci_state *state, bool *ret_record, struct arena *arena,
		struct error *err);
/* Whether that error means that this process can't see the bundle, not that the bundle is wrong. */
bool bundle_is_out_of_reach(int r);
