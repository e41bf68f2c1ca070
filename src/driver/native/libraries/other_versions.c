// SPDX-License-Identifier: Apache-2.0
/* Libraries of another version than the kernel module's, which are found instead of its own. */
#include <string.h>

#include "../inventory.h"

/*
 * "535.104.05" of "libcuda.so.535.104.05". A driver's version begins with three digits and has a
 * dot.
 */
static const char *version_of(const char *name)
{
	const char *version = name + catalogue_stem_length(name);

	if (*version++ != '.' || strspn(version, "0123456789") < 3 || !strchr(version, '.') ||
	    version[strspn(version, "0123456789.")] != '\0')
		return NULL;
	return version;
}

/* Whether it is a name that programs load, such as "libcuda.so.1". */
static bool is_soname(const char *path)
{
	const char *name = strrchr(path, '/') + 1;
	size_t stem = catalogue_stem_length(name);

	return name[stem] == '.' && !strchr(name + stem + 1, '.');
}

static struct other_library *find_other(struct inventory *inv, const char *path)
{
	for (size_t i = 0; i < inv->others.count; i++)
		if (strcmp(inv->others.items[i].path, path) == 0)
			return &inv->others.items[i];
	return NULL;
}

int library_remember_other(struct inventory *inv, int class_bits, enum driver_tree tree,
			   const char *link, const char *path, bool alternatives)
{
	const char *name = strrchr(path, '/') + 1, *version = version_of(name);
	const char *whole = inventory_whole_path(inv, tree, path);
	struct other_library *other;

	if (!version || strcmp(version, inv->driver->version) == 0)
		return 0;
	link = inventory_whole_path(inv, tree, link);
	if (!whole || !link)
		return -ENOMEM;
	other = find_other(inv, whole);
	if (other) {
		other->alternatives |= alternatives;
		if (is_soname(link))
			other->link = link;
		return 0;
	}
	other = ARENA_PUSH(inv->arena, &inv->others);
	if (!other)
		return -ENOMEM;
	*other = (struct other_library){
		.name = arena_strndup(inv->arena, name, catalogue_stem_length(name)),
		.path = whole,
		.link = link,
		.version = version,
		.class_bits = class_bits,
		.alternatives = alternatives,
	};
	return other->name ? 0 : -ENOMEM;
}

bool library_other_is_selected(const struct inventory *inv, int class_bits)
{
	for (size_t i = 0; i < inv->others.count; i++) {
		const struct other_library *other = &inv->others.items[i];

		if (other->alternatives && other->class_bits == class_bits &&
		    catalogue_is_sign(other->name))
			return true;
	}
	return false;
}
