// SPDX-License-Identifier: Apache-2.0
/*
 * try: runs a bundle's command with its GPUs, without a runtime. It is for finding problems, not
 * for running containers: only mount and PID namespaces, no seccomp, the host's network.
 */
#pragma once

#include "davit/base.h"
#include "davit/config.h"

/* ---- replacing the bundle's request ------------------------------------------------------- */

/* The replacements of config.json's request. NULL or empty: unchanged. */
struct try_request {
	const char *gpus;         /* the value of --gpus, as typed */
	const char *devices;      /* the same as a value of NVIDIA_VISIBLE_DEVICES */
	const char *capabilities; /* NVIDIA_DRIVER_CAPABILITIES */
	/* The option that named them: "--capabilities" or "--gpus"; NULL: none. */
	const char *capabilities_place;
	struct strings variables; /* for process.env, each with a "=" */
};
/*
 * Reads a value of --gpus into gpus and devices, and, unless they are set, capabilities. The forms
 * are those of docker run (docker/cli, opts/gpus.go): fields separated by commas and quoted as in a
 * CSV file.
 * - "2", "count=2": the first two GPUs, "0,1"; "all", "count=all": all GPUs.
 * - "\"device=0,GPU-...\"": these GPUs.
 * - "capabilities=...": without "gpu" and "nvidia".
 * - "driver=nvidia", "options=...": accepted, without an effect.
 * - Refused by docker, but accepted here: a list without "device=" ("0,1", "GPU-...", "none",
 *   "void", "vendor.com/class=name"), and "device=0,1" without quotes.
 *
 * 0, -ENOMEM, or -EINVAL with ERROR_BAD_REQUEST, which names the value; also for "".
 */
int try_request_parse_gpus(const char *value, struct arena *arena, struct try_request *ret,
			   struct error *err);
/*
 * Reads a value of --capabilities, a list as in NVIDIA_DRIVER_CAPABILITIES, into capabilities.
 * 0, -ENOMEM, or -EINVAL with ERROR_BAD_REQUEST for a name that isn't a capability.
 */
int try_request_parse_capabilities(const char *value, struct arena *arena, struct try_request *ret,
				   struct error *err);
struct json_object;
/*
 * Parses the text of a config.json and replaces its request. New devices, also by a variable,
 * replace all sources of devices there: variables, annotations, mounts, and the hook of
 * davit-runtime in an edited bundle. The caller releases *ret, also after an error. 0 or -errno,
 * err filled (ERROR_BAD_BUNDLE).
 */
int try_request_apply(const struct try_request *request, const struct config *config,
		      const char *text, size_t length, struct arena *arena,
		      struct json_object **ret, struct error *err);
/* The part of `runc spec`'s config.json that davit uses. It requests no GPU. */
extern const char try_minimal_config[];

/* ---- a run --------------------------------------------------------------------------------- */

struct try_options {
	const struct config *config;
	const char *bundle; /* absolute */
	struct try_request request;
	const struct strings *command; /* empty: process.args of config.json */
};

/* The exit codes are docker run's. */
#define TRY_EXIT_FAILED 125
#define TRY_EXIT_CANNOT_RUN 126
#define TRY_EXIT_NOT_FOUND 127

/*
 * Runs the command in the bundle's root, under a writable view that disappears at the end, and with
 * the plan applied by the hook's code. On return, all its processes have ended, and mounts, files
 * and the cgroup are removed. 0 with the exit code in *ret_status: the command's, 128 + its signal,
 * or one of the above (the line is already on standard error); or -errno, err filled. Needs root's
 * rights over mounts. The command inherits every descriptor that isn't close-on-exec. The process
 * has one thread; SIGTERM and similar signals are passed on.
 */
int try_run(const struct try_options *options, struct arena *arena, int *ret_status,
	    struct error *err);
