// SPDX-License-Identifier: Apache-2.0
/* davit's commands: each one is a file of its name. */
#pragma once

#include <json-c/json.h>

#include "davit/pipeline.h"

#define EXIT_USAGE 2

/* What the command line says; every command takes --config, --json and --help. */
struct options {
	const char *config; /* --config FILE */
	const char *bundle; /* --bundle DIR */
	const char *have;   /* --have FACTS */
	/* of `davit cdi`: --output FILE, --format, --device-name-strategy, --vendor, --class */
	const char *output, *format, *strategy, *vendor, *class;
	const char *spec_dirs[8]; /* --spec-dir DIR, which may stand several times */
	size_t spec_dir_count;
	bool json, help;
	const char **words; /* what is no option */
	int word_count;
};

/* Commands return the exit code. */
int cli_cdi(const struct options *options);
int cli_explain(const struct options *options);
int cli_info(const struct options *options);
int cli_list(const struct options *options);
int cli_require(const struct options *options);
int cli_system(const struct options *options);
/* Those with options of their own; what follows the command's name. */
int cli_configure(int argc, char **argv);
int cli_ctk(int argc, char **argv);
/* Runs a command: its name and what follows. */
int cli_dispatch(int argc, char **argv);

/* Links /dev/char/MAJOR:MINOR to the driver's nodes; with `pretend` it only says so. */
int cli_link_nodes(const char *config_path, const char *directory, bool pretend);

/* Prints the error's line to stderr and returns its exit code. */
int cli_fail(const struct error *err);
/* Prints the object and releases it. 0, or 1 when standard output fails. */
int cli_print_json(struct json_object *object);

/* The path of a source as the host sees it. */
const char *cli_host_path(const struct driver_roots *roots, enum driver_tree tree, const char *path,
			  struct arena *arena);
/* "compute", "utility", ... of a mask, in alphabetical order. */
struct json_object *cli_json_capabilities(unsigned capabilities);
struct json_object *cli_json_strings(const struct strings *strings);
struct json_object *cli_json_gpus(const struct gpus *gpus);
struct json_object *cli_json_driver(const struct driver *driver);
/* {"code", "message", "fix"}, or null for no error. */
struct json_object *cli_json_error(const struct error *err);
