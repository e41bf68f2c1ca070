// SPDX-License-Identifier: Apache-2.0
/* What the steps of a try share. */
#pragma once

#include <termios.h>

#include "davit/json.h"
#include "davit/sys.h"
#include "davit/try.h"

/* process of config.json, as far as it is followed. */
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

/* A bundle's config.json, with what the options say instead. */
struct try_bundle {
	const char *text; /* for the pipeline */
	size_t length;
	struct try_process process;
	struct strings masked, read_only; /* linux.maskedPaths, linux.readonlyPaths */
};
/*
 * Reads and changes it. A bundle without config.json, but with a directory rootfs, gets one like
 * `runc spec` writes, which runs /bin/sh. 0 or -errno, err filled (ERROR_BAD_BUNDLE).
 */
int try_bundle_read(const struct try_options *options, struct arena *arena, struct try_bundle *ret,
		    struct error *err);

/* ---- root.c ----------------------------------------------------------------------------- */

/*
 * In a mount namespace of its own: covers the root with a writable view of itself and mounts /proc,
 * /dev, /sys in it. `rootfs` is absolute and must outlive ret. 0 or -errno, err filled.
 */
int try_root_make(const char *rootfs, const struct try_bundle *bundle, struct root *ret,
		  struct error *err);
/*
 * The root becomes the process's, read-only when config.json wants it so, and everything else is
 * unmounted. 0 or -errno, err filled.
 */
int try_root_enter(const struct root *root, bool read_only, struct error *err);

/* ---- cgroup.c --------------------------------------------------------------------------- */

/* A cgroup for the device rules alone. */
struct try_cgroup {
	int parent_fd; /* -1: there is none */
	char name[32];
};
/* Where it is to be: version 2, or version 1's device controller. 0 or -errno, err filled. */
int try_cgroup_open(struct try_cgroup *ret, struct error *err);
/*
 * Makes it, and only the devices that every container has may be opened in it. 0 or -errno, err
 * filled; what was made is gone then.
 */
int try_cgroup_make(const struct try_cgroup *cgroup, struct arena *arena, struct error *err);
int try_cgroup_enter(const struct try_cgroup *cgroup, pid_t pid, struct error *err);
/* Once its processes have ended, which may take them a moment. Says whether it is gone. */
bool try_cgroup_remove(const struct try_cgroup *cgroup);

/* ---- terminal.c -------------------------------------------------------------------------- */

/* A pseudo-terminal in the place of the caller's, when one of the standard streams is a terminal.
 */
struct try_terminal {
	int master, slave; /* -1: no stream is one */
	int outside;       /* the stream that output goes to, or -1 */
	bool is_tty[3], reads, raw, ended;
	struct termios before; /* the caller's, when raw */
	int keeper;            /* a pipe to the process that restores it should we be killed */
	pid_t keeper_pid;
	char input[1024];
	size_t pending;
};
#define TRY_TERMINAL_INIT                                              \
	{                                                              \
		.master = -1, .slave = -1, .outside = -1, .keeper = -1 \
	}
/* Makes it, and sets the caller's to raw when it is read from. 0 or -errno, err filled. */
int try_terminal_open(struct try_terminal *ret, struct error *err);
/* In the command's process: a session of its own, with that terminal or none. 0 or -errno. */
int try_terminal_enter(const struct try_terminal *terminal);
/* In ours, once that process has been started. */
void try_terminal_started(struct try_terminal *terminal);
/* Relays until `other` can be read, or for a while. */
void try_terminal_wait(struct try_terminal *terminal, int other);
void try_terminal_resize(const struct try_terminal *terminal);
/* Relays what is left and gives the caller's terminal its mode back. */
void try_terminal_close(struct try_terminal *terminal);

/* ---- process.c -------------------------------------------------------------------------- */

/* process of config.json. 0 or -errno, err filled. */
int try_process_read(struct json_object *config, struct arena *arena, struct try_process *ret,
		     struct error *err);
/* Becomes it, in the root that the process is in already; or ends with a line and an exit code. */
__attribute__((noreturn)) void try_process_become(const struct try_process *process,
						  struct arena *arena);
/* Ends with the error's line. */
__attribute__((noreturn)) void try_die(const struct error *err, int exit_code);
