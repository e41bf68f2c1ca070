// SPDX-License-Identifier: Apache-2.0
/* What the parts of `davit node` share: a node that is set up through its root directory. */
#pragma once

#include "cli.h"

#define NODE_RECORD "/var/lib/davit/node"
#define NODE_SECONDS 120 /* until an engine is back */

struct node_engine {
	const char *name;    /* as people call it: "k3s" */
	const char *command; /* what `davit configure` calls it */
	const char *markers; /* "A B": it is there when one of these is */
	const char *socket;  /* where it listens */
};

struct node {
	struct root host;
	const char *path; /* of the host's root, as it was named */
	const struct node_engine *engine;
	bool set_default, cdi, no_restart;
	struct arena *arena;
	struct error *err;
};

/* All return 0 or -errno, err filled. */

/* Refuses hosts whose own way is another one, and roots that can't be the host's. */
int node_check_host(struct node *node);
/* `name`: "containerd" or "crio", or NULL for the one that is there. */
int node_find_engine(struct node *node, const char *name);
/* The same as the record of an earlier call has it. -ENOENT, no error filled: there is none. */
int node_read_record(struct node *node);
int node_write_record(const struct node *node);

/* Each of davit's programs, by a rename: what runs keeps what it has. */
int node_copy_programs(const struct node *node);
/* Links under the names that others call, in /usr/bin, as far as nobody else has them. */
int node_make_names(const struct node *node);
/*
 * Takes names and programs back. Programs stay as long as a container of this node was started with
 * them: without davit-runtime it could not be stopped.
 */
int node_remove_files(const struct node *node);

/*
 * `davit configure` for the engine, with --remove or without; then the engine is restarted, if a
 * file has changed, and waited for. What was configured is taken back when the engine stays away.
 */
int node_configure(const struct node *node, bool remove);
/* Whether the engine could be restarted from here: asked before anything is changed. */
int node_check_restart(const struct node *node);
