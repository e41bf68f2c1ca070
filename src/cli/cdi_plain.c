// SPDX-License-Identifier: Apache-2.0
/* The specs of AMD's and Intel's GPUs, and all vendors' in one folder. */
#include <string.h>

#include "cdi.h"

int cli_choose_all(const struct vendor *vendor, const struct driver_roots *roots,
		   struct arena *arena, struct choice *ret, struct error *err)
{
	static const char *const every[] = {"all"};
	const struct strings all = {(const char **)every, 1, 1};
	int r;

	*ret = (struct choice){.vendor = vendor, .from = "davit"};
	r = accelerators_read(vendor, roots, true, arena, &ret->all, err);
	if (r == 0)
		r = accelerators_choose(&all, NULL, arena, ret, err);
	return r;
}

int cdi_make_plain(const struct config *config, const struct vendor *vendor,
		   const struct cdi_options *options, struct arena *arena, struct json_object **ret,
		   struct strings *ret_left_out, struct error *err)
{
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	struct choice all;
	int r = driver_roots_open_host(config, &roots, err);

	if (r == 0)
		r = cli_choose_all(vendor, &roots, arena, &all, err);
	if (r == 0)
		r = accelerators_find_nodes(&all, &roots, arena, err);
	if (r == 0)
		r = cdi_spec_make_plain(&all, &roots, options, arena, ret, ret_left_out, err);
	driver_roots_close(&roots);
	return r;
}
