// SPDX-License-Identifier: Apache-2.0
/*
 * Predicts where a container's paths will lie after its runtime has made config.json's mounts. The
 * runtime makes them in their order, and resolves each destination at that moment. A tree of the
 * visited directories records what is mounted on which. The image is inspected one component at a
 * time, and the kernel follows no link.
 */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "davit/image.h"

#define LINKS_MAX 40 /* as the kernel's MAXSYMLINKS */
#define DEPTH_MAX 128
#define STEPS_MAX 4000000 /* for all walks together; beyond it, the result is uncertain */
#define BUCKETS_MIN ((size_t)256)

enum node_kind {
	NODE_DIRECTORY, /* in the image, and can be read */
	NODE_FILE,
	NODE_LINK,
	NODE_MISSING, /* nothing exists there or beneath */
	NODE_FRESH,   /* in a mount that begins empty, or with the kernel's own files */
	NODE_UNKNOWN, /* in a volume, whose content isn't read; or unreadable */
};

/* A place in the root. If `mount` differs from the parent's, the top of a mount. */
struct image_node {
	struct image_node *parent; /* for the top of a mount: the parent of the place it covers */
	const char *name;
	uint8_t length;   /* of the name */
	uint8_t kind;     /* enum node_kind; one of these for each of config.json's mounts: small */
	const char *link; /* its text */
	const struct oci_mount
		*mount;             /* the mount that contains it; NULL: the container's own root */
	struct image_node *top;     /* the top of the mount on it */
	struct image_node *covered; /* for a place in a fresh mount: the image's place there */
	struct image_node *next;    /* in its bucket */
};

/* A walk: the rest of the path, at the end of its buffer, and the places found so far. */
struct walk {
	struct image_volumes *volumes;
	struct image_node *at;
	char room[2 * PATH_MAX];
	const char *rest;
	unsigned links;
	bool follow_last;
	bool mounting; /* the last component may be a mount already */
	bool uncertain;
	bool broken; /* it was aborted */
};

void image_volumes_close(struct image_volumes *volumes)
{
	fd_close(&volumes->fd);
}

bool image_mount_is_volume(const struct oci_mount *mount)
{
	/* What is new in each container, and shows nothing of the host's files. */
	static const char *const fresh[] = {
		"tmpfs", "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2",
	};

	for (size_t i = 0; !mount->bind && i < ARRAY_SIZE(fresh); i++)
		if (strcmp(mount->type, fresh[i]) == 0)
			return false;
	return true;
}

/* ---- the tree --------------------------------------------------------------------------- */

static struct image_node **bucket_of(const struct image_volumes *volumes,
				     const struct image_node *parent, const char *name,
				     size_t length)
{
	uint64_t hash = (uint64_t)(uintptr_t)parent * UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (unsigned char)name[i]) * UINT64_C(0x100000001b3);
	return &volumes->buckets[(hash ^ hash >> 32) & (volumes->bucket_count - 1)];
}

/* Opens a directory of the image, from the one that is open or from the root down. fd or -errno. */
static int open_directory(struct image_volumes *volumes, struct image_node *node)
{
	struct image_node *chain[DEPTH_MAX];
	size_t depth = 0;

	if (volumes->fd >= 0 && volumes->open == node)
		return volumes->fd;
	for (struct image_node *up = node; up->parent && !(volumes->fd >= 0 && volumes->open == up);
	     up = up->parent) {
		if (depth == DEPTH_MAX)
			return -ENAMETOOLONG;
		chain[depth++] = up;
	}
	if (depth == 0)
		return volumes->root->fd;
	if (chain[depth - 1]->parent != volumes->open)
		fd_close(&volumes->fd);
	while (depth > 0) {
		int above = volumes->fd >= 0 ? volumes->fd : volumes->root->fd;
		AUTO_FD fd = openat(above, chain[depth - 1]->name,
				    O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			return -errno;
		fd_close(&volumes->fd);
		volumes->fd = fd_take(&fd);
		volumes->open = chain[--depth];
	}
	return volumes->fd;
}

static int read_link(struct image_volumes *volumes, int dir_fd, struct image_node *node)
{
	char text[PATH_MAX];
	ssize_t length = readlinkat(dir_fd, node->name, text, sizeof(text));

	if (length <= 0 || (size_t)length == sizeof(text))
		return 0;
	node->link = arena_strndup(volumes->arena, text, (size_t)length);
	node->kind = NODE_LINK;
	return node->link ? 0 : -ENOMEM;
}

/* Reads the image's files. Nothing is known below a mount that config.json doesn't name. */
static int inspect_node(struct image_volumes *volumes, struct image_node *node)
{
	int dir_fd = open_directory(volumes, node->parent);
	struct stat st;

	node->kind = NODE_UNKNOWN;
	if (dir_fd < 0)
		return 0;
	if (fstatat(dir_fd, node->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			node->kind = NODE_MISSING;
		return 0;
	}
	if (S_ISLNK(st.st_mode))
		return read_link(volumes, dir_fd, node);
	if (!S_ISDIR(st.st_mode))
		node->kind = NODE_FILE;
	else if (st.st_dev == volumes->device)
		node->kind = NODE_DIRECTORY;
	return 0;
}

static int find_child(struct image_volumes *volumes, struct image_node *parent, const char *name,
		      size_t length, struct image_node **ret)
{
	struct image_node **bucket = bucket_of(volumes, parent, name, length);
	struct image_node *node = *bucket;
	int r = 0;

	while (node && (node->parent != parent || node->length != length ||
			memcmp(node->name, name, length) != 0))
		node = node->next;
	*ret = node;
	if (node)
		return 0;
	node = arena_alloc(volumes->arena, sizeof(*node));
	if (!node)
		return -ENOMEM;
	*node = (struct image_node){
		.parent = parent,
		.name = arena_strndup(volumes->arena, name, length),
		.length = (uint8_t)length,
		.kind = parent->kind == NODE_FILE ? (uint8_t)NODE_MISSING : parent->kind,
		.mount = parent->mount,
	};
	if (!node->name)
		return -ENOMEM;
	if (parent->kind == NODE_DIRECTORY)
		r = inspect_node(volumes, node);
	else if (parent->covered && parent->covered->kind == NODE_DIRECTORY)
		r = find_child(volumes, parent->covered, name, length, &node->covered);
	if (r < 0)
		return r;
	/* Only now: what it covers may have come into the same bucket. */
	node->next = *bucket;
	*bucket = *ret = node;
	return 0;
}

/* ---- the walk --------------------------------------------------------------------------- */

static void enter_mounts(struct walk *walk)
{
	while (walk->at->top)
		walk->at = walk->at->top;
}

static void to_root(struct walk *walk)
{
	walk->at = walk->volumes->top;
	enter_mounts(walk);
}

static void go_up(struct walk *walk)
{
	/* The target of a ".." in an unread directory is unknown. */
	if (walk->at->kind == NODE_UNKNOWN && walk->at->parent &&
	    walk->at->mount == walk->at->parent->mount)
		walk->uncertain = true;
	if (walk->at->parent)
		walk->at = walk->at->parent;
	enter_mounts(walk);
}

/* Puts text before what is left of the path. */
static void put_before(struct walk *walk, const char *text)
{
	size_t length = strlen(text), left = (size_t)(walk->rest - walk->room);

	if (length + 1 > left) {
		walk->uncertain = walk->broken = true;
		walk->rest = walk->room + sizeof(walk->room) - 1;
		return;
	}
	walk->rest -= length + 1;
	memcpy(walk->room + left - length - 1, text, length);
	walk->room[left - 1] = '/';
}

static void follow(struct walk *walk, const struct image_node *link)
{
	if (++walk->links > LINKS_MAX) {
		walk->uncertain = walk->broken = true;
		walk->rest = walk->room + sizeof(walk->room) - 1;
		return;
	}
	put_before(walk, link->link ? link->link : "");
	if (link->link && link->link[0] == '/')
		to_root(walk);
}

static int step(struct walk *walk, const char *name, size_t length)
{
	bool last = walk->rest[strspn(walk->rest, "/")] == '\0';
	struct image_node *child;
	int r;

	if (length == 1 && name[0] == '.')
		return 0;
	if (length == 2 && memcmp(name, "..", 2) == 0) {
		go_up(walk);
		return 0;
	}
	r = find_child(walk->volumes, walk->at, name, length, &child);
	if (r < 0)
		return r;
	/* A mount at the place counts before the image's file: a link may have been replaced. */
	if (child->kind == NODE_LINK && !child->top) {
		if (!last || walk->follow_last)
			follow(walk, child);
		else
			walk->at = child;
		return 0;
	}
	/* Some runtimes copy what the image has into a fresh tmpfs. */
	if (child->covered && child->covered->kind == NODE_LINK)
		walk->uncertain = true;
	/* In the root's own part it is a mount that config.json doesn't name, or out of reach. */
	if (child->kind == NODE_UNKNOWN && !child->mount && !child->top &&
	    !(walk->mounting && last))
		walk->uncertain = true;
	walk->at = child;
	enter_mounts(walk);
	return 0;
}

static int walk_path(struct walk *walk, const char *path)
{
	int r = 0;

	walk->rest = walk->room + sizeof(walk->room) - 1;
	put_before(walk, path);
	walk->uncertain |= strlen(path) >= PATH_MAX;
	to_root(walk);
	while (r == 0) {
		const char *name = walk->rest + strspn(walk->rest, "/");
		size_t length = strcspn(name, "/");

		if (length == 0)
			break;
		if (length > NAME_MAX || ++walk->volumes->steps > STEPS_MAX) {
			walk->uncertain = walk->broken = true;
			break;
		}
		walk->rest = name + length;
		r = step(walk, name, length);
	}
	return r;
}

/* ---- config.json's mounts --------------------------------------------------------------- */

static bool has_dot_dot(const char *path)
{
	struct slice rest = slice_from(path), name;

	while (slice_next(&rest, '/', &name))
		if (slice_equal(name, ".."))
			return true;
	return false;
}

/*
 * Adds a mount at the current place of its destination. Through a volume, the place is unknown: the
 * volume may contain links to any path of the root, and so may the mount.
 */
static int add_mount(struct image_volumes *volumes, const struct oci_mount *mount)
{
	struct walk walk = {.volumes = volumes, .follow_last = true, .mounting = true};
	struct image_node *top;
	int r;

	if (!*mount->destination)
		return 0; /* the runtime will refuse it */
	r = walk_path(&walk, mount->destination);
	if (r < 0)
		return r;
	/* In a root that is already mounted, the file directly in it is this one. */
	volumes->uncertain |= walk.uncertain || has_dot_dot(mount->destination) ||
			      (walk.at->kind == NODE_UNKNOWN && walk.at->parent &&
			       walk.at->parent->kind != NODE_DIRECTORY &&
			       walk.at->parent->mount == walk.at->mount);
	if (walk.broken)
		return 0;
	top = arena_alloc(volumes->arena, sizeof(*top));
	if (!top)
		return -ENOMEM;
	*top = (struct image_node){
		.parent = walk.at->parent,
		.name = walk.at->name,
		.length = walk.at->length,
		.kind = image_mount_is_volume(mount) ? NODE_UNKNOWN : NODE_FRESH,
		.mount = mount,
		.covered = walk.at->covered ? walk.at->covered : walk.at,
	};
	walk.at->top = top;
	return 0;
}

static int prepare(struct image_volumes *volumes)
{
	const struct oci_mounts *mounts = volumes->mounts;
	struct stat st;
	int r = 0;

	volumes->bucket_count = BUCKETS_MIN;
	while (volumes->bucket_count < mounts->count * 2)
		volumes->bucket_count *= 2;
	volumes->buckets =
		arena_alloc(volumes->arena, volumes->bucket_count * sizeof(struct image_node *));
	volumes->top = arena_alloc(volumes->arena, sizeof(*volumes->top));
	if (!volumes->buckets || !volumes->top)
		return -ENOMEM;
	*volumes->top = (struct image_node){.kind = NODE_DIRECTORY, .name = ""};
	if (fstat(volumes->root->fd, &st) < 0)
		return -errno;
	volumes->device = st.st_dev;
	for (size_t i = 0; r == 0 && i < mounts->count; i++)
		r = add_mount(volumes, &mounts->items[i]);
	return r;
}

/* ---- the answer ------------------------------------------------------------------------- */

static bool is_in_image(const struct image_node *node)
{
	return !node->mount && node->kind != NODE_MISSING && node->kind != NODE_UNKNOWN;
}

/*
 * The path of a node without links, the length of its existing part, and of its part up to its
 * mount.
 */
static const char *path_of(const struct image_node *node, struct arena *arena,
			   struct image_place *ret)
{
	char path[PATH_MAX];
	size_t at = sizeof(path) - 1, existing = 0, mount = 0;

	path[at] = '\0';
	for (const struct image_node *up = node; up->parent; up = up->parent) {
		if ((size_t)up->length + 1 > at)
			return NULL;
		if (!existing && is_in_image(up))
			existing = at;
		if (node->mount && up->mount == node->mount)
			mount = at;
		at -= up->length;
		memcpy(path + at, up->name, up->length);
		path[--at] = '/';
	}
	ret->existing = existing ? existing - at : !node->parent && is_in_image(node);
	ret->mount_length = mount ? mount - at : 0;
	return arena_strdup(arena, path[at] ? path + at : "/");
}

int image_find_place(struct image_volumes *volumes, const char *path, bool follow_last,
		     struct image_place *ret)
{
	struct walk walk = {.volumes = volumes, .at = volumes->top, .follow_last = follow_last};
	int r = volumes->top ? 0 : prepare(volumes);

	if (r == 0)
		r = walk_path(&walk, path);
	if (r < 0 || !walk.at)
		return r;
	*ret = (struct image_place){
		.mount = walk.at->mount,
		.uncertain = walk.uncertain || volumes->uncertain,
	};
	ret->path = path_of(walk.at, volumes->arena, ret);
	if (!ret->path) { /* longer than any path: the runtime will refuse it */
		ret->path = path;
		ret->existing = 0;
		ret->uncertain = true;
	}
	return 0;
}

bool image_place_is_volume(const struct image_place *place)
{
	return place->uncertain || (place->mount && image_mount_is_volume(place->mount));
}
