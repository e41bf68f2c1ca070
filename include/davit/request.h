// SPDX-License-Identifier: Apache-2.0
/*
 * request: what a container asks for and what policy lets it have. Pure: structs in, structs out.
 */
#pragma once

#include "davit/base.h"
#include "davit/config.h"
#include "davit/oci.h"
#include "davit/vendor.h"

/* Items of one list, and NVIDIA_REQUIRE_* variables; more are ERROR_BAD_REQUEST. */
#define REQUEST_ITEMS_MAX 65536

/* What is requested of one vendor other than NVIDIA: items as accelerators_choose takes them. */
struct wish {
	const struct vendor *vendor;
	const char *from; /* as gpu_request.from, "env AMD_VISIBLE_DEVICES" */
	struct strings devices;
};
struct wishes {
	struct wish *items;
	size_t count, capacity;
};

/* What decided something about a request, for explanations: one printable sentence each. */
enum request_rule_kind {
	RULE_APPLIED,  /* part of the request, and what it means */
	RULE_IGNORED,  /* part of the request has no effect, whatever the policy */
	RULE_POLICY,   /* part of the request has no effect because policy doesn't accept it */
	RULE_MISSPELT, /* a variable that isn't read, although its name is close to one that is */
};
struct request_rule {
	enum request_rule_kind kind;
	const char *text;
};
struct request_rules {
	struct request_rule *items;
	size_t count, capacity;
};

/* Each vendor's wish by itself: all that are set hold, and none means another's GPUs. */
struct gpu_request {
	bool gpu;             /* false: not a GPU container, nothing else holds */
	struct wishes wishes; /* of vendors other than NVIDIA (vendor.h), in their order */
	bool nvidia;          /* NVIDIA's: false: of what follows only privileged and rules hold */
	const char *from;     /* "env NVIDIA_VISIBLE_DEVICES", "annotation org.davit.devices",
				 "annotations cdi.k8s.io", "mounts", "env CUDA_VERSION"; "" */
	/* {"all"}, {"none"}, or the items: indices, UUIDs, bus ids, MIG names; printable ASCII */
	struct strings devices;
	unsigned capabilities_granted; /* enum driver_capability: asked for and allowed; to show */
	/*
	 * The same with what they imply, to act upon: video's libraries need compute's (libcuda,
	 * nvidia-uvm), so VIDEO brings COMPUTE, whatever policy.capabilities says of compute.
	 */
	unsigned capabilities;
	/* The variable and its expression, of NVIDIA_REQUIRE_* and CUDA_VERSION (legacy images), in
	 * the environment's order; empty when disabled. Printable ASCII. */
	struct oci_pairs requirements;
	/* "" or why NVIDIA_DISABLE_REQUIRE did nothing ("NVIDIA_DISABLE_REQUIRES is not read") */
	const char *disable_require_hint;
	const char *mig_config, *mig_monitor; /* "" : not asked for */
	struct strings imex; /* channel numbers: decimal, no leading zeros, each once */
	bool gds, mofed, gdrcopy, nvswitch;
	/*
	 * CUDA_MPS_PIPE_DIRECTORY, or "": where the container's processes look for the pipes. The
	 * image chooses it: a target in the container, never a path of the host to take things
	 * from. Absolute, without "..", not "/".
	 */
	const char *mps_pipe_directory;
	bool privileged;
	/* Tegra: NVIDIA_REQUIRE_JETPACK is csv-mounts=all, and that is accepted: every list's files
	 */
	bool every_list;
	bool legacy; /* CUDA_VERSION without NVIDIA_REQUIRE_CUDA */
	/* Qualified names of devices that CDI specs describe, each once, and who asks for them. */
	struct strings spec_devices;
	const char *spec_from;
	bool management;            /* management.nvidia.com/gpu=all: whatever nodes there are */
	bool requirements_warn;     /* constraints that don't hold are a warning, no refusal */
	struct request_rules rules; /* those that decided something, in the order applied */
	struct strings warnings;    /* the texts of those that are logged as warnings */
};
/* "env NVIDIA_VISIBLE_DEVICES, env AMD_VISIBLE_DEVICES"; "" for none. NULL without memory. */
const char *gpu_request_sources(const struct gpu_request *request, struct arena *arena);
/* The same of the devices: "0,1" of NVIDIA's, "amd.com/gpu=0" of the others. */
const char *gpu_request_devices(const struct gpu_request *request, struct arena *arena);

/*
 * Sources in their order, for each vendor the first that speaks of it decides: annotation
 * org.davit.devices, annotations cdi.k8s.io/... of the vendor's kind, mounts of /dev/null, the
 * variables of policy.env-names or policy.vendor-env-names. Where no kind is named NVIDIA is meant.
 * What is named by a kind that davit doesn't read itself goes into spec_devices. Of annotations
 * these are NVIDIA's kinds alone (the device plugin's) for the hook: the engine has applied others.
 *
 * -EINVAL with ERROR_BAD_REQUEST (malformed or unsupported), -EPERM with ERROR_REFUSED, -ENODEV
 * with ERROR_UNKNOWN_DEVICE (`none` or `void` as the name of a mount or a CDI device); `ret` then
 * still holds what was decided before the error. Text that isn't printable ASCII in anything that a
 * GPU container asks with is ERROR_BAD_REQUEST; elsewhere it is not looked at.
 */
int gpu_request_resolve(const struct oci_spec *spec, const struct config *config,
			struct arena *arena, struct gpu_request *ret, struct error *err);
/*
 * The same for davit-runtime, which stands in the place of NVIDIA's runtime, whose containers get
 * everything: no capabilities named means all that policy allows, an unknown one is a warning, and
 * so are MIG's config and monitor devices for a container that isn't privileged. Constraints that
 * don't hold are a warning, unless policy.requirements says otherwise.
 */
int gpu_request_resolve_for_runtime(const struct oci_spec *spec, const struct config *config,
				    struct arena *arena, struct gpu_request *ret,
				    struct error *err);

/*
 * Whether a container with this config.json, as text, may ask for GPUs. False is certain: none of
 * the words that every request takes is in it, nor are they spelled with escapes. Nothing is parsed
 * for it, so it needs no sandbox; most containers of a host end here. True says nothing.
 */
bool gpu_request_is_possible(const char *text, size_t length, const struct config *config);
/*
 * Whether the container may ask by a name that only a configuration could tell, which isn't
 * known: a variable or annotation whose value names a device (a UUID, a qualified name), or a
 * variable of Swarm's. A configured variable with an index or `all` isn't recognised.
 */
bool gpu_request_may_have_other_name(const struct oci_spec *spec);

/* ---- constraints ------------------------------------------------------------------------ */

/* What a NVIDIA_REQUIRE_* expression may speak of; NULL: not known (yet). */
struct requirement_facts {
	const char *cuda, *driver; /* "13.0", "580.159.04" */
	const char *arch;          /* compute capability "9.0": the least of the selected GPUs */
	const char *brand;         /* "tesla" */
	bool no_device;            /* no GPU is selected: conditions on arch and brand hold */
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
	unsigned missing;        /* UNKNOWN: the properties that the answer depends on */
	const char *alternative; /* the one that decided: satisfied, or failed and came nearest (the
				    fewest conditions that don't hold, the first of several); else
				    NULL */
	const char *condition; /* FAILED: the first condition of it that does not hold; else NULL */
	unsigned property;     /* FAILED: what that condition speaks of */
};
/*
 * Evaluates one expression from left to right: spaces separate alternatives, commas join
 * conditions `PROPERTY OPERATOR VALUE` (without the blanks). Properties and brands compare without
 * case; versions (digits and dots) number by number; brand knows = and != only. An expression
 * without conditions is satisfied.
 *
 * Three-valued, so that a fact is asked for only when the answer depends on it, and lazy as the
 * engines' images expect: what stands behind the deciding alternative, or behind a condition that
 * does not hold, is not looked at. -EINVAL with ERROR_BAD_REQUEST, naming the part, when what
 * decides is no expression.
 */
int requirement_evaluate(const char *expression, const struct requirement_facts *facts,
			 struct arena *arena, struct requirement_answer *ret, struct error *err);

/*
 * Evaluates all requirements of a request. 0 with *ret_missing == 0: all hold. 0 with properties in
 * *ret_missing: find them out and ask again; what can't be found out is the caller's error. -EPERM
 * with ERROR_UNSATISFIED (variable, need and have), -EINVAL with ERROR_BAD_REQUEST.
 */
int requirements_check(const struct gpu_request *request, const struct requirement_facts *facts,
		       struct arena *arena, unsigned *ret_missing, struct error *err);
