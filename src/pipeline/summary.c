// SPDX-License-Identifier: Apache-2.0
#include "davit/pipeline.h"

/* "0, 1/gi2/ci0": GPUs by index, MIG instances by the ids of their parts. */
static const char *list_devices(const struct selection *selection, struct arena *arena)
{
	struct strings names = {0};

	for (size_t i = 0; i < selection->count; i++) {
		const struct selected_device *device = &selection->items[i];
		const char *name = arena_printf(arena, "%u", device->gpu->index);

		if (device->mig)
			name = arena_printf(arena, "%u/gi%u/ci%u", device->gpu->index,
					    device->mig->gpu_instance,
					    device->mig->compute_instance);
		if (!name || strings_add(arena, &names, name) < 0)
			return NULL;
	}
	return strings_join(arena, &names, ", ");
}

static size_t count_operations(const struct plan *plan, enum operation_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->count; i++)
		count += plan->items[i].kind == kind;
	return count;
}

void pipeline_log_summary(const struct pipeline *pipeline, const char *container,
			  struct arena *arena)
{
	const struct plan *plan = &pipeline->plan;
	const char *devices;

	if (!log_enabled(LOG_LEVEL_INFO))
		return;
	devices = list_devices(&pipeline->selection, arena);
	log_line(LOG_LEVEL_INFO,
		 "container %s: GPUs: %s; %zu nodes, %zu mounts, %zu links; by %s; driver %s",
		 container, devices && *devices ? devices : "none",
		 count_operations(plan, OPERATION_DEVICE), count_operations(plan, OPERATION_BIND),
		 count_operations(plan, OPERATION_SYMLINK),
		 pipeline->request.from && *pipeline->request.from ? pipeline->request.from
								   : "its caller",
		 pipeline->driver.version ? pipeline->driver.version : "unknown");
}
