// SPDX-License-Identifier: Apache-2.0
/* Declarations for `davit cdi`. */
#pragma once

#include "cli.h"
#include "davit/cdi.h"
#include "davit/json.h"

extern const struct command command_cdi_generate, command_cdi_list, command_cdi_transform,
	command_transform_root;

/* ---- generate ---------------------------------------------------------------------------- */

/* The options that `davit cdi generate` and `nvidia-ctk cdi generate` share. */
/* clang-format off */
#define GENERATE_OPTIONS \
	{"output",               OPTION_VALUE,    "FILE",    "replace FILE atomically; in DIR/, each vendor's file"}, \
	{"format",               OPTION_VALUE,    "json|yaml", "the format (from FILE's extension)"}, \
	{"mode",                 OPTION_VALUE,    "MODE",    "which devices to describe (auto: GPUs)"}, \
	{"device-id",            OPTION_REPEATED, "IDS",     "only these devices: indices, UUIDs, or none"}, \
	{"device-name-strategy", OPTION_REPEATED, "NAMES",   "device names: index, type-index, uuid (index,uuid)"}, \
	{"no-all-device",        OPTION_FLAG,     NULL,      "omit the device \"all\""}, \
	{"vendor",               OPTION_VALUE,    "NAME",    "the kind's vendor (nvidia.com); amd, intel: their GPUs"}, \
	{"class",                OPTION_VALUE,    "NAME",    "the kind's class (gpu)"}, \
	{"driver-root",          OPTION_VALUE,    "DIR",     "the root of the driver's files (driver.root)"}, \
	{"dev-root",             OPTION_VALUE,    "DIR",     "the root whose /dev contains the nodes"}, \
	{"library-search-path",  OPTION_REPEATED, "DIRS",    "more library directories (driver.search)"}, \
	{"ldconfig-path",        OPTION_VALUE,    "FILE",    "for other programs' hooks; davit runs no ldconfig"}, \
	{"disable-hook",         OPTION_REPEATED, "NAMES",   "omit these hooks, or all"}, \
	{"enable-hook",          OPTION_REPEATED, "NAMES",   "include these hooks anyway (also possible: chmod)"}, \
	{"feature-flag",         OPTION_REPEATED, "NAMES",   "no-additional-gids-for-device-nodes, disable-ipc-discoverer"},
/* clang-format on */

/* The parsed command line. */
struct generate {
	struct cdi_options cdi;
	const char *output; /* NULL: standard output */
	bool report;        /* print a line about the file that was written, with its devices */
	bool yaml; /* set by the caller: the format if neither the option nor the file's name
		      decides */
	const char *driver_root, *dev_root; /* or NULL */
	const struct strings *search;
	const struct strings *csv_files, *csv_ignore; /* or NULL */
	const char *csv_compat;                       /* or NULL */
};
/* 0, or the exit code of a usage error that was printed. */
int generate_parse(const struct arguments *arguments, struct generate *ret);
/*
 * davit's own: one hook does everything, unless the command line names single hooks or another
 * program for them. 0, or the exit code of a usage error that was printed.
 */
int generate_parse_form(const struct arguments *arguments, struct generate *ret);
/* Applies the options that change the configuration. 0 or -errno. */
int generate_set_roots(const struct generate *generate, struct arena *arena, struct config *config,
		       struct error *err);
/* Makes and writes the spec. 0 or -errno. */
int generate_run(struct generate *generate, const struct config *config, struct arena *arena,
		 struct error *err);
/* Writes a spec to a file, or (NULL) to standard output. 0 or -errno. */
int cdi_write(const char *output, struct json_object *spec, bool yaml, struct arena *arena,
	      struct error *err);

/* ---- other vendors ------------------------------------------------------------------------ */

/* The spec of another vendor's GPUs; the result is to be put. 0 or -errno. */
int cdi_make_vendor(const struct config *config, const struct vendor *vendor,
		    const struct cdi_options *options, struct arena *arena,
		    struct json_object **ret, struct strings *ret_left_out, struct error *err);

/* ---- list, transform --------------------------------------------------------------------- */

/* Prints only names, one per line. Problems don't change the exit code. */
int cdi_list_names(const struct arguments *arguments);
