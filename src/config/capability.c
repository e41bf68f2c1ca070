// SPDX-License-Identifier: Apache-2.0
#include "davit/config.h"

static const char *const capabilities[] = {
	"compat32", "compute", "display", "graphics", "ngx", "utility", "video",
};

static const char *const features[] = {"gdrcopy", "gds", "imex", "mofed", "nvswitch"};

static const char *name_of(unsigned bit, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bit == 1U << i)
			return names[i];
	return NULL;
}

static unsigned bit_of(struct slice name, const char *const *names, size_t count)
{
	if (slice_equal(name, "all"))
		return (1U << count) - 1;
	for (size_t i = 0; i < count; i++)
		if (slice_equal(name, names[i]))
			return 1U << i;
	return 0;
}

const char *capability_name(unsigned bit)
{
	return name_of(bit, capabilities, ARRAY_SIZE(capabilities));
}

unsigned capability_bit(struct slice name)
{
	return bit_of(name, capabilities, ARRAY_SIZE(capabilities));
}

const char *feature_name(unsigned bit)
{
	return name_of(bit, features, ARRAY_SIZE(features));
}

unsigned feature_bit(struct slice name)
{
	return bit_of(name, features, ARRAY_SIZE(features));
}
