// SPDX-License-Identifier: Apache-2.0
/* AMD and Intel GPUs: their facts and checks. */
#include <string.h>

#include "doctor.h"

/* ---- gathering -------------------------------------------------------------------------- */

static int inspect_vendor(struct doctor_gathering *g, const struct driver_roots *roots,
			  struct doctor_vendor *ret)
{
	static const char *const every[] = {"all"};
	const struct strings all = {(const char **)every, 1, 1};
	int r = accelerators_read(ret->choice.vendor, roots, true, g->arena, &ret->choice.all,
				  &ret->error);

	if (r == 0)
		r = accelerators_choose(&all, NULL, g->arena, &ret->choice, &ret->error);
	if (r == 0)
		r = accelerators_find_nodes(&ret->choice, roots, g->arena, &ret->nodes_error);
	return r == -ENOMEM ? r : 0;
}

int doctor_gather_vendors(struct doctor_gathering *g)
{
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	struct error ignored;
	int r = driver_roots_open_host(&g->host->config, &roots, &ignored);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (size_t i = 0; r == 0 && vendors[i]; i++) {
		struct doctor_vendor *added;

		if (!vendors[i]->table)
			continue;
		added = ARENA_PUSH(g->arena, &g->host->vendors);
		if (!added)
			r = -ENOMEM;
		else
			*added = (struct doctor_vendor){
				.choice = {.vendor = vendors[i], .from = "doctor"}};
		if (r == 0)
			r = inspect_vendor(g, &roots, added);
	}
	driver_roots_close(&roots);
	return r;
}

/* ---- deciding --------------------------------------------------------------------------- */

bool doctor_has_other_gpus(const struct doctor_host *host)
{
	for (size_t i = 0; i < host->vendors.count; i++)
		if (host->vendors.items[i].choice.count)
			return true;
	return false;
}

int check_vendors_gpus(const struct doctor_host *host, struct finding *ret)
{
	char have[500] = "", odd[500] = "";

	for (size_t i = 0; i < host->vendors.count; i++) {
		const struct doctor_vendor *vendor = &host->vendors.items[i];
		const struct accelerators *all = &vendor->choice.all;

		if (all->count)
			finding_list(have, sizeof(have), "%s: %zu", vendor->choice.vendor->title,
				     all->count);
		for (size_t j = 0; j < all->unusable.count; j++)
			finding_list(odd, sizeof(odd), "%s %s: %s", vendor->choice.vendor->title,
				     all->unusable.items[j].bus_id, all->unusable.items[j].problem);
		if (all->warning && *all->warning)
			finding_list(odd, sizeof(odd), "%s: %s", vendor->choice.vendor->title,
				     all->warning);
	}
	if (odd[0])
		return finding_set(ret, DOCTOR_WARN, "see `dmesg | grep -iE 'drm|kfd'`", "%s%s%s",
				   have, have[0] ? "; " : "", odd);
	return have[0] ? finding_set(ret, DOCTOR_OK, NULL, "%s", have)
		       : finding_set(ret, DOCTOR_SKIP, NULL, "no AMD or Intel GPUs");
}

/* The nodes that only root and one group can open; of many, the first ones and their number. */
struct narrow {
	size_t count;
	gid_t gid;
	char names[100];
};
#define NARROW_MAX 8
#define NARROW_NAMED 3

static void add_narrow(const struct accelerator_node *node, struct narrow *groups)
{
	size_t i = 0;

	if (!node->name || !node->present || !node->required ||
	    !node_needs_group(node->mode, node->gid))
		return;
	while (i < NARROW_MAX - 1 && groups[i].count && groups[i].gid != node->gid)
		i++;
	groups[i].gid = node->gid;
	if (groups[i].count++ < NARROW_NAMED)
		finding_list(groups[i].names, sizeof(groups[i].names), "/dev/%s", node->name);
}

static void list_narrow(const struct narrow *groups, char *list, size_t size)
{
	for (size_t i = 0; i < NARROW_MAX && groups[i].count; i++)
		if (groups[i].count > NARROW_NAMED)
			finding_list(list, size, "%s and %zu more (group %u)", groups[i].names,
				     groups[i].count - NARROW_NAMED, (unsigned)groups[i].gid);
		else
			finding_list(list, size, "%s (group %u)", groups[i].names,
				     (unsigned)groups[i].gid);
}

int check_vendors_nodes(const struct doctor_host *host, struct finding *ret)
{
	struct narrow groups[NARROW_MAX] = {0};
	char narrow[400] = "";

	if (!doctor_has_other_gpus(host))
		return finding_set(ret, DOCTOR_SKIP, NULL, "no AMD or Intel GPUs");
	for (size_t i = 0; i < host->vendors.count; i++) {
		const struct choice *choice = &host->vendors.items[i].choice;

		if (choice->count && host->vendors.items[i].nodes_error.code)
			return finding_error(ret, DOCTOR_FAIL, &host->vendors.items[i].nodes_error);
		add_narrow(&choice->all.common, groups);
		for (size_t j = 0; j < choice->count; j++)
			for (size_t k = 0; k < choice->items[j]->nodes.count; k++)
				add_narrow(&choice->items[j]->nodes.items[k], groups);
	}
	list_narrow(groups, narrow, sizeof(narrow));
	if (!narrow[0])
		return finding_set(ret, DOCTOR_OK, NULL, "every user can open them");
	return finding_set(
		ret, DOCTOR_WARN,
		"use davit-runtime or CDI, which add the group; with the hook, "
		"use --group-add with its number",
		"only root and a group can open %s: in a container, other users need that group",
		narrow);
}

static bool has_spec(const struct doctor_host *host, const char *kind)
{
	for (size_t i = 0; i < host->cdi.devices.count; i++)
		if (string_starts(host->cdi.devices.items[i].name, kind))
			return true;
	return false;
}

/* dockerd's --gpus requests NVIDIA GPUs if it finds a program with NVIDIA's name, else AMD GPUs. */
int check_docker_amd(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_engine *engine = &host->engines[DOCTOR_DOCKER];
	bool amd = false, spec = has_spec(host, "amd.com/gpu=");

	for (size_t i = 0; i < host->vendors.count; i++)
		amd |= host->vendors.items[i].choice.vendor == &vendor_amd &&
		       host->vendors.items[i].choice.count;
	if (!amd)
		return finding_set(ret, DOCTOR_SKIP, NULL, "no AMD GPUs");
	if (engine->hook.path)
		return finding_set(
			ret, DOCTOR_OK, NULL,
			"nvidia-container-runtime-hook is on dockerd's PATH, so `--gpus` "
			"requests NVIDIA GPUs; AMD GPUs are requested with `--device "
			"amd.com/gpu=0` or AMD_VISIBLE_DEVICES");
	if (engine->amd_runtime.path)
		return finding_set(ret, DOCTOR_OK, NULL, "`docker run --gpus` finds %s%s",
				   engine->amd_runtime.path,
				   spec ? " and a CDI spec of amd.com/gpu" : "");
	/* dockerd uses the first vendor that has a spec, and tries NVIDIA first. */
	if (spec && has_spec(host, "nvidia.com/"))
		return finding_set(ret, DOCTOR_WARN,
				   "request AMD GPUs with `--device amd.com/gpu=0` or "
				   "AMD_VISIBLE_DEVICES, or install the package "
				   "davit-amd-compat",
				   "there are also CDI specs of nvidia.com: `docker run --gpus` "
				   "fails with `AMD CDI spec not found`");
	if (spec)
		return finding_set(ret, DOCTOR_OK, NULL,
				   "`docker run --gpus` finds a CDI spec of amd.com/gpu");
	return finding_set(
		ret, DOCTOR_WARN, "davit cdi generate --vendor amd --output /var/run/cdi/amd.json",
		"there is no CDI spec of amd.com/gpu and no amd-container-runtime on "
		"dockerd's PATH: `docker run --gpus` fails with `AMD CDI spec not found`, or "
		"`could not select device driver` before Docker 28.3");
}
