// SPDX-License-Identifier: Apache-2.0
/* Creates device nodes as the driver's own tools do. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "prepare.h"

/* Owner and mode of a node. */
struct attributes {
	bool allowed;
	uid_t uid;
	gid_t gid;
	mode_t mode;
};

static bool read_value(const char *text, const char *key, uint64_t max, uint64_t *ret)
{
	struct slice value = host_value(text, key);

	return parse_number(value.data, value.length, 10, max, ret) == 0;
}

/* From /proc/driver/nvidia/params. Without that file, the documented defaults apply. */
static void read_params(const char *params, struct attributes *ret)
{
	uint64_t number;

	*ret = (struct attributes){.allowed = true, .mode = 0666};
	if (!params)
		return;
	if (read_value(params, "ModifyDeviceFiles", UINT32_MAX, &number))
		ret->allowed = number != 0;
	if (read_value(params, "DeviceFileUID", UINT32_MAX - 1, &number))
		ret->uid = (uid_t)number;
	if (read_value(params, "DeviceFileGID", UINT32_MAX - 1, &number))
		ret->gid = (gid_t)number;
	if (read_value(params, "DeviceFileMode", 0777, &number))
		ret->mode = (mode_t)number;
}

/* From a capability's file. It names no owner, so the owner is root. */
static void read_access(const char *text, struct attributes *ret)
{
	uint64_t number;

	*ret = (struct attributes){.allowed = true, .mode = 0400};
	if (read_value(text, "DeviceFileModify", UINT32_MAX, &number))
		ret->allowed = number != 0;
	if (read_value(text, "DeviceFileMode", 0777, &number))
		ret->mode = (mode_t)number;
}

static int read_attributes(struct inventory *inv, const struct device_node *node,
			   struct attributes *ret)
{
	char *text;
	int r;

	if (!node->access) {
		read_params(inv->driver->proc_params, ret);
		return 0;
	}
	r = host_read_text(&inv->roots->proc, node->access, inv->arena, &text);
	if (r < 0)
		return error_errno(inv->err, -r, "read %s/%s", inv->roots->proc.path, node->access);
	read_access(text, ret);
	return 0;
}

/* Why the driver doesn't allow or support the node, or NULL. */
static const char *objection(struct inventory *inv, const struct device_node *node,
			     const struct attributes *attributes)
{
	uint64_t channels;

	if (node->major == 0)
		return "its module has no device numbers";
	if (!attributes->allowed)
		return node->access ? "DeviceFileModify is 0" : "ModifyDeviceFiles is 0";
	if (node->family == FAMILY_IMEX && inv->driver->proc_params &&
	    read_value(inv->driver->proc_params, "ImexChannelCount", UINT32_MAX, &channels) &&
	    node->minor >= channels)
		return "the driver has fewer channels";
	return NULL;
}

/* Opens the node's directory, and creates it if it is missing. fd or -errno. */
static int open_parent(const struct root *dev, const char *name, const char **ret_leaf)
{
	char parent[NAME_MAX + 1];
	const char *slash = strchr(name, '/');

	*ret_leaf = slash ? slash + 1 : name;
	if (!slash)
		return root_openat(dev, ".", O_PATH | O_DIRECTORY);
	if ((size_t)(slash - name) >= sizeof(parent))
		return -ENAMETOOLONG;
	memcpy(parent, name, (size_t)(slash - name));
	parent[slash - name] = '\0';
	if (mkdirat(dev->fd, parent, 0755) < 0 && errno != EEXIST)
		return -errno;
	return root_openat(dev, parent, O_PATH | O_DIRECTORY);
}

/* Until the node has its owner and mode, only root can open it. */
static int put_node(int dir_fd, const char *leaf, dev_t number, const struct attributes *attributes)
{
	if (mknodat(dir_fd, leaf, S_IFCHR | 0600, number) < 0)
		return errno == EEXIST ? 0 : -errno; /* another hook has just created it */
	if (fchownat(dir_fd, leaf, attributes->uid, attributes->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(dir_fd, leaf, attributes->mode, 0) < 0)
		return -errno;
	return 0;
}

/*
 * Removes a character device of that name, whose number is wrong. 1: removed; 0: none exists;
 * -EEXIST: another file; or -errno.
 */
static int remove_stale(int dir_fd, const char *leaf)
{
	struct stat st;

	if (fstatat(dir_fd, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISCHR(st.st_mode))
		return -EEXIST;
	return unlinkat(dir_fd, leaf, 0) < 0 ? -errno : 1;
}

static bool exists(struct inventory *inv, const struct device_node *node)
{
	struct stat st;

	return host_stat_node(&inv->roots->dev, node->name, &st) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(node->major, node->minor);
}

static int make(struct inventory *inv, struct device_node *node,
		const struct attributes *attributes, bool replace)
{
	const char *leaf;
	AUTO_FD dir_fd = open_parent(&inv->roots->dev, node->name, &leaf);
	int r = dir_fd < 0 ? dir_fd : 0, removed = 0;

	if (r == 0 && replace)
		r = removed = remove_stale(dir_fd, leaf);
	if (r >= 0)
		r = put_node(dir_fd, leaf, makedev(node->major, node->minor), attributes);
	if (r == 0 && !exists(inv, node))
		r = -EEXIST;
	if (r < 0)
		return error_errno(inv->err, -r, "create %s/%s", inv->roots->dev.path, node->name);
	node->present = true;
	return removed ? 2 : 1;
}

int inventory_make_node(struct inventory *inv, struct device_node *node, bool replace)
{
	struct attributes attributes = {0};
	const char *why;
	int r;

	if (node->present)
		return 0;
	r = read_attributes(inv, node, &attributes);
	if (r < 0)
		return r;
	why = objection(inv, node, &attributes);
	if (why)
		return error_set(inv->err, ERROR_NO_DRIVER, EOPNOTSUPP, NULL, "create %s/%s: %s",
				 inv->roots->dev.path, node->name, why);
	if (inv->pretend) {
		node->present = node->to_be_made = true;
		return 0;
	}
	r = make(inv, node, &attributes, replace);
	if (r > 0)
		log_line(LOG_LEVEL_INFO, "created %s/%s (c %u:%u)", inv->roots->dev.path,
			 node->name, node->major, node->minor);
	return r;
}
