// SPDX-License-Identifier: Apache-2.0
/* nvidia-ctk cdi: generate, list, transform root. */
#include <string.h>

#include "ctk.h"
#include "setup/cdi.h"

/* ---- generate --------------------------------------------------------------------------- */

static int run_generate(const struct arguments *arguments)
{
	AUTO_ARENA arena = {0};
	struct generate generate = {.yaml = true};
	struct error err = {0};
	struct config config;
	int r;

	if (generate_parse(arguments, &generate) != 0)
		return EXIT_USAGE;
	r = ctk_load_config(&arena, &config, &err);
	if (r == 0)
		r = generate_set_roots(&generate, &arena, &config, &err);
	if (r == 0)
		r = generate_run(&generate, &config, &arena, &err);
	return r < 0 ? cli_fail(&err) : 0;
}

#define VARIABLE(name) "NVIDIA_CTK_CDI_GENERATE_" name

static const struct command_option generate_options[] = {
	GENERATE_OPTIONS{"hook-path", OPTION_VALUE, "FILE",
			 "the program that the hooks run (davit-hook)"},
	{"discovery-mode", OPTION_VALUE, "MODE", NULL},
	{"nvidia-cdi-hook-path", OPTION_VALUE, "FILE", NULL},
	{"nvidia-ctk-path", OPTION_VALUE, "FILE", NULL},
	{"cdi-vendor", OPTION_VALUE, "NAME", NULL},
	{"cdi-class", OPTION_VALUE, "NAME", NULL},
	{"disable-hooks", OPTION_REPEATED, "NAMES", NULL},
	{"enable-hooks", OPTION_REPEATED, "NAMES", NULL},
	{"feature-flags", OPTION_REPEATED, "NAMES", NULL},
	{"device-ids", OPTION_REPEATED, "IDS", NULL},
	{"device", OPTION_REPEATED, "IDS", NULL},
	{"devices", OPTION_REPEATED, "IDS", NULL},
	{"config-search-path", OPTION_REPEATED, "DIRS", NULL},
	{"csv.file", OPTION_REPEATED, "FILES", "Jetson: read only these lists"},
	{"csv.ignore-pattern", OPTION_REPEATED, "NAMES",
	 "Jetson: links to omit (driver.csv-ignore)"},
	{"csv.compat-container-root", OPTION_VALUE, "DIR",
	 "Jetson Orin: the image's newer CUDA (driver.csv-compat)"},
	{NULL, 0, NULL, NULL},
};
static const struct option_more generate_more[] = {
	{"output", NULL, "NVIDIA_CTK_CDI_OUTPUT_FILE_PATH", NULL},
	{"format", NULL, VARIABLE("OUTPUT_FORMAT"), NULL},
	{"mode", NULL, VARIABLE("MODE"), NULL},
	{"discovery-mode", "mode", NULL, NULL},
	{"device-id", NULL, VARIABLE("DEVICE_IDS"), NULL},
	{"device-ids", "device-id", NULL, NULL},
	{"device", "device-id", NULL, NULL},
	{"devices", "device-id", NULL, NULL},
	{"device-name-strategy", NULL, VARIABLE("DEVICE_NAME_STRATEGIES"), NULL},
	{"no-all-device", NULL, VARIABLE("NO_ALL_DEVICE"), NULL},
	{"vendor", NULL, VARIABLE("VENDOR"), NULL},
	{"cdi-vendor", "vendor", NULL, NULL},
	{"class", NULL, VARIABLE("CLASS"), NULL},
	{"cdi-class", "class", NULL, NULL},
	{"driver-root", NULL, "NVIDIA_CTK_DRIVER_ROOT", NULL},
	{"dev-root", NULL, "NVIDIA_CTK_DEV_ROOT", NULL},
	{"library-search-path", NULL, VARIABLE("LIBRARY_SEARCH_PATHS"), NULL},
	{"ldconfig-path", NULL, VARIABLE("LDCONFIG_PATH"), NULL},
	{"disable-hook", NULL, VARIABLE("DISABLED_HOOKS"), NULL},
	{"disable-hooks", "disable-hook", NULL, NULL},
	{"enable-hook", NULL, VARIABLE("ENABLED_HOOKS"), NULL},
	{"enable-hooks", "enable-hook", NULL, NULL},
	{"feature-flag", NULL, VARIABLE("FEATURE_FLAGS"), NULL},
	{"feature-flags", "feature-flag", NULL, NULL},
	{"hook-path", NULL, "NVIDIA_CTK_CDI_HOOK_PATH", NULL},
	{"nvidia-cdi-hook-path", "hook-path", NULL, NULL},
	{"nvidia-ctk-path", "hook-path", NULL, NULL},
	{"config-search-path", NULL, VARIABLE("CONFIG_SEARCH_PATHS"),
	 "put the files into a distribution's directories below driver.root: see docs/drivers.md"},
	{"csv.file", NULL, VARIABLE("CSV_FILES"), NULL},
	{"csv.ignore-pattern", NULL, VARIABLE("CSV_IGNORE_PATTERNS"), NULL},
	{"csv.compat-container-root", NULL, VARIABLE("CSV_CONTAINER_COMPAT_ROOT"), NULL},
	{NULL, NULL, NULL, NULL},
};

static const struct command ctk_generate = {
	.name = "generate",
	.summary = "generate a spec of this host's GPUs and MIG instances, or of other devices",
	.help = "Works like `davit cdi generate`, but the default format is YAML. It also accepts\n"
		"nvidia-ctk's option names, such as --discovery-mode, --nvidia-cdi-hook-path and\n"
		"--devices. It reads nvidia-ctk's variables, such as NVIDIA_CTK_CDI_OUTPUT_FILE_PATH and\n"
		"NVIDIA_CTK_CDI_GENERATE_MODE.\n",
	.example = "davit ctk cdi generate --output=/var/run/cdi/nvidia.yaml",
	.options = generate_options,
	.more = generate_more,
	.one_dash = true,
	.run = run_generate,
};

/* ---- list, transform -------------------------------------------------------------------- */

static const struct command_option list_options[] = {
	{"spec-dir", OPTION_REPEATED, "DIRS", "read these directories (/etc/cdi and /var/run/cdi)"},
	{NULL, 0, NULL, NULL},
};
static const struct option_more list_more[] = {
	{"spec-dir", NULL, "NVIDIA_CTK_CDI_SPEC_DIRS", NULL},
	{NULL, NULL, NULL, NULL},
};
static const struct command ctk_list = {
	.name = "list",
	.summary = "list the devices of the specs, one name per line",
	.help = "If two specs of one directory define a device, engines reject both, so it isn't printed.\n"
		"Problems of the specs are printed on standard error.\n",
	.example = "davit ctk cdi list",
	.options = list_options,
	.more = list_more,
	.one_dash = true,
	.run = cdi_list_names,
};

static const struct command *const transform_commands[] = {&command_transform_root, NULL};
static const struct command ctk_transform = {
	.name = "transform",
	.summary = "change a spec",
	.example =
		"davit ctk cdi transform root --from=/run/nvidia/driver --to=/ --input=nvidia.yaml",
	.commands = transform_commands,
	.one_dash = true,
	.help_without = true,
};

static const struct command *const cdi_commands[] = {&ctk_generate, &ctk_list, &ctk_transform,
						     NULL};
const struct command ctk_cdi = {
	.name = "cdi",
	.summary = "generate, list and transform CDI specs",
	.example = "davit ctk cdi list",
	.commands = cdi_commands,
	.one_dash = true,
	.help_without = true,
};
