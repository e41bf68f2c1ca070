// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/sysmacros.h>

#include "../inventory.h"
#include "davit/bus_id.h"

#define GPUS "driver/nvidia/gpus"
#define MINORS_TRIED 32

static int by_bus_id(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;
	bus_id id_x = 0, id_y = 0;

	(void)bus_id_parse(*x, &id_x);
	(void)bus_id_parse(*y, &id_y);
	return (id_x > id_y) - (id_x < id_y);
}

static bool is_yes(const char *text, const char *key)
{
	return slice_equal(host_value(text, key), "Yes");
}

static int copy_value(struct inventory *inv, const char *text, const char *key,
		      const char *otherwise, const char **ret)
{
	struct slice value = host_value(text, key);
	char *copy;

	if (value.length == 0) {
		*ret = otherwise;
		return 0;
	}
	copy = arena_strndup(inv->arena, value.data, value.length);
	if (!copy)
		return error_memory(inv->err);
	string_printable(copy);
	*ret = copy;
	return 0;
}

/*
 * "dri/card1", "dri/renderD128". Without the directory, the GPU has no DRM nodes, because
 * nvidia-drm isn't loaded.
 */
static int read_drm(struct inventory *inv, struct gpu *gpu)
{
	const char *path = arena_printf(inv->arena, "bus/pci/devices/%s/drm", gpu->bus_id);
	struct strings names;
	int r = path ? host_list(&inv->roots->sys, path, inv->arena, &names) : -ENOMEM;

	if (r < 0)
		return error_errno(inv->err, -r, "read the DRM nodes of GPU %s", gpu->bus_id);
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.items[i];

		if (!string_starts(name, "card") && !string_starts(name, "renderD"))
			continue;
		name = arena_printf(inv->arena, "dri/%s", name);
		if (!name || strings_add(inv->arena, &gpu->drm_nodes, name) < 0)
			return error_memory(inv->err);
	}
	return 0;
}

static int read_gpu(struct inventory *inv, const char *id)
{
	const char *path = arena_printf(inv->arena, GPUS "/%s/information", id);
	struct slice minor;
	uint64_t number;
	const char *node;
	struct gpu *gpu;
	char *text;
	int r = path ? host_read_text(&inv->roots->proc, path, inv->arena, &text) : -ENOMEM;

	if (r < 0)
		return error_errno(inv->err, -r, "read %s/" GPUS "/%s/information",
				   inv->roots->proc.path, id);
	/*
	 * The driver doesn't use an excluded GPU, and NVML doesn't count it. Before 450, the line
	 * was "Blacklisted".
	 */
	if (is_yes(text, "GPU Excluded") || is_yes(text, "Blacklisted"))
		return 0;
	minor = host_value(text, "Device Minor");
	if (parse_number(minor.data, minor.length, 10, 0xfffff, &number) < 0)
		return error_set(inv->err, ERROR_SYSTEM, EINVAL, "check `dmesg | grep NVRM`",
				 "read %s/" GPUS
				 "/%s/information: the line Device Minor is missing",
				 inv->roots->proc.path, id);
	gpu = ARENA_PUSH(inv->arena, &inv->driver->gpus);
	if (!gpu)
		return error_memory(inv->err);
	*gpu = (struct gpu){
		.index = (unsigned)(inv->driver->gpus.count - 1 + inv->driver->lost.count),
		.minor = (unsigned)number,
		.bus_id = id,
	};
	node = arena_printf(inv->arena, "nvidia%u", gpu->minor);
	if (!node || strings_add(inv->arena, &gpu->nodes, node) < 0)
		return error_memory(inv->err);
	r = copy_value(inv, text, "GPU UUID", GPU_UUID_UNKNOWN, &gpu->uuid);
	if (r == 0)
		r = copy_value(inv, text, "Model", "", &gpu->model);
	if (r == 0)
		r = inventory_read_mig(inv, gpu);
	if (r == 0 && (inv->capabilities & (CAPABILITY_GRAPHICS | CAPABILITY_DISPLAY)))
		r = read_drm(inv, gpu);
	return r;
}

/*
 * A GPU that can't be read fell off the bus, is being removed, or was just added. It keeps its
 * index, so that requests for other indices still get the same GPUs.
 */
static int lose_gpu(struct inventory *inv, const char *id, size_t count)
{
	struct driver *driver = inv->driver;
	struct lost_gpu *lost = ARENA_PUSH(inv->arena, &driver->lost);
	const char *problem = arena_printf(inv->arena, "cannot %s", inv->err->message);

	if (!lost || !problem)
		return error_memory(inv->err);
	driver->gpus.count = count;
	*lost = (struct lost_gpu){
		.bus_id = id,
		.index = (unsigned)(count + driver->lost.count - 1),
		.counted = true,
		.problem = problem,
	};
	log_line(LOG_LEVEL_WARNING, "GPU %s is skipped: %s", id, problem);
	*inv->err = (struct error){0};
	return 0;
}

/* If /proc lists no GPU, an existing GPU node shows that something hides the GPUs. */
static void find_hidden_node(struct inventory *inv)
{
	for (unsigned minor = 0; minor < MINORS_TRIED; minor++) {
		const char *name = arena_printf(inv->arena, "nvidia%u", minor);
		struct stat st;

		if (name && host_stat_node(&inv->roots->dev, name, &st) == 0 &&
		    S_ISCHR(st.st_mode) && major(st.st_rdev) == inv->driver->majors.gpu &&
		    minor(st.st_rdev) == minor) {
			inv->driver->hidden_node = name;
			return;
		}
	}
}

/*
 * Whether the GPUs read so far, which are the first in bus order, suffice for these devices: each
 * is an index or a UUID of one of them. An index depends only on the GPUs before it, some of which
 * the driver may exclude.
 */
static bool is_settled(const struct driver *driver, const struct strings *devices)
{
	uint64_t index;

	for (size_t i = 0; i < devices->count; i++) {
		const char *item = devices->items[i];

		if (parse_number(item, strlen(item), 10, UINT32_MAX, &index) == 0
			    ? !driver_find_index(driver, (unsigned)index) &&
				      !driver_find_lost(driver, (unsigned)index)
			    : strncasecmp(item, "GPU-", 4) != 0 || !driver_find_uuid(driver, item))
			return false;
	}
	return true;
}

/*
 * Reads GPUs in bus order and stops at the last one requested. The driver needs 0.2 ms to describe
 * a GPU (H200, driver 580). For eight GPUs, that is nearly as long as everything else takes.
 */
int inventory_read_gpus(struct inventory *inv)
{
	struct driver *driver = inv->driver;
	struct strings ids;
	bus_id id;
	int r = host_list(&inv->roots->proc, GPUS, inv->arena, &ids);

	if (r < 0)
		return error_errno(inv->err, -r, "read %s/" GPUS, inv->roots->proc.path);
	if (ids.count)
		qsort(ids.items, ids.count, sizeof(*ids.items), by_bus_id);
	for (size_t i = 0; r == 0 && i < ids.count && !driver->gpus_partial; i++) {
		size_t count = driver->gpus.count;

		if (bus_id_parse(ids.items[i], &id) < 0)
			continue;
		r = read_gpu(inv, ids.items[i]);
		if (r < 0 && r != -ENOMEM)
			r = lose_gpu(inv, ids.items[i], count);
		driver->gpus_partial =
			i + 1 < ids.count && inv->devices && is_settled(driver, inv->devices);
	}
	if (r == 0 && ids.count == 0)
		find_hidden_node(inv);
	return r;
}
