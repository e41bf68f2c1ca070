// SPDX-License-Identifier: Apache-2.0
/*
 * request: the GPUs that a container requests, and what the policy allows. Pure: structs in,
 * structs out.
 */
#pragma once

#include "davit/base.h"
#include "davit/config.h"
#include "davit/oci.h"
#include "davit/vendor.h"

/* The limit for items of a list, and for NVIDIA_REQUIRE_* variables (ERROR_BAD_REQUEST). */
#define REQUEST_ITEMS_MAX 65536

/* The request for GPUs of one other vendor: items for accelerators_choose. */
struct wish {
	const struct vendor *vendor;
	const char *from; /* as gpu_request.from, "env AMD_VISIBLE_DEVICES" */
	struct strings devices;
};
struct wishes {
	struct wish *items;
	size_t count, capacity;
};

/* A rule that decided part of a request, for explanations: one printable sentence. */
enum request_rule_kind {
	RULE_APPLIED,  /* part of the request, and its meaning */
	RULE_IGNORED,  /* part of the request has no effect under any policy */
	RULE_POLICY,   /* part of the request has no effect, because the policy doesn't accept it */
	RULE_MISSPELT, /* an unknown variable whose name is similar to a known one */
};
struct request_rule {
	enum request_rule_kind kind;
	const char *text;
};
struct request_rules {
	struct request_rule *items;
	size_t count, capacity;
};

/* The request for each vendor. They are independent, and all that are set apply. */
struct gpu_request {
	bool gpu;             /* false: no GPU is requested, and nothing else is valid */
	struct wishes wishes; /* for vendors other than NVIDIA, in the order of vendor.h */
	bool nvidia;          /* false: of the following, only privileged and rules are valid */
	const char *from;     /* "env NVIDIA_VISIBLE_DEVICES", "annotation org.davit.devices",
				 "annotations cdi.k8s.io", "mounts", "env CUDA_VERSION"; "" */
	/* {"all"}, {"none"}, or the items: indices, UUIDs, bus ids, MIG names; printable ASCII */
	struct strings devices;
	unsigned capabilities_granted; /* requested and allowed, for output */
	/*
	 * The same with implied capabilities, for the plan. Video's libraries need compute's
	 * (libcuda, nvidia-uvm), so VIDEO implies COMPUTE, even if policy.capabilities doesn't
	 * allow compute.
	 */
	unsigned capabilities;
	/*
	 * The variable and its expression, of NVIDIA_REQUIRE_* and CUDA_VERSION (legacy images), in
	 * the environment's order; empty when disabled. Printable ASCII.
	 */
	struct oci_pairs requirements;
	/* Why NVIDIA_DISABLE_REQUIRE has no effect ("... is not read"), or "". */
	const char *disable_require_hint;
	const char *mig_config, *mig_monitor; /* "": not requested */
	struct strings imex; /* channel numbers: decimal, no leading zeros, each once */
	bool gds, mofed, gdrcopy, nvswitch;
	/*
	 * CUDA_MPS_PIPE_DIRECTORY, or "": the directory in which the container's processes expect
	 * the pipes. The image chooses it, so it is only a target in the container, never a source
	 * on the host. Absolute, without "..", not "/".
	 */
	const char *mps_pipe_directory;
	bool capability_refused; /* the error: policy.capabilities lacks a requested capability */
	bool privileged;
	/* Tegra: every list's files (NVIDIA_REQUIRE_JETPACK=csv-mounts=all, accepted). */
	bool every_list;
	bool legacy; /* CUDA_VERSION without NVIDIA_REQUIRE_CUDA */
	/* Qualified names of devices in CDI specs, each once, and the source of the request. */
	struct strings spec_devices;
	const char *spec_from;
	bool management;            /* management.nvidia.com/gpu=all: all existing nodes */
	bool requirements_warn;     /* unsatisfied constraints are warnings, not errors */
	struct request_rules rules; /* in the order of their application */
	struct strings warnings;    /* the texts of the rules that are logged as warnings */
};
/* The sources: "env NVIDIA_VISIBLE_DEVICES, env AMD_VISIBLE_DEVICES"; "": none. NULL: no memory. */
const char *gpu_request_sources(const struct gpu_request *request, struct arena *arena);
/* The devices: "0,1" for NVIDIA, "amd.com/gpu=0" for the others. NULL: no memory. */
const char *gpu_request_devices(const struct gpu_request *request, struct arena *arena);

/*
 * Decides the request. The sources, in order: the annotation org.davit.devices, annotations
 * cdi.k8s.io/..., mounts of /dev/null, the variables of policy.env-names or
 * policy.vendor-env-names.
 * - For each vendor, the first source that names one of its devices decides.
 * - A name without a kind means NVIDIA.
 * - Devices of kinds that davit doesn't read itself are put into spec_devices. For the hook, of
 *   annotations only NVIDIA's kinds (the device plugin's): the engine has applied the others.
 *
 * -EINVAL with ERROR_BAD_REQUEST (malformed or unsupported), -EPERM with ERROR_REFUSED, -ENODEV
 * with ERROR_UNKNOWN_DEVICE (`none` or `void` as the name of a mount or a CDI device). `ret` then
 * still contains everything that was decided before the error. Text of a request that isn't
 * printable ASCII is ERROR_BAD_REQUEST; other text isn't checked.
 */
int gpu_request_resolve(const struct oci_spec *spec, const struct config *config,
			struct arena *arena, struct gpu_request *ret, struct error *err);
/*
 * The same for davit-runtime, which replaces NVIDIA's runtime and follows its more generous rules:
 * - Without named capabilities, all that the policy allows are granted.
 * - An unknown capability is a warning.
 * - MIG's config and monitor devices in a container that isn't privileged are a warning.
 * - An unsatisfied constraint is a warning, unless policy.requirements says otherwise.
 */
int gpu_request_resolve_for_runtime(const struct oci_spec *spec, const struct config *config,
				    struct arena *arena, struct gpu_request *ret,
				    struct error *err);

/*
 * Whether the text of config.json may contain a request for GPUs. False is certain: the text
 * contains none of the words that every request needs, not even spelled with escapes. True may be
 * wrong. The text isn't parsed, so this needs no sandbox. Most containers of a host need no more
 * than this.
 */
bool gpu_request_is_possible(const char *text, size_t length, const struct config *config);
/*
 * Without the configuration: whether the container may request GPUs by a variable that only the
 * configuration names. True if the value of a variable or annotation is a device (a UUID, a
 * qualified name), or for a variable of Swarm. A configured variable with an index or `all` isn't
 * recognised.
 */
bool gpu_request_may_have_other_name(const struct oci_spec *spec);

/* ---- constraints ------------------------------------------------------------------------ */

/* The facts in NVIDIA_REQUIRE_* expressions; NULL: unknown, or not read yet. */
struct requirement_facts {
	const char *cuda, *driver; /* "13.0", "580.159.04" */
	const char *arch;          /* compute capability "9.0": the lowest of the selected GPUs */
	const char *brand;         /* "tesla" */
	bool no_device; /* no GPU is selected: conditions on arch and brand are satisfied */
};
enum requirement_property {
	REQUIRE_CUDA = 1 << 0,
	REQUIRE_DRIVER = 1 << 1,
	REQUIRE_ARCH = 1 << 2,
	REQUIRE_BRAND = 1 << 3,
};
enum requirement_verdict { REQUIREMENT_SATISFIED, REQUIREMENT_FAILED, REQUIREMENT_UNKNOWN };
struct requirement_answer {
	enum requirement_verdict verdict;
	unsigned missing; /* UNKNOWN: the properties that the answer depends on */
	/*
	 * The deciding alternative: the satisfied one, or the failed one with the fewest
	 * unsatisfied conditions (the first of several); or NULL.
	 */
	const char *alternative;
	const char *condition; /* FAILED: its first unsatisfied condition; else NULL */
	unsigned property;     /* FAILED: the property of that condition */
};
/*
 * Evaluates one expression from left to right. Spaces separate alternatives, and commas join
 * conditions `PROPERTY OPERATOR VALUE` (without the blanks). Properties and brands are compared
 * without case, versions (digits and dots) number by number. For a brand, only = and != are
 * allowed. An expression without conditions is satisfied.
 *
 * The result may be unknown, so that a fact is read only if the result depends on it. The
 * evaluation is lazy, as images expect: text after the deciding alternative, or after an
 * unsatisfied condition, isn't parsed. -EINVAL with ERROR_BAD_REQUEST names the malformed part of
 * the parsed text.
 */
int requirement_evaluate(const char *expression, const struct requirement_facts *facts,
			 struct arena *arena, struct requirement_answer *ret, struct error *err);

/*
 * Evaluates all requirements of a request.
 * - 0 with *ret_missing == 0: all are satisfied.
 * - 0 with properties in *ret_missing: the result depends on them. The caller reads these facts and
 *   calls again; if it can't read them, it reports an error.
 * - -EPERM with ERROR_UNSATISFIED: the message has the variable, the need and the host's fact.
 * - -EINVAL with ERROR_BAD_REQUEST.
 */
int requirements_check(const struct gpu_request *request, const struct requirement_facts *facts,
		       struct arena *arena, unsigned *ret_missing, struct error *err);
