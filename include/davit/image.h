// SPDX-License-Identifier: Apache-2.0
/*
 * image: what the container's root is like, as far as the plan depends on it. The image is the
 * enemy: everything is read through the resolver, nothing is executed, nothing is believed.
 */
#pragma once

#include "davit/base.h"
#include "davit/loader.h"
#include "davit/oci.h"
#include "davit/sys.h"

#define COMPAT_DIR "/usr/local/cuda/compat" /* of CUDA images */
/* Has a later ldconfig in the container take the image's newer libraries first. */
#define COMPAT_CONF "/etc/ld.so.conf.d/00-davit-compat.conf"

#if defined(__x86_64__)
#define IMAGE_MUSL_ARCH "x86_64"
#elif defined(__aarch64__)
#define IMAGE_MUSL_ARCH "aarch64"
#endif
/* The directories that musl's loader searches (ldso/dynlink.c); without it, those built in. */
#define IMAGE_MUSL_PATH_FILE "/etc/ld-musl-" IMAGE_MUSL_ARCH ".path"

enum image_loader {
	IMAGE_LOADER_NONE,  /* no dynamic loader that we know: static programs only */
	IMAGE_LOADER_GLIBC, /* /etc/ld.so.cache */
	IMAGE_LOADER_MUSL,  /* /etc/ld-musl-ARCH.path */
};

struct image {
	enum image_loader loader;
	const char *lib_dir;    /* where libraries go: "/usr/lib/x86_64-linux-gnu", ... */
	const char *lib_dir_32; /* the same for 32-bit ones */
	bool lib_dir_moved;     /* by image_place_libraries */
	/* The directories that its own ldconfig searches without being told, a line each;
	 * NULL: not known, or there is none. */
	const char *system_dirs;
	/* A glibc image without /etc/ld.so.conf, hence without what leads to ld.so.conf.d, too. */
	bool no_loader_conf;
	/* It keeps the drivers of libvdpau in "vdpau" beneath these: image_find_vdpau looked. */
	bool vdpau, vdpau_32;
	const char *musl_path; /* of a musl image: what its loader searches, by newline or colon */
	/* CUDA forward compatibility: what image_find_compat found. */
	const char *compat_version; /* of the image's libcuda; NULL: it has none */
	bool compat_used;           /* it runs on the host's driver, and is newer */
	bool compat_stale;          /* it isn't used, but COMPAT_CONF says so */
	struct loader_cache compat; /* its libraries, to come first in the loader cache */
};

/* Reads the root. 0 or -errno, err filled. */
int image_inspect(const struct root *root, struct arena *arena, struct image *ret,
		  struct error *err);
/* The image of a container that isn't known: glibc, with libraries where Debian keeps them. */
void image_assume(struct image *ret);
/*
 * Moves the library directories to the container's own root (/opt/davit/lib, /opt/davit/lib32;
 * where those are a volume, too, /.davit/lib, /.davit/lib32) if one of them lies in a volume that
 * the container can write, or that has `shared` propagation (linux.rootfsPropagation): nothing is
 * made in such a volume. `mounts` are config.json's; NULL: there is none, and another mount than
 * the root's that can be written is taken for a volume. Without such volumes in config.json no
 * system call is made. 0 or -errno, err filled.
 */
int image_place_libraries(const struct root *root, const struct oci_mounts *mounts, bool shared,
			  struct arena *arena, struct image *image, struct error *err);
/*
 * The text that the path file of a musl image needs, so that its loader finds all the libraries.
 * Directories that it doesn't search yet come first; /usr/lib comes last, since the image has
 * libraries of its own there. NULL: it searches all of them already. 32-bit libraries and the
 * image's own (`compat`) are ignored. 0 or -ENOMEM.
 */
int image_make_musl_path(const struct image *image, const struct loader_cache *libraries,
			 struct arena *arena, const char **ret);

/* Whether the image's own ldconfig searches the directory without being told. */
bool image_searches(const struct image *image, const char *dir);

/* Looks for the folders that libvdpau of the image takes its drivers from. */
void image_find_vdpau(const struct root *root, struct image *image);

/*
 * Looks for newer driver libraries in the image's /usr/local/cuda/compat. They are used when the
 * note in their libcuda lists the host's driver and they are newer; without a note, when their
 * major is higher. They are never mounted, only named in the loader cache of the image they are in.
 * 0 or -ENOMEM.
 */
int image_find_compat(const struct root *root, const char *host_version, struct arena *arena,
		      struct image *image, struct error *err);
/*
 * The same as the command of a CDI spec has it. A driver version that isn't known is NULL: then a
 * CDI spec may name the CUDA version of the host's driver, which the note's has to exceed.
 */
struct compat_host {
	const char *dir; /* of the libraries in the image */
	const char *driver, *cuda;
};
int image_find_compat_for(const struct root *root, const struct compat_host *host,
			  struct arena *arena, struct image *image, struct error *err);

/* ---- where config.json's mounts will lie ------------------------------------------------- */

/*
 * The root of a container and the mounts that config.json has for it, of which none needs to be
 * there as yet. Prepared at the first question, then used for many.
 */
struct image_node;
struct image_volumes {
	const struct root *root;
	const struct oci_mounts *mounts;
	struct arena *arena;
	/* the rest is image_volumes' own */
	int fd; /* of the directory `open` */
	struct image_node *open, *top;
	struct image_node **buckets;
	size_t bucket_count;
	dev_t device;   /* of the root's file system */
	size_t steps;   /* of all walks so far */
	bool uncertain; /* a mount's destination leads through a volume */
};
#define IMAGE_VOLUMES_INIT(of_root, of_mounts, in_arena)                                \
	{                                                                               \
		.root = (of_root), .mounts = (of_mounts), .arena = (in_arena), .fd = -1 \
	}
void image_volumes_close(struct image_volumes *volumes);
#define AUTO_VOLUMES __attribute__((cleanup(image_volumes_close))) struct image_volumes

/* Whether it brings files that aren't the container's alone: any but fresh ones such as a tmpfs. */
bool image_mount_is_volume(const struct oci_mount *mount);

struct image_place {
	const char *path; /* from the root, without links */
	size_t existing;  /* the length of the part of it that is there, in the container's own root
			   */
	const struct oci_mount *mount; /* that it lies in; NULL: the container's own root */
	size_t mount_length;           /* the length of the part of it that leads to the mount */
	/*
	 * It can't be told: a mount's destination leads through a volume, whose content isn't
	 * looked at; or the image has more than 40 links on the way, a directory that can't be
	 * read, a mount that config.json doesn't name. `mount` is the likely answer then.
	 */
	bool uncertain;
};
/*
 * Where `path` will lie. Links of the image are followed inside the root; the last component only
 * with `follow_last`, as runtimes do with a mount's destination. What is missing is taken for
 * directories, as runtimes make them. Of what config.json mounts on one place, and around it, the
 * kernel's order counts: the later one hides the earlier. 0, -ENOMEM, or -errno of the root.
 */
int image_find_place(struct image_volumes *volumes, const char *path, bool follow_last,
		     struct image_place *ret);
/* Whether it is, or may be, in a volume. */
bool image_place_is_volume(const struct image_place *place);
