// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <strings.h>

#include "davit/driver.h"

/* For Tegra's integrated GPU, NVML omits the prefix "GPU-". Both forms are equivalent. */
static const char *plain_uuid(const char *uuid)
{
	return strncasecmp(uuid, "GPU-", 4) == 0 ? uuid + 4 : uuid;
}

const struct gpu *driver_find_uuid(const struct driver *driver, const char *uuid)
{
	const struct gpus *gpus = &driver->gpus;

	for (size_t i = 0; i < gpus->count; i++)
		if (strcasecmp(plain_uuid(gpus->items[i].uuid), plain_uuid(uuid)) == 0)
			return &gpus->items[i];
	return NULL;
}

const struct gpu *driver_find_index(const struct driver *driver, unsigned index)
{
	const struct gpus *gpus = &driver->gpus;

	/* Usually, a GPU's index is its position. */
	if (index < gpus->count && gpus->items[index].index == index)
		return &gpus->items[index];
	for (size_t i = 0; i < gpus->count; i++)
		if (gpus->items[i].index == index)
			return &gpus->items[i];
	return NULL;
}

const struct lost_gpu *driver_find_lost(const struct driver *driver, unsigned index)
{
	const struct lost_gpus *lost = &driver->lost;

	for (size_t i = 0; i < lost->count; i++)
		if (lost->items[i].counted && lost->items[i].index == index)
			return &lost->items[i];
	return NULL;
}

bool driver_has_folders(const struct driver *driver)
{
	for (size_t i = 0; i < driver->files.count; i++)
		if (driver->files.items[i].loader.count)
			return true;
	return false;
}

const char *driver_libcuda_folder(const struct driver *driver, const char *otherwise,
				  struct arena *arena)
{
	for (size_t i = 0; i < driver->files.count; i++) {
		const struct driver_links *loader = &driver->files.items[i].loader;

		for (size_t j = 0; j < loader->count; j++) {
			const char *path = loader->items[j].text;

			if (strcmp(loader->items[j].name, "libcuda.so.1") == 0)
				return arena_strndup(arena, path,
						     (size_t)(strrchr(path, '/') - path));
		}
	}
	return otherwise;
}

const char *driver_version_text(const struct driver *driver)
{
	return driver->version ? driver->version : "of unknown version";
}

const char *gpu_place_text(const struct gpu *gpu)
{
	return gpu->bus_id ? gpu->bus_id : "no PCI bus";
}
