// SPDX-License-Identifier: Apache-2.0
/*
 * select: selects the host's GPUs for the items of a request. Pure, and the same on every platform,
 * because it depends only on the inventory.
 */
#pragma once

#include "davit/driver.h"

/* One GPU, or one MIG instance of it, that a request selects. */
struct selected_device {
	const struct gpu *gpu;
	const struct mig_instance *mig; /* NULL: the whole GPU */
};
struct selection {
	struct selected_device *items;
	size_t count, capacity;
};
/*
 * Selects devices, each once, in the GPUs' order. Items:
 * - {"all"} or {"none"}, in any case. "all" selects a GPU's MIG instances, if it has any, instead
 *   of the GPU.
 * - an index, a UUID, or a bus id (also without domain, or in upper case), for a whole GPU
 * - "0:1" (the second MIG instance of GPU 0, ordered by GPU and compute instance),
 *   "MIG-GPU-<uuid>/gi/ci", "MIG-<uuid>"
 *
 * -ENODEV with ERROR_UNKNOWN_DEVICE: the message lists the host's devices, and ret is empty. An
 * item for a lost GPU fails with that GPU's problem; "all" skips it. `place` is the user's notation
 * of the items for the remedy: "NVIDIA_VISIBLE_DEVICES", "--gpus".
 */
int select_devices(const struct driver *driver, const struct strings *devices, const char *place,
		   struct arena *arena, struct selection *ret, struct error *err);
/*
 * Whether an item can't be decided without NVML: a MIG UUID if the instances' UUIDs are unknown, or
 * a GPU's UUID if /proc lacks some.
 */
bool select_needs_uuids(const struct driver *driver, const struct strings *devices);
/*
 * The same, or a MIG instance by its index ("0:1") on a GPU that has several in unknown order. If
 * true, call driver_ask_nvml before select_devices.
 */
bool select_needs_nvml(const struct driver *driver, const struct strings *devices);
