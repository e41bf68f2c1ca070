// SPDX-License-Identifier: Apache-2.0
/*
 * Targets in the container's root: what the image has at a place is looked at without following
 * it, replaced when it is a link or an empty stub, and else covered.
 */
#pragma once

#include <limits.h>

#include "davit/apply.h"

/*
 * The directory that the last target lies in: most of a plan's targets lie in the same one.
 * Zero-initialise all but `root` and `fd` (-1).
 */
struct target_dir {
	const struct root *root;
	char path[PATH_MAX];
	int fd; /* O_PATH */
	/*
	 * Mounts that nothing may be made in: the MPS daemon's directory, which is the host's, as a
	 * container has it after an earlier call; and, with `refuse_shared`, those that the host
	 * sees.
	 */
	bool has_foreign, refuse_shared;
	uint64_t foreign_mount;
	struct traces *traces; /* or NULL */
	/* A failed cover hides something: not to be passed over, whatever the operation was for. */
	bool broken;
};

/* One target: borrowed from its target_dir and from the plan, nothing to release. */
struct target {
	const struct root *root;
	struct target_dir *dir;
	const char *path; /* in root */
	const char *name; /* its last component */
	int dir_fd;
};
/*
 * Opens the target's directory, made if need be. 0 or -errno, err filled. When something has to be
 * made on a read-only file system, here or below, the directory gets a writable view of itself over
 * it.
 */
int target_open(struct target_dir *dir, const char *path, struct target *ret, struct error *err);

/*
 * Writes down what was made at dir_fd's `name` ("": dir_fd itself), `path` in the root. `traces`
 * may be NULL. (traces.c)
 */
void traces_add(struct traces *traces, int dir_fd, const char *name, const char *path);

/*
 * A file to mount over: what is there (no directory, no link), or a new empty one; a link gives way
 * to a new one. Returns a descriptor or -errno, err filled.
 */
int target_file(struct target *target, struct error *err);
/* A directory to mount over: made when missing. Returns a descriptor or -errno, err filled. */
int target_directory(struct target *target, struct error *err);
/*
 * Makes the link `text`. 0, -EEXIST without a message when a file with content is there, or
 * -errno, err filled.
 */
int target_link(struct target *target, const char *text, struct error *err);
/* Puts a whole file in the place of what is there, a mount included. 0 or -errno, err filled. */
int target_write(struct target *target, const void *data, size_t length, struct error *err);

/*
 * Covers the directory `path`, or the nearest one above it that exists, with a writable view of
 * itself; mounts beneath stay in place. 0 or -errno, err filled; *ret_broken when the failure left
 * something hidden. (cover.c)
 */
int target_cover(const struct root *root, const char *path, bool *ret_broken, struct error *err);
