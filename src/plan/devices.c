// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "builder.h"

/*
 * Read-only prevents a container's root from changing the mode or owner of the host's node. The
 * device itself can still be read and written.
 */
#define FLAGS_DEVICE (MOUNT_FLAG_RDONLY | MOUNT_FLAG_NOSUID | MOUNT_FLAG_NOEXEC)
#define DRM_MAJOR 226 /* Documentation/admin-guide/devices.txt */
#define GRAPHICS (CAPABILITY_GRAPHICS | CAPABILITY_DISPLAY)
#define LISTED_MAX 16 /* channels in a message */

void plan_add_node(struct builder *b, const struct device_node *node, const char *because,
		   bool required)
{
	const char *target = arena_printf(b->arena, "/dev/%s", node->name);
	struct operation *rule, *device;

	if (node->to_be_made) {
		because = arena_printf(b->arena, "%s; davit creates the node on the host first",
				       because);
		b->failed |= !because;
	}
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

void plan_need_node(struct builder *b, const char *name, const char *because, bool required)
{
	const struct device_node *node = name ? find_node(b->driver, name) : NULL;

	if (!name || !because) {
		b->failed = true;
		return;
	}
	if (node && node->present) {
		plan_add_node(b, node, because, required);
		return;
	}
	if (strings_add(b->arena, &b->plan->missing, name) < 0)
		b->failed = true;
	if (required && !b->absent)
		b->absent = name;
}

/* For nodes of the inventory, a missing number, or `optional`, has the meaning described there. */
static void need_node(struct builder *b, const struct device_node *node, const char *because)
{
	if (node->present) {
		plan_add_node(b, node, because, !node->optional);
		return;
	}
	if (strings_add(b->arena, &b->plan->missing, node->name) < 0)
		b->failed = true;
	if (!node->optional && !b->absent)
		b->absent = node->name;
}

/* ---- missing nodes ---------------------------------------------------------------------- */

/* "0, 1, ..." of the channels there are. */
static const char *list_channels(struct builder *b)
{
	struct strings channels = {0};

	for (size_t i = 0; i < b->driver->nodes.count; i++) {
		const struct device_node *node = &b->driver->nodes.items[i];
		const char *number;

		if (node->family != FAMILY_IMEX || !node->present)
			continue;
		number = channels.count == LISTED_MAX ? "..."
						      : arena_printf(b->arena, "%u", node->minor);
		if (!number || strings_add(b->arena, &channels, number) < 0)
			return NULL;
		if (channels.count > LISTED_MAX)
			break;
	}
	return strings_join(b->arena, &channels, ", ");
}

static int no_channel(struct builder *b, const struct device_node *node, struct error *err)
{
	const char *channels = list_channels(b);

	if (!channels)
		return error_memory(err);
	if (node->major == 0)
		return error_set(
			err, ERROR_UNKNOWN_DEVICE, ENODEV,
			"unset NVIDIA_IMEX_CHANNELS: this host has no NVLink domain",
			"add IMEX channel %u to the container: the driver has no IMEX channels",
			node->minor);
	error_set(err, ERROR_UNKNOWN_DEVICE, ENODEV, NULL,
		  "add IMEX channel %u to the container: the host has %s%s%s%s", node->minor,
		  *channels ? "channels " : "no channel", channels,
		  b->driver->repair_problem ? "; cannot " : "",
		  b->driver->repair_problem ? b->driver->repair_problem : "");
	return error_fix(err, -ENODEV, "%s",
			 *channels ? "choose one of them in NVIDIA_IMEX_CHANNELS"
				   : "run `nvidia-modprobe -i 0:1` on the host");
}

static int no_node(struct builder *b, struct error *err)
{
	const struct device_node *node = find_node(b->driver, b->absent);
	const char *problem = b->driver->repair_problem;

	if (node && node->family == FAMILY_IMEX)
		return no_channel(b, node, err);
	return error_set(err, ERROR_NO_DRIVER, ENODEV,
			 b->driver->repairable ? "run `davit system prepare` on the host"
					       : "run `davit doctor` and check host.platform",
			 "add /dev/%s to the container: the host has no such node%s%s", b->absent,
			 problem ? "; cannot " : "", problem ? problem : "");
}

/* ---- the driver's and the GPUs' --------------------------------------------------------- */

static void add_control_nodes(struct builder *b)
{
	for (size_t i = 0; i < b->driver->nodes.count; i++) {
		const struct device_node *node = &b->driver->nodes.items[i];
		unsigned wanted = node->capabilities;
		const char *because = "every GPU container";

		if (!node->control || (wanted && !(wanted & b->request->capabilities)))
			continue;
		if (wanted)
			because = wanted & CAPABILITY_COMPUTE ? "capability compute"
							      : "capability graphics or display";
		need_node(b, node, because);
	}
}

/* The links that udev's rules create. Some programs find devices by them. */
void plan_add_drm_link(struct builder *b, const char *bus_id, const char *name, const char *because)
{
	const char *leaf = name + strlen("dri/");
	const char *kind = string_starts(leaf, "card") ? "card" : "render";
	struct operation *link = plan_add(
		b, OPERATION_SYMLINK,
		arena_printf(b->arena, "/dev/dri/by-path/pci-%s-%s", bus_id, kind), because);

	link->text = arena_printf(b->arena, "../%s", leaf);
	link->required = false;
	b->failed |= !link->text;
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
		plan_add_node(b, &node, because, false);
		plan_add_drm_link(b, gpu->bus_id, node.name, because);
	}
}

/* Several GPUs may have a node in common. */
static bool is_another_gpus(const struct selection *selection, size_t end, const struct gpu *gpu,
			    const char *name)
{
	for (size_t i = 0; i < end; i++) {
		const struct strings *nodes = &selection->items[i].gpu->nodes;

		if (selection->items[i].gpu == gpu)
			break;
		if (strings_contain(nodes, name))
			return true;
	}
	return false;
}

/* A GPU's nodes are added once, also for several of its MIG instances. */
static void add_gpu(struct builder *b, const struct selection *selection, size_t index)
{
	const struct gpu *gpu = selection->items[index].gpu;
	const char *because = arena_printf(b->arena, "GPU %u (%s)", gpu->index,
					   strchr(gpu->uuid, '?') && b->driver->nvml_optional
						   ? "only NVML knows its UUID"
						   : gpu->uuid);

	for (size_t i = 0; because && i < gpu->nodes.count; i++) {
		const struct device_node *node = find_node(b->driver, gpu->nodes.items[i]);

		if (node && !is_another_gpus(selection, index, gpu, node->name))
			need_node(b, node, because);
	}
	b->failed |= !because;
	if (because && (b->request->capabilities & GRAPHICS))
		add_drm_nodes(b, gpu, because);
}

static void add_mig(struct builder *b, const struct selected_device *device, bool new_instance)
{
	const struct mig_instance *mig = device->mig;
	const char *because = arena_printf(
		b->arena, "MIG gpu instance %u, compute instance %u of GPU %u%s%s%s",
		mig->gpu_instance, mig->compute_instance, device->gpu->index, mig->uuid ? " (" : "",
		mig->uuid ? mig->uuid : "", mig->uuid ? ")" : "");

	if (new_instance)
		plan_need_node(b, arena_printf(b->arena, "nvidia-caps/nvidia-cap%u", mig->gi_minor),
			       because, true);
	plan_need_node(b, arena_printf(b->arena, "nvidia-caps/nvidia-cap%u", mig->ci_minor),
		       because, true);
}

int plan_add_devices(struct builder *b, const struct selection *selection, struct error *err)
{
	const struct selected_device *last = NULL;
	int r;

	add_control_nodes(b);
	for (size_t i = 0; i < selection->count; i++) {
		const struct selected_device *device = &selection->items[i];
		bool new_gpu = !last || last->gpu != device->gpu;

		if (new_gpu)
			add_gpu(b, selection, i);
		if (device->mig)
			add_mig(b, device,
				new_gpu || !last->mig ||
					last->mig->gpu_instance != device->mig->gpu_instance);
		last = device;
	}
	r = plan_add_families(b, err);
	if (r == 0 && b->failed)
		r = error_memory(err);
	return r == 0 && b->absent ? no_node(b, err) : r;
}
