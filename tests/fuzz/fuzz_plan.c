// SPDX-License-Identifier: Apache-2.0
/* The plan that davit-runtime writes into the bundle: what is read is written the same again. */
#include "davit/plan.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_ARENA arena = {0};
	struct error err = FUZZ_ERROR;
	const char *rootfs, *first, *second;
	struct plan plan, again;
	int r = plan_read((const char *)data, size, &arena, &plan, &rootfs, &err);

	if (r < 0) {
		fuzz_check_error(r, &err);
		FUZZ_CHECK(err.code == ERROR_BAD_BUNDLE);
		return 0;
	}
	for (size_t i = 0; i < plan.count; i++)
		FUZZ_CHECK(plan.items[i].target && plan.items[i].because &&
			   plan.items[i].source_fd == -1 && operation_name(plan.items[i].kind));
	for (size_t i = 0; i < plan.libraries.count; i++)
		FUZZ_CHECK(plan.libraries.items[i].name && plan.libraries.items[i].path);
	for (size_t i = 0; i < plan.mounts.count; i++)
		FUZZ_CHECK(plan.mounts.items[i].destination && plan.mounts.items[i].source &&
			   plan.mounts.items[i].type);
	first = plan_write(&plan, rootfs, &arena);
	FUZZ_CHECK(first);
	FUZZ_CHECK(plan_read(first, strlen(first), &arena, &again, &rootfs, &err) == 0);
	FUZZ_CHECK(again.mounts.count == plan.mounts.count);
	second = plan_write(&again, rootfs, &arena);
	FUZZ_CHECK(string_equal(first, second));
	return 0;
}
