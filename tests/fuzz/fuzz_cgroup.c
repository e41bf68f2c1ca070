// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/cgroup. */
#include "apply/cgroup.c"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_TEXT text = fuzz_text(data, size);

	for (int unified = 0; unified < 2; unified++) {
		AUTO_ARENA arena = {0};
		const char *path = find_path(text, unified, &arena), *place;

		if (!path)
			continue;
		/* All of the line behind its second colon. */
		FUZZ_CHECK(!strchr(path, '\n'));
		for (place = text; (place = strstr(place, path)); place++)
			if (place > text && place[-1] == ':' &&
			    (place[strlen(path)] == '\n' || !place[strlen(path)]))
				break;
		FUZZ_CHECK(place);
	}
	return 0;
}
