// SPDX-License-Identifier: Apache-2.0
/*
 * cdi: specs of the Container Device Interface, which contain an engine's edits of config.json for
 * named devices. They are made from plans, one for each device, and checked as strictly as by
 * engines, which reject a file with an unknown field.
 *
 * The format is that of github.com/cncf-tags/container-device-interface, SPEC.md. davit writes the
 * versions 0.3.0 to 1.1.0, and also reads 0.1.0, 0.2.0 and 1.1.1.
 */
#pragma once

#include <json-c/json.h>

#include "davit/base.h"
#include "davit/plan.h"

#define CDI_SPEC_MAX ((size_t)4 * 1024 * 1024)

/* The devices of a spec. Each mode has its own kind. */
enum cdi_mode {
	CDI_MODE_GPU,        /* nvidia.com/gpu: GPUs and MIG instances */
	CDI_MODE_MANAGEMENT, /* management.nvidia.com/gpu=all: every node of the driver */
	CDI_MODE_GDS,        /* nvidia.com/gds=all */
	CDI_MODE_MOFED,      /* nvidia.com/mofed=all */
	CDI_MODE_GDRCOPY,    /* nvidia.com/gdrcopy=all */
	CDI_MODE_NVSWITCH,   /* nvidia.com/nvswitch=all */
	CDI_MODE_IMEX,       /* nvidia.com/imex-channel=0, ... */
};
/* The kind's default vendor and class. */
const char *cdi_mode_vendor(enum cdi_mode mode);
const char *cdi_mode_class(enum cdi_mode mode);

struct cdi_options {
	enum cdi_mode mode;
	const char *platform;       /* "csv" or "wsl": the required platform; NULL: any */
	const char *vendor, *class; /* "nvidia.com", "gpu" */
	/* The GPUs' names: any of 0, gpu0 and GPU-UUID */
	bool by_index, by_type_index, by_uuid;
	bool no_all;                   /* no device "all" */
	const struct strings *devices; /* only these; NULL: all */
	/*
	 * The absolute path of davit-hook, as the engine sees it. For a program named nvidia-ctk,
	 * the hooks are subcommands of its command `hook`.
	 */
	const char *hook;
	const char *ldconfig; /* update-ldcache's argument --ldconfig-path; or NULL */
	const struct strings *disabled_hooks; /* commands to omit; or NULL */
	/*
	 * One hook, `davit-hook cdi`, instead of one for each of NVIDIA's commands. It also makes
	 * the mounts, which then aren't in the spec, unless `mounts_in_spec`.
	 */
	bool one_hook, mounts_in_spec;
	bool chmod;                 /* a hook sets the mode of the nodes' directories */
	bool no_groups, no_sockets; /* omit additionalGids, and sockets of daemons */
	bool cuda_compat;           /* containers may use the image's newer driver libraries */
	const struct image *image;  /* the assumed image, with its library directories */
};

/* Checks a vendor (a DNS name) and a class. 0 or -EINVAL with ERROR_BAD_REQUEST. */
int cdi_check_kind(const char *vendor, const char *class, struct error *err);

/*
 * Makes the spec of options->mode: for the GPUs and MIG instances of `driver`, and "all", or for
 * the mode's other devices. The rest of `request` (capabilities and so on) applies to every device.
 * For the other modes, `request` requests only the mode's devices. Names that only NVML knows must
 * be filled in before. Skipped, with a sentence each in *ret_left_out:
 * - GPUs and optional nodes without a device node;
 * - parts that a spec can't express, such as a check of the source's owner at the container's
 *   start.
 *
 * Optional files that don't exist are skipped without a sentence. The caller releases the result. 0
 * or -errno as plan_make, or with ERROR_UNKNOWN_DEVICE (no GPU, or an unknown name). Not pure: it
 * inspects the sources.
 */
int cdi_spec_make(const struct gpu_request *request, const struct driver *driver,
		  const struct driver_roots *roots, const struct cdi_options *options,
		  struct arena *arena, struct json_object **ret, struct strings *ret_left_out,
		  struct error *err);

/*
 * The same for another vendor's GPUs: each by its index and its other names, and "all". In `all`,
 * all GPUs are selected and their nodes have been found.
 */
int cdi_spec_make_vendor(const struct choice *all, const struct driver_roots *roots,
			 const struct cdi_options *options, struct arena *arena,
			 struct json_object **ret, struct strings *ret_left_out, struct error *err);

/* The lowest version of the specification that has all fields and names of the spec. */
const char *cdi_lowest_version(struct json_object *spec);

/*
 * Checks a spec: no unknown field, correct types, valid names, each device once and with edits, and
 * a known version that is high enough for its fields. 0 or -EINVAL with ERROR_BAD_REQUEST: "use
 * WHAT: devices[0].name: ...".
 */
int cdi_check(struct json_object *spec, const char *what, struct error *err);

/* ---- folders of specs ------------------------------------------------------------------- */

struct cdi_listed {
	const char *name; /* nvidia.com/gpu=0 */
	const char *file;
	size_t directory; /* its index; the last directory has precedence */
};
enum cdi_problem_kind {
	CDI_PROBLEM_INVALID, /* a file isn't a spec, or can't be read */
	CDI_PROBLEM_DEADLY,  /* dockerd 25.0 to 29.7 panics when it reads the file */
	CDI_PROBLEM_STALE,   /* it names something that doesn't exist on the host */
	CDI_PROBLEM_HOOK,    /* a hook doesn't exist, or is davit's with an unknown command */
	CDI_PROBLEM_NEITHER, /* a device is in two files of one folder */
	CDI_PROBLEM_COVERED, /* a device is in two folders */
};
struct cdi_problem {
	enum cdi_problem_kind kind;
	const char *text; /* a sentence, with the file */
};
struct cdi_listing {
	struct {
		struct cdi_listed *items;
		size_t count, capacity;
	} devices;
	struct {
		struct cdi_problem *items;
		size_t count, capacity;
	} problems;
	size_t files; /* the number of specs, including invalid ones */
};
/* Lists the devices of all specs in these directories of `root`, and problems. 0 or -ENOMEM. */
int cdi_scan(const struct root *root, const char *const *directories, size_t count,
	     struct arena *arena, struct cdi_listing *ret);

/* Whether davit-hook has that command, such as create-symlinks. */
bool cdi_is_hook_command(const char *name);
/*
 * The command in a hook's args: "nvidia-cdi-hook NAME ...", "nvidia-ctk hook NAME ...". NULL: none.
 */
const char *cdi_hook_command(struct json_object *arguments);

/* ---- YAML ------------------------------------------------------------------------------- */

/* The spec as YAML: block style, texts in double quotes. NULL: no memory. */
const char *cdi_yaml_write(struct json_object *spec, struct arena *arena);
/*
 * Reads the subset of YAML that specs use: mappings and sequences in block and flow style, scalars
 * on one line, comments, a %YAML directive; no anchors, tags or block scalars. 0, -ENOMEM or
 * -EINVAL with ERROR_BAD_REQUEST and the line.
 */
int cdi_yaml_parse(const char *text, size_t length, const char *what, struct json_object **ret,
		   struct error *err);
