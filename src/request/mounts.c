// SPDX-License-Identifier: Apache-2.0
#include <limits.h>
#include <string.h>

#include "resolver.h"

#define FOLDER "nvidia-container-devices/"

/*
 * "/a//b/../c/." -> "/a/c", cleaned as by the engines. Empty for a relative path, or one that no
 * kernel accepts.
 */
static struct slice clean_path(const char *path, char clean[static PATH_MAX])
{
	struct slice rest = slice_from(path), part;
	size_t length = 0;

	if (path[0] != '/' || rest.length >= PATH_MAX)
		return (struct slice){clean, 0};
	while (slice_next(&rest, '/', &part)) {
		if (part.length == 0 || slice_equal(part, "."))
			continue;
		if (slice_equal(part, "..")) {
			while (length > 0 && clean[--length] != '/')
				;
			continue;
		}
		clean[length++] = '/';
		memcpy(clean + length, part.data, part.length);
		length += part.length;
	}
	return (struct slice){clean, length};
}

/* The part after the folder in a mount's destination; empty if it isn't in the folder. */
static struct slice request_of(const struct oci_mount *mount, char clean[static PATH_MAX])
{
	static const char *const folders[] = {"/var/run/" FOLDER, "/run/" FOLDER};
	const struct slice nothing = {0};
	struct slice path;

	/* Most mounts can be skipped without cleaning. */
	if (!strstr(mount->source, "null") || !strstr(mount->destination, FOLDER))
		return nothing;
	if (!slice_equal(clean_path(mount->source, clean), "/dev/null"))
		return nothing;
	path = clean_path(mount->destination, clean);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (slice_starts(path, folders[i])) {
			size_t length = strlen(folders[i]);

			return (struct slice){path.data + length, path.length - length};
		}
	return nothing;
}

static struct slice strip(struct slice text, size_t length)
{
	return (struct slice){text.data + length, text.length - length};
}

int mount_refuse_word(struct resolver *r, const char *what, const char *word)
{
	return error_set(r->err, ERROR_UNKNOWN_DEVICE, ENODEV,
			 "use NVIDIA_VISIBLE_DEVICES for void or none",
			 "find the GPU \"%s\" of %s: a mount can only name a device", word, what);
}

static int add(struct resolver *r, struct strings *list, struct slice name)
{
	const char *copy = arena_strndup(r->arena, name.data, name.length);

	if (list->count == REQUEST_ITEMS_MAX)
		return items_too_many(r, "the list of mounts");
	if (!copy || strings_add(r->arena, list, copy) < 0)
		return error_memory(r->err);
	return 0;
}

/* "amd.com/gpu=0" or "amd.com/gpu/0", in the first form. */
static int add_qualified(struct resolver *r, struct slice name, struct mount_requests *ret)
{
	char *copy = arena_strndup(r->arena, name.data, name.length), *slash;
	struct slice device;

	if (!copy)
		return error_memory(r->err);
	slash = strchr(copy, '/');
	slash = slash ? strchr(slash + 1, '/') : NULL;
	if (slash && !memchr(copy, '=', (size_t)(slash - copy)))
		*slash = '=';
	switch (name_owner(slice_from(copy), &device)) {
	case NAME_NVIDIA:
		return add(r, &ret->devices, device);
	case NAME_MANAGEMENT:
		r->request->management = true;
		return add(r, &ret->devices, device);
	case NAME_OF_VENDOR:
		return add(r, &ret->others, slice_from(copy));
	case NAME_OF_SPEC:
		return add(r, &ret->of_specs, slice_from(copy));
	default:
		ret->malformed++;
		return 0;
	}
}

static int add_request(struct resolver *r, struct slice name, struct mount_requests *ret)
{
	if (slice_starts(name, "imex/"))
		return add(r, &ret->imex, strip(name, strlen("imex/")));
	if (!slice_starts(name, "cdi/")) {
		if (slice_equal(name, "none"))
			ret->word = "none";
		if (slice_equal(name, "void"))
			ret->word = "void";
		return add(r, &ret->devices, name);
	}
	return add_qualified(r, strip(name, strlen("cdi/")), ret);
}

int mount_requests_read(struct resolver *r, struct mount_requests *ret)
{
	char clean[PATH_MAX];
	size_t ignored = 0;

	*ret = (struct mount_requests){0};
	for (size_t i = 0; i < r->spec->mounts.count; i++) {
		struct slice name = request_of(&r->spec->mounts.items[i], clean);
		int result;

		if (name.length == 0)
			continue;
		if (!r->config->policy.mounts) {
			ignored++;
			continue;
		}
		result = add_request(r, name, ret);
		if (result < 0)
			return result;
	}
	if (ignored > 0)
		return resolver_rule(r, RULE_POLICY,
				     "mounts of /dev/null that name devices are ignored (%zu): "
				     "policy.accept-mounts is false",
				     ignored);
	if (ret->malformed > 0)
		return resolver_rule(r, RULE_IGNORED,
				     "mounts that name no CDI device are ignored: %zu",
				     ret->malformed);
	return 0;
}
