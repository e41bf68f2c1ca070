// SPDX-License-Identifier: Apache-2.0
/*
 * pipeline: the data flow from a bundle to a plan, the same for all programs:
 *     config.json -> request -> driver -> selection -> image -> plan
 * After an error, the results of the earlier stages remain readable, so that they can be explained.
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

/* The last stage that was reached. */
enum pipeline_stage {
	PIPELINE_START,
	PIPELINE_SPEC,      /* `spec`, `rootfs` are filled */
	PIPELINE_REQUEST,   /* also `request`, even if it was refused */
	PIPELINE_DRIVER,    /* `driver`, if NVIDIA GPUs are requested */
	PIPELINE_SELECTION, /* `selection` and `choices` */
	PIPELINE_PLAN,      /* `image`, `plan` */
};

struct pipeline {
	enum pipeline_stage stage;
	const struct config *config;
	/*
	 * Set by programs that change the container: load missing modules and create missing nodes
	 * of the host, if driver.load-modules allows it. If false, the plan assumes that this was
	 * done.
	 */
	bool may_repair;
	/*
	 * Set if the container gets the caller's view (nvidia-container-cli without --pid): GPUs
	 * whose node the caller can't open aren't counted, as in NVML.
	 */
	bool as_caller;
	/* Set for davit-runtime's result: use gpu_request_resolve_for_runtime. */
	bool for_runtime;
	/* config.json will be written, so all edits of a CDI spec are possible. */
	bool writes_spec;
	/*
	 * What the user typed for the devices, for remedies ("--gpus"); NULL: the request's source.
	 */
	const char *place;
	/* The same for the capabilities ("--capabilities"); NULL: NVIDIA_DRIVER_CAPABILITIES. */
	const char *capabilities_place;
	/* Absolute. A caller that knows `rootfs` may set it before pipeline_request. */
	const char *bundle, *rootfs;
	char *text; /* config.json */
	size_t text_length;
	struct oci_spec spec;
	struct gpu_request request;
	struct driver_roots roots;
	struct driver driver;
	struct selection selection;
	struct strings notes;   /* warnings for the container's user */
	struct cdi_edits cdi;   /* the edits of devices in CDI specs */
	struct choices choices; /* the other vendors' GPUs, as read and selected */
	struct image image;
	struct plan plan;
};
void pipeline_close(struct pipeline *pipeline);
#define AUTO_PIPELINE __attribute__((cleanup(pipeline_close))) struct pipeline
/* The initial value, without open descriptors. */
#define PIPELINE_INIT                      \
	{                                  \
		.roots = DRIVER_ROOTS_INIT \
	}

/*
 * Reads the text of the bundle's config.json. `bundle` is absolute and must outlive the pipeline.
 */
int pipeline_read(struct pipeline *pipeline, const struct config *config, const char *bundle,
		  struct arena *arena, struct error *err);
/* The same with another file instead of config.json. */
int pipeline_read_file(struct pipeline *pipeline, const struct config *config, const char *bundle,
		       const char *path, struct arena *arena, struct error *err);
/*
 * Parses the text and decides the request, without a system call. If `request.gpu` is false, the
 * container requests no GPU, and the later stages must not be called.
 */
int pipeline_request(struct pipeline *pipeline, struct arena *arena, struct error *err);
/*
 * For a request of GPUs: reads the driver, selects GPUs and checks the requirements. Only this
 * stage starts programs of the host (davit-nvml, modprobe).
 */
int pipeline_driver(struct pipeline *pipeline, struct arena *arena, struct error *err);
/*
 * Adds to `notes` the groups that the container's user lacks for its nodes. A hook can't add them.
 * Reads `spec` and `choices`. 0 or -ENOMEM.
 */
int pipeline_note_groups(struct pipeline *pipeline, struct arena *arena, struct error *err);
/*
 * Logs the summary of a container at level `info`: its name, GPUs and mounts, and, as in every
 * line, the milliseconds.
 */
void pipeline_log_summary(const struct pipeline *pipeline, const char *container,
			  struct arena *arena);
/* Logs the notes at level `warning`. */
void pipeline_log_notes(const struct pipeline *pipeline);
/*
 * Queries NVML for facts that only NVML has (driver_ask_nvml), after creating the nodes that it
 * needs. If the inventory allows unverified facts, a failure is only a warning, and driver.unproven
 * has the reason.
 */
int pipeline_ask_nvml(struct pipeline *pipeline, struct arena *arena, struct error *err);
/*
 * Inspects the image in `root` and makes the plan. Without a root (fd -1), the image is unknown
 * (image_assume).
 */
int pipeline_plan(struct pipeline *pipeline, const struct root *root, struct arena *arena,
		  struct error *err);
