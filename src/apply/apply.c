// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
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

static int no_source(const struct operation *operation, const struct driver_roots *roots,
		     int errnum, struct error *err)
{
	const struct root *root = driver_root_of(roots, operation->tree);
	const char *slash = operation->source[0] == '/' ? "" : "/";

	return error_errno(err, errnum, "take %s%s%s of the host into the container",
			   string_equal(root->path, "/") ? "" : root->path, slash,
			   operation->source);
}

/* Most containers run as root, whom modes don't stop: nothing to warn of. */
static void tell_of_mode(const struct operation *operation, const struct stat *st)
{
	if (!(st->st_mode & S_IROTH))
		log_line(LOG_LEVEL_INFO,
			 "%s is for root and group %u alone: its mode is %04o (fix for another "
			 "user: docker run --group-add %u, or davit-runtime)",
			 operation->target, st->st_gid, st->st_mode & 0777, st->st_gid);
}

/* A node has to be the one that the plan speaks of: nothing else may come in under its name. */
static int check_device(const struct operation *operation, const struct mount_source *source,
			struct error *err)
{
	const struct stat *st = &source->st;

	if (S_ISCHR(st->st_mode) && st->st_rdev == makedev(operation->major, operation->minor)) {
		tell_of_mode(operation, st);
		return 0;
	}
	error_set(err, ERROR_NO_DRIVER, ENODEV, NULL,
		  "give the container %s: the host's node is %s %u:%u, the driver's is char %u:%u",
		  operation->target, S_ISCHR(st->st_mode) ? "char" : "no character device",
		  major(st->st_rdev), minor(st->st_rdev), operation->major, operation->minor);
	return error_fix(err, -ENODEV, "remove it on the host and run `davit system prepare`");
}

static int clone_source(const struct operation *operation, const struct driver_roots *roots,
			struct mount_source *ret, struct error *err)
{
	const struct root *root = driver_root_of(roots, operation->tree);
	int r = operation->source_fd >= 0
			? mount_source_clone_fd(operation->source_fd, operation->source_type, root,
						operation->source, operation->flags, ret)
			: mount_source_clone(root, operation->source, operation->flags, false, ret);

	if (r < 0)
		return no_source(operation, roots, -r, err);
	if (operation->kind == OPERATION_DEVICE)
		return check_device(operation, ret, err);
	if (operation->owner_root &&
	    (!S_ISDIR(ret->st.st_mode) || !owner_is_trusted(ret->fd, &ret->st)))
		return error_set(err, ERROR_SYSTEM, EPERM, "remove it from the host",
				 "take %s of the host into the container: it is no directory of "
				 "root's",
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
		{"driver/nvidia/gpus", &mask->bus_ids         },
		{"driver/nvidia",      &mask->capabilities    },
		{"driver/nvidia",      &mask->capability_files},
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
				return error_errno(err, -r, "take /proc/%s into the container",
						   path ? path : "driver/nvidia");
			ret->mask_count++;
		}
	return 0;
}

/* The clone of one operation's source; an optional one that can't be had is left out. */
static int clone_operation(const struct operation *operation, const struct driver_roots *roots,
			   struct mount_source *ret, bool *ret_missing, struct error *err)
{
	int r;

	if (operation->kind != OPERATION_BIND && operation->kind != OPERATION_DEVICE)
		return 0;
	r = clone_source(operation, roots, ret, err);
	if (r == 0 || operation->required)
		return r;
	*ret_missing = true;
	/* That it isn't there is nothing to speak of. */
	log_line(r == -ENOENT ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "left out: cannot %s",
		 err->message);
	return 0;
}

static int clone_sources(const struct plan *plan, const struct driver_roots *roots,
			 const struct root *container, struct arena *arena, struct sources *ret,
			 struct error *err)
{
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
			r = clone_operation(operation, roots, &ret->items[i], &ret->missing[i],
					    err);
		} else if (proc_mask_is_needed(container, operation->target)) {
			r = clone_mask(&plan->proc_mask, roots, arena, ret, err);
		} else {
			ret->missing[i] = true;
			log_line(LOG_LEVEL_INFO, "the container has no %s: nothing to mask",
				 operation->target);
		}
	}
	return r;
}

/* What one container's operations work with. */
struct applier {
	const struct plan *plan;
	const struct driver_roots *roots;
	const struct container *container;
	struct sources sources;
	struct target_dir dir;
	bool systemd_answers;
	struct arena *arena;
};

/*
 * The container has the host's socket or directory there already (its /run is the host's, say):
 * mounting it on itself would be of no use, and might show on the host.
 */
static bool is_there_already(const struct mount_source *source, int fd)
{
	struct stat ours, theirs;

	return (S_ISSOCK(source->st.st_mode) || S_ISDIR(source->st.st_mode)) && source->fd >= 0 &&
	       fstat(source->fd, &ours) == 0 && fstat(fd, &theirs) == 0 &&
	       ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

static int bind_source(struct mount_source *source, struct target *target, struct error *err)
{
	struct mount_place place = {.root = target->root, .path = target->path};
	AUTO_FD fd = S_ISDIR(source->st.st_mode) ? target_directory(target, err)
						 : target_file(target, err);
	int r;

	if (fd < 0)
		return fd;
	if (is_there_already(source, fd)) {
		log_line(LOG_LEVEL_INFO, "%s is the host's already", target->path);
		return 0;
	}
	place.fd = fd;
	r = mount_source_attach(source, &place);
	return r < 0 ? error_errno(err, -r, "mount on %s in the container", target->path) : 0;
}

/*
 * The image has a file of that name (a driver of its own): ours goes over it. It is cloned from
 * where it was bound in this container already, since the host's own mounts can't be cloned from
 * within the container's namespace, and has to be the host's file.
 */
static int cover_with_linked(const struct operation *operation, const struct driver_roots *roots,
			     struct target *target, struct error *err)
{
	struct mount_source source = {.fd = -1};
	char linked[PATH_MAX];
	struct stat st;
	int r;

	(void)snprintf(linked, sizeof(linked), "%.*s%s", (int)(target->name - target->path),
		       target->path, operation->text);
	r = root_stat(driver_root_of(roots, operation->tree), operation->source, 0, &st);
	if (r < 0)
		return no_source(operation, roots, -r, err);
	r = mount_source_clone(target->root, linked, operation->flags, false, &source);
	if (r < 0)
		return error_errno(err, -r, "clone %s in the container", linked);
	if (source.st.st_dev != st.st_dev || source.st.st_ino != st.st_ino)
		r = error_set(err, ERROR_IMAGE, ESTALE, "remove that file from the image",
			      "cover the image's own file %s: %s is not the driver's", target->path,
			      linked);
	else
		r = bind_source(&source, target, err);
	mount_source_close(&source);
	if (r == 0)
		log_line(LOG_LEVEL_INFO, "%s is a file of the image: covered", target->path);
	return r;
}

static int apply_to_target(struct applier *applier, const struct operation *operation,
			   struct mount_source *source, struct error *err)
{
	struct target target;
	int r = target_open(&applier->dir, operation->target, &target, err);

	if (r < 0)
		return r;
	switch (operation->kind) {
	case OPERATION_DEVICE:
	case OPERATION_BIND:
		return bind_source(source, &target, err);
	case OPERATION_SYMLINK:
		r = target_link(&target, operation->text, err);
		if (r == -EEXIST && operation->source)
			return cover_with_linked(operation, applier->roots, &target, err);
		return r == -EEXIST ? error_errno(err, EEXIST, "make the link %s in the container",
						  target.path)
				    : r;
	case OPERATION_FILE:
		return target_write(&target, operation->text, strlen(operation->text), err);
	case OPERATION_LOADER_CACHE:
		return loader_cache_update(&applier->plan->libraries, &target, applier->arena, err);
	default:
		return 0;
	}
}

static int apply_operation(struct applier *applier, size_t index, struct error *err)
{
	const struct operation *operation = &applier->plan->items[index];
	struct mount_source *source = &applier->sources.items[index];
	int r;

	if (operation->kind == OPERATION_DEVICE_RULE || applier->sources.missing[index])
		return 0;
	if (operation->kind == OPERATION_PROC_MASK)
		r = proc_mask_attach(&applier->plan->proc_mask, &applier->container->root,
				     operation->target, applier->sources.mask, err);
	else
		r = apply_to_target(applier, operation, source, err);
	/* One descriptor less as soon as it has done its work: some hosts allow few. */
	mount_source_close(source);
	if (r < 0 && !operation->required && !applier->dir.broken) {
		log_line(LOG_LEVEL_WARNING, "left out: cannot %s", err->message);
		return 0;
	}
	if (r == 0)
		log_line(LOG_LEVEL_DEBUG, "%s %s", operation_name(operation->kind),
			 operation->target);
	return r;
}

/* What is made in the container belongs to its root user, whoever that is on the host. */
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

/*
 * What lies in the container's root may be the host's: a mount that is shared with it, and, when
 * the hook is called again, the directory of MPS pipes, whose place in the container the image
 * chooses.
 */
static int watch_mounts(struct applier *applier, struct error *err)
{
	const struct container *container = applier->container;
	int r;

	if (container->shared) {
		/* The root itself is this container's alone; only volumes in it are meant to be
		 * shared. */
		r = mount_make_private(container->root.fd);
		if (r < 0 && r != -EINVAL)
			return error_errno(err, -r, "make the container's root a private mount");
		applier->dir.refuse_shared = true;
	}
	for (size_t i = 0; i < applier->plan->count; i++) {
		const struct operation *operation = &applier->plan->items[i];
		struct stat ours, theirs;
		AUTO_FD fd = -1;

		if (!operation->owner_root || applier->sources.missing[i] ||
		    applier->sources.items[i].fd < 0)
			continue;
		fd = root_openat(&container->root, operation->target, O_PATH | O_DIRECTORY);
		if (fd < 0 || fstat(fd, &theirs) < 0 ||
		    fstat(applier->sources.items[i].fd, &ours) < 0 ||
		    ours.st_dev != theirs.st_dev || ours.st_ino != theirs.st_ino)
			continue;
		r = mount_id_of(fd, applier->arena, &applier->dir.foreign_mount);
		if (r < 0)
			return error_errno(err, -r, "look at the mount of %s", operation->target);
		applier->dir.has_foreign = true;
	}
	return 0;
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
	log_line(LOG_LEVEL_DEBUG, "the host's files are at hand");
	if (container->mount_namespace >= 0)
		r = namespace_enter_mount(container->mount_namespace);
	if (r < 0)
		return error_errno(err, -r, "enter the container's mount namespace");
	r = act_as_owner(container, err);
	if (r == 0)
		r = watch_mounts(applier, err);
	for (size_t i = 0; r == 0 && i < applier->plan->count; i++)
		r = apply_operation(applier, i, err);
	return r;
}

int apply_plan(const struct plan *plan, const struct driver_roots *roots,
	       const struct container *container, bool cgroups, struct arena *arena,
	       struct error *err)
{
	struct applier applier = {
		.plan = plan,
		.roots = roots,
		.container = container,
		.dir = {.root = &container->root, .fd = -1, .traces = container->traces},
		.arena = arena,
	};
	int r = apply_all(&applier, cgroups, err);

	if (r == 0 && applier.systemd_answers)
		systemd_await(container);
	if (container->traces)
		traces_write(container->traces, &container->root);
	fd_close(&applier.dir.fd);
	sources_close(&applier.sources);
	return r;
}
