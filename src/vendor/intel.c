// SPDX-License-Identifier: Apache-2.0
/*
 * Intel: each PCI function of i915 or xe is a GPU, also an integrated GPU or a virtual function of
 * SR-IOV. Tiles have no nodes of their own. sysfs has no UUID, so the names are those of Intel's
 * CDI specs: by bus and device id ("0000-03-00-0-0xe20b") or by card ("card1").
 */
#include <string.h>

#include "table.h"

#define NAMES "usr/share/misc/pci.ids"
#define NAMES_MAX ((size_t)4 * 1024 * 1024)

/*
 * GPUs that are sold for computing. Other names are in pci.ids, if the host has it. The table
 * contains the names themselves, because pointers would be relocated at each start of the hook.
 */
static const struct {
	unsigned device;
	char name[28];
} models[] = {
	{0x4626, "Iris Xe (Alder Lake-P)"},
	{0xa7a0, "Iris Xe (Raptor Lake-P)"},
	{0x7d67, "Graphics (Arrow Lake-S)"},
	{0x56a0, "Arc A770"},
	{0x56a1, "Arc A750"},
	{0x56a2, "Arc A580"},
	{0x56a5, "Arc A380"},
	{0x56a6, "Arc A310"},
	{0x56b0, "Arc Pro A30M"},
	{0x56b1, "Arc Pro A40/A50"},
	{0x56b2, "Arc Pro A60M"},
	{0x56b3, "Arc Pro A60"},
	{0x56c0, "Data Center GPU Flex 170"},
	{0x56c1, "Data Center GPU Flex 140"},
	{0x0b69, "Data Center GPU Max 1550"},
	{0x0bd0, "Data Center GPU Max 1550"},
	{0x0bd5, "Data Center GPU Max 1550"},
	{0x0bd6, "Data Center GPU Max 1450"},
	{0x0bd9, "Data Center GPU Max 1100"},
	{0x0bda, "Data Center GPU Max 1100"},
	{0x0bdb, "Data Center GPU Max 1100"},
	{0xb080, "Arc B390"},
	{0xb081, "Arc B370"},
	{0xb082, "Arc B390"},
	{0xb083, "Arc B370"},
	{0xb084, "Arc B390"},
	{0xb085, "Arc B370"},
	{0xb086, "Arc B390"},
	{0xb087, "Arc B370"},
	{0xe20b, "Arc B580"},
	{0xe20c, "Arc B570"},
	{0xe211, "Arc Pro B60"},
	{0xe212, "Arc Pro B50"},
	{0xe222, "Arc Pro B65"},
	{0xe223, "Arc Pro B70"},
};

/* Finds a name in pci.ids: "8086 Intel Corporation", then "\te20b Name" until the next vendor. */
static struct slice find_name(struct vendor_reader *reader, uint64_t device)
{
	struct slice rest, line;
	bool intel = false;
	uint64_t number;
	char *text;

	if (root_read(&reader->roots->host, NAMES, NAMES_MAX, reader->arena, &text, NULL) < 0)
		return (struct slice){0};
	rest = slice_from(text);
	while (slice_next(&rest, '\n', &line)) {
		if (line.length < 7 || line.data[0] == '#')
			continue;
		if (line.data[0] != '\t') {
			if (intel)
				break;
			intel = slice_starts(line, "8086 ");
		} else if (intel && line.data[1] != '\t' &&
			   parse_number(line.data + 1, 4, 16, UINT16_MAX, &number) == 0 &&
			   number == device) {
			return slice_trim((struct slice){line.data + 5, line.length - 5});
		}
	}
	return (struct slice){0};
}

static const char *model_of(struct vendor_reader *reader, uint64_t device)
{
	struct slice name;
	char *text;

	for (size_t i = 0; i < ARRAY_SIZE(models); i++)
		if (models[i].device == device)
			return arena_printf(reader->arena, "Intel %s", models[i].name);
	name = find_name(reader, device);
	text = name.length ? arena_printf(reader->arena, "Intel %.*s", (int)name.length, name.data)
			   : arena_printf(reader->arena, "Intel GPU 8086:%04x", (unsigned)device);
	if (text)
		string_printable(text);
	return text;
}

static int describe(struct vendor_reader *reader, struct accelerator *accelerator)
{
	uint64_t device = 0;
	char *name;

	(void)vendor_read_number(reader, accelerator->bus_id, "device", UINT16_MAX, &device);
	name = arena_printf(reader->arena, "%s-0x%04x", accelerator->bus_id, (unsigned)device);
	if (!name)
		return vendor_no_memory(reader);
	for (char *c = name; *c; c++)
		if (*c == ':' || *c == '.')
			*c = '-';
	accelerator->uid_name = name;
	if (!reader->details)
		return 0;
	accelerator->model = model_of(reader, device);
	return accelerator->model ? 0 : vendor_no_memory(reader);
}

static const char *const drivers[] = {"i915", "xe", NULL};

static const char *const inside_names[] = {"ZE_AFFINITY_MASK", NULL};

const struct vendor_table vendor_table_intel = {
	.drivers = drivers,
	.pci_vendor = 0x8086,
	.check_class = true,
	.names_by_card = true,
	.absent = "the host has no i915 or xe GPU",
	.absent_fix = "modprobe xe, or i915 for older GPUs",
	.inside = "ZE_AFFINITY_MASK",
	.inside_names = inside_names,
	.parts_hint =
		"request the whole GPU, and select its tile with ZE_AFFINITY_MASK in the container",
	.describe = describe,
};
