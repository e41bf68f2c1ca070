// SPDX-License-Identifier: Apache-2.0
/* Whole files in a container: written, or covered by one of ours. */
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include "target.h"

#define ONE_WRITE_MAX 1024 /* a few lines */

struct content {
	const void *data;
	size_t length;
};

static int make_content(int dir_fd, const char *name, const void *arg)
{
	const struct content *content = arg;
	AUTO_FD fd =
		openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	int r;

	if (fd < 0)
		return -errno;
	r = file_write(fd, content->data, content->length);
	if (r < 0)
		(void)unlinkat(dir_fd, name, 0);
	return r;
}

/* Creates a file in the directory, mounts it on the place, and removes its name at once. */
static int cover_from(struct attach *attach, const char *directory, const struct place *place,
		      const struct content *content)
{
	AUTO_ROOT scratch = {.fd = root_openat(attach->root, directory, O_PATH | O_DIRECTORY),
			     .path = directory};
	const struct mount_place on = {.root = attach->root, .path = place->path, .fd = place->fd};
	struct mount_source source = {.fd = -1};
	char temporary[NAME_MAX + 1];
	struct error ignored = {0};
	struct place where;
	int r = scratch.fd < 0 ? scratch.fd
			       : place_inspect(attach, scratch.fd, directory, &where, &ignored);

	if (r == 0 && where.kind != PLACE_OWN)
		r = -EXDEV;
	if (r == 0)
		r = temporary_make(scratch.fd, temporary, make_content, content);
	if (r < 0)
		return r;
	/* Read-only: what the container writes there would not reach what it believes to write. */
	r = mount_source_clone(&scratch, temporary,
			       MOUNT_FLAG_RDONLY | MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV, false,
			       &source);
	if (r == 0)
		r = mount_source_attach(&source, &on);
	mount_source_close(&source);
	(void)unlinkat(scratch.fd, temporary, 0);
	return r;
}

/* A file that isn't the container's to write, or is a mount point: covered by one of ours. */
static int cover_file(struct attach *attach, const struct place *place,
		      const struct content *content, struct error *err)
{
	/* Directories of the container's own root that images and engines hardly use. */
	static const char *const directories[] = {"/", "/dev", "/run", "/tmp"};
	int r = -EXDEV;

	if (place->kind == PLACE_SHARED)
		return place_refuse(place, place->path, err);
	for (size_t i = 0; r < 0 && i < ARRAY_SIZE(directories); i++)
		r = cover_from(attach, directories[i], place, content);
	return r < 0 ? error_errno(err, -r, "cover %s in the container with a private file",
				   place->path)
		     : 0;
}

/* Replaces anything at the target in one step. */
static int replace(const struct target *target, const struct content *content)
{
	int dir_fd = target->attach->dir_fd;
	char temporary[NAME_MAX + 1];
	struct stat st;
	bool made;
	int r = temporary_make(dir_fd, temporary, make_content, content);

	if (r < 0)
		return r;
	made = target->attach->made && fstatat(dir_fd, target->name, &st, AT_SYMLINK_NOFOLLOW) < 0;
	r = temporary_rename(target, temporary);
	if (r == 0 && made)
		target_report_made(target);
	return r;
}

/*
 * Creates a short file directly if the target doesn't exist, which takes half the system calls. A
 * fatal signal could interrupt a longer write, and a root that outlives the container would keep
 * the partial file. A longer file is therefore always written under a temporary name.
 */
static int try_write(const struct target *target, const void *arg)
{
	const struct content *content = arg;
	int r = content->length > ONE_WRITE_MAX
			? -EEXIST
			: make_content(target->attach->dir_fd, target->name, content);

	if (r == 0)
		target_report_made(target);
	return r == -EEXIST ? replace(target, content) : r;
}

/* Whether the target is a file to be covered. It is only inspected if that is likely. */
static int cover_target(struct target *target, const struct content *content, bool *ret_covered,
			struct error *err)
{
	AUTO_FD fd = target_open(target);
	struct place place;
	int r;

	*ret_covered = false;
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return target_error(target, -fd, "open", err);
	r = place_inspect(target->attach, fd, target->path, &place, err);
	if (r < 0 || !S_ISREG(place.st.st_mode))
		return r;
	*ret_covered = true;
	return cover_file(target->attach, &place, content, err);
}

int attach_file(struct attach *attach, const char *path, const void *data, size_t length,
		struct error *err)
{
	const struct content content = {data, length};
	struct target target;
	bool covered = false;
	int r = target_reach(attach, path, &target, err);

	if (r == 0 && attach->dir.kind != PLACE_OWN)
		r = cover_target(&target, &content, &covered, err);
	if (r < 0 || covered)
		return r;
	r = target_try(&target, try_write, &content, "write the file", err);
	/* A mount point: what it leads to isn't the image's. */
	if (r == -EBUSY)
		r = cover_target(&target, &content, &covered, err);
	if (r == 0 && !covered)
		return 0;
	return r == -EEXIST ? target_error(&target, EEXIST, "write the file", err) : r;
}
