// SPDX-License-Identifier: Apache-2.0
/*
 * try: a bundle's command with its GPUs, without any runtime. For finding out what is wrong, not
 * for running containers: namespaces of mounts and processes only, no seccomp, the host's network.
 */
#pragma once

#include "davit/base.h"
#include "davit/config.h"

/* ---- another request than the bundle's ---------------------------------------------------- */

/* What replaces the request of config.json. NULL or empty: nothing does. */
struct try_request {
	const char *gpus;         /* the value of --gpus, as it was typed */
	const char *devices;      /* the same, as NVIDIA_VISIBLE_DEVICES has it */
	const char *capabilities; /* NVIDIA_DRIVER_CAPABILITIES */
	struct strings variables; /* of process.env, each with a "=" */
};
/*
 * Reads a value of --gpus into gpus and devices, and, unless they are set, capabilities. The forms
 * are those of docker run (docker/cli, opts/gpus.go): fields separated by commas and quoted as in a
 * CSV file.
 * - "2", "count=2": the first two GPUs, "0,1"; "all", "count=all": all GPUs.
 * - "\"device=0,GPU-...\"": these GPUs.
 * - "capabilities=...": of these, "gpu" and "nvidia" are left out.
 * - "driver=nvidia", "options=...": accepted, without an effect.
 * Besides, what docker refuses: a list without "device=" ("0,1", "GPU-...", "none", "void",
 * "vendor.com/class=name"), and "device=0,1" without its quotes.
 * 0, -ENOMEM, or -EINVAL with ERROR_BAD_REQUEST, which names the value.
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
 * Parses the text of a config.json and puts the request in the place of its own. Devices, also by
 * a variable, replace whatever asks for devices there: variables, annotations, mounts, and the
 * hook of davit-runtime in a bundle that it has edited. The caller puts *ret, also on failure.
 * 0 or -errno, err filled (ERROR_BAD_BUNDLE).
 */
int try_request_apply(const struct try_request *request, const struct config *config,
		      const char *text, size_t length, struct arena *arena,
		      struct json_object **ret, struct error *err);
/* A config.json as `runc spec` writes it, as far as davit follows it. It requests no GPU. */
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
 * Runs it in the bundle's root, which is covered with a writable view that vanishes, with the plan
 * applied by the same code as the hook's. When this returns, every process of it is gone, and so
 * are mounts, files and cgroup. 0, *ret_status is what to exit with: the command's exit code, 128 +
 * its signal, or one of the above (the line is on standard error already); or -errno, err filled.
 * Needs the rights of root over mounts. The command gets every descriptor that isn't
 * close-on-exec. The process has one thread; SIGTERM and its like are passed on meanwhile.
 */
int try_run(const struct try_options *options, struct arena *arena, int *ret_status,
	    struct error *err);
