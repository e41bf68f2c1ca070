// SPDX-License-Identifier: Apache-2.0
/*
 * The request for vendors other than NVIDIA. For each vendor, the sources and their order are the
 * same as NVIDIA's, and the first source that names one of its devices decides.
 */
#include <string.h>
#include <strings.h>

#include "resolver.h"

/* A source's results other than -errno. */
enum { SOURCE_UNSET, SOURCE_DECIDED };

/* Keeps each device once, at its last place. Unprintable names are an error. */
static int wish(struct resolver *r, const struct vendor *vendor, const char *from,
		struct strings *names)
{
	struct wish *added;
	int result = items_unique(r, names);

	for (size_t i = 0; result == 0 && i < names->count; i++)
		result = items_check_printable(r, from, names->items[i]);
	if (result < 0)
		return result;
	added = ARENA_PUSH(r->arena, &r->request->wishes);
	if (!added)
		return error_memory(r->err);
	*added = (struct wish){vendor, from, *names};
	r->request->gpu = true;
	if (names->count == 1)
		result = resolver_rule(r, RULE_APPLIED, "%s devices come from %s: %.64s",
				       vendor->title, from, names->items[0]);
	else
		result = resolver_rule(r, RULE_APPLIED, "%s devices come from %s: a list of %zu",
				       vendor->title, from, names->count);
	return result < 0 ? result : SOURCE_DECIDED;
}

/* `void`, or only `none`, requests no GPU of the vendor. */
static int decide(struct resolver *r, const struct vendor *vendor, const char *from,
		  struct strings *names)
{
	const char *word = names->count ? NULL : "is empty";
	size_t kept = 0;
	int result;

	for (size_t i = 0; i < names->count; i++) {
		if (strcasecmp(names->items[i], "void") == 0)
			word = "is void";
		if (strcasecmp(names->items[i], "none") != 0)
			names->items[kept++] = names->items[i];
	}
	names->count = kept;
	if (!word && kept == 0)
		word = "is none";
	if (!word)
		return wish(r, vendor, from, names);
	result = resolver_rule(r, RULE_APPLIED, "%s %s: no %s GPU", from, word, vendor->title);
	return result < 0 ? result : SOURCE_DECIDED;
}

/* The vendor's devices among qualified names ("amd.com/gpu=0"), without the kind. */
static int add_own(struct resolver *r, const struct vendor *vendor, const char *from,
		   struct slice item, struct strings *names)
{
	struct slice device;
	const char *copy;

	if (vendor_of_device(item, &device) != vendor)
		return 0;
	if (names->count == REQUEST_ITEMS_MAX)
		return items_too_many(r, from);
	copy = arena_strndup(r->arena, device.data, device.length);
	return !copy || strings_add(r->arena, names, copy) < 0 ? error_memory(r->err) : 0;
}

static int from_annotation(struct resolver *r, const struct vendor *vendor,
			   const struct mount_requests *mounts)
{
	static const char from[] = "annotation " ANNOTATION_DEVICES;
	const char *value = oci_pairs_get(&r->spec->annotations, ANNOTATION_DEVICES);
	struct slice rest = slice_from(value ? value : ""), item;
	struct strings names = {0};
	int result = 0;

	(void)mounts;
	while (result == 0 && slice_next(&rest, ',', &item))
		result = add_own(r, vendor, from, slice_trim(item), &names);
	if (result < 0 || names.count == 0 || !resolver_accepts_annotation(r, from))
		return result < 0 ? result : SOURCE_UNSET;
	return decide(r, vendor, from, &names);
}

static int from_cdi_annotations(struct resolver *r, const struct vendor *vendor,
				const struct mount_requests *mounts)
{
	static const char from[] = "annotations cdi.k8s.io";
	const struct oci_pairs *all = &r->spec->annotations;
	struct strings names = {0};
	int result = 0;

	(void)mounts;
	for (size_t i = 0; result == 0 && i < all->count; i++) {
		struct slice rest = slice_from(all->items[i].value), item;

		if (!resolver_is_cdi_annotation(r, all->items[i].name))
			continue;
		while (result == 0 && slice_next(&rest, ',', &item))
			result = add_own(r, vendor, from, item, &names);
	}
	if (result < 0 || names.count == 0 || !resolver_accepts_annotation(r, from))
		return result < 0 ? result : SOURCE_UNSET;
	return decide(r, vendor, from, &names);
}

static int from_mounts(struct resolver *r, const struct vendor *vendor,
		       const struct mount_requests *mounts)
{
	struct strings names = {0};
	int result = 0;

	for (size_t i = 0; result == 0 && i < mounts->others.count; i++)
		result = add_own(r, vendor, "mounts", slice_from(mounts->others.items[i]), &names);
	if (result < 0 || names.count == 0)
		return result;
	return decide(r, vendor, "mounts", &names);
}

static int from_env(struct resolver *r, const struct vendor *vendor,
		    const struct mount_requests *mounts)
{
	const struct vendor_variable *variable = r->env.others;
	const struct vendor_variable *end = variable + r->env.others_count;
	struct strings names = {0}, of_specs = {0};
	size_t kept = 0;
	const char *from;
	int result;

	(void)mounts;
	while (variable < end && (variable->vendor != vendor || !variable->value))
		variable++;
	if (variable == end)
		return SOURCE_UNSET;
	from = arena_printf(r->arena, "env %s", variable->name);
	if (!from)
		return error_memory(r->err);
	if (!resolver_accepts_env(r, from))
		return SOURCE_UNSET;
	result = items_split(r, from, variable->value, &names);
	/* "amd.com/gpu=0" means 0, so that CDI names can be used in the variables. */
	for (size_t i = 0; result == 0 && i < names.count; i++) {
		struct slice device;
		const char *name = names.items[i];

		if (name_owner(slice_from(name), &device) == NAME_OF_SPEC) {
			result = strings_add(r->arena, &of_specs, name) < 0 ? error_memory(r->err)
									    : 0;
			continue;
		}
		if (vendor_of_device(slice_from(name), &device) == vendor)
			name = device.data; /* it ends with the item */
		names.items[kept++] = name;
	}
	names.count = kept;
	if (result == 0)
		result = names_add(r, from, &of_specs);
	if (result < 0)
		return result;
	return of_specs.count && kept == 0 ? SOURCE_DECIDED : decide(r, vendor, from, &names);
}

static int resolve(struct resolver *r, const struct vendor *vendor,
		   const struct mount_requests *mounts)
{
	int (*const sources[])(struct resolver *, const struct vendor *,
			       const struct mount_requests *) = {
		from_annotation,
		from_cdi_annotations,
		from_mounts,
		from_env,
	};

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		int result = sources[i](r, vendor, mounts);

		if (result != SOURCE_UNSET)
			return result < 0 ? result : 0;
	}
	return 0;
}

int wishes_resolve(struct resolver *r, const struct mount_requests *mounts)
{
	int result = 0;

	/* Most containers have none of these requests. */
	if (r->spec->annotations.count == 0 && mounts->others.count == 0 && !r->env.others_set)
		return 0;
	for (size_t i = 0; result == 0 && vendors[i]; i++)
		if (vendors[i]->table)
			result = resolve(r, vendors[i], mounts);
	return result;
}

/* ---- variables -------------------------------------------------------------------------- */

static const struct vendor *vendor_of_kind(struct slice kind)
{
	for (size_t i = 0; vendors[i]; i++)
		if (vendors[i]->table && slice_equal(kind, vendors[i]->kind))
			return vendors[i];
	return NULL;
}

static int unknown_kind(struct resolver *r, const char *entry)
{
	struct strings kinds = {0};
	const char *list;

	for (size_t i = 0; vendors[i]; i++)
		if (vendors[i]->table && strings_add(r->arena, &kinds, vendors[i]->kind) < 0)
			return error_memory(r->err);
	list = strings_join(r->arena, &kinds, ", ");
	if (!list)
		return error_memory(r->err);
	return error_fix(r->err,
			 error_set(r->err, ERROR_BAD_CONFIG, EINVAL, NULL,
				   "use policy.vendor-env-names: \"%.100s\" has an unknown kind",
				   entry),
			 "write NAME=KIND with one of the kinds %s", list);
}

/*
 * The configured variables come first, as in policy.env-names. Each vendor's own variable is the
 * last.
 */
int wishes_list_variables(struct resolver *r)
{
	const struct strings *configured = &r->config->policy.vendor_env_names;
	struct vendor_variable *list;
	size_t count = 0, room = configured->count;

	for (size_t i = 0; vendors[i]; i++)
		room += vendors[i]->table && vendors[i]->variable;
	list = arena_alloc(r->arena, (room + 1) * sizeof(*list));
	if (!list)
		return error_memory(r->err);
	for (size_t i = 0; i < configured->count; i++) {
		struct slice kind = slice_from(configured->items[i]), name;

		(void)slice_next(&kind, '=', &name);
		list[count] = (struct vendor_variable){
			.vendor = kind.data ? vendor_of_kind(kind) : NULL,
			.name = arena_strndup(r->arena, name.data, name.length)};
		if (!list[count].name)
			return error_memory(r->err);
		if (!list[count++].vendor)
			return unknown_kind(r, configured->items[i]);
	}
	for (size_t i = 0; vendors[i]; i++)
		if (vendors[i]->table && vendors[i]->variable)
			list[count++] = (struct vendor_variable){.vendor = vendors[i],
								 .name = vendors[i]->variable};
	r->env.others = list;
	r->env.others_count = count;
	return 0;
}
