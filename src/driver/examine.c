// SPDX-License-Identifier: Apache-2.0
#include "inventory.h"

int driver_examine(const struct driver_roots *roots, const struct config *config,
		   struct arena *arena, struct driver *ret, struct driver_problems *ret_problems)
{
	struct driver_problems *problems = ret_problems;
	struct inventory inv = {
		.roots = roots,
		.config = config,
		.capabilities = CAPABILITY_ALL,
		.arena = arena,
		.driver = ret,
		.read_fd = -1,
		.stale_allowed = true,
		.thorough = true,
	};
	const struct {
		int (*read)(struct inventory *inv);
		struct error *err;
	} parts[] = {
		{inventory_read_kernel, &problems->kernel},
		{inventory_read_majors, &problems->majors},
		{inventory_read_gpus,   &problems->gpus  },
		{inventory_read_nodes,  &problems->nodes },
		{inventory_read_files,  &problems->files },
	};
	int r = 0;

	*ret = (struct driver){.root_path = config->driver.root, .mps_path = config->driver.mps};
	*problems = (struct driver_problems){0};
	for (size_t i = 0; r != -ENOMEM && i < ARRAY_SIZE(parts); i++) {
		inv.err = parts[i].err;
		r = parts[i].read(&inv);
		/* Which files are the driver's is a question of its version. */
		if (r < 0 && i == 0)
			break;
	}
	fd_close(&inv.read_fd);
	return r == -ENOMEM ? r : 0;
}
