// SPDX-License-Identifier: Apache-2.0
/*
 * Mounting for kernels that lack open_tree, move_mount and fsopen (before 5.2) or mount_setattr
 * (before 5.12). mount(2) takes only paths, so source and place are named through /proc/self/fd of
 * a verified procfs. What then lies at the place is compared with the source before anything
 * depends on it.
 */
#pragma once

#include "davit/sys.h"

/* Opens the source of a clone: fd (O_PATH) and its stat, or -errno. Defined in mount.c. */
int mount_source_open(const struct root *root, const char *path, unsigned flags,
		      struct stat *ret_st);

int mount_by_path_private(int fd);
int mount_by_path_set_read_only(int fd, bool read_only);
int mount_by_path_move(int fd, const struct mount_place *place);
int mount_by_path_bind(const struct mount_source *source, const struct mount_place *place);
/*
 * A new tmpfs at the place. Its top directory (O_RDONLY), verified to be davit's, or -errno, err
 * filled.
 */
int mount_by_path_new_tmpfs(unsigned size_kib, mode_t mode, unsigned flags,
			    const struct mount_place *place, struct error *err);
/* 0 or -errno. */
int mount_by_path_new(const char *type, const char *const (*options)[2], size_t count,
		      unsigned flags, const struct mount_place *place);
/* An overlay over the directory at the place: its top (O_PATH) or -errno. */
int mount_by_path_overlay(const struct mount_place *place, int upper_fd, int work_fd);
/* Its top directory or -errno, err filled. */
int mount_by_path_tmpfs(const struct mount_tmpfs *tmpfs, const struct mount_place *place,
			struct error *err);
