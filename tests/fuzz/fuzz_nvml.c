// SPDX-License-Identifier: Apache-2.0
/* What the program that asks NVML answers. */
#include "driver/nvml/nvml.h"
#include "fuzz.h"

#define UUID_0 "GPU-1074aade-e34c-4efc-662a-2954e7cab1dc"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mig_instance mig[] = {
		{.gpu_instance = 1},
		{.gpu_instance = 2},
		{.gpu_instance = 2, .compute_instance = 1},
	};
	struct gpu gpus[] = {
		{.index = 0, .uuid = UUID_0, .bus_id = "0000:00:06.0"},
		{.index = 1,
		 .uuid = "GPU-?",
		 .bus_id = "0000:00:07.0",
		 .mig = {mig, ARRAY_SIZE(mig), ARRAY_SIZE(mig)}},
	};
	struct driver driver = {.version = "580.159.04",
				.gpus = {gpus, ARRAY_SIZE(gpus), ARRAY_SIZE(gpus)}};
	unsigned seen = 0;
	AUTO_ARENA arena = {0};
	struct error err = FUZZ_ERROR;
	int r = nvml_answer_merge((const char *)data, size, &arena, &driver, &err);

	if (r < 0) {
		fuzz_check_error(r, &err);
		FUZZ_CHECK(err.code == ERROR_NO_DRIVER);
		return 0;
	}
	FUZZ_CHECK(driver.gpus.count == ARRAY_SIZE(gpus) && driver.gpus.items == gpus);
	FUZZ_CHECK(string_equal(driver.version, "580.159.04"));
	FUZZ_CHECK(!driver.cuda_version || fuzz_printable(driver.cuda_version));
	FUZZ_CHECK(strcasecmp(gpus[0].uuid, UUID_0) == 0 && gpus[0].mig.count == 0);
	FUZZ_CHECK(fuzz_printable(gpus[1].uuid) && string_starts(gpus[1].uuid, "GPU-"));
	/* The instances of /proc, in whatever order, and none beside. */
	FUZZ_CHECK(gpus[1].mig.count == ARRAY_SIZE(mig));
	for (size_t i = 0; i < gpus[1].mig.count; i++) {
		const struct mig_instance *item = &gpus[1].mig.items[i];

		FUZZ_CHECK(!item->uuid || string_starts(item->uuid, "MIG-"));
		for (size_t j = 0; j < ARRAY_SIZE(mig); j++)
			if (mig[j].gpu_instance == item->gpu_instance &&
			    mig[j].compute_instance == item->compute_instance)
				seen |= 1U << j;
	}
	FUZZ_CHECK(seen == (1U << ARRAY_SIZE(mig)) - 1);
	return 0;
}
