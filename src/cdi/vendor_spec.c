// SPDX-License-Identifier: Apache-2.0
/*
 * Makes the spec of another vendor's GPUs: nodes, groups and links. Devices share no edits but a
 * variable.
 */
#include <string.h>

#include "check.h"
#include "davit/json.h"
#include "edits.h"

struct maker {
	const struct choice *all; /* every GPU, its nodes found */
	const struct cdi_options *options;
	struct edits_maker edits;
	struct json_object *devices;
	struct strings names;
	struct error *err;
};

/*
 * Adds a device of that name with these GPUs. If the name was added before, it is the same device.
 */
static int add_device(struct maker *maker, const char *name, const struct accelerator **items,
		      size_t count)
{
	struct choice choice = *maker->all;
	const struct choices choices = {&choice, 1, 1};
	struct json_object *device, *edits;
	struct plan plan;
	int r;

	if (!name)
		return error_memory(maker->err);
	if (strings_contain(&maker->names, name))
		return 0;
	if (strings_add(maker->edits.arena, &maker->names, name) < 0)
		return error_memory(maker->err);
	choice.items = items;
	choice.count = count;
	r = plan_make(NULL, NULL, NULL, &choices, NULL, maker->edits.arena, &plan, maker->err);
	if (r < 0)
		return error_wrap(maker->err, r, "describe device %s", name);
	edits = json_object_new_object();
	r = edits_add_plan(&maker->edits, &plan, NULL, edits, maker->err);
	device = json_object_new_object();
	json_object_object_add(device, "name", json_object_new_string(name));
	json_object_object_add(device, "containerEdits", edits);
	(void)json_object_array_add(maker->devices, device);
	return r;
}

/* Adds a device with all GPUs of that name, which the partitions of one GPU share. */
static int add_by_id(struct maker *maker, const char *name)
{
	const struct choice *all = maker->all;
	const struct accelerator **items = arena_alloc(
		maker->edits.arena, (all->count + 1) * sizeof(const struct accelerator *));
	size_t count = 0;

	if (!items)
		return error_memory(maker->err);
	for (size_t i = 0; i < all->count; i++)
		if (string_equal(all->items[i]->uid_name, name))
			items[count++] = all->items[i];
	return add_device(maker, name, items, count);
}

/* "card1", as Intel's own specs name a GPU. */
static int add_by_card(struct maker *maker, size_t index)
{
	const struct accelerator *one = maker->all->items[index];
	int r = 0;

	for (size_t i = 0; r == 0 && i < one->nodes.count; i++) {
		const char *leaf = one->nodes.items[i].name + strlen("dri/");

		if (string_starts(leaf, "card"))
			r = add_device(maker, leaf, &maker->all->items[index], 1);
	}
	return r;
}

static int add_devices(struct maker *maker)
{
	const struct choice *all = maker->all;
	int r = 0;

	for (size_t i = 0; r == 0 && maker->options->by_index && i < all->count; i++)
		r = add_device(maker, arena_printf(maker->edits.arena, "%u", all->items[i]->index),
			       &all->items[i], 1);
	for (size_t i = 0; r == 0 && maker->options->by_uuid && i < all->count; i++) {
		if (all->names_by_card)
			r = add_by_card(maker, i);
		if (r == 0 && all->items[i]->uid_name)
			r = add_by_id(maker, all->items[i]->uid_name);
	}
	return r < 0 || maker->options->no_all ? r
					       : add_device(maker, "all", all->items, all->count);
}

/* Prevents an injector below the engine from acting as well. */
static void add_common(const struct vendor *vendor, struct json_object *spec, struct arena *arena)
{
	struct json_object *edits, *env;
	const char *entry;

	if (!vendor->variable || !vendor->void_text)
		return;
	entry = arena_printf(arena, "%s=%s", vendor->variable, vendor->void_text);
	edits = json_object_new_object();
	env = json_object_new_array();
	(void)json_object_array_add(env, json_object_new_string(entry ? entry : ""));
	json_object_object_add(edits, "env", env);
	json_object_object_add(spec, "containerEdits", edits);
}

int cdi_spec_make_vendor(const struct choice *all, const struct driver_roots *roots,
			 const struct cdi_options *options, struct arena *arena,
			 struct json_object **ret, struct strings *ret_left_out, struct error *err)
{
	struct maker maker = {
		.all = all,
		.options = options,
		.edits = {.roots = roots,
			  .options = options,
			  .arena = arena,
			  .left_out = ret_left_out},
		.devices = json_object_new_array(),
		.err = err,
	};
	AUTO_JSON *spec = json_object_new_object();
	int r;

	*ret_left_out = (struct strings){0};
	json_object_object_add(spec, "cdiVersion", json_object_new_string(""));
	json_object_object_add(spec, "kind", json_object_new_string(all->vendor->kind));
	json_object_object_add(spec, "devices", maker.devices);
	add_common(all->vendor, spec, arena);
	r = add_devices(&maker);
	if (r < 0)
		return r;
	json_object_object_add(spec, "cdiVersion",
			       json_object_new_string(cdi_lowest_version(spec)));
	r = cdi_check(spec, "the generated spec", err);
	if (r < 0)
		return r;
	*ret = spec;
	spec = NULL;
	return 0;
}
