// SPDX-License-Identifier: Apache-2.0
/*
 * plan: request + driver + image -> what will be done to the container, as an ordered array of
 * operations, each with its reason. Pure. One planner, several ends: the hook applies the plan,
 * `davit explain` prints it; no end chooses anything by itself.
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
	OPERATION_DEVICE_RULE, /* the cgroup lets the container open a node */
	OPERATION_PROC_MASK,   /* a tmpfs over /proc/driver/nvidia */
	OPERATION_DEVICE,      /* a device node of the host, bound */
	OPERATION_BIND,        /* a file, directory or socket of the host, bound */
	OPERATION_SYMLINK, /* a link, or `source` bound where the image has a file of that name */
	OPERATION_FILE,    /* a file with a text of ours */
	OPERATION_LOADER_CACHE, /* our libraries merged into the image's cache */
};
/* The name in `davit explain`: "device-rule", "proc-mask", ... */
const char *operation_name(enum operation_kind kind);

/* What a device rule allows: devices of CDI specs alone have less than both. */
enum device_access { ACCESS_READ_WRITE, ACCESS_READ, ACCESS_WRITE };
/* "rw", "r", "w" */
const char *device_access_name(enum device_access access);
struct cdi_node;

#define MOUNT_OPTIONS_MAX 4
/* The options of a mount with these MOUNT_FLAG_*, as mount(8) names them: how many of `names`. */
size_t mount_option_names(unsigned flags, const char *names[static MOUNT_OPTIONS_MAX]);

struct operation {
	enum operation_kind kind;
	enum driver_tree tree; /* which tree of the host `source` is in */
	const char *source;    /* path in that tree, or NULL */
	int source_fd;      /* what it leads to, where the driver holds it open, not owned; or -1 */
	mode_t source_type; /* of source_fd: S_IFREG, S_IFSOCK */
	const char *target; /* absolute in the container */
	const char *text;   /* of a link or file */
	unsigned flags;     /* enum mount_flags */
	unsigned major, minor;       /* devices and rules */
	bool block;                  /* a block device; else a character device */
	enum device_access access;   /* of a rule */
	const struct cdi_node *node; /* of a CDI spec's device: what more that says; or NULL */
	const char *because;
	bool owner_root; /* the source must be a directory of root's */
	bool required;   /* false: what can't be done is left out and logged */
	bool of_spec;    /* a CDI spec's: the engine may have applied it already */
	bool replaces;   /* a link: also a file with content, unless `source` covers that */
};

/* "c 195:0", "b 8:0": of a device or rule. NULL without memory. */
const char *operation_numbers(const struct operation *operation, struct arena *arena);

/* What the mask over /proc/driver/nvidia holds. */
struct proc_mask {
	const char *version, *params, *registry; /* texts; NULL: no such file */
	struct strings bus_ids;                  /* gpus/BUS_ID of the host, bound beneath */
	/* beneath /proc/driver/nvidia, bound: "capabilities/...", directories and files */
	struct strings capabilities, capability_files;
};

struct plan {
	struct operation *items;
	size_t count, capacity;
	struct proc_mask proc_mask;
	struct loader_cache libraries; /* what OPERATION_LOADER_CACHE adds */
	/* Where nothing was in the container's root before the runtime mounts something there */
	struct strings stubs;
	struct strings missing; /* nodes of the host that it would take, if they were there */
	/*
	 * Of config.json, for the createContainer hook, which doesn't read it: its mounts in their
	 * order, root.readonly, and whether linux.rootfsPropagation is shared.
	 */
	struct oci_mounts mounts;
	bool root_readonly, shared_propagation;
};

/*
 * The nodes of the host that a plan would take, but which the driver's inventory says aren't there:
 * to be made before. 0 or -ENOMEM.
 */
int plan_find_missing(const struct gpu_request *request, const struct driver *driver,
		      const struct selection *selection, struct arena *arena, struct strings *ret,
		      struct error *err);

/*
 * NVIDIA's part when `driver` isn't NULL (else selection and image aren't looked at), then what was
 * chosen of other vendors' GPUs, whose nodes have been looked for.
 *
 * 0, -ENOMEM, or -ENODEV when something that it can't do without isn't there: ERROR_NO_DRIVER (a
 * node), ERROR_UNKNOWN_DEVICE (an IMEX channel, MIG's config or monitor device). `missing` is
 * filled then, too.
 */
int plan_make(const struct gpu_request *request, const struct driver *driver,
	      const struct selection *selection, const struct choices *choices,
	      const struct image *image, struct arena *arena, struct plan *ret, struct error *err);

/* ---- a plan as text ----------------------------------------------------------------------- */

/*
 * What davit-runtime leaves for davit-hook's createContainer, in the bundle: the operations that
 * config.json has no words for, where the container's root is, and config.json's mounts.
 */
#define PLAN_FILE "davit.json"
#define PLAN_FILE_MAX ((size_t)16 * 1024 * 1024)
/* The text in the arena; NULL without memory. Descriptors and reasons don't go in. */
const char *plan_write(const struct plan *plan, const char *rootfs, struct arena *arena);
/* The way back. 0, -ENOMEM or -EINVAL with ERROR_BAD_BUNDLE. */
int plan_read(const char *text, size_t length, struct arena *arena, struct plan *ret,
	      const char **ret_rootfs, struct error *err);
/* Set in the container where that can be: the directory of libcuda. */
#define LIBCUDA_DIR_VARIABLE "NVIDIA_CTK_LIBCUDA_DIR"
/* ---- texts that containers see, for who has no plan but the container itself ------------- */

/* The text of /proc/driver/nvidia/params with ModifyDeviceFiles 0. NULL without memory. */
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
/* The file that has EGL show the GPUs whose minors are bits of `visible`, and its text. */
#define PLAN_EGL_PROFILE "/etc/nvidia/nvidia-application-profiles-rc.d/10-davit.conf"
const char *plan_egl_profile(struct arena *arena, uint64_t visible);
