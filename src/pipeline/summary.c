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

/* The same with those of other vendors: "0, 1, AMD 0". NULL without memory. */
static const char *list_all(const struct pipeline *pipeline, struct arena *arena)
{
	const char *nvidia = list_devices(&pipeline->selection, arena);
	struct strings names = {0};

	if (!nvidia || (*nvidia && strings_add(arena, &names, nvidia) < 0))
		return NULL;
	for (size_t i = 0; i < pipeline->choices.count; i++) {
		const struct choice *choice = &pipeline->choices.items[i];

		for (size_t j = 0; j < choice->count; j++) {
			const char *name = arena_printf(arena, "%s %u", choice->vendor->title,
							choice->items[j]->index);

			if (!name || strings_add(arena, &names, name) < 0)
				return NULL;
		}
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
	const char *devices, *sources;

	if (!log_enabled(LOG_LEVEL_INFO))
		return;
	devices = list_all(pipeline, arena);
	sources = gpu_request_sources(&pipeline->request, arena);
	log_line(LOG_LEVEL_INFO,
		 "container %s: GPUs: %s; %zu nodes, %zu mounts, %zu links; by %s; driver %s",
		 container, devices && *devices ? devices : "none",
		 count_operations(plan, OPERATION_DEVICE), count_operations(plan, OPERATION_BIND),
		 count_operations(plan, OPERATION_SYMLINK),
		 sources && *sources ? sources : "its caller",
		 pipeline->driver.version   ? pipeline->driver.version
		 : pipeline->request.nvidia ? "unknown"
					    : "of the kernel");
}
