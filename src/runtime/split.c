// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include "davit/runtime.h"

struct splitter {
	const struct pipeline *pipeline;
	struct image_volumes *volumes;
	const struct oci_mounts *mounts; /* config.json's, and those that CDI specs add to it */
	struct arena *arena;
	bool root_is_read_only;
	bool mounts_in_spec;
	struct spec_edits *edits;
	struct plan *rest;
};

static int source_unusable(const struct splitter *d, const struct operation *operation, int errnum,
			   struct error *err)
{
	const struct root *root = driver_root_of(&d->pipeline->roots, operation->tree);

	return error_errno(err, errnum, "mount the host's %s (in %s) in the container",
			   operation->source, root->path);
}

static int add_rule(struct splitter *d, const struct operation *operation, struct error *err)
{
	struct spec_device *rule;

	if (!d->pipeline->config->cgroups)
		return 0;
	rule = ARENA_PUSH(d->arena, &d->edits->rules);
	if (!rule)
		return error_memory(err);
	rule->major = operation->major;
	rule->minor = operation->minor;
	rule->type = operation->block ? 'b' : 'c';
	rule->access = operation->access;
	return 0;
}

/*
 * Adds a CDI spec's node as the engines do: with the spec's mode and owner, or the runtime's
 * default mode and the container's user. A node that the hook binds has the host's mode and owner.
 */
static int add_spec_node(struct splitter *d, const struct operation *operation, bool by_hook,
			 struct error *err)
{
	const struct cdi_node *node = operation->node;
	const struct oci_user *user = &d->pipeline->spec.user;
	struct spec_device *device;

	if (by_hook && !node->on_host)
		return error_set(err, ERROR_BAD_REQUEST, EXDEV,
				 "mount another volume there, or create the node on the host",
				 "apply %.100s: the node %.100s would have to be created in a "
				 "volume or a read-only directory",
				 node->because, node->path);
	device = ARENA_PUSH(d->arena, &d->edits->devices);
	if (!device)
		return error_memory(err);
	*device = (struct spec_device){
		.path = operation->target,
		.type = node->type,
		.major = operation->major,
		.minor = operation->minor,
		.no_mode = node->mode == CDI_NODE_UNSAID,
		.mode = node->mode == CDI_NODE_UNSAID ? 0 : (unsigned)node->mode & 0777,
		.uid = node->uid == CDI_NODE_UNSAID ? user->uid : (uint32_t)node->uid,
		.gid = node->gid == CDI_NODE_UNSAID ? user->gid : (uint32_t)node->gid,
		.by_hook = by_hook,
	};
	return 0;
}

static int add_device(struct splitter *d, const struct operation *operation, bool by_hook,
		      struct error *err)
{
	const struct root *root = driver_root_of(&d->pipeline->roots, operation->tree);
	struct spec_device *device;
	struct stat st;
	int r;

	if (operation->node)
		return add_spec_node(d, operation, by_hook, err);
	r = root_stat(root, operation->source, 0, &st);
	if (r < 0)
		return source_unusable(d, operation, -r, err);
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(operation->major, operation->minor))
		return error_set(
			err, ERROR_NO_DRIVER, ENODEV,
			"remove that node from the host and run `davit system prepare`",
			"add %s to the container: the host's node is not the driver's char %u:%u",
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
		.by_hook = by_hook,
	};
	return 0;
}

/* Opens the deepest existing directory of `path`; *ret_rest is the rest of the path. */
static int open_deepest(const struct root *root, const char *path, const char **ret_rest)
{
	char prefix[PATH_MAX];
	size_t length = strlen(path);
	int fd = -ENOENT;

	while (length > 1 && (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)) {
		while (length > 1 && path[length - 1] != '/')
			length--;
		*ret_rest = path + length;
		while (length > 1 && path[length - 1] == '/')
			length--;
		if (length >= sizeof(prefix))
			return -ENAMETOOLONG;
		(void)snprintf(prefix, sizeof(prefix), "%.*s", (int)length, path);
		fd = root_openat(root, prefix, O_PATH | O_DIRECTORY);
	}
	return fd;
}

/* Sources that the driver holds open are not. add_mount reports sources that can't be inspected. */
static bool source_is_directory(const struct splitter *d, const struct operation *operation)
{
	AUTO_FD fd = -1;
	struct stat st;

	if (operation->source_fd >= 0)
		return false;
	fd = root_openat(driver_root_of(&d->pipeline->roots, operation->tree), operation->source,
			 O_PATH);
	return fd >= 0 && fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

/*
 * Whether the target of a mount exists, or the runtime can create it. For dangling links, FIFOs, or
 * a file in the place of a directory, runtimes differ, and the hook gives a clear error.
 */
static bool has_target(const struct splitter *d, const struct operation *operation)
{
	const struct root *root = d->volumes->root;
	const char *target = operation->target;
	char name[NAME_MAX + 1];
	const char *rest = "";
	AUTO_FD fd = open_deepest(root, target, &rest);
	size_t length = strcspn(rest, "/");
	struct stat st;

	if (fd < 0 || length == 0 || length > NAME_MAX)
		return false;
	(void)snprintf(name, sizeof(name), "%.*s", (int)length, rest);
	if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT;
	return rest[length] == '\0' && S_ISREG(st.st_mode) && !source_is_directory(d, operation);
}

/*
 * Whether the target is itself a mount, for example through a link of the image. It is a directory
 * then, on which no file can be mounted.
 */
static bool is_mount_itself(const struct image_place *place)
{
	return place->path[place->mount_length] == '\0';
}

/* A mount at or below a node's path makes it a directory, and runtimes then skip the node. */
static bool is_mounted_over(const struct splitter *d, const char *target)
{
	const struct oci_mounts *mounts = d->mounts;
	size_t length = strlen(target);

	for (size_t i = 0; i < mounts->count; i++) {
		const char *destination = mounts->items[i].destination;

		if (strncmp(destination, target, length) == 0 &&
		    (destination[length] == '/' || destination[length] == '\0'))
			return true;
	}
	return false;
}

/*
 * Whether the hook must do it: the runtime would write outside the container's own root, or can't
 * create the file to mount on. The hook checks the place again when it acts. The runtime follows
 * the image's links, including the last one, so the place is where they lead.
 */
static int is_for_hook(const struct splitter *d, const struct operation *operation, bool *ret,
		       struct error *err)
{
	struct image_place place;
	int r = image_find_place(d->volumes, operation->target, true, &place);

	if (r < 0)
		return error_errno(err, -r, "predict the location of %s in the container",
				   operation->target);
	*ret = image_place_is_volume(&place) ||
	       (place.mount ? place.mount->read_only || strcmp(place.mount->type, "tmpfs") != 0
			    : d->root_is_read_only);
	if (operation->kind == OPERATION_DEVICE)
		*ret |= is_mounted_over(d, operation->target);
	/* A mount in a root with shared propagation is visible on the host. */
	if (operation->kind == OPERATION_BIND)
		*ret |= d->pipeline->spec.shared_propagation ||
			(place.mount ? is_mount_itself(&place) : !has_target(d, operation));
	return 0;
}

static int add_mount(struct splitter *d, const struct operation *operation, struct error *err)
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
			return source_unusable(d, operation, -fd, err);
		if (fstat(fd, &st) < 0)
			return source_unusable(d, operation, errno, err);
		if (operation->owner_root && (!S_ISDIR(st.st_mode) || !owner_is_trusted(fd, &st)))
			return source_unusable(d, operation, EPERM, err);
	}
	source = fd_path(fd >= 0 ? fd : operation->source_fd, d->arena);
	mount = ARENA_PUSH(d->arena, &d->edits->mounts);
	if (!source || !mount)
		return error_memory(err);
	*mount = (struct spec_mount){source, operation->target, operation->flags};
	return 0;
}

static int defer_to_hook(struct splitter *d, const struct operation *operation, struct error *err)
{
	struct operation *copy = ARENA_PUSH(d->arena, d->rest);

	if (!copy)
		return error_memory(err);
	*copy = *operation;
	return 0;
}

static int split_operation(struct splitter *d, const struct operation *operation, struct error *err)
{
	bool for_hook = true;
	int r = 0;

	if (operation->of_spec && operation->kind == OPERATION_BIND &&
	    spec_has_mount(&d->pipeline->spec.mounts, operation->target, operation->source))
		return 0;

	if (operation->kind == OPERATION_DEVICE_RULE)
		return add_rule(d, operation, err);
	if (operation->kind == OPERATION_DEVICE ||
	    (operation->kind == OPERATION_BIND && d->mounts_in_spec))
		r = is_for_hook(d, operation, &for_hook, err);
	if (r == 0 && operation->kind == OPERATION_DEVICE)
		r = add_device(d, operation, for_hook, err);
	if (r == 0 && operation->kind == OPERATION_BIND && !for_hook)
		r = add_mount(d, operation, err);
	return r < 0 || !for_hook ? r : defer_to_hook(d, operation, err);
}

static bool is_relative(const struct oci_mount *mount)
{
	return mount->bind && *mount->source && mount->source[0] != '/';
}

/* Sources become paths of the host: they may be relative to the bundle. */
static int make_absolute(const struct splitter *d, struct oci_mounts *mounts)
{
	const struct oci_mounts *given = d->mounts;

	if (ARENA_RESERVE(d->arena, mounts, given->count) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < given->count; i++) {
		struct oci_mount *mount = ARENA_PUSH(d->arena, mounts);

		if (!mount)
			return -ENOMEM;
		*mount = given->items[i];
		if (is_relative(mount))
			mount->source =
				arena_printf(d->arena, "%s/%s", d->pipeline->bundle, mount->source);
		if (!mount->source)
			return -ENOMEM;
	}
	return 0;
}

/* Describes config.json's mounts for the hook. */
static int describe_mounts(const struct splitter *d, struct error *err)
{
	const struct oci_spec *spec = &d->pipeline->spec;
	size_t i = 0;

	d->rest->root_readonly = spec->root_readonly;
	d->rest->shared_propagation = spec->shared_propagation;
	while (i < d->mounts->count && !is_relative(&d->mounts->items[i]))
		i++;
	if (i == d->mounts->count)
		d->rest->mounts = *d->mounts;
	else if (make_absolute(d, &d->rest->mounts) < 0)
		return error_memory(err);
	return 0;
}

static int split_all(struct splitter *d, struct error *err)
{
	const struct plan *plan = &d->pipeline->plan;

	for (size_t i = 0; i < plan->count; i++) {
		const struct operation *operation = &plan->items[i];
		int r = split_operation(d, operation, err);

		if (r == -ENOMEM || (r < 0 && operation->required))
			return r;
		if (r < 0)
			log_line(LOG_LEVEL_INFO, "skipped: cannot %s", err->message);
	}
	return 0;
}

static int add_variable(struct splitter *d, const struct vendor *vendor)
{
	const char *entry =
		vendor->variable && vendor->void_text
			? arena_printf(d->arena, "%s=%s", vendor->variable, vendor->void_text)
			: NULL;

	if (!vendor->variable || !vendor->void_text)
		return 0;
	return entry ? strings_add(d->arena, &d->edits->variables, entry) : -ENOMEM;
}

/* Only for the vendors whose GPUs are added now. Requests to other injectors are unchanged. */
static int add_variables(struct splitter *d, struct error *err)
{
	const struct gpu_request *request = &d->pipeline->request;
	int r = request->nvidia ? add_variable(d, &vendor_nvidia) : 0;

	/* The directory for programs that search libcuda themselves, as in NVIDIA's runtime. */
	if (r == 0 && request->nvidia && request->capabilities & CAPABILITY_COMPUTE) {
		const char *folder = driver_libcuda_folder(&d->pipeline->driver,
							   d->pipeline->image.lib_dir, d->arena);
		const char *entry =
			folder ? arena_printf(d->arena, LIBCUDA_DIR_VARIABLE "=%s", folder) : NULL;

		r = entry ? strings_add(d->arena, &d->edits->variables, entry) : -ENOMEM;
	}
	for (size_t i = 0; r == 0 && i < request->wishes.count; i++)
		r = add_variable(d, request->wishes.items[i].vendor);
	for (size_t i = 0; r == 0 && i < d->pipeline->cdi.env.count; i++)
		r = strings_add(d->arena, &d->edits->variables, d->pipeline->cdi.env.items[i]);
	return r < 0 ? error_memory(err) : 0;
}

int spec_split(const struct pipeline *pipeline, const struct root *root, bool mounts_in_spec,
	       struct arena *arena, struct spec_edits *ret, struct plan *ret_rest,
	       struct error *err)
{
	const struct plan *plan = &pipeline->plan;
	AUTO_VOLUMES volumes = IMAGE_VOLUMES_INIT(root, &pipeline->spec.mounts, arena);
	struct oci_mounts all = {0};
	struct splitter d = {.pipeline = pipeline,
			     .mounts = &pipeline->spec.mounts,
			     .arena = arena,
			     .mounts_in_spec = mounts_in_spec,
			     .edits = ret,
			     .rest = ret_rest};
	struct statvfs fs;
	int r;

	d.root_is_read_only = fstatvfs(root->fd, &fs) == 0 && fs.f_flag & ST_RDONLY;
	/* Nothing can be created in such a root, so nothing will have to be removed. */
	ret->poststop = !d.root_is_read_only;
	*ret_rest = (struct plan){.proc_mask = plan->proc_mask, .libraries = plan->libraries};
	r = spec_take_given_mounts(pipeline, root, arena, ret, &all, err);
	if (r == 0 && all.count)
		volumes.mounts = d.mounts = &all;
	d.volumes = &volumes;
	if (r == 0)
		r = describe_mounts(&d, err);
	if (r == 0)
		r = add_variables(&d, err);
	if (r == 0)
		r = split_all(&d, err);
	if (r == 0 && spec_find_stubs(&volumes, &ret->mounts, arena, &ret_rest->stubs) < 0)
		r = error_memory(err);
	return r;
}
