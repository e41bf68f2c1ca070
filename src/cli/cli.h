// SPDX-License-Identifier: Apache-2.0
/* What davit's commands share; each one is a file of its name. */
#pragma once

#include <json-c/json.h>

#include "command/command.h"
#include "davit/pipeline.h"

/* `davit system`, and by the same names of `davit ctk system`. */
extern const struct command command_create_links, command_create_nodes, command_info;
extern const struct command_option create_links_options[], create_nodes_options[];
int cli_create_links(const struct arguments *arguments);
int cli_create_nodes(const struct arguments *arguments);

/* The text of config/config.json, which is also installed. */
extern const char cli_config_default[];

/* A group's `run`: prints the version with --version; else no command is named. */
int cli_version(const struct arguments *arguments);
/* "davit: FORMAT" on standard error, unless quiet: what isn't an error, but good to know. */
void cli_note(const char *format, ...) PRINTF_LIKE(1, 2);
/* From here on neither notes nor lines about what was done. */
void cli_be_quiet(void);
bool cli_is_quiet(void);
/* Prints the error's line to stderr and returns its exit code. */
int cli_fail(const struct error *err);
/* Prints the object and releases it. 0, or 1 when standard output fails. */
int cli_print_json(struct json_object *object);

/* The path of a source as the host sees it. */
const char *cli_host_path(const struct driver_roots *roots, enum driver_tree tree, const char *path,
			  struct arena *arena);
/* The path from the working directory; NULL without memory. */
const char *cli_absolute(const char *path, struct arena *arena);
/* "compute", "utility", ... of a mask, in alphabetical order. */
struct json_object *cli_json_capabilities(unsigned capabilities);
struct json_object *cli_json_strings(const struct strings *strings);
struct json_object *cli_json_gpus(const struct gpus *gpus);
/* Another vendor's GPUs, and what they are called by. */
struct json_object *cli_json_accelerators(const struct accelerators *all);
/* Every GPU of another vendor, with models; their nodes aren't looked for. */
int cli_choose_all(const struct vendor *vendor, const struct driver_roots *roots,
		   struct arena *arena, struct choice *ret, struct error *err);
/* "/dev/dri/card1, /dev/dri/renderD128"; NULL without memory. */
const char *cli_accelerator_nodes(const struct accelerator *one, struct arena *arena);
struct json_object *cli_json_driver(const struct driver *driver);
/*
 * For commands that only show the driver: asks NVML for what it alone knows, where something is
 * missing. If NVML doesn't answer, that is a note of the driver's, which is returned as well. NULL:
 * nothing to say.
 */
const char *cli_ask_nvml(const struct driver_roots *roots, const struct config *config,
			 struct arena *arena, struct driver *driver);
/* {"code", "message", "fix"}, or null for no error. */
struct json_object *cli_json_error(const struct error *err);
