// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <strings.h>

#include "davit/bus_id.h"
#include "picker.h"

static bool is_number(const char *text, unsigned *ret)
{
	uint64_t number;

	if (parse_number(text, strlen(text), 10, UINT32_MAX, &number) < 0)
		return false;
	*ret = (unsigned)number;
	return true;
}

static bool starts_with(const char *text, const char *prefix)
{
	return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

static int pick(struct picker *picker, const struct gpu *gpu, const struct mig_instance *mig)
{
	struct selected_device *item;

	for (size_t i = 0; i < picker->picked.count; i++)
		if (picker->picked.items[i].gpu == gpu && picker->picked.items[i].mig == mig)
			return 0;
	item = ARENA_PUSH(picker->arena, &picker->picked);
	if (!item)
		return error_memory(picker->err);
	*item = (struct selected_device){gpu, mig};
	return 0;
}

/* The usable GPUs. If all are lost, no container starts without a GPU. */
static int pick_all(struct picker *picker)
{
	const struct gpus *gpus = &picker->driver->gpus;
	int r = 0;

	if (gpus->count == 0 && picker->driver->lost.count)
		return select_lost(picker, "all", &picker->driver->lost.items[0]);

	for (size_t i = 0; r == 0 && i < gpus->count; i++) {
		const struct gpu *gpu = &gpus->items[i];

		if (gpu->mig.count == 0)
			r = pick(picker, gpu, NULL);
		for (size_t j = 0; r == 0 && j < gpu->mig.count; j++)
			r = pick(picker, gpu, &gpu->mig.items[j]);
	}
	return r;
}

/*
 * Items that only NVML could decide select the first GPU, if NVML can't be queried: all GPUs are
 * behind the same node, or there is only one.
 */
static const struct gpu *on_trust(const struct driver *driver)
{
	return driver->unproven && driver->gpus.count ? &driver->gpus.items[0] : NULL;
}

static int pick_index(struct picker *picker, const char *item, unsigned index)
{
	const struct gpu *gpu = driver_find_index(picker->driver, index);
	const struct lost_gpu *lost = gpu ? NULL : driver_find_lost(picker->driver, index);

	if (!gpu && picker->driver->gpus_by_nvml)
		gpu = on_trust(picker->driver);
	if (gpu)
		return pick(picker, gpu, NULL);
	return lost ? select_lost(picker, item, lost)
		    : select_unknown(picker, item, CANDIDATES_INDICES);
}

static bool has_unknown_uuid(const struct driver *driver)
{
	for (size_t i = 0; i < driver->gpus.count; i++)
		if (strchr(driver->gpus.items[i].uuid, '?'))
			return true;
	return false;
}

/* "54d0709b-558d-5a59-9c65-0c5fc14a21a4": Tegra's own GPU has no "GPU-" before it. */
static bool is_bare_uuid(const char *item)
{
	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? item[i] != '-' : !item[i] || !strchr("0123456789abcdefABCDEF", item[i]))
			return false;
	}
	return item[36] == '\0';
}

/* A lost GPU's UUID is unknown, so it may be this GPU. */
static int pick_uuid(struct picker *picker, const char *uuid)
{
	const struct gpu *gpu = driver_find_uuid(picker->driver, uuid);

	if (!gpu && has_unknown_uuid(picker->driver))
		gpu = on_trust(picker->driver);
	if (gpu)
		return pick(picker, gpu, NULL);
	return picker->driver->lost.count
		       ? select_lost(picker, uuid, &picker->driver->lost.items[0])
		       : select_unknown(picker, uuid, CANDIDATES_UUIDS);
}

static int pick_bus_id(struct picker *picker, const char *item, bus_id wanted)
{
	const struct gpus *gpus = &picker->driver->gpus;
	bus_id id;

	for (size_t i = 0; i < gpus->count; i++)
		if (gpus->items[i].bus_id && bus_id_parse(gpus->items[i].bus_id, &id) == 0 &&
		    id == wanted)
			return pick(picker, &gpus->items[i], NULL);
	for (size_t i = 0; i < picker->driver->lost.count; i++)
		if (bus_id_parse(picker->driver->lost.items[i].bus_id, &id) == 0 && id == wanted)
			return select_lost(picker, item, &picker->driver->lost.items[i]);
	return select_unknown(picker, item, CANDIDATES_BUS_IDS);
}

/* "MIG-<uuid>", as NVML names an instance since driver 470. */
static int pick_mig_uuid(struct picker *picker, const char *uuid)
{
	const struct gpus *gpus = &picker->driver->gpus;

	for (size_t i = 0; i < gpus->count; i++)
		for (size_t j = 0; j < gpus->items[i].mig.count; j++) {
			const struct mig_instance *mig = &gpus->items[i].mig.items[j];

			if (mig->uuid && strcasecmp(mig->uuid, uuid) == 0)
				return pick(picker, &gpus->items[i], mig);
		}
	return select_unknown(picker, uuid, CANDIDATES_MIG);
}

/* "MIG-GPU-<uuid>/gi/ci", as NVML named an instance before: by its numbers. */
static int pick_mig_path(struct picker *picker, const char *item)
{
	const struct gpus *gpus = &picker->driver->gpus;
	struct slice rest = slice_from(item + strlen("MIG-")), uuid, gi, ci;
	uint64_t gpu_instance, compute_instance;

	if (!slice_next(&rest, '/', &uuid) || !slice_next(&rest, '/', &gi) ||
	    !slice_next(&rest, '/', &ci) || rest.data ||
	    parse_number(gi.data, gi.length, 10, UINT32_MAX, &gpu_instance) < 0 ||
	    parse_number(ci.data, ci.length, 10, UINT32_MAX, &compute_instance) < 0)
		return select_unknown(picker, item, CANDIDATES_MIG);
	for (size_t i = 0; i < gpus->count; i++) {
		const struct gpu *gpu = &gpus->items[i];

		if (strlen(gpu->uuid) != uuid.length ||
		    strncasecmp(gpu->uuid, uuid.data, uuid.length) != 0)
			continue;
		for (size_t j = 0; j < gpu->mig.count; j++)
			if (gpu->mig.items[j].gpu_instance == gpu_instance &&
			    gpu->mig.items[j].compute_instance == compute_instance)
				return pick(picker, gpu, &gpu->mig.items[j]);
	}
	return select_unknown(picker, item, CANDIDATES_MIG);
}

/* "0:1": GPU and MIG instance by their places. False: it has another form. */
static bool parse_mig_place(const char *item, unsigned *ret_gpu, unsigned *ret_mig)
{
	struct slice rest = slice_from(item), gpu;
	uint64_t numbers[2];

	if (!slice_next(&rest, ':', &gpu) || !rest.data ||
	    parse_number(gpu.data, gpu.length, 10, UINT32_MAX, &numbers[0]) < 0 ||
	    parse_number(rest.data, rest.length, 10, UINT32_MAX, &numbers[1]) < 0)
		return false;
	*ret_gpu = (unsigned)numbers[0];
	*ret_mig = (unsigned)numbers[1];
	return true;
}

static int pick_item(struct picker *picker, const char *item)
{
	const struct gpu *gpu;
	unsigned index, mig;
	bus_id id;

	if (strcasecmp(item, "none") == 0)
		return 0;
	if (picker->driver->gpus.count == 0 && picker->driver->hidden_node)
		return select_hidden(picker);
	if (strcasecmp(item, "all") == 0)
		return pick_all(picker);
	if (is_number(item, &index))
		return pick_index(picker, item, index);
	if (parse_mig_place(item, &index, &mig)) {
		gpu = driver_find_index(picker->driver, index);
		if (gpu && mig < gpu->mig.count)
			return pick(picker, gpu, &gpu->mig.items[mig]);
		if (!gpu && driver_find_lost(picker->driver, index))
			return select_lost(picker, item, driver_find_lost(picker->driver, index));
		return select_unknown(picker, item, CANDIDATES_MIG);
	}
	if (starts_with(item, "GPU-") || is_bare_uuid(item))
		return pick_uuid(picker, item);
	if (starts_with(item, "MIG-GPU-"))
		return pick_mig_path(picker, item);
	if (starts_with(item, "MIG-"))
		return pick_mig_uuid(picker, item);
	if (bus_id_parse(item, &id) == 0)
		return pick_bus_id(picker, item, id);
	return select_unknown(picker, item, CANDIDATES_INDICES);
}

static bool is_picked(const struct picker *picker, const struct gpu *gpu,
		      const struct mig_instance *mig)
{
	for (size_t i = 0; i < picker->picked.count; i++)
		if (picker->picked.items[i].gpu == gpu && picker->picked.items[i].mig == mig)
			return true;
	return false;
}

static int take(struct picker *picker, const struct gpu *gpu, const struct mig_instance *mig,
		struct selection *ret)
{
	struct selected_device *item;

	if (!is_picked(picker, gpu, mig))
		return 0;
	item = ARENA_PUSH(picker->arena, ret);
	if (!item)
		return error_memory(picker->err);
	*item = (struct selected_device){gpu, mig};
	return 0;
}

/* Whether the items are "0", "1", ... in this order, as `docker run --gpus N` requests. */
static bool counts_up(const struct strings *devices)
{
	unsigned index;

	for (size_t i = 0; i < devices->count; i++)
		if (!is_number(devices->items[i], &index) || index != i)
			return false;
	return devices->count > 1;
}

int select_devices(const struct driver *driver, const struct strings *devices, const char *place,
		   struct arena *arena, struct selection *ret, struct error *err)
{
	struct picker picker = {.driver = driver, .place = place, .arena = arena, .err = err};
	int r = 0;

	*ret = (struct selection){0};
	for (size_t i = 0; r == 0 && i < devices->count; i++)
		r = pick_item(&picker, devices->items[i]);
	if (r == -ENODEV && driver->gpus.count && driver->lost.count == 0 && counts_up(devices))
		return select_too_many(&picker, devices->count);
	for (size_t i = 0; r == 0 && i < driver->gpus.count; i++) {
		const struct gpu *gpu = &driver->gpus.items[i];

		r = take(&picker, gpu, NULL, ret);
		for (size_t j = 0; r == 0 && j < gpu->mig.count; j++)
			r = take(&picker, gpu, &gpu->mig.items[j], ret);
	}
	return r;
}

bool select_needs_uuids(const struct driver *driver, const struct strings *devices)
{
	bool gpu_unknown = has_unknown_uuid(driver), mig_unknown = false;

	for (size_t i = 0; i < driver->gpus.count; i++) {
		const struct gpu *gpu = &driver->gpus.items[i];

		for (size_t j = 0; j < gpu->mig.count; j++)
			mig_unknown |= !gpu->mig.items[j].uuid;
	}
	for (size_t i = 0; i < devices->count; i++) {
		const char *item = devices->items[i];
		bool of_gpu = starts_with(item, "GPU-") || starts_with(item, "MIG-GPU-") ||
			      is_bare_uuid(item);

		if ((of_gpu && gpu_unknown) ||
		    (!of_gpu && starts_with(item, "MIG-") && mig_unknown))
			return true;
	}
	return false;
}

/*
 * Whether NVML's order of a GPU's instances is still unknown. NVML gives the order and the UUIDs
 * together.
 */
static bool order_unknown(const struct gpu *gpu)
{
	for (size_t i = 0; gpu->mig.count > 1 && i < gpu->mig.count; i++)
		if (!gpu->mig.items[i].uuid)
			return true;
	return false;
}

bool select_needs_nvml(const struct driver *driver, const struct strings *devices)
{
	unsigned index, mig;

	for (size_t i = 0; i < devices->count; i++)
		if (parse_mig_place(devices->items[i], &index, &mig)) {
			const struct gpu *gpu = driver_find_index(driver, index);

			if (gpu && order_unknown(gpu))
				return true;
		} else if (driver->gpus_by_nvml && !driver->nvml_asked &&
			   is_number(devices->items[i], &index) &&
			   !driver_find_index(driver, index)) {
			return true;
		}
	return select_needs_uuids(driver, devices);
}
