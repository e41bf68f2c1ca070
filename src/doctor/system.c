// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

#define SMALL_FILE_MAX ((size_t)64 * 1024)
#define ENTRIES_MAX 1024

/* ---- cgroups ---------------------------------------------------------------------------- */

/* Decides by the directory's content, because another host's tree may not be a mount. */
static enum doctor_cgroup cgroup_of(const struct doctor_gathering *g)
{
	if (doctor_exists(g, "sys/fs/cgroup/cgroup.controllers"))
		return DOCTOR_CGROUP_V2;
	if (doctor_exists(g, "sys/fs/cgroup/devices"))
		return doctor_exists(g, "sys/fs/cgroup/unified/cgroup.procs") ? DOCTOR_CGROUP_HYBRID
									      : DOCTOR_CGROUP_V1;
	return DOCTOR_CGROUP_NONE;
}

/* If systemd delegates to a user, the user owns the cgroup. */
static int gather_delegation(struct doctor_gathering *g)
{
	struct doctor_system *system = &g->host->system;
	struct stat st;

	system->cgroup_delegate =
		arena_printf(g->arena, "sys/fs/cgroup/user.slice/user-%u.slice/user@%u.service",
			     (unsigned)system->uid, (unsigned)system->uid);
	if (!system->cgroup_delegate)
		return -ENOMEM;
	system->delegated = root_stat(&g->root, system->cgroup_delegate, 0, &st) == 0 &&
			    st.st_uid == system->uid;
	return 0;
}

/* ---- the rest --------------------------------------------------------------------------- */

static bool is_one(const struct doctor_gathering *g, const char *path)
{
	char *text;

	return root_read(&g->root, path, SMALL_FILE_MAX, g->arena, &text, NULL) == 0 &&
	       text[0] == '1';
}

/*
 * subuid(5): lines "name-or-uid:first:count". Their users aren't compared, because names may come
 * from a name service.
 */
static bool has_subids(const struct doctor_gathering *g, const char *path)
{
	char *text;

	return root_read(&g->root, path, SMALL_FILE_MAX, g->arena, &text, NULL) == 0 &&
	       strchr(text, ':');
}

static bool is_enabled(const struct doctor_gathering *g, const char *unit)
{
	struct strings names = {0};

	(void)root_list(&g->root, "etc/systemd/system", ENTRIES_MAX, g->arena, &names);
	for (size_t i = 0; i < names.count; i++) {
		const char *path;
		struct stat st;

		if (!string_ends(names.items[i], ".wants"))
			continue;
		path = arena_printf(g->arena, "etc/systemd/system/%s/%s", names.items[i], unit);
		if (path && root_stat(&g->root, path, AT_SYMLINK_NOFOLLOW, &st) == 0)
			return true;
	}
	return false;
}

static void gather_mps(struct doctor_gathering *g)
{
	struct doctor_system *system = &g->host->system;
	const char *path = g->host->config.driver.mps;
	const char *control = arena_printf(g->arena, "%s/control", path);
	struct error ignored;
	struct stat st;
	AUTO_ROOT host = {.fd = -1};
	AUTO_FD fd = -1;

	/* At the configuration's path, as for the driver's other files. */
	if (!control || root_open("/", &host, &ignored) < 0)
		return;
	fd = root_openat(&host, path, O_PATH | O_NOFOLLOW);
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	system->mps = true;
	/* A trusted owner counts as root. */
	system->mps_uid = owner_is_trusted(fd, &st) ? 0 : st.st_uid;
	system->mps_control = root_stat(&host, control, 0, &st) == 0;
}

/* Finds programs of NVIDIA's toolkit that aren't links to davit. */
static int gather_toolkit(struct doctor_gathering *g)
{
	static const char *const names[] = {
		"nvidia-container-runtime-hook",
		"nvidia-container-toolkit",
		"nvidia-container-runtime",
		"nvidia-container-cli",
		"nvidia-ctk",
		"nvidia-cdi-hook",
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++) {
		struct doctor_program program;

		r = doctor_find_program(g, names[i], DOCTOR_USUAL_SEARCH, &program);
		if (r == 0 && program.path && !program.ours)
			r = strings_add(g->arena, &g->host->system.toolkit, program.path);
	}
	return r;
}

int doctor_gather_system(struct doctor_gathering *g)
{
	struct doctor_system *system = &g->host->system;
	int r;

	system->uid = geteuid();
	system->nested = user_namespace_is_nested();
	system->kubelet =
		doctor_exists(g, "var/lib/kubelet") || doctor_exists(g, "usr/bin/kubelet");
	system->systemd = doctor_exists(g, "run/systemd/system");
	system->systemd_socket = doctor_exists(g, "run/systemd/private");
	system->prepare_enabled = is_enabled(g, "davit-prepare.service");
	system->cgroup = cgroup_of(g);
	system->subids = has_subids(g, "etc/subuid") && has_subids(g, "etc/subgid");
	system->newuidmap = doctor_exists(g, "usr/bin/newuidmap");
	system->selinux = doctor_exists(g, "sys/fs/selinux/enforce");
	system->selinux_enforcing = is_one(g, "sys/fs/selinux/enforce");
	system->selinux_devices = is_one(g, "sys/fs/selinux/booleans/container_use_devices");
	system->apparmor = doctor_exists(g, "sys/kernel/security/apparmor");
	gather_mps(g);
	r = gather_delegation(g);
	return r < 0 ? r : gather_toolkit(g);
}
