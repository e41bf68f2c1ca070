// SPDX-License-Identifier: Apache-2.0
#include <string.h>

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

const struct vendor *vendor_of_device(struct slice name, struct slice *ret_device)
{
	for (size_t i = 0; vendors[i]; i++) {
		size_t length = strlen(vendors[i]->kind);

		if (!slice_starts(name, vendors[i]->kind) || name.length <= length + 1 ||
		    name.data[length] != '=')
			continue;
		*ret_device = (struct slice){name.data + length + 1, name.length - length - 1};
		return vendors[i];
	}
	return NULL;
}
