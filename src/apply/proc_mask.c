// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "steps.h"

#define MASK_SIZE_KIB 1024

static int fill_mask(int dir_fd, const void *arg, struct error *err)
{
	const struct proc_mask *mask = arg;
	char path[PATH_MAX];
	int r = fill_file(dir_fd, "version", mask->version, err);

	if (r == 0)
		r = fill_file(dir_fd, "params", mask->params, err);
	if (r == 0)
		r = fill_file(dir_fd, "registry", mask->registry, err);
	for (size_t i = 0; r == 0 && i < mask->bus_ids.count; i++) {
		(void)snprintf(path, sizeof(path), "gpus/%s", mask->bus_ids.items[i]);
		r = fill_directory(dir_fd, path, err);
	}
	for (size_t i = 0; r == 0 && i < mask->capabilities.count; i++)
		r = fill_directory(dir_fd, mask->capabilities.items[i], err);
	for (size_t i = 0; r == 0 && i < mask->capability_files.count; i++)
		r = fill_file(dir_fd, mask->capability_files.items[i], "", err);
	return r;
}

bool proc_mask_is_needed(const struct root *root, const char *path)
{
	AUTO_FD proc = root_openat(root, "/proc", O_PATH | O_DIRECTORY);
	AUTO_FD fd = -1;
	struct statfs fs;

	/* An image's own files at /proc don't matter. */
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

	/* /proc is the host's, or a volume from the container's owner, and isn't changed. */
	if (r == -EXDEV) {
		log_line(LOG_LEVEL_WARNING, "%s is not masked: cannot %s", path, err->message);
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
