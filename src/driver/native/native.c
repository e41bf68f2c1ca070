// SPDX-License-Identifier: Apache-2.0
#include "native.h"

#include "inventory.h"

static void prepare(struct driver *driver)
{
	driver->repairable = true;
	driver->compat_dir = "/usr/local/cuda/compat";
}

static int read_all(const struct driver_roots *roots, const struct config *config,
		    const struct driver_wanted *wanted, struct arena *arena, struct driver *ret,
		    struct error *err)
{
	struct inventory inv = inventory_of(roots, config, ret, arena, err);
	int r;

	inv.capabilities = wanted->capabilities;
	inv.devices = wanted->devices;
	prepare(ret);
	r = inventory_read_kernel(&inv);
	if (r == 0)
		r = inventory_read_majors(&inv);
	if (r == 0)
		r = inventory_read_gpus(&inv);
	if (r == 0)
		r = inventory_read_nodes(&inv);
	if (r == 0)
		r = inventory_read_files(&inv);
	fd_close(&inv.read_fd);
	return r;
}

static int examine(const struct driver_roots *roots, const struct config *config,
		   struct arena *arena, struct driver *ret, struct driver_problems *ret_problems)
{
	struct driver_problems *problems = ret_problems;
	struct inventory inv = inventory_of(roots, config, ret, arena, NULL);
	const struct {
		int (*read)(struct inventory *inv);
		struct error *err;
	} parts[] = {
		{inventory_read_kernel, &problems->kernel},
		{inventory_read_majors, &problems->majors},
		{inventory_read_gpus, &problems->gpus},
		{inventory_read_nodes, &problems->nodes},
		{inventory_read_files, &problems->files},
	};
	int r = 0;

	inv.capabilities = CAPABILITY_ALL;
	inv.stale_allowed = true;
	inv.thorough = true;
	prepare(ret);
	*problems = (struct driver_problems){0};
	for (size_t i = 0; r != -ENOMEM && i < ARRAY_SIZE(parts); i++) {
		inv.err = parts[i].err;
		r = parts[i].read(&inv);
		/* Without the module, the driver's version is unknown, and so are its files. */
		if (r < 0 && i == 0)
			break;
	}
	fd_close(&inv.read_fd);
	return r == -ENOMEM ? r : 0;
}

static bool recognise(const struct platform_signs *signs, struct arena *arena)
{
	(void)signs;
	(void)arena;
	return true;
}

const struct platform native_platform = {
	.id = PLATFORM_NATIVE,
	.recognise = recognise,
	.read = read_all,
	.examine = examine,
	.read_families = native_read_families,
	.cuda_version = native_cuda_version,
	.locate_nvml = native_locate_nvml,
};
