// SPDX-License-Identifier: Apache-2.0
/* What the parts of `davit configure` share. */
#pragma once

#include "davit/configure.h"

/* Begins the line that names the command of a restart; `davit node install` looks for it. */
#define RESTART_NEEDED "restart needed"

enum engine { ENGINE_DOCKER, ENGINE_CONTAINERD, ENGINE_CRIO, ENGINE_PODMAN };

struct job {
	enum engine engine;
	const char *root_path;
	const char *file, *drop_in; /* as the user names them, or NULL */
	bool dry_run, remove, whole;
	struct configure configure;
	struct root root;
	struct arena *arena;
	struct error *err;
	const char *restart; /* what is to be restarted afterwards, for people; NULL: nothing */
};

/* A variable of the caller's environment; NULL: not set, or not a path. Use it only to find the
 * caller's own files. */
const char *configure_own_variable(const struct job *job, const char *name);
/* The file of the caller's own daemon (Docker, containerd); NULL: the caller has none. */
const char *configure_find_rootless(const struct job *job, enum engine engine);

/* One file. */
struct change {
	const char *path;
	char *before, *original; /* NULL: no such file; original: the one kept aside */
	char *after;             /* NULL: no file */
	const char *mark;        /* what tells that `before` is of our making already */
	bool own;                /* davit's own file, which keeps others' lines and no original */
	/* Settings of others: that win over davit's, or that --remove takes out. */
	struct strings kept, gone;
	/* Of the files whose content `after` repeats. */
	struct configure_access access;
};
/* Reads what is there. 0 or -errno. */
int configure_open_change(const struct job *job, const char *path, const char *mark,
			  struct change *ret);
/*
 * davit's own file, in TOML: davit's lines are `ours`, or with --remove none; those of others stay.
 * *ret_others: those, or NULL. 0 or -errno.
 */
int configure_set_own(const struct job *job, struct change *change, const char *ours,
		      const struct toml_node **ret_others);

/* Fills the changes in the order in which they are to be made. 0 or -errno. */
int configure_do_containerd(struct job *job, struct change changes[static 2]);
