// SPDX-License-Identifier: Apache-2.0
/* What gathering several engines shares. Functions that return int: 0 or -ENOMEM. */
#pragma once

#include "doctor.h"

#define RUNTIME_NAME "nvidia"

int engine_gather_docker(struct doctor_gathering *g, struct doctor_engine *engine);
int engine_gather_containerd(struct doctor_gathering *g, struct doctor_engine *engine);
/* Takes the error of reading its files; that a file can't be read is also a fact. */
int engine_take_error(struct doctor_engine *engine, int r, const struct error *err);
struct engine_files;
/* The files' times count, and whether the main one exists. */
void engine_take_files(struct doctor_gathering *g, const struct engine_files *files,
		       struct doctor_engine *engine);
/* Why dockerd doesn't start with that userns-remap; *ret stays if it does, or if davit can't tell.
 */
int engine_judge_userns(struct doctor_gathering *g, const char *value, const char **ret);
/* A file that davit wrote for the engine, but that the engine doesn't read. */
int engine_find_unread(struct doctor_gathering *g, const char *path,
		       const struct engine_files *files, struct doctor_engine *engine);
/* The file's time counts as a change of the engine's configuration. */
void engine_take_time(struct doctor_gathering *g, const char *path, struct doctor_engine *engine);
/* Finds the first directory with a spec that the engine's files name, besides the defaults. */
void engine_find_own_specs(struct doctor_gathering *g, struct doctor_engine *engine);
/* Finds the installed program, if no daemon is running. */
int engine_find_installed(struct doctor_gathering *g, const char *name,
			  struct doctor_engine *engine);
/* Finds the program of the runtime nvidia. */
int engine_find_runtime(struct doctor_gathering *g, struct doctor_engine *engine);
/* Adds the arguments with which systemd will start a daemon that is stopped. */
int engine_take_unit(struct doctor_gathering *g, const char *name, struct doctor_engine *engine,
		     struct strings *arguments);
/* A rootless daemon's file in its user's configuration; `system` for the host's. NULL: no memory.
 */
const char *engine_file_of(struct doctor_gathering *g, const struct doctor_engine *engine,
			   const char *name, const char *system);
