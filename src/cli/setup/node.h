// SPDX-License-Identifier: Apache-2.0
/* Declarations for `davit node`, which sets up a node through its root directory. */
#pragma once

#include <sys/stat.h>

#include "cli.h"

#define NODE_FOLDER "/var/lib/davit"
#define NODE_RECORD NODE_FOLDER "/node"
#define NODE_SECONDS 120 /* until an engine is back, or another `davit node` has finished */

struct node_engine {
	const char *name;    /* as people call it: "k3s" */
	const char *option;  /* --engine's value */
	const char *command; /* what `davit configure` calls it */
	/* "A B": it is installed if one of these exists; NULL: a distribution of Kubernetes. */
	const char *markers;
	const char *socket; /* where it listens */
};

struct node {
	struct root host;
	const char *path; /* of the host's root, as it was named */
	const struct node_engine *engine;
	const char *file;    /* containerd's main file; NULL: CRI-O */
	const char *restart; /* the command; NULL: the host has no service of the engine */
	bool set_default, cdi, no_restart;
	const char *program; /* davit-runtime for `davit configure`; NULL: the usual one */
	const char *config;  /* the text for the host's CONFIG_PATH; NULL: it isn't changed */

	/* The record, from here on. */
	struct strings before; /* davit's programs and names that existed before the first call */
	struct strings made;   /* directories that davit creates */
	/* Files whose text is saved: "file MODE:UID:GID PATH" and "absent PATH", by their state
	 * before the first call. These are CONFIG_PATH and, if davit had configured the engine
	 * before, the engine's.
	 */
	struct strings saved;
	/* Files that davit writes: "writes PATH", and "creates PATH" for backups that didn't exist
	 * before the first call. */
	struct strings written;
	bool pending; /* the engine may not have read its files yet */

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

struct node_changes;

/* All following functions return 0 or -errno, err filled, unless they say otherwise. */

/* ---- the host (node_host.c) --------------------------------------------------------------- */

/* ID= of os-release; "" without one; NULL: no memory. */
const char *node_host_id(const struct node *node);
/* Refuses hosts that must be set up in another way, and roots that can't be a host's. */
int node_check_host(struct node *node);
bool node_has(const struct node *node, const char *path);

/* ---- the engine (node_find.c) -------------------------------------------------------------- */

extern const struct node_engine node_engines[];
extern const size_t node_engine_count;
/*
 * Finds the kubelet's engine. `name` and `file`: the options' values, or NULL. An engine of the
 * record stays; if the options name another one, that is an error.
 */
int node_find_engine(struct node *node, const char *name, const char *file);
/*
 * Fills node->restart, and without a file in the record node->file, for node->engine.
 * *ret_installed: whether the host has that engine.
 */
int node_find_service(struct node *node, bool *ret_installed);

/* ---- the record (node_record.c) ------------------------------------------------------------ */

/* Reads the record of an earlier call. -ENOENT, no error filled: there is none. */
int node_read_record(struct node *node);
int node_write_record(const struct node *node);
/*
 * Removes the temporary files of a killed call for this file. In a container, process numbers
 * repeat, so that these files would be in the way. CRI-O would even read them.
 */
void node_sweep(const struct node *node, const char *path);
/* node_sweep, and then writes a file of the host (NULL: removes it). */
int node_write(const struct node *node, const char *path, const char *text);
/* Adds the directories to node->made that are missing on the way to a file. */
int node_note_folders(struct node *node, const char *path);
/* Notes the files of the changes in node->written, and their directories in node->made. */
int node_note_changes(struct node *node, const struct node_changes *changes);
/*
 * Removes what else davit has written on the host: temporary files of killed calls, those of
 * node->made that are empty, the record, and copies of files.
 */
int node_remove_record(const struct node *node);
/* The last part of it, also without a record: a call may have been killed before it wrote one. */
void node_remove_folder(const struct node *node);

/* ---- at the same time (node_lock.c) --------------------------------------------------------- */

/* That this process works on the node. It ends with the process. */
struct node_lock {
	int dir, fd;
	char name[32]; /* "": none */
};
#define NODE_NO_LOCK ((struct node_lock){.dir = -1, .fd = -1})
/*
 * Waits until no other call changes the node. `interrupted`: goes on after a signal that asks this
 * process to end. Always call node_unlock at last, also for a lock that was never taken.
 */
int node_lock(const struct node *node, struct node_lock *ret, bool interrupted);
void node_unlock(const struct node *node, struct node_lock *lock);
/* Notes that this process stays on the node, until node_unlock. */
int node_hold(const struct node *node, struct node_lock *ret);
/* *ret: whether another process stays, too. */
int node_find_holder(const struct node *node, const struct node_lock *own, bool *ret);

/* ---- programs (node_files.c) --------------------------------------------------------------- */

/* Checks that programs can be written, and that they can be run there. */
int node_check_programs(const struct node *node);
/* Fills node->before. */
int node_find_existing(struct node *node);
/* node_note_folders for the programs and the record. */
int node_note_program_folders(struct node *node);
/* Copies davit's programs, each by a rename, so that running processes keep the old file. */
int node_copy_programs(const struct node *node);
/* Creates links in /usr/bin with the names that others call. Existing files of others are kept. */
int node_make_names(const struct node *node);
/*
 * Removes the links and programs. *ret_users: the number of containers on this node that were
 * started with the programs and couldn't be stopped without them. Then they are kept.
 */
int node_remove_files(const struct node *node, size_t *ret_users);

/* ---- the engine's configuration (node_config.c) --------------------------------------------- */

/* The files that `davit configure` would change, and their backups. */
struct node_change {
	const char *path;
	const char *after; /* its text; NULL: it would be removed */
};
struct node_changes {
	struct node_change *items;
	size_t count, capacity;
};
/*
 * Runs `davit configure` in the host's root without changing anything. Fails if the files couldn't
 * be written. *ret_messages: what it prints to standard error (NULL: it is shown if this fails).
 */
int node_ask_configure(const struct node *node, bool remove, struct node_changes *ret,
		       char **ret_messages);
int node_check_configure(const struct node *node, bool remove, struct node_changes *ret);
/* Runs it, for these files. Its output is shown. */
int node_run_configure(const struct node *node, bool remove, const struct node_changes *changes);
/* A file's text after the changes; `now`: its text now. */
const char *node_text_after(const struct node_changes *changes, const char *path, const char *now);

struct node_texts; /* of files, at one time */
int node_read_texts(const struct node *node, const struct node_changes *changes,
		    struct node_texts **ret);
/* Writes the files as they were. */
int node_write_texts(const struct node *node, const struct node_texts *texts);

/* Reads and checks the file of --config. */
int node_read_config(struct node *node, const char *path);
/* Adds CONFIG_PATH to *ret if its text is to change. Fails if it couldn't be written. */
int node_check_config(const struct node *node, struct node_changes *ret);

/* ---- files of before (node_saved.c) ---------------------------------------------------------- */

bool node_is_saved(const struct node *node, const char *path);
/* Whether davit had configured the engine before the first call. */
bool node_had_engine(const struct node *node);
/* Saves texts before they are changed: see node->saved. */
int node_save_before(struct node *node, const struct node_changes *changes, bool is_first);
/* Notes the text (NULL: none) that a saved file is about to get. Call it before each change. */
int node_intend(const struct node *node, const char *path, const char *text);
/*
 * Takes note of what happened to the engine's files since the last call: those that others have
 * replaced are from now on those that come back, and those that only `davit configure` has changed
 * remain davit's.
 */
int node_adopt(struct node *node);

struct node_restored {
	const char *path, *text;
	bool is_kept;    /* it stays as others have made it */
	bool has_access; /* `access` has the mode and owner of before */
	struct stat access;
};
/* How the saved files come back. */
struct node_plan {
	struct {
		struct node_restored *items;
		size_t count, capacity;
	} files;
	size_t writes;            /* of them */
	bool is_replaced;         /* the engine's main file doesn't name davit's any more */
	const char *drop_in;      /* davit's file of before; NULL: none */
	const char *before, *now; /* its texts, restored and until then */
	const char *program;      /* davit-runtime there */
};
/* Changes nothing. Fails if a file was edited by others so that it can't be restored. */
int node_plan_restore(const struct node *node, struct node_plan *ret);
int node_restore(const struct node *node, const struct node_plan *plan);
/*
 * Others may have changed settings that davit's restored file repeats, and so hides: brings it up
 * to date, with its own options.
 */
int node_refresh(const struct node *node, const struct node_plan *plan);

/* ---- restarting it (node_engine.c) ---------------------------------------------------------- */

/* In the calling process, a child: the host's root becomes its own. 0 or -errno, no message. */
int node_enter_host(const struct node *node);
int node_wait_for(const struct node *node, pid_t child, const char *what);
/* Checks that the engine can be restarted from here. Call it before the first change. */
int node_check_restart(const struct node *node);
/* Restarts the engine and waits for it. `remove`: whether davit's changes are reverted. */
int node_restart(const struct node *node, bool remove);
/* Whether a signal that is blocked asks this process to end. */
bool node_is_interrupted(void);
int node_refuse_interrupted(const struct node *node);
