// SPDX-License-Identifier: Apache-2.0
/* The GPUs of AMD and Intel: gathered, and what is said of them. */
#include <string.h>

#include "doctor.h"

/* ---- gathering -------------------------------------------------------------------------- */

static int look_at(struct doctor_gathering *g, const struct driver_roots *roots,
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
			r = look_at(g, &roots, added);
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
		return finding_set(ret, DOCTOR_WARN, "check `dmesg | grep -iE 'drm|kfd'`", "%s%s%s",
				   have, have[0] ? "; " : "", odd);
	return have[0] ? finding_set(ret, DOCTOR_OK, NULL, "%s", have)
		       : finding_set(ret, DOCTOR_SKIP, NULL, "no AMD or Intel GPUs");
}

static void list_narrow(const struct accelerator_node *node, char *list, size_t size)
{
	if (node->name && node->present && node->required &&
	    node_needs_group(node->mode, node->gid))
		finding_list(list, size, "/dev/%s (group %u)", node->name, (unsigned)node->gid);
}

int check_vendors_nodes(const struct doctor_host *host, struct finding *ret)
{
	char narrow[400] = "";

	if (!doctor_has_other_gpus(host))
		return finding_set(ret, DOCTOR_SKIP, NULL, "no AMD or Intel GPUs");
	for (size_t i = 0; i < host->vendors.count; i++) {
		const struct choice *choice = &host->vendors.items[i].choice;

		if (choice->count && host->vendors.items[i].nodes_error.code)
			return finding_error(ret, DOCTOR_FAIL, &host->vendors.items[i].nodes_error);
		list_narrow(&choice->all.common, narrow, sizeof(narrow));
		for (size_t j = 0; j < choice->count; j++)
			for (size_t k = 0; k < choice->items[j]->nodes.count; k++)
				list_narrow(&choice->items[j]->nodes.items[k], narrow,
					    sizeof(narrow));
	}
	if (!narrow[0])
		return finding_set(ret, DOCTOR_OK, NULL, "everybody may open them");
	return finding_set(
		ret, DOCTOR_WARN,
		"use davit-runtime or CDI, which add the group; with the hook, --group-add "
		"and its number",
		"only a group may open %s: users of a container that aren't root need it", narrow);
}

/* What dockerd makes of --gpus: NVIDIA's, when it finds one of its names; else AMD's. */
int check_docker_amd(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_engine *engine = &host->engines[DOCTOR_DOCKER];
	bool amd = false, spec = false;

	for (size_t i = 0; i < host->vendors.count; i++)
		amd |= host->vendors.items[i].choice.vendor == &vendor_amd &&
		       host->vendors.items[i].choice.count;
	for (size_t i = 0; i < host->cdi.devices.count; i++)
		spec |= string_starts(host->cdi.devices.items[i].name, "amd.com/gpu=");
	if (!amd)
		return finding_set(ret, DOCTOR_SKIP, NULL, "no AMD GPUs");
	if (engine->hook.path)
		return finding_set(
			ret, DOCTOR_OK, NULL,
			"NVIDIA's name is on dockerd's PATH, so `--gpus` is NVIDIA's; AMD's "
			"GPUs are `--device amd.com/gpu=0` or AMD_VISIBLE_DEVICES");
	if (spec || engine->amd_runtime.path)
		return finding_set(ret, DOCTOR_OK, NULL, "`docker run --gpus` finds %s",
				   spec ? "a CDI spec of amd.com/gpu" : engine->amd_runtime.path);
	return finding_set(ret, DOCTOR_WARN,
			   "davit cdi generate --vendor amd --output /var/run/cdi/amd.json",
			   "there is no CDI spec of amd.com/gpu and no amd-container-runtime on "
			   "dockerd's PATH: `docker run --gpus` says `AMD CDI spec not found`, or "
			   "`could not select device driver` before Docker 28.3");
}
