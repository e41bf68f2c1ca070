// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "../inventory.h"

#define CAPABILITIES "driver/nvidia/capabilities"

int inventory_read_cap(struct inventory *inv, const char *path, unsigned *ret_minor)
{
	struct slice value;
	uint64_t minor;
	char *text;
	int r = path ? host_read_text(&inv->roots->proc, path, inv->arena, &text) : -ENOMEM;

	if (r < 0)
		return r;
	value = host_value(text, "DeviceFileMinor");
	r = parse_number(value.data, value.length, 10, 0xfffff, &minor);
	if (r == 0)
		*ret_minor = (unsigned)minor;
	return r;
}

/* The number in a name: 12 in "gi12" with the prefix "gi". */
static bool parse_id(const char *name, const char *prefix, unsigned *ret)
{
	uint64_t id;

	if (!string_starts(name, prefix))
		return false;
	name += strlen(prefix);
	if (parse_number(name, strlen(name), 10, 0xffff, &id) < 0)
		return false;
	*ret = (unsigned)id;
	return true;
}

static int by_instance(const void *a, const void *b)
{
	const struct mig_instance *x = a, *y = b;

	if (x->gpu_instance != y->gpu_instance)
		return x->gpu_instance < y->gpu_instance ? -1 : 1;
	return (x->compute_instance > y->compute_instance) -
	       (x->compute_instance < y->compute_instance);
}

/* Reads the compute instances of one GPU instance, whose directory is `path`. */
static int read_gpu_instance(struct inventory *inv, struct gpu *gpu, unsigned gpu_instance,
			     const char *path)
{
	struct strings names;
	unsigned minor, id;
	int r = inventory_read_cap(inv, arena_printf(inv->arena, "%s/access", path), &minor);

	if (r == 0)
		r = host_list(&inv->roots->proc, path, inv->arena, &names);
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		struct mig_instance *mig;

		if (!parse_id(names.items[i], "ci", &id))
			continue;
		mig = ARENA_PUSH(inv->arena, &gpu->mig);
		if (!mig)
			return -ENOMEM;
		mig->gpu_instance = gpu_instance;
		mig->compute_instance = id;
		mig->gi_minor = minor;
		r = inventory_read_cap(
			inv, arena_printf(inv->arena, "%s/%s/access", path, names.items[i]),
			&mig->ci_minor);
	}
	return r;
}

int inventory_read_mig(struct inventory *inv, struct gpu *gpu)
{
	const char *path = arena_printf(inv->arena, CAPABILITIES "/gpu%u/mig", gpu->minor);
	struct strings names = {0};
	int r = path ? host_list(&inv->roots->proc, path, inv->arena, &names) : -ENOMEM;
	unsigned id;

	for (size_t i = 0; r == 0 && i < names.count; i++)
		if (parse_id(names.items[i], "gi", &id)) {
			const char *instance =
				arena_printf(inv->arena, "%s/%s", path, names.items[i]);

			r = instance ? read_gpu_instance(inv, gpu, id, instance) : -ENOMEM;
		}
	if (r < 0)
		return error_errno(inv->err, -r, "read the MIG instances of GPU %u in %s/%s",
				   gpu->index, inv->roots->proc.path, path ? path : CAPABILITIES);
	if (gpu->mig.count)
		qsort(gpu->mig.items, gpu->mig.count, sizeof(*gpu->mig.items), by_instance);
	return 0;
}
