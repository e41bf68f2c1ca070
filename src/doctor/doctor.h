// SPDX-License-Identifier: Apache-2.0
/* What the files of the doctor share. */
#pragma once

#include "davit/doctor.h"

/* ---- gathering -------------------------------------------------------------------------- */

struct doctor_gathering {
	const struct doctor_options *options;
	struct root root; /* of the host that is examined */
	struct arena *arena;
	struct doctor_host *host;
	struct error *err;
};

/* Each one fills its part of the host. 0 or -ENOMEM: what can't be seen is a fact, too. */
int doctor_gather_driver(struct doctor_gathering *g);
int doctor_gather_vendors(struct doctor_gathering *g);
int doctor_gather_system(struct doctor_gathering *g);
int doctor_gather_engines(struct doctor_gathering *g);
int doctor_gather_hooks(struct doctor_gathering *g);
int doctor_gather_low_level(struct doctor_gathering *g);
int doctor_gather_bundle(struct doctor_gathering *g);

/* Whether something in the image is in the plan's way: the error that the hook would have. */
int doctor_check_image(const struct root *root, const struct pipeline *pipeline,
		       struct arena *arena, struct error *err);

/* The daemon of that name, if it runs: fills pid, started, program, search and hidden. */
int doctor_find_daemon(struct doctor_gathering *g, const char *name, struct doctor_engine *engine,
		       struct strings *ret_arguments);
/* Where the name or path leads, looked for in `search` (of the form of PATH) when it is a name. */
int doctor_find_program(struct doctor_gathering *g, const char *name, const char *search,
			struct doctor_program *ret);
#define DOCTOR_USUAL_SEARCH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"
/* The process id of a system's process of that name, in whichever container; 0: none was found. */
unsigned doctor_find_process(struct doctor_gathering *g, const char *name);
/* Whether processes of the host are hidden: another pid namespace, or a /proc that hides them. */
bool doctor_processes_are_hidden(const struct doctor_gathering *g);
/* Whether there is something at that path beneath the root. */
bool doctor_exists(const struct doctor_gathering *g, const char *path);

/* ---- deciding --------------------------------------------------------------------------- */

/* Fills a finding and returns 0; `remedy` may be NULL. */
int finding_set(struct finding *ret, enum doctor_result result, const char *remedy,
		const char *format, ...) PRINTF_LIKE(4, 5);
/* Replaces the remedy: call it after finding_set. Returns 0. */
int finding_remedy(struct finding *ret, const char *format, ...) PRINTF_LIKE(2, 3);
/* A finding from an error: what it says and its remedy. Returns 0. */
int finding_error(struct finding *ret, enum doctor_result result, const struct error *err);
/* Adds ", TEXT" to a list in a buffer, or " ..." when it doesn't fit any more. */
void finding_list(char *list, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);

/* Whether there are GPUs of other vendors than NVIDIA. */
bool doctor_has_other_gpus(const struct doctor_host *host);
/* Whether the kernel module was found; else the finding is one that says so. */
bool check_is_native(const struct doctor_host *host, struct finding *ret);
bool check_has_module(const struct doctor_host *host, struct finding *ret);
/* The same for the majors that the driver owns. */
bool check_has_numbers(const struct doctor_host *host, struct finding *ret);

#define CHECK(name) int check_##name(const struct doctor_host *host, struct finding *ret)
CHECK(config_file);
CHECK(config_policy);
CHECK(host_platform);
CHECK(host_boot);
CHECK(driver_module);
CHECK(driver_libraries);
CHECK(driver_programs);
CHECK(driver_version);
CHECK(driver_cuda);
CHECK(driver_gpus);
CHECK(driver_uvm);
CHECK(driver_graphics);
CHECK(driver_persistence);
CHECK(driver_fabric);
CHECK(driver_mig);
CHECK(driver_mps);
CHECK(nodes_present);
CHECK(nodes_numbers);
CHECK(nodes_modes);
CHECK(nodes_links);
CHECK(vendors_gpus);
CHECK(vendors_nodes);
CHECK(docker_amd);
CHECK(cgroup_version);
CHECK(cgroup_driver);
CHECK(cgroup_systemd);
CHECK(cgroup_rules);
CHECK(cgroup_delegation);
CHECK(rootless_ids);
CHECK(engine_docker);
CHECK(docker_snap);
CHECK(docker_config);
CHECK(docker_hook);
CHECK(docker_runtime);
CHECK(docker_cdi);
CHECK(docker_restart);
CHECK(engine_containerd);
CHECK(containerd_config);
CHECK(containerd_runtime);
CHECK(containerd_restart);
CHECK(engine_crio);
CHECK(crio_config);
CHECK(crio_runtime);
CHECK(crio_restart);
CHECK(engine_podman);
CHECK(podman_hook);
CHECK(runtime_hooks);
CHECK(cdi_specs);
CHECK(cdi_stale);
CHECK(cdi_duplicates);
CHECK(toolkit_nvidia);
CHECK(security_selinux);
CHECK(security_apparmor);
CHECK(bundle_config);
CHECK(bundle_variables);
CHECK(bundle_request);
CHECK(bundle_driver);
CHECK(bundle_image);
#undef CHECK
