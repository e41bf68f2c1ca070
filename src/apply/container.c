// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "davit/apply.h"

#define ID_MAP_MAX ((size_t)16 * 1024) /* 340 lines, as the kernel allows */

void container_close(struct container *container)
{
	root_close(&container->root);
	fd_close(&container->mount_namespace);
	fd_close(&container->systemd);
}

/* user_namespaces(7): lines "ID-inside ID-outside length". The outside id of 0. */
static int map_root_id(const char *map, uint32_t *ret)
{
	struct slice rest = slice_from(map), line;

	while (slice_next(&rest, '\n', &line)) {
		uint64_t numbers[3];
		size_t count = 0;
		struct slice field;

		while (count < 3 && slice_next(&line, ' ', &field))
			if (field.length && parse_number(field.data, field.length, 10, UINT32_MAX,
							 &numbers[count++]) < 0)
				return -EINVAL;
		if (count == 3 && numbers[0] == 0 && numbers[2] > 0) {
			*ret = (uint32_t)numbers[1];
			return 0;
		}
	}
	return -ENOENT;
}

static int read_root_id(pid_t pid, const char *file, struct arena *arena, uint32_t *ret)
{
	char *map;
	int r = proc_read(pid, file, ID_MAP_MAX, arena, &map);

	return r < 0 ? r : map_root_id(map, ret);
}

/* The ids of the container's root user: our own 0 unless it has a user namespace of its own. */
static int read_owner(pid_t pid, struct arena *arena, struct container *ret)
{
	struct stat ours, theirs;
	int r = proc_stat(0, "ns/user", &ours);

	if (r == 0)
		r = proc_stat(pid, "ns/user", &theirs);
	if (r != 0)
		return r;
	ret->uid = ret->gid = 0;
	if (ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev)
		return 0;
	r = read_root_id(pid, "uid_map", arena, &ret->uid);
	return r < 0 ? r : read_root_id(pid, "gid_map", arena, &ret->gid);
}

static int no_process(pid_t pid, int errnum, struct error *err)
{
	return error_set(err, ERROR_BAD_BUNDLE, errnum,
			 "call the hook from a runtime, with the pid of a live container",
			 "look at process %d of the state: %s", (int)pid, strerror(errnum));
}

int container_gain_rights(pid_t pid, struct error *err)
{
	AUTO_FD user = -1;
	AUTO_FD mount = -1;
	int r;

	if (privilege_may_mount())
		return 0;
	/* Both are opened before: in the other namespace they may be out of reach. */
	user = proc_open(pid, "ns/user", O_RDONLY);
	mount = user < 0 ? user : proc_open(pid, "ns/mnt", O_RDONLY);
	r = mount < 0 ? mount : namespace_enter_user(user);
	if (r == 0)
		r = privilege_set(PRIVILEGE_MOUNT, err);
	if (r == 0)
		r = namespace_enter_mount(mount);
	if (r == 0)
		r = privilege_set(PRIVILEGE_READ, err);
	if (r == 0)
		return 0;
	return error_set(err, ERROR_SYSTEM, -r,
			 "start the runtime in a user namespace, as rootless podman does",
			 "enter the container's namespaces as user %u: %s", geteuid(),
			 strerror(-r));
}

int container_open(pid_t pid, const char *rootfs, struct arena *arena, struct container *ret,
		   struct error *err)
{
	AUTO_CONTAINER container = CONTAINER_INIT;
	AUTO_ROOT top = {.fd = proc_open(pid, "root", O_PATH | O_DIRECTORY), .path = "/"};
	int r;

	container.pid = pid;
	if (top.fd < 0)
		return no_process(pid, -top.fd, err);
	container.mount_namespace = proc_open(pid, "ns/mnt", O_RDONLY);
	if (container.mount_namespace < 0)
		return no_process(pid, -container.mount_namespace, err);
	r = read_owner(pid, arena, &container);
	if (r < 0)
		return no_process(pid, -r, err);
	/* Links on the way are those of the container's namespace, not of ours. */
	container.root = (struct root){.fd = root_openat(&top, rootfs, O_PATH | O_DIRECTORY),
				       .path = rootfs};
	if (container.root.fd < 0)
		return error_set(err, ERROR_BAD_BUNDLE, -container.root.fd,
				 "correct root.path in config.json",
				 "open the container's root %s: %s", rootfs,
				 strerror(-container.root.fd));
	*ret = container;
	container.root.fd = container.mount_namespace = -1;
	return 0;
}
