// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "doctor.h"

int check_host_boot(const struct doctor_host *host, struct finding *ret)
{
	if (!host->system.systemd)
		return finding_set(ret, DOCTOR_SKIP, NULL, "no systemd");
	if (host->system.prepare_enabled)
		return finding_set(ret, DOCTOR_OK, NULL, "davit-prepare.service is enabled");
	if (!host->driver.driver.version && doctor_has_other_gpus(host))
		return finding_set(
			ret, DOCTOR_SKIP, NULL,
			"no NVIDIA driver; for other vendors' GPUs, udev creates the nodes");
	return finding_set(ret, DOCTOR_WARN, "systemctl enable davit-prepare.service",
			   "davit-prepare.service isn't enabled: at boot, containers may "
			   "start before the driver's nodes exist");
}

int check_cgroup_version(const struct doctor_host *host, struct finding *ret)
{
	static const char *const names[] = {
		[DOCTOR_CGROUP_V1] = "version 1",
		[DOCTOR_CGROUP_HYBRID] = "hybrid: version 1 for devices, and version 2",
		[DOCTOR_CGROUP_V2] = "version 2",
	};

	if (host->system.cgroup == DOCTOR_CGROUP_NONE)
		return finding_set(
			ret, DOCTOR_FAIL, "mount it: mount -t cgroup2 cgroup2 /sys/fs/cgroup",
			"/sys/fs/cgroup has neither version 2 nor the devices controller "
			"of version 1");
	return finding_set(ret, DOCTOR_OK, NULL, "%s", names[host->system.cgroup]);
}

int check_cgroup_driver(const struct doctor_host *host, struct finding *ret)
{
	char list[300] = "";
	bool lost = false;

	for (size_t i = 0; i < DOCTOR_ENGINES; i++) {
		const struct doctor_engine *engine = &host->engines[i];

		if (!engine->program || !engine->cgroups ||
		    (host->required >= 0 && host->required != (int)i))
			continue;
		finding_list(list, sizeof(list), "%s: %s", doctor_engine_names[i], engine->cgroups);
		lost |= string_equal(engine->cgroups, "systemd");
	}
	if (!list[0])
		return finding_set(ret, DOCTOR_SKIP, NULL, "no engine with a cgroup driver");
	if (lost && host->system.cgroup != DOCTOR_CGROUP_V2)
		return finding_set(
			ret, DOCTOR_WARN,
			"use cgroup version 2, the cgroup driver cgroupfs, or davit-runtime",
			"%s; on cgroup version 1, systemd drops a hook's device rules at "
			"a daemon-reload (`Failed to initialize NVML: Unknown Error`)",
			list);
	return finding_set(ret, DOCTOR_OK, NULL, "%s", list);
}

int check_cgroup_systemd(const struct doctor_host *host, struct finding *ret)
{
	if (!host->system.systemd)
		return finding_set(ret, DOCTOR_SKIP, NULL, "no systemd");
	if (host->system.cgroup != DOCTOR_CGROUP_V2)
		return finding_set(ret, DOCTOR_SKIP, NULL, "cgroup version 1");
	if (!host->system.systemd_socket)
		return finding_set(
			ret, DOCTOR_WARN, "use the cgroup driver cgroupfs, or davit-runtime",
			"systemd's socket /run/systemd/private doesn't exist: davit can't add device "
			"rules to a scope, and a daemon-reload drops them (`Failed to "
			"initialize NVML: Unknown Error`)");
	return finding_set(ret, DOCTOR_OK, NULL,
			   "systemd accepts device rules on /run/systemd/private");
}

int check_cgroup_rules(const struct doctor_host *host, struct finding *ret)
{
	if (!host->config.cgroups)
		return finding_set(ret, DOCTOR_WARN,
				   "set cgroups to \"auto\" in /etc/davit/config.json",
				   "cgroups is \"never\" in the configuration: containers get no "
				   "device rules");
	if (host->system.nested)
		return finding_set(ret, DOCTOR_WARN,
				   "allow the devices on the host of this user namespace",
				   "in a user namespace davit can't change device rules: the host "
				   "must set them");
	if (host->system.uid != 0)
		return finding_set(
			ret, DOCTOR_OK, NULL,
			"davit doctor doesn't run as root: rootless containers have no device rules");
	return finding_set(ret, DOCTOR_OK, NULL, "davit sets them for each container");
}

int check_cgroup_delegation(const struct doctor_host *host, struct finding *ret)
{
	if (host->system.uid == 0)
		return finding_set(ret, DOCTOR_SKIP, NULL, "davit doctor runs as root");
	if (!host->system.systemd)
		return finding_set(ret, DOCTOR_SKIP, NULL, "no systemd");
	if (host->system.delegated)
		return finding_set(ret, DOCTOR_OK, NULL, "/%s is delegated to you",
				   host->system.cgroup_delegate);
	return finding_set(ret, DOCTOR_WARN,
			   "log in through a systemd session, or run `loginctl enable-linger`",
			   "/%s isn't delegated to you: rootless containers have no "
			   "resource limits",
			   host->system.cgroup_delegate);
}

int check_rootless_ids(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_system *system = &host->system;

	if (system->uid == 0)
		return finding_set(ret, DOCTOR_SKIP, NULL, "davit doctor runs as root");
	if (system->subids && system->newuidmap)
		return finding_set(ret, DOCTOR_OK, NULL, "/etc/subuid, /etc/subgid, newuidmap");
	return finding_set(ret, DOCTOR_WARN,
			   "install uidmap, and add ranges for the user: usermod "
			   "--add-subuids 100000-165535 --add-subgids 100000-165535 USER",
			   "%s: rootless containers have only one user",
			   system->newuidmap ? "/etc/subuid or /etc/subgid has no range"
					     : "newuidmap isn't installed");
}

int check_toolkit_nvidia(const struct doctor_host *host, struct finding *ret)
{
	char list[700] = "";

	for (size_t i = 0; i < host->system.toolkit.count; i++)
		finding_list(list, sizeof(list), "%s", host->system.toolkit.items[i]);
	for (size_t i = 0; i < host->hooks.count; i++)
		if (host->hooks.items[i].program.path && !host->hooks.items[i].program.ours)
			finding_list(list, sizeof(list), "%s", host->hooks.items[i].file);
	if (!list[0])
		return finding_set(ret, DOCTOR_OK, NULL, "NVIDIA's toolkit isn't installed");
	return finding_set(ret, DOCTOR_WARN,
			   "remove nvidia-container-toolkit, or register only one of the two",
			   "NVIDIA's toolkit is also installed: %s; both may change the "
			   "same container and conflict",
			   list);
}

int check_security_selinux(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_system *system = &host->system;

	if (!system->selinux || !system->selinux_enforcing)
		return finding_set(ret, DOCTOR_OK, NULL, "SELinux is %s",
				   system->selinux ? "permissive" : "not active");
	if (system->selinux_devices)
		return finding_set(ret, DOCTOR_OK, NULL,
				   "SELinux is enforcing, and container_use_devices is on");
	return finding_set(ret, DOCTOR_WARN, "setsebool -P container_use_devices on",
			   "SELinux is enforcing, and container_use_devices is off: "
			   "containers can't use devices (`Insufficient Permissions`)");
}

int check_security_apparmor(const struct doctor_host *host, struct finding *ret)
{
	return finding_set(ret, DOCTOR_OK, NULL, "AppArmor is %s",
			   host->system.apparmor ? "active; the engines' profiles allow GPUs"
						 : "not active");
}
