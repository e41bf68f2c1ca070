// SPDX-License-Identifier: Apache-2.0
/*
 * configure: editors of engines' configuration files: old text in, new text out. Everything except
 * reading and writing files is pure. Parts that davit needn't change are preserved byte for byte.
 */
#pragma once

#include "davit/base.h"
#include "davit/sys.h"

#define CONFIGURE_SIZE_MAX ((size_t)4 * 1024 * 1024)

/* The settings to make. */
struct configure {
	const char *runtime_name; /* "nvidia" */
	bool named;               /* that name was asked for, and isn't the default */
	const char *runtime_path; /* of davit-runtime */
	bool set_default, cdi;
	/* With cdi: the directories of CDI specs to set if none are set; empty: leave the default.
	 */
	struct strings spec_dirs;
};

/* Limits who can read a file. */
struct configure_access {
	mode_t mode; /* the permissions that are allowed; 0: any */
	uid_t uid;
	gid_t gid;
};

/* ---- which daemon ------------------------------------------------------------------------- */

enum configure_daemon { CONFIGURE_DOCKER, CONFIGURE_CONTAINERD };
/* The file of the caller's own daemon; NULL: the caller is root, or has none. */
const char *configure_rootless_file(const struct root *root, enum configure_daemon daemon,
				    struct arena *arena);
/* Whether the host's only dockerd is a snap's. */
bool configure_docker_is_snap(const struct root *root);
/*
 * A variable of the caller's environment; NULL: not set, or not an absolute path. Use it only to
 * find the caller's own files.
 */
const char *configure_variable(const char *name, struct arena *arena);

/* ---- TOML files that an engine reads one after the other ---------------------------------- */

struct toml_node;

struct engine_file {
	const char *path, *text;
	const struct toml_node *top; /* the text as a tree */
};
/* The main file and its other files, in the order in which the engine reads them. */
struct engine_files {
	struct engine_file *items;
	size_t count, capacity;
};
/* Replaces a file's text for reading; NULL: as if the file didn't exist. */
struct engine_overlay {
	const char *path, *text;
};

/* ---- files that davit writes and others edit (pure) ---------------------------------------- */

/*
 * davit writes a checksum of each of its lines into its drop-ins and blocks. A line without one is
 * someone else's, and davit neither changes nor removes it.
 */

/* The lines of others. */
struct configure_others {
	const char *text;                /* NULL: there are only blank ones */
	const struct toml_node *top;     /* the same as a tree; NULL: none */
	const char *rest, *before;       /* with davit's lines that stay; the whole file */
	const struct toml_node *version; /* the whole file's; NULL: none */
};
/*
 * Takes davit's lines out of a text (NULL: no file). `ours`: what davit would write; its lines
 * count as davit's in a file of a davit that wrote no checksums. -EINVAL with ERROR_BAD_CONFIG: not
 * TOML.
 */
int configure_split(const char *text, const char *ours, const char *path, struct arena *arena,
		    struct configure_others *ret, struct error *err);

struct configure_joined {
	char *text;
	struct strings kept; /* "KEY = VALUE" of others, where davit would set another value */
};
/*
 * Adds davit's lines, with their checksums, to those of others, whose values win. -EEXIST with
 * ERROR_BAD_CONFIG: a value that the user asks for is set otherwise, or a table of others can't be
 * extended.
 */
int configure_join(const struct configure_others *others, const char *ours, const char *path,
		   const struct configure *configure, struct arena *arena,
		   struct configure_joined *ret, struct error *err);

/* What remains of a file or block that davit wrote. */
struct configure_left {
	const char *text;          /* NULL: nothing */
	struct strings kept, gone; /* settings of others: in the text, and of davit's runtimes */
};
/*
 * The runtimes of davit's lines in a file or block, without the suffixes of containerd's handlers.
 * 0, or -EINVAL with ERROR_BAD_CONFIG: not TOML.
 */
int configure_own_runtimes(const char *text, const char *path, struct arena *arena,
			   struct strings *ret, struct error *err);
/*
 * If no name was asked for, the runtime's name becomes that of the file's or block's only one. 0 or
 * -errno, err filled.
 */
int configure_keep_name(const char *text, const char *path, struct configure *configure,
			struct arena *arena, struct error *err);
/*
 * Removes davit's lines and its runtimes, with all that others have set in these. -EINVAL with
 * ERROR_BAD_CONFIG: not TOML, or without checksums.
 */
int configure_leave(const char *text, const char *path, const struct configure *configure,
		    struct arena *arena, struct configure_left *ret, struct error *err);
/* Whether a text has davit's checksums. */
bool configure_has_lines(const char *text);
/* Whether a text has the same settings as another one, and all of its checksums. */
bool configure_is_same(const char *text, const char *other, const char *path, struct arena *arena);

/* ---- NVIDIA's config.toml (pure) ---------------------------------------------------------- */

/* A key without a counterpart, or without one for that value. */
struct import_note {
	const char *key, *value; /* the value as written */
	const char *why;
};
struct import_notes {
	struct import_note *items;
	size_t count, capacity;
};
/*
 * Converts /etc/nvidia-container-runtime/config.toml to davit's configuration, which the caller
 * releases. -EINVAL with ERROR_BAD_CONFIG: not TOML, or a value of the wrong type (with line and
 * column).
 */
struct json_object;
int configure_import(const char *text, const char *path, struct arena *arena,
		     struct json_object **ret, struct import_notes *ret_notes, struct error *err);

/* ---- differences (pure) ------------------------------------------------------------------ */

/* A unified diff of one file; "": no difference. A NULL text is a missing file. NULL: no memory. */
char *configure_diff(const char *path, const char *before, const char *after, struct arena *arena);

/* ---- services ---------------------------------------------------------------------------- */

/* How systemd starts a service. */
struct configure_service {
	bool hidden;         /* its command doesn't name the program, and the rest is unknown */
	const char *program; /* NULL: no unit, or no absolute path */
	struct strings arguments; /* with the values of the unit's variables */
	const char *folder;       /* WorkingDirectory=; NULL: "/" */
	const char *search;       /* PATH, if the unit sets it; NULL: systemd's own */
};
/*
 * Reads it from the service's unit and the unit's drop-ins. `program`: the daemon's file name, such
 * as "dockerd", which the unit may start by env or nice. 0 (also without a unit) or -ENOMEM.
 */
int configure_find_service(const struct root *root, const char *name, const char *program,
			   struct arena *arena, struct configure_service *ret);
/*
 * The command that restarts the first of these services that has a unit or init script on the host;
 * if none has, "restart NAME" with the last one. NULL: no memory.
 */
const char *configure_restart(const struct root *root, const char *const *services, size_t count,
			      struct arena *arena);

/* ---- files ------------------------------------------------------------------------------- */

#define CONFIGURE_BACKUP_SUFFIX ".before-davit"
/* The beginning of every file or block that `davit configure` writes, by which it recognises them.
 */
#define CONFIGURE_MARK "# Written by `davit configure"
#define CONFIGURE_KEEPS "Lines that you add or change stay."

/*
 * Reads a file in root, following links; *ret is NULL if it doesn't exist. -errno: it can't be
 * read, or contains a NUL character.
 */
int configure_read(const struct root *root, const char *path, struct arena *arena, char **ret,
		   struct error *err);
/* Opens a program (O_PATH) that nobody but its trusted owner can change; otherwise negative. */
int configure_open_program(const struct root *root, const char *path);
/*
 * Checks whether configure_write is possible: the file isn't a link, immutable or a mount point,
 * and its directory is writable or can be created. Check all files before the first one is written.
 * 0 or -errno.
 */
int configure_may_write(const struct root *root, const char *path, struct arena *arena,
			struct error *err);
/*
 * Replaces the file atomically with `text`, preserving mode and owner (0644 for a new file); NULL
 * removes it. With `keep`, the old file is kept under its name with CONFIGURE_BACKUP_SUFFIX. If the
 * file can't be replaced, the backup isn't changed. A link is an error. 0 or -errno.
 */
int configure_write(const struct root *root, const char *path, const char *text, bool keep,
		    struct arena *arena, struct error *err);
/* Limits *access to the permissions of a file whose content will be repeated. */
void configure_limit_access(const struct root *root, const char *path,
			    struct configure_access *access);
/* Whether a file exists and grants more than `access` allows. */
bool configure_is_looser(const struct root *root, const char *path,
			 const struct configure_access *access);
/* As configure_write, for a file that grants no more than `access` allows. */
int configure_write_limited(const struct root *root, const char *path, const char *text, bool keep,
			    const struct configure_access *access, struct arena *arena,
			    struct error *err);
