// SPDX-License-Identifier: Apache-2.0
/* What the parts of the planner share while a plan is made. */
#pragma once

#include "davit/plan.h"

struct builder {
	const struct gpu_request *request;
	const struct driver *driver;
	const struct image *image;
	struct arena *arena;
	struct plan *plan;
	struct operation spare; /* written to when there is no memory */
	bool failed;
};

/* A new required operation at the plan's end. Never NULL: without memory b->failed is set. */
struct operation *plan_add(struct builder *b, enum operation_kind kind, const char *target,
			   const char *because);
/* Nodes and their device rules. */
int plan_add_devices(struct builder *b, const struct selection *selection, struct error *err);
/* The directories of a MIG instance beneath /proc/driver/nvidia/capabilities. */
void plan_add_mig_capability(struct builder *b, const struct selected_device *device);
