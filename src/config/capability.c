// SPDX-License-Identifier: Apache-2.0
#include "davit/config.h"

static const char *const names[] = {
	"compat32", "compute", "display", "graphics", "ngx", "utility", "video",
};

const char *capability_name(unsigned bit)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (bit == 1U << i)
			return names[i];
	return NULL;
}

unsigned capability_bit(struct slice name)
{
	if (slice_equal(name, "all"))
		return CAPABILITY_ALL;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (slice_equal(name, names[i]))
			return 1U << i;
	return 0;
}
