// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "inventory.h"

#define GRAPHICS (CAPABILITY_GRAPHICS | CAPABILITY_DISPLAY)

/* The nodes that aren't of one GPU. The minors are the driver's ABI (nvidia-modprobe has them). */
static const struct {
	const char *name;
	unsigned capabilities; /* any of them; 0: always */
	bool uvm;              /* whose major: nvidia-uvm's, else nvidia's */
	unsigned minor;
} control_nodes[] = {
	{"nvidiactl",        0,                  false, 255},
	{"nvidia-modeset",   GRAPHICS,           false, 254},
	{"nvidia-uvm",       CAPABILITY_COMPUTE, true,  0  },
	{"nvidia-uvm-tools", CAPABILITY_COMPUTE, true,  1  },
};

/*
 * What the node is: no look at what it leads to but by stat, since opening one wakes a GPU. One
 * call for the usual node; a link (of /dev/dri's kind) is worth the resolver.
 */
static int stat_node(const struct root *dev, const char *name, struct stat *ret)
{
	if (fstatat(dev->fd, name, ret, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISLNK(ret->st_mode) ? root_stat(dev, name, 0, ret) : 0;
}

/* A node of that name with another number is an error when `strict`, else only not present. */
static int add_node(struct inventory *inv, const char *name, unsigned major, unsigned minor,
		    bool strict)
{
	struct device_node *node = ARENA_PUSH(inv->arena, &inv->driver->nodes);
	struct stat st;

	if (!node || !name)
		return error_memory(inv->err);
	*node = (struct device_node){.name = name, .major = major, .minor = minor};
	if (major == 0 || stat_node(&inv->roots->dev, name, &st) < 0)
		return 0;
	node->present = S_ISCHR(st.st_mode) && st.st_rdev == makedev(major, minor);
	if (node->present || !strict)
		return 0;
	if (!S_ISCHR(st.st_mode))
		error_set(inv->err, ERROR_NO_DRIVER, ENODEV, NULL,
			  "use %s/%s: it is no character device", inv->roots->dev.path, name);
	else
		error_set(inv->err, ERROR_NO_DRIVER, ENODEV, NULL,
			  "use %s/%s: it is device %u:%u, but the driver's is %u:%u",
			  inv->roots->dev.path, name, major(st.st_rdev), minor(st.st_rdev), major,
			  minor);
	return error_fix(inv->err, -ENODEV,
			 "it is left over from an earlier boot: remove %s/%s and run "
			 "`nvidia-modprobe -c 0 -u`",
			 inv->roots->dev.path, name);
}

static int add_cap(struct inventory *inv, unsigned minor)
{
	return add_node(inv, arena_printf(inv->arena, "nvidia-caps/nvidia-cap%u", minor),
			inv->driver->majors.caps, minor, false);
}

/* Whoever may configure or watch MIG opens these two. */
static int add_mig_control(struct inventory *inv, const char *path)
{
	unsigned minor;
	int r = inventory_read_cap(inv, path, &minor);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return error_errno(inv->err, -r, "read %s/%s", inv->roots->proc.path, path);
	return add_cap(inv, minor);
}

static int add_gpu(struct inventory *inv, const struct gpu *gpu)
{
	int r = add_node(inv, arena_printf(inv->arena, "nvidia%u", gpu->minor),
			 inv->driver->majors.gpu, gpu->minor, false);

	for (size_t i = 0; r == 0 && i < gpu->mig.count; i++) {
		/* The compute instances of one GPU instance share its node. */
		if (i == 0 || gpu->mig.items[i].gi_minor != gpu->mig.items[i - 1].gi_minor)
			r = add_cap(inv, gpu->mig.items[i].gi_minor);
		if (r == 0)
			r = add_cap(inv, gpu->mig.items[i].ci_minor);
	}
	return r;
}

int inventory_read_nodes(struct inventory *inv)
{
	const struct driver_majors *majors = &inv->driver->majors;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(control_nodes); i++) {
		unsigned wanted = control_nodes[i].capabilities;

		if (!wanted || (wanted & inv->capabilities))
			r = add_node(inv, control_nodes[i].name,
				     control_nodes[i].uvm ? majors->uvm : majors->gpu,
				     control_nodes[i].minor, true);
	}
	for (size_t i = 0; r == 0 && i < inv->driver->gpus.count; i++)
		r = add_gpu(inv, &inv->driver->gpus.items[i]);
	if (r == 0 && majors->caps) {
		r = add_mig_control(inv, "driver/nvidia/capabilities/mig/config");
		if (r == 0)
			r = add_mig_control(inv, "driver/nvidia/capabilities/mig/monitor");
	}
	return r;
}
