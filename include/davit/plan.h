// SPDX-License-Identifier: Apache-2.0
/*
 * plan: request + driver + image -> the changes to the container, as an ordered array of
 * operations, each with its reason. Pure. One planner, several consumers: the hook applies the plan
 * and `davit explain` prints it. No consumer makes decisions of its own.
 */
#pragma once

#include "davit/base.h"
#include "davit/driver.h"
#include "davit/image.h"
#include "davit/loader.h"
#include "davit/oci.h"
#include "davit/request.h"
#include "davit/select.h"
#include "davit/vendor.h"

enum operation_kind {
	OPERATION_DEVICE_RULE,  /* the cgroup allows opening a node */
	OPERATION_PROC_MASK,    /* a tmpfs over /proc/driver/nvidia */
	OPERATION_DEVICE,       /* a bind mount of a device node of the host */
	OPERATION_BIND,         /* a bind mount of a file, directory or socket of the host */
	OPERATION_SYMLINK,      /* a link, or a bind mount on a file of that name */
	OPERATION_FILE,         /* a file with davit's text */
	OPERATION_LOADER_CACHE, /* the driver's libraries, merged into the image's cache */
};
/* The name in `davit explain`: "device-rule", "proc-mask", ... */
const char *operation_name(enum operation_kind kind);

/* The access that a device rule allows. Only devices of CDI specs have less than both. */
enum device_access { ACCESS_READ_WRITE, ACCESS_READ, ACCESS_WRITE };
/* "rw", "r", "w" */
const char *device_access_name(enum device_access access);
struct cdi_node;

#define MOUNT_OPTIONS_MAX 4
/* Fills `names` with mount(8)'s names of the MOUNT_FLAG_* in `flags`, and returns their number. */
size_t mount_option_names(unsigned flags, const char *names[static MOUNT_OPTIONS_MAX]);

struct operation {
	enum operation_kind kind;
	enum driver_tree tree;     /* the host's tree that contains `source` */
	const char *source;        /* path in that tree, or NULL */
	int source_fd;             /* the opened source, not owned, if the driver holds it; or -1 */
	mode_t source_type;        /* of source_fd: S_IFREG, S_IFSOCK */
	const char *target;        /* absolute in the container */
	const char *text;          /* of a link or file */
	unsigned flags;            /* enum mount_flags */
	unsigned major, minor;     /* devices and rules */
	bool block;                /* a block device; else a character device */
	enum device_access access; /* of a rule */
	const struct cdi_node *node; /* the other values of a CDI spec's device; or NULL */
	const char *because;
	bool owner_root; /* the source must be a root-owned directory */
	bool required;   /* false: a failure is logged, and the operation is skipped */
	bool of_spec;    /* from a CDI spec: the engine may have applied it already */
	bool replaces;   /* a link also replaces a file with content, unless `source` covers it */
};

/* The numbers of a device or rule: "c 195:0", "b 8:0". NULL: no memory. */
const char *operation_numbers(const struct operation *operation, struct arena *arena);

/* The content of the mask over /proc/driver/nvidia. */
struct proc_mask {
	const char *version, *params, *registry; /* texts; NULL: no such file */
	struct strings bus_ids; /* gpus/BUS_ID of the host, bind mounted below the mask */
	/* bind mounted below the mask: directories and files in "capabilities/..." */
	struct strings capabilities, capability_files;
};

struct plan {
	struct operation *items;
	size_t count, capacity;
	struct proc_mask proc_mask;
	struct loader_cache libraries; /* the entries that OPERATION_LOADER_CACHE adds */
	/* Paths in the container's root that don't exist before the runtime mounts on them */
	struct strings stubs;
	struct strings missing; /* missing nodes of the host that the plan needs */
	/*
	 * From config.json, for the createContainer hook, which doesn't read that file: its mounts
	 * in order, root.readonly, and whether linux.rootfsPropagation is shared.
	 */
	struct oci_mounts mounts;
	bool root_readonly, shared_propagation;
};

/*
 * Lists nodes of the host that a plan would need, but that are missing in the driver's inventory.
 * They must be created before. 0 or -ENOMEM.
 */
int plan_find_missing(const struct gpu_request *request, const struct driver *driver,
		      const struct selection *selection, struct arena *arena, struct strings *ret,
		      struct error *err);

/*
 * Makes the plan: NVIDIA's part if `driver` isn't NULL (otherwise `selection` and `image` aren't
 * read), then the selected GPUs of other vendors, whose nodes have been found before.
 *
 * 0, -ENOMEM, or -ENODEV if something required is missing: ERROR_NO_DRIVER (a node),
 * ERROR_UNKNOWN_DEVICE (an IMEX channel, MIG's config or monitor device). `missing` is also filled
 * in that case.
 */
int plan_make(const struct gpu_request *request, const struct driver *driver,
	      const struct selection *selection, const struct choices *choices,
	      const struct image *image, struct arena *arena, struct plan *ret, struct error *err);

/* ---- a plan as text ----------------------------------------------------------------------- */

/*
 * The file in the bundle that davit-runtime writes for davit-hook's createContainer: operations
 * that config.json can't express, the path of the container's root, and config.json's mounts.
 */
#define PLAN_FILE "davit.json"
#define PLAN_FILE_MAX ((size_t)16 * 1024 * 1024)
/* Returns the text, in the arena, without descriptors and reasons. NULL: no memory. */
const char *plan_write(const struct plan *plan, const char *rootfs, struct arena *arena);
/* Reads such a text. 0, -ENOMEM or -EINVAL with ERROR_BAD_BUNDLE. */
int plan_read(const char *text, size_t length, struct arena *arena, struct plan *ret,
	      const char **ret_rootfs, struct error *err);
/* A variable set in the container, if possible: the directory of libcuda. */
#define LIBCUDA_DIR_VARIABLE "NVIDIA_CTK_LIBCUDA_DIR"
/* ---- texts in containers, for callers without a plan -------------------------------------- */

/* The text of /proc/driver/nvidia/params with ModifyDeviceFiles 0. NULL: no memory. */
const char *plan_mask_params(struct arena *arena, const char *params);
/*
 * What a later ldconfig in the container reads, so that it finds the driver's libraries again: the
 * image's newer ones first, then the directories of the host's. The last file, of the directories
 * that the image's own ldconfig has built in, is for another's that is run on the root.
 */
#define PLAN_LOADER_CONF "/etc/ld.so.conf"
#define PLAN_LOADER_CONF_TEXT "include /etc/ld.so.conf.d/*.conf\n"
#define PLAN_FOLDERS_CONF "/etc/ld.so.conf.d/00-davit.conf"
#define PLAN_SYSTEM_CONF "/etc/ld.so.conf.d/zz-davit.conf"
/* The file that restricts EGL to the GPUs whose minors are bits of `visible`, and its text. */
#define PLAN_EGL_PROFILE "/etc/nvidia/nvidia-application-profiles-rc.d/10-davit.conf"
const char *plan_egl_profile(struct arena *arena, uint64_t visible);
