// SPDX-License-Identifier: Apache-2.0
/*
 * apply: applies a plan to a container that a runtime is about to start.
 */
#pragma once

#include "davit/base.h"
#include "davit/plan.h"
#include "davit/sys.h"

struct created_files;

/* A container whose mounts are set up, and that hasn't called pivot_root yet. */
struct container {
	pid_t pid;
	struct root root;                /* its root file system, in its own mount namespace */
	int mount_namespace;             /* descriptor; -1: the process is in it already */
	uid_t uid;                       /* the host's ids of the container's root user: */
	gid_t gid;                       /* the owner of created files */
	const struct oci_mounts *mounts; /* of config.json; NULL: no config.json */
	int systemd;      /* connection to systemd, if its scope has a list of devices; or -1 */
	const char *unit; /* that scope */
	struct created_files *created; /* the record of created files; or NULL */
};
#define CONTAINER_INIT                                              \
	{                                                           \
		.root.fd = -1, .mount_namespace = -1, .systemd = -1 \
	}
void container_close(struct container *container);
#define AUTO_CONTAINER __attribute__((cleanup(container_close))) struct container

/*
 * Gains the rights over mounts by entering the container's namespaces, where the host's files are
 * still visible. This is needed if an ordinary user started the runtime outside of a user
 * namespace. Does nothing if the process has the rights already. 0 or -errno, err filled.
 */
int container_gain_rights(pid_t pid, struct error *err);

/*
 * Opens the container of a state's pid; `rootfs` is absolute and must outlive ret.
 * ERROR_BAD_BUNDLE if:
 *   - the process doesn't exist
 *   - it is in the mount namespace of process 1, or in this process's (unless
 *     container_gain_rights has entered it)
 *   - its mount namespace has no such directory, or root_refuse_own refuses the directory
 */
int container_open(pid_t pid, const char *rootfs, struct arena *arena, struct container *ret,
		   struct error *err);

/*
 * Opens a container whose root is in this process's own mount namespace, without a pid (0). The
 * caller owns created files. `rootfs` as for container_open. 0 or -errno, err filled.
 */
int container_open_own(const char *rootfs, struct container *ret, struct error *err);

/*
 * Connects to systemd if the container is in a systemd scope with a list of devices (cgroup v2), so
 * that apply_plan can add the plan's devices. A failure is only a warning in the log. Without
 * systemd, this costs one system call. The arena must live as long as the container.
 */
void container_connect_systemd(struct container *container, struct arena *arena);

/*
 * Applies the plan: first the device rules, then everything else, in the container's mount
 * namespace. The process remains in that namespace. On failure, the caller must exit with a code
 * other than 0, so that the runtime destroys the container; the host is unchanged. If `cgroups` is
 * false, the device rules are skipped.
 */
int apply_plan(const struct plan *plan, const struct driver_roots *roots,
	       const struct container *container, bool cgroups, struct arena *arena,
	       struct error *err);

/* ---- cleaning up created files ------------------------------------------------------------ */

/*
 * A file in the bundle records the files that were created in a container's root, so that poststop
 * can remove them. The bundle belongs to the engine, the container can't reach it, and no two
 * containers of a host share one. The engine removes it with the container.
 */
#define CREATED_FILES "davit-made"
/*
 * Begins a new record in the bundle, which apply_plan writes, and drops the record of an earlier
 * start. On failure it logs a warning and `container->created` remains NULL.
 */
void created_files_open(const char *bundle, struct container *container, struct arena *arena);
/* Adds paths where no file existed before the runtime mounted on them. `created` may be NULL. */
void created_files_add_stubs(struct created_files *created, const struct strings *paths);
/* Whether the bundle has a record. */
bool created_files_exist(const char *bundle, struct arena *arena);
/*
 * Removes the recorded files that are unchanged, and the record:
 * - files and links of the same inode, size and time (stubs of a runtime: empty files), and empty
 *   directories;
 * - only on the root's own mount;
 * - nothing while a process uses this root, because another container may use it, too.
 * 0, also without a record, or -errno, err filled.
 */
int created_files_remove(const char *bundle, struct arena *arena, struct error *err);

/* ---- the device filter (pure) ----------------------------------------------------------- */

struct bpf_insn;
/*
 * Builds a device program for cgroup v2. It allows reading and writing the plan's devices, and
 * decides like `original` for all others (if `original` is empty, they are denied). The result is
 * in the arena. 0, -ENOMEM, or -E2BIG if the rules or the result exceed the kernel's limits.
 */
int device_filter_build(const struct plan *plan, const struct bpf_insn *original,
			size_t original_count, struct arena *arena, struct bpf_insn **ret,
			size_t *ret_count);
