// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "builder.h"

#define FLAGS_FILE (MOUNT_FLAG_RDONLY | MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV)
#define MPS_DIRECTORY "/tmp/nvidia-mps" /* where programs look for them by themselves */
/* Not read-only: who mounts it again in a container of his own may not change that. */
#define FLAGS_SOCKET (MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV | MOUNT_FLAG_NOEXEC)

size_t mount_option_names(unsigned flags, const char *names[static MOUNT_OPTIONS_MAX])
{
	static const struct {
		unsigned flag;
		const char *name;
	} options[MOUNT_OPTIONS_MAX] = {
		{MOUNT_FLAG_RDONLY, "ro"},
		{MOUNT_FLAG_NOSUID, "nosuid"},
		{MOUNT_FLAG_NODEV, "nodev"},
		{MOUNT_FLAG_NOEXEC, "noexec"},
	};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (flags & options[i].flag)
			names[count++] = options[i].name;
	return count;
}

const char *operation_name(enum operation_kind kind)
{
	static const char *const names[] = {
		[OPERATION_DEVICE_RULE] = "device-rule",
		[OPERATION_PROC_MASK] = "proc-mask",
		[OPERATION_DEVICE] = "device",
		[OPERATION_BIND] = "bind",
		[OPERATION_SYMLINK] = "symlink",
		[OPERATION_FILE] = "file",
		[OPERATION_LOADER_CACHE] = "loader-cache",
	};

	return names[kind];
}

const char *operation_numbers(const struct operation *operation, struct arena *arena)
{
	return arena_printf(arena, "%c %u:%u", operation->block ? 'b' : 'c', operation->major,
			    operation->minor);
}

const char *device_access_name(enum device_access access)
{
	static const char *const names[] = {
		[ACCESS_READ_WRITE] = "rw", [ACCESS_READ] = "r", [ACCESS_WRITE] = "w"};

	return names[access];
}

struct operation *plan_add(struct builder *b, enum operation_kind kind, const char *target,
			   const char *because)
{
	struct operation *operation = ARENA_PUSH(b->arena, b->plan);

	/* The arena fails once and for all; plan_make looks at `failed` at the end. */
	if (!operation || !target) {
		b->failed = true;
		return &b->spare;
	}
	operation->kind = kind;
	operation->source_fd = -1;
	operation->target = target;
	operation->because = because;
	operation->required = true;
	return operation;
}

/* Which of the asked-for capabilities a file came in for, as the reason to show. */
static const char *reason_of(struct builder *b, unsigned capabilities)
{
	const char *reason;

	if (capabilities == 0)
		return "every GPU container";
	capabilities &= b->request->capabilities;
	for (unsigned bit = 1; bit <= CAPABILITY_ALL; bit <<= 1)
		if (capabilities & bit) {
			reason = arena_printf(b->arena, "capability %s", capability_name(bit));
			b->failed |= !reason;
			return reason;
		}
	return "implied by another capability";
}

static const char *join(struct builder *b, const char *dir, const char *name)
{
	const char *path = arena_printf(b->arena, "%s/%s", dir, name);

	b->failed |= !path;
	return path;
}

/* ---- libraries -------------------------------------------------------------------------- */

static struct operation *add_link(struct builder *b, const struct driver_file *file,
				  const char *target, const char *text, const char *because)
{
	struct operation *link = plan_add(b, OPERATION_SYMLINK, target, because);

	link->text = text;
	link->tree = file->tree;
	link->source = file->path;
	link->flags = FLAGS_FILE;
	return link;
}

static void add_cache_entry(struct builder *b, const struct driver_file *file, const char *dir,
			    const char *name)
{
	struct loader_entry *entry = ARENA_PUSH(b->arena, &b->plan->libraries);

	if (!entry) {
		b->failed = true;
		return;
	}
	entry->flags = file->class_bits == 64 ? LOADER_FLAGS_NATIVE : LOADER_FLAGS_32;
	entry->name = name;
	entry->path = join(b, dir, name);
}

/* libvdpau looks for its drivers in a folder of its own, where the image has one. */
static const char *library_dir(struct builder *b, const struct driver_file *file)
{
	bool of_32 = file->class_bits == 32;
	const char *dir = of_32 ? b->image->lib_dir_32 : b->image->lib_dir;

	if (file->vdpau && (of_32 ? b->image->vdpau_32 : b->image->vdpau))
		return join(b, dir, "vdpau");
	return dir;
}

static void add_library(struct builder *b, const struct driver_file *file)
{
	const char *dir = library_dir(b, file);
	const char *because = reason_of(b, file->capabilities);
	struct operation *bind = plan_add(b, OPERATION_BIND, join(b, dir, file->name), because);

	bind->tree = file->tree;
	bind->source = file->path;
	bind->source_fd = file->fd;
	bind->source_type = file->kind == DRIVER_FILE_SOCKET ? S_IFSOCK : S_IFREG;
	bind->flags = FLAGS_FILE;
	if (file->soname)
		add_link(b, file, join(b, dir, file->soname), file->name, because);
	if (dir)
		add_cache_entry(b, file, dir, file->soname ? file->soname : file->name);
}

/* ---- other files ------------------------------------------------------------------------ */

/* By which the loader finds a library that keeps its directory. */
static void add_names(struct builder *b, const struct driver_file *file)
{
	for (size_t i = 0; i < file->loader.count; i++) {
		struct loader_entry *entry = ARENA_PUSH(b->arena, &b->plan->libraries);

		if (entry)
			*entry = (struct loader_entry){.flags = LOADER_FLAGS_NATIVE,
						       .name = file->loader.items[i].name,
						       .path = file->loader.items[i].text};
		b->failed |= !entry;
	}
}

static void add_file(struct builder *b, const struct driver_file *file, const char *target)
{
	struct operation *bind =
		plan_add(b, OPERATION_BIND, target, reason_of(b, file->capabilities));

	bind->tree = file->tree;
	bind->source = file->path;
	bind->source_fd = file->fd;
	bind->source_type = file->directory                    ? S_IFDIR
			    : file->kind == DRIVER_FILE_SOCKET ? S_IFSOCK
							       : S_IFREG;
	bind->flags = file->kind == DRIVER_FILE_SOCKET ? FLAGS_SOCKET : FLAGS_FILE;
	/* A container does its work without firmware and sockets, too. */
	bind->required = file->kind == DRIVER_FILE_BINARY || file->needed;
	add_names(b, file);
}

/*
 * The place of X's modules: where images of RHEL's kind have their libraries, X looks for modules
 * beneath them.
 */
static const char *image_place(struct builder *b, const char *target)
{
	static const char xorg[] = "/usr/lib/xorg/";

	if (!string_starts(target, xorg) || !string_equal(b->image->lib_dir, "/usr/lib64"))
		return target;
	return join(b, "/usr/lib64/xorg", target + strlen(xorg));
}

static void add_driver_file(struct builder *b, const struct driver_file *file)
{
	if (file->inside) {
		add_names(b, file);
		return;
	}
	switch (file->kind) {
	case DRIVER_FILE_LIBRARY:
		if (!file->target) {
			add_library(b, file);
			return;
		}
		break;
	case DRIVER_FILE_BINARY:
		if (file->target)
			break;
		add_file(b, file, join(b, "/usr/bin", file->name));
		return;
	default:
		break;
	}
	if (file->target[0] == '/')
		add_file(b, file, image_place(b, file->target));
	else
		add_file(b, file, join(b, b->image->lib_dir, file->target));
}

static void add_driver_files(struct builder *b, bool libraries)
{
	for (size_t i = 0; i < b->driver->files.count; i++) {
		const struct driver_file *file = &b->driver->files.items[i];

		if ((file->kind == DRIVER_FILE_LIBRARY) == libraries)
			add_driver_file(b, file);
	}
}

static void add_links(struct builder *b, const struct driver_file *file)
{
	const char *dir = library_dir(b, file);
	const char *because = reason_of(b, file->capabilities);

	for (size_t i = 0; dir && i < file->links.count; i++) {
		const struct driver_link *link = &file->links.items[i];
		const char *text = link->text;

		if (!text)
			text = join(b, dir, strrchr(link->name, '/') + 1);
		if (string_equal(text, link->name))
			continue;
		add_link(b, file,
			 link->name[0] == '/' ? image_place(b, link->name)
					      : join(b, dir, link->name),
			 text, because)
			->required =
			!file->target || file->kind == DRIVER_FILE_BINARY || file->needed;
		/* ldconfig lists these links, too: for dlopen("libcuda.so"). */
		if (!strchr(link->name, '/') && string_ends(link->name, ".so"))
			add_cache_entry(b, file, dir, link->name);
	}
}

/*
 * A link may have to give way to a mount of what it leads to, which has to be there before: files
 * that keep their paths, but for libraries, come after the others' links.
 */
static bool is_late(const struct driver_file *file)
{
	return file->inside || (file->kind != DRIVER_FILE_LIBRARY && file->target &&
				string_equal(file->path, file->target));
}

static void add_all_links(struct builder *b, bool late)
{
	for (size_t i = 0; i < b->driver->files.count; i++)
		if (is_late(&b->driver->files.items[i]) == late)
			add_links(b, &b->driver->files.items[i]);
}

static bool is_at_or_above(const char *directory, const char *path)
{
	size_t length = strlen(directory);

	while (length > 1 && directory[length - 1] == '/')
		length--;
	return strncmp(path, directory, length) == 0 && (path[length] == '/' || !path[length]);
}

/* Pipes there would hide what the container was just given, or lie on it. */
static bool covers_other_target(const struct builder *b, const char *directory)
{
	for (size_t i = 0; i < b->plan->count; i++)
		if (is_at_or_above(directory, b->plan->items[i].target) ||
		    is_at_or_above(b->plan->items[i].target, directory))
			return true;
	return is_at_or_above("/proc", directory) || is_at_or_above("/sys", directory);
}

/*
 * The MPS daemon's pipes. The variable says where the container looks for them, not which directory
 * of the host goes in; and since anyone may make one in /tmp, it has to be root's.
 */
static void add_mps(struct builder *b)
{
	const char *target = b->request->mps_pipe_directory;
	struct operation *bind;

	if (!(b->request->capabilities & CAPABILITY_COMPUTE) ||
	    string_equal(b->driver->mps_path, ""))
		return;
	if (target[0] && covers_other_target(b, target))
		return;
	bind = plan_add(b, OPERATION_BIND, target[0] ? target : MPS_DIRECTORY,
			"capability compute: MPS pipes");
	bind->tree = TREE_HOST;
	bind->source = b->driver->mps_path ? b->driver->mps_path : MPS_DIRECTORY;
	bind->flags =
		MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV | MOUNT_FLAG_NOEXEC | MOUNT_FLAG_NOFOLLOW;
	bind->owner_root = true;
	bind->required = false;
}

/* The image's own newer libraries stand before the host's of the same name. */
static void add_compat(struct builder *b)
{
	for (size_t i = 0; i < b->image->compat.count; i++) {
		struct loader_entry *entry = ARENA_PUSH(b->arena, &b->plan->libraries);

		if (entry)
			*entry = b->image->compat.items[i];
		b->failed |= !entry;
	}
}

static void add_conf(struct builder *b, const char *path, const char *text)
{
	struct operation *file =
		plan_add(b, OPERATION_FILE, path, "a later ldconfig in the container");

	file->text = text;
	file->required = false;
	b->failed |= !text;
}

/* The directories of the host's libraries that the image's ldconfig wouldn't search; a line each.
 */
static const char *list_folders(struct builder *b)
{
	const struct loader_cache *libraries = &b->plan->libraries;
	struct strings folders = {0};

	/* The image's own come first. */
	for (size_t i = b->image->compat.count; i < libraries->count; i++) {
		const char *path = libraries->items[i].path;
		const char *folder =
			path ? arena_strndup(b->arena, path, (size_t)(strrchr(path, '/') - path))
			     : NULL;

		b->failed |= !folder;
		if (!folder || image_searches(b->image, folder) ||
		    strings_contain(&folders, folder))
			continue;
		b->failed |= strings_add(b->arena, &folders, folder) < 0;
	}
	return folders.count ? strings_join(b->arena, &folders, "\n") : NULL;
}

/*
 * In most images all lies where their ldconfig looks by itself. Those directories are named, too,
 * for another's that is run on the root: a host's of another distribution.
 */
static void add_loader_conf(struct builder *b)
{
	const char *folders = list_folders(b);

	if (b->image->compat_stale)
		add_conf(b, COMPAT_CONF, "");
	if (!folders && !b->image->compat_used && !b->image->other_ldconfig)
		return;
	if (b->image->no_loader_conf)
		add_conf(b, PLAN_LOADER_CONF, PLAN_LOADER_CONF_TEXT);
	if (b->image->compat_used)
		add_conf(b, COMPAT_CONF,
			 arena_printf(b->arena, "%s\n",
				      b->driver->compat_dir ? b->driver->compat_dir : COMPAT_DIR));
	if (folders)
		add_conf(b, PLAN_FOLDERS_CONF, arena_printf(b->arena, "%s\n", folders));
	add_conf(b, PLAN_SYSTEM_CONF, b->image->system_dirs);
}

static void add_loader_search(struct builder *b)
{
	const struct image *image = b->image;

	if (image->musl_path_file) {
		struct operation *file =
			plan_add(b, OPERATION_FILE, image->musl_path_file,
				 "musl searches only the directories that this file names");

		file->text = image->musl_path_text;
	}
	if (image->loader != IMAGE_LOADER_GLIBC || b->plan->libraries.count == 0)
		return;
	plan_add(b, OPERATION_LOADER_CACHE, "/etc/ld.so.cache",
		 image->compat_used ? "the loader finds the libraries, the image's newer "
				      "ones (CUDA forward compatibility) first"
				    : "the loader finds the libraries");
	/* Behind it: in a read-only root its view of /etc is theirs, too. */
	if (image->system_dirs)
		add_loader_conf(b);
}

/* ---- the mask over /proc/driver/nvidia -------------------------------------------------- */

/* The text of params with ModifyDeviceFiles 0: libraries inside then create no nodes. */
const char *plan_mask_params(struct arena *arena, const char *params)
{
	static const char key[] = "ModifyDeviceFiles: ";
	const char *line = params;

	while ((line = strstr(line, key)) && line != params && line[-1] != '\n')
		line++;
	if (!line)
		return arena_printf(arena, "%s%s0\n", params, key);
	line += strlen(key);
	return arena_printf(arena, "%.*s0%s", (int)(line - params), params,
			    line + strcspn(line, "\n"));
}

static void add_proc_mask(struct builder *b, const struct selection *selection)
{
	struct proc_mask *mask = &b->plan->proc_mask;

	if (!b->driver->proc_version)
		return;
	mask->version = b->driver->proc_version;
	mask->registry = b->driver->proc_registry_absent ? NULL : b->driver->proc_registry;
	if (b->driver->proc_params) {
		mask->params = plan_mask_params(b->arena, b->driver->proc_params);
		b->failed |= !mask->params;
	}
	for (size_t i = 0; i < selection->count; i++) {
		const struct selected_device *device = &selection->items[i];
		const char *bus_id = device->gpu->bus_id;

		if (!bus_id)
			continue;
		if ((mask->bus_ids.count == 0 ||
		     !string_equal(mask->bus_ids.items[mask->bus_ids.count - 1], bus_id)) &&
		    strings_add(b->arena, &mask->bus_ids, bus_id) < 0)
			b->failed = true;
	}
	plan_add_mig_capabilities(b, selection);
	plan_add(b, OPERATION_PROC_MASK, "/proc/driver/nvidia",
		 "shows only the selected GPUs, so that no nodes are created for others");
}

int plan_find_missing(const struct gpu_request *request, const struct driver *driver,
		      const struct selection *selection, struct arena *arena, struct strings *ret,
		      struct error *err)
{
	struct plan plan = {0};
	struct builder b = {.request = request, .driver = driver, .arena = arena, .plan = &plan};
	struct error ignored;
	int r = plan_add_devices(&b, selection, &ignored);

	*ret = plan.missing;
	return r == -ENOMEM ? error_memory(err) : 0;
}

/* NVIDIA's part: the driver's nodes, files and what makes them found. */
static int add_nvidia(struct builder *b, const struct selection *selection, struct error *err)
{
	int r = plan_add_devices(b, selection, err);

	if (r < 0)
		return r;
	add_proc_mask(b, selection);
	add_compat(b);
	/* Links by the catalogue may lead to any of the libraries, so they come after all of them.
	 */
	add_driver_files(b, true);
	add_all_links(b, false);
	add_driver_files(b, false);
	add_all_links(b, true);
	plan_add_companions(b, selection);
	add_loader_search(b);
	return 0;
}

int plan_make(const struct gpu_request *request, const struct driver *driver,
	      const struct selection *selection, const struct choices *choices,
	      const struct image *image, struct arena *arena, struct plan *ret, struct error *err)
{
	struct builder b = {
		.request = request,
		.driver = driver,
		.image = image,
		.arena = arena,
		.plan = ret,
	};
	int r;

	*ret = (struct plan){0};
	r = driver ? add_nvidia(&b, selection, err) : 0;
	for (size_t i = 0; r == 0 && i < choices->count; i++)
		plan_add_choice(&b, &choices->items[i]);
	if (r < 0)
		return r;
	/* Last: nothing is made in the container once a directory of the host is in it for writing.
	 */
	if (driver)
		add_mps(&b);
	return b.failed ? error_memory(err) : 0;
}
