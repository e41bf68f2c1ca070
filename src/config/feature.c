// SPDX-License-Identifier: Apache-2.0
#include "davit/config.h"

static const char *const names[] = {"gdrcopy", "gds", "imex", "mofed", "nvswitch"};

const char *feature_name(unsigned bit)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (bit == 1U << i)
			return names[i];
	return NULL;
}

unsigned feature_bit(struct slice name)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (slice_equal(name, names[i]))
			return 1U << i;
	return 0;
}
