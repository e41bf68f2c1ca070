// SPDX-License-Identifier: Apache-2.0
/* The fields of a spec, for the check and for the version. */
#pragma once

#include "davit/cdi.h"

struct cdi_object;
struct cdi_field {
	const char *name;
	bool (*check)(struct json_object *value); /* NULL: the value is an `object` */
	const struct cdi_object *object;
	bool list; /* a list of such objects */
	bool required;
	const char *version; /* the first version with the field; NULL: all */
};
struct cdi_object {
	const struct cdi_field *fields; /* ends with a field without a name */
};
extern const struct cdi_object cdi_spec_object;

bool cdi_is_device_name(const char *text);
/* Whether dockerd 25.0 to 29.7 panics on a kind with these names, although the specification allows
 * them. */
bool cdi_is_deadly(const char *vendor, const char *class);
/* Its index among the released versions, or -1. A leading v is ignored. */
int cdi_version_rank(const char *version);
