// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "../inventory.h"

#define GRAPHICS (CAPABILITY_GRAPHICS | CAPABILITY_DISPLAY)

/*
 * Nodes that don't belong to one GPU. The minors are the driver's ABI (nvidia-modprobe has the
 * same).
 */
static const struct {
	const char *name;
	unsigned capabilities; /* any of them; 0: always */
	bool uvm;              /* the major is nvidia-uvm's, not nvidia's */
	unsigned minor;
	bool optional;
} control_nodes[] = {
	{"nvidiactl", 0, false, 255, false},
	{"nvidia-uvm", CAPABILITY_COMPUTE, true, 0, false},
	{"nvidia-uvm-tools", CAPABILITY_COMPUTE, true, 1, true},
	{"nvidia-modeset", GRAPHICS, false, 254, true},
};

static int stale(struct inventory *inv, const struct device_node *node, const struct stat *st)
{
	const char *dev = inv->roots->dev.path;

	if (!S_ISCHR(st->st_mode)) {
		error_set(inv->err, ERROR_NO_DRIVER, ENODEV, NULL,
			  "use %s/%s: it is not a character device", dev, node->name);
		return error_fix(inv->err, -ENODEV, "remove it and run `davit system prepare`");
	}
	error_set(inv->err, ERROR_NO_DRIVER, ENODEV, NULL,
		  "use %s/%s: it is device %u:%u, but the driver's is %u:%u", dev, node->name,
		  major(st->st_rdev), minor(st->st_rdev), node->major, node->minor);
	return error_fix(inv->err, -ENODEV,
			 "run `davit system prepare`, which replaces this node of an earlier boot");
}

/*
 * If `strict`, a node of that name with another number is an error. Otherwise it counts as absent.
 */
static int add_node(struct inventory *inv, const char *name, unsigned major, unsigned minor,
		    bool strict)
{
	struct device_node *node = ARENA_PUSH(inv->arena, &inv->driver->nodes);
	struct stat st;

	if (!node || !name)
		return error_memory(inv->err);
	*node = (struct device_node){.name = name, .major = major, .minor = minor};
	if (major == 0 || host_stat_node(&inv->roots->dev, name, &st) < 0)
		return 0;
	node->present = S_ISCHR(st.st_mode) && st.st_rdev == makedev(major, minor);
	return node->present || !strict ? 0 : stale(inv, node, &st);
}

int inventory_add_node(struct inventory *inv, const char *name, unsigned major, unsigned minor)
{
	return add_node(inv, name, major, minor, false);
}

int inventory_add_cap(struct inventory *inv, unsigned minor, const char *access)
{
	struct device_nodes *nodes = &inv->driver->nodes;
	int r = access ? add_node(inv, arena_printf(inv->arena, "nvidia-caps/nvidia-cap%u", minor),
				  inv->driver->majors.caps, minor, false)
		       : error_memory(inv->err);

	if (r == 0)
		nodes->items[nodes->count - 1].access = access;
	return r;
}

static int add_mig(struct inventory *inv, const struct gpu *gpu, size_t index)
{
	const struct mig_instance *mig = &gpu->mig.items[index];
	const char *path = arena_printf(inv->arena, "driver/nvidia/capabilities/gpu%u/mig/gi%u",
					gpu->minor, mig->gpu_instance);
	int r = path ? 0 : error_memory(inv->err);

	/* The compute instances of one GPU instance share its node. */
	if (r == 0 && (index == 0 || mig->gi_minor != mig[-1].gi_minor))
		r = inventory_add_cap(inv, mig->gi_minor,
				      arena_printf(inv->arena, "%s/access", path));
	if (r == 0)
		r = inventory_add_cap(
			inv, mig->ci_minor,
			arena_printf(inv->arena, "%s/ci%u/access", path, mig->compute_instance));
	return r;
}

static int add_gpu(struct inventory *inv, const struct gpu *gpu)
{
	int r = add_node(inv, arena_printf(inv->arena, "nvidia%u", gpu->minor),
			 inv->driver->majors.gpu, gpu->minor, false);

	for (size_t i = 0; r == 0 && i < gpu->mig.count; i++)
		r = add_mig(inv, gpu, i);
	return r;
}

int inventory_read_nodes(struct inventory *inv)
{
	const struct driver_majors *majors = &inv->driver->majors;
	struct device_node *node;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(control_nodes); i++) {
		unsigned wanted = control_nodes[i].capabilities;

		if (wanted && !(wanted & inv->capabilities))
			continue;
		r = add_node(inv, control_nodes[i].name,
			     control_nodes[i].uvm ? majors->uvm : majors->gpu,
			     control_nodes[i].minor, !inv->stale_allowed);
		if (r < 0)
			break;
		node = &inv->driver->nodes.items[inv->driver->nodes.count - 1];
		node->control = true;
		node->capabilities = wanted;
		node->optional = control_nodes[i].optional;
	}
	for (size_t i = 0; r == 0 && i < inv->driver->gpus.count; i++)
		r = add_gpu(inv, &inv->driver->gpus.items[i]);
	return r;
}
