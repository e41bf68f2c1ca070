// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "builder.h"

/*
 * Read-only keeps a container's root from changing mode or owner of the host's node; reading and
 * writing the device itself is not affected.
 */
#define FLAGS_DEVICE (MOUNT_FLAG_RDONLY | MOUNT_FLAG_NOSUID | MOUNT_FLAG_NOEXEC)
#define DRM_MAJOR 226 /* Documentation/admin-guide/devices.txt */

static const struct {
	const char *name;
	unsigned capabilities; /* any of them; 0: always */
	bool required;
} control_nodes[] = {
	{"nvidiactl",        0,					true },
	{"nvidia-uvm",       CAPABILITY_COMPUTE,                       true },
	{"nvidia-uvm-tools", CAPABILITY_COMPUTE,                       false},
	{"nvidia-modeset",   CAPABILITY_GRAPHICS | CAPABILITY_DISPLAY, false},
};

static void add_node(struct builder *b, const struct device_node *node, const char *because,
		     bool required)
{
	const char *target = arena_printf(b->arena, "/dev/%s", node->name);
	struct operation *rule, *device;

	rule = plan_add(b, OPERATION_DEVICE_RULE, target, because);
	rule->major = node->major;
	rule->minor = node->minor;
	rule->required = required;
	device = plan_add(b, OPERATION_DEVICE, target, because);
	device->tree = TREE_DEV;
	device->source = node->name;
	device->major = node->major;
	device->minor = node->minor;
	device->flags = FLAGS_DEVICE;
	device->required = required;
}

static const struct device_node *find_node(const struct driver *driver, const char *name)
{
	for (size_t i = 0; i < driver->nodes.count; i++)
		if (strcmp(driver->nodes.items[i].name, name) == 0)
			return &driver->nodes.items[i];
	return NULL;
}

static int no_node(const char *name, const char *module, struct error *err)
{
	error_set(err, ERROR_NO_DRIVER, ENODEV, NULL,
		  "give the container /dev/%s: the host has no such node", name);
	return error_fix(err, -ENODEV, "run `modprobe %s` and `nvidia-modprobe -c 0 -u`", module);
}

static int add_control_nodes(struct builder *b, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(control_nodes); i++) {
		const char *name = control_nodes[i].name, *because = "every GPU container";
		unsigned wanted = control_nodes[i].capabilities;
		const struct device_node *node = find_node(b->driver, name);

		if (wanted && !(wanted & b->request->capabilities))
			continue;
		if (wanted)
			because = wanted & CAPABILITY_COMPUTE ? "capability compute"
							      : "capability graphics or display";
		if (node && node->present)
			add_node(b, node, because, control_nodes[i].required);
		else if (control_nodes[i].required)
			return no_node(name, wanted ? name : "nvidia", err);
	}
	return 0;
}

/* "dri/card1", "dri/renderD128": the number is the minor. */
static void add_drm_nodes(struct builder *b, const struct gpu *gpu, const char *because)
{
	for (size_t i = 0; i < gpu->drm_nodes.count; i++) {
		struct device_node node = {.name = gpu->drm_nodes.items[i], .major = DRM_MAJOR};
		const char *digits = node.name + strcspn(node.name, "0123456789");
		uint64_t minor;

		if (parse_number(digits, strlen(digits), 10, UINT16_MAX, &minor) < 0)
			continue;
		node.minor = (unsigned)minor;
		add_node(b, &node, because, false);
	}
}

/* A GPU is needed once, however many of its MIG instances are given. */
static int add_gpu(struct builder *b, const struct gpu *gpu, struct error *err)
{
	const char *name = arena_printf(b->arena, "nvidia%u", gpu->minor);
	const char *because = arena_printf(b->arena, "GPU %u (%s)", gpu->index, gpu->uuid);
	const struct device_node *node;

	if (!name || !because)
		return error_memory(err);
	node = find_node(b->driver, name);
	if (!node || !node->present)
		return no_node(name, "nvidia", err);
	add_node(b, node, because, true);
	if (b->request->capabilities & (CAPABILITY_GRAPHICS | CAPABILITY_DISPLAY))
		add_drm_nodes(b, gpu, because);
	return 0;
}

static int add_cap(struct builder *b, unsigned minor, const char *because, struct error *err)
{
	const char *name = arena_printf(b->arena, "nvidia-caps/nvidia-cap%u", minor);
	const struct device_node *node = name ? find_node(b->driver, name) : NULL;

	if (!name || !because)
		return error_memory(err);
	if (!node || !node->present)
		return no_node(name, "nvidia", err);
	add_node(b, node, because, true);
	return 0;
}

static int add_mig(struct builder *b, const struct selected_device *device, bool new_instance,
		   struct error *err)
{
	const struct mig_instance *mig = device->mig;
	const char *because =
		arena_printf(b->arena, "MIG gpu instance %u, compute instance %u of GPU %u",
			     mig->gpu_instance, mig->compute_instance, device->gpu->index);
	int r = new_instance ? add_cap(b, mig->gi_minor, because, err) : 0;

	return r < 0 ? r : add_cap(b, mig->ci_minor, because, err);
}

int plan_add_devices(struct builder *b, const struct selection *selection, struct error *err)
{
	const struct selected_device *last = NULL;
	int r = add_control_nodes(b, err);

	for (size_t i = 0; r == 0 && i < selection->count; i++) {
		const struct selected_device *device = &selection->items[i];
		bool new_gpu = !last || last->gpu != device->gpu;

		if (new_gpu)
			r = add_gpu(b, device->gpu, err);
		if (r == 0 && device->mig)
			r = add_mig(b, device,
				    new_gpu || !last->mig ||
					    last->mig->gpu_instance != device->mig->gpu_instance,
				    err);
		last = device;
	}
	return r;
}

void plan_add_mig_capability(struct builder *b, const struct selected_device *device)
{
	const char *path =
		arena_printf(b->arena, "capabilities/gpu%u/mig/gi%u/ci%u", device->gpu->minor,
			     device->mig->gpu_instance, device->mig->compute_instance);

	if (!path || strings_add(b->arena, &b->plan->proc_mask.capabilities, path) < 0)
		b->failed = true;
}
