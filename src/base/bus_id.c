// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/bus_id.h"

static int parse_part(struct slice part, size_t digits, uint64_t max, unsigned shift, bus_id *id)
{
	uint64_t value;

	if (part.length > digits || parse_number(part.data, part.length, 16, max, &value) < 0)
		return -EINVAL;
	*id |= value << shift;
	return 0;
}

int bus_id_parse(const char *text, bus_id *ret)
{
	struct slice parts[3], rest = slice_from(text), device;
	size_t count = 0;
	bus_id id = 0;

	while (count < ARRAY_SIZE(parts) && slice_next(&rest, ':', &parts[count]))
		count++;
	if (rest.data || count < 2)
		return -EINVAL;
	rest = parts[count - 1];
	if (!slice_next(&rest, '.', &device) || !rest.data)
		return -EINVAL;
	if ((count == 3 && parse_part(parts[0], 8, UINT32_MAX, 16, &id) < 0) ||
	    parse_part(parts[count - 2], 2, 0xff, 8, &id) < 0 ||
	    parse_part(device, 2, 0x1f, 3, &id) < 0 || parse_part(rest, 1, 7, 0, &id) < 0)
		return -EINVAL;
	*ret = id;
	return 0;
}
