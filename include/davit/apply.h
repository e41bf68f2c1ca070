// SPDX-License-Identifier: Apache-2.0
/*
 * apply: carries out a plan on a container that a runtime is about to start.
 */
#pragma once

#include "davit/base.h"
#include "davit/plan.h"
#include "davit/sys.h"

struct created_files;

/* A container between the set-up of its mounts and its pivot_root. */
struct container {
	pid_t pid;
	struct root root;                /* its root file system, seen in its own mount namespace */
	int mount_namespace;             /* descriptor; -1: the process is in it already */
	uid_t uid;                       /* the host's ids of the container's root user: */
	gid_t gid;                       /* what is created belongs to it */
	const struct oci_mounts *mounts; /* of config.json; NULL: there is none */
	int systemd;      /* descriptor: systemd, who keeps a list of its devices; or -1 */
	const char *unit; /* then its scope */
	struct created_files *created; /* the record of created files; or NULL */
};
#define CONTAINER_INIT                                              \
	{                                                           \
		.root.fd = -1, .mount_namespace = -1, .systemd = -1 \
	}
void container_close(struct container *container);
#define AUTO_CONTAINER __attribute__((cleanup(container_close))) struct container

/*
 * A runtime that an ordinary user started outside of any user namespace calls the hook without
 * rights over mounts. The user has them in the container's namespaces, where the host can still be
 * seen: from here on the process is in these. Nothing is done where the rights are there already.
 * 0 or -errno, err filled.
 */
int container_gain_rights(pid_t pid, struct error *err);

/*
 * Opens the container behind a state's pid; `rootfs` is absolute and must outlive ret.
 * ERROR_BAD_BUNDLE when:
 *   - there is no such process, or it is in this process's own mount namespace (unless
 *     container_gain_rights has entered it) or in that of process 1
 *   - its mount namespace has no such directory, or root_refuse_own refuses it
 */
int container_open(pid_t pid, const char *rootfs, struct arena *arena, struct container *ret,
		   struct error *err);

/*
 * Opens a container whose root is in this process's own mount namespace, found without any number
 * of a process: pid is 0, what is made belongs to the caller. `rootfs` as for container_open. 0 or
 * -errno, err filled.
 */
int container_open_own(const char *rootfs, struct container *ret, struct error *err);

/*
 * When the container is in a scope of systemd's (cgroup v2) whose devices are a list: connects to
 * systemd, for apply_plan to add the plan's. Not being able to is a warning in the log. Without
 * systemd this is one system call. What is in the arena stays in use.
 */
void container_connect_systemd(struct container *container, struct arena *arena);

/*
 * Does what the plan says: device rules, then, inside the container's mount namespace (which the
 * process doesn't leave any more), everything else. On failure the caller exits non-zero and the
 * runtime destroys the container; nothing of the host has been changed.
 * `cgroups` false leaves the device rules out.
 */
int apply_plan(const struct plan *plan, const struct driver_roots *roots,
	       const struct container *container, bool cgroups, struct arena *arena,
	       struct error *err);

/* ---- what is left in a container's root --------------------------------------------------- */

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
 * The program of cgroup v2's device controller that lets the plan's devices be read and written and
 * else decides as `original` (may be empty: then everything else is denied) did. The result is in
 * the arena. 0, -ENOMEM, or -E2BIG when the rules or the result exceed the kernel's limits.
 */
int device_filter_build(const struct plan *plan, const struct bpf_insn *original,
			size_t original_count, struct arena *arena, struct bpf_insn **ret,
			size_t *ret_count);
