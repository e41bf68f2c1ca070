// SPDX-License-Identifier: Apache-2.0
/*
 * attach: the only code that changes a container's file system. These functions create and mount
 * everything in a container's root, for all programs. No other code of davit makes these system
 * calls (tests/attacks/one-way.sh checks this). Each function inspects the descriptor on which it
 * acts, and decides by the mount there:
 *
 *   own        The container's root, a part of it that is mounted elsewhere in it, a tmpfs of
 *              the runtime for this container, davit's own views. Files are created, links and
 *              stubs are replaced, files with content are covered.
 *   read-only  Mounts that the container can't write (by config.json, or by the mount's
 *              flags). An existing file is covered. For anything else, the directory gets a
 *              private view, which becomes read-only at the end.
 *   volume     Any other mount from outside. An existing regular file is covered. Nothing is
 *              created, because it would appear in the volume, or hide files that the
 *              container writes.
 *   shared     Mounts on it would appear on the host. Nothing is created or mounted.
 *
 * If an operation isn't possible for that reason, the error is -EXDEV. In all places, the correct
 * node, file, directory or link is left unchanged if it already exists.
 */
#pragma once

#include <time.h>

#include "davit/base.h"
#include "davit/oci.h"
#include "davit/sys.h"

enum place_kind { PLACE_OWN, PLACE_READ_ONLY, PLACE_VOLUME, PLACE_SHARED };

/* A mount, and its kind for the container. */
struct known_mount {
	uint64_t id;
	enum place_kind kind;
	const char *volume; /* its destination in config.json; NULL: unknown */
	const char *sealed; /* a view that an earlier call sealed: its path in the root; or NULL */
};
struct known_mounts {
	struct known_mount *items;
	size_t count, capacity;
};
/* Descriptors of the views' top directories. */
struct views {
	int *items;
	size_t count, capacity;
};

/* An open file or directory of the container, and the mount on which it lies. */
struct place {
	int fd; /* O_PATH; not owned */
	const char *path;
	uint64_t mount;
	enum place_kind kind;
	const char *volume, *sealed; /* as in known_mount */
	struct stat st;
};

/*
 * The state of the work on one container: attach_begin, the operations, attach_seal. All its memory
 * is in the arena. attach_end closes its descriptors.
 */
struct attach {
	const struct root *root;
	/* config.json's mounts, which show what the runtime mounted; NULL: no config.json. */
	const struct oci_mounts *mounts;
	struct arena *arena;
	/* Called for each created file: `name` in dir_fd ("": dir_fd itself). May be NULL. */
	void (*made)(void *arg, int dir_fd, const char *name, const char *path);
	void *made_arg;

	/* internal */
	struct mount_facts root_mount;
	struct known_mounts known;
	struct views views;
	char dir_path[4096]; /* the last used directory, often used again */
	int dir_fd;
	struct place dir;
	struct timespec began; /* by the clock of file times */
	bool birth_is_known;
	int64_t birth; /* the root's, in seconds since 1970 */
	/*
	 * The mounts below a view couldn't be restored. The container must not start, even if the
	 * operation was optional.
	 */
	bool broken;
};
#define ATTACH_INIT          \
	{                    \
		.dir_fd = -1 \
	}

/*
 * Begins. The process is in the container's mount namespace. If the root's own mount is shared, it
 * is made private, because only volumes should propagate. 0 or -errno, err filled.
 */
int attach_begin(struct attach *attach, const struct root *root, const struct oci_mounts *mounts,
		 struct arena *arena, struct error *err);
/* Makes the views read-only. 0 or -errno, err filled. */
int attach_seal(struct attach *attach, struct error *err);
void attach_end(struct attach *attach);

/* Paths are absolute in the container. Unless noted, all return 0 or -errno, err filled. */

/* Mounts a clone of a file, socket, node or directory, and creates missing directories. */
int attach_mount(struct attach *attach, const char *path, struct mount_source *source,
		 struct error *err);
/* The same on existing files only, even on the same file: to change flags, or to hide it. */
int attach_mount_over(struct attach *attach, const char *path, struct mount_source *source,
		      struct error *err);
/* Creates the link. -EEXIST without a message: a file with content exists. */
int attach_link(struct attach *attach, const char *path, const char *text, struct error *err);
/* The same, but also replaces a file with content. -EEXIST for sockets, nodes and mounts. */
int attach_link_over_file(struct attach *attach, const char *path, const char *text,
			  struct error *err);
/* Creates or replaces a whole file. */
int attach_file(struct attach *attach, const char *path, const void *data, size_t length,
		struct error *err);
/* Creates a missing directory with that mode. */
int attach_directory(struct attach *attach, const char *path, mode_t mode, struct error *err);
/*
 * Mounts a tmpfs on a directory of an own place, or on a mount in the container's own /proc.
 * Returns a descriptor of its top. -ENOENT without a message: the directory doesn't exist.
 */
int attach_tmpfs(struct attach *attach, const char *path, const struct mount_tmpfs *tmpfs,
		 struct error *err);
/*
 * For mount_tmpfs.fill: create a directory or a read-only file in the tmpfs, with missing parent
 * directories. `text` NULL: no file is created.
 */
int fill_directory(int top_fd, const char *path, struct error *err);
int fill_file(int top_fd, const char *path, const char *text, struct error *err);
/* Mounts a new file system of that type on the directory, which is created if missing. */
int attach_new(struct attach *attach, const char *path, const char *type,
	       const char *const (*options)[2], size_t count, unsigned flags, struct error *err);
/* Mounts on `name` in one of davit's own tmpfs, whose top is open. */
int attach_beneath(int top_fd, const char *path, const char *name, struct mount_source *source,
		   struct error *err);
/*
 * For `davit try`: covers the host's directory `rootfs` with a writable view in memory, which
 * disappears with the mount namespace.
 */
int attach_scratch_root(const char *rootfs, unsigned size_kib, struct error *err);

/* ---- internal ----------------------------------------------------------------------------- */

/*
 * Inspects the descriptor's file. `path` is for messages, and to find its mount in config.json.
 * (place.c)
 */
int place_inspect(struct attach *attach, int fd, const char *path, struct place *ret,
		  struct error *err);
/* Records that a mount is davit's own, and not sealed. 0 or -ENOMEM. (place.c) */
int place_know_own(struct attach *attach, int fd, struct error *err);
/* Where a descriptor's directory is, as mountinfo spells it. 0 or -errno. (place.c) */
int place_path(int fd, char path[static PATH_MAX]);
/* Whether the place is a mount directly on the container's own /proc. (place.c) */
bool place_is_in_own_proc(struct attach *attach, const struct place *place);
/* Fills err with the reason and returns -EXDEV. (place.c) */
int place_refuse(const struct place *place, const char *path, struct error *err);
/*
 * Covers the directory with a writable view of itself, and preserves the mounts below. If it
 * already lies in a view that an earlier call made for this container, that view becomes writable.
 * Returns a descriptor of the directory in the view, or -errno, err filled. (view.c)
 */
int view_make(struct attach *attach, const struct place *dir, struct error *err);
