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
	struct operation spare; /* the target of writes if there is no memory */
	bool failed;
	const char *absent; /* the first node that is needed and not there; or NULL */
};

/* Appends a required operation to the plan. Never NULL: without memory, b->failed is set. */
struct operation *plan_add(struct builder *b, enum operation_kind kind, const char *target,
			   const char *because);
/* Nodes and their device rules: of the driver and the GPUs, then of the families. */
int plan_add_devices(struct builder *b, const struct selection *selection, struct error *err);
/* Adds an existing node. */
void plan_add_node(struct builder *b, const struct device_node *node, const char *because,
		   bool required);
/* Adds a node that may be missing. It is recorded then, and if it is required, plan_make fails. */
void plan_need_node(struct builder *b, const char *name, const char *because, bool required);
/* /dev/dri/by-path/pci-BUS-card -> ../card0, of "dri/card0"; likewise render. Optional. */
void plan_add_drm_link(struct builder *b, const char *bus_id, const char *name,
		       const char *because);
/* The selected GPUs of another vendor. */
void plan_add_choice(struct builder *b, const struct choice *choice);
int plan_add_families(struct builder *b, struct error *err);
/* Adds files that belong to devices: those that GPUDirect Storage and EGL read. */
void plan_add_companions(struct builder *b, const struct selection *selection);
/* The visible MIG entries beneath /proc/driver/nvidia/capabilities. */
void plan_add_mig_capabilities(struct builder *b, const struct selection *selection);
/* The driver's libraries, or its other files. */
void plan_add_files(struct builder *b, bool libraries);
/* The links to files. `late`: those that a mount of their target may replace. */
void plan_add_file_links(struct builder *b, bool late);
/* The directory of MPS' pipes. */
void plan_add_mps(struct builder *b);
/* The image's own newer libraries, for the loader cache. */
void plan_add_compat(struct builder *b);
/* The loader's cache, or musl's path, and the configuration for a later ldconfig. */
void plan_add_loader_search(struct builder *b);
