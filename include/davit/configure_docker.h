// SPDX-License-Identifier: Apache-2.0
/* configure: Docker's daemon.json. */
#pragma once

#include "davit/configure.h"

/* ---- docker: daemon.json (pure) ---------------------------------------------------------- */

/*
 * `text` NULL: the file doesn't exist. -EINVAL with ERROR_BAD_CONFIG: not JSON (with line and
 * column), a parent of a setting isn't an object, or the runtime has a runtimeType other than
 * runc's. With runc's runtimeType, the runtime's program is options.BinaryName.
 */
int configure_docker(const char *text, const char *path, const struct configure *configure,
		     struct arena *arena, char **ret, struct error *err);
/*
 * Reverts the settings. Members that davit changed get their values of `original`, the earlier text
 * (NULL: unknown). *ret NULL: nothing remains, so the file is to be removed. A runtime whose
 * program isn't davit's stays. In a file that others have changed, features.cdi stays, too, unless
 * configure->cdi is set.
 */
int configure_docker_remove(const char *text, const char *original, const char *path,
			    const struct configure *configure, struct arena *arena, char **ret,
			    struct error *err);

/*
 * If no name was asked for, and davit's program is registered under one other name, it is that
 * name: a later call and --remove find it without --runtime-name. Errors as above.
 */
int configure_docker_keep_name(const char *text, const char *path, struct configure *configure,
			       struct arena *arena, struct error *err);
/* "runtimes.NAME.KEY = VALUE" of everything but `path` in that runtime, which davit doesn't write.
 */
int configure_docker_others(const char *text, const char *path, const char *name,
			    struct arena *arena, struct strings *ret, struct error *err);

/*
 * What dockerd refuses in a daemon.json only when it starts: runtimes, and a default
 * runtime that neither the file has nor `added` (NULL: none), the names of the --add-runtime
 * options. Without `with_types`, runtimes aren't judged. *ret_cause NULL: nothing. -EINVAL with
 * ERROR_BAD_CONFIG: not JSON.
 */
int configure_docker_judge(const char *text, const char *path, const struct strings *added,
			   bool with_types, struct arena *arena, const char **ret_cause,
			   struct error *err);

/* dockerd, opened to be run. */
struct docker_program {
	int fd; /* -1: there is none that only its trusted owner can change */
	const char *path;
	unsigned major, minor; /* its version */
};
/* Opens `own` (NULL: the first one in the usual directories). The caller closes fd. */
void docker_open_program(const struct root *root, const char *own, struct arena *arena,
			 struct docker_program *ret);
/* Parses the output of `dockerd --version`. 0 or -EINVAL. */
int docker_version_parse(const char *text, struct docker_program *ret);
/*
 * Has dockerd judge the text of a daemon.json (`dockerd --validate`, since 23.0). 1: *ret_cause is
 * what it says against the text, or NULL. 0: it can't judge it, not even an empty file, or it
 * couldn't look up the user of userns-remap without its environment. -ENOMEM.
 */
int docker_ask(const struct docker_program *program, const char *text, struct arena *arena,
	       const char **ret_cause);

/* ---- facts in a file (pure) --------------------------------------------------------------- */

/* Facts in daemon.json. */
struct configure_docker_facts {
	const char *runtime;  /* the program of that runtime; NULL: none */
	const char *standard; /* default-runtime; NULL: not set */
	const char *userns;   /* userns-remap; NULL: not set */
	const char *cgroups;  /* "systemd" or "cgroupfs"; NULL: not set */
	bool cdi_on, cdi_off; /* features.cdi is true, or false */
	bool cdi_nowhere;     /* cdi-spec-dirs names no directory, which disables CDI */
	bool mark;            /* begins with a byte order mark, which dockerd before 23.0 refuses */
	struct strings spec_dirs; /* cdi-spec-dirs; empty: not set */
};
/* -EINVAL with ERROR_BAD_CONFIG as above. */
int configure_docker_find(const char *text, const char *path, const char *name, struct arena *arena,
			  struct configure_docker_facts *ret, struct error *err);
