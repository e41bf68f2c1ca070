// SPDX-License-Identifier: Apache-2.0
/* configure: Podman's hooks.d file and the directories in which Podman finds it. */
#pragma once

#include "davit/configure.h"

/* ---- Podman (pure) ----------------------------------------------------------------------- */

/* The hooks.d file, as installed. */
extern const char configure_hook[];

struct configure_hook_file {
	char *text;
	struct strings others; /* "KEY = VALUE" that davit didn't write and that stay */
};
/*
 * The new text of hooks.d's davit.json (NULL: there is none). A file that somebody has edited keeps
 * all but the hook's path. -errno with ERROR_BAD_CONFIG: not JSON, or another program's hook.
 */
int configure_podman(const char *text, const char *path, struct arena *arena,
		     struct configure_hook_file *ret, struct error *err);

/* ---- Podman's directories of hooks -------------------------------------------------------- */

#define PODMAN_HOOKS "/usr/share/containers/oci/hooks.d" /* the default */

/* What decides which files of containers.conf Podman reads. */
struct podman {
	unsigned version; /* 100 * major + minor; 0: unknown, taken as 5.0 */
	unsigned patch;   /* the number behind these */
	uid_t uid;
	const char *config;      /* the caller's ~/.config; NULL: unknown */
	const char *only, *last; /* CONTAINERS_CONF and CONTAINERS_CONF_OVERRIDE, or NULL */
};
/*
 * Finds these for the caller. For another root than this host's, only /etc/passwd is read. On this
 * host, `podman --version` is run, if nobody but root can change that program.
 */
void configure_find_podman(const struct root *root, struct arena *arena, struct podman *ret);

struct podman_hooks {
	struct strings folders; /* in the order of reading */
	const char *file;       /* the last file that sets hooks_dir; NULL: none */
	bool append;            /* an {append=true} applies, also to later files */
	bool empty; /* hooks_dir is an empty list; the folders are what Podman then reads */
	/* The same of cdi_spec_dirs, which Podman knows since 5.5. */
	struct strings spec_dirs;
	const char *spec_file; /* the last file that sets it; NULL: none */
	bool spec_append;
	bool spec_etc_only; /* not set, and this Podman then reads only /etc/cdi (5.5.0, 5.5.1) */
	/* engine.runtime, a name or an absolute path; NULL: Podman chooses. */
	const char *runtime, *runtime_file;
	const struct toml_node *runtimes; /* engine.runtimes; NULL: none */
};
/*
 * Applies a containers.conf to the result of the files before it: engine.hooks_dir replaces the
 * folders, or is appended after {append=true} (since Podman 4.8). engine.cdi_spec_dirs likewise.
 * Pure. Source: containers.conf(5). -EINVAL with ERROR_BAD_CONFIG, and *ret unchanged, if it isn't
 * TOML.
 */
int configure_podman_hook_folders(const char *text, const char *path, struct arena *arena,
				  struct podman_hooks *ret, struct error *err);
/*
 * The directories from which Podman reads hooks, as its version finds them. An unreadable
 * containers.conf counts as empty. -EINVAL with ERROR_BAD_CONFIG: one of them isn't TOML.
 */
int configure_podman_hooks(const struct root *root, const struct podman *podman,
			   struct arena *arena, struct podman_hooks *ret, struct error *err);

/*
 * The paths at which Podman looks for a runtime's program: those of engine.runtimes, or none.
 * False: Podman doesn't know a runtime of that name, whatever is in its PATH. Pure.
 */
bool configure_podman_runtime(const struct podman_hooks *hooks, const char *name,
			      struct arena *arena, struct strings *ret);
