// SPDX-License-Identifier: Apache-2.0
/* The state of cdi_resolve: resolve.c decides which file counts, take.c converts its edits. */
#pragma once

#include <json-c/json.h>

#include "davit/cdi.h"
#include "davit/cdi_edits.h"

struct spec_file {
	struct json_object *spec;
	const char *path, *kind;
	size_t directory;
	bool used; /* its edits for all devices were added */
};
struct resolution {
	const struct root *root;
	const struct strings *directories, *names;
	struct arena *arena;
	struct {
		struct spec_file *items;
		size_t count, capacity;
	} files;
	const char *problem; /* of the first skipped file */
	struct cdi_edits *edits;
	struct error *err;
};

/* The text of a member; "" if absent. */
const char *cdi_text_of(struct json_object *object, const char *name);
/*
 * Adds the containerEdits of the device that `because` names ("CDI vendor.com/class=name"), which
 * have passed cdi_check, to r->edits. 0 or -errno, r->err filled.
 */
int cdi_take_edits(struct resolution *r, struct json_object *edits, const char *because);
/* Makes mounts above an `as_given` mount `as_given` as well. Call it after all edits were added. */
void cdi_order_mounts(struct resolution *r);
