// SPDX-License-Identifier: Apache-2.0
/* The fields of a spec, for the check and for the version. */
#pragma once

#include "davit/cdi.h"

struct cdi_object;
struct cdi_field {
	const char *name;
	bool (*check)(struct json_object *value); /* or: */
	const struct cdi_object *object;
	bool list; /* of such objects */
	bool required;
	const char *version; /* the first to have the field; NULL: all */
};
struct cdi_object {
	const struct cdi_field *fields; /* the last one has no name */
};
extern const struct cdi_object cdi_spec_object;

bool cdi_is_device_name(const char *text);
/* Whether dockerd 28 panics at a kind with these names, though the specification allows them. */
bool cdi_is_deadly(const char *vendor, const char *class);
/* Its place among the released versions, -1 for any other. A leading v is passed over. */
int cdi_version_rank(const char *version);
