// SPDX-License-Identifier: Apache-2.0
/*
 * A container as a hook finds it: a process in a mount namespace of its own, its root a fresh
 * overlay with /dev and /proc, itself in a cgroup with a device filter as runc attaches one.
 * Whatever fails ends the program with a message.
 */
#pragma once

#include <sys/types.h>

struct container {
	const char *bundle; /* its folders rootfs, upper and work are this container's */
	const char *lower;  /* lowerdir of the overlay */
	const char *cgroup; /* a cgroup2 directory to make the container's in, or NULL */
	pid_t pid;
};

/*
 * Mounts the overlay at BUNDLE/rootfs in the caller's namespace; container_clear takes it away.
 * When there is a BUNDLE/config.fresh, it is config.json again.
 */
void container_mount(const struct container *container);
void container_clear(const struct container *container);

/* Starts the process. */
void container_start(struct container *container);
/* How many mounts it has. */
unsigned container_mounts(const struct container *container);
/* Ends it, its mounts and cgroup, and empties its folders. */
void container_stop(struct container *container);
