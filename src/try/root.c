// SPDX-License-Identifier: Apache-2.0
/* Makes the container's root, in a mount namespace that ends with its processes. */
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "davit/attach.h"
#include "parts.h"

#define VIEW_SIZE_KIB (1024u * 1024) /* the limit for changes in the root: 1 GiB of memory */
#define DEV_SIZE_KIB 65536
#define QUIET (MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV | MOUNT_FLAG_NOEXEC)

static const char *const nodes[] = {"null", "zero", "full", "random", "urandom", "tty"};
static const char *const dev_directories[] = {"pts", "shm", "mqueue"};
static const struct {
	const char *name, *text;
} dev_links[] = {
	{"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"},         {"core", "/proc/kcore"},
};

/* ---- /dev -------------------------------------------------------------------------------- */

static int add_nothing(int dir_fd, const void *arg, struct error *err)
{
	(void)dir_fd;
	(void)arg;
	(void)err;
	return 0;
}

static int cover_directory(struct attach *attach, const char *path, unsigned size_kib,
			   unsigned flags, struct error *err)
{
	const struct mount_tmpfs tmpfs = {
		.size_kib = size_kib, .mode = 0755, .flags = flags, .fill = add_nothing};
	AUTO_FD top = attach_tmpfs(attach, path, &tmpfs, err);

	return top < 0 ? top : 0;
}

/* Binds the nodes instead of creating them, which a user namespace can't do. */
static int bind_nodes(struct attach *attach, const struct root *host, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		struct mount_source source = {.fd = -1};
		char path[32];
		int r;

		(void)snprintf(path, sizeof(path), "/dev/%s", nodes[i]);
		r = mount_source_clone(host, path, MOUNT_FLAG_NOSUID | MOUNT_FLAG_NOEXEC, false,
				       &source);
		r = r < 0 ? error_errno(err, -r, "add %s to the container", path)
			  : attach_mount(attach, path, &source, err);
		mount_source_close(&source);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_names(struct attach *attach, struct error *err)
{
	char path[32];
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dev_directories); i++) {
		(void)snprintf(path, sizeof(path), "/dev/%s", dev_directories[i]);
		r = attach_directory(attach, path, 0755, err);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(dev_links); i++) {
		(void)snprintf(path, sizeof(path), "/dev/%s", dev_links[i].name);
		r = attach_link(attach, path, dev_links[i].text, err);
	}
	return r;
}

static int make_dev(struct attach *attach, const struct root *host, struct error *err)
{
	static const char *const pts[][2] = {{"ptmxmode", "0666"}, {"mode", "0620"}};
	static const char *const shm[][2] = {{"mode", "1777"}, {"size", "65536k"}};
	struct stat st;
	int r = 0;

	if (root_stat(attach->root, "/dev", AT_SYMLINK_NOFOLLOW, &st) == -ENOENT)
		r = attach_directory(attach, "/dev", 0755, err);
	if (r == 0)
		r = cover_directory(attach, "/dev", DEV_SIZE_KIB, MOUNT_FLAG_NOSUID, err);
	if (r == 0)
		r = bind_nodes(attach, host, err);
	if (r == 0)
		r = make_names(attach, err);
	if (r == 0)
		r = attach_new(attach, "/dev/pts", "devpts", pts, ARRAY_SIZE(pts),
			       MOUNT_FLAG_NOSUID | MOUNT_FLAG_NOEXEC, err);
	if (r == 0)
		r = attach_new(attach, "/dev/shm", "tmpfs", shm, ARRAY_SIZE(shm), QUIET, err);
	return r;
}

/* ---- what is hidden ---------------------------------------------------------------------- */

/* A file is covered by /dev/null, a directory by an empty one. */
static int mask(struct attach *attach, const struct root *host, const char *path, struct error *err)
{
	struct mount_source source = {.fd = -1};
	struct stat st;
	int r = root_stat(attach->root, path, 0, &st);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r < 0)
		return error_errno(err, -r, "mask %s in the container", path);
	if (S_ISDIR(st.st_mode))
		return cover_directory(attach, path, 4, MOUNT_FLAG_RDONLY | QUIET, err);
	r = mount_source_clone(host, "/dev/null", MOUNT_FLAG_RDONLY, false, &source);
	r = r < 0 ? error_errno(err, -r, "mask %s in the container", path)
		  : attach_mount_over(attach, path, &source, err);
	mount_source_close(&source);
	return r;
}

static int make_read_only(struct attach *attach, const char *path, struct error *err)
{
	struct mount_source source = {.fd = -1};
	int r = mount_source_clone(attach->root, path, MOUNT_FLAG_RDONLY, true, &source);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	r = r < 0 ? error_errno(err, -r, "make %s read-only in the container", path)
		  : attach_mount_over(attach, path, &source, err);
	mount_source_close(&source);
	return r;
}

/* ---- the whole --------------------------------------------------------------------------- */

static int make_tmp(struct attach *attach, struct error *err)
{
	struct stat st;

	if (root_stat(attach->root, "/tmp", AT_SYMLINK_NOFOLLOW, &st) != -ENOENT)
		return 0;
	return attach_directory(attach, "/tmp", 01777, err);
}

static int fill(struct attach *attach, const struct try_bundle *bundle, struct error *err)
{
	AUTO_ROOT host = {.fd = -1};
	int r = root_open("/", &host, err);

	if (r == 0)
		r = attach_new(attach, "/proc", "proc", NULL, 0, QUIET, err);
	if (r == 0)
		r = make_dev(attach, &host, err);
	/* A user namespace without its own network namespace can't mount sysfs. */
	if (r == 0 &&
	    attach_new(attach, "/sys", "sysfs", NULL, 0, QUIET | MOUNT_FLAG_RDONLY, err) < 0)
		log_line(LOG_LEVEL_WARNING, "skipped: cannot %s", err->message);
	if (r == 0)
		r = make_tmp(attach, err);
	for (size_t i = 0; r == 0 && i < bundle->masked.count; i++)
		r = mask(attach, &host, bundle->masked.items[i], err);
	for (size_t i = 0; r == 0 && i < bundle->read_only.count; i++)
		r = make_read_only(attach, bundle->read_only.items[i], err);
	return r;
}

int try_root_make(const char *rootfs, const struct try_bundle *bundle, struct root *ret,
		  struct error *err)
{
	static struct attach attach = ATTACH_INIT;
	AUTO_ARENA arena = {0};
	int r;

	/* The following mounts must not propagate. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return error_errno(err, errno, "make the mounts private");
	r = attach_scratch_root(rootfs, VIEW_SIZE_KIB, err);
	if (r < 0)
		return error_fix(err, r, "run it as root, on a file system that supports overlays");
	r = root_open(rootfs, ret, err);
	if (r == 0)
		r = attach_begin(&attach, ret, NULL, &arena, err);
	if (r == 0)
		r = fill(&attach, bundle, err);
	attach_end(&attach);
	return r;
}

int try_root_enter(const struct root *root, bool read_only, struct error *err)
{
	/* pivot_root stacks the old root on the new one. Unmount it. */
	if (fchdir(root->fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return error_errno(err, errno, "enter the container's root");
	/* Only now, because the plan is applied while the root is writable, as in runtimes. */
	if (read_only && mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
		return error_errno(err, errno, "make the container's root read-only");
	return 0;
}
