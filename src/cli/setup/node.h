// SPDX-License-Identifier: Apache-2.0
/* Declarations for `davit node`, which sets up a node through its root directory. */
#pragma once

#include "cli.h"

#define NODE_RECORD "/var/lib/davit/node"
#define NODE_SECONDS 120 /* until an engine is back */

struct node_engine {
	const char *name;    /* as people call it: "k3s" */
	const char *command; /* what `davit configure` calls it */
	/* "A B": it is installed if one of these exists; NULL: as `davit configure` finds it. */
	const char *markers;
	const char *socket; /* where it listens */
};

struct node {
	struct root host;
	const char *path; /* of the host's root, as it was named */
	const struct node_engine *engine;
	bool set_default, cdi, no_restart;
	struct strings before; /* davit's programs and names that existed before the first call */
	struct arena *arena;
	struct error *err;
};

/* How an engine answers on its socket, from the least to the most. */
enum node_answer {
	NODE_SILENT,      /* nothing listens */
	NODE_CONNECTED,   /* something listens, and hasn't said whether it serves CRI */
	NODE_WITHOUT_CRI, /* gRPC is served, but CRI isn't: its plugin is disabled or failed */
	NODE_READY,       /* CRI is served */
};
/* Connects to the engine's socket in the host's root. */
enum node_answer node_ask(const struct node *node, const struct node_engine *engine);

/* All following functions return 0 or -errno, err filled. */

/* Refuses hosts that must be set up in another way, and roots that can't be a host's. */
int node_check_host(struct node *node);
/* `name`: "containerd" or "crio", or NULL for the installed one. */
int node_find_engine(struct node *node, const char *name);
/* Reads the record of an earlier call. -ENOENT, no error filled: there is none. */
int node_read_record(struct node *node);
int node_write_record(const struct node *node);

/* Fills node->before. */
int node_find_existing(struct node *node);
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
