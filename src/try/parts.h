// SPDX-License-Identifier: Apache-2.0
/* Shared by the steps of `davit try`. */
#pragma once

#include <termios.h>

#include "davit/json.h"
#include "davit/sys.h"
#include "davit/try.h"

/* The members of config.json's `process` that `davit try` uses. */
struct try_process {
	struct strings args, env;
	const char *cwd;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	size_t group_count;
	mode_t umask;
	uint64_t bounding, permitted, effective, inheritable, ambient;
	bool no_new_privileges;
};

/* ---- bundle.c --------------------------------------------------------------------------- */

/* A bundle's config.json, with the replacements of the options. */
struct try_bundle {
	const char *text; /* for the pipeline */
	size_t length;
	struct try_process process;
	struct strings masked, read_only; /* linux.maskedPaths, linux.readonlyPaths */
};
/*
 * Reads config.json and applies the options. A bundle without config.json, but with a directory
 * rootfs, gets one like `runc spec` writes, which runs /bin/sh. 0 or -errno, err filled
 * (ERROR_BAD_BUNDLE).
 */
int try_bundle_read(const struct try_options *options, struct arena *arena, struct try_bundle *ret,
		    struct error *err);

/* ---- root.c ----------------------------------------------------------------------------- */

/*
 * In a new mount namespace: covers the root with a writable view of itself and mounts /proc, /dev
 * and /sys in it. `rootfs` is absolute and must outlive ret. 0 or -errno, err filled.
 */
int try_root_make(const char *rootfs, const struct try_bundle *bundle, struct root *ret,
		  struct error *err);
/*
 * Changes to the root, read-only if config.json says so, and unmounts everything else. 0 or -errno,
 * err filled.
 */
int try_root_enter(const struct root *root, bool read_only, struct error *err);

/* ---- cgroup.c --------------------------------------------------------------------------- */

/* A cgroup that is only for device rules. */
struct try_cgroup {
	int parent_fd; /* -1: no cgroup */
	char name[32];
};
/* Opens its parent: version 2, or version 1's device controller. 0 or -errno, err filled. */
int try_cgroup_open(struct try_cgroup *ret, struct error *err);
/*
 * Creates the cgroup and allows only the devices that every container has. 0 or -errno, err filled;
 * then no cgroup remains.
 */
int try_cgroup_make(const struct try_cgroup *cgroup, struct arena *arena, struct error *err);
int try_cgroup_enter(const struct try_cgroup *cgroup, pid_t pid, struct error *err);
/*
 * Removes the cgroup, and waits up to 5 s for its processes to end. Returns whether it no longer
 * exists.
 */
bool try_cgroup_remove(const struct try_cgroup *cgroup);

/* ---- terminal.c -------------------------------------------------------------------------- */

/* A pseudo-terminal instead of the caller's, if one of the standard streams is a terminal. */
struct try_terminal {
	int master, slave; /* -1: no stream is a terminal */
	int outside;       /* the stream for output, or -1 */
	bool is_tty[3], reads, raw, ended;
	struct termios before; /* the caller's mode, if raw */
	int keeper;            /* a pipe to the process that restores the mode if davit is killed */
	pid_t keeper_pid;
	char input[1024];
	size_t pending;
};
#define TRY_TERMINAL_INIT                                              \
	{                                                              \
		.master = -1, .slave = -1, .outside = -1, .keeper = -1 \
	}
/* Creates it, and sets the caller's terminal to raw mode if it is read. 0 or -errno, err filled. */
int try_terminal_open(struct try_terminal *ret, struct error *err);
/* For the command's process: a new session, with that terminal or none. 0 or -errno. */
int try_terminal_enter(const struct try_terminal *terminal);
/* For davit's process, after the command's process was started. */
void try_terminal_started(struct try_terminal *terminal);
/* Waits until `other` can be read or there is data to relay, and relays that. */
void try_terminal_wait(struct try_terminal *terminal, int other);
void try_terminal_resize(const struct try_terminal *terminal);
/* Relays the remaining output and restores the mode of the caller's terminal. */
void try_terminal_close(struct try_terminal *terminal);

/* ---- process.c -------------------------------------------------------------------------- */

/* Reads config.json's `process`. 0 or -errno, err filled. */
int try_process_read(struct json_object *config, struct arena *arena, struct try_process *ret,
		     struct error *err);
/* Executes it in the current root, or prints the error's line and exits. */
__attribute__((noreturn)) void try_process_become(const struct try_process *process,
						  struct arena *arena);
/* Prints the error's line and exits. */
__attribute__((noreturn)) void try_die(const struct error *err, int exit_code);
