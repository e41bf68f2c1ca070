// SPDX-License-Identifier: Apache-2.0
/* What is mounted at a place of the container, and whose it is. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "davit/attach.h"

#define PARENTS_MAX 32 /* the limit for mounts on mounts, when the kind of one is decided */

static struct known_mount *find_known(const struct attach *attach, uint64_t id)
{
	for (size_t i = 0; i < attach->known.count; i++)
		if (attach->known.items[i].id == id)
			return &attach->known.items[i];
	return NULL;
}

static int know(struct attach *attach, const struct known_mount *mount)
{
	struct known_mount *known = find_known(attach, mount->id);

	if (!known)
		known = ARENA_PUSH(attach->arena, &attach->known);
	if (!known)
		return -ENOMEM;
	*known = *mount;
	return 0;
}

static int know_as(struct attach *attach, uint64_t id, enum place_kind kind, const char *volume)
{
	return know(attach, &(struct known_mount){.id = id, .kind = kind, .volume = volume});
}

int place_know_own(struct attach *attach, int fd, struct error *err)
{
	struct stat st;
	uint64_t id;
	int r = fd_inspect(fd, attach->arena, &st, &id);

	if (r < 0)
		return error_errno(err, -r, "inspect a mount that davit made");
	return know_as(attach, id, PLACE_OWN, NULL) < 0 ? error_memory(err) : 0;
}

int place_path(int fd, char path[static PATH_MAX])
{
	char name[sizeof("self/fd/") + 3 * sizeof(int)];
	ssize_t length;

	(void)snprintf(name, sizeof(name), "self/fd/%d", fd);
	length = readlinkat(proc_fd(), name, path, PATH_MAX - 1);
	if (length < 0)
		return -errno;
	path[length] = '\0';
	return 0;
}

static bool is_beneath(const char *top, const char *path)
{
	size_t length = strlen(top);

	if (length == 1)
		return true;
	return strncmp(path, top, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

/*
 * Whether the mount shows a part of the root's own tree, so that files created there are created in
 * the root. (If the root isn't the top of a mount, its position in the file system is unknown.)
 */
static bool is_of_root(const struct attach *attach, const struct mount_facts *facts)
{
	return facts->device == attach->root_mount.device &&
	       is_beneath(attach->root_mount.root, facts->root) &&
	       fd_is_top_of_mount(attach->root->fd);
}

/* ---- what config.json says of a mount ----------------------------------------------------- */

/* Whether what lies at the destination now, through the image's links, is that mount. */
static bool leads_to(const struct attach *attach, const char *destination, uint64_t id)
{
	struct stat st;
	uint64_t there;
	AUTO_FD fd = root_openat(attach->root, destination, O_PATH);

	return fd >= 0 && fd_inspect(fd, attach->arena, &st, &there) == 0 && there == id;
}

/* The last bind of config.json that lies there. */
static const struct oci_mount *find_bind(const struct attach *attach, uint64_t id)
{
	for (size_t i = attach->mounts->count; i > 0; i--) {
		const struct oci_mount *mount = &attach->mounts->items[i - 1];

		if (mount->bind && leads_to(attach, mount->destination, id))
			return mount;
	}
	return NULL;
}

/* A tmpfs that is the host's has the number of the tmpfs that was bound. */
static bool is_source_of_bind(const struct attach *attach, dev_t device)
{
	for (size_t i = 0; i < attach->mounts->count; i++) {
		const struct oci_mount *mount = &attach->mounts->items[i];
		struct stat st;

		/* The host's paths can be seen until the runtime enters the root. */
		if (mount->bind && mount->source[0] == '/' && stat(mount->source, &st) == 0 &&
		    st.st_dev == device)
			return true;
	}
	return false;
}

/* Whether the runtime mounted it anew for this container, as config.json has it. */
static bool is_fresh(const struct attach *attach, uint64_t id, const struct mount_facts *facts,
		     const char *path)
{
	const struct oci_mounts *mounts = attach->mounts;
	bool found = false;

	if (!string_equal(facts->root, "/") ||
	    (!string_equal(facts->type, "tmpfs") && !string_equal(facts->type, "proc")))
		return false;
	/* Usually the path is the destination itself, which needn't be resolved. */
	for (int look = 0; look < 2 && !found; look++)
		for (size_t i = mounts->count; !found && i > 0; i--) {
			const struct oci_mount *mount = &mounts->items[i - 1];

			found = !mount->bind && string_equal(mount->type, facts->type) &&
				(look ? leads_to(attach, mount->destination, id)
				      : string_equal(mount->destination, path));
		}
	/* All mounts of procfs of one pid namespace have one number. */
	if (found && string_equal(facts->type, "proc"))
		return !find_bind(attach, id);
	return found && !is_source_of_bind(attach, facts->device);
}

/* ---- what config.json knows nothing of ----------------------------------------------------- */

/*
 * A file system that is mounted nowhere but beneath the root was mounted for it: the namespace is a
 * copy of the host's until it pivots.
 */
static bool is_nowhere_else(const struct attach *attach, const struct mount_facts *facts)
{
	struct mount_infos infos;
	char top[PATH_MAX];

	if (!string_equal(facts->root, "/") || place_path(attach->root->fd, top) < 0 ||
	    mount_info_read(attach->arena, &infos) < 0)
		return false;
	/* All mounts of procfs of one pid namespace are one file system. */
	if (string_equal(facts->type, "proc"))
		return !attach->mounts;
	if (!string_equal(facts->type, "tmpfs"))
		return false;
	for (size_t i = 0; i < infos.count; i++)
		if (infos.items[i].device == facts->device &&
		    !is_beneath(top, infos.items[i].mount_point))
			return false;
	return true;
}

/* ---- views of earlier calls ---------------------------------------------------------------- */

/* A file system that is mounted at one place only, in all of the namespace. */
static const struct mount_info *find_only(const struct mount_infos *infos, dev_t device)
{
	const struct mount_info *only = NULL;

	for (size_t i = 0; i < infos->count; i++) {
		if (infos->items[i].device != device)
			continue;
		if (only)
			return NULL;
		only = &infos->items[i];
	}
	return only;
}

static bool is_named_davit(const struct mount_info *mount, const char *type)
{
	return mount && string_equal(mount->type, type) && string_equal(mount->source, "davit") &&
	       string_equal(mount->root, "/");
}

/*
 * Whether config.json has an overlay there, or binds from this file system. (davit's view also lies
 * at the destination of the bind or the tmpfs that it covers.)
 */
static bool is_overlay_of_config(const struct attach *attach, uint64_t id, dev_t device)
{
	if (!attach->mounts)
		return false;
	for (size_t i = 0; i < attach->mounts->count; i++)
		if (string_equal(attach->mounts->items[i].type, "overlay") &&
		    leads_to(attach, attach->mounts->items[i].destination, id))
			return true;
	return is_source_of_bind(attach, device);
}

/*
 * The path in the root of a view that an earlier call for this container made and sealed, or NULL:
 * a read-only overlay on its tmpfs, at the same place, both of davit's name and mounted nowhere
 * else. No process of the container runs yet, so besides davit only the runtime may have mounted
 * such an overlay, and then config.json has it.
 */
static const char *find_sealed(const struct attach *attach, uint64_t id,
			       const struct mount_facts *facts)
{
	const struct mount_info *view, *layers;
	struct mount_infos infos;
	char top[PATH_MAX];
	size_t length;

	if (!string_equal(facts->type, "overlay") || !facts->read_only ||
	    place_path(attach->root->fd, top) < 0 || mount_info_read(attach->arena, &infos) < 0)
		return NULL;
	length = string_equal(top, "/") ? 0 : strlen(top);
	view = find_only(&infos, facts->device);
	if (!is_named_davit(view, "overlay") || strncmp(view->mount_point, top, length) != 0 ||
	    view->mount_point[length] != '/')
		return NULL;
	layers = mount_info_find(&infos, view->parent);
	if (!is_named_davit(layers, "tmpfs") || find_only(&infos, layers->device) != layers ||
	    !string_equal(view->mount_point, layers->mount_point) ||
	    is_overlay_of_config(attach, id, facts->device))
		return NULL;
	return view->mount_point + length;
}

/* ---- the decision ------------------------------------------------------------------------- */

static int decide(struct attach *attach, uint64_t id, const char *path, unsigned depth,
		  struct known_mount *ret);

/* Whether it is mounted on what is the container's own: else it came along with a volume. */
static int is_on_own(struct attach *attach, const struct mount_facts *facts, unsigned depth,
		     bool *ret)
{
	struct known_mount parent = {.kind = PLACE_SHARED};
	int r = depth == PARENTS_MAX ? 0 : decide(attach, facts->parent, "", depth + 1, &parent);

	*ret = parent.kind == PLACE_OWN;
	return r;
}

static int decide_by_spec(struct attach *attach, uint64_t id, const struct mount_facts *facts,
			  const char *path, unsigned depth, struct known_mount *ret)
{
	const struct oci_mount *bind;
	bool on_own = false;
	int r = 0;

	if (is_fresh(attach, id, facts, path))
		r = is_on_own(attach, facts, depth, &on_own);
	if (r < 0 || on_own) {
		ret->kind = PLACE_OWN;
		return r;
	}
	bind = find_bind(attach, id);
	ret->volume = bind ? bind->destination : NULL;
	if (!bind && is_nowhere_else(attach, facts))
		r = is_on_own(attach, facts, depth, &on_own);
	ret->kind = on_own                                          ? PLACE_OWN
		    : facts->read_only || (bind && bind->read_only) ? PLACE_READ_ONLY
								    : PLACE_VOLUME;
	return r;
}

/*
 * A launcher's /dev, which may be the host's, or lie on its session's tmpfs (Apptainer's
 * --contain). davit creates nothing in it, but the nodes are required, so the container gets a view
 * of it. This is correct only for /dev: writes to another volume must reach it.
 */
static bool is_dev(const struct attach *attach, uint64_t id)
{
	return leads_to(attach, "/dev", id);
}

static int decide_anew(struct attach *attach, uint64_t id, const char *path, unsigned depth,
		       struct known_mount *ret)
{
	struct mount_facts facts;
	int r = mount_facts_read(id, attach->arena, &facts);

	if (r < 0)
		return r;
	if (facts.shared) {
		const struct oci_mount *bind = attach->mounts ? find_bind(attach, id) : NULL;

		ret->kind = PLACE_SHARED;
		ret->volume = bind ? bind->destination : NULL;
		return 0;
	}
	ret->sealed = find_sealed(attach, id, &facts);
	if (ret->sealed || is_of_root(attach, &facts)) {
		ret->kind = PLACE_OWN;
		return 0;
	}
	if (attach->mounts)
		return decide_by_spec(attach, id, &facts, path, depth, ret);
	ret->kind = is_nowhere_else(attach, &facts)         ? PLACE_OWN
		    : facts.read_only || is_dev(attach, id) ? PLACE_READ_ONLY
							    : PLACE_VOLUME;
	return 0;
}

static int decide(struct attach *attach, uint64_t id, const char *path, unsigned depth,
		  struct known_mount *ret)
{
	const struct known_mount *known = find_known(attach, id);
	int r;

	if (known) {
		*ret = *known;
		return 0;
	}
	*ret = (struct known_mount){.id = id};
	r = decide_anew(attach, id, path, depth, ret);
	/* The parent of the container's first mount is out of sight. */
	if (r == -ENOENT && depth > 0) {
		ret->kind = PLACE_VOLUME;
		return 0;
	}
	return r < 0 ? r : know(attach, ret);
}

int place_inspect(struct attach *attach, int fd, const char *path, struct place *ret,
		  struct error *err)
{
	struct known_mount mount;
	int r;

	*ret = (struct place){.fd = fd, .path = path};
	r = fd_inspect(fd, attach->arena, &ret->st, &ret->mount);
	if (r == 0)
		r = decide(attach, ret->mount, path, 0, &mount);
	if (r == 0) {
		ret->kind = mount.kind;
		ret->volume = mount.volume;
		ret->sealed = mount.sealed;
	}
	return r < 0 ? error_errno(err, -r, "find what is mounted at %s in the container", path)
		     : 0;
}

bool place_is_in_own_proc(struct attach *attach, const struct place *place)
{
	struct mount_facts facts, parent;
	bool own = false;

	return mount_facts_read(place->mount, attach->arena, &facts) == 0 && !facts.shared &&
	       is_on_own(attach, &facts, 0, &own) == 0 && own &&
	       mount_facts_read(facts.parent, attach->arena, &parent) == 0 &&
	       string_equal(parent.type, "proc");
}

int place_refuse(const struct place *place, const char *path, struct error *err)
{
	const char *volume = place->volume ? place->volume : place->path;

	if (place->kind == PLACE_SHARED)
		return error_set(
			err, ERROR_BAD_REQUEST, EXDEV,
			"mount that volume at another path, or not as shared",
			"create %s in the container: it lies on the shared mount %s and would appear on the host",
			path, volume);
	return error_set(
		err, ERROR_BAD_REQUEST, EXDEV, "mount that volume at another path, or read-only",
		"create %s in the container: it lies in the volume %s, where davit creates nothing",
		path, volume);
}

int attach_begin(struct attach *attach, const struct root *root, const struct oci_mounts *mounts,
		 struct arena *arena, struct error *err)
{
	struct mount_facts *facts = &attach->root_mount;
	struct stat st;
	uint64_t id = 0;
	int r = -EAGAIN;

	*attach = (struct attach){.root = root, .mounts = mounts, .arena = arena, .dir_fd = -1};
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &attach->began);
	for (int tries = 0; tries < 2 && r == -EAGAIN; tries++) {
		r = fd_inspect(root->fd, arena, &st, &id);
		if (r == 0)
			r = mount_facts_read(id, arena, facts);
	}
	if (r == 0 && facts->shared) {
		r = mount_make_private(root->fd);
		/* A plain directory on a mount that others see: nothing can be put there. */
		if (r == -EINVAL)
			return know_as(attach, id, PLACE_SHARED, "/") < 0 ? error_memory(err) : 0;
	}
	if (r < 0)
		return error_errno(err, -r, "inspect the mount of the container's root %s",
				   root->path);
	return know_as(attach, id, PLACE_OWN, NULL) < 0 ? error_memory(err) : 0;
}
