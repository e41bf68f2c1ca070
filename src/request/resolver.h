// SPDX-License-Identifier: Apache-2.0
/*
 * Shared by the steps of gpu_request_resolve: the inputs, the values found in them, and the request
 * so far. Steps return 0, or -errno with the error filled.
 */
#pragma once

#include "davit/request.h"

/* Variables with a fixed name; NVIDIA_REQUIRE_* and policy.env-names are separate. */
enum variable {
	VARIABLE_CUDA_VERSION,
	VARIABLE_MPS_PIPE_DIRECTORY,
	VARIABLE_DISABLE_REQUIRE,
	VARIABLE_DRIVER_CAPABILITIES,
	VARIABLE_GDRCOPY,
	VARIABLE_GDS,
	VARIABLE_IMEX_CHANNELS,
	VARIABLE_MIG_CONFIG,
	VARIABLE_MIG_MONITOR,
	VARIABLE_MOFED,
	VARIABLE_NVSWITCH,
	VARIABLE_COUNT,
};

/* A variable that requests another vendor's GPUs, in the order of preference. */
struct vendor_variable {
	const struct vendor *vendor;
	const char *name, *value; /* value NULL: not set */
};

struct environment {
	const char *values[VARIABLE_COUNT]; /* NULL: not set */
	const char **devices;               /* of policy.env-names, in their order; NULL: not set */
	struct vendor_variable *others;
	size_t others_count;
	bool others_set;               /* one of them is */
	struct oci_pairs requirements; /* NVIDIA_REQUIRE_*, repeated names too */
	const char *jetpack;           /* NVIDIA_REQUIRE_JETPACK; NULL: not set */
	const char *require_cuda;      /* NVIDIA_REQUIRE_CUDA, or NULL */
	size_t malformed;              /* entries that aren't NAME=value */
	struct strings near_misses;    /* sentences about names that resemble davit's */
};

struct resolver {
	const struct oci_spec *spec;
	const struct config *config;
	struct arena *arena;
	struct gpu_request *request;
	struct error *err;
	struct environment env;
	bool for_runtime; /* for davit-runtime, which refuses less */
};

/* ---- explaining ------------------------------------------------------------------------- */

/* Adds a sentence to the request's rules. 0 or -ENOMEM. */
int resolver_rule(struct resolver *r, enum request_rule_kind kind, const char *format, ...)
	PRINTF_LIKE(3, 4);
/* The same for something that is ignored. It is also logged. */
int resolver_warn(struct resolver *r, const char *format, ...) PRINTF_LIKE(2, 3);
/*
 * Whether the policy accepts a request in the environment (accept-env) or in annotations
 * (accept-annotations). If not, adds a rule that `what` is ignored.
 */
bool resolver_accepts_env(struct resolver *r, const char *what);
bool resolver_accepts_annotation(struct resolver *r, const char *what);
/* The same without a rule. */
bool resolver_trusts_env(const struct resolver *r);
/* "the container has no CAP_SYS_ADMIN", or the reason that its CAP_SYS_ADMIN isn't sufficient. */
const char *resolver_not_privileged(const struct resolver *r);

/*
 * Checks that no annotation of cdi.annotation-prefixes is repeated, because runc and crun read that
 * differently. 0 or -EINVAL with ERROR_BAD_BUNDLE.
 */
int annotations_check(struct resolver *r);

/* ---- lists ------------------------------------------------------------------------------ */

/* The items of a list: trimmed of white space, empty ones dropped, repeated ones kept. */
int items_split(struct resolver *r, const char *what, const char *value, struct strings *ret);
/* Each item once, at its last place. */
int items_unique(struct resolver *r, struct strings *list);
/* Sets keep[i] for the last of each group of equal keys; at most REQUEST_ITEMS_MAX. */
int items_keep_last(struct arena *arena, const char *const *keys, size_t count, bool *keep);
/* ERROR_BAD_REQUEST if the text isn't printable ASCII. */
int items_check_printable(struct resolver *r, const char *what, const char *text);
/* "cannot read WHAT: it has more than ... items". */
int items_too_many(struct resolver *r, const char *what);

/* ---- steps ------------------------------------------------------------------------------ */

#define ANNOTATION_DEVICES "org.davit.devices"
#define ANNOTATION_CAPABILITIES "org.davit.capabilities"
#define ANNOTATION_IMEX "org.davit.imex-channels"
#define ANNOTATION_FEATURES "org.davit.features"

int environment_read(struct resolver *r);
const char *environment_name(enum variable variable);

/* Requests made by mounting /dev/null beneath /var/run/nvidia-container-devices. */
struct mount_requests {
	struct strings devices; /* names, including those in cdi/ of kind nvidia.com/gpu */
	struct strings imex;
	const char *word;        /* "none" or "void" among the names, or NULL */
	struct strings others;   /* qualified names of other vendors' devices */
	struct strings of_specs; /* qualified names of all devices that specs define */
	size_t malformed;        /* mounts beneath cdi/ without a qualified name */
};
int mount_requests_read(struct resolver *r, struct mount_requests *ret);
/* `none` and `void` as the name of a mount: ERROR_UNKNOWN_DEVICE. Returns -ENODEV. */
int mount_refuse_word(struct resolver *r, const char *what, const char *word);

/* ---- qualified names of CDI devices ------------------------------------------------------ */

enum name_owner {
	NAME_UNQUALIFIED,
	NAME_NVIDIA,     /* nvidia.com/gpu=0, runtime.nvidia.com/gpu=0: davit reads these itself */
	NAME_MANAGEMENT, /* management.nvidia.com/gpu=all */
	NAME_OF_VENDOR,  /* of another vendor's kind */
	NAME_OF_SPEC,    /* all others, and names of nvidia.com/gpu that aren't in davit's format */
};
/* Who handles the device; *ret_device is the part after the kind. */
enum name_owner name_owner(struct slice name, struct slice *ret_device);
/* Whether its kind's vendor is nvidia.com or beneath it: k8s.device-plugin.nvidia.com. */
bool name_is_of_nvidia(const char *name);
/*
 * Moves the names of specs' devices from the list to *ret. NVIDIA's names lose their kind, and
 * management's become `all`.
 */
int names_split(struct resolver *r, struct strings *list, struct strings *ret);
/*
 * Adds them to the request, and sets gpu. A feature that policy.features refuses is also refused
 * under a spec's name.
 */
int names_add(struct resolver *r, const char *from, const struct strings *names);

/* Whether the annotation names CDI devices, by its prefix. */
bool resolver_is_cdi_annotation(const struct resolver *r, const char *name);
/* Decides the request for vendors other than NVIDIA: sets gpu and wishes. */
int wishes_resolve(struct resolver *r, const struct mount_requests *mounts);
/* Fills env.others with the variables, none of which is set yet. */
int wishes_list_variables(struct resolver *r);
/* Decides the request for NVIDIA: sets gpu, nvidia, from and devices. */
int devices_resolve(struct resolver *r, const struct mount_requests *mounts);
int capabilities_resolve(struct resolver *r);
/*
 * Whether policy.features allows a spec's device of NVIDIA's, by its class ("nvidia.com/gds=all"):
 * ERROR_REFUSED if not. *ret_ignored: it is a channel of IMEX, and policy.imex is false.
 */
int feature_check_name(struct resolver *r, const char *from, const char *name, bool *ret_ignored);
int mig_resolve(struct resolver *r);
int imex_resolve(struct resolver *r, const struct mount_requests *mounts);
/* Adds the other parts of the management device, after the two. */
int management_resolve(struct resolver *r);
int requirements_resolve(struct resolver *r);
/* GDS, MOFED, GDRCOPY, NVSWITCH and the MPS pipes. */
int features_resolve(struct resolver *r);
