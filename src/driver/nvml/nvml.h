// SPDX-License-Identifier: Apache-2.0
/* How davit-nvml is started and its answer taken in. */
#pragma once

#include "davit/driver.h"

#define NVML_TIMEOUT_MS 5000
#define NVML_OUTPUT_MAX ((size_t)256 * 1024)

/*
 * Opens the first of these paths that exists, for nvml_run: a regular file (a link is none) of root
 * or of the effective user, which nobody else can write. fd or -errno.
 */
int nvml_open_program(const char *const *paths, size_t count, struct error *err);

/* Paths that the loader can be given, as the host sees them. */
struct nvml_question {
	const char *library; /* libnvidia-ml */
	const char *dev;     /* the directory of the nodes; NULL: /dev */
	const char *before;  /* a library that libnvidia-ml opens by its bare name; or NULL */
};

/*
 * Runs the program with that question, with no more privileges than its sandbox takes (spawn_run).
 * What it printed is put in *ret. 0 or -errno: killed by a signal, exit code not 0 (with the first
 * line of its stderr), more than NVML_OUTPUT_MAX bytes, or not done within timeout_ms.
 */
int nvml_run(int program_fd, const struct nvml_question *question, int timeout_ms,
	     struct arena *arena, char **ret, size_t *ret_length, struct error *err);

/*
 * Takes over what the answer says of the GPUs of `driver`, which are found by bus id; the one that
 * is on no bus by that, whatever bus NVML tells. With driver->gpus_by_nvml NVML's GPUs are the
 * host's, each with the nodes of the one that was known. The text is not trusted: every member's
 * type, length and range is checked, and what contradicts /proc is an error. MIG instances get a
 * new array, so that a selection made before stays good.
 */
int nvml_answer_merge(const char *text, size_t length, struct arena *arena, struct driver *driver,
		      struct error *err);

/*
 * All of that: what driver_ask_nvml promises. driver->nvml_asked says whether there was an answer.
 */
int nvml_ask(const struct nvml_question *question, struct driver *driver, struct arena *arena,
	     struct error *err);
