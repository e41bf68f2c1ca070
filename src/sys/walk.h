// SPDX-License-Identifier: Apache-2.0
/*
 * The resolver for kernels without openat2 (before 5.6). It gives the same results, one component
 * at a time.
 */
#pragma once

/* Like root_openat. fd or -errno. */
int walk_openat(int root_fd, const char *path, int flags);
