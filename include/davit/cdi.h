// SPDX-License-Identifier: Apache-2.0
/*
 * cdi: specs of the Container Device Interface: what an engine changes in a container's config.json
 * for a device by name. Made from the planner's plans, one for each device; checked as strictly as
 * the engines do, who reject a file with an unknown field.
 *
 * The format is that of github.com/cncf-tags/container-device-interface, SPEC.md, 0.3.0 to 1.1.0.
 */
#pragma once

#include <json-c/json.h>

#include "davit/base.h"
#include "davit/plan.h"

#define CDI_SPEC_MAX ((size_t)4 * 1024 * 1024)

/* What a spec is of: each has a kind of its own. */
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
	const char *platform; /* "csv" or "wsl": the host has to be that; NULL: whichever it is */
	const char *vendor, *class; /* "nvidia.com", "gpu" */
	/* How GPUs are named: any of 0, gpu0 and GPU-UUID */
	bool by_index, by_type_index, by_uuid;
	bool no_all;                   /* no device "all" */
	const struct strings *devices; /* these alone; or NULL */
	/*
	 * Absolute path of davit-hook, as the engine sees it; of a program named nvidia-ctk the
	 * hooks are commands of its command `hook`.
	 */
	const char *hook;
	const char *ldconfig; /* what update-ldcache is given as --ldconfig-path; or NULL */
	const struct strings *disabled_hooks; /* commands that don't go in; or NULL */
	/*
	 * One hook, `davit-hook cdi`, does all that hooks do; else each of NVIDIA's commands is a
	 * hook. It does the mounts, too (they aren't in the spec), unless `mounts_in_spec`.
	 */
	bool one_hook, mounts_in_spec;
	bool chmod;                 /* directories of nodes get a mode by a hook */
	bool no_groups, no_sockets; /* neither additionalGids nor sockets of daemons */
	bool cuda_compat;           /* images may use newer driver libraries of their own */
	const struct image *image;  /* where images have their libraries */
};

/* 0 or -EINVAL with ERROR_BAD_REQUEST: what isn't a vendor (a DNS name), class, ... */
int cdi_check_kind(const char *vendor, const char *class, struct error *err);

/*
 * The spec of options->mode: for GPUs and MIG instances of `driver`, and "all". What `request` asks
 * for besides devices holds for every one of them; of the modes for other devices it asks for these
 * alone. Sources that the host hasn't got now are left out when they
 * are optional; so is what a spec can't say (a check of the source's owner at the container's
 * start): a sentence each in *ret_left_out. Names that NVML alone knows have to be filled in.
 *
 * The result is to be put. 0 or -errno: what plan_make says, or ERROR_UNKNOWN_DEVICE (no GPU at
 * all, a name not known). Not pure: looks at the sources.
 */
int cdi_spec_make(const struct gpu_request *request, const struct driver *driver,
		  const struct driver_roots *roots, const struct cdi_options *options,
		  struct arena *arena, struct json_object **ret, struct strings *ret_left_out,
		  struct error *err);

/*
 * The spec for another vendor's GPUs, of its kind: each by index and by the names that people have
 * for it, and "all". `all` has chosen every one, and their nodes have been found. Otherwise as
 * above.
 */
int cdi_spec_make_vendor(const struct choice *all, const struct driver_roots *roots,
			 const struct cdi_options *options, struct arena *arena,
			 struct json_object **ret, struct strings *ret_left_out, struct error *err);

/* The lowest version of the specification whose fields and names the spec keeps to. */
const char *cdi_lowest_version(struct json_object *spec);

/*
 * Whether the spec is one: no unknown field, right types, valid names, every device once and with
 * edits, a version that is known and not lower than its fields need. 0 or -EINVAL with
 * ERROR_BAD_REQUEST: "use WHAT: devices[0].name: ...".
 */
int cdi_check(struct json_object *spec, const char *what, struct error *err);

/* ---- folders of specs ------------------------------------------------------------------- */

struct cdi_listed {
	const char *name; /* nvidia.com/gpu=0 */
	const char *file;
	size_t directory; /* its place among them: the last one has precedence */
};
enum cdi_problem_kind {
	CDI_PROBLEM_INVALID, /* a file is no spec, or can't be read */
	CDI_PROBLEM_DEADLY,  /* dockerd 28 panics at it */
	CDI_PROBLEM_STALE,   /* it names what the host doesn't have (any more) */
	CDI_PROBLEM_HOOK,    /* a hook isn't there, or is ours and doesn't know its command */
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
	size_t files; /* how many specs there are, the invalid ones too */
};
/* The devices of all specs in these folders of `root`, and what is wrong with them. 0 or -ENOMEM.
 */
int cdi_scan(const struct root *root, const char *const *directories, size_t count,
	     struct arena *arena, struct cdi_listing *ret);

/* Whether davit-hook has that command: create-symlinks, ... */
bool cdi_is_hook_command(const char *name);
/*
 * The command in a hook's args: "nvidia-cdi-hook NAME ...", "nvidia-ctk hook NAME ...". NULL: none.
 */
const char *cdi_hook_command(struct json_object *arguments);

/* ---- YAML ------------------------------------------------------------------------------- */

/* The spec as YAML: block style, texts in double quotes. NULL without memory. */
const char *cdi_yaml_write(struct json_object *spec, struct arena *arena);
/*
 * Reads the part of YAML that specs are written in: mappings and sequences, in block and in flow
 * style, scalars on one line, comments, a %YAML directive. 0, -ENOMEM or -EINVAL with
 * ERROR_BAD_REQUEST and the line: no anchors, tags or block scalars.
 */
int cdi_yaml_parse(const char *text, size_t length, const char *what, struct json_object **ret,
		   struct error *err);
