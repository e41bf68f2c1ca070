// SPDX-License-Identifier: Apache-2.0
/* Private views of directories that the container can't write. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "davit/attach.h"

#define VIEW_SIZE_KIB 16384 /* links, empty files and a loader cache */
#define BENEATH_MAX 4096

/* A mount beneath the directory that is covered: its top, held open to be moved onto the view. */
struct beneath {
	int fd;           /* -1: no path leads to it */
	const char *path; /* in the directory, with a leading slash */
	uint64_t id;
};
struct beneaths {
	struct beneath *items;
	size_t count, capacity;
};

/* One place may have several: the last one shows. */
static struct beneath *find_beneath(const struct beneaths *beneaths, const char *path)
{
	for (size_t i = 0; i < beneaths->count; i++)
		if (string_equal(beneaths->items[i].path, path))
			return &beneaths->items[i];
	return NULL;
}

static int add_beneath(struct arena *arena, struct beneaths *ret, const char *path, uint64_t id)
{
	struct beneath *beneath = find_beneath(ret, path);

	if (!beneath)
		beneath = ARENA_PUSH(arena, ret);
	if (!beneath)
		return -ENOMEM;
	*beneath = (struct beneath){.fd = -1, .path = path, .id = id};
	return 0;
}

/*
 * The mounts that lie right on the directory's own mount, beneath it: what lies on those comes
 * along with them.
 */
static int list_beneath(const struct place *dir, const struct mount_infos *infos,
			struct arena *arena, struct beneaths *ret)
{
	char top[PATH_MAX];
	uint64_t id = 0;
	size_t length;
	int r = place_path(dir->fd, top);

	if (r == 0)
		r = mount_id_of(dir->fd, arena, &id);
	length = strlen(top);
	if (length == 1)
		length = 0; /* "/": the slash is the point's own */
	for (size_t i = 0; r == 0 && i < infos->count; i++) {
		const char *point = infos->items[i].mount_point;

		if (infos->items[i].parent == id && strncmp(point, top, length) == 0 &&
		    point[length] == '/' && point[length + 1])
			r = add_beneath(arena, ret, point + length, infos->items[i].id);
		if (r == 0 && ret->count > BENEATH_MAX)
			r = -E2BIG;
	}
	return r;
}

/* Whether a mount is that one, or lies on top of it at the same place (an overlay on its tmpfs). */
static bool is_stacked_on(const struct mount_infos *infos, uint64_t id, uint64_t wanted)
{
	const struct mount_info *info = id == wanted ? NULL : mount_info_find(infos, id);

	while (info && info->parent != wanted) {
		const struct mount_info *parent = mount_info_find(infos, info->parent);

		if (!parent || parent == info ||
		    !string_equal(parent->mount_point, info->mount_point))
			return false;
		info = parent;
	}
	return id == wanted ||
	       (info && mount_info_find(infos, wanted) &&
		string_equal(mount_info_find(infos, wanted)->mount_point, info->mount_point));
}

/*
 * Opens its top. No path leads to a mount that is hidden under a later one (a volume over a
 * directory in which the engine had mounted something): its path leads to nothing, or to another
 * mount. It remains hidden.
 */
static int open_top(const struct root *dir, const struct mount_infos *infos, struct arena *arena,
		    struct beneath *beneath)
{
	AUTO_FD fd = root_openat(dir, beneath->path, O_PATH | O_NOFOLLOW);
	uint64_t id = 0;
	int r;

	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
		return 0;
	r = fd < 0 ? fd : mount_id_of(fd, arena, &id);
	if (r == 0 && is_stacked_on(infos, id, beneath->id))
		beneath->fd = fd_take(&fd);
	return r;
}

static int open_beneath(const struct place *dir, struct arena *arena, struct beneaths *ret)
{
	const struct root top = {.fd = dir->fd, .path = dir->path};
	struct mount_infos infos;
	int r = mount_info_read(arena, &infos);

	if (r == 0)
		r = list_beneath(dir, &infos, arena, ret);
	for (size_t i = 0; r == 0 && i < ret->count; i++)
		r = open_top(&top, &infos, arena, &ret->items[i]);
	return r;
}

static int put_back(const struct root *view, const struct beneath *beneath)
{
	AUTO_FD fd = root_openat(view, beneath->path, O_PATH | O_NOFOLLOW);
	struct mount_place place = {.root = view, .path = beneath->path, .fd = fd};

	return fd < 0 ? fd : mount_move(beneath->fd, &place);
}

static int put_all_back(const struct root *view, struct beneaths *beneaths, struct error *err)
{
	for (size_t i = 0; i < beneaths->count; i++) {
		int r = beneaths->items[i].fd < 0 ? 0 : put_back(view, &beneaths->items[i]);

		if (r < 0)
			return error_errno(err, -r, "preserve the mount %s%s in the container",
					   view->path, beneaths->items[i].path);
	}
	return 0;
}

static int duplicate(int fd, const struct place *dir, struct error *err)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? error_errno(err, errno, "open %s in the container", dir->path) : copy;
}

/* Mounts the view on the directory, and the directory's mounts on the view. */
static int mount_view(struct attach *attach, const struct place *dir, struct beneaths *beneaths,
		      struct error *err)
{
	const struct mount_place place = {.root = attach->root, .path = dir->path, .fd = dir->fd};
	int *slot = ARENA_PUSH(attach->arena, &attach->views);
	struct root view = {.path = dir->path};
	int r;

	if (!slot)
		return error_memory(err);
	*slot = -1;
	/* From the first mount to the last one put back, some of the container's are hidden. */
	attach->broken = true;
	*slot = mount_overlay_attach(VIEW_SIZE_KIB, &place, err);
	if (*slot < 0)
		return error_fix(err, *slot, "start the container from a writable file system");
	view.fd = *slot;
	r = place_know_own(attach, view.fd, err);
	if (r < 0)
		return r;
	r = put_all_back(&view, beneaths, err);
	if (r < 0)
		return r;
	attach->broken = false;
	return view.fd;
}

static int cover(struct attach *attach, const struct place *dir, struct error *err)
{
	struct beneaths beneaths = {0};
	int view = -1, r = open_beneath(dir, attach->arena, &beneaths);

	if (r < 0)
		error_errno(err, -r, "preserve the mounts below %s in the container", dir->path);
	else
		r = view = mount_view(attach, dir, &beneaths, err);
	for (size_t i = 0; i < beneaths.count; i++)
		fd_close(&beneaths.items[i].fd);
	return r < 0 ? r : duplicate(view, dir, err);
}

/*
 * Makes the view of an earlier call writable again until attach_seal. A second view over it would
 * be an overlay of an overlay, and the kernel stacks only two, of which the container's root often
 * is the first.
 */
static int reopen(struct attach *attach, const struct place *dir, struct error *err)
{
	AUTO_FD fd = root_openat(attach->root, dir->sealed, O_PATH | O_DIRECTORY | O_NOFOLLOW);
	struct stat st;
	uint64_t mount = 0;
	int *slot, r = fd < 0 ? fd : fd_inspect(fd, attach->arena, &st, &mount);

	if (r == 0 && mount != dir->mount)
		r = -ESTALE;
	if (r == 0)
		r = mount_set_read_only(fd, false);
	if (r < 0)
		return error_errno(err, -r, "write to the view of %s that an earlier hook made",
				   dir->sealed);
	r = place_know_own(attach, fd, err);
	if (r < 0)
		return r;
	slot = ARENA_PUSH(attach->arena, &attach->views);
	if (!slot)
		return error_memory(err);
	*slot = fd_take(&fd);
	return duplicate(dir->fd, dir, err);
}

/*
 * A view of the root itself would have no effect: the runtime and this process hold the covered
 * directory.
 */
static bool is_root(const struct root *root, int fd)
{
	struct stat a, b;

	return fstat(root->fd, &a) == 0 && fstat(fd, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

int view_make(struct attach *attach, const struct place *dir, struct error *err)
{
	int r;

	if (dir->kind == PLACE_VOLUME || dir->kind == PLACE_SHARED)
		return place_refuse(dir, dir->path, err);
	if (is_root(attach->root, dir->fd))
		return error_set(
			err, ERROR_IMAGE, EROFS,
			"create the missing directories in the image, or make the container's root writable",
			"create anything in /: the container's root is read-only");
	r = dir->sealed ? reopen(attach, dir, err) : cover(attach, dir, err);
	if (r >= 0)
		log_line(LOG_LEVEL_INFO, "%s is read-only; %s", dir->path,
			 dir->sealed ? "using the private view that an earlier hook made of it"
				     : "covered it with a private view");
	return r;
}

int attach_seal(struct attach *attach, struct error *err)
{
	for (size_t i = 0; i < attach->views.count; i++) {
		int r = mount_set_read_only(attach->views.items[i], true);

		if (r < 0)
			return error_errno(
				err, -r,
				"make the view of a read-only directory read-only in the container");
	}
	return 0;
}

int attach_scratch_root(const char *rootfs, unsigned size_kib, struct error *err)
{
	AUTO_ROOT host = {.fd = -1};
	AUTO_FD fd = -1, view = -1;
	struct mount_place place = {.root = &host, .path = rootfs};
	int r = root_open("/", &host, err);

	if (r < 0)
		return r;
	fd = root_openat(&host, rootfs, O_PATH | O_DIRECTORY);
	if (fd < 0)
		return error_set(err, ERROR_BAD_BUNDLE, -fd, "correct root.path in config.json",
				 "open the root %s: %s", rootfs, strerror(-fd));
	place.fd = fd;
	view = mount_overlay_attach(size_kib, &place, err);
	return view < 0 ? view : 0;
}
