// SPDX-License-Identifier: Apache-2.0
/* The steps that fill a file of their own. */
#pragma once

#include "davit/apply.h"
#include "target.h"

/*
 * Device rules: on cgroup v2 one program in the place of each one attached, on v1 devices.allow.
 * Nested and rootless callers, who may not, go without, and the log says so. 0 or -errno, err
 * filled.
 */
int cgroup_allow_devices(const struct plan *plan, pid_t pid, struct arena *arena,
			 struct error *err);

/*
 * The mask over /proc/driver/nvidia. `sources` are the clones of the mask's bus_ids, then of its
 * capabilities. A container that has no such directory needs no mask.
 */
int proc_mask_attach(const struct proc_mask *mask, const struct root *root, const char *path,
		     struct mount_source *sources, struct error *err);

/* Merges the plan's libraries into the image's loader cache. */
int loader_cache_update(const struct loader_cache *libraries, const struct target *target,
			struct arena *arena, struct error *err);
