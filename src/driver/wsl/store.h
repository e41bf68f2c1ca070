// SPDX-License-Identifier: Apache-2.0
/* Which folder of Windows' driver store is the one in use, and what in it goes into containers. */
#pragma once

#include "../host/host.h"
#include "davit/loader.h"

#define WSL_DRIVERS "/usr/lib/wsl/drivers"
#define WSL_LIBRARIES "/usr/lib/wsl/lib"
#define WSL_LIBCUDA "libcuda.so.1.1"

struct wsl_store {
	const char *path; /* "/usr/lib/wsl/drivers/nv_dispi.inf_amd64_0123456789abcdef" */
	int fd;           /* the caller's to close; -1: there is none */
};
/*
 * The store whose libcuda_loader.so is the file that /usr/lib/wsl/lib/libcuda.so.1 is: the same
 * inode and size (Windows makes hard links), else the same bytes, else the only one that has a
 * libcuda.so.1.1. Nothing of Windows' is executed. 0 or -errno, err filled: ERROR_NO_DRIVER with
 * what there is.
 */
int wsl_store_open(const struct driver_roots *roots, struct arena *arena, struct wsl_store *ret,
		   struct error *err);

/*
 * Opens a regular file of that directory, no link but to a name beside it, which root owns.
 * Descriptor (O_PATH) or -errno, no message: -ELOOP a link elsewhere, -EPERM another owner, -EINVAL
 * no regular file.
 */
int wsl_open_file(int directory, const char *name, struct arena *arena);

/* Adds the files that these capabilities bring. 0 or -errno, err filled. */
int wsl_read_files(const struct driver_roots *roots, unsigned capabilities,
		   const struct wsl_store *store, struct arena *arena, struct driver *driver,
		   struct error *err);
