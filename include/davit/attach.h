// SPDX-License-Identifier: Apache-2.0
/*
 * attach: the one way into a container. Everything that is made or mounted in a container's root,
 * by whatever program, is made by these functions, and nowhere else in davit are the system calls
 * for it (tests/attacks/one-way.sh looks). Each asks, at the moment it acts and of the descriptor
 * it acts on, what is mounted there:
 *
 *   own        the container's root, a part of it that is mounted elsewhere in it, a tmpfs that
 *              the runtime made for it, our own views:
 *              things are made, links and stubs replaced, files covered
 *   read-only  what the container can't write (by config.json, or by the mount's flags):
 *              a file that exists is covered; for anything else the directory gets a private view,
 *              which is read-only again at the end
 *   volume     what else is mounted from outside: a regular file that exists is covered;
 *              nothing is made, since it would be in the volume, or hide what the container writes
 *   shared     what is mounted on it shows on the host: nothing is made or mounted
 *
 * Where something isn't made for that reason, the error is -EXDEV. What is there already as it
 * should be (the same node, file, directory or link) is left as it is everywhere.
 */
#pragma once

#include <time.h>

#include "davit/base.h"
#include "davit/oci.h"
#include "davit/sys.h"

enum place_kind { PLACE_OWN, PLACE_READ_ONLY, PLACE_VOLUME, PLACE_SHARED };

/* A mount that was met, and what it is to the container. */
struct known_mount {
	uint64_t id;
	enum place_kind kind;
	const char *volume; /* its destination in config.json; NULL: not known from there */
};
struct known_mounts {
	struct known_mount *items;
	size_t count, capacity;
};
/* Descriptors of the tops of views. */
struct views {
	int *items;
	size_t count, capacity;
};

/* An open file or directory of the container, and what is mounted there. */
struct place {
	int fd; /* O_PATH; not owned */
	const char *path;
	uint64_t mount;
	enum place_kind kind;
	const char *volume;
	struct stat st;
};

/*
 * What one container is worked on with: begin, make things, seal. Everything it allocates is in the
 * arena; descriptors are released by attach_end.
 */
struct attach {
	const struct root *root;
	/* NULL: there is no config.json to say what the runtime made for this container. */
	const struct oci_mounts *mounts;
	struct arena *arena;
	/* Told of what was made where nothing was: `name` ("": itself) in dir_fd. Or NULL. */
	void (*made)(void *arg, int dir_fd, const char *name, const char *path);
	void *made_arg;

	/* the module's own */
	struct mount_facts root_mount;
	struct known_mounts known;
	struct views views;
	char dir_path[4096]; /* most things lie in the directory of the one before */
	int dir_fd;
	struct place dir;
	struct timespec began; /* by the clock that file systems stamp with */
	bool birth_is_known;
	int64_t birth; /* the root's, in seconds since 1970 */
	/*
	 * What lay beneath a view couldn't be put back: the container must not start, whatever the
	 * operation was for.
	 */
	bool broken;
};
#define ATTACH_INIT          \
	{                    \
		.dir_fd = -1 \
	}

/*
 * The process is in the container's mount namespace. A root that is itself shared is made private:
 * only volumes are meant to show elsewhere. 0 or -errno, err filled.
 */
int attach_begin(struct attach *attach, const struct root *root, const struct oci_mounts *mounts,
		 struct arena *arena, struct error *err);
/* Makes the views read-only. 0 or -errno, err filled. */
int attach_seal(struct attach *attach, struct error *err);
void attach_end(struct attach *attach);

/* Paths are absolute in the container. All return 0 or -errno, err filled, if not said otherwise.
 */

/* Mounts a clone of a file, socket, node or directory; what is missing on the way is made. */
int attach_mount(struct attach *attach, const char *path, struct mount_source *source,
		 struct error *err);
/* The same on what exists only, and also if it is the same file: for other flags, or to hide it. */
int attach_mount_over(struct attach *attach, const char *path, struct mount_source *source,
		      struct error *err);
/* Makes the link. -EEXIST without a message: a file with content is there. */
int attach_link(struct attach *attach, const char *path, const char *text, struct error *err);
/* The same in the place of a file with content, too: -EEXIST for sockets, nodes, mounts. */
int attach_link_over_file(struct attach *attach, const char *path, const char *text,
			  struct error *err);
/* Puts a whole file in the place of what is there. */
int attach_file(struct attach *attach, const char *path, const void *data, size_t length,
		struct error *err);
/* Makes a directory that is missing, with that mode. */
int attach_directory(struct attach *attach, const char *path, mode_t mode, struct error *err);
/*
 * A tmpfs over the directory, on the container's own, or on what is mounted in its own /proc.
 * -ENOENT without a message: there is no such directory. A descriptor of its top.
 */
int attach_tmpfs(struct attach *attach, const char *path, const struct mount_tmpfs *tmpfs,
		 struct error *err);
/*
 * In a tmpfs that is being filled (mount_tmpfs.fill): a directory with all on the way to it; a
 * read-only file, with the directories on the way. `text` NULL: no such file.
 */
int fill_directory(int top_fd, const char *path, struct error *err);
int fill_file(int top_fd, const char *path, const char *text, struct error *err);
/* A new file system of that type over the directory, which is made when missing. */
int attach_new(struct attach *attach, const char *path, const char *type,
	       const char *const (*options)[2], size_t count, unsigned flags, struct error *err);
/* Mounts on `name` in a tmpfs of ours, whose top is open. */
int attach_beneath(int top_fd, const char *path, const char *name, struct mount_source *source,
		   struct error *err);
/*
 * A root whose changes are in memory and end with the mount namespace, over the directory
 * `rootfs` of the host, for `davit try`.
 */
int attach_scratch_root(const char *rootfs, unsigned size_kib, struct error *err);

/* ---- shared by the module's files --------------------------------------------------------- */

/* What the descriptor leads to. `path` is for messages, and to know it in config.json. (place.c) */
int place_inspect(struct attach *attach, int fd, const char *path, struct place *ret,
		  struct error *err);
/* Makes known that a mount is ours. 0 or -ENOMEM. (place.c) */
int place_know_own(struct attach *attach, int fd, struct error *err);
/* Whether something is mounted there right on the container's own /proc. (place.c) */
bool place_is_in_own_proc(struct attach *attach, const struct place *place);
/* -EXDEV: "cannot DO PATH: WHY". (place.c) */
int place_refuse(const struct place *place, const char *path, struct error *err);
/*
 * Covers the directory with a writable view of itself; mounts beneath stay in place. A descriptor
 * of its top, owned by attach->views, or -errno, err filled. (view.c)
 */
int view_make(struct attach *attach, const struct place *dir, struct error *err);
