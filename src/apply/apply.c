// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "steps.h"

/* The clones that a plan's operations need, made before the container's namespace is entered. */
struct sources {
	struct mount_source *items; /* one per operation, fd -1 where it has none */
	bool *missing;              /* one per operation: it is optional and can't be had */
	size_t count;
	struct mount_source *mask; /* bus_ids, then capabilities of the mask */
	size_t mask_count;
};

static void sources_close(struct sources *sources)
{
	for (size_t i = 0; i < sources->count; i++)
		mount_source_close(&sources->items[i]);
	for (size_t i = 0; i < sources->mask_count; i++)
		mount_source_close(&sources->mask[i]);
}

static int source_missing(const struct operation *operation, const struct driver_roots *roots,
			  int errnum, struct error *err)
{
	const struct root *root = driver_root_of(roots, operation->tree);
	const char *slash = operation->source[0] == '/' ? "" : "/";

	return error_errno(err, errnum, "mount the host's %s%s%s in the container",
			   string_equal(root->path, "/") ? "" : root->path, slash,
			   operation->source);
}

/* Most containers run as root, which file modes don't restrict, so no warning is needed. */
static void log_group_only(const struct operation *operation, const struct stat *st)
{
	if (!(st->st_mode & S_IROTH))
		log_line(
			LOG_LEVEL_INFO,
			"%s is accessible only to root and group %u: its mode is %04o (fix: for another user, use docker run --group-add %u, or davit-runtime)",
			operation->target, st->st_gid, st->st_mode & 0777, st->st_gid);
}

/* A node has to be the one that the plan speaks of: nothing else may come in under its name. */
static int check_device(const struct operation *operation, const struct mount_source *source,
			struct error *err)
{
	const struct stat *st = &source->st;

	if ((operation->block ? S_ISBLK(st->st_mode) : S_ISCHR(st->st_mode)) &&
	    st->st_rdev == makedev(operation->major, operation->minor)) {
		log_group_only(operation, st);
		return 0;
	}
	error_set(
		err, ERROR_NO_DRIVER, ENODEV, NULL,
		"add %s to the container: the host's node is %s %u:%u, but the driver's is char %u:%u",
		operation->target, S_ISCHR(st->st_mode) ? "char" : "not a character device",
		major(st->st_rdev), minor(st->st_rdev), operation->major, operation->minor);
	return error_fix(err, -ENODEV,
			 "remove that node from the host and run `davit system prepare`");
}

static int clone_source(const struct operation *operation, const struct driver_roots *roots,
			struct mount_directory *near, struct mount_source *ret, struct error *err)
{
	const struct root *root = driver_root_of(roots, operation->tree);
	int r;

	if (operation->source_fd >= 0)
		r = mount_source_clone_fd(operation->source_fd, operation->source_type, root,
					  operation->source, operation->flags, ret);
	else if (operation->flags & MOUNT_FLAG_RECURSIVE)
		r = mount_source_clone(root, operation->source, operation->flags, true, ret);
	else
		r = mount_source_clone_near(near, root, operation->source, operation->flags, ret);
	if (r < 0)
		return source_missing(operation, roots, -r, err);
	if (operation->kind == OPERATION_DEVICE)
		return check_device(operation, ret, err);
	if (operation->owner_root &&
	    (!S_ISDIR(ret->st.st_mode) || !owner_is_trusted(ret->fd, &ret->st)))
		return error_set(
			err, ERROR_SYSTEM, EPERM,
			"make that directory owned by root, or remove it from the host",
			"mount the host's %s in the container: it is not a root-owned directory",
			operation->source);
	return 0;
}

static int clone_mask(const struct proc_mask *mask, const struct driver_roots *roots,
		      struct arena *arena, struct sources *ret, struct error *err)
{
	const unsigned flags =
		MOUNT_FLAG_RDONLY | MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV | MOUNT_FLAG_NOEXEC;
	/* In the order in which proc_mask_attach puts them. */
	const struct {
		const char *below;
		const struct strings *names;
	} parts[] = {
		{"driver/nvidia/gpus", &mask->bus_ids},
		{"driver/nvidia", &mask->capabilities},
		{"driver/nvidia", &mask->capability_files},
	};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		count += parts[i].names->count;
	ret->mask = arena_alloc(arena, (count + 1) * sizeof(*ret->mask));
	if (!ret->mask)
		return error_memory(err);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		for (size_t j = 0; j < parts[i].names->count; j++) {
			const char *path = arena_printf(arena, "%s/%s", parts[i].below,
							parts[i].names->items[j]);
			int r = path ? mount_source_clone(&roots->proc, path, flags, false,
							  &ret->mask[ret->mask_count])
				     : -ENOMEM;

			if (r < 0)
				return error_errno(err, -r,
						   "mount the host's /proc/%s in the container",
						   path ? path : "driver/nvidia");
			ret->mask_count++;
		}
	return 0;
}

/* Clones one operation's source. An optional operation without its source is skipped. */
static int clone_operation(const struct operation *operation, const struct driver_roots *roots,
			   struct mount_directory *near, struct mount_source *ret,
			   bool *ret_missing, struct error *err)
{
	int r;

	if (operation->kind != OPERATION_BIND && operation->kind != OPERATION_DEVICE)
		return 0;
	r = clone_source(operation, roots, near, ret, err);
	if (r == 0 || operation->required)
		return r;
	*ret_missing = true;
	/* A missing optional source isn't worth a warning. */
	log_line(r == -ENOENT ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "skipped: cannot %s",
		 err->message);
	return 0;
}

static int clone_sources(const struct plan *plan, const struct driver_roots *roots,
			 const struct root *container, struct arena *arena, struct sources *ret,
			 struct error *err)
{
	struct mount_directory near = {.fd = -1};
	int r = 0;

	ret->items = arena_alloc(arena, (plan->count + 1) * sizeof(*ret->items));
	ret->missing = arena_alloc(arena, (plan->count + 1) * sizeof(*ret->missing));
	if (!ret->items || !ret->missing) {
		error_memory(err);
		return -ENOMEM;
	}
	for (size_t i = 0; r == 0 && i < plan->count; i++) {
		const struct operation *operation = &plan->items[i];

		ret->items[ret->count++].fd = -1;
		if (operation->kind != OPERATION_PROC_MASK) {
			r = clone_operation(operation, roots, &near, &ret->items[i],
					    &ret->missing[i], err);
		} else if (proc_mask_is_needed(container, operation->target)) {
			r = clone_mask(&plan->proc_mask, roots, arena, ret, err);
		} else {
			ret->missing[i] = true;
			log_line(LOG_LEVEL_INFO,
				 "the container has no %s, so there is nothing to mask",
				 operation->target);
		}
	}
	fd_close(&near.fd);
	return r;
}

/* What one container's operations work with. */
struct applier {
	const struct plan *plan;
	const struct driver_roots *roots;
	const struct container *container;
	struct sources sources;
	struct attach attach;
	bool systemd_answers;
	struct arena *arena;
};

/*
 * The image has a file of that name (its own driver), so the host's file is mounted on it. It is
 * cloned from its existing mount in this container, because the host's mounts can't be cloned in
 * the container's namespace, and it must be the host's file.
 */
static int cover_with_linked(struct applier *applier, const struct operation *operation,
			     struct error *err)
{
	struct mount_source source = {.fd = -1};
	const char *target = operation->target;
	char linked[PATH_MAX];
	struct stat st;
	int r;

	(void)snprintf(linked, sizeof(linked), "%.*s%s",
		       operation->text[0] == '/' ? 0 : (int)(strrchr(target, '/') + 1 - target),
		       target, operation->text);
	r = root_stat(driver_root_of(applier->roots, operation->tree), operation->source, 0, &st);
	if (r < 0)
		return source_missing(operation, applier->roots, -r, err);
	r = mount_source_clone(&applier->container->root, linked, operation->flags, false, &source);
	if (r < 0)
		return error_errno(err, -r, "read %s in the container", linked);
	if (source.st.st_dev != st.st_dev || source.st.st_ino != st.st_ino)
		r = error_set(err, ERROR_IMAGE, ESTALE, "remove that file from the image",
			      "replace the image's file %s: %s is not a driver library", target,
			      linked);
	else
		r = attach_mount(&applier->attach, target, &source, err);
	mount_source_close(&source);
	if (r == 0)
		log_line(LOG_LEVEL_INFO, "covered the image's file %s", target);
	return r;
}

static int make_link(struct applier *applier, const struct operation *operation, struct error *err)
{
	int r = attach_link(&applier->attach, operation->target, operation->text, err);

	if (r == -EEXIST && operation->source)
		return cover_with_linked(applier, operation, err);
	if (r == -EEXIST && operation->replaces)
		r = attach_link_over_file(&applier->attach, operation->target, operation->text,
					  err);
	return r == -EEXIST ? error_errno(err, EEXIST, "create the link %s in the container",
					  operation->target)
			    : r;
}

static int apply_one(struct applier *applier, size_t index, struct error *err)
{
	const struct plan *plan = applier->plan;
	const struct operation *operation = &plan->items[index];
	struct attach *attach = &applier->attach;

	switch (operation->kind) {
	case OPERATION_DEVICE:
	case OPERATION_BIND:
		return attach_mount(attach, operation->target, &applier->sources.items[index], err);
	case OPERATION_SYMLINK:
		return make_link(applier, operation, err);
	case OPERATION_FILE:
		return attach_file(attach, operation->target, operation->text,
				   strlen(operation->text), err);
	case OPERATION_LOADER_CACHE:
		return loader_cache_update(&plan->libraries, attach, operation->target, err);
	case OPERATION_PROC_MASK:
		return proc_mask_attach(&plan->proc_mask, attach, operation->target,
					applier->sources.mask, err);
	default:
		return 0;
	}
}

static int apply_operation(struct applier *applier, size_t index, struct error *err)
{
	const struct operation *operation = &applier->plan->items[index];
	int r;

	if (operation->kind == OPERATION_DEVICE_RULE || applier->sources.missing[index])
		return 0;
	r = apply_one(applier, index, err);
	/* One descriptor less as soon as it has done its work: some hosts allow few. */
	mount_source_close(&applier->sources.items[index]);
	if (r < 0 && !operation->required && !applier->attach.broken) {
		log_line(LOG_LEVEL_WARNING, "skipped: cannot %s", err->message);
		return 0;
	}
	if (r == 0)
		log_line(LOG_LEVEL_DEBUG, "%s %s", operation_name(operation->kind),
			 operation->target);
	return r;
}

/* Created files belong to the container's root user, whose id on the host may be any. */
static int act_as_owner(const struct container *container, struct error *err)
{
	int r;

	if (container->uid == geteuid() && container->gid == getegid())
		return 0;
	r = files_owned_by(container->uid, container->gid);
	if (r < 0)
		return error_errno(err, -r, "create files as user %u", container->uid);
	/* Changing the file system ids away from root's took the file capabilities. */
	return privilege_set(PRIVILEGE_MOUNT, err);
}

static void record_file(void *created, int dir_fd, const char *name, const char *path)
{
	created_files_add(created, dir_fd, name, path);
}

/* In the container's mount namespace. */
static int attach_all(struct applier *applier, struct error *err)
{
	const struct container *container = applier->container;
	struct attach *attach = &applier->attach;
	int r = attach_begin(attach, &container->root, container->mounts, applier->arena, err);

	if (container->created) {
		attach->made = record_file;
		attach->made_arg = container->created;
	}
	for (size_t i = 0; r == 0 && i < applier->plan->count; i++)
		r = apply_operation(applier, i, err);
	return r < 0 ? r : attach_seal(attach, err);
}

static int allow_devices(struct applier *applier, struct error *err)
{
	int r;

	applier->systemd_answers = systemd_ask(applier->plan, applier->container, applier->arena);
	r = privilege_set(PRIVILEGE_BPF, err);
	if (r == 0)
		r = cgroup_allow_devices(applier->plan, applier->container->pid, applier->arena,
					 err);
	if (r == 0)
		log_line(LOG_LEVEL_DEBUG, "device rules are set");
	return r;
}

static int apply_all(struct applier *applier, bool cgroups, struct error *err)
{
	const struct container *container = applier->container;
	int r = cgroups ? allow_devices(applier, err) : 0;

	if (r == 0)
		r = privilege_set(PRIVILEGE_MOUNT, err);
	if (r == 0)
		r = clone_sources(applier->plan, applier->roots, &container->root, applier->arena,
				  &applier->sources, err);
	if (r != 0)
		return r;
	log_line(LOG_LEVEL_DEBUG, "opened the host's files");
	if (container->mount_namespace >= 0)
		r = namespace_enter_mount(container->mount_namespace);
	if (r < 0)
		return error_errno(err, -r, "enter the container's mount namespace");
	r = act_as_owner(container, err);
	return r < 0 ? r : attach_all(applier, err);
}

int apply_plan(const struct plan *plan, const struct driver_roots *roots,
	       const struct container *container, bool cgroups, struct arena *arena,
	       struct error *err)
{
	struct applier applier = {
		.plan = plan,
		.roots = roots,
		.container = container,
		.attach = ATTACH_INIT,
		.arena = arena,
	};
	int r = apply_all(&applier, cgroups, err);

	if (r == 0 && applier.systemd_answers)
		systemd_await(container);
	if (container->created)
		created_files_write(container->created, &container->root);
	attach_end(&applier.attach);
	sources_close(&applier.sources);
	return r;
}
