// SPDX-License-Identifier: Apache-2.0
/* Operations of a plan as containerEdits. */
#pragma once

#include "davit/cdi.h"

struct edits_maker {
	const struct driver_roots *roots;
	const struct cdi_options *options;
	const struct driver *driver;
	unsigned capabilities; /* that the spec is for */
	struct arena *arena;
	struct strings *left_out;
	struct json_object *hook_arguments; /* of the one hook; NULL: there is none (yet) */
	struct strings node_links;          /* that it has already */
};

/* Everything of the plan of a container without devices, and the hooks of all containers. */
int edits_add_common(struct edits_maker *maker, const struct plan *plan, struct json_object *edits,
		     struct error *err);
/* The node of the host by its name beneath the device folder, open for reading and writing. */
int edits_add_named_node(struct edits_maker *maker, const char *name, struct json_object *edits,
			 struct error *err);
/* The hook that makes directories of nodes readable, where it is asked for. */
void edits_add_chmod(struct edits_maker *maker, struct json_object *edits);
/* Notes what isn't in the spec, once. 0 or -ENOMEM, err filled. */
int edits_leave_out(struct edits_maker *maker, const char *what, const char *why,
		    struct error *err);
/* What `plan` has beyond `common`. */
int edits_add_plan(struct edits_maker *maker, const struct plan *plan, const struct plan *common,
		   struct json_object *edits, struct error *err);

/* ---- what both files use ------------------------------------------------------------------ */

/* The list of that name, made when it is missing. */
struct json_object *edits_list(struct json_object *edits, const char *name);
void edits_add_text(struct json_object *object, const char *name, const char *text);
/* A createContainer hook that runs the command; its arguments, or NULL when options disable it. */
struct json_object *edits_add_hook(struct edits_maker *maker, struct json_object *edits,
				   const char *command);
void edits_add_argument(struct json_object *args, const char *option, const char *value);
/*
 * The place as a hook's argument. In the image's library directory it begins with "@lib":
 * davit-hook may have to choose another directory. NULL without memory.
 */
const char *edits_hook_target(struct edits_maker *maker, const char *target);
