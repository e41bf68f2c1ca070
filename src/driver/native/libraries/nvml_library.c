// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "../inventory.h"
#include "../native.h"

/* The path of an open library, with the links in the driver's root resolved. */
static const char *path_of(const struct library *library, struct arena *arena)
{
	char link[sizeof("fd/") + 3 * sizeof(int)];

	(void)snprintf(link, sizeof(link), "fd/%d", library->fd);
	return host_own_link(link, arena);
}

int native_locate_nvml(const struct driver_roots *roots, const struct config *config,
		       const struct driver *driver, struct arena *arena, struct nvml_question *ret,
		       struct error *err)
{
	static const struct catalogue_row libnvml = {.name = CATALOGUE_LIBNVML};
	struct driver copy = {.version = driver->version};
	struct inventory inv = inventory_of(roots, config, &copy, arena, err);
	struct library_dirs dirs = {0};
	struct library library = {.fd = -1};
	int r = library_dirs_locate(&inv, 64, &dirs);

	if (r == 0 && !dirs.found.path)
		r = library_dirs_explain(&inv);
	if (r == 0)
		r = library_find(&inv, &dirs, &libnvml, 64, &library);
	fd_close(&inv.read_fd);
	if (r < 0)
		return r;
	if (!library.name)
		return error_set(
			err, ERROR_NO_DRIVER, ENOENT,
			"install the driver's libnvidia-ml, which nvidia-smi needs as well",
			"ask NVML: %s has no libnvidia-ml of version %s", dirs.found.path,
			driver->version);
	ret->library = path_of(&library, arena);
	fd_close(&library.fd);
	return ret->library ? 0 : error_memory(err);
}
