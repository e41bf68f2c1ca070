// SPDX-License-Identifier: Apache-2.0
#include "unit.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../../src/vendor/topology.h"
#include "davit/vendor.h"

/* ---- topology --------------------------------------------------------------------------- */

/* clang-format off */
static const struct {
	const char *text;
	int r;
	struct topology_node node;
	const char *arch;
} topologies[] = {
	{"", 0, {0}, NULL},
	{"cpu_cores_count 96\nsimd_count 0\ndrm_render_minor 0\n", 0, {0}, NULL},
	{"drm_render_minor 131\nlocation_id 1283\ndomain 1\ngfx_target_version 90402\n"
	 "unique_id 16235717045705050831\n", 0,
	 {.render_minor = 131, .domain = 1, .location = 1283, .gfx_version = 90402,
	  .unique_id = 0xE150DAA1EF010ACF}, "gfx942"},
	{"gfx_target_version 90010\n", 0, {.gfx_version = 90010}, "gfx90a"},
	{"gfx_target_version 100306\n", 0, {.gfx_version = 100306}, "gfx1036"},
	{"gfx_target_version 110501", 0, {.gfx_version = 110501}, "gfx1151"},
	/* No domain, as kernels before 5.8 have it. */
	{"location_id 6656\ndrm_render_minor 129\n", 0, {.location = 6656, .render_minor = 129}, NULL},
	{"unknown x\ndrm_render_minor 7\n\n nothing", 0, {.render_minor = 7}, NULL},
	{"drm_render_minor -1\n", 0, {0}, NULL},
	{"drm_render_minor 7x\n", -EINVAL, {0}, NULL},
	{"drm_render_minor 1048576\n", -EINVAL, {0}, NULL},
	{"location_id 1283\nunique_id 18446744073709551616\n", 0, {.location = 1283}, NULL},
	{"drm_render_minor 128\ngfx_target_version 1000000\nunique_id -1\n", 0, {.render_minor = 128}, NULL},
	{"drm_render_minor   128  \r\ngfx_target_version\n", 0, {.render_minor = 128}, NULL},
	{"location_id 0x500\n", -EINVAL, {0}, NULL},
	{"domain 4294967296\n", -EINVAL, {0}, NULL},
};
/* clang-format on */

static void nodes_of_kfd_are_understood(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(topologies); i++) {
		AUTO_ARENA arena = {0};
		struct topology_node node;
		size_t length = strlen(topologies[i].text);
		char *copy = malloc(length ? length : 1);
		const char *arch;

		/* Without terminator, so that a read behind the end is seen by ASan. */
		assert_non_null(copy);
		memcpy(copy, topologies[i].text, length);
		assert_int_equal(topology_parse(copy, length, &node), topologies[i].r);
		free(copy);
		if (topologies[i].r < 0)
			continue;
		assert_int_equal(node.render_minor, topologies[i].node.render_minor);
		assert_int_equal(node.domain, topologies[i].node.domain);
		assert_int_equal(node.location, topologies[i].node.location);
		assert_int_equal(node.gfx_version, topologies[i].node.gfx_version);
		assert_true(node.unique_id == topologies[i].node.unique_id);
		arch = topology_arch(node.gfx_version, &arena);
		assert_true(string_equal(arch, topologies[i].arch));
	}
}

/* ---- choosing --------------------------------------------------------------------------- */

static struct accelerator_node card1[] = {{.name = "dri/card1"}, {.name = "dri/renderD128"}};
/* A GPU in two partitions, one without an id, and one in another domain. */
static struct accelerator gpus[] = {
	{.index = 0,
	 .bus_id = "0000:05:00.0",
	 .address = 0x500,
	 .split = true,
	 .unique_id = 0x0FA565A64BF2D543,
	 .uid_name = "0xFA565A64BF2D543",
	 .nodes = {card1, 2, 2}},
	{.index = 1,
	 .bus_id = "0000:05:00.0",
	 .address = 0x500,
	 .split = true,
	 .partition = 1,
	 .unique_id = 0x0FA565A64BF2D543,
	 .uid_name = "0xFA565A64BF2D543"},
	{.index = 2, .bus_id = "0000:0e:00.0", .address = 0xe00},
	{.index = 3,
	 .bus_id = "10000:05:00.0",
	 .address = 0x100000500,
	 .uid_name = "10000-05-00-0-0xe20b"},
};
static struct unusable unusable[] = {{"0000:03:00.0", "it is bound to vfio-pci"}};

/* `chosen`: the indices, or the beginning of the message. */
static const struct {
	const char *items, *chosen;
} choices[] = {
	{"all", "0123"},
	{"ALL", "0123"},
	{"0,all", "0123"},
	{"none", ""},
	{"none,1", "1"},
	{"3,1,3", "13"},
	{"1-3", "123"},
	{"2-2", "2"},
	{"0-3,0-3", "0123"},
	{"0x0FA565A64BF2D543", "01"},
	{"0xfa565a64bf2d543", "01"},
	{"fa565a64bf2d543", "01"},
	{"GPU-0fa565a64bf2d543", "01"},
	{"gpu-fa565a64bf2d543", "01"},
	{"0x000000000fa565a64bf2d543", "01"},
	{"0x10FA565A64BF2D543", "inject AMD GPU 0x10FA565A64BF2D543: the host has 4 GPUs (0-3)"},
	{"34ff740f-0000-1000-80cb-5074bc442bc6",
	 "inject AMD GPU 34ff740f-0000-1000-80cb-5074bc442bc6: the host has 4 GPUs (0xFA565A64B"},
	{"0000:05:00.0", "01"},
	{"05:00.0", "01"},
	{"00000000:05:00.0", "01"},
	{"05:00.1", "1"},
	{"10000:05:00.0", "3"},
	{"card1", "0"},
	{"10000-05-00-0-0xE20B", "3"},
	{"4", "inject AMD GPU 4: the host has 4 GPUs (0-3)"},
	{"2-5", "inject AMD GPU 4, 5: the host has 4 GPUs (0-3)"},
	{"9-8", "read the range 9-8 of AMD_VISIBLE_DEVICES: it ends before it begins"},
	{"0-65536", "read AMD_VISIBLE_DEVICES: its ranges contain more than 65536 GPUs"},
	{"0-65000,0-1000", "inject AMD GPU 4, 5, 6, "},
	{"0x0", "inject AMD GPU 0x0: the host has 4 GPUs (0-3)"},
	{"0000000000000000", "inject AMD GPU 0000000000000000: the host has 4 GPUs (0-3)"},
	{"123456789", "inject AMD GPU 123456789: the host has 4 GPUs (0xFA565A64BF2D543, 10000-"},
	{"05:00.2",
	 "inject AMD GPU 05:00.2: the host has 4 GPUs (0000:05:00.0, 0000:0e:00.0, 10000:"},
	{"0e:00.1", "inject AMD GPU 0e:00.1: the host"},
	{"03:00.0", "inject AMD GPU 03:00.0: it is bound to vfio-pci"},
	{"card", "inject AMD GPU card: the host"},
	{"card9", "inject AMD GPU card9: the host"},
	{"-1", "inject AMD GPU -1: the host"},
	{"1-", "inject AMD GPU 1-: the host"},
	{"+1", "inject AMD GPU +1: the host"},
	{"0,x", "inject AMD GPU x: the host"},
};

static int choose(const char *items, const struct strings *excluded, struct arena *arena,
		  struct choice *ret, struct error *err)
{
	struct slice rest = slice_from(items), item;
	struct strings devices = {0};

	*ret = (struct choice){
		.vendor = &vendor_amd,
		.from = "env AMD_VISIBLE_DEVICES",
		.all = {.vendor = &vendor_amd,
			.items = gpus,
			.count = ARRAY_SIZE(gpus),
			.warning = ""},
	};
	ret->all.unusable.items = unusable;
	ret->all.unusable.count = 1;
	while (slice_next(&rest, ',', &item))
		assert_int_equal(
			strings_add(arena, &devices, arena_strndup(arena, item.data, item.length)),
			0);
	return accelerators_choose(&devices, excluded, arena, ret, err);
}

static void items_mean_what_the_page_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
		AUTO_ARENA arena = {0};
		struct error err = {0};
		struct choice choice;
		int r = choose(choices[i].items, NULL, &arena, &choice, &err);
		char chosen[ARRAY_SIZE(gpus) + 1] = "";

		if (r < 0) {
			if (!string_starts(err.message, choices[i].chosen) || !*choices[i].chosen)
				fail_msg("%s: %s", choices[i].items, err.message);
			assert_true(*err.fix);
			continue;
		}
		for (size_t j = 0; j < choice.count; j++)
			chosen[j] = (char)('0' + choice.items[j]->index);
		assert_string_equal(chosen, choices[i].chosen);
	}
}

static void excluded_gpus_are_not_in_all(void **state)
{
	const char *ids[] = {"0e:00.0", "0000:05:00.0"};
	const struct strings excluded = {ids, 2, 2};
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct choice choice;

	(void)state;
	assert_int_equal(choose("all", &excluded, &arena, &choice, &err), 0);
	assert_int_equal(choice.count, 1);
	assert_int_equal(choice.items[0]->index, 3);
	assert_int_equal(choose("2", &excluded, &arena, &choice, &err), 0);
	assert_int_equal(choice.count, 1);
}

/* ---- vendors ---------------------------------------------------------------------------- */

static void a_device_is_told_by_its_kind(void **state)
{
	static const struct {
		const char *name;
		const struct vendor *vendor;
		const char *device;
	} devices[] = {
		{"amd.com/gpu=0", &vendor_amd, "0"},
		{"intel.com/gpu=card1", &vendor_intel, "card1"},
		{"nvidia.com/gpu=all", &vendor_nvidia, "all"},
		{"amd.com/gpu=", NULL, NULL},
		{"amd.com/gpu", NULL, NULL},
		{"amd.com/gpus=0", NULL, NULL},
		{"amd.com/gpu-mei=0", NULL, NULL},
		{"AMD.com/gpu=0", NULL, NULL},
		/* Names of davit's forms, whether the host has them; all others are a spec's. */
		{"amd.com/gpu=0-3", &vendor_amd, "0-3"},
		{"amd.com/gpu=ALL", &vendor_amd, "ALL"},
		{"amd.com/gpu=b7:00.0", &vendor_amd, "b7:00.0"},
		{"amd.com/gpu=ef2c3a1b5d6e7f80", &vendor_amd, "ef2c3a1b5d6e7f80"},
		{"amd.com/gpu=0xEF2C3A1B5D6E7F80", &vendor_amd, "0xEF2C3A1B5D6E7F80"},
		{"amd.com/gpu=GPU-ef2c3a1b5d6e7f80", &vendor_amd, "GPU-ef2c3a1b5d6e7f80"},
		{"intel.com/gpu=2.0", &vendor_intel, "2.0"},
		{"intel.com/gpu=0000-03-00-0-0xe20b", &vendor_intel, "0000-03-00-0-0xe20b"},
		{"intel.com/gpu=gpu0", NULL, NULL},
		{"intel.com/gpu=card", NULL, NULL},
		{"intel.com/gpu=cards1", NULL, NULL},
		{"amd.com/gpu=face", NULL, NULL},
		{"amd.com/gpu=fast", NULL, NULL},
		{"0", NULL, NULL},
		{"", NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		struct slice device = {0};

		assert_ptr_equal(vendor_of_device(slice_from(devices[i].name), &device),
				 devices[i].vendor);
		if (devices[i].device)
			assert_true(slice_equal(device, devices[i].device));
	}
	assert_ptr_equal(vendor_find("amd"), &vendor_amd);
	assert_ptr_equal(vendor_find("intel.com"), &vendor_intel);
	assert_ptr_equal(vendor_find("nvidia.com"), &vendor_nvidia);
	assert_null(vendor_find("amd.co"));
	assert_null(vendor_find("example.com"));
}

static void a_group_is_needed_where_others_may_not(void **state)
{
	(void)state;
	assert_true(node_needs_group(0660, 105));
	assert_false(node_needs_group(0666, 105));
	assert_false(node_needs_group(0660, 0));
	assert_false(node_needs_group(0640, 105));
	assert_true(node_needs_group(0664, 105));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_of_kfd_are_understood),
		cmocka_unit_test(items_mean_what_the_page_says),
		cmocka_unit_test(excluded_gpus_are_not_in_all),
		cmocka_unit_test(a_device_is_told_by_its_kind),
		cmocka_unit_test(a_group_is_needed_where_others_may_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
