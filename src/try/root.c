// SPDX-License-Identifier: Apache-2.0
/* The container's root, in a mount namespace that ends with its processes. */
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "parts.h"

#define VIEW_SIZE_KIB (1024u * 1024) /* what may be written into the root: 1 GiB, of memory */
#define DEV_SIZE_KIB 65536
#define QUIET (MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV | MOUNT_FLAG_NOEXEC)

static const char *const nodes[] = {"null", "zero", "full", "random", "urandom", "tty"};
static const char *const dev_directories[] = {"pts", "shm", "mqueue"};
static const struct {
	const char *name, *text;
} dev_links[] = {
	{"fd",     "/proc/self/fd"  },
        {"stdin",  "/proc/self/fd/0"},
        {"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"},
        {"ptmx",   "pts/ptmx"       },
        {"core",   "/proc/kcore"    },
};

/* ---- places ------------------------------------------------------------------------------ */

/* A directory of the image to mount on, made when it is missing; a link is refused. */
static int open_place(const struct root *root, const char *path, struct error *err)
{
	int fd = root_openat(root, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);

	if (fd == -ENOENT)
		return root_mkdirs(root, path, err);
	if (fd < 0)
		return error_set(err, ERROR_IMAGE, -fd, "make it a directory in the image",
				 "mount on %s in the container: %s", path, strerror(-fd));
	return fd;
}

static int mount_new(const struct root *root, const char *path, const char *type,
		     const char *const (*options)[2], size_t count, unsigned flags,
		     struct error *err)
{
	AUTO_FD fd = open_place(root, path, err);
	struct mount_place place = {.root = root, .path = path, .fd = fd};
	int r;

	if (fd < 0)
		return fd;
	r = mount_new_attach(type, options, count, flags, &place);
	return r < 0 ? error_set(err, ERROR_SYSTEM, -r, "run it as root",
				 "mount %s on %s in the container: %s", type, path, strerror(-r))
		     : 0;
}

/* ---- /dev -------------------------------------------------------------------------------- */

static int make_names(int dir_fd)
{
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		if (mknodat(dir_fd, nodes[i], S_IFREG | 0644, 0) < 0)
			return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(dev_directories); i++)
		if (mkdirat(dir_fd, dev_directories[i], 0755) < 0)
			return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(dev_links); i++)
		if (symlinkat(dev_links[i].text, dir_fd, dev_links[i].name) < 0)
			return -errno;
	return 0;
}

static int fill_dev(int dir_fd, const void *arg, struct error *err)
{
	int r = make_names(dir_fd);

	(void)arg;
	return r < 0 ? error_errno(err, -r, "fill /dev of the container") : 0;
}

/* Bound, not made: so it can be done in a user namespace, too. */
static int bind_nodes(const struct root *root, const struct root *host, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		struct mount_source source = {.fd = -1};
		char path[32];
		AUTO_FD fd = -1;
		struct mount_place place = {.root = root, .path = path};
		int r;

		(void)snprintf(path, sizeof(path), "/dev/%s", nodes[i]);
		fd = root_openat(root, path, O_PATH | O_NOFOLLOW);
		r = fd < 0 ? fd
			   : mount_source_clone(host, path, MOUNT_FLAG_NOSUID | MOUNT_FLAG_NOEXEC,
						false, &source);
		place.fd = fd;
		if (r == 0)
			r = mount_source_attach(&source, &place);
		mount_source_close(&source);
		if (r < 0)
			return error_errno(err, -r, "give the container %s", path);
	}
	return 0;
}

static int make_dev(const struct root *root, const struct root *host, struct error *err)
{
	static const char *const pts[][2] = {
		{"ptmxmode", "0666"},
                {"mode",     "0620"}
        };
	static const char *const shm[][2] = {
		{"mode", "1777"  },
                {"size", "65536k"}
        };
	AUTO_FD fd = open_place(root, "/dev", err);
	struct mount_place place = {.root = root, .path = "/dev", .fd = fd};
	const struct mount_tmpfs tmpfs = {
		.size_kib = DEV_SIZE_KIB,
		.mode = 0755,
		.flags = MOUNT_FLAG_NOSUID,
		.fill = fill_dev,
	};
	int r = fd < 0 ? fd : mount_tmpfs_attach(&tmpfs, &place, err);

	if (r == 0)
		r = bind_nodes(root, host, err);
	if (r == 0)
		r = mount_new(root, "/dev/pts", "devpts", pts, ARRAY_SIZE(pts),
			      MOUNT_FLAG_NOSUID | MOUNT_FLAG_NOEXEC, err);
	if (r == 0)
		r = mount_new(root, "/dev/shm", "tmpfs", shm, ARRAY_SIZE(shm), QUIET, err);
	return r;
}

/* ---- what is hidden ---------------------------------------------------------------------- */

static int leave_empty(int dir_fd, const void *arg, struct error *err)
{
	(void)dir_fd;
	(void)arg;
	(void)err;
	return 0;
}

/* A file is covered by /dev/null, a directory by an empty one. */
static int mask(const struct root *root, const struct root *host, const char *path,
		struct error *err)
{
	const struct mount_tmpfs empty = {
		.size_kib = 4,
		.mode = 0755,
		.flags = MOUNT_FLAG_RDONLY | QUIET,
		.fill = leave_empty,
	};
	AUTO_FD fd = root_openat(root, path, O_PATH);
	struct mount_place place = {.root = root, .path = path, .fd = fd};
	struct mount_source source = {.fd = -1};
	struct stat st;
	int r;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, fd < 0 ? -fd : errno, "mask %s in the container", path);
	if (S_ISDIR(st.st_mode))
		return mount_tmpfs_attach(&empty, &place, err);
	r = mount_source_clone(host, "/dev/null", MOUNT_FLAG_RDONLY, false, &source);
	if (r == 0)
		r = mount_source_attach(&source, &place);
	mount_source_close(&source);
	return r < 0 ? error_errno(err, -r, "mask %s in the container", path) : 0;
}

static int make_read_only(const struct root *root, const char *path, struct error *err)
{
	AUTO_FD fd = root_openat(root, path, O_PATH);
	struct mount_place place = {.root = root, .path = path, .fd = fd};
	struct mount_source source = {.fd = -1};
	int r;

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	r = fd < 0 ? fd : mount_source_clone(root, path, MOUNT_FLAG_RDONLY, true, &source);
	if (r == 0)
		r = mount_source_attach(&source, &place);
	mount_source_close(&source);
	return r < 0 ? error_errno(err, -r, "make %s read-only in the container", path) : 0;
}

/* ---- the whole --------------------------------------------------------------------------- */

static int cover(const char *rootfs, struct error *err)
{
	AUTO_ROOT host = {.fd = -1};
	AUTO_FD fd = -1;
	struct mount_place place = {.root = &host, .path = rootfs};
	int r = root_open("/", &host, err);

	if (r < 0)
		return r;
	fd = root_openat(&host, rootfs, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return error_set(err, ERROR_BAD_BUNDLE, -fd, "correct root.path in config.json",
				 "open the root %s: %s", rootfs, strerror(-fd));
	place.fd = fd;
	r = mount_overlay_attach(VIEW_SIZE_KIB, &place, err);
	return r < 0 ? error_fix(err, r,
				 "run it as root, on a file system that overlays can be made of")
		     : 0;
}

static int make_tmp(const struct root *root, struct error *err)
{
	AUTO_FD fd = root_openat(root, "/tmp", O_PATH | O_NOFOLLOW);
	AUTO_FD parent = -1;

	if (fd != -ENOENT)
		return 0;
	parent = root_openat(root, "/", O_RDONLY | O_DIRECTORY);
	if (parent < 0 || mkdirat(parent, "tmp", 0) < 0 || fchmodat(parent, "tmp", 01777, 0) < 0)
		return error_errno(err, parent < 0 ? -parent : errno, "make /tmp in the container");
	return 0;
}

static int fill(const struct root *root, const struct try_bundle *bundle, struct error *err)
{
	AUTO_ROOT host = {.fd = -1};
	int r = root_open("/", &host, err);

	if (r == 0)
		r = mount_new(root, "/proc", "proc", NULL, 0, QUIET, err);
	if (r == 0)
		r = make_dev(root, &host, err);
	/* A user namespace without a network of its own gets none. */
	if (r == 0 && mount_new(root, "/sys", "sysfs", NULL, 0, QUIET | MOUNT_FLAG_RDONLY, err) < 0)
		log_line(LOG_LEVEL_WARNING, "left out: cannot %s", err->message);
	if (r == 0)
		r = make_tmp(root, err);
	for (size_t i = 0; r == 0 && i < bundle->masked.count; i++)
		r = mask(root, &host, bundle->masked.items[i], err);
	for (size_t i = 0; r == 0 && i < bundle->read_only.count; i++)
		r = make_read_only(root, bundle->read_only.items[i], err);
	return r;
}

int try_root_make(const char *rootfs, const struct try_bundle *bundle, struct root *ret,
		  struct error *err)
{
	int r;

	/* Nothing of what follows may show anywhere else. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_errno(err, errno, "make the mounts private");
	r = cover(rootfs, err);
	if (r == 0)
		r = root_open(rootfs, ret, err);
	return r < 0 ? r : fill(ret, bundle, err);
}

int try_root_enter(const struct root *root, bool read_only, struct error *err)
{
	/* The old root comes to lie on the new one, and is taken off it. */
	if (fchdir(root->fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return error_errno(err, errno, "enter the container's root");
	/* Not before: the plan is applied while the root can be written, as by runtimes. */
	if (read_only && mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
		return error_errno(err, errno, "make the container's root read-only");
	return 0;
}
