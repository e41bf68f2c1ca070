// SPDX-License-Identifier: Apache-2.0
/* What a platform is to the door (driver.c): one of these for each folder beside it. */
#pragma once

#include "davit/driver.h"
#include "nvml/nvml.h"

/* What tells platforms apart. */
struct platform_signs {
	const struct driver_roots *roots;
	const struct config *config;
	const char *proc_version; /* the text of /proc/driver/nvidia/version; NULL: there is none */
};

/*
 * The functions promise what those of davit/driver.h with the same name do. `ret` comes with what
 * the door knows: platform, root_path, mps_path, proc_version.
 */
struct platform {
	enum driver_platform id;
	bool (*recognise)(const struct platform_signs *signs, struct arena *arena);
	int (*read)(const struct driver_roots *roots, const struct config *config,
		    const struct driver_wanted *wanted, struct arena *arena, struct driver *ret,
		    struct error *err);
	int (*examine)(const struct driver_roots *roots, const struct config *config,
		       struct arena *arena, struct driver *ret,
		       struct driver_problems *ret_problems);
	int (*read_families)(const struct driver_roots *roots, unsigned families,
			     const struct strings *imex, struct arena *arena, struct driver *driver,
			     struct error *err);
	const char *(*cuda_version)(const struct driver_roots *roots, const struct config *config,
				    const struct driver *driver, struct arena *arena);
	/* What davit-nvml is to be asked with. */
	int (*locate_nvml)(const struct driver_roots *roots, const struct config *config,
			   const struct driver *driver, struct arena *arena,
			   struct nvml_question *ret, struct error *err);
};
