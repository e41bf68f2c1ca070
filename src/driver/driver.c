// SPDX-License-Identifier: Apache-2.0
/* The door: which platform the host is, and that one's answers. */
#include "native/native.h"
#include "nvml/nvml.h"

/* Chosen once, when the inventory is made. */
static const struct platform *platform_of(const struct driver_roots *roots)
{
	(void)roots;
	return &native_platform;
}

int driver_read(const struct driver_roots *roots, const struct config *config,
		unsigned capabilities, const struct strings *devices, struct arena *arena,
		struct driver *ret, struct error *err)
{
	return platform_of(roots)->read(roots, config, capabilities, devices, arena, ret, err);
}

int driver_examine(const struct driver_roots *roots, const struct config *config,
		   struct arena *arena, struct driver *ret, struct driver_problems *ret_problems)
{
	return platform_of(roots)->examine(roots, config, arena, ret, ret_problems);
}

int driver_read_families(const struct driver_roots *roots, unsigned families,
			 const struct strings *imex, struct arena *arena, struct driver *driver,
			 struct error *err)
{
	return platform_of(roots)->read_families(roots, families, imex, arena, driver, err);
}

const char *driver_cuda_version(const struct driver_roots *roots, const struct config *config,
				const struct driver *driver, struct arena *arena)
{
	return platform_of(roots)->cuda_version(roots, config, driver, arena);
}

int driver_ask_nvml(const struct driver_roots *roots, const struct config *config,
		    struct driver *driver, struct arena *arena, struct error *err)
{
	const char *library = NULL;
	int r;

	if (driver->nvml_asked)
		return 0;
	r = platform_of(roots)->locate_nvml(roots, config, driver, arena, &library, err);
	return r < 0 ? r : nvml_ask(library, config->driver.dev, driver, arena, err);
}
