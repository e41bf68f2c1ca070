// SPDX-License-Identifier: Apache-2.0
/*
 * doctor: the checks of a host. All facts are gathered once, and each check decides only from these
 * facts, so that tables of cases can test the checks. Nothing is changed, and no GPU is opened.
 */
#pragma once

#include "davit/base.h"
#include "davit/cdi.h"
#include "davit/config.h"
#include "davit/driver.h"
#include "davit/pipeline.h"

/* ---- the facts -------------------------------------------------------------------------- */

/* A device node of the driver: the expected node (`node`) and the existing one. */
struct doctor_node {
	struct device_node node;
	bool exists, right; /* right: a character device with the driver's numbers */
	bool linked;        /* the link char/MAJOR:MINOR to it exists */
	bool made;          /* absent, but davit creates it when a container needs it */
	struct stat st;     /* if it exists */
};
struct doctor_nodes {
	struct doctor_node *items;
	size_t count, capacity;
};

/* A program that a configuration or an engine names, and the file found for it. */
struct doctor_program {
	const char *name; /* as written; NULL: none is named */
	const char *path; /* NULL: not found */
	bool ours;        /* it is a davit program */
	int64_t changed;  /* when it was installed or linked, in seconds since 1970 */
};

enum doctor_engine_kind { DOCTOR_DOCKER, DOCTOR_CONTAINERD, DOCTOR_CRIO, DOCTOR_PODMAN };
#define DOCTOR_ENGINES 4
/* "docker", "containerd", "crio", "podman" */
extern const char *const doctor_engine_names[DOCTOR_ENGINES];

/* The runtime that davit-runtime executes, such as runc. */
struct doctor_low_level {
	const char *path;   /* NULL: none that it executes */
	struct error error; /* why; code ERROR_NONE: nobody looked for it */
	bool unsure;        /* the PATH in which it was searched isn't known */
	enum doctor_low_level_hooks {
		DOCTOR_HOOKS_UNSEEN,
		DOCTOR_HOOKS_KNOWN,
		DOCTOR_HOOKS_UNKNOWN
	} hooks;
};

struct doctor_engine {
	const char *program;     /* its path; NULL: not installed */
	unsigned pid;            /* of its daemon; 0: not running */
	int64_t started;         /* in seconds since 1970; 0: unknown */
	const char *search;      /* the PATH in which it searches programs; NULL: unknown */
	const char *file;        /* its configuration file */
	struct error file_error; /* code ERROR_NONE: it could be read */
	const char *newest;      /* the last changed file of its configuration; NULL: none exists */
	int64_t changed;         /* when `newest` changed, in seconds since 1970 */
	const char *cgroups;     /* its cgroup driver: "systemd", "cgroupfs"; NULL: unknown */
	const char *restart;     /* the command that restarts it; NULL: it has no daemon */
	const char *home, *config_home; /* HOME and XDG_CONFIG_HOME of the daemon; NULL: unknown */
	bool snap;                      /* installed as a snap */
	bool hidden;                    /* the daemon's environment can't be read */
	bool file_exists;
	bool file_hidden;      /* the caller lacks the rights to read it */
	bool rootless;         /* a user's own daemon */
	bool named;            /* its daemon's options name the file */
	unsigned major, minor; /* Docker, containerd: its version; 0: unknown */
	const char *refused; /* Docker, CRI-O: why it refuses its configuration; NULL: it doesn't */
	const char *doubled; /* Docker: a key that is also an option; NULL: none */
	bool unit_hidden;    /* it is stopped, and its unit doesn't show its options */
	bool of_unit;        /* Docker: it is stopped, and the options are those of its unit */
	bool resolves_links; /* it finds specs in directories that are links */
	bool cdi_false;      /* Docker: features.cdi is false */
	bool cdi_nowhere;    /* its list of directories for specs is empty */
	bool file_mark;      /* the file begins with a byte order mark */
	bool cdi_off;        /* CDI is disabled in its configuration, or by default */
	bool cri_disabled;   /* containerd's CRI plugin is disabled */
	struct strings spec_dirs; /* the directories of its CDI specs; empty: the defaults */
	const char *own_specs;    /* one of spec_dirs with a spec, not a default; NULL: none */
	/* The default runtime, if it isn't configured; NULL: it is. */
	const char *missing_default;
	/* containerd: a runtime's base_runtime_spec that doesn't exist; NULL: none. */
	const char *missing_spec;
	/* containerd: systemd_cgroup is set for a runtime that doesn't know it. */
	bool systemd_refused;
	bool mirrors_refused; /* containerd: registry.config_path and registry.mirrors are set */
	/* containerd: why its CRI plugin doesn't load, besides these; NULL: it does. */
	const char *cri_fault;
	const char *cri_remedy;
	/* containerd: a setting of another file that davit's drop-in hides; NULL: none. */
	const char *stale, *stale_file, *stale_by;
	/* containerd: davit's drop-in, which exists, but isn't imported; NULL: none. CRI-O: the
	 * same. */
	const char *unread;
	/* containerd: the runtime_type of the runtime nvidia, if it isn't runc's; NULL: it is. */
	const char *other_type;
	/* False: they depend on containerd's version, which is unknown. */
	bool missing_for_sure, default_for_sure; /* systemd_refused; missing_default */
	struct doctor_program hook, runtime;
	struct doctor_low_level low_level; /* as a davit-runtime finds it that it calls */
	const char *own_folder; /* where a distribution of Kubernetes has its programs; NULL: none
				 */
	bool etc_only; /* Podman: it reads specs in /etc/cdi only, unless it is told otherwise */
	/* The default runtime, if a program is configured for it; not CRI-O's. */
	const char *standard_name;
	struct doctor_program standard;
	/* containerd: the shims of nvidia and of the default runtime. No name: no runtime_type. */
	struct doctor_program shim, standard_shim;
	bool with_shims;                   /* they were looked for */
	struct doctor_program amd_runtime; /* amd-container-runtime, as Docker finds it */
};

/* A hooks.d file that runs davit's or NVIDIA's hook. */
struct doctor_hook {
	const char *file;
	unsigned readers;   /* the engines that read it: 1 << enum doctor_engine_kind */
	unsigned losers;    /* the engines that read another file of that name instead */
	const char *winner; /* that file; NULL: none */
	struct error error; /* code ERROR_NONE: it could be read */
	bool sometimes;     /* it runs only for containers that match its conditions */
	bool never;         /* it runs for none before they start */
	struct doctor_program program;
};
struct doctor_hooks {
	struct doctor_hook *items;
	size_t count, capacity;
	struct strings folders; /* from which Podman reads hooks */
	const char *file;       /* the containers.conf that sets them; NULL: the default */
	struct error error;     /* of containers.conf; code ERROR_NONE: it could be read */
	/* A path that rootless Podman needs, but can't access; NULL: none. */
	const char *closed;
	bool of_root; /* `file` is root's own, which other users don't read */
};

enum doctor_cgroup { DOCTOR_CGROUP_NONE, DOCTOR_CGROUP_V1, DOCTOR_CGROUP_HYBRID, DOCTOR_CGROUP_V2 };

/* The caller, and the host without its driver and engines. */
struct doctor_system {
	uid_t uid;
	bool nested;  /* in a user namespace */
	bool kubelet; /* a Kubernetes node */
	bool systemd, systemd_socket;
	bool prepare_enabled; /* davit-prepare.service */
	enum doctor_cgroup cgroup;
	bool delegated; /* the caller owns its cgroup */
	const char *cgroup_delegate;
	bool subids, newuidmap;
	bool selinux, selinux_enforcing, selinux_devices; /* devices: container_use_devices */
	bool apparmor;
	bool persistenced, persistenced_wrong; /* wrong: not a socket */
	size_t nvswitches;                     /* NVSwitches that the host has */
	unsigned fabric_manager;               /* process of nv-fabricmanager; 0: not found */
	bool processes_hidden;                 /* some of the host's processes aren't visible */
	bool mps, mps_control;
	uid_t mps_uid;
	struct strings toolkit; /* installed programs of NVIDIA's toolkit */
};

struct doctor_driver {
	bool roots_open;
	struct error roots_error;
	struct driver_problems problems;
	struct driver driver;
	const char *libraries; /* the directory of libcuda or libnvidia-ml; NULL: not found */
	struct doctor_nodes nodes;
};

/* Another vendor's GPUs, all of them selected; if there is none, `error` has the reason. */
struct doctor_vendor {
	struct choice choice;
	struct error error, nodes_error;
};

/* One container: the steps of the hook, and the first one that fails. */
enum doctor_step { DOCTOR_STEP_CONFIG, DOCTOR_STEP_REQUEST, DOCTOR_STEP_DRIVER, DOCTOR_STEP_IMAGE };
struct doctor_bundle {
	const char *path;        /* NULL: no bundle is checked */
	struct error error;      /* code ERROR_NONE: no step fails */
	enum doctor_step failed; /* the step that fails */
	bool gpu;
	const char *from, *devices;
	struct strings near_misses; /* variables with names that look misspelt */
	struct strings warnings;    /* of the request, and of constraints that only warn */
	enum image_loader loader;
	size_t operations;
	bool compat; /* the container uses the image's newer CUDA libraries */
};

struct doctor_host {
	struct config config; /* the defaults, after an error */
	struct error config_error;
	struct doctor_system system;
	struct doctor_driver driver;
	struct {
		struct doctor_vendor *items;
		size_t count, capacity;
	} vendors;
	struct doctor_engine engines[DOCTOR_ENGINES];
	struct doctor_low_level low_level; /* in the usual places */
	const char *config_closed;         /* keeps users from reading the configuration, or NULL */
	int required;                      /* enum doctor_engine_kind; -1: all that are installed */
	struct doctor_hooks hooks;
	struct cdi_listing cdi;
	struct doctor_bundle bundle;
};

struct doctor_options {
	const char *config; /* NULL: the default file */
	const char *root;   /* NULL: this host */
	const char *bundle; /* absolute, or NULL */
	bool for_runtime;   /* the bundle as davit-runtime decides, not as the hook */
	int engine;         /* enum doctor_engine_kind, or -1 */
};
/*
 * Gathers all facts. The driver is read at the configuration's paths, all else below options->root.
 * With a root and without options->config, the configuration is read from that root, and its paths
 * are also below the root. 0, or -errno if the root can't be opened or memory is exhausted. In both
 * cases the caller calls doctor_close.
 */
int doctor_gather(const struct doctor_options *options, struct arena *arena,
		  struct doctor_host *ret, struct error *err);
void doctor_close(struct doctor_host *host);

/* ---- the checks (pure) ------------------------------------------------------------------- */

enum doctor_result {
	DOCTOR_OK,
	DOCTOR_WARN,    /* containers get their GPUs, except in the case that the evidence names */
	DOCTOR_FAIL,    /* some or all containers can't use the GPUs */
	DOCTOR_UNKNOWN, /* davit couldn't check it */
	DOCTOR_SKIP,    /* doesn't apply to this host */
};
/* "ok", "warn", "fail", "unknown", "skip" */
const char *doctor_result_name(enum doctor_result result);

struct finding {
	const char *id; /* stable */
	enum doctor_result result;
	char evidence[1024]; /* what was found; printable characters only */
	char remedy[400];    /* what to do; "": nothing */
};

/* The effect of a failed check: on one engine (its enum doctor_engine_kind), or one of these. */
enum doctor_scope {
	DOCTOR_CDI = DOCTOR_ENGINES,
	DOCTOR_BUNDLE, /* the container of --bundle; the check applies only with one */
	DOCTOR_HOST,
	DOCTOR_SCOPES
};
struct doctor_check {
	const char *id;
	unsigned scope;
	int (*decide)(const struct doctor_host *host, struct finding *ret);
};
extern const struct doctor_check doctor_checks[];
extern const size_t doctor_check_count;
/* Whether the check applies to this host. */
bool doctor_check_applies(const struct doctor_check *check, const struct doctor_host *host);
/* Runs one check. */
void doctor_decide(const struct doctor_check *check, const struct doctor_host *host,
		   struct finding *ret);

/* How an engine can give containers their GPUs. Any of them is enough. */
enum doctor_method {
	DOCTOR_BY_HOOK = 1 << 0,    /* Docker's --gpus, or davit's hook in hooks.d */
	DOCTOR_BY_RUNTIME = 1 << 1, /* a runtime named nvidia */
	DOCTOR_BY_CDI = 1 << 2,     /* CDI devices that the engine finds */
};
/* The methods that are set up for the engine, as a mask; 0 if the engine isn't installed. */
unsigned doctor_methods(const struct doctor_host *host, enum doctor_engine_kind kind);
/* Whether its daemon was started before the last change that it needs a start for. */
bool doctor_needs_restart(const struct doctor_engine *engine);

#define DOCTOR_VERDICT_MAX 300
/*
 * Summarises all findings in one printable sentence: "1 problem stops Docker", "Docker and Podman
 * can use the GPUs, with 2 warnings". `findings` are those of the checks that apply, in any order.
 */
void doctor_verdict(const struct doctor_host *host, const struct finding *findings, size_t count,
		    char ret[static DOCTOR_VERDICT_MAX]);
