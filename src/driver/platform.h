// SPDX-License-Identifier: Apache-2.0
/* What a platform is to the door (driver.c): one of these for each folder beside it. */
#pragma once

#include "davit/driver.h"

/* The functions promise what those of davit/driver.h with the same name do. */
struct platform {
	int (*read)(const struct driver_roots *roots, const struct config *config,
		    unsigned capabilities, const struct strings *devices, struct arena *arena,
		    struct driver *ret, struct error *err);
	int (*examine)(const struct driver_roots *roots, const struct config *config,
		       struct arena *arena, struct driver *ret,
		       struct driver_problems *ret_problems);
	int (*read_families)(const struct driver_roots *roots, unsigned families,
			     const struct strings *imex, struct arena *arena, struct driver *driver,
			     struct error *err);
	const char *(*cuda_version)(const struct driver_roots *roots, const struct config *config,
				    const struct driver *driver, struct arena *arena);
	/* libnvidia-ml as the host sees it: a path that the loader can be given. */
	int (*locate_nvml)(const struct driver_roots *roots, const struct config *config,
			   const struct driver *driver, struct arena *arena, const char **ret,
			   struct error *err);
};
