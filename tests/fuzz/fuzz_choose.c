// SPDX-License-Identifier: Apache-2.0
/* The items by which AMD's and Intel's GPUs are asked for, among those of a host. */
#include "davit/vendor.h"
#include "fuzz.h"

static struct accelerator_node nodes[] = {{.name = "dri/card1"}, {.name = "dri/renderD128"}};
/* Two partitions of one GPU, and another GPU; then the same as Intel's. */
static struct accelerator gpus[] = {
	{.index = 0,
	 .bus_id = "0000:05:00.0",
	 .address = 0x500,
	 .split = true,
	 .unique_id = 0xE150DAA1EF010ACF,
	 .uid_name = "0xE150DAA1EF010ACF",
	 .nodes = {nodes, 2, 2}},
	{.index = 1,
	 .bus_id = "0000:05:00.0",
	 .address = 0x500,
	 .split = true,
	 .partition = 1,
	 .unique_id = 0xE150DAA1EF010ACF,
	 .uid_name = "0xE150DAA1EF010ACF"},
	{.index = 2, .bus_id = "0001:02:00.0", .address = 0x10200},
};
static struct unusable lost[] = {{"0000:03:00.0", "it is bound to vfio-pci"}};

static void choose(const struct vendor *vendor, const struct strings *devices, struct arena *arena)
{
	struct choice choice = {
		.vendor = vendor,
		.from = "env X",
		.all = {.vendor = vendor, .items = gpus, .count = 3, .warning = ""},
	};
	struct error err = FUZZ_ERROR;
	int r;

	choice.all.unusable.items = lost;
	choice.all.unusable.count = 1;
	r = accelerators_choose(devices, NULL, arena, &choice, &err);
	if (r < 0) {
		fuzz_check_error(r, &err);
		FUZZ_CHECK((r == -ENODEV && err.code == ERROR_UNKNOWN_DEVICE) ||
			   (r == -EINVAL && err.code == ERROR_BAD_REQUEST));
		return;
	}
	FUZZ_CHECK(choice.count <= 3);
	for (size_t i = 0; i < choice.count; i++)
		FUZZ_CHECK(choice.items[i] >= gpus && choice.items[i] < gpus + 3 &&
			   (i == 0 || choice.items[i] > choice.items[i - 1]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_TEXT text = fuzz_text(data, size);
	AUTO_ARENA arena = {0};
	struct slice rest = slice_from(text), item;
	struct strings devices = {0};

	/* What a request lets through. */
	for (const char *c = text; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			return 0;
	while (slice_next(&rest, ',', &item)) {
		const char *copy = arena_strndup(&arena, item.data, item.length);

		FUZZ_CHECK(copy && strings_add(&arena, &devices, copy) == 0);
	}
	choose(&vendor_amd, &devices, &arena);
	choose(&vendor_intel, &devices, &arena);
	return 0;
}
