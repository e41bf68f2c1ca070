// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "table.h"

const struct vendor vendor_nvidia = {
	.name = "nvidia",
	.title = "NVIDIA",
	.kind = "nvidia.com/gpu",
	.variable = "NVIDIA_VISIBLE_DEVICES",
	.void_text = "void",
};
const struct vendor vendor_amd = {
	.name = "amd",
	.title = "AMD",
	.kind = "amd.com/gpu",
	.variable = "AMD_VISIBLE_DEVICES",
	.void_text = "void",
	.table = &vendor_table_amd,
};
const struct vendor vendor_intel = {
	.name = "intel",
	.title = "Intel",
	.kind = "intel.com/gpu",
	.table = &vendor_table_intel,
};

const struct vendor *const vendors[] = {&vendor_nvidia, &vendor_amd, &vendor_intel, NULL};

const struct vendor *vendor_find(const char *name)
{
	for (size_t i = 0; vendors[i]; i++) {
		size_t length = strcspn(vendors[i]->kind, "/");

		if (strcmp(name, vendors[i]->name) == 0 ||
		    (strlen(name) == length && strncmp(name, vendors[i]->kind, length) == 0))
			return vendors[i];
	}
	return NULL;
}

/*
 * Whether the name has a form that davit generates for a vendor other than NVIDIA: a word, an
 * index, a range, a bus id, a unique id, a card. Other names ("gpu0") may be defined by specs of
 * others.
 */
static bool is_own_name(struct slice device)
{
	static const char *const words[] = {"all", "none", "void"};
	size_t digits = 0;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (device.length == strlen(words[i]) &&
		    strncasecmp(device.data, words[i], device.length) == 0)
			return true;
	if (slice_starts(device, "GPU-") || isdigit((unsigned char)device.data[0]))
		return true;
	if (slice_starts(device, "card") && device.length > strlen("card"))
		return isdigit((unsigned char)device.data[strlen("card")]);
	while (digits < device.length && isxdigit((unsigned char)device.data[digits]))
		digits++;
	/* "b7:00.0", or a unique id without 0x. */
	return digits > 0 &&
	       (digits == device.length ? digits > INDEX_DIGITS_MAX : device.data[digits] == ':');
}

const struct vendor *vendor_of_device(struct slice name, struct slice *ret_device)
{
	for (size_t i = 0; vendors[i]; i++) {
		size_t length = strlen(vendors[i]->kind);

		if (!slice_starts(name, vendors[i]->kind) || name.length <= length + 1 ||
		    name.data[length] != '=')
			continue;
		*ret_device = (struct slice){name.data + length + 1, name.length - length - 1};
		return !vendors[i]->table || is_own_name(*ret_device) ? vendors[i] : NULL;
	}
	return NULL;
}
