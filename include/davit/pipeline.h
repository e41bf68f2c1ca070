// SPDX-License-Identifier: Apache-2.0
/*
 * pipeline: the way through, from a bundle to a plan, for all programs alike:
 *     config.json -> request -> driver -> selection -> image -> plan
 * What was decided before an error stays readable, so that it can be explained.
 */
#pragma once

#include "davit/base.h"
#include "davit/cdi_edits.h"
#include "davit/config.h"
#include "davit/driver.h"
#include "davit/image.h"
#include "davit/oci.h"
#include "davit/plan.h"
#include "davit/request.h"

/* How far it got. */
enum pipeline_stage {
	PIPELINE_START,
	PIPELINE_SPEC,      /* `spec`, `rootfs` are filled */
	PIPELINE_REQUEST,   /* `request` too (also when it was refused) */
	PIPELINE_DRIVER,    /* `driver`, if NVIDIA's GPUs are asked for */
	PIPELINE_SELECTION, /* `selection` and `choices` */
	PIPELINE_PLAN,      /* `image`, `plan` */
};

struct pipeline {
	enum pipeline_stage stage;
	const struct config *config;
	/*
	 * Set by who acts: modules are loaded and nodes of the host made when they are missing and
	 * driver.load-modules allows it. Else a plan is made as if they had been.
	 */
	bool may_repair;
	/*
	 * Set by who gives a container the caller's own view (nvidia-container-cli without --pid):
	 * GPUs whose node the caller may not open don't count, as NVML has it.
	 */
	bool as_caller;
	/* Set by davit-runtime, and who speaks for it: gpu_request_resolve_for_runtime. */
	bool for_runtime;
	/* config.json will be written: a CDI spec's edits can all be made. */
	bool writes_spec;
	/* Where the user wrote the devices, for remedies ("--gpus"); NULL: as the request tells. */
	const char *place;
	/* Absolute. `rootfs` may be set before the request is decided, by who knows it better. */
	const char *bundle, *rootfs;
	char *text; /* config.json */
	size_t text_length;
	struct oci_spec spec;
	struct gpu_request request;
	struct driver_roots roots;
	struct driver driver;
	struct selection selection;
	struct strings notes;   /* warnings: what a user of the container should know */
	struct cdi_edits cdi;   /* of the devices that specs describe */
	struct choices choices; /* of vendors other than NVIDIA; with their reading */
	struct image image;
	struct plan plan;
};
void pipeline_close(struct pipeline *pipeline);
#define AUTO_PIPELINE __attribute__((cleanup(pipeline_close))) struct pipeline
/* Start with this: no descriptor open. */
#define PIPELINE_INIT                      \
	{                                  \
		.roots = DRIVER_ROOTS_INIT \
	}

/* Reads config.json of the bundle (absolute, must outlive the pipeline), as text. */
int pipeline_read(struct pipeline *pipeline, const struct config *config, const char *bundle,
		  struct arena *arena, struct error *err);
/* The same of the file that stands in the place of config.json. */
int pipeline_read_file(struct pipeline *pipeline, const struct config *config, const char *bundle,
		       const char *path, struct arena *arena, struct error *err);
/*
 * Parses it and decides the request, without a system call: that is what a container without GPUs
 * costs. `request.gpu` false: nothing more is to be done.
 */
int pipeline_request(struct pipeline *pipeline, struct arena *arena, struct error *err);
/*
 * What the host has for a request that has GPUs: driver, selection, requirements. Programs of the
 * host (davit-nvml, modprobe) are started here or not at all.
 */
int pipeline_driver(struct pipeline *pipeline, struct arena *arena, struct error *err);
/*
 * Adds to `notes` which groups the container's user lacks for its nodes, where nobody adds them: a
 * hook can't. Looks at `spec` and `choices`. 0 or -ENOMEM.
 */
int pipeline_note_groups(struct pipeline *pipeline, struct arena *arena, struct error *err);
/*
 * The line of level `info` that a container gets when all is done: its name, GPUs, mounts, and, as
 * every line, the milliseconds.
 */
void pipeline_log_summary(const struct pipeline *pipeline, const char *container,
			  struct arena *arena);
/* The notes as lines of level `warning`. */
void pipeline_log_notes(const struct pipeline *pipeline);
/*
 * Has NVML tell what it alone knows of this driver (driver_ask_nvml), with nodes made first that it
 * needs. Where the inventory says that it may be left unproven, a warning takes the place of an
 * error, and driver.unproven says why.
 */
int pipeline_ask_nvml(struct pipeline *pipeline, struct arena *arena, struct error *err);
/*
 * The rest of the way: the image behind `root`, and the plan. Without a root (fd -1) the image
 * isn't known: image_assume.
 */
int pipeline_plan(struct pipeline *pipeline, const struct root *root, struct arena *arena,
		  struct error *err);
