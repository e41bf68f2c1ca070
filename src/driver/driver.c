// SPDX-License-Identifier: Apache-2.0
/* Chooses the host's platform and calls its functions. */
#include "host/host.h"
#include "native/native.h"
#include "nvml/nvml.h"
#include "tegra/tegra.h"
#include "wsl/wsl.h"

/* The order matters: a host may also match later platforms. */
static const struct platform *const platforms[] = {
	&wsl_platform,
	&tegra_platform,
	&native_platform,
};
#define LAST (ARRAY_SIZE(platforms) - 1) /* used if no other platform matches */

const char *driver_platform_name(enum driver_platform platform)
{
	static const char *const names[] = {
		[PLATFORM_NATIVE] = "native",
		[PLATFORM_WSL] = "wsl",
		[PLATFORM_TEGRA] = "tegra",
	};

	return names[platform];
}

/* Starts an inventory with its platform. Later calls use platform_of. */
static const struct platform *choose(const struct driver_roots *roots, const struct config *config,
				     struct arena *arena, struct driver *ret)
{
	struct platform_signs signs = {.roots = roots, .config = config};
	size_t i = 0;
	char *text;

	*ret = (struct driver){.root_path = config->driver.root, .mps_path = config->driver.mps};
	if (host_read_text(&roots->proc, "driver/nvidia/version", arena, &text) == 0)
		signs.proc_version = ret->proc_version = text;
	while (i < LAST && !platforms[i]->recognise(&signs, arena))
		i++;
	ret->platform = platforms[i]->id;
	return platforms[i];
}

static const struct platform *platform_of(const struct driver *driver)
{
	size_t i = 0;

	while (i < LAST && platforms[i]->id != driver->platform)
		i++;
	return platforms[i];
}

enum driver_platform driver_recognise(const struct driver_roots *roots, const struct config *config,
				      struct arena *arena)
{
	struct driver driver;

	return choose(roots, config, arena, &driver)->id;
}

/*
 * If the native driver is missing, the host may be another platform that lacks a part. Then the
 * error names that part.
 */
static int explain(const struct driver_roots *roots, const struct config *config,
		   struct arena *arena, struct driver *driver, int r, struct error *err)
{
	int other = 0;

	if (r != -ENODEV || driver->platform != PLATFORM_NATIVE)
		return r;
	other = wsl_explain_absence(roots, arena, err);
	if (other < 0)
		driver->platform = PLATFORM_WSL;
	else
		other = tegra_explain_absence(roots, config, arena, err);
	if (other < 0 && driver->platform == PLATFORM_NATIVE)
		driver->platform = PLATFORM_TEGRA;
	return other < 0 ? other : r;
}

int driver_read(const struct driver_roots *roots, const struct config *config,
		const struct driver_wanted *wanted, struct arena *arena, struct driver *ret,
		struct error *err)
{
	int r = choose(roots, config, arena, ret)->read(roots, config, wanted, arena, ret, err);

	return explain(roots, config, arena, ret, r, err);
}

int driver_examine(const struct driver_roots *roots, const struct config *config,
		   struct arena *arena, struct driver *ret, struct driver_problems *ret_problems)
{
	struct error *missing = &ret_problems->kernel;
	int r;

	*ret_problems = (struct driver_problems){0};
	r = choose(roots, config, arena, ret)->examine(roots, config, arena, ret, ret_problems);
	if (!missing->code)
		missing = &ret_problems->files;
	/* The platform's error replaces that of the kernel module or of the files. */
	if (r == 0 && missing->code &&
	    explain(roots, config, arena, ret, -ENODEV, missing) != -ENODEV) {
		ret_problems->nodes = *missing;
		*missing = (struct error){0};
	}
	return r;
}

int driver_read_families(const struct driver_roots *roots, unsigned families,
			 const struct strings *imex, struct arena *arena, struct driver *driver,
			 struct error *err)
{
	return platform_of(driver)->read_families(roots, families, imex, arena, driver, err);
}

const char *driver_cuda_version(const struct driver_roots *roots, const struct config *config,
				const struct driver *driver, struct arena *arena)
{
	return driver->cuda_version
		       ? driver->cuda_version
		       : platform_of(driver)->cuda_version(roots, config, driver, arena);
}

int driver_ask_nvml(const struct driver_roots *roots, const struct config *config,
		    struct driver *driver, struct arena *arena, struct error *err)
{
	struct nvml_question question = {.dev = config->driver.dev};
	int r;

	if (driver->nvml_asked)
		return 0;
	r = platform_of(driver)->locate_nvml(roots, config, driver, arena, &question, err);
	return r < 0 ? r : nvml_ask(&question, driver, arena, err);
}

bool driver_lacks_mig_uuids(const struct driver *driver)
{
	for (size_t i = 0; i < driver->gpus.count; i++)
		for (size_t j = 0; j < driver->gpus.items[i].mig.count; j++)
			if (!driver->gpus.items[i].mig.items[j].uuid)
				return true;
	return false;
}
