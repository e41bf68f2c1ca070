// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/uid_map and gid_map. */
#include "apply/container.c"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_TEXT text = fuzz_text(data, size);
	uint32_t id = 0;
	int r = map_root_id(text, &id);
	const char *line = text;

	FUZZ_CHECK(r == 0 || r == -EINVAL || r == -ENOENT);
	/* What scanf(3) sees in the lines, too. */
	for (; r == 0 && line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		unsigned long long inside = 1, outside, count;

		if (sscanf(line, " %llu %llu %llu", &inside, &outside, &count) == 3 &&
		    inside == 0 && outside == id && count > 0)
			break;
	}
	FUZZ_CHECK(r < 0 || line);
	return 0;
}
