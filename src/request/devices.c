// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "resolver.h"

/* The limit of annotations that belong to a request. Each pod has a few. */
#define ANNOTATIONS_MAX 1024

/* A source's results other than -errno. */
enum { SOURCE_UNSET, SOURCE_DECIDED };

static int not_gpu(struct resolver *r, const char *what, const char *why)
{
	int result = resolver_rule(r, RULE_APPLIED, "%s %s: %s", what, why,
				   r->request->gpu ? "no NVIDIA GPU" : "not a GPU container");

	return result < 0 ? result : SOURCE_DECIDED;
}

/* The request is for these devices. */
static int decide(struct resolver *r, const char *from, const struct strings *devices)
{
	int result;

	r->request->gpu = r->request->nvidia = true;
	r->request->from = from;
	r->request->devices = *devices;
	if (devices->count == 1)
		result = resolver_rule(r, RULE_APPLIED, "devices come from %s: %.64s", from,
				       devices->items[0]);
	else
		result = resolver_rule(r, RULE_APPLIED, "devices come from %s: a list of %zu", from,
				       devices->count);
	return result < 0 ? result : SOURCE_DECIDED;
}

static int decide_word(struct resolver *r, const char *from, const char *word)
{
	struct strings devices = {0};

	if (strings_add(r->arena, &devices, word) < 0)
		return error_memory(r->err);
	return decide(r, from, &devices);
}

/* Keeps each possible name once. Device plugins write a path if the mounts name the devices. */
static int decide_names(struct resolver *r, const char *from, struct strings *names)
{
	int result = items_unique(r, names);

	for (size_t i = 0; result == 0 && i < names->count; i++) {
		result = items_check_printable(r, from, names->items[i]);
		if (result == 0 && names->items[i][0] == '/')
			result = error_set(
				r->err, ERROR_BAD_REQUEST, EINVAL,
				r->config->policy.mounts ? "mount /dev/null there once for each GPU"
							 : "set policy.accept-mounts to true",
				"read the GPUs from %.100s: \"%.60s\" refers to mounts%s", from,
				names->items[i],
				r->config->policy.mounts ? ", but there are none"
							 : ", which the policy does not accept");
	}
	return result < 0 ? result : decide(r, from, names);
}

/* ---- a list with words of a meaning: the variables, org.davit.devices -------------------- */

/* Items for other vendors are not checked here. */
static void drop_others(struct strings *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct slice device;
		const struct vendor *vendor = vendor_of_device(slice_from(list->items[i]), &device);

		if (!vendor || !vendor->table)
			list->items[kept++] = list->items[i];
	}
	list->count = kept;
}

static bool says_void(const struct strings *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], "void") == 0)
			return true;
	return false;
}

/* "nvidia.com/gpu=0" means 0, so that CDI names can be used in the variables. */
static int from_items(struct resolver *r, const char *from, struct strings list)
{
	struct strings of_specs = {0};
	const char *word = NULL;
	int result;

	if (list.count == 0)
		return not_gpu(r, from, "is empty");
	if (says_void(&list))
		return not_gpu(r, from, "is void");
	result = names_split(r, &list, &of_specs);
	if (result == 0)
		result = names_add(r, from, &of_specs);
	if (result < 0)
		return result;
	if (list.count == 0)
		return SOURCE_DECIDED;
	if (says_void(&list))
		return not_gpu(r, from, "is void");
	for (size_t i = 0; !word && i < list.count; i++)
		if (strcmp(list.items[i], "all") == 0 || strcmp(list.items[i], "none") == 0)
			word = list.items[i];
	return word ? decide_word(r, from, word) : decide_names(r, from, &list);
}

/* ---- names of CDI devices and mounts ---------------------------------------------------- */

/* `all` means all GPUs. `none`, the CDI device with only the driver, adds nothing. */
static int from_names(struct resolver *r, const char *from, const struct strings *list)
{
	struct strings names = {0};

	for (size_t i = 0; i < list->count; i++) {
		if (strcmp(list->items[i], "all") == 0)
			return decide_word(r, from, "all");
		if (strcmp(list->items[i], "void") == 0)
			return mount_refuse_word(r, from, "void");
		if (strcmp(list->items[i], "none") != 0 &&
		    strings_add(r->arena, &names, list->items[i]) < 0)
			return error_memory(r->err);
	}
	return names.count ? decide_names(r, from, &names) : decide_word(r, from, "none");
}

/* The devices that annotations name: those that davit reads itself, and those of specs. */
struct annotated {
	struct strings names, of_specs;
	size_t others; /* left to the engine */
};

/* Adds the CDI names of one annotation; these lists are not trimmed. */
static int add_cdi_names(struct resolver *r, const char *value, struct annotated *ret)
{
	struct slice rest = slice_from(value), item, device;

	while (slice_next(&rest, ',', &item)) {
		enum name_owner owner = name_owner(item, &device);
		struct strings *list = owner == NAME_OF_SPEC ? &ret->of_specs : &ret->names;
		const char *copy;

		if (item.length == 0 || owner == NAME_OF_VENDOR)
			continue;
		if (owner == NAME_UNQUALIFIED) {
			ret->others++;
			continue;
		}
		if (list->count == REQUEST_ITEMS_MAX)
			return items_too_many(r, "the annotations cdi.k8s.io");
		copy = owner == NAME_OF_SPEC ? arena_strndup(r->arena, item.data, item.length)
					     : arena_strndup(r->arena, device.data, device.length);
		if (!copy)
			return error_memory(r->err);
		/* Engines apply such annotations as well; a hook can't do twice what it can't undo.
		 */
		if (owner == NAME_OF_SPEC && !r->for_runtime && !name_is_of_nvidia(copy)) {
			ret->others++;
			continue;
		}
		r->request->management |= owner == NAME_MANAGEMENT;
		if (strings_add(r->arena, list, copy) < 0)
			return error_memory(r->err);
	}
	return 0;
}

bool resolver_is_cdi_annotation(const struct resolver *r, const char *name)
{
	const struct strings *prefixes = &r->config->cdi.annotation_prefixes;

	for (size_t i = 0; i < prefixes->count; i++)
		if (string_starts(name, prefixes->items[i]))
			return true;
	return false;
}

int annotations_check(struct resolver *r)
{
	const struct oci_pairs *all = &r->spec->annotations;
	struct strings seen = {0};

	for (size_t i = 0; i < all->count; i++) {
		const char *name = all->items[i].name;

		/* oci_spec_parse has already checked these. */
		if (strstr(name, "cdi.k8s.io/") || !resolver_is_cdi_annotation(r, name))
			continue;
		if (strings_contain(&seen, name))
			return error_set(
				r->err, ERROR_BAD_BUNDLE, EINVAL, "keep one of them",
				"read the bundle: the annotation %.100s appears twice: runc uses the last, crun keeps both",
				name);
		if (seen.count == ANNOTATIONS_MAX)
			return error_set(
				r->err, ERROR_BAD_BUNDLE, EINVAL, NULL,
				"read the bundle: more than %d annotations request devices",
				ANNOTATIONS_MAX);
		if (strings_add(r->arena, &seen, name) < 0)
			return error_memory(r->err);
	}
	return 0;
}

static bool has_name_of_nvidia(const struct strings *names)
{
	for (size_t i = 0; i < names->count; i++)
		if (name_is_of_nvidia(names->items[i]))
			return true;
	return false;
}

static int from_cdi_annotations(struct resolver *r, const struct mount_requests *mounts)
{
	static const char from[] = "annotations cdi.k8s.io";
	const struct oci_pairs *all = &r->spec->annotations;
	struct annotated found = {0};
	bool management = r->request->management;
	int result = 0;

	(void)mounts;
	for (size_t i = 0; result == 0 && i < all->count; i++)
		/* Each name occurs once: oci_spec_parse and annotations_check ensure that. */
		if (resolver_is_cdi_annotation(r, all->items[i].name))
			result = add_cdi_names(r, all->items[i].value, &found);
	if (result == 0 && found.others > 0)
		result = resolver_rule(
			r, RULE_IGNORED,
			"values of %s that name no NVIDIA devices are ignored, because the engine handles them: %zu",
			from, found.others);
	if (result < 0)
		return result;
	if (found.names.count + found.of_specs.count == 0 ||
	    !resolver_accepts_annotation(r, from)) {
		r->request->management = management;
		return SOURCE_UNSET;
	}
	result = names_add(r, from, &found.of_specs);
	if (result < 0)
		return result;
	if (found.names.count)
		return from_names(r, from, &found.names);
	/* The device plugin's devices decide about NVIDIA's GPUs. Those of other vendors don't. */
	return has_name_of_nvidia(&found.of_specs) ? SOURCE_DECIDED : SOURCE_UNSET;
}

static int from_annotation(struct resolver *r, const struct mount_requests *mounts)
{
	static const char from[] = "annotation " ANNOTATION_DEVICES;
	const char *value = oci_pairs_get(&r->spec->annotations, ANNOTATION_DEVICES);
	struct strings list = {0};
	size_t all;
	int result;

	(void)mounts;
	if (!value || !resolver_accepts_annotation(r, from))
		return SOURCE_UNSET;
	result = items_split(r, from, value, &list);
	if (result < 0)
		return result;
	all = list.count;
	drop_others(&list);
	/* The list only names devices of others. */
	return all && list.count == 0 ? SOURCE_UNSET : from_items(r, from, list);
}

static int from_mounts(struct resolver *r, const struct mount_requests *mounts)
{
	int result;

	if (mounts->word)
		return mount_refuse_word(r, "a mount", mounts->word);
	result = names_add(r, "mounts", &mounts->of_specs);
	if (result < 0)
		return result;
	if (mounts->devices.count)
		return from_names(r, "mounts", &mounts->devices);
	return has_name_of_nvidia(&mounts->of_specs) ? SOURCE_DECIDED : SOURCE_UNSET;
}

/*
 * The variables of policy.env-names that count: all that are set and not empty;
 * NVIDIA_VISIBLE_DEVICES only if no other one is set.
 */
static int list_variables(struct resolver *r, struct strings *ret)
{
	const struct strings *names = &r->config->policy.env_names;
	const char *usual = NULL;

	for (size_t i = 0; i < names->count; i++) {
		const char *value = r->env.devices[i];

		if (string_equal(names->items[i], "NVIDIA_VISIBLE_DEVICES"))
			usual = value ? names->items[i] : usual;
		else if (value && slice_trim(slice_from(value)).length > 0 &&
			 !strings_contain(ret, names->items[i]) &&
			 strings_add(r->arena, ret, names->items[i]) < 0)
			return error_memory(r->err);
	}
	if (ret->count == 0 && usual && strings_add(r->arena, ret, usual) < 0)
		return error_memory(r->err);
	return 0;
}

static const char *value_of(const struct resolver *r, const char *name)
{
	const struct strings *names = &r->config->policy.env_names;

	for (size_t i = 0; i < names->count; i++)
		if (string_equal(names->items[i], name))
			return r->env.devices[i];
	return NULL;
}

static int from_env(struct resolver *r, const struct mount_requests *mounts)
{
	struct strings variables = {0}, list = {0};
	const char *from;
	int result = list_variables(r, &variables);

	(void)mounts;
	if (result < 0 || (variables.count == 0 && !r->request->legacy))
		return result < 0 ? result : SOURCE_UNSET;
	from = variables.count ? strings_join(r->arena, &variables, ", ") : "CUDA_VERSION";
	from = from ? arena_printf(r->arena, "env %s", from) : NULL;
	if (!from)
		return error_memory(r->err);
	if (!resolver_accepts_env(r, from))
		return SOURCE_UNSET;
	/* Images older than the variable were made for all GPUs. */
	if (variables.count == 0)
		return decide_word(r, from, "all");
	for (size_t i = 0; result == 0 && i < variables.count; i++)
		result = items_split(r, from, value_of(r, variables.items[i]), &list);
	return result < 0 ? result : from_items(r, from, list);
}

int devices_resolve(struct resolver *r, const struct mount_requests *mounts)
{
	int (*const sources[])(struct resolver *, const struct mount_requests *) = {
		from_annotation,
		from_cdi_annotations,
		from_mounts,
		from_env,
	};

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		int result = sources[i](r, mounts);

		if (result != SOURCE_UNSET)
			return result < 0 ? result : 0;
	}
	if (r->request->gpu)
		return 0;
	return resolver_rule(r, RULE_APPLIED, "nothing requests devices: not a GPU container");
}
