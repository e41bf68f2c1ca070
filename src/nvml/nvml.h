// SPDX-License-Identifier: Apache-2.0
/*
 * davit-nvml: queries the host's libnvidia-ml for facts that /proc lacks, and prints them. It is a
 * separate program, so that the vendor's code runs without capabilities, behind a filter and only
 * for seconds.
 */
#pragma once

#include "davit/base.h"

/* ---- sandbox.c, filter.c: before the vendor's library is loaded ---------------------- */

/*
 * Starts the process that loads the library, if possible in new namespaces, and returns 0 only
 * there. The caller's process relays its output and exits with its exit code. Limits, no
 * capabilities, no_new_privs and the filter are mandatory, for the host's root also a private root
 * or Landlock. If the kernel allows both, both are used. `library` and `before` (NULL: none) are
 * resolved paths; `dev` is the directory of the driver's nodes.
 */
int sandbox_enter(const char *library, const char *before, const char *dev, struct error *err);
int filter_install(struct error *err);

/* ---- root.c, landlock.c: the visible files of the host ------------------------------- */

/* The directories and files that can be read: the system's libraries, and the driver's. */
struct places {
	char paths[32][256];
	size_t count;
};
void places_list(const char *library, const char *before, struct places *ret);
/*
 * Whether NVML needs the driver's node of that name: in the directory of nodes, or in nvidia-caps.
 */
bool node_is_needed(const char *name);
bool node_is_needed_capability(const char *name);
/* The same for directories below the directory of nodes: nvidia-caps, and Tegra's nvgpu/igpu0. */
struct node_folder {
	const char *path;
	bool (*is_needed)(const char *name);
};
#define NODE_FOLDERS 2
extern const struct node_folder node_folders[NODE_FOLDERS];
/* In a new mount namespace: changes to a root without the host's other files. */
int root_enter(const struct places *places, const char *dev, struct error *err);
int landlock_enter(const struct places *places, const char *dev, bool own_root, struct error *err);

/* ---- library.c: NVML's C interface, as publicly documented --------------------------- */

typedef struct nvmlDevice_st *nvml_device;
/* nvmlReturn_t: only the values that davit-nvml distinguishes. */
enum { NVML_SUCCESS = 0, NVML_FUNCTION_NOT_FOUND = 13 };

/*
 * nvmlPciInfo_t: the members with which all its versions begin, and space for the rest. It has no
 * PCI function, because a GPU's is 0.
 */
struct nvml_pci_info {
	char bus_id_legacy[16];
	unsigned domain, bus, device;
	char rest[228];
};

#define NVML_INIT_FLAG_NO_GPUS 1 /* a host without GPUs isn't an error */

/* A function that the library lacks is NULL. */
struct nvml {
	int (*init_with_flags)(unsigned flags);
	int (*init)(void);
	const char *(*error_string)(int result);
	int (*driver_version)(char *version, unsigned length);
	int (*cuda_version)(int *version);
	int (*device_count)(unsigned *count);
	int (*device_by_index)(unsigned index, nvml_device *device);
	int (*device_uuid)(nvml_device device, char *uuid, unsigned length);
	int (*device_name)(nvml_device device, char *name, unsigned length);
	int (*device_minor)(nvml_device device, unsigned *minor);
	int (*device_pci_info)(nvml_device device, struct nvml_pci_info *info);
	int (*device_brand)(nvml_device device, unsigned *brand);
	int (*device_capability)(nvml_device device, int *major, int *minor);
	int (*device_mig_mode)(nvml_device device, unsigned *current, unsigned *pending);
	int (*device_mig_max)(nvml_device device, unsigned *count);
	int (*device_mig_by_index)(nvml_device device, unsigned index, nvml_device *mig);
	int (*gpu_instance_id)(nvml_device mig, unsigned *id);
	int (*compute_instance_id)(nvml_device mig, unsigned *id);
};
/*
 * Loads the library at that absolute path and initialises it; it is never unloaded. `before` (NULL:
 * none) is loaded first, so that the library finds it by its bare name.
 */
int library_open(const char *path, const char *before, struct nvml *ret, struct error *err);

/* Calls one of these. A missing function returns NVML_FUNCTION_NOT_FOUND. */
#define NVML_CALL(function, ...) ((function) ? (function)(__VA_ARGS__) : NVML_FUNCTION_NOT_FOUND)

/* ---- answer.c ---------------------------------------------------------------------------- */

/*
 * Prints one JSON object on stdout:
 *     {"driver": "580.159.04", "cuda": "13.0", "gpus": [
 *      {"index": 0, "uuid": "GPU-...", "bus_id": "00000000:00:06.0", "minor": 0,
 *       "name": "NVIDIA H200", "brand": "nvidia", "arch": "9.0", "mig": true, "instances": [
 *        {"uuid": "MIG-...", "gpu_instance": 1, "compute_instance": 0}]}]}
 *
 * Facts that NVML doesn't know are null. GPUs and instances are in NVML's order. A GPU that NVML
 * can't reach is omitted.
 */
int answer_print(const struct nvml *nvml, struct error *err);
