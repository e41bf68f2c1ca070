// SPDX-License-Identifier: Apache-2.0
/*
 * config: /etc/davit/config.json -> struct config. JSON with comments; every key is in
 * config/config.json with its default and meaning.
 */
#pragma once

#include "davit/base.h"

#define CONFIG_PATH "/etc/davit/config.json"
#define CONFIG_SECONDS 30 /* limits.seconds, also before the file is read */
#define CONFIG_SIZE_MAX ((size_t)1024 * 1024)

/* NVIDIA_DRIVER_CAPABILITIES as bits, in alphabetical order. */
enum driver_capability {
	CAPABILITY_COMPAT32 = 1 << 0,
	CAPABILITY_COMPUTE = 1 << 1,
	CAPABILITY_DISPLAY = 1 << 2,
	CAPABILITY_GRAPHICS = 1 << 3,
	CAPABILITY_NGX = 1 << 4,
	CAPABILITY_UTILITY = 1 << 5,
	CAPABILITY_VIDEO = 1 << 6,
	CAPABILITY_ALL = (1 << 7) - 1,
};
/* The name of one bit ("compute"), or NULL. */
const char *capability_name(unsigned bit);
/* The bit of a name, CAPABILITY_ALL for "all", 0 for an unknown one. */
unsigned capability_bit(struct slice name);

/* Other device families as bits, in alphabetical order. */
enum feature {
	FEATURE_GDRCOPY = 1 << 0,
	FEATURE_GDS = 1 << 1,
	FEATURE_IMEX = 1 << 2,
	FEATURE_MOFED = 1 << 3,
	FEATURE_NVSWITCH = 1 << 4,
	FEATURE_ALL = (1 << 5) - 1,
};
/* The name of one bit ("gds"), or NULL. */
const char *feature_name(unsigned bit);
/* The bit of a name, FEATURE_ALL for "all", 0 for an unknown one. */
unsigned feature_bit(struct slice name);

/* ACCEPT_AS_ENV is only for annotations: the same as for the environment. */
enum accept { ACCEPT_ALWAYS, ACCEPT_PRIVILEGED, ACCEPT_NEVER, ACCEPT_AS_ENV };
/* The effect of NVIDIA_REQUIRE_*. AUTO: enforce in the hook, warn in davit-runtime. */
enum requirements {
	REQUIREMENTS_AUTO,
	REQUIREMENTS_ENFORCE,
	REQUIREMENTS_WARN,
	REQUIREMENTS_IGNORE
};
enum runtime_mode { RUNTIME_MODE_SPEC, RUNTIME_MODE_HOOK };
/* What mounts in mode spec. AUTO: the hook, except with runtimes of virtual machines. */
enum runtime_mounts { RUNTIME_MOUNTS_AUTO, RUNTIME_MOUNTS_HOOK, RUNTIME_MOUNTS_SPEC };

struct config {
	const char *path; /* the file; NULL: defaults */
	struct {
		const char *root;      /* "/" */
		struct strings search; /* absolute paths of the host */
		const char *proc;      /* "/proc" */
		const char *dev;       /* "/dev" */
		const char *sys;       /* "/sys" */
		const char *run;       /* "/run": the directory of the driver's sockets */
		const char *mps;       /* "/tmp/nvidia-mps": the MPS daemon's pipes */
		/* "/etc/nvidia-container-runtime/host-files-for-container.d": Tegra's lists */
		const char *csv;
		/* Not a key but an option of cdi generate: these lists instead of the directory's.
		 */
		struct strings csv_files;
		struct strings csv_ignore; /* patterns of links in the lists to omit */
		/* "/usr/local/cuda/compat_orin": the images' newer libraries for Orin */
		const char *csv_compat;
		bool load_modules; /* true */
	} driver;
	struct {
		enum accept env;         /* always */
		enum accept annotations; /* ACCEPT_AS_ENV */
		bool mounts;             /* false */
		/*
		 * The first variable that is set counts. NVIDIA_VISIBLE_DEVICES is always in the
		 * list, at its end if the file doesn't name it.
		 */
		struct strings env_names;
		/*
		 * "NAME=KIND": variables that request other vendors' GPUs, before the vendor's own
		 * (AMD_VISIBLE_DEVICES). The first one that is set counts.
		 */
		struct strings vendor_env_names;
		/* Bus ids of other vendors' GPUs that `all` doesn't include. */
		struct strings exclude_from_all;
		unsigned capabilities; /* CAPABILITY_ALL */
		/*
		 * Capabilities that an environment may select even if it isn't accepted. Default:
		 * those without own device nodes, all but graphics and display.
		 */
		unsigned image_capabilities;
		unsigned features;              /* FEATURE_ALL */
		enum requirements requirements; /* auto */
		bool ignore_requirements;       /* false; true: the same as requirements "ignore" */
		bool imex;                      /* true */
		bool csv_mounts;          /* true: accept NVIDIA_REQUIRE_JETPACK=csv-mounts=all */
		bool csv_debug;           /* true: also nodes for profiling in Tegra's lists */
		struct strings csv_allow; /* additional paths that Tegra's lists may name */
	} policy;
	struct {
		struct strings spec_dirs; /* /etc/cdi, /var/run/cdi; the last has precedence */
		struct strings annotation_prefixes; /* cdi.k8s.io/, nvidia.cdi.k8s.io/ */
	} cdi;
	bool cgroups;     /* "auto": true; "never": false */
	bool cuda_compat; /* the same */
	struct {
		enum runtime_mode mode;
		enum runtime_mounts mounts; /* auto */
		struct strings candidates;  /* runc, crun */
	} runtime;
	struct {
		unsigned seconds; /* 30; 0: none */
	} limits;
	struct {
		const char *file; /* "" */
		enum log_level level;
	} log;
};

/* Sets every key to its default. 0 or -ENOMEM. */
int config_defaults(struct arena *arena, struct config *ret);
/*
 * Sets the defaults and parses the text: strict JSON with comments (to the line's end, and between
 * slash-star and star-slash). -EINVAL with ERROR_BAD_CONFIG: not JSON (with line and column), an
 * unknown key (the remedy has the nearest known one), a wrong type or value (with the allowed
 * ones), a relative path.
 */
int config_parse(const char *text, size_t length, const char *path, struct arena *arena,
		 struct config *ret, struct error *err);
/* Replaces comments with blanks, so that lines and columns don't change. */
void config_blank_comments(char *text, size_t length);
/*
 * Reads the file. If `path` is NULL, it is CONFIG_PATH, and a missing file means defaults.
 * Otherwise the file must exist. It is refused (ERROR_BAD_CONFIG) if it is a link or not a regular
 * file, if its owner isn't trusted (owner_is_trusted), if its group or others can write it, or if
 * it has more than CONFIG_SIZE_MAX bytes.
 */
int config_load(const char *path, struct arena *arena, struct config *ret, struct error *err);
/* Reads the text of such a file with the same checks. 0 or -errno, err filled. */
int config_read(const char *path, struct arena *arena, char **ret, struct error *err);
/* A key with its full name ("driver.root"), and its value as JSON. */
struct config_value {
	const char *key, *json;
};
struct config_values {
	struct config_value *items;
	size_t count, capacity;
};
/* Lists every key, in order. 0 or -ENOMEM. */
int config_describe(const struct config *config, struct arena *arena, struct config_values *ret);
