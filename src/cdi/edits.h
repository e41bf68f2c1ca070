// SPDX-License-Identifier: Apache-2.0
/* Writes operations of a plan as containerEdits. */
#pragma once

#include "davit/cdi.h"

struct edits_maker {
	const struct driver_roots *roots;
	const struct cdi_options *options;
	const struct driver *driver;
	unsigned capabilities; /* of the spec */
	struct arena *arena;
	struct strings *left_out;
	struct json_object *hook_arguments; /* of `davit-hook cdi`; NULL: none (yet) */
	struct strings node_links;          /* the hook's --node-link values */
};

/* Adds the plan of a container without devices, and the hooks for all containers. */
int edits_add_common(struct edits_maker *maker, const struct plan *plan, struct json_object *edits,
		     struct error *err);
/* Adds the host's node of that name in the device directory, for reading and writing. */
int edits_add_named_node(struct edits_maker *maker, const char *name, struct json_object *edits,
			 struct error *err);
/* With options->chmod, adds the hook that makes the nodes' directories readable. */
void edits_add_chmod(struct edits_maker *maker, struct json_object *edits);
/* Notes once what the spec omits, and why. 0 or -ENOMEM, err filled. */
int edits_leave_out(struct edits_maker *maker, const char *what, const char *why,
		    struct error *err);
/* Adds the operations of `plan` that aren't in `common` (NULL: all). */
int edits_add_plan(struct edits_maker *maker, const struct plan *plan, const struct plan *common,
		   struct json_object *edits, struct error *err);

/* ---- what both files use ------------------------------------------------------------------ */

/* The list of that name, created if missing. */
struct json_object *edits_list(struct json_object *edits, const char *name);
void edits_add_text(struct json_object *object, const char *name, const char *text);
/*
 * Adds a createContainer hook that runs the command. Returns its arguments, or NULL if options
 * disable it.
 */
struct json_object *edits_add_hook(struct edits_maker *maker, struct json_object *edits,
				   const char *command);
void edits_add_argument(struct json_object *args, const char *option, const char *value);
/*
 * The target as a hook's argument. In the image's library directory it begins with "@lib" or
 * "@lib32", because davit-hook may have to choose another directory. NULL: no memory.
 */
const char *edits_hook_target(struct edits_maker *maker, const char *target);
