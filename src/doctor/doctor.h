// SPDX-License-Identifier: Apache-2.0
/* Internal declarations of the doctor. */
#pragma once

#include "davit/doctor.h"

/* ---- gathering -------------------------------------------------------------------------- */

struct doctor_gathering {
	const struct doctor_options *options;
	struct root root; /* of the examined host */
	struct arena *arena;
	struct doctor_host *host;
	struct error *err;
};

/* Each function gathers its part. 0 or -ENOMEM; that something can't be read is also a fact. */
int doctor_gather_driver(struct doctor_gathering *g);
int doctor_gather_vendors(struct doctor_gathering *g);
int doctor_gather_system(struct doctor_gathering *g);
int doctor_gather_engines(struct doctor_gathering *g);
int doctor_gather_hooks(struct doctor_gathering *g);
int doctor_gather_low_level(struct doctor_gathering *g);
/*
 * Adds the files of a hooks.d folder that this engine reads and that run davit's or NVIDIA's hook.
 * 0 or -ENOMEM.
 */
int doctor_add_hooks(struct doctor_gathering *g, const char *folder, enum doctor_engine_kind kind);
int doctor_gather_bundle(struct doctor_gathering *g);

/* Checks whether the image allows the plan. 0, or the error that the hook would report. */
int doctor_check_image(const struct root *root, const struct pipeline *pipeline,
		       struct arena *arena, struct error *err);

struct json_edit;
/* Finds the running daemon of that name, and fills pid, started, program, search and hidden. */
int doctor_find_daemon(struct doctor_gathering *g, const char *name, struct doctor_engine *engine,
		       struct strings *ret_arguments);
/* The last value of the option --NAME in a daemon's arguments, or NULL. (arguments.c) */
const char *doctor_option_of(const struct strings *arguments, const char *name);
/* For an option NAME KEY=VALUE that may be given several times: the last value of that key, or
 * NULL. */
const char *doctor_option_pair(const struct strings *arguments, const char *name, const char *key);
/* All its keys. 0 or -ENOMEM. */
int doctor_option_keys(const struct strings *arguments, const char *name, struct arena *arena,
		       struct strings *ret);
/*
 * A key of daemon.json that dockerd's arguments set, too, so that dockerd doesn't start; or NULL.
 * (arguments.c)
 */
const char *doctor_find_doubled(const struct json_edit *edit, const struct strings *arguments);
/* Finds the program of a path, or of a name in `search` (in the format of PATH). */
int doctor_find_program(struct doctor_gathering *g, const char *name, const char *search,
			struct doctor_program *ret);
#define DOCTOR_USUAL_SEARCH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"
/* The process id of a system process of that name, in any container; 0: not found. */
unsigned doctor_find_process(struct doctor_gathering *g, const char *name);
/* Whether processes of the host are hidden, by another PID namespace or by the options of /proc. */
bool doctor_processes_are_hidden(const struct doctor_gathering *g);
/* The path of an open file, links resolved; "" if it can't be found out. 0 or -ENOMEM. */
int doctor_real_path(int fd, struct arena *arena, const char **ret);
/*
 * Finds what keeps users from a file: as root, the first directory on the way that others can't
 * search, or the file itself if they lack one of the bits of `mode` (S_IROTH, S_IXOTH); as an
 * ordinary user, the directory that this user can't search, or the file that this user can't open
 * so. NULL: nothing. 0 or -ENOMEM.
 */
int doctor_find_closed(struct doctor_gathering *g, const char *path, mode_t mode, const char **ret);
/* Whether the path exists below the root. */
bool doctor_exists(const struct doctor_gathering *g, const char *path);

/* ---- deciding --------------------------------------------------------------------------- */

/* Fills a finding and returns 0; `remedy` may be NULL. */
int finding_set(struct finding *ret, enum doctor_result result, const char *remedy,
		const char *format, ...) PRINTF_LIKE(4, 5);
/* Replaces the remedy: call it after finding_set. Returns 0. */
int finding_remedy(struct finding *ret, const char *format, ...) PRINTF_LIKE(2, 3);
/* Fills a finding with the message and the remedy of an error. Returns 0. */
int finding_error(struct finding *ret, enum doctor_result result, const struct error *err);
/* Adds ", TEXT" to a list in a buffer, or " ..." if the buffer is full. */
void finding_list(char *list, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);

/* Whether a davit-runtime that the engine calls finds no runtime that it may execute. */
bool doctor_lacks_low_level(const struct doctor_engine *engine);
/* Whether containerd's CRI plugin isn't disabled, but surely doesn't load. */
bool doctor_cri_is_faulty(const struct doctor_engine *engine);
/* Whether the host has GPUs of other vendors than NVIDIA. */
bool doctor_has_other_gpus(const struct doctor_host *host);
/* Whether the platform is native, or the kernel module was found. If not, they fill the finding. */
bool check_is_native(const struct doctor_host *host, struct finding *ret);
bool check_has_module(const struct doctor_host *host, struct finding *ret);
/* The same for the driver's major numbers. */
bool check_has_numbers(const struct doctor_host *host, struct finding *ret);

/*
 * All checks, in the order of the output. X(SCOPE, GROUP, NAME) is the check GROUP.NAME; its
 * function is check_GROUP_NAME in one of the files check_*.c. SCOPE is the effect of a failure:
 * HOST, CDI, BUNDLE or an engine.
 */
/* clang-format off */
#define DOCTOR_CHECKS(X) \
	X(HOST, config, file) \
	X(HOST, config, policy) \
	X(HOST, host, platform) \
	X(HOST, host, boot) \
	X(HOST, driver, module) \
	X(HOST, driver, version) \
	X(HOST, driver, libraries) \
	X(HOST, driver, programs) \
	X(HOST, driver, cuda) \
	X(HOST, driver, gpus) \
	X(HOST, driver, uvm) \
	X(HOST, driver, graphics) \
	X(HOST, driver, persistence) \
	X(HOST, driver, fabric) \
	X(HOST, driver, mig) \
	X(HOST, driver, mps) \
	X(HOST, nodes, present) \
	X(HOST, nodes, numbers) \
	X(HOST, nodes, modes) \
	X(HOST, nodes, links) \
	X(HOST, vendors, gpus) \
	X(HOST, vendors, nodes) \
	X(HOST, cgroup, version) \
	X(HOST, cgroup, driver) \
	X(HOST, cgroup, systemd) \
	X(HOST, cgroup, rules) \
	X(HOST, cgroup, delegation) \
	X(HOST, rootless, ids) \
	X(DOCKER, engine, docker) \
	X(DOCKER, docker, snap) \
	X(DOCKER, docker, specs) \
	X(DOCKER, docker, config) \
	X(DOCKER, docker, hook) \
	X(DOCKER, docker, runtime) \
	X(DOCKER, docker, amd) \
	X(DOCKER, docker, cdi) \
	X(DOCKER, docker, restart) \
	X(CONTAINERD, engine, containerd) \
	X(CONTAINERD, containerd, config) \
	X(CONTAINERD, containerd, runtime) \
	X(CONTAINERD, containerd, cdi) \
	X(CONTAINERD, containerd, restart) \
	X(CRIO, engine, crio) \
	X(CRIO, crio, config) \
	X(CRIO, crio, runtime) \
	X(CRIO, crio, restart) \
	X(PODMAN, engine, podman) \
	X(PODMAN, podman, hook) \
	X(PODMAN, podman, runtime) \
	X(HOST, runtime, hooks) \
	X(CDI, cdi, specs) \
	X(CDI, cdi, stale) \
	X(CDI, cdi, duplicates) \
	X(HOST, toolkit, nvidia) \
	X(HOST, security, selinux) \
	X(HOST, security, apparmor) \
	X(BUNDLE, bundle, config) \
	X(BUNDLE, bundle, variables) \
	X(BUNDLE, bundle, request) \
	X(BUNDLE, bundle, driver) \
	X(BUNDLE, bundle, image)
/* clang-format on */
#define DECLARE_CHECK(scope, group, name) \
	int check_##group##_##name(const struct doctor_host *host, struct finding *ret);
DOCTOR_CHECKS(DECLARE_CHECK)
#undef DECLARE_CHECK
