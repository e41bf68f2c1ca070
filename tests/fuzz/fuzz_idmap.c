// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/uid_map and gid_map. */
#include "davit/sys.h"
#include "fuzz.h"

static void check(const char *text, uint32_t id)
{
	uint32_t found = 0;
	int r = id_map_find(text, id, &found);
	const char *line = text;

	FUZZ_CHECK(r == 0 || r == -EINVAL || r == -ENOENT);
	/* What scanf(3) sees in the lines, too. */
	for (; r == 0 && line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		unsigned long long inside, outside, count;

		if (sscanf(line, " %llu %llu %llu", &inside, &outside, &count) == 3 &&
		    inside <= id && id - inside < count && outside + (id - inside) == found)
			break;
	}
	FUZZ_CHECK(r < 0 || line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_TEXT text = fuzz_text(data, size);

	check(text, 0);
	check(text, 1000);
	check(text, UINT32_MAX);
	return 0;
}
