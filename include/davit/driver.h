// SPDX-License-Identifier: Apache-2.0
/*
 * driver: the host's driver and GPUs, read without NVML and without opening a GPU. If a request
 * depends on facts that /proc lacks, a separate process queries NVML.
 */
#pragma once

#include "davit/base.h"
#include "davit/config.h"
#include "davit/sys.h"

/* The host's platform, whose folder in src/driver has filled the inventory. */
enum driver_platform { PLATFORM_NATIVE, PLATFORM_WSL, PLATFORM_TEGRA };
/* "native", "wsl", "tegra" */
const char *driver_platform_name(enum driver_platform platform);

struct mig_instance {
	unsigned gpu_instance, compute_instance;
	unsigned gi_minor, ci_minor; /* of nvidia-caps */
	const char *uuid;            /* NULL: only NVML knows it */
};
struct mig_instances {
	struct mig_instance *items;
	size_t count, capacity;
};

/* An unknown UUID: the text in /proc until the GPU is opened for the first time. */
#define GPU_UUID_UNKNOWN "GPU-\?\?\?\?\?\?\?\?-\?\?\?\?-\?\?\?\?-\?\?\?\?-\?\?\?\?\?\?\?\?\?\?\?\?"
#define GPU_NO_MINOR UINT32_MAX /* its node's minor number doesn't identify the GPU */

/* A GPU. Excluded GPUs ("GPU Excluded: Yes") are not in the inventory. */
struct gpu {
	unsigned index;     /* in the order of PCI bus ids; see driver_count_openable */
	unsigned minor;     /* of /dev/nvidiaN, or GPU_NO_MINOR */
	const char *uuid;   /* GPU_UUID_UNKNOWN: unknown */
	const char *bus_id; /* "0000:00:06.0", as in /proc; NULL: not on a PCI bus */
	const char *model;
	struct strings nodes; /* names of this GPU's nodes in driver->nodes */
	/* As in NVIDIA_REQUIRE_*: "tesla", "9.0"; NULL: only NVML knows it */
	const char *brand, *arch;
	struct mig_instances mig; /* ordered by id, or as in NVML after a query */
	struct strings
		drm_nodes; /* "dri/card1", "dri/renderD128"; only read for graphics and display */
};
struct gpus {
	struct gpu *items;
	size_t count, capacity;
};

/* A GPU that containers can't use. Only containers that request it fail. */
struct lost_gpu {
	const char *bus_id;
	unsigned index;      /* its index, if `counted` */
	bool counted;        /* it keeps its index; false: the others are numbered without it */
	const char *problem; /* "its node /dev/nvidia0 can't be opened here" */
};
struct lost_gpus {
	struct lost_gpu *items;
	size_t count, capacity;
};

enum driver_file_kind {
	DRIVER_FILE_LIBRARY, /* in the image's library directory, with its SONAME link */
	DRIVER_FILE_BINARY,  /* /usr/bin */
	DRIVER_FILE_FIRMWARE,
	DRIVER_FILE_DATA,   /* a file at a fixed path: ICDs, X configuration */
	DRIVER_FILE_SOCKET, /* a socket or directory of a daemon */
};

/* The tree of the host that contains a path. */
enum driver_tree { TREE_DRIVER_ROOT, TREE_HOST, TREE_DEV, TREE_PROC, TREE_RUN };

/*
 * A symlink besides the SONAME: libcuda.so -> libcuda.so.1, gbm/nvidia-drm_gbm.so ->
 * ../libnvidia-allocator.so.1. `name` is relative to the library directory, or absolute. If `text`
 * is NULL, the link leads to the library itself in the container's library directory.
 */
struct driver_link {
	const char *name, *text;
};
struct driver_links {
	struct driver_link *items;
	size_t count, capacity;
};

struct driver_file {
	enum driver_file_kind kind;
	unsigned capabilities; /* of enum driver_capability; 0: for every GPU container */
	enum driver_tree tree;
	const char *path;   /* in its tree, absolute: "/lib64/libcuda.so.580.159.04" */
	int fd;             /* the open file, which is mounted without resolving the path again */
	const char *name;   /* file name */
	const char *soname; /* libraries: NULL if it has none, or if it equals the name */
	int class_bits;     /* libraries: 64 or 32; others: 0 */
	/*
	 * Its path in the container. NULL for libraries and binaries, because the planner knows the
	 * image's directories. Without a leading slash ("gbm/..."), relative to the library
	 * directory.
	 */
	const char *target;
	struct driver_links links; /* other names, from the catalogue and from the host */
	/* For a library with an absolute target: its names for the loader, with whole paths. */
	struct driver_links loader;
	bool inside;    /* part of a directory that is another of these files; only listed */
	bool directory; /* a whole directory, of kind DRIVER_FILE_DATA with a target */
	bool needed;    /* with a target: required */
	bool vdpau;     /* libvdpau may search it in a folder of its own */
	bool unknown;   /* not in the catalogue; found by its version */
};
struct driver_files {
	struct driver_file *items;
	size_t count, capacity;
};

/* Other devices, which containers request separately. */
enum driver_family {
	FAMILY_GDS = 1 << 0,      /* GPUDirect Storage: nvidia-fsN */
	FAMILY_MOFED = 1 << 1,    /* infiniband/uverbsN, infiniband/rdma_cm */
	FAMILY_GDRCOPY = 1 << 2,  /* gdrdrv */
	FAMILY_NVSWITCH = 1 << 3, /* nvidia-nvswitchctl, nvidia-nvswitchN */
	FAMILY_IMEX = 1 << 4,     /* nvidia-caps-imex-channels/channelN */
	FAMILY_MIG_CONFIG = 1 << 5,
	FAMILY_MIG_MONITOR = 1 << 6,
};

struct device_node {
	const char *name; /* below the device directory: "nvidia0", "nvidia-caps/nvidia-cap1" */
	unsigned major, minor;
	unsigned family;    /* of enum driver_family; 0: a node of GPUs, or a control node */
	const char *access; /* nvidia-caps: its file in driver.proc; else NULL */
	/*
	 * A node for every GPU container with any of these capabilities (0: all containers). Other
	 * nodes belong to a GPU, a MIG instance or a family.
	 */
	bool control;
	unsigned capabilities;
	bool optional;   /* containers start without it if it doesn't exist */
	bool present;    /* the node exists and has that number */
	bool to_be_made; /* absent, but driver_repair with `pretend` would create it */
};
struct device_nodes {
	struct device_node *items;
	size_t count, capacity;
};

/* Major numbers from /proc/devices; 0: the module isn't loaded. */
struct driver_majors {
	unsigned gpu; /* nvidiaN, nvidiactl, nvidia-modeset */
	unsigned uvm; /* nvidia-uvm, nvidia-uvm-tools */
	unsigned caps, imex, nvswitch;
};

struct driver {
	enum driver_platform platform;
	/* enum driver_family: the platform can't have these; requests for them are skipped */
	unsigned no_families;
	/* The kernel module's version: "580.159.04"; NULL: only NVML knows it, and wasn't queried.
	 */
	const char *version;
	const char *cuda_version; /* "13.0", from libcuda's note; NULL: none, or not read */
	const char *root_path;    /* config.driver.root */
	const char *mps_path;     /* config.driver.mps; "": the platform has no MPS */
	struct gpus gpus;
	bool repairable;   /* its modules can be loaded, and its nodes created */
	bool gpus_partial; /* there may be more GPUs after the requested ones */
	bool gpus_by_nvml; /* only NVML knows their number; before a query, the inventory has one */
	bool nvml_asked;   /* NVML has answered */
	/*
	 * If NVML can't be queried (`nvml_optional`), an index or a UUID that only NVML knows
	 * selects the first GPU, and requirements that only NVML can decide count as satisfied.
	 * `unproven` is the reason.
	 */
	const char *unproven;
	bool nvml_optional;
	/*
	 * With policy.requirements "auto", unsatisfied requirements are errors in davit-runtime,
	 * too, as in NVIDIA's runtime with Tegra's lists.
	 */
	bool enforces;
	/* Sentences for `davit explain`: limits and differences of this platform. */
	struct strings notes;
	struct lost_gpus lost;
	/* The node of a GPU, if /proc lists no GPU, because something hides them. Or NULL. */
	const char *hidden_node;
	struct driver_files files; /* the files of the requested capabilities */
	struct driver_majors majors;
	/*
	 * nvidiactl, uvm and modeset (depending on the capabilities), nvidiaN of each GPU, the caps
	 * of each MIG instance, and the nodes that driver_read_families found. A node whose major
	 * number is unknown counts as absent.
	 */
	struct device_nodes nodes;
	const char *repair_problem; /* why driver_repair couldn't create a node; or NULL */
	/* texts for the mask over /proc/driver/nvidia */
	const char *proc_version, *proc_params, *proc_registry;
	bool proc_registry_absent;
	/* for messages: directories that were searched for libraries */
	struct strings searched;
	/* libraries of other versions: "/lib/libcuda.so.535.1 (of 535.1)" */
	struct strings other_versions;
	/*
	 * The image's directory of newer libraries for this platform (CUDA forward compatibility);
	 * NULL: none. compat_by_cuda: compare CUDA versions instead of the driver's.
	 */
	const char *compat_dir;
	bool compat_by_cuda;
};

/* The host's trees, in which sources are opened. `run` and `sys` may be absent. */
struct driver_roots {
	struct root driver, host, dev, proc, run, sys;
};
#define DRIVER_ROOTS_INIT                                                                  \
	{                                                                                  \
		.driver.fd = -1, .host.fd = -1, .dev.fd = -1, .proc.fd = -1, .run.fd = -1, \
		.sys.fd = -1                                                               \
	}
void driver_roots_close(struct driver_roots *roots);
/* ERROR_NO_DRIVER if driver.root doesn't exist. `config` must outlive ret, which uses its paths. */
int driver_roots_open(const struct config *config, struct driver_roots *ret, struct error *err);
/* The same without driver.root, which only NVIDIA's driver needs: ret->driver.fd is -1. */
int driver_roots_open_host(const struct config *config, struct driver_roots *ret,
			   struct error *err);
const struct root *driver_root_of(const struct driver_roots *roots, enum driver_tree tree);

/* One of the GPUs that were read, or NULL. UUIDs are compared without case. */
const struct gpu *driver_find_uuid(const struct driver *driver, const char *uuid);
const struct gpu *driver_find_index(const struct driver *driver, unsigned index);
/* The lost GPU that has kept that index, or NULL. */
const struct lost_gpu *driver_find_lost(const struct driver *driver, unsigned index);

/* The host's platform, as driver_read recognises it (docs/architecture.md, "Platforms"). */
enum driver_platform driver_recognise(const struct driver_roots *roots, const struct config *config,
				      struct arena *arena);

struct driver_wanted {
	unsigned capabilities;         /* enum driver_capability */
	const struct strings *devices; /* NULL: all GPUs */
	bool every_list;               /* Tegra: all of NVIDIA's lists, not only the base ones */
};
/*
 * Reads the inventory for these capabilities. No node is opened.
 *
 * GPUs are read in bus order, and because the driver needs time for each, only as many as `devices`
 * requires (indices and UUIDs; all GPUs for other items, and for NULL). If there may be more GPUs,
 * gpus_partial is true.
 *
 * Libraries are searched in driver.search, then in the directories to which the entries of the
 * loader cache lead, through all links (also /etc/alternatives). If a library that every driver has
 * is still missing, the known directories of distributions are searched as well.
 * - A library's file has the kernel module's version, or its own version if the catalogue says so.
 * - Other files of the module's version in these directories also belong to the driver.
 * - A directory with up to 256 entries in the cache is read. For larger ones, the names are taken
 *   from the cache.
 *
 * Other files are searched under the prefix of the directory with most of the libraries
 * ("/usr/local/nvidia" of "/usr/local/nvidia/lib64"), then at their usual paths in the driver's
 * root.
 *
 * Errors: ERROR_NO_DRIVER (no module; no libraries, with the directories searched; a control node
 * with a stale number), ERROR_DRIVER_MISMATCH (with both versions). Missing libraries are skipped,
 * because drivers differ, except those that a capability requires: libnvidia-ml for utility,
 * libcuda for compute. After an error, `ret` contains everything that was read before. driver_close
 * closes the open files of ret, also after an error.
 */
int driver_read(const struct driver_roots *roots, const struct config *config,
		const struct driver_wanted *wanted, struct arena *arena, struct driver *ret,
		struct error *err);

/*
 * The errors of each part of the driver; code ERROR_NONE: none. If the host is another platform
 * (WSL2, Tegra) that lacks a part, only `nodes` says so.
 */
struct driver_problems {
	struct error kernel, majors, gpus, nodes, files;
};
/*
 * The same for output to people, with all capabilities. A problem of one part doesn't stop the
 * others, but without the kernel module nothing is read. Nodes with a stale number count as not
 * present. 0 or -ENOMEM; driver_close as above.
 */
int driver_examine(const struct driver_roots *roots, const struct config *config,
		   struct arena *arena, struct driver *ret, struct driver_problems *ret_problems);

void driver_close(struct driver *driver);

/* For people: the version, or "of unknown version"; the bus id, or "no PCI bus". */
const char *driver_version_text(const struct driver *driver);
const char *gpu_place_text(const struct gpu *gpu);

/* Whether libraries keep their host's directories in the container. */
bool driver_has_folders(const struct driver *driver);
/* The directory of libcuda.so.1 if it keeps one, else `otherwise`. NULL: no memory. */
const char *driver_libcuda_folder(const struct driver *driver, const char *otherwise,
				  struct arena *arena);

/*
 * Adds the nodes of these families (enum driver_family) to driver->nodes, with the numbers that the
 * nodes have. Families that the host lacks have no nodes. For IMEX, each channel of `imex` (decimal
 * numbers) gets a node, even if absent; if one is absent, the host's existing channels are also
 * added. ERROR_NO_DRIVER for a node with a number that the driver doesn't own (/proc/devices:
 * nvidia-nvswitch, nvidia-caps-imex-channels).
 */
int driver_read_families(const struct driver_roots *roots, unsigned families,
			 const struct strings *imex, struct arena *arena, struct driver *driver,
			 struct error *err);

/* ---- missing nodes and modules ---------------------------------------------------------- */

/*
 * Creates the absent nodes among `names` (of driver->nodes; NULL: all) as the driver's tools do:
 * - It loads the node's module (nvidia-uvm, nvidia-modeset) if it isn't loaded.
 * - Numbers are from /proc/devices. Owner and mode are from /proc/driver/nvidia/params or, for
 *   nvidia-caps, from the capability's file.
 * - If params has ModifyDeviceFiles: 0, nothing is created.
 * - Nodes that can't be created remain absent, and driver->repair_problem is the reason.
 * - With `pretend` the host is unchanged, and nodes that would be created get to_be_made.
 *
 * 0 or -errno: no memory, or the capabilities can't be set. Changes the effective capabilities
 * (PRIVILEGE_MOUNT, then PRIVILEGE_READ).
 */
int driver_repair(const struct driver_roots *roots, const struct config *config,
		  const struct strings *names, bool pretend, struct arena *arena,
		  struct driver *driver, struct error *err);
/*
 * Numbers the GPUs as NVML does: it counts only GPUs whose node can be opened. A GPU whose node
 * doesn't exist and can't be created (masked by another file, no CAP_MKNOD, a user namespace,
 * ModifyDeviceFiles: 0) is moved to `lost`. With `as_caller`, so is a GPU whose node the caller
 * can't open (a device cgroup, its mode), for callers whose containers get the same view. No node
 * is opened. Call it after all GPUs were read, or again if it returns 1 and gpus_partial is true.
 *
 * 0: all can be opened; 1: some are not counted; or -ENOMEM.
 */
int driver_count_openable(const struct driver_roots *roots, const struct config *config,
			  bool as_caller, struct arena *arena, struct driver *driver,
			  struct error *err);

/*
 * After driver_read has failed: loads the module nvidia. 0: it was loaded, so read again;
 * -EALREADY: it was loaded before, so the failure had another cause (err is unchanged); else -errno
 * with the reason in err.
 */
int driver_load(const struct driver_roots *roots, struct arena *arena, struct error *err);
enum driver_prepare {
	PREPARE_MODULES = 1 << 0,       /* load nvidia, nvidia-uvm and nvidia-modeset */
	PREPARE_NODES = 1 << 1,         /* all nodes of the driver */
	PREPARE_CONTROL_NODES = 1 << 2, /* only nodes that don't belong to one GPU */
	PREPARE_PRETEND = 1 << 3,       /* change nothing, only report */
};
/*
 * For boot, as root: loads modules, creates absent nodes and replaces nodes with a stale number.
 * `what` is a mask of enum driver_prepare. *ret gets the kernel's part of the driver (no files) and
 * these nodes, including those that `what` excludes. *ret_done gets a sentence for each action, and
 * for each skipped one. 0, or -errno if the driver, or something that compute needs, isn't
 * available.
 */
int driver_prepare(const struct driver_roots *roots, const struct config *config, unsigned what,
		   struct arena *arena, struct driver *ret, struct strings *ret_done,
		   struct error *err);

/* What davit knows about a file from its name, independent of the host. */
struct driver_known {
	enum driver_file_kind kind;
	const char *name;      /* with that driver's version: "libcuda.so.580.159.04" */
	unsigned capabilities; /* containers with any of these get it; 0: every GPU container */
	const char *version;   /* the version in the name, if it is another driver's; or NULL */
	/*
	 * Directories in which it is searched, besides those of libraries; "PREFIX/bin" is below
	 * the prefix of the libraries' directory.
	 */
	struct strings places;
};
/*
 * Whether a file of that name ("libcuda.so.1", "nvidia-smi") would be a driver file. 0, -ENOENT or
 * -ENOMEM.
 */
int driver_know_file(const char *name, const char *version, struct arena *arena,
		     struct driver_known *ret);
/*
 * The shortest name of a driver's library ("libcuda.so") or program that begins with `begin`. NULL:
 * none, or no memory.
 */
const char *driver_complete_name(const char *begin, struct arena *arena);

/*
 * The CUDA version, independent of the requested capabilities: from libcuda's note or, if it has
 * none, from the driver's branch. NULL: no libcuda, or unknown.
 */
const char *driver_cuda_version(const struct driver_roots *roots, const struct config *config,
				const struct driver *driver, struct arena *arena);

/* The CUDA version of a driver's branch: "12.2" for "535.104.05"; NULL: unknown. */
const char *driver_cuda_of_branch(const char *version);

/*
 * Runs davit-nvml, which queries NVML, and adds the facts that /proc lacks: UUIDs of GPUs that
 * weren't opened yet, brand, arch, the MIG instances' UUIDs and order, and cuda_version if it is
 * NULL. Facts that NVML doesn't know remain NULL. It is slow, because it opens the GPUs: call it
 * only if the request depends on it. After an answer, further calls do nothing. An earlier
 * selection remains valid.
 *
 * davit-nvml is the file of that name in the running program's directory (for a build that isn't
 * installed), or the installed one. It must be a regular file of root or the caller that no other
 * user can write. It runs in a sandbox, without davit's environment and descriptors, for at most
 * 5 s. Call this before the process enters a namespace or has a second thread. -errno with
 * ERROR_NO_DRIVER: no davit-nvml, no libnvidia-ml, no answer, or an invalid one; `driver` may then
 * be partly filled.
 */
int driver_ask_nvml(const struct driver_roots *roots, const struct config *config,
		    struct driver *driver, struct arena *arena, struct error *err);
/* Whether the UUID of a MIG instance is still unknown. */
bool driver_lacks_mig_uuids(const struct driver *driver);
