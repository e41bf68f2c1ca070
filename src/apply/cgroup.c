// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "steps.h"

#define CGROUP_FILE_MAX ((size_t)64 * 1024)
#define CGROUP_MOUNT "/sys/fs/cgroup"
#define REPLACE_TRIES 8 /* systemd and runtimes replace programs, too */

/* The cgroup of a process with the device controller. */
struct cgroup {
	bool unified;     /* version 2 */
	const char *path; /* in the hierarchy, as /proc/PID/cgroup says */
	int fd;           /* O_PATH-like directory */
};

static bool lists_controller(struct slice controllers, const char *name)
{
	struct slice item;

	while (slice_next(&controllers, ',', &item))
		if (slice_equal(item, name))
			return true;
	return false;
}

/* cgroups(7): lines "hierarchy-ID:controllers:path"; version 2 is "0::path". */
static const char *find_path(const char *text, bool unified, struct arena *arena)
{
	struct slice rest = slice_from(text), line;

	while (slice_next(&rest, '\n', &line)) {
		struct slice id, controllers;

		if (!slice_next(&line, ':', &id) || !slice_next(&line, ':', &controllers) ||
		    !line.data)
			continue;
		if (unified ? slice_equal(id, "0") && controllers.length == 0
			    : lists_controller(controllers, "devices"))
			return arena_strndup(arena, line.data, line.length);
	}
	return NULL;
}

static bool is_file_system(const char *path, unsigned long magic)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (unsigned long)fs.f_type == magic;
}

/* Opens `path` of a hierarchy. `mount` shows the hierarchy from its directory `mount_root` on. */
static int open_beneath(const char *mount, const char *mount_root, const char *path,
			struct arena *arena)
{
	size_t length = string_equal(mount_root, "/") ? 0 : strlen(mount_root);
	const char *full;
	int fd;

	if (strncmp(path, mount_root, length) != 0 || (path[length] && path[length] != '/'))
		return -ENOENT;
	full = arena_printf(arena, "%s%s", mount, path + length);
	if (!full)
		return -ENOMEM;
	fd = open(full, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* If the usual mounts don't contain it, tries all mounts of the hierarchy or of a part of it. */
static int open_by_mount_info(const struct cgroup *cgroup, struct arena *arena)
{
	struct mount_infos infos;
	int r = mount_info_read(arena, &infos);

	for (size_t i = 0; r == 0 && i < infos.count; i++) {
		const struct mount_info *info = &infos.items[i];
		int fd;

		if (cgroup->unified
			    ? !string_equal(info->type, "cgroup2")
			    : !string_equal(info->type, "cgroup") ||
				      !lists_controller(slice_from(info->options), "devices"))
			continue;
		fd = open_beneath(info->mount_point, info->root, cgroup->path, arena);
		if (fd >= 0)
			return fd;
	}
	return r < 0 ? r : -ENOENT;
}

const char *cgroup_unified_path(pid_t pid, struct arena *arena)
{
	char *text;

	if (!is_file_system(CGROUP_MOUNT, CGROUP2_SUPER_MAGIC) ||
	    proc_read(pid, "cgroup", CGROUP_FILE_MAX, arena, &text) < 0)
		return NULL;
	return find_path(text, true, arena);
}

static int cgroup_open(pid_t pid, struct arena *arena, struct cgroup *ret, struct error *err)
{
	char *text;
	int r = proc_read(pid, "cgroup", CGROUP_FILE_MAX, arena, &text);

	if (r < 0)
		return error_errno(err, -r, "read the cgroups of process %d", (int)pid);
	/* As in the runtimes, only this mount decides, even if v1 hierarchies also exist. */
	ret->unified = is_file_system(CGROUP_MOUNT, CGROUP2_SUPER_MAGIC);
	ret->path = find_path(text, ret->unified, arena);
	if (!ret->path && !ret->unified) {
		ret->unified = true;
		ret->path = find_path(text, true, arena);
	}
	if (!ret->path) {
		error_set(err, ERROR_SYSTEM, ENOENT,
			  "set \"cgroups\": \"never\" in the configuration",
			  "find the device cgroup of process %d: the process has none", (int)pid);
		return -ENOENT;
	}
	ret->fd = open_beneath(ret->unified ? CGROUP_MOUNT : CGROUP_MOUNT "/devices", "/",
			       ret->path, arena);
	if (ret->fd == -ENOENT)
		ret->fd = open_by_mount_info(ret, arena);
	return ret->fd < 0 ? error_errno(err, -ret->fd, "open the cgroup %s", ret->path) : 0;
}

/* ---- version 1 -------------------------------------------------------------------------- */

static int allow_in_file(int cgroup_fd, const struct plan *plan, struct error *err)
{
	AUTO_FD fd = openat(cgroup_fd, "devices.allow", O_WRONLY | O_CLOEXEC);
	char rule[48];

	if (fd < 0)
		return error_errno(err, errno, "open devices.allow of the container's cgroup");
	for (size_t i = 0; i < plan->count; i++) {
		const struct operation *operation = &plan->items[i];
		int length;

		if (operation->kind != OPERATION_DEVICE_RULE)
			continue;
		length = snprintf(rule, sizeof(rule), "%c %u:%u %s", operation->block ? 'b' : 'c',
				  operation->major, operation->minor,
				  device_access_name(operation->access));
		if (write(fd, rule, (size_t)length) < 0)
			return error_errno(err, errno, "allow %s in the container's cgroup",
					   operation->target);
	}
	return 0;
}

/* ---- version 2 -------------------------------------------------------------------------- */

static int replace_program(int cgroup_fd, uint32_t id, uint32_t attach_flags,
			   const struct plan *plan, struct arena *arena)
{
	struct bpf_insn *original, *program;
	size_t original_count, count;
	AUTO_FD old_fd = -1;
	AUTO_FD new_fd = -1;
	int r = bpf_open_program(id, arena, &old_fd, &original, &original_count);

	if (r < 0)
		return r;
	r = device_filter_build(plan, original, original_count, arena, &program, &count);
	if (r < 0)
		return r;
	new_fd = bpf_load_device(program, count);
	if (new_fd < 0)
		return new_fd;
	return bpf_replace_device(cgroup_fd, attach_flags, old_fd, new_fd);
}

/*
 * A device is allowed only if every attached program allows it, so each one is replaced. If another
 * process replaces one meanwhile, everything is read again. Duplicate rules do no harm.
 */
static int replace_programs(int cgroup_fd, const struct plan *plan, struct arena *arena,
			    struct error *err)
{
	struct bpf_programs programs;
	int r = -ENOENT;

	for (int tries = 0; tries < REPLACE_TRIES && r == -ENOENT; tries++) {
		r = bpf_query_device(cgroup_fd, &programs);
		if (r < 0)
			return error_errno(err, -r, "query the device filter of the cgroup");
		for (uint32_t i = 0; r == 0 && i < programs.count; i++)
			r = replace_program(cgroup_fd, programs.ids[i], programs.attach_flags, plan,
					    arena);
	}
	if (r == -EACCES)
		return error_set(err, ERROR_SYSTEM, EACCES, "set net.core.bpf_jit_harden to 1 or 0",
				 "read the container's device filter: the kernel hides it");
	return r < 0 ? error_errno(err, -r, "replace the container's device filter") : 0;
}

/*
 * The container's cgroup and those above it up to a systemd scope: crun puts the container into a
 * cgroup beneath its scope, and systemd's own program is on the scope.
 */
static int allow_in_filter(struct cgroup *cgroup, const struct plan *plan, struct arena *arena,
			   struct error *err)
{
	const char *path = cgroup->path, *scope = strstr(path, ".scope/");
	size_t length = strlen(path);
	int r = replace_programs(cgroup->fd, plan, arena, err);

	while (r == 0 && scope && length > (size_t)(scope - path) + strlen(".scope")) {
		int above = openat(cgroup->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (above < 0)
			return error_errno(err, errno, "open the cgroup above %s", path);
		fd_close(&cgroup->fd);
		cgroup->fd = above;
		do {
			length--;
		} while (path[length] != '/');
		r = replace_programs(cgroup->fd, plan, arena, err);
	}
	return r;
}

/* ---- both ------------------------------------------------------------------------------- */

int cgroup_allow_devices(const struct plan *plan, pid_t pid, struct arena *arena, struct error *err)
{
	struct cgroup cgroup = {.fd = -1};
	int r = cgroup_open(pid, arena, &cgroup, err);

	if (r == 0)
		r = cgroup.unified ? allow_in_filter(&cgroup, plan, arena, err)
				   : allow_in_file(cgroup.fd, plan, err);
	if (cgroup.fd >= 0)
		fd_close(&cgroup.fd);
	if (r < 0 && user_namespace_is_nested()) {
		log_line(
			LOG_LEVEL_WARNING,
			"device rules are not set here: cannot %s (fix: if the GPU can't be opened, allow its devices in the outer container)",
			err->message);
		return 0;
	}
	return r;
}
