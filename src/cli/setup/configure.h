// SPDX-License-Identifier: Apache-2.0
/* Declarations for `davit configure`. */
#pragma once

#include "davit/configure.h"

/*
 * The beginning of the line that names the restart command; `davit node install` searches for it.
 */
#define RESTART_NEEDED "restart needed"

enum engine { ENGINE_DOCKER, ENGINE_CONTAINERD, ENGINE_CRIO, ENGINE_PODMAN };

struct job {
	enum engine engine;
	const char *root_path;
	const char *file, *drop_in; /* as the user names them, or NULL */
	bool dry_run, remove, whole;
	/*
	 * For `davit node`. follow: if the file is a link, its target is edited. check: with
	 * dry_run, prints no diff, and fails where writing would fail. on_change (or NULL): is
	 * called with each file, also with check, before it gets this text (NULL: before it is
	 * removed). 0 or -errno, err filled.
	 */
	bool follow, check;
	int (*on_change)(void *context, const char *path, const char *text);
	void *context;
	struct configure configure;
	struct root root;
	struct arena *arena;
	struct error *err;
	const char *config;   /* the text of davit's configuration; NULL: the host's */
	const char *programs; /* the directory of the engine's own programs; NULL: the usual ones */
	const char *restart;  /* the restart command to show to people; NULL: none */
	/* The program of the engine's runtime from which davit's take all else; NULL: the usual
	 * one. */
	const char *replaced;
};

/* `name`: docker, containerd, crio or podman. */
enum engine configure_find_engine(const char *name);
/* Runs a job whose engine, root_path and flags are set; the rest gets the defaults. 0 or -errno. */
int configure_run(struct job *job);

/* A variable of the caller's environment; NULL: not set, or not a path. Use it only to find the
 * caller's own files. */
const char *configure_own_variable(const struct job *job, const char *name);
/* The file of the caller's own daemon (Docker, containerd); NULL: the caller has none. */
const char *configure_find_rootless(const struct job *job, enum engine engine);

/* The host's root, as a prefix of paths; "" for /. */
const char *configure_below(const struct job *job);

/* One file. */
struct change {
	const char *path;
	const char *target;      /* the file to write: path, or the target of that link */
	char *before, *original; /* NULL: no such file; original: the backup */
	char *after;             /* NULL: no file */
	const char *mark;        /* a text in `before` if davit already wrote it */
	bool own;                /* davit's own file: it keeps lines of others and has no backup */
	/* Settings of others that override davit's, and those that --remove removes. */
	struct strings kept, gone;
	/* Of the files whose content `after` repeats. */
	struct configure_access access;
};
/* Reads the existing file. 0 or -errno. */
int configure_open_change(const struct job *job, const char *path, const char *mark,
			  struct change *ret);
/*
 * Sets the content of davit's own file, in TOML: `ours` (nothing with --remove), and the lines of
 * others, which are kept. *ret_others: these lines, or NULL. 0 or -errno.
 */
int configure_set_own(const struct job *job, struct change *change, const char *ours,
		      const struct toml_node **ret_others);

/* Whether davit wrote the existing file. */
bool configure_is_ours(const struct change *change);
/* Whether the content or the permissions change. */
bool configure_is_changed(const struct job *job, const struct change *change);
/* Makes the change, or shows it (dry_run, check), and prints what it is; counts it. 0 or -errno. */
int configure_finish_change(const struct job *job, const struct change *change, unsigned *changed);

/*
 * Checks that davit-runtime will find a low-level runtime that it may execute. Otherwise no
 * container of its runtimes starts. With dry_run, it only prints a note. Another root isn't
 * checked. 0 or -errno.
 */
int configure_check_low_level(const struct job *job);

/*
 * For `davit node remove`, which removes the programs: -EEXIST if the default runtime that others'
 * files leave (name, program; NULL: none) executes one of them. 0 or -errno.
 */
int configure_check_programs(const struct job *job, const char *name, const char *program,
			     const char *path);

/* Fills the changes in the order in which they are to be made. 0 or -errno. */
int configure_do_containerd(struct job *job, struct change changes[static 2]);
int configure_do_docker(struct job *job, struct change *change);
int configure_do_crio(struct job *job, struct change *change);
int configure_do_podman(struct job *job, struct change changes[static 2]);
