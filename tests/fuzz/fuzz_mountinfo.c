// SPDX-License-Identifier: Apache-2.0
/* /proc/PID/mountinfo. */
#include "davit/sys.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_TEXT text = fuzz_text(data, size);
	AUTO_ARENA arena = {0};
	struct mount_infos infos;
	size_t length = strlen(text), lines = 0;
	const char *end = text + length;
	int r;

	for (const char *c = text; c < end; c++)
		lines += *c != '\n' && (c == text || c[-1] == '\n');
	r = mount_info_parse(text, &arena, &infos);
	FUZZ_CHECK(r == 0 || r == -EINVAL);
	if (r < 0)
		return 0;
	FUZZ_CHECK(infos.count == lines);
	for (size_t i = 0; i < infos.count; i++) {
		const struct mount_info *info = &infos.items[i];
		const char *const all[] = {info->root, info->mount_point, info->type, info->source,
					   info->options};

		/* Strings of the text, each behind the one before and ended in it, or empty. */
		for (size_t j = 0; j < ARRAY_SIZE(all); j++) {
			if (!*all[j])
				continue;
			FUZZ_CHECK(all[j] >= text && all[j] + strlen(all[j]) <= end);
			FUZZ_CHECK(j == 0 || !*all[j - 1] || all[j] > all[j - 1]);
			FUZZ_CHECK(j < 2 || !strpbrk(all[j], " \n"));
		}
	}
	return 0;
}
