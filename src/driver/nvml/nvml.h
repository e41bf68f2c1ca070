// SPDX-License-Identifier: Apache-2.0
/* Starts davit-nvml and parses its answer. */
#pragma once

#include "davit/driver.h"

#define NVML_TIMEOUT_MS 5000
#define NVML_OUTPUT_MAX ((size_t)256 * 1024)

/*
 * Opens the first of these paths that exists, for nvml_run. It must be a regular file, not a link,
 * that belongs to root or the effective user and that no other user can write. fd or -errno.
 */
int nvml_open_program(const char *const *paths, size_t count, struct error *err);

/* The arguments of davit-nvml: paths on the host. */
struct nvml_question {
	const char *library; /* libnvidia-ml */
	const char *dev;     /* the directory of the nodes; NULL: /dev */
	const char *before;  /* a library that libnvidia-ml opens by its bare name; or NULL */
};

/*
 * Runs the program with these arguments. It keeps only the privileges that its sandbox needs
 * (spawn_run). *ret is its output. 0 or -errno: killed by a signal, exit code not 0 (with the first
 * line of its stderr), more than NVML_OUTPUT_MAX bytes, or not finished within timeout_ms.
 */
int nvml_run(int program_fd, const struct nvml_question *question, int timeout_ms,
	     struct arena *arena, char **ret, size_t *ret_length, struct error *err);

/*
 * Adds the answer's facts to the GPUs of `driver`, which are matched by bus id. The GPU that isn't
 * on a bus gets the answer that matches no other, whatever bus id NVML reports for it. With
 * driver->gpus_by_nvml, NVML's GPUs replace the one known before, and each gets its nodes. The text
 * is not trusted: type, length and range of every member are checked, and a contradiction to /proc
 * is an error. MIG instances get a new array, so that an earlier selection remains valid.
 */
int nvml_answer_merge(const char *text, size_t length, struct arena *arena, struct driver *driver,
		      struct error *err);

/*
 * Does all of this, as driver_ask_nvml promises. driver->nvml_asked becomes true if there was an
 * answer.
 */
int nvml_ask(const struct nvml_question *question, struct driver *driver, struct arena *arena,
	     struct error *err);
