// SPDX-License-Identifier: Apache-2.0
/*
 * Decides who handles the name of a CDI device, "VENDOR/CLASS=DEVICE". davit itself reads NVIDIA's
 * kinds and those of other known vendors. All other devices are defined by specs.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "resolver.h"

static struct slice strip(struct slice text, size_t length)
{
	return (struct slice){text.data + length, text.length - length};
}

/* The length of "VENDOR/CLASS" in a qualified name; 0: another form. */
static size_t kind_length(struct slice name)
{
	const char *equals = memchr(name.data, '=', name.length);
	size_t length = equals ? (size_t)(equals - name.data) : 0;
	const char *slash = length ? memchr(name.data, '/', length) : NULL;

	if (!slash || slash == name.data || slash + 1 == equals || length + 1 == name.length)
		return 0;
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)name.data[i]) && !strchr("_-./", name.data[i]))
			return 0;
	return memchr(slash + 1, '/', length - (size_t)(slash + 1 - name.data)) ? 0 : length;
}

static bool is_word(struct slice device)
{
	static const char *const words[] = {"all", "none", "void"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (device.length == strlen(words[i]) &&
		    strncasecmp(device.data, words[i], device.length) == 0)
			return true;
	return false;
}

/* Whether it is a name in davit's own format: 0, 0:1, GPU-..., MIG-..., a bus id. */
static bool is_own_name(struct slice device)
{
	if (is_word(device) || slice_starts(device, "GPU-") || slice_starts(device, "MIG-"))
		return true;
	for (size_t i = 0; i < device.length; i++)
		if (!isxdigit((unsigned char)device.data[i]) && !strchr(":.", device.data[i]))
			return false;
	/* "face" is a custom name; numbers and bus ids begin with a digit. */
	return device.length > 0 && isdigit((unsigned char)device.data[0]);
}

static bool is_kind(struct slice name, size_t length, const char *kind)
{
	return length == strlen(kind) && memcmp(name.data, kind, length) == 0;
}

enum name_owner name_owner(struct slice name, struct slice *ret_device)
{
	size_t length = kind_length(name);
	struct slice device = length ? strip(name, length + 1) : (struct slice){0}, ignored;

	*ret_device = device;
	if (!length)
		return NAME_UNQUALIFIED;
	if (is_kind(name, length, "runtime.nvidia.com/gpu"))
		return NAME_NVIDIA;
	if (is_kind(name, length, "nvidia.com/gpu"))
		return is_own_name(device) ? NAME_NVIDIA : NAME_OF_SPEC;
	if (is_kind(name, length, "management.nvidia.com/gpu") && slice_equal(device, "all"))
		return NAME_MANAGEMENT;
	return vendor_of_device(name, &ignored) ? NAME_OF_VENDOR : NAME_OF_SPEC;
}

bool name_is_of_nvidia(const char *name)
{
	const char *slash = strchr(name, '/');
	struct slice vendor = {name, slash ? (size_t)(slash - name) : 0};
	static const char own[] = "nvidia.com";
	size_t length = strlen(own);

	return vendor.length >= length &&
	       memcmp(vendor.data + vendor.length - length, own, length) == 0 &&
	       (vendor.length == length || vendor.data[vendor.length - length - 1] == '.');
}

static int add_name(struct resolver *r, const char *from, const char *name)
{
	bool ignored = false;
	int result = items_check_printable(r, from, name);

	if (result == 0)
		result = feature_check_name(r, from, name, &ignored);
	if (result < 0 || ignored)
		return result;
	if (r->request->spec_devices.count == REQUEST_ITEMS_MAX)
		return items_too_many(r, from);
	return strings_add(r->arena, &r->request->spec_devices, name) < 0 ? error_memory(r->err)
									  : 0;
}

int names_add(struct resolver *r, const char *from, const struct strings *names)
{
	struct gpu_request *request = r->request;
	size_t before = request->spec_devices.count;
	int result = 0;

	for (size_t i = 0; result == 0 && i < names->count; i++)
		result = add_name(r, from, names->items[i]);
	if (result < 0 || request->spec_devices.count == before)
		return result;
	request->gpu = true;
	if (!*request->spec_from)
		request->spec_from = from;
	result = resolver_rule(r, RULE_APPLIED, "devices of CDI specs come from %s: %.64s%s", from,
			       request->spec_devices.items[before],
			       request->spec_devices.count - before > 1 ? " and others" : "");
	return result < 0 ? result : items_unique(r, &request->spec_devices);
}

int names_split(struct resolver *r, struct strings *list, struct strings *ret)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct slice device;
		const char *name = list->items[i];

		switch (name_owner(slice_from(name), &device)) {
		case NAME_OF_SPEC:
			if (strings_add(r->arena, ret, name) < 0)
				return error_memory(r->err);
			continue;
		case NAME_MANAGEMENT:
			r->request->management = true;
			name = "all";
			break;
		case NAME_NVIDIA:
			name = device.data; /* it ends with the item */
			break;
		default:
			break;
		}
		list->items[kept++] = name;
	}
	list->count = kept;
	return 0;
}
