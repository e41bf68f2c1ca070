// SPDX-License-Identifier: Apache-2.0
/* The specs of AMD's and Intel's GPUs. */
#include <string.h>

#include "cdi.h"

static int choose(const struct vendor *vendor, const struct driver_roots *roots,
		  const struct strings *devices, struct arena *arena, struct choice *ret,
		  struct error *err)
{
	int r;

	*ret = (struct choice){.vendor = vendor, .from = "--device-id"};
	r = accelerators_read(vendor, roots, true, arena, &ret->all, err);
	return r < 0 ? r : accelerators_choose(devices, NULL, arena, ret, err);
}

int cli_choose_all(const struct vendor *vendor, const struct driver_roots *roots,
		   struct arena *arena, struct choice *ret, struct error *err)
{
	static const char *const every[] = {"all"};
	const struct strings all = {(const char **)every, 1, 1};

	return choose(vendor, roots, &all, arena, ret, err);
}

int cdi_make_vendor(const struct config *config, const struct vendor *vendor,
		    const struct cdi_options *options, struct arena *arena,
		    struct json_object **ret, struct strings *ret_left_out, struct error *err)
{
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	struct choice all;
	int r = driver_roots_open_host(config, &roots, err);

	if (r == 0)
		r = options->devices ? choose(vendor, &roots, options->devices, arena, &all, err)
				     : cli_choose_all(vendor, &roots, arena, &all, err);
	if (r == 0)
		r = accelerators_find_nodes(&all, &roots, arena, err);
	if (r == 0)
		r = cdi_spec_make_vendor(&all, &roots, options, arena, ret, ret_left_out, err);
	driver_roots_close(&roots);
	return r;
}
