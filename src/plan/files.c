// SPDX-License-Identifier: Apache-2.0
/* The driver's files: libraries, programs, data, and the links to them. */
#include <string.h>

#include "builder.h"

#define FLAGS_FILE (MOUNT_FLAG_RDONLY | MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV)
/* Not read-only: a nested container that mounts it again couldn't clear that flag. */
#define FLAGS_SOCKET (MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV | MOUNT_FLAG_NOEXEC)

/* The requested capability that needs the file, as its reason. */
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

/* libvdpau searches its drivers in its own directory, if the image has one. */
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

/* Adds the names by which the loader finds a library that keeps its directory. */
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
	/* A container also works without firmware and sockets. */
	bind->required = file->kind == DRIVER_FILE_BINARY || file->needed;
	add_names(b, file);
}

/* The directory for X's modules. In RHEL-like images, it is beneath the library directory. */
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

void plan_add_files(struct builder *b, bool libraries)
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
 * Whether the file's links come after the others. If the image has a file in the place of a link,
 * the link's target is mounted there, so the target must exist first.
 */
static bool is_late(const struct driver_file *file)
{
	return file->inside || (file->kind != DRIVER_FILE_LIBRARY && file->target &&
				string_equal(file->path, file->target));
}

void plan_add_file_links(struct builder *b, bool late)
{
	for (size_t i = 0; i < b->driver->files.count; i++)
		if (is_late(&b->driver->files.items[i]) == late)
			add_links(b, &b->driver->files.items[i]);
}
