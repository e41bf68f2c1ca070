// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "davit/apply.h"

#define ROOT_FIX "correct root.path in config.json, or the root directory on the command line"
#define ID_MAP_MAX ((size_t)16 * 1024) /* 340 lines, as the kernel allows */

void container_close(struct container *container)
{
	root_close(&container->root);
	fd_close(&container->mount_namespace);
	fd_close(&container->systemd);
}

static int read_root_id(pid_t pid, const char *file, struct arena *arena, uint32_t *ret)
{
	char *map;
	int r = proc_read(pid, file, ID_MAP_MAX, arena, &map);

	return r < 0 ? r : id_map_find(map, 0, ret);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
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
	if (is_same(&ours, &theirs))
		return 0;
	r = read_root_id(pid, "uid_map", arena, &ret->uid);
	return r < 0 ? r : read_root_id(pid, "gid_map", arena, &ret->gid);
}

static int no_process(pid_t pid, int errnum, struct error *err)
{
	return error_set(err, ERROR_BAD_BUNDLE, errnum,
			 "call the hook from a runtime, with the pid of a live container",
			 "inspect process %d of the container's state: %s", (int)pid,
			 strerror(errnum));
}

/* Whether container_gain_rights has brought this process into the container's namespaces. */
static bool entered;

/*
 * The mount namespace of a process, if it can be a container's: mounts for a process in our own, or
 * in that of init, would be the host's. A descriptor or -errno, err filled.
 */
static int open_mount_namespace(pid_t pid, struct error *err)
{
	struct stat ours, theirs, init;
	const char *whose;
	AUTO_FD fd = -1;
	int r;

	/* In an outer namespace's /proc, this number is another process. */
	if (!entered && !proc_has_our_numbers()) {
		r = proc_check(err);
		return r < 0 ? r
			     : error_set(
				       err, ERROR_SYSTEM, ESRCH,
				       "run `mount -t proc proc /proc` in this PID namespace first",
				       "inspect process %d: /proc belongs to another PID namespace, where that number means another process",
				       (int)pid);
	}
	fd = proc_open(pid, "ns/mnt", O_RDONLY);
	if (fd < 0 || fstat(fd, &theirs) < 0)
		return no_process(pid, fd < 0 ? -fd : errno, err);
	if (entered)
		return fd_take(&fd);
	r = proc_stat(0, "ns/mnt", &ours);
	if (r != 0)
		return no_process(pid, -r, err);
	if (is_same(&ours, &theirs))
		whose = "davit";
	else if (proc_stat(1, "ns/mnt", &init) == 0 && is_same(&init, &theirs))
		whose = "init";
	else /* a user who can't inspect init can't mount there, either */
		return fd_take(&fd);
	return error_set(err, ERROR_BAD_BUNDLE, EINVAL,
			 "pass the pid of a process in the container's own mount namespace",
			 "mount anything for process %d: it shares its mount namespace with %s",
			 (int)pid, whose);
}

int container_gain_rights(pid_t pid, struct error *err)
{
	AUTO_FD user = -1;
	AUTO_FD mount = -1;
	int r;

	if (privilege_may_mount())
		return 0;
	/* Both are opened first, because they may be inaccessible from the other namespace. */
	mount = open_mount_namespace(pid, err);
	if (mount < 0 && mount != -EACCES)
		return mount;
	user = mount < 0 ? mount : proc_open(pid, "ns/user", O_RDONLY);
	r = user < 0 ? user : namespace_enter_user(user);
	if (r == 0)
		r = privilege_set(PRIVILEGE_MOUNT, err);
	if (r == 0)
		r = namespace_enter_mount(mount);
	if (r == 0)
		r = privilege_set(PRIVILEGE_READ, err);
	entered = r == 0;
	if (r == 0)
		return 0;
	return error_set(err, ERROR_SYSTEM, -r,
			 "start the runtime in a user namespace, as rootless podman does",
			 "enter the container's namespaces as user %u: %s", geteuid(),
			 strerror(-r));
}

/* Links in the path are resolved inside `top`. */
static int open_root(const struct root *top, const char *rootfs, struct root *ret,
		     struct error *err)
{
	AUTO_ROOT root = {.fd = root_openat(top, rootfs, O_PATH | O_DIRECTORY), .path = rootfs};
	int r;

	if (root.fd == -ENOTDIR || root.fd == -ELOOP)
		return error_set(err, ERROR_BAD_BUNDLE, -root.fd, ROOT_FIX,
				 "open the container's root %s: invalid rootfs directory: %s",
				 rootfs,
				 root.fd == -ENOTDIR ? "it is not a directory"
						     : "it is a loop of links, or a link of /proc");
	if (root.fd < 0)
		return error_set(err, ERROR_BAD_BUNDLE, -root.fd, ROOT_FIX,
				 "open the container's root %s: %s", rootfs, strerror(-root.fd));
	r = root_refuse_own(&root, err);
	if (r < 0)
		return r;
	*ret = root;
	root.fd = -1;
	return 0;
}

int container_open_own(const char *rootfs, struct container *ret, struct error *err)
{
	AUTO_CONTAINER container = CONTAINER_INIT; /* pid 0: this process */
	AUTO_ROOT top = {.fd = -1};
	int r = root_open("/", &top, err);

	if (r == 0)
		r = open_root(&top, rootfs, &container.root, err);
	if (r < 0)
		return r;
	container.uid = geteuid();
	container.gid = getegid();
	*ret = container;
	container.root.fd = -1;
	return 0;
}

int container_open(pid_t pid, const char *rootfs, struct arena *arena, struct container *ret,
		   struct error *err)
{
	static struct root top = {.fd = -1, .path = "/"}; /* never closed: the process ends soon */
	AUTO_CONTAINER container = CONTAINER_INIT;
	int r;

	container.pid = pid;
	container.mount_namespace = open_mount_namespace(pid, err);
	if (container.mount_namespace < 0)
		return container.mount_namespace;
	top.fd = proc_open(pid, "root", O_PATH | O_DIRECTORY);
	if (top.fd < 0)
		return no_process(pid, -top.fd, err);
	r = read_owner(pid, arena, &container);
	if (r < 0)
		return no_process(pid, -r, err);
	r = open_root(&top, rootfs, &container.root, err);
	if (r < 0)
		return r;
	*ret = container;
	container.root.fd = container.mount_namespace = -1;
	return 0;
}
