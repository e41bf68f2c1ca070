// SPDX-License-Identifier: Apache-2.0
/*
 * image: what the container's root is like, as far as the plan depends on it. The image is the
 * enemy: everything is read through the resolver, nothing is executed, nothing is believed.
 */
#pragma once

#include "davit/base.h"
#include "davit/loader.h"
#include "davit/sys.h"

enum image_loader {
	IMAGE_LOADER_NONE,  /* no dynamic loader that we know: static programs only */
	IMAGE_LOADER_GLIBC, /* /etc/ld.so.cache */
	IMAGE_LOADER_MUSL,  /* /etc/ld-musl-ARCH.path */
};

struct image {
	enum image_loader loader;
	const char *lib_dir;    /* where libraries go: "/usr/lib/x86_64-linux-gnu", ... */
	const char *lib_dir_32; /* the same for 32-bit ones */
	/* It keeps the drivers of libvdpau in "vdpau" beneath these: image_find_vdpau looked. */
	bool vdpau, vdpau_32;
	/* A musl image whose path file doesn't lead to lib_dir: the file and what it has to hold.
	 */
	const char *musl_path_file, *musl_path_text;
	/* CUDA forward compatibility: what image_find_compat found. */
	const char *compat_version; /* of the image's libcuda; NULL: it has none */
	bool compat_used;           /* it runs on the host's driver, and is newer */
	struct loader_cache compat; /* its libraries, to come first in the loader cache */
};

/* Reads the root. 0 or -errno, err filled. */
int image_inspect(const struct root *root, struct arena *arena, struct image *ret,
		  struct error *err);

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
