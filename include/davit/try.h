// SPDX-License-Identifier: Apache-2.0
/*
 * try: a bundle's command with its GPUs, without any runtime. For finding out what is wrong, not
 * for running containers: namespaces of mounts and processes only, no seccomp, the host's network.
 */
#pragma once

#include "davit/base.h"
#include "davit/config.h"

struct try_options {
	const struct config *config;
	const char *bundle;            /* absolute */
	const char *devices;           /* in the place of what config.json asks for; or NULL */
	const char *capabilities;      /* the same for NVIDIA_DRIVER_CAPABILITIES; or NULL */
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
