// SPDX-License-Identifier: Apache-2.0
/* What the parts that know containerd's format share. */
#pragma once

#include "davit/configure_containerd.h"

#include "toml.h"

/* The CRI plugin's runtime part, by the format of the file. */
#define CONTAINERD_PLUGIN_1 "cri"
#define CONTAINERD_PLUGIN_2 "io.containerd.grpc.v1.cri"
#define CONTAINERD_PLUGIN_3 "io.containerd.cri.v1.runtime"

/* The format in which a drop-in of these files is read. */
unsigned containerd_drop_in_format(const struct engine_files *files,
				   struct containerd_version version);
/* That one's name. */
const char *containerd_plugin(unsigned format);
/* Its section in merged files or in a dump, or NULL. */
const struct toml_node *containerd_section(const struct toml_node *settings);

/* Whether a file has settings of the CRI plugin, in whatever format. */
bool containerd_names_plugin(const struct toml_node *top);
/*
 * Whether settings (NULL: none), of whatever format, set what a node of containerd's dump says: at
 * its place, or at the one that an older format has for it.
 */
bool containerd_sets(const struct toml_node *settings, const struct toml_node *node);

/* A path without "//", "/./" and "/../", as text; `path` is absolute. NULL without memory. */
const char *containerd_clean(const char *path, struct arena *arena);
/*
 * The file that a containerd's arguments name (NULL: none), behind the program's name. False: with
 * these, it isn't the daemon.
 */
bool containerd_read_arguments(const struct strings *arguments, const char **ret_file);
/*
 * The file that the host's running daemon reads or, if none is running, its service names; NULL:
 * neither names one. *ret_by says which of them. 0, -ENOMEM, or -EINVAL with ERROR_BAD_CONFIG:
 * several daemons read different files.
 */
int containerd_find_file(const struct root *root, struct arena *arena, const char **ret,
			 const char **ret_by, struct error *err);
/* The program of the host's running daemon (or the caller's own) that reads distribution->file. */
bool containerd_open_running(const struct root *root,
			     const struct containerd_distribution *distribution,
			     struct arena *arena, struct containerd_program *ret);

/* The runtimes that davit makes of one name: it, NAME-cdi and NAME-legacy. */
#define CONTAINERD_HANDLERS 3
/* NULL without memory. */
const char *containerd_handler(const char *name, size_t number, struct arena *arena);
/* Sets what davit has to say in the plugin's section. 0 or -ENOMEM. */
int containerd_set_ours(struct toml_node *section, const struct toml_node *base,
			const struct configure *configure, struct arena *arena);
/* The runtime whose settings a new one takes, or NULL. */
const struct toml_node *containerd_base(const struct toml_node *settings,
					const struct configure *configure);
/*
 * The table default_runtime of merged files or of a dump, if it is set: before 2.0 it is the
 * default runtime, whatever default_runtime_name says, under this name.
 */
#define CONTAINERD_DEPRECATED_NAME "default"
const struct toml_node *containerd_deprecated_default(const struct toml_node *settings);
/* A runtime's table; name NULL: the default one's. NULL: it doesn't exist. */
const struct toml_node *containerd_runtime(const struct toml_node *settings, const char *name);

/* The condition around a runtime of a template, in a comment: the block is TOML with and without
 * it.
 */
#define CONTAINERD_CONDITION_BEGIN "# {{ if not (index $.ExtraRuntimes "
#define CONTAINERD_CONDITION_END "# {{ end }}"
/* The next line with its end; false: there is none. */
bool containerd_next_line(const char **at, struct slice *ret);
/* The text with davit's block of these lines, in the place of an earlier one or at the end. NULL:
 * no memory. */
char *containerd_put_block(const char *text, const char *lines, struct arena *arena);
/*
 * The runtimes alone, as lines; those that `but` has are left out, unless it has them from davit's
 * earlier block. 0 or -ENOMEM.
 */
int containerd_write_runtimes(struct text *text, const struct toml_node *settings, unsigned format,
			      const struct toml_node *but, const char *block,
			      const struct configure *configure, struct arena *arena);
/* -EINVAL with ERROR_BAD_CONFIG: CDI can't be enabled, since cdi_spec_dirs is an empty list. */
int containerd_refuse_spec_dirs(const char *path, struct error *err);

/* Compares two paths (const char **) in the order in which CRI-O reads files. */
int crio_compare_paths(const void *a, const void *b);
