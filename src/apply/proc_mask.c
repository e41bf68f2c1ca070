// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "steps.h"

#define MASK_SIZE_KIB 1024

static int put_text(int dir_fd, const char *name, const char *text, struct error *err)
{
	AUTO_FD fd = -1;
	int r;

	if (!text)
		return 0;
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
	r = fd < 0 ? -errno : file_write(fd, text, strlen(text));
	return r < 0 ? error_errno(err, -r, "write %s of the mask", name) : 0;
}

/* "gpu0/mig/gi1": each directory on the way. */
static int make_path(int dir_fd, const char *path, struct error *err)
{
	char prefix[PATH_MAX];
	size_t length = strlen(path);

	if (length >= sizeof(prefix))
		return error_errno(err, ENAMETOOLONG, "make %s of the mask", path);
	memcpy(prefix, path, length + 1);
	for (size_t end = 1; end <= length; end++) {
		char saved = prefix[end];

		if (saved != '/' && saved != '\0')
			continue;
		prefix[end] = '\0';
		if (mkdirat(dir_fd, prefix, 0555) < 0 && errno != EEXIST)
			return error_errno(err, errno, "make %s of the mask", prefix);
		prefix[end] = saved;
	}
	return 0;
}

/* An empty file for one of the host to be bound on. */
static int make_file(int dir_fd, const char *path, struct error *err)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int r;

	(void)snprintf(parent, sizeof(parent), "%.*s", slash ? (int)(slash - path) : 0, path);
	r = slash ? make_path(dir_fd, parent, err) : 0;
	return r < 0 ? r : put_text(dir_fd, path, "", err);
}

static int fill_mask(int dir_fd, const void *arg, struct error *err)
{
	const struct proc_mask *mask = arg;
	char path[PATH_MAX];
	int r = put_text(dir_fd, "version", mask->version, err);

	if (r == 0)
		r = put_text(dir_fd, "params", mask->params, err);
	if (r == 0)
		r = put_text(dir_fd, "registry", mask->registry, err);
	for (size_t i = 0; r == 0 && i < mask->bus_ids.count; i++) {
		(void)snprintf(path, sizeof(path), "gpus/%s", mask->bus_ids.items[i]);
		r = make_path(dir_fd, path, err);
	}
	for (size_t i = 0; r == 0 && i < mask->capabilities.count; i++)
		r = make_path(dir_fd, mask->capabilities.items[i], err);
	for (size_t i = 0; r == 0 && i < mask->capability_files.count; i++)
		r = make_file(dir_fd, mask->capability_files.items[i], err);
	return r;
}

bool proc_mask_is_needed(const struct root *root, const char *path)
{
	AUTO_FD proc = root_openat(root, "/proc", O_PATH | O_DIRECTORY);
	AUTO_FD fd = -1;
	struct statfs fs;

	/* What an image has at /proc itself is its own affair. */
	if (proc < 0 || fstatfs(proc, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC)
		return false;
	fd = root_openat(root, path, O_PATH | O_DIRECTORY);
	return fd != -ENOENT;
}

int proc_mask_attach(const struct proc_mask *mask, struct attach *attach, const char *path,
		     struct mount_source *sources, struct error *err)
{
	const struct mount_tmpfs tmpfs = {
		.size_kib = MASK_SIZE_KIB,
		.mode = 0555,
		.flags = MOUNT_FLAG_RDONLY | MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV |
			 MOUNT_FLAG_NOEXEC,
		.fill = fill_mask,
		.arg = mask,
	};
	char name[NAME_MAX];
	AUTO_FD top = attach_tmpfs(attach, path, &tmpfs, err);
	int r = top < 0 ? top : 0;

	/* It is the host's own, or one that the container's owner has chosen: as it is. */
	if (r == -EXDEV) {
		log_line(LOG_LEVEL_WARNING, "%s stays as it is: cannot %s", path, err->message);
		return 0;
	}
	if (r == -ENOENT)
		return error_errno(err, ENOENT, "open %s in the container", path);
	for (size_t i = 0; r == 0 && i < mask->bus_ids.count; i++) {
		(void)snprintf(name, sizeof(name), "gpus/%s", mask->bus_ids.items[i]);
		r = attach_beneath(top, path, name, sources++, err);
	}
	for (size_t i = 0; r == 0 && i < mask->capabilities.count; i++)
		r = attach_beneath(top, path, mask->capabilities.items[i], sources++, err);
	for (size_t i = 0; r == 0 && i < mask->capability_files.count; i++)
		r = attach_beneath(top, path, mask->capability_files.items[i], sources++, err);
	return r;
}
