// SPDX-License-Identifier: Apache-2.0
#include <strings.h>

#include "davit/driver.h"

const struct gpu *driver_find_uuid(const struct driver *driver, const char *uuid)
{
	const struct gpus *gpus = &driver->gpus;

	for (size_t i = 0; i < gpus->count; i++)
		if (strcasecmp(gpus->items[i].uuid, uuid) == 0)
			return &gpus->items[i];
	return NULL;
}

const struct gpu *driver_find_index(const struct driver *driver, unsigned index)
{
	const struct gpus *gpus = &driver->gpus;

	/* Usually each is in its place. */
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
