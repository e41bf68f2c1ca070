// SPDX-License-Identifier: Apache-2.0
/* A place in a container at which something is made, or mounted on. */
#pragma once

#include <limits.h>

#include "davit/attach.h"

#define TARGET_TRIES 16 /* something else creates and removes the same name */

/* A name in attach's working directory. */
struct target {
	struct attach *attach;
	const char *path, *name;
};

/*
 * Makes the directory of `path` the current directory, and creates missing directories. After an
 * error, there is no current directory, so that the next call starts again. 0 or -errno, err
 * filled.
 */
int target_reach(struct attach *attach, const char *path, struct target *ret, struct error *err);
/* Opens what is at the target, the link itself if it is one. A descriptor or -errno. */
int target_open(const struct target *target);
/* "cannot WHAT PATH in the container: ..." */
int target_error(const struct target *target, int errnum, const char *what, struct error *err);
/* Reports what was made where nothing was. */
void target_report_made(const struct target *target);
/*
 * Marks an empty file or a link that is used unchanged, in a directory of the container's own.
 * Another container on the same root may have created it, and must not remove it at its end. With a
 * new time, the file differs from the other container's record.
 */
void target_keep(const struct target *target);
/*
 * Repeats `try` until no other process interferes and no read-only file system stops it. Returns
 * the result of `try`, err filled except for -EEXIST; `what` names the operation.
 */
int target_try(struct target *target, int (*try)(const struct target *target, const void *arg),
	       const void *arg, const char *what, struct error *err);

/* Finds an unused name in the directory, tried by `make`. 0 or -errno. */
int temporary_make(int dir_fd, char name[static NAME_MAX + 1],
		   int (*make)(int dir_fd, const char *name, const void *arg), const void *arg);
/* Moves a temporary name onto the target's; the temporary is gone either way. 0 or -errno. */
int temporary_rename(const struct target *target, const char *temporary);
