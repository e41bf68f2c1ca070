// SPDX-License-Identifier: Apache-2.0
/*
 * The root for the vendor's library: the system's libraries, the library's own directory, /sys, a
 * /proc of this PID namespace and the driver's nodes, all read-only. It contains nothing else of
 * the host: no /run, /tmp, /var or /home, and no other device.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "nvml.h"

/* Exists on every host with sysfs. Sources in it are opened before it is covered. */
#define STAGE "/sys"
#define NODES_MAX 4096
#define QUIET (MS_RDONLY | MS_NOSUID | MS_NODEV)

static const char *const usual_nodes[] = {"null", "zero", "full", "random", "urandom"};

/* ---- which places ------------------------------------------------------------------------ */

static bool is_beneath(const char *path, const char *directory)
{
	size_t length = strlen(directory);

	return strncmp(path, directory, length) == 0 && (!path[length] || path[length] == '/');
}

static void add_place(struct places *places, const char *path)
{
	for (size_t i = 0; i < places->count; i++)
		if (is_beneath(path, places->paths[i]))
			return;
	if (places->count < ARRAY_SIZE(places->paths) && strlen(path) < sizeof(places->paths[0]))
		(void)snprintf(places->paths[places->count++], sizeof(places->paths[0]), "%s",
			       path);
}

static void add_directory_of(struct places *places, const char *path)
{
	const char *slash = strrchr(path, '/');
	char directory[PATH_MAX];

	if (path[0] != '/')
		return;
	/* A file in / is added by itself: its directory would be everything. */
	if (slash == path)
		add_place(places, path);
	else if (snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path) > 0)
		add_place(places, directory);
}

static int add_object(struct dl_phdr_info *info, size_t size, void *places)
{
	(void)size;
	if (info->dlpi_name)
		add_directory_of(places, info->dlpi_name);
	return 0;
}

void places_list(const char *library, const char *before, struct places *ret)
{
	static const char *const usual[] = {"/usr",    "/lib", "/lib64", "/lib32",
					    "/libx32", "/nix", "/gnu",   "/etc/ld.so.cache"};

	ret->count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		add_place(ret, usual[i]);
	/* The directories of the C library and the loader, wherever this system has them. */
	(void)dl_iterate_phdr(add_object, ret);
	add_directory_of(ret, library);
	if (before)
		add_directory_of(ret, before);
}

/* ---- making it --------------------------------------------------------------------------- */

/* Creates `path` below the stage: a directory, or an empty file to mount on. */
static int make_below(int stage, const char *path, bool directory)
{
	char part[PATH_MAX];

	for (const char *at = path + 1; *at;) {
		const char *slash = strchrnul(at, '/');

		(void)snprintf(part, sizeof(part), "%.*s", (int)(slash - path - 1), path + 1);
		if (!*slash && !directory) {
			if (mknodat(stage, part, S_IFREG | 0444, 0) < 0 && errno != EEXIST)
				return -errno;
			return 0;
		}
		if (mkdirat(stage, part, 0755) < 0 && errno != EEXIST)
			return -errno;
		at = *slash ? slash + 1 : slash;
	}
	return 0;
}

/* Makes a mount and all mounts below it read-only at once (Linux 5.12). */
static int seal_all(const char *target, unsigned long flags)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};

	if (flags & MS_NODEV)
		attr.attr_set |= MOUNT_ATTR_NODEV;
	return syscall(SYS_mount_setattr, AT_FDCWD, target, AT_RECURSIVE, &attr, sizeof(attr)) < 0
		       ? -errno
		       : 0;
}

/*
 * Binds by descriptor, since the stage may cover the source. Mounts below it are included, because
 * a driver may have its own file system in /usr. An older kernel can't make these read-only, so
 * there only the one mount is bound.
 */
static int bind_fd(int fd, const char *path, unsigned long flags)
{
	char source[32], target[PATH_MAX];
	int r;

	(void)snprintf(source, sizeof(source), "/proc/self/fd/%d", fd);
	if (snprintf(target, sizeof(target), STAGE "%s", path) >= (int)sizeof(target))
		return -ENAMETOOLONG;
	if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) < 0)
		return -errno;
	r = seal_all(target, flags);
	if (r == 0)
		return 0;
	if (umount2(target, MNT_DETACH) < 0 || mount(source, target, NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | flags, NULL) < 0)
		return -errno;
	return 0;
}

static int put_place(int stage, int fd, const char *path)
{
	char text[PATH_MAX];
	ssize_t length;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISLNK(st.st_mode)) {
		r = make_below(stage, path, S_ISDIR(st.st_mode));
		return r < 0 ? r : bind_fd(fd, path, QUIET);
	}
	/* /lib -> usr/lib stays a link. */
	length = readlinkat(fd, "", text, sizeof(text) - 1);
	if (length < 0)
		return -errno;
	text[length] = '\0';
	return symlinkat(text, stage, path + 1) < 0 && errno != EEXIST ? -errno : 0;
}

/* ---- the driver's nodes ------------------------------------------------------------------ */

/* Whether the name is that word followed by a number. */
static bool is_numbered(const char *name, const char *word)
{
	const size_t length = strlen(word);

	return strncmp(name, word, length) == 0 && name[length] &&
	       strspn(name + length, "0123456789") == strlen(name + length);
}

/*
 * Not nvidia-modeset, nvidia-fs and vGPU's: NVML doesn't use them, and they could change the state
 * of other programs.
 */
bool node_is_needed(const char *name)
{
	static const char *const names[] = {"nvidiactl",          "nvidia-uvm",    "nvidia-nvlink",
					    "nvidia-nvswitchctl", "dxg",           "nvmap",
					    "nvhost-ctrl-gpu",    "nvhost-gpu",    "nvhost-as-gpu",
					    "nvhost-power-gpu",   "nvhost-tsg-gpu"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return is_numbered(name, "nvidia") || is_numbered(name, "nvidia-nvswitch");
}

/* Not nvidia-cap1, which is for changing MIG instances. */
bool node_is_needed_capability(const char *name)
{
	return is_numbered(name, "nvidia-cap") && strcmp(name, "nvidia-cap1") != 0;
}

/* Nodes of Tegra's own GPU, except those for debugging, profiling or scheduling other programs. */
static bool node_is_needed_integrated(const char *name)
{
	static const char *const names[] = {"as", "channel", "ctrl", "power", "tsg"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

const struct node_folder node_folders[NODE_FOLDERS] = {
	{"nvidia-caps", node_is_needed_capability},
	{"nvgpu/igpu0", node_is_needed_integrated},
};

/* ---- /dev -------------------------------------------------------------------------------- */

static int put_node(int stage, int directory, const char *name, const char *path)
{
	AUTO_FD fd = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode))
		return 0;
	r = make_below(stage, path, false);
	/*
	 * Not nodev, or the node couldn't be opened. On a read-only mount, it can still be opened
	 * for writing.
	 */
	return r < 0 ? r : bind_fd(fd, path, MS_RDONLY | MS_NOSUID | MS_NOEXEC);
}

static int put_nodes_of(int stage, int directory, bool (*is_needed)(const char *name),
			const char *path)
{
	int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;
	unsigned count = 0;
	int r = 0;

	while (list && r == 0 && count++ < NODES_MAX && (entry = readdir(list))) {
		char target[PATH_MAX];

		if (!is_needed(entry->d_name))
			continue;
		(void)snprintf(target, sizeof(target), "%s/%s", path, entry->d_name);
		r = put_node(stage, directory, entry->d_name, target);
	}
	if (list)
		(void)closedir(list);
	return r;
}

static int put_dev(int stage, int host_dev, int driver_dev, const char *dev)
{
	int r = make_below(stage, "/dev", true);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(usual_nodes); i++) {
		char path[32];

		(void)snprintf(path, sizeof(path), "/dev/%s", usual_nodes[i]);
		r = put_node(stage, host_dev, usual_nodes[i], path);
	}
	if (r == 0)
		r = put_nodes_of(stage, driver_dev, node_is_needed, "/dev");
	for (size_t i = 0; r == 0 && i < NODE_FOLDERS; i++) {
		AUTO_FD folder =
			openat(driver_dev, node_folders[i].path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		char path[64];

		if (folder < 0)
			continue;
		(void)snprintf(path, sizeof(path), "/dev/%s", node_folders[i].path);
		r = make_below(stage, path, true);
		if (r == 0)
			r = put_nodes_of(stage, folder, node_folders[i].is_needed, path);
	}
	if (r < 0 || strcmp(dev, "/dev") == 0)
		return r;
	/*
	 * A library that searches nodes in `dev` finds the same ones. If `dev` lies in a place that
	 * is mounted later, the place covers this link, and only the nodes in /dev can be opened.
	 * NVIDIA's library uses those.
	 */
	{
		char parent[PATH_MAX];
		const char *slash = strrchr(dev, '/');

		(void)snprintf(parent, sizeof(parent), "%.*s", (int)(slash - dev), dev);
		if (parent[0])
			r = make_below(stage, parent, true);
		/* A file that already has this name is kept. */
		if (r == 0 && symlinkat("/dev", stage, dev + 1) < 0 && errno != EEXIST)
			r = -errno;
	}
	return r;
}

/* ---- the whole --------------------------------------------------------------------------- */

static int put_proc(int stage, int host_proc)
{
	int r = make_below(stage, "/proc", true);

	if (r < 0 || mount("proc", STAGE "/proc", "proc", QUIET | MS_NOEXEC, NULL) == 0)
		return r;
	/*
	 * In a user namespace in a container, a new procfs may be refused. Then bind the existing
	 * one.
	 */
	return bind_fd(host_proc, "/proc", QUIET | MS_NOEXEC);
}

static int pivot_away(int stage)
{
	if (fchdir(stage) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return -errno;
	return 0;
}

static int open_path(const char *path)
{
	return open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

int root_enter(const struct places *places, const char *dev, struct error *err)
{
	int fds[ARRAY_SIZE(places->paths)];
	AUTO_FD host_dev = open_path("/dev");
	AUTO_FD driver_dev = open(dev, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD host_proc = open_path("/proc");
	AUTO_FD host_sys = open_path("/sys");
	AUTO_FD stage = -1;
	int r = 0;

	for (size_t i = 0; i < places->count; i++)
		fds[i] = open_path(places->paths[i]);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", STAGE, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755,size=1m") < 0)
		r = -errno;
	if (r == 0) {
		stage = open(STAGE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		r = stage < 0 ? -errno : put_dev(stage, host_dev, driver_dev, dev);
	}
	for (size_t i = 0; i < places->count; i++) {
		if (r == 0 && fds[i] >= 0)
			r = put_place(stage, fds[i], places->paths[i]);
		fd_close(&fds[i]);
	}
	if (r == 0)
		r = make_below(stage, "/sys", true);
	if (r == 0)
		r = bind_fd(host_sys, "/sys", QUIET | MS_NOEXEC);
	if (r == 0)
		r = put_proc(stage, host_proc);
	if (r == 0 && mount(NULL, STAGE, NULL,
			    MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0)
		r = -errno;
	if (r == 0)
		r = pivot_away(stage);
	return r < 0 ? error_errno(err, -r, "create a separate root for the library") : 0;
}
