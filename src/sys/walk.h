// SPDX-License-Identifier: Apache-2.0
/*
 * The resolver for kernels without openat2 (before 5.6): the same answers, one component at a time.
 */
#pragma once

/* As root_openat. fd or -errno. */
int walk_openat(int root_fd, const char *path, int flags);
