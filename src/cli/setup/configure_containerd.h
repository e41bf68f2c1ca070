// SPDX-License-Identifier: Apache-2.0
/* Declarations for `davit configure containerd`. */
#pragma once

#include "davit/configure_containerd.h"

#include "configure.h"

struct asking {
	struct job *job;
	struct containerd_distribution distribution;
	struct containerd_program program;
	struct containerd_version version;
};

/* Asks containerd for the result of files that aren't written yet. 0 or -errno.
 * (configure_containerd_check.c) */
int configure_ask(const struct asking *asking, const struct engine_files *files,
		  const char *drop_in_text, struct toml_node **ret);
/* Checks that the planned files lose no setting. 0 or -errno. (configure_containerd_check.c) */
int configure_check_result(const struct asking *asking, const struct engine_files *before,
			   const struct toml_node *truth, const struct change *file,
			   const struct change *drop_in, const struct toml_node *others);
/* Fills the change of a file that holds davit's block. 0 or -errno. (configure_containerd_block.c)
 */
int configure_do_block(struct asking *asking, const struct engine_files *files,
		       struct change *change);
/*
 * Refuses to take runtimes out of davit's file or block (own) that a file of others makes the
 * default. `file`: the change of the main file, or NULL. 0 or -errno.
 * (configure_containerd_check.c)
 */
int configure_check_default(const struct asking *asking, const struct engine_files *files,
			    const struct change *own, const struct change *file);
