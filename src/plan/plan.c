// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "builder.h"

size_t mount_option_names(unsigned flags, const char *names[static MOUNT_OPTIONS_MAX])
{
	static const struct {
		unsigned flag;
		const char *name;
	} options[MOUNT_OPTIONS_MAX] = {
		{MOUNT_FLAG_RDONLY, "ro"},
		{MOUNT_FLAG_NOSUID, "nosuid"},
		{MOUNT_FLAG_NODEV, "nodev"},
		{MOUNT_FLAG_NOEXEC, "noexec"},
	};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (flags & options[i].flag)
			names[count++] = options[i].name;
	return count;
}

const char *operation_name(enum operation_kind kind)
{
	static const char *const names[] = {
		[OPERATION_DEVICE_RULE] = "device-rule",
		[OPERATION_PROC_MASK] = "proc-mask",
		[OPERATION_DEVICE] = "device",
		[OPERATION_BIND] = "bind",
		[OPERATION_SYMLINK] = "symlink",
		[OPERATION_FILE] = "file",
		[OPERATION_LOADER_CACHE] = "loader-cache",
	};

	return names[kind];
}

const char *operation_numbers(const struct operation *operation, struct arena *arena)
{
	return arena_printf(arena, "%c %u:%u", operation->block ? 'b' : 'c', operation->major,
			    operation->minor);
}

const char *device_access_name(enum device_access access)
{
	static const char *const names[] = {
		[ACCESS_READ_WRITE] = "rw", [ACCESS_READ] = "r", [ACCESS_WRITE] = "w"};

	return names[access];
}

/* ---- the mask over /proc/driver/nvidia -------------------------------------------------- */

/* The text of params with ModifyDeviceFiles 0: libraries inside then create no nodes. */
const char *plan_mask_params(struct arena *arena, const char *params)
{
	static const char key[] = "ModifyDeviceFiles: ";
	const char *line = params;

	while ((line = strstr(line, key)) && line != params && line[-1] != '\n')
		line++;
	if (!line)
		return arena_printf(arena, "%s%s0\n", params, key);
	line += strlen(key);
	return arena_printf(arena, "%.*s0%s", (int)(line - params), params,
			    line + strcspn(line, "\n"));
}

static void add_proc_mask(struct builder *b, const struct selection *selection)
{
	struct proc_mask *mask = &b->plan->proc_mask;

	if (!b->driver->proc_version)
		return;
	mask->version = b->driver->proc_version;
	mask->registry = b->driver->proc_registry_absent ? NULL : b->driver->proc_registry;
	if (b->driver->proc_params) {
		mask->params = plan_mask_params(b->arena, b->driver->proc_params);
		b->failed |= !mask->params;
	}
	for (size_t i = 0; i < selection->count; i++) {
		const struct selected_device *device = &selection->items[i];
		const char *bus_id = device->gpu->bus_id;

		if (!bus_id)
			continue;
		if ((mask->bus_ids.count == 0 ||
		     !string_equal(mask->bus_ids.items[mask->bus_ids.count - 1], bus_id)) &&
		    strings_add(b->arena, &mask->bus_ids, bus_id) < 0)
			b->failed = true;
	}
	plan_add_mig_capabilities(b, selection);
	plan_add(b, OPERATION_PROC_MASK, "/proc/driver/nvidia",
		 "shows only the selected GPUs, so that no nodes are created for others");
}

int plan_find_missing(const struct gpu_request *request, const struct driver *driver,
		      const struct selection *selection, struct arena *arena, struct strings *ret,
		      struct error *err)
{
	struct plan plan = {0};
	struct builder b = {.request = request, .driver = driver, .arena = arena, .plan = &plan};
	struct error ignored;
	int r = plan_add_devices(&b, selection, &ignored);

	*ret = plan.missing;
	return r == -ENOMEM ? error_memory(err) : 0;
}

/* NVIDIA's part: the driver's nodes and files, and the loader's search path. */
static int add_nvidia(struct builder *b, const struct selection *selection, struct error *err)
{
	int r = plan_add_devices(b, selection, err);

	if (r < 0)
		return r;
	add_proc_mask(b, selection);
	plan_add_compat(b);
	/* The catalogue's links may lead to any library, so they come after all libraries. */
	plan_add_files(b, true);
	plan_add_file_links(b, false);
	plan_add_files(b, false);
	plan_add_file_links(b, true);
	plan_add_companions(b, selection);
	plan_add_loader_search(b);
	return 0;
}

int plan_make(const struct gpu_request *request, const struct driver *driver,
	      const struct selection *selection, const struct choices *choices,
	      const struct image *image, struct arena *arena, struct plan *ret, struct error *err)
{
	struct builder b = {
		.request = request,
		.driver = driver,
		.image = image,
		.arena = arena,
		.plan = ret,
	};
	int r;

	*ret = (struct plan){0};
	r = driver ? add_nvidia(&b, selection, err) : 0;
	for (size_t i = 0; r == 0 && i < choices->count; i++)
		plan_add_choice(&b, &choices->items[i]);
	if (r < 0)
		return r;
	/*
	 * Last, because nothing is created in the container after a writable directory of the host
	 * is mounted in it.
	 */
	if (driver)
		plan_add_mps(&b);
	return b.failed ? error_memory(err) : 0;
}
