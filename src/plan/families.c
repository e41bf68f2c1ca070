// SPDX-License-Identifier: Apache-2.0
/* Devices other than GPUs, and the files that belong to devices. */
#include <string.h>

#include "builder.h"

#define FLAGS_DATA (MOUNT_FLAG_RDONLY | MOUNT_FLAG_NOSUID | MOUNT_FLAG_NODEV | MOUNT_FLAG_NOEXEC)

static const struct {
	unsigned family;
	const char *because;
} found_by_name[] = {
	{FAMILY_GDS, "GPUDirect Storage (NVIDIA_GDS)"},
	{FAMILY_MOFED, "InfiniBand (NVIDIA_MOFED)"},
	{FAMILY_GDRCOPY, "GDRCopy (NVIDIA_GDRCOPY)"},
	{FAMILY_NVSWITCH, "NVSwitch (NVIDIA_NVSWITCH)"},
};

static bool is_requested(const struct gpu_request *request, unsigned family)
{
	switch (family) {
	case FAMILY_GDS:
		return request->gds;
	case FAMILY_MOFED:
		return request->mofed;
	case FAMILY_GDRCOPY:
		return request->gdrcopy;
	case FAMILY_NVSWITCH:
		return request->nvswitch;
	default:
		return false;
	}
}

static const struct device_node *find_family(const struct driver *driver, unsigned family)
{
	for (size_t i = 0; i < driver->nodes.count; i++)
		if (driver->nodes.items[i].family == family)
			return &driver->nodes.items[i];
	return NULL;
}

/* ---- MIG's config and monitor ----------------------------------------------------------- */

static int add_mig_control(struct builder *b, unsigned family, struct error *err)
{
	const struct device_node *node = find_family(b->driver, family);
	bool config = family == FAMILY_MIG_CONFIG;

	if (!node && b->request->management)
		return 0;
	if (!node)
		return error_set(err, ERROR_UNKNOWN_DEVICE, ENODEV,
				 config ? "unset NVIDIA_MIG_CONFIG_DEVICES"
					: "unset NVIDIA_MIG_MONITOR_DEVICES",
				 "add MIG's %s device to the container: this driver has none",
				 config ? "config" : "monitor");
	/* Drivers without nvidia-caps only check the file in /proc. */
	if (b->driver->majors.caps)
		plan_need_node(b, node->name,
			       config ? "MIG's config device (NVIDIA_MIG_CONFIG_DEVICES)"
				      : "MIG's monitor device (NVIDIA_MIG_MONITOR_DEVICES)",
			       true);
	return 0;
}

static void add_capability(struct builder *b, struct strings *list, const char *path)
{
	if (!path || strings_add(b->arena, list, path) < 0)
		b->failed = true;
}

void plan_add_mig_capabilities(struct builder *b, const struct selection *selection)
{
	struct proc_mask *mask = &b->plan->proc_mask;
	const struct mig_instance *last = NULL;

	/* A container that configures instances must see new ones. */
	if (b->request->mig_config[0] || b->request->mig_monitor[0]) {
		add_capability(b, &mask->capabilities, "capabilities");
		return;
	}
	for (size_t i = 0; i < selection->count; i++) {
		const struct selected_device *device = &selection->items[i];
		const char *path;

		if (!device->mig)
			continue;
		path = arena_printf(b->arena, "capabilities/gpu%u/mig/gi%u", device->gpu->minor,
				    device->mig->gpu_instance);
		if (!path) {
			b->failed = true;
			return;
		}
		if (!last || last->gi_minor != device->mig->gi_minor)
			add_capability(b, &mask->capability_files,
				       arena_printf(b->arena, "%s/access", path));
		add_capability(
			b, &mask->capabilities,
			arena_printf(b->arena, "%s/ci%u", path, device->mig->compute_instance));
		last = device->mig;
	}
}

/* ---- all of them ------------------------------------------------------------------------ */

int plan_add_families(struct builder *b, struct error *err)
{
	const struct device_nodes *nodes = &b->driver->nodes;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(found_by_name); i++)
		for (size_t j = 0; j < nodes->count; j++)
			if (nodes->items[j].family == found_by_name[i].family &&
			    is_requested(b->request, nodes->items[j].family))
				plan_add_node(b, &nodes->items[j], found_by_name[i].because, true);
	for (size_t i = 0; i < b->request->imex.count && !(b->driver->no_families & FAMILY_IMEX);
	     i++) {
		const char *number = b->request->imex.items[i];

		plan_need_node(
			b, arena_printf(b->arena, "nvidia-caps-imex-channels/channel%s", number),
			arena_printf(b->arena, "IMEX channel %s", number), true);
	}
	if (b->request->mig_config[0])
		r = add_mig_control(b, FAMILY_MIG_CONFIG, err);
	if (r == 0 && b->request->mig_monitor[0])
		r = add_mig_control(b, FAMILY_MIG_MONITOR, err);
	return r;
}

/* ---- files ------------------------------------------------------------------------------ */

/* libcufile reads udev's database of disks, and the host's configuration file if it exists. */
static void add_storage_files(struct builder *b)
{
	static const struct {
		enum driver_tree tree;
		const char *source, *target;
	} files[] = {
		{TREE_RUN, "/udev", "/run/udev"},
		{TREE_DRIVER_ROOT, "/etc/cufile.json", "/etc/cufile.json"},
	};

	if (!b->request->gds || !find_family(b->driver, FAMILY_GDS))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct operation *bind = plan_add(b, OPERATION_BIND, files[i].target,
						  "GPUDirect Storage (NVIDIA_GDS)");

		bind->tree = files[i].tree;
		bind->source = files[i].source;
		bind->flags = FLAGS_DATA;
		bind->required = false;
	}
}

/*
 * EGL enumerates GPUs through the driver, not by nodes. An application profile restricts it to the
 * container's GPUs. The mask has 64 bits.
 */
const char *plan_egl_profile(struct arena *arena, uint64_t visible)
{
	return arena_printf(arena,
			    "{\n"
			    "\t\"profiles\": [{\"name\": \"davit\", \"settings\": "
			    "[\"EGLVisibleDGPUDevices\", 0x%jx]}],\n"
			    "\t\"rules\": [{\"pattern\": [], \"profile\": \"davit\"}]\n"
			    "}\n",
			    (uintmax_t)visible);
}

static void add_egl_profile(struct builder *b, const struct selection *selection)
{
	struct operation *file;
	uint64_t visible = 0;

	if (!(b->request->capabilities & (CAPABILITY_GRAPHICS | CAPABILITY_DISPLAY)))
		return;
	for (size_t i = 0; i < selection->count; i++)
		if (selection->items[i].gpu->minor < 64)
			visible |= UINT64_C(1) << selection->items[i].gpu->minor;
	if (!visible)
		return;
	file = plan_add(b, OPERATION_FILE, PLAN_EGL_PROFILE, "EGL shows the selected GPUs only");
	file->text = plan_egl_profile(b->arena, visible);
	file->required = false;
	b->failed |= !file->text;
}

void plan_add_companions(struct builder *b, const struct selection *selection)
{
	add_storage_files(b);
	add_egl_profile(b, selection);
}
