// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/base.h"
#include "unit.h"

static void versions_compare_number_by_number(void **state)
{
	static const struct {
		const char *a, *b;
		int order;
	} cases[] = {
		{"12.10", "12.9", 1},
		{"12.9", "12.10", -1},
		{"580.159.04", "580.159.4", 0},
		{"12", "12.0.0", 0},
		{"12.0.1", "12", 1},
		{"9", "10", -1},
		{"535.104.05", "550.54", -1},
		{"", "0", 0},
		{"1.x", "1.0", 0},
		{"18446744073709551614", "1", 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int order = version_compare(cases[i].a, cases[i].b);

		assert_int_equal((order > 0) - (order < 0), cases[i].order);
	}
}

static void numbers_are_whole_and_bounded(void **state)
{
	static const struct {
		const char *text;
		unsigned base;
		uint64_t max;
		int r;
		uint64_t value;
	} cases[] = {
		{"0", 10, 9, 0, 0},
		{"255", 10, 255, 0, 255},
		{"256", 10, 255, -ERANGE, 0},
		{"", 10, 255, -EINVAL, 0},
		{"-1", 10, 255, -EINVAL, 0},
		{"+1", 10, 255, -EINVAL, 0},
		{" 1", 10, 255, -EINVAL, 0},
		{"1x", 10, 255, -EINVAL, 0},
		{"99999999999999999999999", 10, UINT64_MAX, -ERANGE, 0},
		{"999999999999999999999x9", 10, 255, -EINVAL, 0},
		{"18446744073709551615", 10, UINT64_MAX, 0, UINT64_MAX},
		{"18446744073709551616", 10, UINT64_MAX - 1, -ERANGE, 0},
		{"ff", 16, 255, 0, 255},
		{"FF", 16, 255, 0, 255},
		{"8", 8, 255, -EINVAL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t value = 0;
		int r = parse_number(cases[i].text, strlen(cases[i].text), cases[i].base,
				     cases[i].max, &value);

		assert_int_equal(r, cases[i].r);
		assert_int_equal(value, cases[i].value);
	}
}

static void slices_split_without_losing_the_empty_ones(void **state)
{
	struct slice rest = slice_from("a,,b,"), item;
	const char *const want[] = {"a", "", "b", ""};
	size_t count = 0;

	(void)state;
	while (slice_next(&rest, ',', &item)) {
		assert_true(count < ARRAY_SIZE(want));
		assert_true(slice_equal(item, want[count++]));
	}
	assert_int_equal(count, ARRAY_SIZE(want));
	assert_true(slice_equal(slice_trim(slice_from(" \t x y\n")), "x y"));
	assert_int_equal(slice_trim(slice_from(" \t ")).length, 0);
}

static void the_nearest_name_is_found(void **state)
{
	static const char *const names[] = {"driver", "policy", "cgroups", "accept-annotations"};

	(void)state;
	assert_string_equal(string_nearest("drivers", names, 4), "driver");
	assert_string_equal(string_nearest("polcy", names, 4), "policy");
	assert_string_equal(string_nearest("accept-anotation", names, 4), "accept-annotations");
	assert_null(string_nearest("xyz", names, 4));
}

static void errors_read_as_one_line(void **state)
{
	char line[ERROR_LINE_MAX], long_text[2000];
	struct error err = {0};

	(void)state;
	assert_int_equal(error_set(&err, ERROR_UNKNOWN_DEVICE, ENODEV, "choose one",
				   "inject GPU %d: the host has 2", 3),
			 -ENODEV);
	assert_int_equal(error_wrap(&err, -ENODEV, "start %s", "box"), -ENODEV);
	error_line(&err, line);
	assert_string_equal(
		line,
		"davit: cannot start box: cannot inject GPU 3: the host has 2 (fix: choose one)");
	assert_int_equal(error_exit_code(&err), 3);
	/* Nothing of a container's makes a second line or moves the cursor. */
	(void)error_set(&err, ERROR_IMAGE, EINVAL, NULL, "read %s", "a\nb\x1b[2J\xff");
	error_line(&err, line);
	assert_string_equal(line,
			    "davit: cannot read a?b?[2J? (fix: correct the image there, or use "
			    "another image)");
	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	(void)error_set(&err, ERROR_IMAGE, EINVAL, long_text, "%s", long_text);
	(void)error_wrap(&err, -EINVAL, "%s", long_text);
	error_line(&err, line);
	assert_true(strlen(line) < ERROR_LINE_MAX);
	assert_true(string_ends(line, "x)"));
}

static void arenas_give_zeroed_aligned_memory(void **state)
{
	AUTO_ARENA arena = {0};
	struct strings list = {0};

	(void)state;
	for (size_t size = 1; size < 100000; size = size * 3 + 1) {
		unsigned char *memory = arena_alloc(&arena, size);

		assert_non_null(memory);
		assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(memory[i], 0);
		memset(memory, 0xff, size);
	}
	assert_null(arena_alloc(&arena, SIZE_MAX));
	for (int i = 0; i < 1000; i++)
		assert_int_equal(strings_add(&arena, &list, i == 500 ? "middle" : "other"), 0);
	assert_true(strings_contain(&list, "middle"));
	assert_string_equal(list.items[500], "middle");
}

struct numbered {
	unsigned key, place;
};

static int by_key(const void *a, const void *b)
{
	const struct numbered *const x = a, *const y = b;

	return (x->key > y->key) - (x->key < y->key);
}

/* More than the C library sorts on its stack: under the filter, qsort(3) would be killed. */
static void many_items_are_sorted_and_equal_ones_stay_in_order(void **state)
{
	AUTO_ARENA arena = {0};
	struct numbered items[1000];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(items); i++)
		items[i] = (struct numbered){i * 7919 % 100, i};
	assert_int_equal(sort_items(&arena, items, ARRAY_SIZE(items), sizeof(*items), by_key), 0);
	for (size_t i = 1; i < ARRAY_SIZE(items); i++)
		assert_true(
			items[i - 1].key < items[i].key ||
			(items[i - 1].key == items[i].key && items[i - 1].place < items[i].place));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_compare_number_by_number),
		cmocka_unit_test(numbers_are_whole_and_bounded),
		cmocka_unit_test(slices_split_without_losing_the_empty_ones),
		cmocka_unit_test(the_nearest_name_is_found),
		cmocka_unit_test(many_items_are_sorted_and_equal_ones_stay_in_order),
		cmocka_unit_test(errors_read_as_one_line),
		cmocka_unit_test(arenas_give_zeroed_aligned_memory),
	};

	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
