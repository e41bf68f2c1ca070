// SPDX-License-Identifier: Apache-2.0
/* Restricts a container's view of the host's GPUs to those whose nodes it has. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cdi_hook.h"

#define PROC "/proc/driver/nvidia"
#define TEXT_MAX ((size_t)64 * 1024)
#define ENTRIES_MAX 4096

bool cdi_has_node(const struct cdi_call *call, const char *path)
{
	struct stat st;

	return path && root_stat(&call->container.root, path, AT_SYMLINK_NOFOLLOW, &st) == 0 &&
	       S_ISCHR(st.st_mode);
}

/* "Device Minor: 	 3" of a file of /proc. */
static bool read_minor(const struct cdi_call *call, const char *path, const char *key,
		       uint64_t *ret)
{
	struct slice rest, line;
	char *text;

	if (!path || root_read(&call->container.root, path, TEXT_MAX, call->arena, &text, NULL) < 0)
		return false;
	rest = slice_from(text);
	while (slice_next(&rest, '\n', &line)) {
		struct slice value;

		if (!slice_starts(line, key))
			continue;
		value = (struct slice){line.data + strlen(key), line.length - strlen(key)};
		value = slice_trim(value);
		if (value.length && value.data[0] == ':')
			value = slice_trim((struct slice){value.data + 1, value.length - 1});
		return parse_number(value.data, value.length, 10, UINT32_MAX, ret) == 0;
	}
	return false;
}

static int list(const struct cdi_call *call, const char *path, struct strings *ret)
{
	int r = path ? root_list(&call->container.root, path, ENTRIES_MAX, call->arena, ret)
		     : -ENOMEM;

	return r == -ENOMEM ? r : 0;
}

static int add(struct cdi_call *call, struct strings *strings, const char *text)
{
	return text && strings_add(call->arena, strings, text) == 0 ? 0 : -ENOMEM;
}

/* Adds the compute instances of one GPU instance whose nodes the container has. */
static int add_instances(struct cdi_call *call, const char *path)
{
	struct proc_mask *mask = &call->plan.proc_mask;
	struct strings names = {0};
	bool first = true;
	int r = list(call, arena_printf(call->arena, PROC "/%s", path), &names);

	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const char *instance = arena_printf(call->arena, "%s/%s", path, names.items[i]);
		uint64_t minor;

		if (!string_starts(names.items[i], "ci") ||
		    !read_minor(call, arena_printf(call->arena, PROC "/%s/access", instance),
				"DeviceFileMinor", &minor) ||
		    !cdi_has_node(call, arena_printf(call->arena, "/dev/nvidia-caps/nvidia-cap%ju",
						     (uintmax_t)minor)))
			continue;
		r = add(call, &mask->capabilities, instance);
		if (r == 0 && first)
			r = add(call, &mask->capability_files,
				arena_printf(call->arena, "%s/access", path));
		first = false;
	}
	return r;
}

static int add_mig(struct cdi_call *call, uint64_t minor)
{
	const char *path = arena_printf(call->arena, "capabilities/gpu%ju/mig", (uintmax_t)minor);
	struct strings names = {0};
	int r = path ? list(call, arena_printf(call->arena, PROC "/%s", path), &names) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const char *instance = arena_printf(call->arena, "%s/%s", path, names.items[i]);

		if (!instance)
			r = -ENOMEM;
		else if (string_starts(names.items[i], "gi"))
			r = add_instances(call, instance);
	}
	return r;
}

static int add_gpus(struct cdi_call *call)
{
	struct strings ids = {0};
	int r = list(call, PROC "/gpus", &ids);

	for (size_t i = 0; r == 0 && i < ids.count; i++) {
		uint64_t minor;

		if (!read_minor(
			    call,
			    arena_printf(call->arena, PROC "/gpus/%s/information", ids.items[i]),
			    "Device Minor", &minor) ||
		    !cdi_has_node(call,
				  arena_printf(call->arena, "/dev/nvidia%ju", (uintmax_t)minor)))
			continue;
		r = add(call, &call->plan.proc_mask.bus_ids, ids.items[i]);
		if (r == 0)
			r = add_mig(call, minor);
	}
	return r;
}

static const char *read_text(const struct cdi_call *call, const char *path)
{
	char *text;

	return root_read(&call->container.root, path, TEXT_MAX, call->arena, &text, NULL) < 0
		       ? NULL
		       : text;
}

/* The same mask as davit-hook's at prestart. */
int cdi_mask_proc(struct cdi_call *call, struct error *err)
{
	struct proc_mask *mask = &call->plan.proc_mask;
	const char *params = read_text(call, PROC "/params");
	struct stat st;
	int r;

	if (root_stat(&call->container.root, PROC, 0, &st) == -ENOENT)
		return 0;
	mask->version = read_text(call, PROC "/version");
	mask->registry = read_text(call, PROC "/registry");
	mask->params = params ? plan_mask_params(call->arena, params) : NULL;
	r = params && !mask->params ? -ENOMEM : add_gpus(call);
	return r < 0 || !cdi_add(call, OPERATION_PROC_MASK, PROC, "") ? error_memory(err) : 0;
}

/* The minors of the GPUs whose nodes the container has, as bits. */
static uint64_t find_visible(const struct cdi_call *call)
{
	AUTO_FD dev = root_openat(&call->container.root, "/dev", O_PATH | O_DIRECTORY);
	uint64_t visible = 0;

	for (unsigned minor = 0; dev >= 0 && minor < 64; minor++) {
		char name[sizeof("nvidia") + 3 * sizeof(minor)];
		struct stat st;

		(void)snprintf(name, sizeof(name), "nvidia%u", minor);
		if (fstatat(dev, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(st.st_mode))
			visible |= UINT64_C(1) << minor;
	}
	return visible;
}

int cdi_update_profile(struct cdi_call *call, struct error *err)
{
	uint64_t visible = find_visible(call);
	struct operation *file;

	if (!visible)
		return 0;
	file = cdi_add(call, OPERATION_FILE, PLAN_EGL_PROFILE,
		       plan_egl_profile(call->arena, visible));
	if (!file)
		return error_memory(err);
	file->required = false;
	return 0;
}
