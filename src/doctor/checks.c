// SPDX-License-Identifier: Apache-2.0
/* The list of checks, in the order in which they are shown. */
#include <stdio.h>
#include <string.h>

#include "doctor.h"

const char *const doctor_engine_names[DOCTOR_ENGINES] = {"docker", "containerd", "crio", "podman"};

/* clang-format off */
const struct doctor_check doctor_checks[] = {
	{"config.file",        -1, false, check_config_file},
	{"config.policy",      -1, false, check_config_policy},
	{"host.platform",      -1, false, check_host_platform},
	{"host.boot",          -1, false, check_host_boot},
	{"driver.module",      -1, false, check_driver_module},
	{"driver.version",     -1, false, check_driver_version},
	{"driver.libraries",   -1, false, check_driver_libraries},
	{"driver.programs",    -1, false, check_driver_programs},
	{"driver.cuda",        -1, false, check_driver_cuda},
	{"driver.gpus",        -1, false, check_driver_gpus},
	{"driver.uvm",         -1, false, check_driver_uvm},
	{"driver.graphics",    -1, false, check_driver_graphics},
	{"driver.persistence", -1, false, check_driver_persistence},
	{"driver.fabric",      -1, false, check_driver_fabric},
	{"driver.mig",         -1, false, check_driver_mig},
	{"driver.mps",         -1, false, check_driver_mps},
	{"nodes.present",      -1, false, check_nodes_present},
	{"nodes.numbers",      -1, false, check_nodes_numbers},
	{"nodes.modes",        -1, false, check_nodes_modes},
	{"nodes.links",        -1, false, check_nodes_links},
	{"vendors.gpus",       -1, false, check_vendors_gpus},
	{"vendors.nodes",      -1, false, check_vendors_nodes},
	{"cgroup.version",     -1, false, check_cgroup_version},
	{"cgroup.driver",      -1, false, check_cgroup_driver},
	{"cgroup.systemd",     -1, false, check_cgroup_systemd},
	{"cgroup.rules",       -1, false, check_cgroup_rules},
	{"cgroup.delegation",  -1, false, check_cgroup_delegation},
	{"rootless.ids",       -1, false, check_rootless_ids},
	{"engine.docker",      DOCTOR_DOCKER, false, check_engine_docker},
	{"docker.snap",        DOCTOR_DOCKER, false, check_docker_snap},
	{"docker.config",      DOCTOR_DOCKER, false, check_docker_config},
	{"docker.hook",        DOCTOR_DOCKER, false, check_docker_hook},
	{"docker.runtime",     DOCTOR_DOCKER, false, check_docker_runtime},
	{"docker.amd",         DOCTOR_DOCKER, false, check_docker_amd},
	{"docker.cdi",         DOCTOR_DOCKER, false, check_docker_cdi},
	{"docker.restart",     DOCTOR_DOCKER, false, check_docker_restart},
	{"engine.containerd",  DOCTOR_CONTAINERD, false, check_engine_containerd},
	{"containerd.config",  DOCTOR_CONTAINERD, false, check_containerd_config},
	{"containerd.runtime", DOCTOR_CONTAINERD, false, check_containerd_runtime},
	{"containerd.restart", DOCTOR_CONTAINERD, false, check_containerd_restart},
	{"engine.crio",        DOCTOR_CRIO, false, check_engine_crio},
	{"crio.config",        DOCTOR_CRIO, false, check_crio_config},
	{"crio.runtime",       DOCTOR_CRIO, false, check_crio_runtime},
	{"crio.restart",       DOCTOR_CRIO, false, check_crio_restart},
	{"engine.podman",      DOCTOR_PODMAN, false, check_engine_podman},
	{"podman.hook",        DOCTOR_PODMAN, false, check_podman_hook},
	{"runtime.hooks",      -1, false, check_runtime_hooks},
	{"cdi.specs",          -1, false, check_cdi_specs},
	{"cdi.stale",          -1, false, check_cdi_stale},
	{"cdi.duplicates",     -1, false, check_cdi_duplicates},
	{"toolkit.nvidia",     -1, false, check_toolkit_nvidia},
	{"security.selinux",   -1, false, check_security_selinux},
	{"security.apparmor",  -1, false, check_security_apparmor},
	{"bundle.config",      -1, true, check_bundle_config},
	{"bundle.variables",   -1, true, check_bundle_variables},
	{"bundle.request",     -1, true, check_bundle_request},
	{"bundle.driver",      -1, true, check_bundle_driver},
	{"bundle.image",       -1, true, check_bundle_image},
};
/* clang-format on */
const size_t doctor_check_count = ARRAY_SIZE(doctor_checks);

/* Of an engine that isn't there, one line is enough. */
bool doctor_check_applies(const struct doctor_check *check, const struct doctor_host *host)
{
	const struct doctor_engine *engine;

	if (check->of_bundle)
		return host->bundle.path;
	if (check->engine < 0)
		return true;
	if (host->required >= 0 && check->engine != host->required)
		return false;
	engine = &host->engines[check->engine];
	return string_starts(check->id, "engine.") || engine->program || engine->pid;
}

void doctor_decide(const struct doctor_check *check, const struct doctor_host *host,
		   struct finding *ret)
{
	*ret = (struct finding){.id = check->id};
	(void)check->decide(host, ret);
	string_printable(ret->evidence);
	string_printable(ret->remedy);
}

const char *doctor_result_name(enum doctor_result result)
{
	static const char *const names[] = {"ok", "warn", "fail", "unknown", "skip"};

	return names[result];
}

/* ---- what the checks say it with -------------------------------------------------------- */

int finding_set(struct finding *ret, enum doctor_result result, const char *remedy,
		const char *format, ...)
{
	va_list arguments;

	ret->result = result;
	va_start(arguments, format);
	(void)vsnprintf(ret->evidence, sizeof(ret->evidence), format, arguments);
	va_end(arguments);
	(void)snprintf(ret->remedy, sizeof(ret->remedy), "%s", remedy ? remedy : "");
	return 0;
}

int finding_remedy(struct finding *ret, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(ret->remedy, sizeof(ret->remedy), format, arguments);
	va_end(arguments);
	return 0;
}

int finding_error(struct finding *ret, enum doctor_result result, const struct error *err)
{
	return finding_set(ret, result, error_remedy(err), "cannot %s", err->message);
}

void finding_list(char *list, size_t size, const char *format, ...)
{
	static const char more[] = " ...";
	size_t length = strlen(list);
	char item[256];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(item, sizeof(item), format, arguments);
	va_end(arguments);
	if (length + strlen(item) + sizeof(", ") + sizeof(more) <= size)
		(void)snprintf(list + length, size - length, "%s%s", length ? ", " : "", item);
	else if (!string_ends(list, more) && length + sizeof(more) <= size)
		(void)snprintf(list + length, size - length, "%s", more);
}
