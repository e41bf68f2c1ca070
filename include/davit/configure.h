// SPDX-License-Identifier: Apache-2.0
/*
 * configure: engines' configuration files, old text in, new text out. Everything but the files
 * themselves is pure. What davit doesn't have to change stays as it is, byte for byte.
 */
#pragma once

#include "davit/base.h"
#include "davit/sys.h"

#define CONFIGURE_SIZE_MAX ((size_t)4 * 1024 * 1024)

/* What is to be set. */
struct configure {
	const char *runtime_name; /* "nvidia" */
	const char *runtime_path; /* of davit-runtime */
	bool set_default, cdi;
};

/* ---- docker: daemon.json (pure) ---------------------------------------------------------- */

/*
 * `text` NULL: no such file. -EINVAL with ERROR_BAD_CONFIG: no JSON (line and column), or a member
 * on the way isn't an object.
 */
int configure_docker(const char *text, const char *path, const struct configure *configure,
		     struct arena *arena, char **ret, struct error *err);
/*
 * Takes it back. `original` is the text of before (NULL: none is known): members that davit changed
 * get their old values. *ret NULL: nothing is left, the file goes.
 */
int configure_docker_remove(const char *text, const char *original, const char *path,
			    const struct configure *configure, struct arena *arena, char **ret,
			    struct error *err);

/* ---- containerd (pure) ------------------------------------------------------------------- */

/*
 * config.toml with drop_in among its imports. -EINVAL with ERROR_BAD_CONFIG: no TOML as far as it
 * was read (line and column), a version other than 2 and 3.
 */
int configure_containerd(const char *text, const char *path, const char *drop_in,
			 struct arena *arena, char **ret, struct error *err);
/* Without it. *ret NULL: nothing of others is left. */
int configure_containerd_remove(const char *text, const char *path, const char *drop_in,
				struct arena *arena, char **ret, struct error *err);
/*
 * The drop-in that goes with that config.toml. Before containerd 2.1 a file's plugin section
 * replaces the whole section of files before it, so config.toml's is in it; so are the options of
 * the default runtime (SystemdCgroup), for the new one. *ret_note gets what the user has to know,
 * or NULL.
 */
int configure_containerd_drop_in(const char *text, const char *path,
				 const struct configure *configure, struct arena *arena, char **ret,
				 const char **ret_note, struct error *err);

/* ---- CRI-O, Podman (pure) ---------------------------------------------------------------- */

/* The drop-in; NULL without memory. */
char *configure_crio(const struct configure *configure, struct arena *arena);
/* The hooks.d file, as installed. */
extern const char configure_hook[];

/* ---- what a file says (pure) -------------------------------------------------------------- */

/*
 * The program that the file of an engine names for the runtime `name`; *ret NULL: none. -EINVAL
 * with ERROR_BAD_CONFIG as above.
 */
int configure_docker_find(const char *text, const char *path, const char *name, struct arena *arena,
			  const char **ret, struct error *err);
int configure_containerd_find(const char *text, const char *path, const char *name,
			      struct arena *arena, const char **ret, struct error *err);
int configure_crio_find(const char *text, const char *path, const char *name, struct arena *arena,
			const char **ret, struct error *err);
/* The cgroup driver that it names, "systemd" or "cgroupfs"; *ret NULL: none. */
int configure_docker_cgroups(const char *text, const char *path, struct arena *arena,
			     const char **ret, struct error *err);
int configure_containerd_cgroups(const char *text, const char *path, struct arena *arena,
				 const char **ret, struct error *err);
int configure_crio_cgroups(const char *text, const char *path, struct arena *arena,
			   const char **ret, struct error *err);
/* The files and patterns that a config.toml of containerd imports. */
int configure_containerd_imports(const char *text, const char *path, struct arena *arena,
				 struct strings *ret, struct error *err);
/* The folders of hooks that a containers.conf names (hooks_dir). */
int configure_podman_hook_folders(const char *text, const char *path, struct arena *arena,
				  struct strings *ret, struct error *err);

/* ---- NVIDIA's config.toml (pure) ---------------------------------------------------------- */

/* A key that has no counterpart, or none with that value. */
struct import_note {
	const char *key, *value; /* the value as it stands there */
	const char *why;
};
struct import_notes {
	struct import_note *items;
	size_t count, capacity;
};
/*
 * What /etc/nvidia-container-runtime/config.toml sets, as our configuration (to be put). -EINVAL
 * with ERROR_BAD_CONFIG: no TOML, or a value of the wrong type (line and column).
 */
struct json_object;
int configure_import(const char *text, const char *path, struct arena *arena,
		     struct json_object **ret, struct import_notes *ret_notes, struct error *err);

/* ---- differences (pure) ------------------------------------------------------------------ */

/* A unified diff of one file, "" when nothing differs; NULL texts are no file. NULL: no memory. */
char *configure_diff(const char *path, const char *before, const char *after, struct arena *arena);

/* ---- files ------------------------------------------------------------------------------- */

#define CONFIGURE_BACKUP_SUFFIX ".before-davit"

/*
 * The text of a file in root, *ret NULL when there is none. Links are followed for their text
 * alone. -errno: it can't be read, or has a NUL character.
 */
int configure_read(const struct root *root, const char *path, struct arena *arena, char **ret,
		   struct error *err);
/*
 * Whether configure_write may be tried: not a link, in a directory that can be written or made. To
 * be asked of all files before the first of them is written. 0 or -errno.
 */
int configure_may_write(const struct root *root, const char *path, struct arena *arena,
			struct error *err);
/*
 * Puts `text` in the place of the file as a whole, with its mode and owner (0644 for a new one);
 * NULL removes it. With `keep` the file as it was stays under its name with
 * CONFIGURE_BACKUP_SUFFIX; when it can't be replaced there is no such backup, or the one of before.
 * A link is an error. 0 or -errno.
 */
int configure_write(const struct root *root, const char *path, const char *text, bool keep,
		    struct arena *arena, struct error *err);
