// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "davit/runtime.h"

struct divider {
	const struct pipeline *pipeline;
	struct arena *arena;
	bool root_is_read_only;
	struct spec_edits *edits;
	struct plan *rest;
};

static int no_source(const struct divider *d, const struct operation *operation, int errnum,
		     struct error *err)
{
	const struct root *root = driver_root_of(&d->pipeline->roots, operation->tree);

	return error_errno(err, errnum, "take %s of the host (in %s) into the container",
			   operation->source, root->path);
}

static int add_rule(struct divider *d, const struct operation *operation, struct error *err)
{
	struct spec_device *rule;

	if (!d->pipeline->config->cgroups)
		return 0;
	rule = ARENA_PUSH(d->arena, &d->edits->rules);
	if (!rule)
		return error_memory(err);
	rule->major = operation->major;
	rule->minor = operation->minor;
	return 0;
}

static int add_device(struct divider *d, const struct operation *operation, struct error *err)
{
	const struct root *root = driver_root_of(&d->pipeline->roots, operation->tree);
	struct spec_device *device;
	struct stat st;
	int r = root_stat(root, operation->source, 0, &st);

	if (r < 0)
		return no_source(d, operation, -r, err);
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(operation->major, operation->minor))
		return error_set(err, ERROR_NO_DRIVER, ENODEV,
				 "remove it on the host and run `davit system prepare`",
				 "give the container %s: the host's node is not the driver's "
				 "char %u:%u",
				 operation->target, operation->major, operation->minor);
	device = ARENA_PUSH(d->arena, &d->edits->devices);
	if (!device)
		return error_memory(err);
	*device = (struct spec_device){
		.path = operation->target,
		.major = operation->major,
		.minor = operation->minor,
		.mode = st.st_mode & 0777,
		.uid = st.st_uid,
		.gid = st.st_gid,
	};
	return 0;
}

/*
 * Where the runtime may not be able to make the file to mount on: the hook knows how to. That is
 * a root on a read-only file system, or a directory that an engine mounts from somewhere else.
 */
static bool is_for_hook(const struct divider *d, const struct operation *operation)
{
	const struct oci_mounts *mounts = &d->pipeline->spec.mounts;

	for (size_t i = 0; i < mounts->count; i++) {
		const struct oci_mount *mount = &mounts->items[i];
		size_t length = strlen(mount->destination);

		if (length > 1 && mount->source[0] == '/' &&
		    string_starts(operation->target, mount->destination) &&
		    (operation->target[length] == '/' || mount->destination[length - 1] == '/'))
			return true;
	}
	return d->root_is_read_only;
}

static int add_mount(struct divider *d, const struct operation *operation, struct error *err)
{
	const struct root *root = driver_root_of(&d->pipeline->roots, operation->tree);
	int flags = O_PATH | (operation->flags & MOUNT_FLAG_NOFOLLOW ? O_NOFOLLOW : 0);
	AUTO_FD fd = -1;
	struct spec_mount *mount;
	const char *source;
	struct stat st;

	if (operation->source_fd < 0) {
		fd = root_openat(root, operation->source, flags);
		if (fd < 0)
			return no_source(d, operation, -fd, err);
		if (fstat(fd, &st) < 0)
			return no_source(d, operation, errno, err);
		if (operation->owner_root && (!S_ISDIR(st.st_mode) || !owner_is_trusted(fd, &st)))
			return no_source(d, operation, EPERM, err);
	}
	source = fd_path(fd >= 0 ? fd : operation->source_fd, d->arena);
	mount = ARENA_PUSH(d->arena, &d->edits->mounts);
	if (!source || !mount)
		return error_memory(err);
	*mount = (struct spec_mount){source, operation->target, operation->flags};
	return 0;
}

static int leave(struct divider *d, const struct operation *operation, struct error *err)
{
	struct operation *copy = ARENA_PUSH(d->arena, d->rest);

	if (!copy)
		return error_memory(err);
	*copy = *operation;
	return 0;
}

static int divide(struct divider *d, const struct operation *operation, struct error *err)
{
	switch (operation->kind) {
	case OPERATION_DEVICE_RULE:
		return add_rule(d, operation, err);
	case OPERATION_DEVICE:
		return add_device(d, operation, err);
	case OPERATION_BIND:
		if (!is_for_hook(d, operation))
			return add_mount(d, operation, err);
		return leave(d, operation, err);
	default:
		return leave(d, operation, err);
	}
}

int spec_divide(const struct pipeline *pipeline, const struct root *root, struct arena *arena,
		struct spec_edits *ret, struct plan *ret_rest, struct error *err)
{
	const struct plan *plan = &pipeline->plan;
	struct divider d = {.pipeline = pipeline, .arena = arena, .edits = ret, .rest = ret_rest};
	struct statvfs fs;

	d.root_is_read_only = fstatvfs(root->fd, &fs) == 0 && fs.f_flag & ST_RDONLY;
	*ret_rest = (struct plan){.proc_mask = plan->proc_mask, .libraries = plan->libraries};
	for (size_t i = 0; i < plan->count; i++) {
		const struct operation *operation = &plan->items[i];
		int r = divide(&d, operation, err);

		if (r == -ENOMEM || (r < 0 && operation->required))
			return r;
		if (r < 0)
			log_line(LOG_LEVEL_INFO, "left out: cannot %s", err->message);
	}
	return spec_find_stubs(root, &ret->mounts, arena, &ret_rest->stubs) < 0 ? error_memory(err)
										: 0;
}
