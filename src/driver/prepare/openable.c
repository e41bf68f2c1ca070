// SPDX-License-Identifier: Apache-2.0
/* The GPUs that count for the caller: NVML numbers those whose node it can open. */
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "prepare.h"

static struct device_node *find_node(struct driver *driver, const char *name)
{
	for (size_t i = 0; i < driver->nodes.count; i++)
		if (strcmp(driver->nodes.items[i].name, name) == 0)
			return &driver->nodes.items[i];
	return NULL;
}

/*
 * Whether the driver's tools could create the node again: no file is in its place, and they may
 * create it.
 */
static bool can_be_made(struct inventory *inv, const struct device_node *node)
{
	struct device_node copy = *node;
	struct stat st;

	return inv->driver->repairable &&
	       host_stat_node(&inv->roots->dev, node->name, &st) == -ENOENT &&
	       privilege_may_make_nodes() && inventory_make_node(inv, &copy, false) == 0 &&
	       copy.to_be_made;
}

/*
 * A node of the driver with another number doesn't hide the GPU. It is a fault of the host, which
 * is reported elsewhere.
 */
static bool is_stale(const struct inventory *inv, const struct device_node *node)
{
	struct stat st;

	return host_stat_node(&inv->roots->dev, node->name, &st) == 0 && S_ISCHR(st.st_mode) &&
	       major(st.st_rdev) == node->major;
}

/*
 * Why the node can't be opened, or NULL. For access(2), the kernel also checks the device cgroup,
 * and that doesn't wake the GPU.
 */
static const char *objection(struct inventory *inv, const struct device_node *node, bool as_caller)
{
	const char *dev = inv->roots->dev.path;

	if (!node->present && is_stale(inv, node))
		return NULL;
	if (!node->present)
		return can_be_made(inv, node)
			       ? NULL
			       : arena_printf(inv->arena,
					      "the node %s/%s doesn't exist and can't be created",
					      dev, node->name);
	if (as_caller && faccessat(inv->roots->dev.fd, node->name, R_OK | W_OK, AT_EACCESS) < 0)
		return arena_printf(inv->arena, "its node %s/%s can't be opened here: %s", dev,
				    node->name, strerror(errno));
	return NULL;
}

static const char *gpu_objection(struct inventory *inv, const struct gpu *gpu, bool as_caller)
{
	const char *problem = NULL;

	for (size_t i = 0; !problem && i < gpu->nodes.count; i++) {
		const struct device_node *node = find_node(inv->driver, gpu->nodes.items[i]);

		if (node && !node->optional)
			problem = objection(inv, node, as_caller);
	}
	return problem;
}

static int exclude_gpu(struct inventory *inv, const struct gpu *gpu, const char *problem)
{
	struct lost_gpu *lost = ARENA_PUSH(inv->arena, &inv->driver->lost);

	if (!lost)
		return -ENOMEM;
	*lost = (struct lost_gpu){.bus_id = gpu->bus_id, .problem = problem};
	log_line(LOG_LEVEL_INFO, "GPU %s is not counted: %s", gpu->bus_id, problem);
	return 1;
}

int driver_count_openable(const struct driver_roots *roots, const struct config *config,
			  bool as_caller, struct arena *arena, struct driver *driver,
			  struct error *err)
{
	struct error ignored;
	struct inventory inv = inventory_of(roots, config, driver, arena, &ignored);
	struct gpus *gpus = &driver->gpus;
	size_t kept = 0;
	int left_out = 0;

	inv.pretend = true;
	for (size_t i = 0; i < gpus->count; i++) {
		const char *problem = gpu_objection(&inv, &gpus->items[i], as_caller);
		int r = problem ? exclude_gpu(&inv, &gpus->items[i], problem) : 0;

		if (r < 0)
			return error_memory(err);
		left_out |= r;
		if (!r)
			gpus->items[kept++] = gpus->items[i];
	}
	/*
	 * The node of a GPU that can't be read is unknown, and NVML doesn't count such a GPU,
	 * either.
	 */
	for (size_t i = 0; left_out && i < driver->lost.count; i++)
		driver->lost.items[i].counted = false;
	gpus->count = kept;
	for (size_t i = 0; left_out && i < kept; i++)
		gpus->items[i].index = (unsigned)i;
	return left_out;
}
