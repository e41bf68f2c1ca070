// SPDX-License-Identifier: Apache-2.0
/*
 * driver: what is on the host, read without NVML and without opening a GPU; what /proc doesn't tell
 * is asked of NVML in a process of its own, when a request depends on it.
 */
#pragma once

#include "davit/base.h"
#include "davit/config.h"
#include "davit/sys.h"

/* What kind of host it is: whose room of src/driver has filled the inventory. */
enum driver_platform { PLATFORM_NATIVE, PLATFORM_WSL, PLATFORM_TEGRA };
/* "native", "wsl", "tegra" */
const char *driver_platform_name(enum driver_platform platform);

struct mig_instance {
	unsigned gpu_instance, compute_instance;
	unsigned gi_minor, ci_minor; /* of nvidia-caps */
	const char *uuid;            /* NULL: not known without NVML */
};
struct mig_instances {
	struct mig_instance *items;
	size_t count, capacity;
};

/* What a UUID reads before anybody has told it: /proc's own text before a GPU is first opened. */
#define GPU_UUID_UNKNOWN "GPU-\?\?\?\?\?\?\?\?-\?\?\?\?-\?\?\?\?-\?\?\?\?-\?\?\?\?\?\?\?\?\?\?\?\?"
#define GPU_NO_MINOR UINT32_MAX /* its node has no number that would be the GPU's */

/* GPUs that the driver was told to leave alone ("GPU Excluded: Yes") are not among them. */
struct gpu {
	unsigned index;     /* the order of PCI bus ids; driver_count_openable may leave some out */
	unsigned minor;     /* of /dev/nvidiaN, or GPU_NO_MINOR */
	const char *uuid;   /* GPU_UUID_UNKNOWN while nobody has told it */
	const char *bus_id; /* "0000:00:06.0" as /proc spells it; NULL: it is on no PCI bus */
	const char *model;
	struct strings nodes; /* of driver->nodes, by name: those that come with this GPU */
	/* As NVIDIA_REQUIRE_* name them: "tesla", "9.0"; NULL: not known without NVML */
	const char *brand, *arch;
	struct mig_instances mig; /* by their ids, or in NVML's order once it was asked */
	struct strings
		drm_nodes; /* "dri/card1", "dri/renderD128"; only read for graphics and display */
};
struct gpus {
	struct gpu *items;
	size_t count, capacity;
};

/* A GPU of the driver that no container can have: it stops only those that ask for it. */
struct lost_gpu {
	const char *bus_id;
	unsigned index; /* its place among the GPUs, if it still counts */
	bool counted;   /* the others keep their indices; false: they were numbered without it */
	const char *problem; /* "its node /dev/nvidia0 can't be opened here" */
};
struct lost_gpus {
	struct lost_gpu *items;
	size_t count, capacity;
};

enum driver_file_kind {
	DRIVER_FILE_LIBRARY, /* goes into the image's library directory, gets its SONAME link */
	DRIVER_FILE_BINARY,  /* /usr/bin */
	DRIVER_FILE_FIRMWARE,
	DRIVER_FILE_DATA,   /* a file at a fixed place: ICDs, X configuration */
	DRIVER_FILE_SOCKET, /* a socket or directory of a daemon */
};

/* Which tree `path` is in. */
enum driver_tree { TREE_DRIVER_ROOT, TREE_HOST, TREE_DEV, TREE_PROC, TREE_RUN };

/*
 * A symlink that no SONAME tells of: libcuda.so -> libcuda.so.1, gbm/nvidia-drm_gbm.so ->
 * ../libnvidia-allocator.so.1. `name` is relative to the library directory, or absolute. Without a
 * text it leads to the library of that file name in the container's library directory.
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
	unsigned capabilities; /* of enum driver_capability; 0: always */
	enum driver_tree tree;
	const char *path;   /* in its tree, absolute: "/lib64/libcuda.so.580.159.04" */
	int fd;             /* what path leads to, open: to bind it without looking it up again */
	const char *name;   /* file name */
	const char *soname; /* libraries: NULL when it has none or it equals the name */
	int class_bits;     /* libraries: 64 or 32; others: 0 */
	/*
	 * Where it goes: NULL for libraries and binaries (the planner knows the image's
	 * directories), or relative to the library directory when it has no leading slash
	 * ("gbm/..."), else absolute.
	 */
	const char *target;
	struct driver_links links; /* further names: by the catalogue, and as the host has them */
	/* A library with an absolute target: names by which the loader finds it, and their whole
	 * paths. */
	struct driver_links loader;
	bool inside;    /* it comes with its directory, another of these files: names alone */
	bool directory; /* it is one, as a whole: of kind DRIVER_FILE_DATA, with a target */
	bool needed;    /* one with a target: no container is made without it */
	bool vdpau;     /* libvdpau looks for it in a folder of its own, if there is one */
	bool unknown;   /* no row of the catalogue: by its version alone */
};
struct driver_files {
	struct driver_file *items;
	size_t count, capacity;
};

/* Devices beside the GPUs, which a container asks for one by one. */
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
	const char *name; /* beneath the device folder: "nvidia0", "nvidia-caps/nvidia-cap1" */
	unsigned major, minor;
	unsigned family;    /* of enum driver_family; 0: of the GPUs and their control */
	const char *access; /* nvidia-caps: the file of driver.proc that tells of it; else NULL */
	/* One that comes with every GPU container that has any of these capabilities (0: each),
	 * whichever GPU it has; the others come with a GPU, an instance or a family. */
	bool control;
	unsigned capabilities;
	bool optional;   /* a container does without it when it isn't there */
	bool present;    /* the node exists, and has that number */
	bool to_be_made; /* it does not yet, but will: driver_repair pretended */
};
struct device_nodes {
	struct device_node *items;
	size_t count, capacity;
};

/* From /proc/devices; 0: the module that owns it isn't loaded. */
struct driver_majors {
	unsigned gpu; /* nvidiaN, nvidiactl, nvidia-modeset */
	unsigned uvm; /* nvidia-uvm, nvidia-uvm-tools */
	unsigned caps, imex, nvswitch;
};

struct driver {
	enum driver_platform platform;
	/* enum driver_family: the platform has none; asked for, they are left out */
	unsigned no_families;
	/* Of the kernel module: "580.159.04"; NULL: only NVML knows it, and wasn't asked. */
	const char *version;
	const char *cuda_version; /* "13.0" from libcuda's note, NULL when it has none or wasn't
				     looked for */
	const char *root_path;    /* config.driver.root */
	const char *mps_path;     /* config.driver.mps; "": the platform has no MPS */
	struct gpus gpus;
	bool repairable;   /* its modules can be loaded, and its nodes made */
	bool gpus_partial; /* there may be more, behind those that were asked for */
	bool gpus_by_nvml; /* how many there are is known to NVML alone; until then there is one */
	bool nvml_asked;   /* and it answered */
	/*
	 * Where NVML can't be asked, an index or a UUID that it alone knows means the first GPU,
	 * and requirements that it alone can decide are taken to hold: `unproven` says why.
	 */
	const char *unproven;
	bool nvml_optional;
	/* Of requirements that don't hold davit-runtime makes an error, too (policy.requirements:
	 * auto): NVIDIA's does so with Tegra's lists. */
	bool enforces;
	/* Sentences that explain tells: what this platform can't do, or does otherwise. */
	struct strings notes;
	struct lost_gpus lost;
	/* /proc tells of no GPU, but there is this node of one: something hides them. Or NULL. */
	const char *hidden_node;
	struct driver_files files; /* those of the capabilities asked for */
	struct driver_majors majors;
	/*
	 * nvidiactl, uvm and modeset (as the capabilities ask), nvidiaN of each GPU, the caps of
	 * each MIG instance, and what driver_read_families found. A node whose major isn't known is
	 * absent.
	 */
	struct device_nodes nodes;
	const char *repair_problem; /* why driver_repair couldn't make a node; or NULL */
	/* texts for the mask over /proc/driver/nvidia */
	const char *proc_version, *proc_params, *proc_registry;
	bool proc_registry_absent;
	/* for messages: directories that were searched for libraries */
	struct strings searched;
	/* libraries that are there, but of another version: "/lib/libcuda.so.535.1 (of 535.1)" */
	struct strings other_versions;
	/* The directory of the image's newer libraries (CUDA forward compatibility) that are for
	 * this platform; NULL: none are. With the host's CUDA version in place of the driver's
	 * when compat_by_cuda. */
	const char *compat_dir;
	bool compat_by_cuda;
};

/* The trees that sources are opened in. `run` and `sys` may be absent: nothing is found in them. */
struct driver_roots {
	struct root driver, host, dev, proc, run, sys;
};
#define DRIVER_ROOTS_INIT                                                                  \
	{                                                                                  \
		.driver.fd = -1, .host.fd = -1, .dev.fd = -1, .proc.fd = -1, .run.fd = -1, \
		.sys.fd = -1                                                               \
	}
void driver_roots_close(struct driver_roots *roots);
/* ERROR_NO_DRIVER when driver.root is absent. Paths are config's, which must outlive ret. */
int driver_roots_open(const struct config *config, struct driver_roots *ret, struct error *err);
/* The same without driver.root, which only NVIDIA's driver is looked for in: ret->driver.fd is -1.
 */
int driver_roots_open_host(const struct config *config, struct driver_roots *ret,
			   struct error *err);
const struct root *driver_root_of(const struct driver_roots *roots, enum driver_tree tree);

/* One of the GPUs that were read; or NULL. A UUID in any case. */
const struct gpu *driver_find_uuid(const struct driver *driver, const char *uuid);
const struct gpu *driver_find_index(const struct driver *driver, unsigned index);
/* The lost one that has kept that index; or NULL. */
const struct lost_gpu *driver_find_lost(const struct driver *driver, unsigned index);

/* Which platform the host is, as driver_read finds it (docs/architecture.md, "Platforms"). */
enum driver_platform driver_recognise(const struct driver_roots *roots, const struct config *config,
				      struct arena *arena);

struct driver_wanted {
	unsigned capabilities;         /* enum driver_capability */
	const struct strings *devices; /* NULL: all GPUs */
	bool every_list;               /* Tegra: of NVIDIA's lists not only the base ones */
};
/*
 * The inventory for these capabilities. No node is opened.
 *
 * Of the GPUs, in bus order, no more than `devices` takes to select from (indices and UUIDs; all
 * for anything else, and for NULL), since each costs the driver's time; gpus_partial then.
 *
 * Each library is looked for in driver.search; in the directories that the entries of the loader
 * cache of the driver's root lead to, link by link (/etc/alternatives included); and, while
 * something is missing that every driver has, in the known places of distributions. Its file has
 * the kernel module's version, or a version of its own that the catalogue knows of; whatever else
 * of the module's version is in these directories belongs to the driver, too. A directory of which
 * the cache has up to 256 entries is read; of a larger one the cache tells the names.
 *
 * What else belongs to the driver is looked for under the prefix of the directory with most of the
 * libraries ("/usr/local/nvidia" of "/usr/local/nvidia/lib64"), then at its usual places in the
 * driver's root.
 *
 * Errors: ERROR_NO_DRIVER (module absent; libraries absent, with the directories searched; a
 * control node with a stale number), ERROR_DRIVER_MISMATCH (both versions). Libraries that the
 * driver doesn't have are passed over (drivers differ), but for the ones that a capability can't do
 * without: libnvidia-ml for utility, libcuda for compute. `ret` then holds what was read before.
 * driver_close closes the files that ret holds open, also after an error.
 */
int driver_read(const struct driver_roots *roots, const struct config *config,
		const struct driver_wanted *wanted, struct arena *arena, struct driver *ret,
		struct error *err);

/* What is wrong with each part of the driver; code ERROR_NONE: nothing. */
struct driver_problems {
	struct error kernel, majors, gpus, nodes, files;
};
/*
 * The same for people, of all capabilities: each part is read whatever is wrong with another, but
 * nothing is without the kernel module. Nodes with a stale number are only not present. 0 or
 * -ENOMEM; driver_close as above.
 */
int driver_examine(const struct driver_roots *roots, const struct config *config,
		   struct arena *arena, struct driver *ret, struct driver_problems *ret_problems);

void driver_close(struct driver *driver);

/* For people: its version, or "of unknown version"; a GPU's place ("0000:00:06.0", "no PCI bus").
 */
const char *driver_version_text(const struct driver *driver);
const char *gpu_place_text(const struct gpu *gpu);

/* Whether its libraries keep the directories of the host that they are in. */
bool driver_has_folders(const struct driver *driver);
/* That of libcuda.so.1 where it has one, else the other; NULL without memory. */
const char *driver_libcuda_folder(const struct driver *driver, const char *otherwise,
				  struct arena *arena);

/*
 * The nodes of these families (enum driver_family), added to driver->nodes with their numbers: for
 * most there is nothing but the node itself that tells them. Families that the host lacks have no
 * nodes, but IMEX: each channel of `imex` (decimal numbers) gets one, present or not; when one is
 * absent, those there are get theirs, too. ERROR_NO_DRIVER for a node with a number that the driver
 * doesn't own (/proc/devices: nvidia-nvswitch, nvidia-caps-imex-channels).
 */
int driver_read_families(const struct driver_roots *roots, unsigned families,
			 const struct strings *imex, struct arena *arena, struct driver *driver,
			 struct error *err);

/* ---- missing nodes and modules ---------------------------------------------------------- */

/*
 * Makes the absent ones of these nodes (of driver->nodes; NULL: all) as the driver's own tools do:
 * numbers of /proc/devices, owner and mode of /proc/driver/nvidia/params or, for nvidia-caps, of
 * the capability; after loading the module behind a node (nvidia-uvm, nvidia-modeset) when it isn't
 * loaded. What can't be made stays absent and driver->repair_problem says why. Nothing is made
 * where params says ModifyDeviceFiles: 0. `pretend` changes nothing on the host: nodes that would
 * be made get to_be_made. 0 or -errno: no memory, or the capabilities can't be set.
 *
 * Changes the capabilities in effect (PRIVILEGE_MOUNT, then PRIVILEGE_READ).
 */
int driver_repair(const struct driver_roots *roots, const struct config *config,
		  const struct strings *names, bool pretend, struct arena *arena,
		  struct driver *driver, struct error *err);
/*
 * Numbers the GPUs as NVML does for whoever asks: those whose node can be opened. A GPU whose node
 * isn't there, and can't be made (masked by another file, no CAP_MKNOD, a user namespace,
 * ModifyDeviceFiles: 0), is moved to `lost`. With `as_caller` also one whose node the caller may
 * not open (a device cgroup, its mode): for callers that give a container their own view. No node
 * is opened. Call it with all GPUs read, or again when it says 1 and gpus_partial.
 *
 * 0: all can be opened, 1: some were left out, or -ENOMEM.
 */
int driver_count_openable(const struct driver_roots *roots, const struct config *config,
			  bool as_caller, struct arena *arena, struct driver *driver,
			  struct error *err);

/*
 * After driver_read has failed: loads the module nvidia if it is not loaded. 0: read again;
 * -EALREADY: it is loaded, the failure had another cause (err is as before); else -errno, err says
 * why it can't be loaded.
 */
int driver_load(const struct driver_roots *roots, struct arena *arena, struct error *err);
enum driver_prepare {
	PREPARE_MODULES = 1 << 0,       /* load nvidia, nvidia-uvm and nvidia-modeset */
	PREPARE_NODES = 1 << 1,         /* all nodes of the driver */
	PREPARE_CONTROL_NODES = 1 << 2, /* only those that aren't of one GPU */
	PREPARE_PRETEND = 1 << 3,       /* change nothing: say what would be done */
};
/*
 * For boot, as root: loads modules, makes nodes that are absent and replaces those with a stale
 * number; `what` is of enum driver_prepare. *ret gets the kernel's side of the driver (no file) and
 * these nodes, whether they were to be made or not. *ret_done gets a sentence for each thing done,
 * or left alone. 0 or -errno: the driver, or what compute needs, can't be had.
 */
int driver_prepare(const struct driver_roots *roots, const struct config *config, unsigned what,
		   struct arena *arena, struct driver *ret, struct strings *ret_done,
		   struct error *err);

/* What davit knows of a file by its name alone, on whatever host. */
struct driver_known {
	enum driver_file_kind kind;
	const char *name;      /* of a driver of that version: "libcuda.so.580.159.04" */
	unsigned capabilities; /* any of them brings it; 0: every GPU container has it */
	const char *version;   /* another driver's, where the name asked for tells one; or NULL */
	/* Directories that it is looked for in, besides a library's own; "PREFIX/bin" is beneath
	 * the prefix that the libraries are in. */
	struct strings places;
};
/*
 * Whether a file of that name ("libcuda.so.1", "nvidia-smi") would be the driver's. 0, -ENOENT, or
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
 * The CUDA version, whatever capabilities were asked for: from libcuda's note or, without one, by
 * the branch of the driver. NULL: no libcuda, or neither tells it.
 */
const char *driver_cuda_version(const struct driver_roots *roots, const struct config *config,
				const struct driver *driver, struct arena *arena);

/* The CUDA version of a driver's branch: "12.2" of "535.104.05"; NULL: not known. */
const char *driver_cuda_of_branch(const char *version);

/*
 * Has davit-nvml ask NVML what /proc doesn't tell, and fills it in: UUIDs of GPUs that weren't
 * opened yet, brand, arch, the MIG instances' UUIDs and order, cuda_version when it is NULL. What
 * NVML doesn't know stays NULL. Slow (it opens the GPUs), so only for a request that depends on it;
 * once it has answered, further calls do nothing. A selection made before stays good.
 *
 * davit-nvml is the file of that name beside the running program (a build that isn't installed), or
 * the installed one: a regular file of root's or the caller's that nobody else can write. It runs
 * without capabilities, environment and descriptors, for 5 s at most. Call this before any
 * namespace is entered; the process has one thread. -errno with ERROR_NO_DRIVER: no davit-nvml, no
 * libnvidia-ml, no answer or one that isn't to be trusted; `driver` may then be filled in part.
 */
int driver_ask_nvml(const struct driver_roots *roots, const struct config *config,
		    struct driver *driver, struct arena *arena, struct error *err);
/* Whether there is a MIG instance whose UUID isn't known yet. */
bool driver_lacks_mig_uuids(const struct driver *driver);
