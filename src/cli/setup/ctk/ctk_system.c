// SPDX-License-Identifier: Apache-2.0
/* nvidia-ctk system: as davit's, with nvidia-ctk's variables. */
#include "ctk.h"

static const struct option_more nodes_more[] = {
	{"root", NULL, "ROOT,NVIDIA_DRIVER_ROOT,DRIVER_ROOT", NULL},
	{"driver-root", "root", NULL, NULL},
	{"dev-root", NULL, "NVIDIA_DEV_ROOT,DEV_ROOT", NULL},
	{"dry-run", NULL, "DRY_RUN", NULL},
	{NULL, NULL, NULL, NULL},
};
static const struct command create_nodes = {
	.name = "create-device-nodes",
	.summary = "create the driver's device nodes",
	.help = "Works like `davit system create-device-nodes`. Without --control-devices it creates all\n"
		"nodes.\n",
	.example = "davit ctk system create-device-nodes --control-devices",
	.options = create_nodes_options,
	.more = nodes_more,
	.json = true,
	.one_dash = true,
	.run = cli_create_nodes,
};

static const struct option_more links_more[] = {
	{"dev-char-path", NULL, "DEV_CHAR_PATH", NULL},
	{"driver-root", NULL, "NVIDIA_DRIVER_ROOT,DRIVER_ROOT", NULL},
	{"create-all", NULL, "CREATE_ALL", NULL},
	{"load-kernel-modules", NULL, "LOAD_KERNEL_MODULES", NULL},
	{"create-device-nodes", NULL, "CREATE_DEVICE_NODES", NULL},
	{"dry-run", NULL, "DRY_RUN", NULL},
	{NULL, NULL, NULL, NULL},
};
static const struct command create_links = {
	.name = "create-dev-char-symlinks",
	.summary = "link /dev/char/MAJOR:MINOR to the driver's nodes",
	.help = "Works like `davit system create-dev-char-symlinks`.\n",
	.example = "davit ctk system create-dev-char-symlinks --create-all",
	.options = create_links_options,
	.more = links_more,
	.json = true,
	.one_dash = true,
	.run = cli_create_links,
};

static const struct command *const commands[] = {&create_links, &create_nodes, NULL};
const struct command ctk_system = {
	.name = "system",
	.summary = "create the driver's device nodes and their links",
	.example = "davit ctk system create-device-nodes",
	.commands = commands,
	.one_dash = true,
	.help_without = true,
};
