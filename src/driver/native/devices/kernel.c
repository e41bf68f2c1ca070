// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "../inventory.h"

static int module_absent(struct inventory *inv)
{
	return error_set(
		inv->err, ERROR_NO_DRIVER, ENODEV,
		"install NVIDIA's driver, or load it with modprobe nvidia (and check `dmesg | grep NVRM`)",
		"use the driver: the kernel module nvidia is not loaded (no "
		"%s/driver/nvidia/version)",
		inv->roots->proc.path);
}

static int read_driver_text(struct inventory *inv, const char *name, const char **ret)
{
	const char *path = arena_printf(inv->arena, "driver/nvidia/%s", name);
	char *text;
	int r;

	if (!path)
		return error_memory(inv->err);
	r = host_read_text(&inv->roots->proc, path, inv->arena, &text);
	if (r == -ENOENT)
		return r;
	if (r < 0)
		return error_errno(inv->err, -r, "read %s/%s", inv->roots->proc.path, path);
	*ret = text;
	return 0;
}

int inventory_read_kernel(struct inventory *inv)
{
	struct driver *driver = inv->driver;
	struct slice version;
	int r = driver->proc_version ? 0 : read_driver_text(inv, "version", &driver->proc_version);

	if (r == -ENOENT)
		return module_absent(inv);
	if (r < 0)
		return r;
	version = host_driver_version(driver->proc_version);
	if (version.length == 0)
		return error_set(inv->err, ERROR_NO_DRIVER, EINVAL,
				 "report that file's text as a bug of davit",
				 "use the driver: %s/driver/nvidia/version contains no version",
				 inv->roots->proc.path);
	driver->version = arena_strndup(inv->arena, version.data, version.length);
	if (!driver->version)
		return error_memory(inv->err);
	r = read_driver_text(inv, "params", &driver->proc_params);
	if (r < 0 && r != -ENOENT)
		return r;
	r = read_driver_text(inv, "registry", &driver->proc_registry);
	driver->proc_registry_absent = r == -ENOENT;
	return r == -ENOENT ? 0 : r;
}

int inventory_read_majors(struct inventory *inv)
{
	struct driver_majors *majors = &inv->driver->majors;
	const struct {
		const char *name;
		unsigned *major;
	} owners[] = {
		{"nvidia", &majors->gpu},
		{"nvidia-frontend", &majors->gpu}, /* before 550 */
		{"nvidiactl", &majors->gpu},
		{"nvidia-uvm", &majors->uvm},
		{"nvidia-caps", &majors->caps},
		{"nvidia-caps-imex-channels", &majors->imex},
		{"nvidia-nvswitch", &majors->nvswitch},
	};
	struct slice rest, line;
	char *text;
	int r = host_read_text(&inv->roots->proc, "devices", inv->arena, &text);

	if (r < 0)
		return error_errno(inv->err, -r, "read %s/devices", inv->roots->proc.path);
	rest = slice_from(text);
	while (slice_next(&rest, '\n', &line) && !slice_starts(line, "Block devices")) {
		struct slice name = slice_trim(line), number;
		uint64_t major;

		if (!slice_next(&name, ' ', &number) || !name.data ||
		    parse_number(number.data, number.length, 10, 0xfff, &major) < 0)
			continue;
		for (size_t i = 0; i < ARRAY_SIZE(owners); i++)
			if (slice_equal(slice_trim(name), owners[i].name))
				*owners[i].major = (unsigned)major;
	}
	return 0;
}
