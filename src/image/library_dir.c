// SPDX-License-Identifier: Apache-2.0
/*
 * Chooses another directory for the libraries if the image's own is a volume that the container can
 * write. davit creates nothing in a volume, and a private view would hide what the container writes
 * there.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/statvfs.h>

#include "davit/image.h"

/* In the container's own root. The second one is for containers with a volume at /opt. */
static const struct library_dirs {
	const char *native, *compat32;
} own_dirs[] = {
	{"/opt/davit/lib", "/opt/davit/lib32"},
	{"/.davit/lib", "/.davit/lib32"},
};

struct looker {
	const struct root *root;
	struct image_volumes *volumes; /* NULL: no config.json, so existing mounts count */
	struct arena *arena;
	bool shared;
};

/* Engines mount these in every container. They contain no library directory. */
static bool is_usual(const char *destination)
{
	static const char *const usual[] = {
		"/etc/hosts",  "/etc/hostname",        "/etc/resolv.conf",   "/dev/shm",
		"/dev/mqueue", "/dev/termination-log", "/run/.containerenv",
	};

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		if (strcmp(destination, usual[i]) == 0)
			return true;
	return false;
}

/*
 * Whether the mount prevents a private view: it would hide what the container writes, or nothing
 * may be mounted there.
 */
static bool is_in_the_way(const struct oci_mount *mount, bool shared)
{
	return image_mount_is_volume(mount) && (shared || !mount->read_only);
}

/*
 * Whether there is any such volume. Most containers have none, so their links needn't be resolved.
 */
static bool has_volumes(const struct oci_mounts *mounts, bool shared)
{
	for (size_t i = 0; i < mounts->count; i++)
		if (is_in_the_way(&mounts->items[i], shared) &&
		    !is_usual(mounts->items[i].destination))
			return true;
	return false;
}

/* The directory, or its last existing parent. Descriptor or -errno. */
static int open_existing(const struct root *root, const char *path, struct arena *arena)
{
	size_t length = strlen(path);
	int fd = root_openat(root, path, O_PATH);

	while (fd == -ENOENT && length > 1) {
		const char *above;

		while (length > 1 && path[--length] != '/')
			;
		above = length > 1 ? arena_strndup(arena, path, length) : "/";
		if (!above)
			return -ENOMEM;
		fd = root_openat(root, above, O_PATH);
	}
	return fd;
}

/*
 * Whether it is on another mount than the root; for libraries, on a writable one. (Only descriptors
 * are inspected, because this process isn't in the container's mount namespace yet.)
 */
static int is_mounted(const struct looker *l, const char *path, bool writable, bool *ret)
{
	AUTO_FD fd = open_existing(l->root, path, l->arena);
	uint64_t mount = 0, root_mount = 0;
	struct statvfs fs;
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	r = fd_inspect(l->root->fd, l->arena, &st, &root_mount);
	if (r == 0)
		r = fd_inspect(fd, l->arena, &st, &mount);
	if (r < 0 || mount == root_mount)
		return r;
	if (fstatvfs(fd, &fs) < 0)
		return -errno;
	*ret = !writable || !(fs.f_flag & ST_RDONLY);
	return 0;
}

/*
 * Whether the path lies in a volume; for libraries, in one that can't have a private view. 0 or
 * -errno.
 */
static int is_in_volume(const struct looker *l, const char *path, bool writable, bool *ret)
{
	struct image_place place;
	int r;

	*ret = false;
	if (!l->volumes)
		return is_mounted(l, path, writable, ret);
	r = image_find_place(l->volumes, path, true, &place);
	if (r == 0 && place.mount)
		*ret = writable ? is_in_the_way(place.mount, l->shared)
				: image_mount_is_volume(place.mount);
	return r;
}

static int either_in_volume(const struct looker *l, const char *one, const char *other,
			    bool writable, bool *ret)
{
	int r = is_in_volume(l, one, writable, ret);

	return r < 0 || *ret || strcmp(one, other) == 0 ? r : is_in_volume(l, other, writable, ret);
}

static int move(const struct looker *l, struct image *image)
{
	const struct library_dirs *dirs = own_dirs;
	bool volume = false;
	int r = either_in_volume(l, dirs->native, dirs->compat32, false, &volume);

	if (r == 0 && volume)
		dirs++;
	image->lib_dir_moved = true;
	image->lib_dir = dirs->native;
	image->lib_dir_32 = dirs->compat32;
	return r;
}

int image_place_libraries(const struct root *root, const struct oci_mounts *mounts, bool shared,
			  struct arena *arena, struct image *image, struct error *err)
{
	AUTO_VOLUMES volumes = IMAGE_VOLUMES_INIT(root, mounts, arena);
	struct looker l = {
		.root = root,
		.volumes = mounts ? &volumes : NULL,
		.arena = arena,
		.shared = shared,
	};
	bool volume = false;
	int r;

	if (mounts && !has_volumes(mounts, shared))
		return 0;
	r = either_in_volume(&l, image->lib_dir, image->lib_dir_32, true, &volume);
	if (r == 0 && volume)
		r = move(&l, image);
	return r < 0 ? error_errno(err, -r, "find out whether %s in the container is a volume",
				   image->lib_dir)
		     : 0;
}
