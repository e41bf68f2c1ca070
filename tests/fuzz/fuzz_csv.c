// SPDX-License-Identifier: Apache-2.0
/* Tegra's lists: a text, and behind a NUL a name to compare with each path as a pattern. */
#include "driver/tegra/csv.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_ARENA arena = {0};
	struct csv_entries entries = {0};
	size_t length = strnlen((const char *)data, size);
	const char *name = length < size ? arena_strndup(&arena, (const char *)data + length + 1,
							 size - length - 1)
					 : "";
	int r = csv_parse((const char *)data, length, &arena, &entries);

	FUZZ_CHECK(r == 0 || r == -E2BIG);
	FUZZ_CHECK(entries.count <= CSV_ENTRIES_MAX);
	for (size_t i = 0; i < entries.count; i++) {
		const char *path = entries.items[i].path;

		FUZZ_CHECK(path[0] == '/' && !strstr(path, "//") && !strstr(path, "/../"));
		FUZZ_CHECK(strcmp(csv_clean_path(path, &arena), path) == 0);
		if (name && strlen(name) < 64) {
			(void)csv_matches(path + 1, name);
			(void)csv_matches_path(path, name);
		}
		if (!csv_is_pattern(path) && strlen(path) < 200)
			FUZZ_CHECK(csv_matches_path(path, path));
	}
	return 0;
}
