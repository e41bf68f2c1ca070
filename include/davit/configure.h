// SPDX-License-Identifier: Apache-2.0
/*
 * configure: engines' configuration files, old text in, new text out. Everything but the files
 * themselves is pure. What davit doesn't have to change stays as it is, byte for byte.
 */
#pragma once

#include "davit/base.h"
#include "davit/sys.h"

#define CONFIGURE_SIZE_MAX ((size_t)4 * 1024 * 1024)

/* How what davit writes into others' folders begins, and how it recognizes that later. */
#define CONFIGURE_MARK "# Written by `davit configure"

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

/* ---- files of TOML that an engine reads one after the other ------------------------------- */

struct toml_node;

struct engine_file {
	const char *path, *text;
	const struct toml_node *top; /* the text as a tree */
	bool of_main;                /* the main file imports it itself */
};
/* The main file and those that go with it, in the order in which the engine reads them. */
struct engine_files {
	struct engine_file *items;
	size_t count, capacity;
};
/* A file that is read as if it had that text; NULL: as if it weren't there. */
struct engine_overlay {
	const char *path, *text;
};

/* ---- containerd --------------------------------------------------------------------------- */

/*
 * Reads `path` in root with all its imports (relative ones, patterns, imports of imports, each file
 * once). A main file that doesn't exist is an empty one. 0 or -errno: a file can't be read, isn't
 * TOML (ERROR_BAD_CONFIG), or isn't there though an import names it.
 */
int containerd_load(const struct root *root, const char *path,
		    const struct engine_overlay *overlays, size_t overlay_count,
		    struct arena *arena, struct engine_files *ret, struct error *err);

/* What is known of the program; major 0: nothing. */
struct containerd_version {
	unsigned major, minor;
};
/* What `containerd --version` prints. 0 or -EINVAL. */
int containerd_version_parse(const char *text, struct containerd_version *ret);
/*
 * Before 2.1 a plugin's settings count in the last file alone that has any; from 2.1 on, key by
 * key. For an unknown version: false.
 */
bool containerd_merges_keys(struct containerd_version version);

/*
 * What the daemon makes of the files: one tree, its imports left out. NULL without memory (pure, as
 * all that follows).
 */
struct toml_node *containerd_merge(const struct engine_files *files,
				   struct containerd_version version, struct arena *arena);
/* The format (`version = `) that counts, 1 to 4. */
unsigned containerd_format(const struct engine_files *files, struct containerd_version version);
/* Whether a file that is read behind `path` replaces what it says of the CRI plugin. */
bool containerd_is_replaced(const struct engine_files *files, const char *path,
			    struct containerd_version version);

/* A runtime of the CRI plugin. */
struct containerd_runtime {
	const char *program; /* options.BinaryName; NULL: none */
	bool exists;
	bool systemd; /* options.SystemdCgroup */
};
/* `settings`: merged files, or a dump. name NULL: the default runtime. */
struct containerd_runtime containerd_find_runtime(const struct toml_node *settings,
						  const char *name);
/* default_runtime_name, "runc" when nothing is said. */
const char *containerd_default_runtime(const struct toml_node *settings);
/* Whether disabled_plugins names the CRI plugin. */
bool containerd_cri_disabled(const struct toml_node *settings);
/* Whether any runtime is named at all: from then on the default one has to be, too. */
bool containerd_names_runtimes(const struct toml_node *settings);
/* enable_cdi; `otherwise` when nothing is said. */
bool containerd_cdi(const struct toml_node *settings, bool otherwise);

/*
 * The main file with drop_in among its imports. -EINVAL with ERROR_BAD_CONFIG: not TOML (line and
 * column), or a format that isn't known.
 */
int configure_containerd(const char *text, const char *path, const char *drop_in,
			 struct containerd_version version, struct arena *arena, char **ret,
			 struct error *err);
/*
 * Without that import; all else stays, `version` included, which decides the format of other files.
 * Errors as above.
 */
int configure_containerd_without_import(const char *text, const char *path, const char *drop_in,
					struct arena *arena, char **ret, struct error *err);
/* The same for `--remove`. *ret NULL: all of the file is what configure_containerd makes of none.
 */
int configure_containerd_remove(const char *text, const char *path, const char *drop_in,
				struct arena *arena, char **ret, struct error *err);
/* The main file with these imports alone, in this order: for asking containerd. */
int configure_containerd_import_only(const char *text, const char *path,
				     const struct strings *imports, struct arena *arena, char **ret,
				     struct error *err);
/*
 * How a drop-in can be written. Before 2.1 it has to have all that the plugin's section says, which
 * it replaces. Before 2.3 one format counts for all files. Where files are of several formats, what
 * containerd makes of them is best seen by asking it.
 */
struct containerd_form {
	unsigned format;
	bool whole; /* with the plugin's section */
};
#define CONTAINERD_FORMS_MAX 3
/* Those to be tried, the best one first; how many. */
size_t containerd_forms(const struct engine_files *files, struct containerd_version version,
			struct containerd_form ret[static CONTAINERD_FORMS_MAX]);
/*
 * The drop-in that goes with these files. The new runtimes take the settings of the one of that
 * name, or of the default runtime (SystemdCgroup, base_runtime_spec). `truth` is what containerd
 * says of itself, or NULL.
 */
int configure_containerd_drop_in(const struct engine_files *files,
				 struct containerd_version version, const struct toml_node *truth,
				 const struct containerd_form *form,
				 const struct configure *configure, struct arena *arena, char **ret,
				 struct error *err);
/*
 * Whether `after` has all that `before` had, and davit's runtime. -EINVAL with ERROR_BAD_CONFIG:
 * the message names what would be lost.
 */
int configure_containerd_check(const struct toml_node *before, const struct toml_node *after,
			       const struct configure *configure, const char *path,
			       struct arena *arena, struct error *err);

/* containerd's program, to ask it. */
struct containerd_program {
	const char *path; /* NULL: there is none that can be asked */
	int fd;           /* O_PATH, or -1; the caller closes it */
	struct containerd_version version;
};
/* `own`: where a distribution has its own; NULL: the usual places. */
void containerd_open_program(const struct root *root, const char *own, struct arena *arena,
			     struct containerd_program *ret);
/*
 * `containerd config dump` for these files: the main one is read as it is here, and the drop-in
 * (with a text) from there instead of from its path. 0 or -errno: it can't read them.
 */
int containerd_ask_about(const struct containerd_program *program, const struct engine_files *files,
			 const struct engine_overlay *drop_in, struct arena *arena,
			 struct toml_node **ret, struct error *err);

/* ---- distributions of Kubernetes that configure their containerd themselves --------------- */

#define CONTAINERD_MAIN "/etc/containerd/config.toml"

enum containerd_place {
	CONTAINERD_IMPORT, /* a file of ours, which the main file imports */
	CONTAINERD_FOLDER, /* a file of ours in a folder that is imported, and merged key by key */
	CONTAINERD_TEMPLATE, /* a block in a template, which is no TOML */
	CONTAINERD_INLINE    /* a block in a file of others */
};
struct containerd_distribution {
	const char *name; /* "k3s", "RKE2", "k0s", "MicroK8s"; NULL: none, containerd as such */
	enum containerd_place place;
	const char *file;    /* the main file */
	const char *drop_in; /* what is written; NULL: not decided yet */
	/*
	 * CONTAINERD_IMPORT: the same where files that are read behind drop_in would take it away;
	 * NULL: nowhere else.
	 */
	const char *last_drop_in;
	const char *program;     /* its containerd; NULL: the host's */
	const char *services[2]; /* those that may have to be restarted */
};
/*
 * Whose containerd it is on that host: by a file that the user names, or (NULL) by what is there.
 * -EINVAL: more than one.
 */
int containerd_find_distribution(const struct root *root, const char *file, struct arena *arena,
				 struct containerd_distribution *ret, struct error *err);
/* With k3s and RKE2 the place depends on what they generate. 0 or -errno. */
int containerd_choose_place(struct containerd_distribution *distribution,
			    const struct engine_files *files, struct containerd_version version,
			    struct arena *arena, struct error *err);
/*
 * A template (NULL: a new one) with davit's runtimes behind all else, by what was generated of it.
 * -errno with ERROR_BAD_CONFIG: they are there already, or what is asked for isn't a template's to
 * say.
 */
int configure_containerd_template(const char *text, const char *path,
				  const struct engine_files *generated,
				  const struct configure *configure, struct arena *arena,
				  char **ret, struct error *err);
/* A whole file with davit's runtimes at its end, and its values changed in their places. */
int configure_containerd_inline(const char *text, const char *path,
				const struct configure *configure, struct arena *arena, char **ret,
				struct error *err);
bool containerd_has_block(const char *text);
/* NULL without memory. */
char *containerd_without_block(const char *text, struct arena *arena);

/* ---- CRI-O ------------------------------------------------------------------------------- */

#define CRIO_MAIN "/etc/crio/crio.conf"
#define CRIO_FOLDER "/etc/crio/crio.conf.d"
/* Reads the main file and those of the folder by name. As containerd_load. */
int crio_load(const struct root *root, const char *main, const char *folder,
	      const struct engine_overlay *overlays, size_t overlay_count, struct arena *arena,
	      struct engine_files *ret, struct error *err);
/*
 * What CRI-O makes of the files: key by key, but a runtime as a whole. NULL without memory (pure,
 * as all that follows).
 */
struct toml_node *crio_merge(const struct engine_files *files, struct arena *arena);
/* A runtime's program; NULL: none. */
const char *crio_find_runtime(const struct toml_node *settings, const char *name);
/* cgroup_manager; NULL: nothing is said. */
const char *crio_cgroups(const struct toml_node *settings);
/* The folders that it takes hooks from: those of the last file that names some. 0 or -ENOMEM. */
int crio_hook_folders(const struct toml_node *settings, struct arena *arena, struct strings *ret);
/*
 * The drop-in that goes with these files: its runtimes have the default one's settings (conmon's
 * path, its root, its annotations). NULL without memory.
 */
char *configure_crio(const struct toml_node *settings, const struct configure *configure,
		     struct arena *arena);
/* Whether CRI-O will use what the drop-in says: -EINVAL names the file that it reads later. */
int configure_crio_check(const struct engine_files *after, const char *drop_in,
			 const struct configure *configure, struct arena *arena, struct error *err);

/* ---- Podman (pure) ----------------------------------------------------------------------- */

/* The hooks.d file, as installed. */
extern const char configure_hook[];

/* ---- what a file says (pure) -------------------------------------------------------------- */

/* What daemon.json says. */
struct configure_docker_facts {
	const char *runtime; /* the program of the runtime asked about; NULL: none */
	const char *cgroups; /* "systemd" or "cgroupfs"; NULL: nothing is said */
	bool cdi_off;        /* features.cdi is false */
	bool mark; /* it begins with a byte order mark, at which dockerd before 23.0 ends */
	struct strings spec_dirs; /* cdi-spec-dirs; empty: nothing is said */
};
/* -EINVAL with ERROR_BAD_CONFIG as above. */
int configure_docker_find(const char *text, const char *path, const char *name, struct arena *arena,
			  struct configure_docker_facts *ret, struct error *err);
/*
 * What a containers.conf makes of the folders of hooks that the files before it named:
 * engine.hooks_dir replaces them, or is appended to them if the list has {append=true} (Podman
 * from 5.0). Source: containers.conf(5). -EINVAL with ERROR_BAD_CONFIG, and *ret as before, if it
 * isn't TOML.
 */
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

/* ---- services ---------------------------------------------------------------------------- */

/*
 * The command that restarts the first of these services which the host has, by its unit or init
 * script; "restart NAME" of the last one when there is none. NULL without memory.
 */
const char *configure_restart(const struct root *root, const char *const *services, size_t count,
			      struct arena *arena);

/* ---- files ------------------------------------------------------------------------------- */

#define CONFIGURE_BACKUP_SUFFIX ".before-davit"
/* How every file or block begins that davit configure makes: by it davit knows them again. */
#define CONFIGURE_MARK "# Written by `davit configure"

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
