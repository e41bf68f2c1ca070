// SPDX-License-Identifier: Apache-2.0
/* Which devices a request selects. */
#include <string.h>

#include "davit/select.h"
#include "unit.h"

enum fleet { TWO, ODD, SIXTEEN, MIG, NONE, HIDDEN };

static void add_gpu(struct driver *driver, const char *bus_id, bool hidden, struct arena *arena)
{
	struct gpu *gpu = ARENA_PUSH(arena, &driver->gpus);

	assert_non_null(gpu);
	gpu->index = (unsigned)driver->gpus.count - 1;
	gpu->minor = 99 - gpu->index;
	gpu->bus_id = bus_id;
	gpu->uuid =
		hidden ? "GPU-\?\?\?\?\?\?\?\?-\?\?\?\?-\?\?\?\?-\?\?\?\?-\?\?\?\?\?\?\?\?\?\?\?\?"
		       : arena_printf(arena, "GPU-1074aade-e34c-4efc-662a-2954e7cab1d%x",
				      gpu->index);
	gpu->model = "";
}

static void add_mig(struct driver *driver, size_t gpu, unsigned gi, unsigned ci, const char *uuid,
		    struct arena *arena)
{
	struct mig_instance *mig = ARENA_PUSH(arena, &driver->gpus.items[gpu].mig);

	assert_non_null(mig);
	*mig = (struct mig_instance){.gpu_instance = gi, .compute_instance = ci, .uuid = uuid};
}

static void make_fleet(enum fleet fleet, struct driver *driver, struct arena *arena)
{
	static const char *const odd[] = {"0000:0A:00.0", "0000:e1:00.0", "10000:E1:00.0"};
	unsigned counts[] = {[TWO] = 2, [SIXTEEN] = 16, [MIG] = 3, [NONE] = 0, [HIDDEN] = 1};

	*driver = (struct driver){0};
	for (size_t i = 0; fleet == ODD && i < ARRAY_SIZE(odd); i++)
		add_gpu(driver, odd[i], false, arena);
	for (unsigned i = 0; fleet != ODD && i < counts[fleet]; i++)
		add_gpu(driver, arena_printf(arena, "0000:00:%02x.0", 6 + i), fleet == HIDDEN,
			arena);
	if (fleet != MIG)
		return;
	add_mig(driver, 0, 1, 0, NULL, arena);
	add_mig(driver, 0, 5, 2, NULL, arena);
	add_mig(driver, 2, 3, 0, "MIG-5a9f0000-0000-0000-0000-000000000000", arena);
}

static struct strings split(const char *text, struct arena *arena)
{
	struct slice rest = slice_from(text), word;
	struct strings list = {0};

	while (slice_next(&rest, ' ', &word))
		if (word.length)
			assert_int_equal(strings_add(arena, &list,
						     arena_strndup(arena, word.data, word.length)),
					 0);
	return list;
}

static const char *show(const struct selection *selection, struct arena *arena)
{
	struct strings list = {0};

	for (size_t i = 0; i < selection->count; i++) {
		const struct gpu *gpu = selection->items[i].gpu;
		const struct mig_instance *mig = selection->items[i].mig;
		const char *name =
			mig ? arena_printf(arena, "%u:%td", gpu->index, mig - gpu->mig.items)
			    : arena_printf(arena, "%u", gpu->index);

		assert_int_equal(strings_add(arena, &list, name), 0);
	}
	return strings_join(arena, &list, " ");
}

static void devices_are_selected(void **state)
{
	static const struct {
		enum fleet fleet;
		const char *asked, *selected, *message;
	} cases[] = {
#include "select_cases.inc"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_ARENA arena = {0};
		struct strings devices = split(cases[i].asked, &arena);
		char line[ERROR_LINE_MAX] = "";
		struct selection selection;
		struct error err = {0};
		struct driver driver;
		int r;

		make_fleet(cases[i].fleet, &driver, &arena);
		r = select_devices(&driver, &devices, "NVIDIA_VISIBLE_DEVICES", &arena, &selection,
				   &err);
		if (r < 0)
			error_line(&err, line);
		if (cases[i].selected) {
			if (r < 0 || strcmp(show(&selection, &arena), cases[i].selected) != 0)
				fail_msg("\"%s\" gave \"%s\" %s", cases[i].asked,
					 show(&selection, &arena), line);
			continue;
		}
		if (r != -ENODEV || err.code != ERROR_UNKNOWN_DEVICE || selection.count != 0 ||
		    !strstr(line, cases[i].message))
			fail_msg("\"%s\" gave \"%s\"", cases[i].asked, line);
		assert_true(string_ends(line, ")"));
	}
}

/* With as many GPUs and names as long as there are, the remedy is still there. */
static void message_is_never_cut(void **state)
{
	AUTO_ARENA arena = {0};
	char *item = arena_alloc(&arena, 5001), line[ERROR_LINE_MAX];
	const char *items[] = {item, "MIG-x", "GPU-x", "00:00.0", "0:99", "99"};
	struct selection selection;
	struct driver driver;
	struct error err;

	(void)state;
	memset(item, '\n', 5000);
	make_fleet(SIXTEEN, &driver, &arena);
	for (size_t i = 0; i < 16; i++)
		for (unsigned j = 0; j < 7; j++)
			add_mig(&driver, i, j, 0, "MIG-5a9f0000-0000-0000-0000-000000000000",
				&arena);
	for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
		struct strings devices = {&items[i], 1, 1};

		assert_int_equal(select_devices(&driver, &devices, "NVIDIA_VISIBLE_DEVICES", &arena,
						&selection, &err),
				 -ENODEV);
		error_line(&err, line);
		assert_true(strlen(err.message) < sizeof(err.message) - 1);
		assert_true(
			string_ends(line, "(fix: choose one of them in NVIDIA_VISIBLE_DEVICES)"));
	}
}

static void nvml_is_needed_for_unknown_uuids_only(void **state)
{
	static const struct {
		enum fleet fleet;
		const char *asked;
		bool needed;
	} cases[] = {
		{TWO, "all", false},
		{TWO, "GPU-1074aade-e34c-4efc-662a-2954e7cab1d0", false},
		{TWO, "MIG-5a9f0000-0000-0000-0000-000000000000", false},
		{MIG, "0:0 1", false},
		{MIG, "MIG-5a9f0000-0000-0000-0000-000000000000", true},
		{MIG, "0 mig-x", true},
		{MIG, "MIG-GPU-1074aade-e34c-4efc-662a-2954e7cab1d0/1/0", false},
		{HIDDEN, "0", false},
		{HIDDEN, "0000:00:06.0", false},
		{HIDDEN, "GPU-1074aade-e34c-4efc-662a-2954e7cab1d0", true},
		{HIDDEN, "MIG-GPU-1074aade-e34c-4efc-662a-2954e7cab1d0/1/0", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_ARENA arena = {0};
		struct strings devices = split(cases[i].asked, &arena);
		struct driver driver;

		make_fleet(cases[i].fleet, &driver, &arena);
		if (select_needs_uuids(&driver, &devices) != cases[i].needed)
			fail_msg("case %zu: %s", i, cases[i].asked);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_are_selected),
		cmocka_unit_test(message_is_never_cut),
		cmocka_unit_test(nvml_is_needed_for_unknown_uuids_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
