// SPDX-License-Identifier: Apache-2.0
/*
 * select: which of the host's GPUs the items of a request mean. Pure, and the same on every
 * platform: what can be named is what the inventory says.
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
 * {"all"}, {"none"} (in any case) or items: index, UUID, bus id (also without domain or in upper
 * case), "0:1" (the second MIG instance of GPU 0, by GPU and compute instance),
 * "MIG-GPU-<uuid>/gi/ci", "MIG-<uuid>". Each device once, in the GPUs' order. "all" takes the MIG
 * instances of a GPU that has some in its place; an index, UUID or bus id means the whole GPU.
 * -ENODEV with ERROR_UNKNOWN_DEVICE, naming the ones there are; ret is empty then. What asks for a
 * lost GPU fails with its problem; "all" leaves it out. `place` is where the user wrote the items,
 * as the remedy names it: "NVIDIA_VISIBLE_DEVICES", "--gpus".
 */
int select_devices(const struct driver *driver, const struct strings *devices, const char *place,
		   struct arena *arena, struct selection *ret, struct error *err);
/*
 * Whether an item can't be decided without NVML: a MIG UUID while the instances' aren't filled in,
 * or a GPU's UUID while /proc doesn't tell all of them yet.
 */
bool select_needs_uuids(const struct driver *driver, const struct strings *devices);
/*
 * The same, or a MIG instance by its place ("0:1") on a GPU that has several, whose order isn't
 * known yet: what driver_ask_nvml is called for before select_devices.
 */
bool select_needs_nvml(const struct driver *driver, const struct strings *devices);
