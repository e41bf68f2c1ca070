// SPDX-License-Identifier: Apache-2.0
/* Finds the Windows driver store in use, and its files for containers. */
#pragma once

#include "../host/host.h"
#include "davit/loader.h"

#define WSL_DRIVERS "/usr/lib/wsl/drivers"
#define WSL_LIBRARIES "/usr/lib/wsl/lib"
#define WSL_LIBCUDA "libcuda.so.1.1"

struct wsl_store {
	const char *path; /* "/usr/lib/wsl/drivers/nv_dispi.inf_amd64_0123456789abcdef" */
	int fd;           /* the caller closes it; -1: none */
};
/*
 * The store whose libcuda_loader.so is the same file as /usr/lib/wsl/lib/libcuda.so.1, with the
 * same inode and size (Windows makes hard links). If none is, the only one that has a
 * libcuda.so.1.1; if there are several, the one whose loader has the same bytes. Executes nothing
 * of Windows. 0 or -errno, err filled: ERROR_NO_DRIVER with the drivers that were found.
 */
int wsl_store_open(const struct driver_roots *roots, struct arena *arena, struct wsl_store *ret,
		   struct error *err);

/*
 * Opens a regular file in that directory that only root can change. A link is followed only to a
 * name in the same directory. Descriptor (O_PATH) or -errno, no message: -ELOOP: another link;
 * -EPERM: a user other than root can change it; -EINVAL: not a regular file.
 */
int wsl_open_file(int directory, const char *name, struct arena *arena);

/* Adds the files for these capabilities. 0 or -errno, err filled. */
int wsl_read_files(const struct driver_roots *roots, unsigned capabilities,
		   const struct wsl_store *store, struct arena *arena, struct driver *driver,
		   struct error *err);
