// SPDX-License-Identifier: Apache-2.0
/*
 * image: properties of the container's root on which the plan depends. The image is hostile:
 * everything is read through the resolver, nothing is executed, and its texts are untrusted.
 */
#pragma once

#include "davit/base.h"
#include "davit/loader.h"
#include "davit/oci.h"
#include "davit/sys.h"

#define COMPAT_DIR "/usr/local/cuda/compat" /* of CUDA images */
/* Makes a later ldconfig in the container search the image's newer libraries first. */
#define COMPAT_CONF "/etc/ld.so.conf.d/00-davit-compat.conf"

#if defined(__x86_64__)
#define IMAGE_MUSL_ARCH "x86_64"
#elif defined(__aarch64__)
#define IMAGE_MUSL_ARCH "aarch64"
#endif
/* The directories that musl's loader searches (ldso/dynlink.c). Without this file: built-in ones.
 */
#define IMAGE_MUSL_PATH_FILE "/etc/ld-musl-" IMAGE_MUSL_ARCH ".path"

enum image_loader {
	IMAGE_LOADER_NONE,  /* no known dynamic loader: static programs only */
	IMAGE_LOADER_GLIBC, /* /etc/ld.so.cache */
	IMAGE_LOADER_MUSL,  /* /etc/ld-musl-ARCH.path */
};

struct image {
	enum image_loader loader;
	const char *lib_dir;    /* for the driver's libraries: "/usr/lib/x86_64-linux-gnu" */
	const char *lib_dir_32; /* the same for 32-bit ones */
	bool lib_dir_moved;     /* by image_place_libraries */
	/* The built-in directories of the image's ldconfig, a line each; NULL: unknown or none. */
	const char *system_dirs;
	/* A glibc image without /etc/ld.so.conf, so that ld.so.conf.d isn't read, either. */
	bool no_loader_conf;
	/* It has drivers of libvdpau in "vdpau" below these directories (image_find_vdpau). */
	bool vdpau, vdpau_32;
	const char *musl_path; /* a musl image's search path, separated by newlines or colons */
	/* CUDA forward compatibility, from image_find_compat. */
	const char *compat_version; /* of the image's libcuda; NULL: none */
	bool compat_used;           /* it supports the host's driver, and is newer */
	bool compat_stale;          /* it isn't used, but COMPAT_CONF exists */
	struct loader_cache compat; /* its libraries, for the beginning of the loader cache */
};

/* Reads the root. 0 or -errno, err filled. */
int image_inspect(const struct root *root, struct arena *arena, struct image *ret,
		  struct error *err);
/* Fills in an assumed image, if it is unknown: glibc, with Debian's library directories. */
void image_assume(struct image *ret);
/*
 * Moves the library directories to the container's own root if one of them lies in a volume that
 * the container can write, or that has `shared` propagation (linux.rootfsPropagation), because
 * davit creates nothing in such a volume. The new ones are /opt/davit/lib and /opt/davit/lib32 or,
 * if these are in a volume, too, /.davit/lib and /.davit/lib32. `mounts` are config.json's. If
 * NULL, every writable mount except the root's counts as a volume. Without such volumes in
 * config.json, this makes no system call. 0 or -errno, err filled.
 */
int image_place_libraries(const struct root *root, const struct oci_mounts *mounts, bool shared,
			  struct arena *arena, struct image *image, struct error *err);
/*
 * Makes the text of a musl image's path file with which its loader finds all the libraries.
 * Directories that it doesn't search yet are first. /usr/lib is last, because the image has its own
 * libraries there. *ret is NULL if the loader already searches all. 32-bit libraries and the
 * image's own (`compat`) are ignored. 0 or -ENOMEM.
 */
int image_make_musl_path(const struct image *image, const struct loader_cache *libraries,
			 struct arena *arena, const char **ret);

/* Whether the directory is built into the image's ldconfig. */
bool image_searches(const struct image *image, const char *dir);

/* Finds the directories of the image's libvdpau drivers. */
void image_find_vdpau(const struct root *root, struct image *image);

/*
 * Finds newer driver libraries in the image's /usr/local/cuda/compat. They are used if their
 * libcuda's note lists the host's driver and they are newer, or without a note, if their major is
 * higher. They are never mounted, only added to the image's loader cache. 0 or -ENOMEM.
 */
int image_find_compat(const struct root *root, const char *host_version, struct arena *arena,
		      struct image *image, struct error *err);
/*
 * The same for the command of a CDI spec. An unknown driver version is NULL. The spec may then name
 * the CUDA version of the host's driver, and the note's version must be higher.
 */
struct compat_host {
	const char *dir; /* of the libraries in the image */
	const char *driver, *cuda;
};
int image_find_compat_for(const struct root *root, const struct compat_host *host,
			  struct arena *arena, struct image *image, struct error *err);

/* ---- the places of config.json's mounts --------------------------------------------------- */

/*
 * The root of a container and config.json's mounts, which may not be mounted yet. Prepared at the
 * first query, and reused.
 */
struct image_node;
struct image_volumes {
	const struct root *root;
	const struct oci_mounts *mounts;
	struct arena *arena;
	/* internal */
	int fd; /* of the directory `open` */
	struct image_node *open, *top;
	struct image_node **buckets;
	size_t bucket_count;
	dev_t device;   /* of the root's file system */
	size_t steps;   /* of all walks so far */
	bool uncertain; /* the path of a mount leads through a volume */
};
#define IMAGE_VOLUMES_INIT(of_root, of_mounts, in_arena)                                \
	{                                                                               \
		.root = (of_root), .mounts = (of_mounts), .arena = (in_arena), .fd = -1 \
	}
void image_volumes_close(struct image_volumes *volumes);
#define AUTO_VOLUMES __attribute__((cleanup(image_volumes_close))) struct image_volumes

/* Whether the mount has files from outside: all but new file systems such as a tmpfs. */
bool image_mount_is_volume(const struct oci_mount *mount);

struct image_place {
	const char *path; /* from the root, without links */
	size_t existing;  /* the length of its existing part in the container's own root */
	const struct oci_mount *mount; /* that contains it; NULL: the container's own root */
	size_t mount_length;           /* the length of its part up to the mount */
	/*
	 * The result isn't certain, and `mount` is only likely, because the destination of a mount
	 * leads through a volume, whose content isn't read, or because the path has more than 40
	 * links, an unreadable directory, or a mount that isn't in config.json.
	 */
	bool uncertain;
};
/*
 * Predicts the place of `path`. Links of the image are followed inside the root, the last component
 * only with `follow_last`, as runtimes do for a mount's destination. Missing components count as
 * directories, because runtimes create them. A later mount hides earlier ones, as in the kernel. 0,
 * -ENOMEM, or -errno of the root.
 */
int image_find_place(struct image_volumes *volumes, const char *path, bool follow_last,
		     struct image_place *ret);
/* Whether the place is, or may be, in a volume. */
bool image_place_is_volume(const struct image_place *place);
