// SPDX-License-Identifier: Apache-2.0
/* configure: containerd's files, and those of Kubernetes distributions that generate them. */
#pragma once

#include "davit/configure.h"

/* ---- containerd --------------------------------------------------------------------------- */

struct containerd_distribution;

/*
 * Reads the main file in root with all its imports (relative paths, patterns, imports of imports,
 * each file once). A missing main file counts as empty. 0, or -errno if a file can't be read, isn't
 * TOML (ERROR_BAD_CONFIG), or is imported but doesn't exist.
 */
int containerd_load(const struct root *root, const struct containerd_distribution *distribution,
		    const struct engine_overlay *overlays, size_t overlay_count,
		    struct arena *arena, struct engine_files *ret, struct error *err);

/* containerd's version; major 0: unknown. */
struct containerd_version {
	unsigned major, minor;
};
/* Parses the output of `containerd --version`. 0 or -EINVAL. */
int containerd_version_parse(const char *text, struct containerd_version *ret);
/*
 * Whether settings of a plugin are merged key by key, as since 2.1. Before, only the last file with
 * settings of the plugin counts. False for an unknown version.
 */
bool containerd_merges_keys(struct containerd_version version);

/*
 * Merges the files as the daemon does, into one tree without imports. NULL: no memory. (Pure, as
 * all following functions.)
 */
struct toml_node *containerd_merge(const struct engine_files *files,
				   struct containerd_version version, struct arena *arena);
/*
 * Checks that this containerd can read the formats of all files; 1.6 itself silently ignores a
 * newer one. 0 (also for an unknown version) or -EINVAL with ERROR_BAD_CONFIG.
 */
int containerd_check_format(const struct engine_files *files, struct containerd_version version,
			    struct error *err);
/* The effective format (`version = `), 1 to 4. */
unsigned containerd_format(const struct engine_files *files, struct containerd_version version);
/* Whether a file that is read after `path` replaces its settings of the CRI plugin. */
bool containerd_is_replaced(const struct engine_files *files, const char *path,
			    struct containerd_version version);

/* A runtime of the CRI plugin. */
struct containerd_runtime {
	const char *program; /* options.BinaryName; NULL: none */
	const char *type;    /* runtime_type; NULL: none */
	bool exists;
	bool systemd; /* options.SystemdCgroup */
};
/* `settings`: merged files, or a dump. name NULL: the default runtime. */
struct containerd_runtime containerd_find_runtime(const struct toml_node *settings,
						  const char *name);
/* default_runtime_name, or "runc" if it isn't set. */
const char *containerd_default_runtime(const struct toml_node *settings);
/*
 * The program of the runtime whose settings davit's runtimes get, which they don't execute. NULL:
 * it names none, or one that davit's take the place of.
 */
const char *containerd_base_program(const struct toml_node *settings,
				    const struct configure *configure);
/* Whether disabled_plugins contains the CRI plugin. */
bool containerd_cri_disabled(const struct toml_node *settings);
/* Whether any runtime is configured; the default runtime must then be configured, too. */
bool containerd_names_runtimes(const struct toml_node *settings);
/*
 * Whether systemd_cgroup is set, which containerd 1.x accepts only for its runtime v1. Otherwise
 * the CRI plugin doesn't load. Use options.SystemdCgroup.
 */
bool containerd_refuses_systemd(const struct toml_node *settings);
/* Whether registry.config_path and registry.mirrors are set, with which the CRI plugin doesn't
 * load. */
bool containerd_refuses_mirrors(const struct toml_node *settings);
/* The absolute paths of the runtimes' base_runtime_spec. Without one of the files, the CRI plugin
 * doesn't load. 0 or -ENOMEM. */
int containerd_base_specs(const struct toml_node *settings, struct arena *arena,
			  struct strings *ret);
/* What the files take away from the CRI plugin. */
struct containerd_cri {
	bool disabled;        /* the plugin itself is in disabled_plugins */
	const char *required; /* a plugin there that the CRI plugin requires; NULL: none */
	const char *id;       /* an id there, with which containerd doesn't start; NULL: none */
	const char *snapshotter;
	/* Why containerd has no such snapshotter; NULL: it has. btrfs and zfs also need a file
	 * system of that type at `root`. */
	const char *no_snapshotter;
	const char *root; /* where containerd has its data; NULL: not set */
};
/*
 * format: of the files, not of a dump. Before 2.0, disabled_plugins in format 1 has the plugins'
 * ids, without their types. 0 or -ENOMEM.
 */
int containerd_judge_cri(const struct toml_node *settings, unsigned format,
			 struct containerd_version version, struct arena *arena,
			 struct containerd_cri *ret);
/*
 * The shim that containerd starts for a runtime (name NULL: the default one): a name to be searched
 * in its PATH and in its own directory, or an absolute path. *ret NULL: the runtime has no
 * runtime_type, so that no container of it starts. 0 or -ENOMEM.
 */
int containerd_find_shim(const struct toml_node *settings, const char *name, struct arena *arena,
			 const char **ret);
/*
 * Finds a CRI setting of another file that davit's drop-in hides, because it has changed since the
 * drop-in was written: the drop-in repeats the section (before 2.1), and the base runtime's options
 * (all versions). *ret: its path in the settings, NULL: none. *ret_file: the file. 0 or -ENOMEM.
 */
int containerd_find_stale(const struct engine_files *files, const char *drop_in,
			  struct containerd_version version, struct arena *arena, const char **ret,
			  const char **ret_file);
/* enable_cdi, or `otherwise` if it isn't set. */
bool containerd_cdi(const struct toml_node *settings, bool otherwise);
/* Whether cdi_spec_dirs is an empty list: CDI then has no devices. */
bool containerd_has_no_spec_dirs(const struct toml_node *settings);
/* cdi_spec_dirs; *ret is empty if it isn't set. 0 or -ENOMEM. */
int containerd_spec_dirs(const struct toml_node *settings, struct arena *arena,
			 struct strings *ret);

/*
 * Adds drop_in to the imports of the main file. -EINVAL with ERROR_BAD_CONFIG: not TOML (with line
 * and column), or an unknown format.
 */
int configure_containerd(const char *text, const char *path, const char *drop_in,
			 struct containerd_version version, struct arena *arena, char **ret,
			 struct error *err);
/*
 * Removes that import and preserves everything else, including `version`, which sets the format of
 * other files. Errors as above.
 */
int configure_containerd_without_import(const char *text, const char *path, const char *drop_in,
					struct arena *arena, char **ret, struct error *err);
/*
 * The same for `--remove`. *ret NULL: the rest is what configure_containerd writes to a new file,
 * at a path where containerd doesn't need one.
 */
int configure_containerd_remove(const char *text, const char *path, const char *drop_in,
				struct arena *arena, char **ret, struct error *err);
/* A file with only these imports, in this order, for `containerd config dump`. */
int configure_containerd_import_only(const char *text, const char *path,
				     const struct strings *imports, struct arena *arena, char **ret,
				     struct error *err);
/*
 * A form of a drop-in. Before 2.1 it must contain the plugin's whole section, because it replaces
 * that section. Before 2.3, one format applies to all files. If the files have several formats,
 * only containerd itself can show the result.
 */
struct containerd_form {
	unsigned format;
	bool whole; /* with the plugin's section */
};
#define CONTAINERD_FORMS_MAX 3
/* The forms to try, the best one first. Returns their number. */
size_t containerd_forms(const struct engine_files *files, struct containerd_version version,
			struct containerd_form ret[static CONTAINERD_FORMS_MAX]);
/*
 * Makes the drop-in for these files. -EEXIST with ERROR_BAD_CONFIG: a runtime of davit's names
 * isn't runc's, such as Kata Containers'. The new runtimes get the settings of the existing runtime
 * of that name, or of the default runtime (SystemdCgroup, base_runtime_spec). `truth` is
 * containerd's own output, or NULL.
 */
int configure_containerd_drop_in(const struct engine_files *files,
				 struct containerd_version version, const struct toml_node *truth,
				 const struct containerd_form *form,
				 const struct configure *configure, struct arena *arena, char **ret,
				 struct error *err);
/* The files as a change makes them. */
struct containerd_change {
	const struct engine_files *files;
	const char *drop_in;            /* davit's among them */
	const struct toml_node *others; /* what others have set in it; NULL: nobody */
	struct containerd_version version;
};
/*
 * Checks that `after` contains davit's runtimes, what else configure asks for, and all of `before`,
 * except what others have set otherwise in the drop-in. -EINVAL with ERROR_BAD_CONFIG names a
 * setting that would be lost, or the file that overrides davit's.
 */
int configure_containerd_check(const struct toml_node *before, const struct toml_node *after,
			       const struct containerd_change *change,
			       const struct configure *configure, struct arena *arena,
			       struct error *err);

/*
 * Limits *access to that of the files with settings of plugins, which the drop-in may repeat, such
 * as a registry's password.
 */
void configure_containerd_limit_access(const struct root *root, const struct engine_files *files,
				       struct configure_access *access);
/* The same for containerd's own output, which must also have the default runtime's options. */
int configure_containerd_check_dump(const struct toml_node *before, const struct toml_node *after,
				    const struct containerd_change *change,
				    const struct configure *configure, struct arena *arena,
				    struct error *err);

/*
 * Adds the options of earlier calls, which the drop-in shows (the runtime's name, the default
 * runtime, CDI): a call without options only updates. 0 or -errno, err filled.
 */
int configure_containerd_keep_options(const char *text, const char *path,
				      const struct engine_files *files, struct configure *configure,
				      struct arena *arena, struct error *err);
/*
 * Before 2.1, the drop-in repeats the other files' CRI settings. Checks that the new text still has
 * those of the old one that a file has. (A file that came later may hide them from containerd,
 * which has had them from the drop-in until now.) 0 or -EINVAL with ERROR_BAD_CONFIG.
 */
int configure_containerd_check_repeated(const char *before, const char *after, const char *path,
					const struct engine_files *files, struct arena *arena,
					struct error *err);
/*
 * Checks that what remains of a drop-in after `--remove` doesn't replace a section of the main
 * file, as it would before 2.1. -EEXIST with ERROR_BAD_CONFIG names what others have set there.
 */
int configure_containerd_check_left(const char *left, const char *path, const char *main_path,
				    struct containerd_version version, struct arena *arena,
				    struct error *err);

/* containerd's program, for `containerd config dump`. */
struct containerd_program {
	const char *path; /* NULL: no usable program */
	int fd;           /* O_PATH, or -1; the caller closes it */
	struct containerd_version version;
	const char *folder; /* the daemon's working directory; NULL: "/" */
	/* Whether relative patterns in imports start there (before 1.6.29 and 1.7.16). */
	bool globs_from_folder;
	/* path NULL: two programs of different versions, of which none is known to run. */
	const char *others[2];
};
/*
 * Opens the containerd that reads distribution->file: distribution->program, the running daemon's
 * program, that of its systemd unit, or one in the usual places, in this order. Only files that
 * nobody but root or the caller can change are used.
 */
void containerd_open_program(const struct root *root,
			     const struct containerd_distribution *distribution,
			     struct arena *arena, struct containerd_program *ret);
/*
 * Runs `containerd config dump` for these files: with the given text of the main file, and with the
 * drop-in's text instead of the file at its path. 0, or -errno if containerd can't read them.
 */
int containerd_ask_about(const struct containerd_program *program, const struct engine_files *files,
			 const struct engine_overlay *drop_in, struct arena *arena,
			 struct toml_node **ret, struct error *err);

/* ---- Kubernetes distributions that generate containerd's configuration -------------------- */

#define CONTAINERD_MAIN "/etc/containerd/config.toml"

enum containerd_place {
	CONTAINERD_IMPORT,   /* davit's own file, which the main file imports */
	CONTAINERD_FOLDER,   /* davit's own file in an imported folder, merged key by key */
	CONTAINERD_TEMPLATE, /* a block in a template, which isn't TOML */
	CONTAINERD_INLINE    /* a block in another program's file */
};
struct containerd_distribution {
	const char *name; /* "k3s", "RKE2", "k0s", "MicroK8s"; NULL: plain containerd */
	enum containerd_place place;
	/* A user's own daemon, for which the main file's directory is mounted at /etc/containerd.
	 */
	bool rootless;
	bool skips_generated; /* go on without a file that k0s has yet to generate */
	const char *file;     /* the main file */
	const char *drop_in;  /* the file to write; NULL: not decided yet */
	/*
	 * CONTAINERD_IMPORT: the path to use if files that are read after drop_in would override
	 * it; NULL: none.
	 */
	const char *last_drop_in;
	const char *program; /* its containerd; NULL: the host's */
	/* Where relative patterns of imports start; NULL: at the folder of the importing file. */
	const char *glob_folder;
	const char *services[2]; /* services that may need a restart */
	/* The process or service whose --config names `file`; NULL: another reason. */
	const char *named_by;
};
#define CONTAINERD_DISTRIBUTIONS 4
/*
 * Lists the distributions that are, or were, installed: a directory of theirs may be a leftover. 0
 * or -ENOMEM.
 */
int containerd_list_distributions(
	const struct root *root, struct arena *arena,
	struct containerd_distribution ret[static CONTAINERD_DISTRIBUTIONS], size_t *ret_count,
	struct error *err);
/* The host's own containerd, whatever distributions there are. -EINVAL: more than one runs. */
int containerd_find_plain(const struct root *root, struct arena *arena,
			  struct containerd_distribution *ret, struct error *err);
/*
 * Finds the distribution of a host's containerd: from a file that the user names or, if NULL, from
 * the installed files. Without a distribution, `file` is the one that the running daemon reads, or
 * that containerd.service names. -EINVAL: more than one.
 */
int containerd_find_distribution(const struct root *root, const char *file, struct arena *arena,
				 struct containerd_distribution *ret, struct error *err);
/* Chooses the place for k3s and RKE2, which depends on their generated files. 0 or -errno. */
int containerd_choose_place(struct containerd_distribution *distribution,
			    const struct engine_files *files, struct containerd_version version,
			    struct arena *arena, struct error *err);
/*
 * k3s and RKE2 add a runtime CONTAINERD_REGISTERED to their file if they find this program when
 * they start (k3s: pkg/agent/containerd/runtimes.go).
 */
#define CONTAINERD_REGISTERED "nvidia"
#define CONTAINERD_REGISTERED_PROGRAM "nvidia-container-runtime"
/*
 * Finds that program. *ret: its path, or NULL; *ret_own: it is `program` itself, through a link. 0
 * or -ENOMEM.
 */
int containerd_find_registered(const struct root *root, const char *program, struct arena *arena,
			       const char **ret, bool *ret_own);
/*
 * Appends davit's runtimes to a template (NULL: a new one), based on the file generated from it. If
 * the template includes the distribution's own runtimes (`.ExtraRuntimes`), each of davit's is
 * written under the condition that it isn't one of them: TOML forbids a second table of that name.
 * `registered`: what containerd_find_registered found, unless it is davit's own. -errno with
 * ERROR_BAD_CONFIG: the runtimes exist already, or a template can't set what is requested.
 */
int configure_containerd_template(const char *text, const char *path,
				  const struct engine_files *generated, const char *registered,
				  const struct configure *configure, struct arena *arena,
				  char **ret, struct error *err);
/* The text with these conditions around davit's runtimes of its block. NULL: no memory. (Pure.) */
char *containerd_set_conditions(const char *text, const struct configure *configure,
				struct arena *arena);
/*
 * The runtimes that `before` (NULL: no file) has and `after` doesn't. 0 or -errno, err filled.
 * (Pure, as the two following.)
 */
int containerd_removed_runtimes(const char *before, const char *after, const char *path,
				struct arena *arena, struct strings *ret, struct error *err);
/*
 * *ret: the one of these runtimes that the files that are left make the default, without having it;
 * *ret_path: the file, rather than `own`, which may repeat another one. NULL: none. containerd's
 * CRI plugin doesn't load then, in any version. 0 or -ENOMEM.
 */
int containerd_left_default(const struct engine_files *left, const char *own,
			    const struct strings *removed, struct containerd_version version,
			    struct arena *arena, const char **ret, const char **ret_path);
/* The same for a template, which isn't TOML, by its lines. */
const char *containerd_template_default(const char *text, const struct strings *removed,
					struct arena *arena);
/* Appends davit's runtimes to a whole file, and changes values in place. */
int configure_containerd_inline(const char *text, const char *path,
				const struct configure *configure, struct arena *arena, char **ret,
				struct error *err);
bool containerd_has_block(const char *text);
/* NULL: no memory. */
char *containerd_without_block(const char *text, struct arena *arena);
/*
 * The block from its first line to before its last one, without the conditions of a template; NULL:
 * none, or no memory.
 */
char *containerd_block(const char *text, struct arena *arena);
/* The text with another block of this form. NULL: no memory. */
char *containerd_set_block(const char *text, const char *made, struct arena *arena);
/* The text with `left` (NULL: nothing) in the place of the block. NULL: no memory. */
char *containerd_replace_block(const char *text, const char *left, struct arena *arena);
/* -EEXIST with ERROR_BAD_CONFIG: a line behind the block belongs to a table of the block. */
int containerd_check_block(const char *text, const char *path, struct error *err);
/*
 * Reverts the values that configure_containerd_inline changed outside of its block to those of
 * `original` (NULL: unknown), as far as they are still davit's. enable_cdi stays unless
 * configure->cdi is set, since others may have set it; *ret_cdi: it is on, but wasn't.
 */
int configure_containerd_inline_remove(const char *text, const char *original, const char *path,
				       const struct configure *configure, struct arena *arena,
				       char **ret, bool *ret_cdi, struct error *err);
