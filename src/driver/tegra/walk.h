// SPDX-License-Identifier: Apache-2.0
/*
 * The way to a file that a list names, component by component: every directory and every link on it
 * has to be root's, and no directory writable by others. So nobody but root chooses what a
 * container gets, and what is mounted is what was looked at: the descriptor.
 */
#pragma once

#include "../host/host.h"
#include "csv.h"

#define WALK_DIRS 16 /* that were walked last */

struct walk_dir {
	const char *path; /* as it was asked for */
	const char *resolved;
	int fd;
};
struct walk {
	const struct root *root;
	struct arena *arena;
	struct walk_dir dirs[WALK_DIRS];
	size_t next;
	const char *refused; /* why the last one was: a sentence's end, or NULL */
};
void walk_begin(struct walk *walk, const struct root *root, struct arena *arena);
void walk_end(struct walk *walk);

/* A link that the last component was: where it is, and its text. */
struct walk_result {
	int fd; /* O_PATH, the caller's */
	struct stat st;
	const char *path; /* without links */
	struct driver_links links;
};
/*
 * 0, -ENOENT and other errnos, -ENOMEM; -EPERM: it isn't root's alone, walk->refused says what.
 * ret->fd is -1 then.
 */
int walk_open(struct walk *walk, const char *path, struct walk_result *ret);
/* The paths that a pattern stands for, sorted; a path without one stands for itself. 0 or -ENOMEM.
 */
int walk_glob(struct walk *walk, const char *pattern, struct strings *ret);
