// SPDX-License-Identifier: Apache-2.0
/* Declarations for `davit node`, which sets up a node through its root directory. */
#pragma once

#include "cli.h"

#define NODE_RECORD "/var/lib/davit/node"
#define NODE_SECONDS 120 /* until an engine is back */

struct node_engine {
	const char *name;    /* as people call it: "k3s" */
	const char *command; /* what `davit configure` calls it */
	const char *markers; /* "A B": the engine is installed if one of these files exists */
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

/* Refuses hosts that must be set up in another way, and roots that can't be a host's. */
int node_check_host(struct node *node);
/* `name`: "containerd" or "crio", or NULL for the installed one. */
int node_find_engine(struct node *node, const char *name);
/* Reads the record of an earlier call. -ENOENT, no error filled: there is none. */
int node_read_record(struct node *node);
int node_write_record(const struct node *node);

/* Copies davit's programs, each by a rename, so that running processes keep the old file. */
int node_copy_programs(const struct node *node);
/* Creates links in /usr/bin with the names that others call. Existing files of others are kept. */
int node_make_names(const struct node *node);
/*
 * Removes the links and programs. Programs are kept while a container that was started with them
 * exists on this node, because it couldn't be stopped without davit-runtime.
 */
int node_remove_files(const struct node *node);

/*
 * Runs `davit configure` for the engine. If a file changed, restarts the engine and waits for it.
 * If the engine doesn't come back, the configuration is reverted.
 */
int node_configure(const struct node *node, bool remove);
/* Checks that the engine can be restarted from here. Call it before the first change. */
int node_check_restart(const struct node *node);
