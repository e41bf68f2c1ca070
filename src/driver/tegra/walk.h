// SPDX-License-Identifier: Apache-2.0
/*
 * Opens a file that a list names, component by component. Root must own every component, and no
 * other user may be able to write one that isn't a link. So only root decides what a container
 * gets. The descriptor that was checked is also what is mounted.
 */
#pragma once

#include "../host/host.h"
#include "csv.h"

#define WALK_DIRS 16 /* kept open: the last ones */

struct walk_dir {
	const char *path; /* as requested */
	const char *resolved;
	int fd;
};
struct walk {
	const struct root *root;
	struct arena *arena;
	struct walk_dir dirs[WALK_DIRS];
	size_t next;
	const char *refused; /* why the last path was refused, for a message; or NULL */
};
void walk_begin(struct walk *walk, const struct root *root, struct arena *arena);
void walk_end(struct walk *walk);

struct walk_result {
	int fd; /* O_PATH, owned by the caller */
	struct stat st;
	const char *path;          /* without links */
	struct driver_links links; /* those that the last component was: their paths and texts */
};
/*
 * Opens a clean path. 0 or -errno, then ret->fd is -1. -EPERM: a user other than root can change
 * it, and walk->refused says which component.
 */
int walk_open(struct walk *walk, const char *path, struct walk_result *ret);
/*
 * The paths that match a pattern, sorted. A path that isn't a pattern is returned as it is. 0 or
 * -ENOMEM.
 */
int walk_glob(struct walk *walk, const char *pattern, struct strings *ret);
