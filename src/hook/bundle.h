// SPDX-License-Identifier: Apache-2.0
/* The bundle of a container: where the state says, else where crun keeps it besides. */
#pragma once

#include "davit/pipeline.h"

/* Of the command line that a runtime was started with. */
struct runtime_words {
	const char *bundle, *root; /* absolute, or "" */
	bool names;                /* a word is the container's id */
};
/*
 * Reads /proc/PID/cmdline's form: words that end in NUL. Takes the last --bundle (-b) and --root,
 * each with its value behind `=` or as the next word; relative ones don't count. Never fails.
 */
void runtime_words_parse(struct slice text, const char *id, struct arena *arena,
			 struct runtime_words *ret);

/*
 * Reads the container's config.json into the pipeline, `pipeline.bundle` and `pipeline.rootfs`
 * (NULL: config.json's decides) with it. For crun, whose state says "/" of a container with a user
 * namespace and device nodes, and where the bundle can't be read:
 *  - the bundle that the runtime which called us was started with, when it names this container;
 *  - the copy of config.json in crun's own directory for this container, whose root is the state's.
 * `ret_record` false: the bundle isn't known, so nothing can be kept in it for poststop.
 *
 * -errno and ERROR_BAD_BUNDLE, of the bundle that the state names, when nothing can be read.
 */
int bundle_read(struct pipeline *pipeline, const struct config *config,
		const struct oci_state *state, bool *ret_record, struct arena *arena,
		struct error *err);
/* Whether that error means that the bundle can't be seen from here, rather than that it is wrong.
 */
bool bundle_is_out_of_reach(int r);
