// SPDX-License-Identifier: Apache-2.0
/*
 * apply: carries out a plan on a container that a runtime is about to start.
 */
#pragma once

#include "davit/base.h"
#include "davit/plan.h"
#include "davit/sys.h"

/* A container between the set-up of its mounts and its pivot_root. */
struct container {
	pid_t pid;
	struct root root;    /* its root file system, seen in its own mount namespace */
	int mount_namespace; /* descriptor; -1: the process is in it already */
	uid_t uid;           /* the host's ids of the container's root user: */
	gid_t gid;           /* what is created belongs to it */
	bool shared;      /* mounts in its root may be shared with the host (rootfsPropagation) */
	int systemd;      /* descriptor: systemd, who keeps a list of its devices; or -1 */
	const char *unit; /* then its scope */
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
 * ERROR_BAD_BUNDLE when there is no such process or no such directory in its mount namespace.
 */
int container_open(pid_t pid, const char *rootfs, struct arena *arena, struct container *ret,
		   struct error *err);

/*
 * Sets container->shared by what its process's mounts are (pid 0: ours), for callers who have no
 * config.json to tell. 0 or -errno, err filled.
 */
int container_look_shared(struct container *container, struct arena *arena, struct error *err);

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
