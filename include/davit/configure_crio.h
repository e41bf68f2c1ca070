// SPDX-License-Identifier: Apache-2.0
/* configure: CRI-O's files. */
#pragma once

#include "davit/configure.h"

/* ---- CRI-O ------------------------------------------------------------------------------- */

#define CRIO_MAIN "/etc/crio/crio.conf"
#define CRIO_FOLDER "/etc/crio/crio.conf.d"
/* Reads the main file, then the folder's files by name. As containerd_load. */
int crio_load(const struct root *root, const char *main, const char *folder,
	      const struct engine_overlay *overlays, size_t overlay_count, struct arena *arena,
	      struct engine_files *ret, struct error *err);
/*
 * Merges the files as CRI-O does: key by key, but a runtime as a whole. NULL: no memory. (Pure, as
 * all following functions.)
 */
struct toml_node *crio_merge(const struct engine_files *files, struct arena *arena);
/* A runtime's program; NULL: none. */
const char *crio_find_runtime(const struct toml_node *settings, const char *name);
/* cgroup_manager; NULL: not set. */
const char *crio_cgroups(const struct toml_node *settings);
/* The folders of hooks: those of the last file that names any. 0 or -ENOMEM. */
int crio_hook_folders(const struct toml_node *settings, struct arena *arena, struct strings *ret);
/* default_runtime; NULL: not set. */
const char *crio_default_runtime(const struct toml_node *settings);
/* The default runtime, if it has no entry, so that CRI-O doesn't start; NULL: it has one. */
const char *crio_missing_default(const struct toml_node *settings);
/*
 * Makes the drop-in for these files. Its runtimes get the default runtime's settings (conmon's
 * path, root, annotations). -EEXIST with ERROR_BAD_CONFIG: a runtime of davit's names is a virtual
 * machine's, such as Kata Containers'.
 */
int configure_crio(const struct toml_node *settings, const struct configure *configure,
		   struct arena *arena, char **ret, struct error *err);
/*
 * Adds the options of earlier calls, which the drop-in shows (the default runtime): a call without
 * options only updates. 0 or -errno, err filled.
 */
int configure_crio_keep_options(const char *text, const char *path, struct configure *configure,
				struct arena *arena, struct error *err);
/* Checks that CRI-O will use the drop-in. -EINVAL names the later file that overrides it. */
int configure_crio_check(const struct engine_files *after, const char *drop_in,
			 const struct configure *configure, struct arena *arena, struct error *err);
/*
 * Checks that the files that `--remove` leaves don't name one of the removed runtimes as the
 * default. -EEXIST with ERROR_BAD_CONFIG names the file.
 */
int configure_crio_check_left(const struct engine_files *before, const struct engine_files *left,
			      struct arena *arena, struct error *err);
/* Opens CRI-O's program, if nobody but root or the caller can change it; -1: there is none. */
int crio_open_program(const struct root *root);
/*
 * Has CRI-O judge merged files (`crio config`). 1: *ret_cause is what it says against them, or
 * NULL. 0: it can't judge them. -ENOMEM. Not pure.
 */
int crio_ask(int program, const struct toml_node *settings, struct arena *arena,
	     const char **ret_cause);
