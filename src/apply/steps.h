// SPDX-License-Identifier: Apache-2.0
/* The steps of applying a plan that have their own files. */
#pragma once

#include "davit/apply.h"
#include "davit/attach.h"

/*
 * Sets the device rules: replaces each attached program on cgroup v2, or writes devices.allow on
 * v1. Nested and rootless callers can't set rules; the log then says so. 0 or -errno, err filled.
 */
int cgroup_allow_devices(const struct plan *plan, pid_t pid, struct arena *arena,
			 struct error *err);

/* The cgroup v2 path of a process, if /sys/fs/cgroup is cgroup v2; otherwise NULL. */
const char *cgroup_unified_path(pid_t pid, struct arena *arena);

/*
 * Asks systemd to add the plan's devices to its list. A failure is a warning. The answer is awaited
 * when everything else is done. True if an answer will come.
 */
bool systemd_ask(const struct plan *plan, const struct container *container, struct arena *arena);
void systemd_await(const struct container *container);

/* Whether the container's root has a procfs with that directory. */
bool proc_mask_is_needed(const struct root *root, const char *path);
/*
 * The mask over /proc/driver/nvidia. `sources` are the clones of the mask's bus_ids, then of its
 * capabilities, then of its capability files.
 */
int proc_mask_attach(const struct proc_mask *mask, struct attach *attach, const char *path,
		     struct mount_source *sources, struct error *err);

/* A file's modification time, in nanoseconds. */
int64_t file_mtime(const struct stat *st);
/* Writes the files added since the last call to the record. A failure is only a warning in the log.
 */
void created_files_write(struct created_files *created, const struct root *root);

/*
 * Adds the file created at dir_fd's `name` ("": dir_fd itself), `path` in the root.
 * (created_files.c)
 */
void created_files_add(struct created_files *created, int dir_fd, const char *name,
		       const char *path);

/* Merges the plan's libraries into the image's loader cache at `path`. */
int loader_cache_update(const struct loader_cache *libraries, struct attach *attach,
			const char *path, struct error *err);
