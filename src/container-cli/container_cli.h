// SPDX-License-Identifier: Apache-2.0
/*
 * davit-container-cli: what HPC tools and containerd's client call as nvidia-container-cli. Its
 * flags become a request; from there on everything is the same as in the hook.
 */
#pragma once

#include "davit/pipeline.h"

/* What `list` prints. */
enum listed {
	LIST_DEVICES = 1 << 0,
	LIST_LIBRARIES = 1 << 1,
	LIST_BINARIES = 1 << 2,
	LIST_IPCS = 1 << 3,
	LIST_FIRMWARE = 1 << 4,
	LIST_DATA = 1 << 5, /* has no flag of its own */
	LIST_ALL = (1 << 6) - 1,
};

/* What the command line says; the lists are in `arena`. */
struct arguments {
	const char *command, *rootfs;
	bool version, help, usage;
	/* global */
	bool load_modules;
	const char *debug; /* a file */
	const char *root;  /* of the driver */
	/* the request */
	struct strings devices, requirements, imex;
	unsigned capabilities;
	bool mig_config, mig_monitor;
	bool no_compat, no_persistenced, no_fabricmanager, no_firmware;
	/* configure */
	pid_t pid; /* 0: the caller's own mount namespace */
	bool no_cgroups, no_devices, no_loader_cache;
	/* info, list */
	bool csv;
	unsigned listed;
	bool list_all; /* what nvidia-container-cli doesn't know of, too */
};
/* 0, or -EINVAL (or -ENOMEM), which was said on stderr. */
int arguments_parse(int argc, char **argv, struct arena *arena, struct arguments *ret);

/* Configuration, log and what the arguments change of them. 0 or -errno. */
int settings_load(const struct arguments *arguments, struct arena *arena, struct config *ret,
		  struct error *err);
/* The flags as a request. 0 or -errno. */
int request_make(const struct arguments *arguments, const struct config *config,
		 struct arena *arena, struct gpu_request *ret, struct error *err);
/* Takes what the flags leave out from the driver's files. */
void files_leave_out(const struct arguments *arguments, struct driver_files *files);

/* The commands. 0 or -errno. */
int command_configure(const struct arguments *arguments, struct arena *arena, struct error *err);
int command_info(const struct arguments *arguments, struct arena *arena, struct error *err);
int command_list(const struct arguments *arguments, struct arena *arena, struct error *err);
