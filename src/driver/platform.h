// SPDX-License-Identifier: Apache-2.0
/* The interface between driver.c and the platforms, each of which has a folder here. */
#pragma once

#include "davit/driver.h"
#include "nvml/nvml.h"

/* The facts by which a platform is recognised. */
struct platform_signs {
	const struct driver_roots *roots;
	const struct config *config;
	const char *proc_version; /* the text of /proc/driver/nvidia/version; NULL: none */
};

/*
 * Each function behaves as its counterpart in davit/driver.h. driver.c has filled platform,
 * root_path, mps_path and proc_version in `ret`.
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
	/* The arguments for davit-nvml. */
	int (*locate_nvml)(const struct driver_roots *roots, const struct config *config,
			   const struct driver *driver, struct arena *arena,
			   struct nvml_question *ret, struct error *err);
};
