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

/* NVIDIA_DRIVER_CAPABILITIES, as bits; in the order of their names' alphabet. */
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

/* Device families beside the GPUs, as bits; in the order of their names' alphabet. */
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

/* ACCEPT_AS_ENV is of annotations alone: what holds for the environment. */
enum accept { ACCEPT_ALWAYS, ACCEPT_PRIVILEGED, ACCEPT_NEVER, ACCEPT_AS_ENV };
/* What NVIDIA_REQUIRE_* do; AUTO: enforce for the hook, warn for davit-runtime. */
enum requirements {
	REQUIREMENTS_AUTO,
	REQUIREMENTS_ENFORCE,
	REQUIREMENTS_WARN,
	REQUIREMENTS_IGNORE
};
enum runtime_mode { RUNTIME_MODE_SPEC, RUNTIME_MODE_HOOK };
/* Who mounts in mode spec. AUTO: the hook, unless the low-level runtime is one of virtual machines.
 */
enum runtime_mounts { RUNTIME_MOUNTS_AUTO, RUNTIME_MOUNTS_HOOK, RUNTIME_MOUNTS_SPEC };

struct config {
	const char *path; /* where it came from; NULL: defaults */
	struct {
		const char *root;      /* "/" */
		struct strings search; /* absolute paths of the host */
		const char *proc;      /* "/proc" */
		const char *dev;       /* "/dev" */
		const char *sys;       /* "/sys" */
		const char *run;       /* "/run": where the driver's sockets are */
		const char *mps;       /* "/tmp/nvidia-mps": where the MPS daemon's pipes are */
		/* "/etc/nvidia-container-runtime/host-files-for-container.d": Tegra's lists */
		const char *csv;
		/* Not a key, but an option of cdi generate: these lists in place of that
		 * directory's */
		struct strings csv_files;
		struct strings csv_ignore; /* patterns of links in the lists that are left out */
		/* "/usr/local/cuda/compat_orin": where images have newer libraries for Orin */
		const char *csv_compat;
		bool load_modules; /* true */
	} driver;
	struct {
		enum accept env;         /* always */
		enum accept annotations; /* ACCEPT_AS_ENV */
		bool mounts;             /* false */
		/*
		 * NVIDIA_VISIBLE_DEVICES; the first one set wins. NVIDIA_VISIBLE_DEVICES is always
		 * among them, last when the file doesn't list it.
		 */
		struct strings env_names;
		/*
		 * "NAME=KIND": variables that ask for other vendors' GPUs, before the vendor's own
		 * (AMD_VISIBLE_DEVICES); the first one set wins.
		 */
		struct strings vendor_env_names;
		/* Bus ids of GPUs of other vendors than NVIDIA that `all` doesn't mean. */
		struct strings exclude_from_all;
		unsigned capabilities; /* CAPABILITY_ALL */
		/* Of these, what an environment that isn't accepted may choose: those without
		 * device nodes of their own, all but graphics and display. */
		unsigned image_capabilities;
		unsigned features;              /* FEATURE_ALL */
		enum requirements requirements; /* auto */
		bool ignore_requirements;       /* false; true is requirements at ignore */
		bool imex;                      /* true */
		bool csv_mounts;          /* true: NVIDIA_REQUIRE_JETPACK=csv-mounts=all counts */
		bool csv_debug;           /* true: nodes of Tegra's lists for profiling, too */
		struct strings csv_allow; /* paths that Tegra's lists may name besides the usual */
	} policy;
	struct {
		struct strings spec_dirs; /* /etc/cdi, /var/run/cdi: the last has precedence */
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

/* Every key at its default. 0 or -ENOMEM. */
int config_defaults(struct arena *arena, struct config *ret);
/*
 * Parses text over the defaults: strict JSON but for comments (to the line's end, and between
 * slash-star and star-slash). -EINVAL with ERROR_BAD_CONFIG: no JSON (line and column), unknown key
 * (the nearest known name as remedy), wrong type or value (what is allowed), a relative path.
 */
int config_parse(const char *text, size_t length, const char *path, struct arena *arena,
		 struct config *ret, struct error *err);
/* Turns comments into blanks, so that lines and columns stay. */
void config_blank_comments(char *text, size_t length);
/*
 * Reads the file. `path` NULL: CONFIG_PATH, where a missing file means defaults; a path that was
 * given must exist. Refused (ERROR_BAD_CONFIG) when it is not a regular file (nor is a link), isn't
 * owned by root or by the caller's effective user, can be written by group or others, or has more
 * than CONFIG_SIZE_MAX bytes.
 */
int config_load(const char *path, struct arena *arena, struct config *ret, struct error *err);
/* The text of such a file, by the same rules. 0 or -errno, err filled. */
int config_read(const char *path, struct arena *arena, char **ret, struct error *err);
/* Every key by its whole name ("driver.root"), in their order, with its value as JSON. */
struct config_value {
	const char *key, *json;
};
struct config_values {
	struct config_value *items;
	size_t count, capacity;
};
/* 0 or -ENOMEM. */
int config_describe(const struct config *config, struct arena *arena, struct config_values *ret);
