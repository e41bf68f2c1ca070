// SPDX-License-Identifier: Apache-2.0
/*
 * doctor: what is wrong with a host. Everything that is looked at is gathered once; each check then
 * decides from that alone, so that the checks are tested as tables. Nothing is changed and no GPU
 * is opened.
 */
#pragma once

#include "davit/base.h"
#include "davit/cdi.h"
#include "davit/config.h"
#include "davit/driver.h"
#include "davit/pipeline.h"

/* ---- what is gathered ------------------------------------------------------------------- */

/* A node of the driver's, as it should be (`node`) and as it is. */
struct doctor_node {
	struct device_node node;
	bool exists, right; /* right: a character device with the driver's numbers */
	bool linked;        /* there is a link char/MAJOR:MINOR beside it */
	bool made;          /* absent, but made as soon as a container needs it */
	struct stat st;     /* when it exists */
};
struct doctor_nodes {
	struct doctor_node *items;
	size_t count, capacity;
};

/* A program that somebody names, and where that leads. */
struct doctor_program {
	const char *name; /* as it is written; NULL: nobody names it */
	const char *path; /* where it is; NULL: nowhere */
	bool ours;        /* davit's */
	int64_t changed;  /* since when it is there, in seconds since 1970 */
};

enum doctor_engine_kind { DOCTOR_DOCKER, DOCTOR_CONTAINERD, DOCTOR_CRIO, DOCTOR_PODMAN };
#define DOCTOR_ENGINES 4
/* "docker", "containerd", "crio", "podman" */
extern const char *const doctor_engine_names[DOCTOR_ENGINES];

struct doctor_engine {
	const char *program;     /* its path; NULL: none is installed */
	unsigned pid;            /* of its daemon; 0: not running */
	int64_t started;         /* seconds since 1970; 0: not known */
	const char *search;      /* the PATH that it looks for programs in; NULL: not known */
	const char *file;        /* its configuration */
	struct error file_error; /* code ERROR_NONE: it could be read */
	const char *newest;      /* of the files of its configuration; NULL: there are none */
	int64_t changed;         /* that one, in seconds since 1970 */
	const char *cgroups;     /* its cgroup driver: "systemd", "cgroupfs"; NULL: not known */
	const char *restart;     /* the command that restarts it; NULL: it has no daemon */
	const char *home,
		*config_home; /* HOME and XDG_CONFIG_HOME of the daemon; NULL: not known */
	bool snap;            /* it is a snap's */
	bool hidden;          /* the daemon's environment can't be read */
	bool file_exists;
	bool file_hidden;         /* for want of rights */
	bool rootless;            /* a user's own daemon */
	bool file_mark;           /* it begins with a byte order mark */
	bool cdi_off;             /* CDI is disabled in its configuration, or by default */
	bool cri_disabled;        /* containerd's CRI plugin is switched off */
	struct strings spec_dirs; /* where it looks for CDI specs; empty: the usual folders */
	/* A default runtime that isn't configured; NULL: all is well. */
	const char *missing_default;
	bool missing_for_sure; /* false: it depends on containerd's version, which isn't known */
	struct doctor_program hook, runtime;
	struct doctor_program amd_runtime; /* amd-container-runtime: Docker looks for it */
};

/* A hooks.d file that runs a program which gives GPUs, davit's or NVIDIA's. */
struct doctor_hook {
	const char *file;
	unsigned readers;   /* which engines read it: 1 << enum doctor_engine_kind */
	struct error error; /* code ERROR_NONE: it could be read */
	struct doctor_program program;
};
struct doctor_hooks {
	struct doctor_hook *items;
	size_t count, capacity;
};

enum doctor_cgroup { DOCTOR_CGROUP_NONE, DOCTOR_CGROUP_V1, DOCTOR_CGROUP_HYBRID, DOCTOR_CGROUP_V2 };

/* Who asks, and what the host is like besides its driver and engines. */
struct doctor_system {
	uid_t uid;
	bool nested;  /* in a user namespace */
	bool kubelet; /* a node of Kubernetes */
	bool systemd, systemd_socket;
	bool prepare_enabled; /* davit-prepare.service */
	enum doctor_cgroup cgroup;
	bool delegated; /* the asking user's cgroup is his */
	const char *cgroup_delegate;
	bool subids, newuidmap;
	bool selinux, selinux_enforcing, selinux_devices; /* devices: container_use_devices */
	bool apparmor;
	bool persistenced, persistenced_wrong; /* wrong: no socket */
	size_t nvswitches;                     /* NVSwitches that the host has */
	unsigned fabric_manager;               /* process of nv-fabricmanager; 0: none was found */
	bool processes_hidden; /* the host's processes aren't all visible from here */
	bool mps, mps_control;
	uid_t mps_uid;
	struct strings toolkit; /* programs of NVIDIA's own toolkit */
};

struct doctor_driver {
	bool roots_open;
	struct error roots_error;
	struct driver_problems problems;
	struct driver driver;
	const char *libraries; /* where libcuda or libnvidia-ml is; NULL: nowhere */
	struct doctor_nodes nodes;
};

/* Another vendor's GPUs, all of them chosen; none: error says why. */
struct doctor_vendor {
	struct choice choice;
	struct error error, nodes_error;
};

/* One container: how far the hook's way leads, and the error there. */
enum doctor_step { DOCTOR_STEP_CONFIG, DOCTOR_STEP_REQUEST, DOCTOR_STEP_DRIVER, DOCTOR_STEP_IMAGE };
struct doctor_bundle {
	const char *path;        /* NULL: none is asked about */
	struct error error;      /* code ERROR_NONE: all is well */
	enum doctor_step failed; /* where the error was */
	bool gpu;
	const char *from, *devices;
	struct strings near_misses; /* variables that look like misspelt ones */
	struct strings warnings;    /* of the request, and constraints that only warn */
	enum image_loader loader;
	size_t operations;
	bool compat; /* the image's own CUDA libraries are used */
};

struct doctor_host {
	struct config config; /* defaults, when there was an error */
	struct error config_error;
	struct doctor_system system;
	struct doctor_driver driver;
	struct {
		struct doctor_vendor *items;
		size_t count, capacity;
	} vendors;
	struct doctor_engine engines[DOCTOR_ENGINES];
	/* What davit-runtime becomes; no path: none of runtime.candidates exists. */
	struct doctor_program low_level;
	enum doctor_low_level_hooks {
		DOCTOR_HOOKS_UNSEEN,
		DOCTOR_HOOKS_KNOWN,
		DOCTOR_HOOKS_UNKNOWN
	} low_level_hooks;
	bool config_hidden; /* only root can read the configuration */
	int required;       /* enum doctor_engine_kind; -1: whichever there are */
	struct doctor_hooks hooks;
	struct cdi_listing cdi;
	struct doctor_bundle bundle;
};

struct doctor_options {
	const char *config; /* NULL: the usual file */
	const char *root;   /* NULL: this host */
	const char *bundle; /* absolute, or NULL */
	int engine;         /* enum doctor_engine_kind, or -1 */
};
/*
 * What is the driver's is looked for where the configuration says; all else beneath options->root.
 * With such a root and no options->config the configuration is that of the root, and its places are
 * beneath it, too. 0 or -errno: no memory, no such root. doctor_close after both.
 */
int doctor_gather(const struct doctor_options *options, struct arena *arena,
		  struct doctor_host *ret, struct error *err);
void doctor_close(struct doctor_host *host);

/* ---- what is decided from it (pure) ------------------------------------------------------ */

enum doctor_result {
	DOCTOR_OK,
	DOCTOR_WARN,    /* it works, but will not in some case that the evidence names */
	DOCTOR_FAIL,    /* some container can't have its GPUs */
	DOCTOR_UNKNOWN, /* it couldn't be seen */
	DOCTOR_SKIP,    /* there is nothing to look at here */
};
/* "ok", "warn", "fail", "unknown", "skip" */
const char *doctor_result_name(enum doctor_result result);

struct finding {
	const char *id; /* stable */
	enum doctor_result result;
	char evidence[1024]; /* what was seen; printable characters only */
	char remedy[400];    /* what to do; "" when nothing */
};

/* What a failed check stops: one engine (its enum doctor_engine_kind), or one of these. */
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
/* Whether the check has something to say of this host. */
bool doctor_check_applies(const struct doctor_check *check, const struct doctor_host *host);
/* Runs one check. */
void doctor_decide(const struct doctor_check *check, const struct doctor_host *host,
		   struct finding *ret);

/* How an engine can give containers their GPUs. Any of them is enough. */
enum doctor_method {
	DOCTOR_BY_HOOK = 1 << 0,    /* Docker's --gpus, or a hook of davit in hooks.d */
	DOCTOR_BY_RUNTIME = 1 << 1, /* a runtime named nvidia */
	DOCTOR_BY_CDI = 1 << 2,     /* CDI devices that the engine finds */
};
/* The methods that are set up for the engine, as a mask; 0 where the engine isn't installed. */
unsigned doctor_methods(const struct doctor_host *host, enum doctor_engine_kind kind);

#define DOCTOR_VERDICT_MAX 300
/*
 * One sentence on all findings: "1 problem stops Docker", "Docker and Podman can use the GPUs, with
 * 2 warnings". `findings` are those of the checks that apply, in any order. Printable.
 */
void doctor_verdict(const struct doctor_host *host, const struct finding *findings, size_t count,
		    char ret[static DOCTOR_VERDICT_MAX]);
