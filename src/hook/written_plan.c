// SPDX-License-Identifier: Apache-2.0
#include "written_plan.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "davit/apply.h"

static int read_plan(const char *bundle, struct arena *arena, struct plan *ret,
		     const char **ret_rootfs, struct error *err)
{
	const char *path = arena_printf(arena, "%s/" PLAN_FILE, bundle);
	size_t length = 0;
	char *text = NULL;
	int r;

	if (!path)
		return error_memory(err);
	r = file_load(path, O_NOFOLLOW, PLAN_FILE_MAX, arena, &text, &length);
	if (r < 0)
		return error_read(err, ERROR_BAD_BUNDLE, -r,
				  "start the container with davit-runtime, which writes that file",
				  "%s", path);
	r = privilege_set(PRIVILEGE_PARSE, err);
	if (r == 0)
		r = plan_read(text, length, arena, ret, ret_rootfs, err);
	return r < 0 ? r : privilege_set(PRIVILEGE_READ, err);
}

/* NVIDIA's driver root may be missing if the container has another vendor's GPUs. */
static bool needs_driver_root(const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].source && plan->items[i].tree == TREE_DRIVER_ROOT)
			return true;
	return false;
}

int written_plan_apply(const struct config *config, const struct oci_state *state,
		       struct arena *arena, struct error *err)
{
	/* Never closed: the process ends here. */
	static struct driver_roots roots = DRIVER_ROOTS_INIT;
	static struct container container = CONTAINER_INIT;
	struct plan plan = {0};
	const char *rootfs = NULL;
	int r;

	deadline_step("mount the driver's files in the container");
	deadline_watch();
	/* No program is started here: the narrow filter is the only one. */
	r = filter_install(FILTER_APPLY, err);
	if (r == 0)
		r = read_plan(state->bundle, arena, &plan, &rootfs, err);
	if (r == 0)
		r = needs_driver_root(&plan) ? driver_roots_open(config, &roots, err)
					     : driver_roots_open_host(config, &roots, err);
	if (r == 0)
		r = container_open_own(rootfs, &container, err);
	if (r == 0) {
		/* An older plan file doesn't contain the mounts. */
		container.mounts = plan.mounts.count ? &plan.mounts : NULL;
		created_files_open(state->bundle, &container, arena);
		created_files_add_stubs(container.created, &plan.stubs);
	}
	/* The device rules are in config.json. */
	if (r == 0)
		r = apply_plan(&plan, &roots, &container, false, arena, err);
	if (r == 0)
		log_line(LOG_LEVEL_INFO,
			 "container %s: applied %zu operations planned by davit-runtime", state->id,
			 plan.count);
	return r;
}
