// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <strings.h>

#include "picker.h"

/* Longer lists are cut, because the line also contains other text. */
#define LIST_MAX 170
/* A UUID has 40 characters, with "MIG-", "/gi/ci" and a typo some more. */
#define ITEM_MAX 60

static int name_mig(struct picker *picker, const struct gpu *gpu, struct strings *names)
{
	for (size_t i = 0; i < gpu->mig.count; i++) {
		const char *uuid = gpu->mig.items[i].uuid;
		const char *name =
			uuid ? arena_printf(picker->arena, "%u:%zu %s", gpu->index, i, uuid)
			     : arena_printf(picker->arena, "%u:%zu", gpu->index, i);

		if (!name || strings_add(picker->arena, names, name) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int collect(struct picker *picker, enum candidates candidates, struct strings *names)
{
	const struct gpus *gpus = &picker->driver->gpus;
	int r = 0;

	for (size_t i = 0; r == 0 && i < gpus->count; i++) {
		const struct gpu *gpu = &gpus->items[i];
		const char *name;

		if (candidates == CANDIDATES_MIG) {
			r = name_mig(picker, gpu, names);
			continue;
		}
		if (candidates == CANDIDATES_BUS_IDS && !gpu->bus_id)
			continue;
		name = candidates == CANDIDATES_UUIDS ? gpu->uuid
		       : candidates == CANDIDATES_BUS_IDS
			       ? gpu->bus_id
			       : arena_printf(picker->arena, "%u", gpu->index);
		r = name ? strings_add(picker->arena, names, name) : -ENOMEM;
	}
	return r;
}

static const char *describe(struct picker *picker, enum candidates candidates)
{
	size_t count = picker->driver->gpus.count;
	struct strings names = {0};
	const char *list;

	if (count == 0)
		return "the host has no GPU";
	if (candidates == CANDIDATES_INDICES && count > 2 && picker->driver->lost.count == 0)
		return arena_printf(picker->arena, "the host has %zu GPUs (0-%zu)", count,
				    count - 1);
	if (collect(picker, candidates, &names) < 0)
		return NULL;
	if (names.count == 0)
		return candidates == CANDIDATES_MIG ? "no GPU of the host has MIG instances"
						    : "its GPUs are not on a PCI bus";
	list = strings_list(picker->arena, &names, LIST_MAX);
	if (!list)
		return NULL;
	return arena_printf(picker->arena, "the host has %zu %s%s (%s)", names.count,
			    candidates == CANDIDATES_MIG ? "MIG instance" : "GPU",
			    names.count == 1 ? "" : "s", list);
}

static bool has_mig(const struct driver *driver)
{
	for (size_t i = 0; i < driver->gpus.count; i++)
		if (driver->gpus.items[i].mig.count)
			return true;
	return false;
}

static int add_remedy(const struct picker *picker, const char *item, enum candidates candidates)
{
	const struct strings devices = {&item, 1, 1};
	const char *action, *otherwise = "";

	if (picker->driver->gpus.count == 0) {
		action = "check `dmesg | grep NVRM`, or request none";
	} else if (candidates == CANDIDATES_MIG && !has_mig(picker->driver)) {
		action = "create instances with `nvidia-smi mig`, or request a GPU";
	} else if (!select_needs_uuids(picker->driver, &devices)) {
		action = "choose one of them";
	} else if (strncasecmp(item, "MIG-", 4) == 0) {
		action = "name it as GPU:INSTANCE";
	} else {
		action = "use an index";
		otherwise = ", or start nvidia-persistenced: the driver reports a UUID only "
			    "after its GPU was opened";
	}
	return error_fix(picker->err, -ENODEV, "%s in %s%s", action, picker->place, otherwise);
}

int select_unknown(struct picker *picker, const char *item, enum candidates candidates)
{
	const char *host = describe(picker, candidates);
	const char *kind = candidates == CANDIDATES_MIG ? "MIG instance" : "GPU";

	if (!host)
		return error_memory(picker->err);
	error_set(picker->err, ERROR_UNKNOWN_DEVICE, ENODEV, NULL, "inject %s %.*s%s: %s", kind,
		  ITEM_MAX, item, strlen(item) > ITEM_MAX ? "..." : "", host);
	return add_remedy(picker, item, candidates);
}

int select_too_many(struct picker *picker, size_t count)
{
	const char *host = describe(picker, CANDIDATES_INDICES);

	if (!host)
		return error_memory(picker->err);
	error_set(picker->err, ERROR_UNKNOWN_DEVICE, ENODEV, NULL,
		  "inject %zu GPUs (--gpus %zu, or 0 to %zu): %s", count, count, count - 1, host);
	return error_fix(picker->err, -ENODEV, "request at most %zu", picker->driver->gpus.count);
}

int select_lost(struct picker *picker, const char *item, const struct lost_gpu *lost)
{
	error_set(picker->err, ERROR_UNKNOWN_DEVICE, ENODEV, NULL,
		  "inject GPU %.*s: the GPU at %s is unusable: %s", ITEM_MAX, item, lost->bus_id,
		  lost->problem);
	return error_fix(
		picker->err, -ENODEV, "%s",
		lost->counted
			? "check `dmesg | grep -i nvrm` and reset or remove that GPU, or request others"
			: "let the caller open its node, or request others; they are numbered without it");
}

int select_hidden(struct picker *picker)
{
	return error_set(
		picker->err, ERROR_NO_DRIVER, ENODEV,
		"check `dmesg | grep NVRM`; in LXD or Incus, make the host's /proc/driver/nvidia/gpus visible (nvidia.runtime=false and the GPUs as devices)",
		"find the GPUs: /dev/%s exists, but /proc/driver/nvidia/gpus shows none",
		picker->driver->hidden_node);
}
