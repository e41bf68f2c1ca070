// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "cli.h"

static int prepare(const struct arguments *arguments)
{
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct strings done = {0};
	struct config config;
	int r = config_load(arguments->config, &arena, &config, &err);

	if (r == 0)
		r = driver_roots_open(&config, &roots, &err);
	if (r == 0)
		r = driver_prepare(&roots, &config, &arena, &done, &err);
	driver_roots_close(&roots);
	/* What was done before it failed was done nevertheless. */
	for (size_t i = 0; i < done.count; i++)
		(void)puts(done.items[i]);
	if (r == 0 && done.count == 0)
		(void)puts("everything is in place");
	if (fflush(stdout) != 0 && r == 0)
		return 1;
	return r < 0 ? cli_fail(&err) : 0;
}

static const struct command command_prepare = {
	.name = "prepare",
	.summary = "load the driver's modules and make its nodes, at boot",
	.help = "Loads the kernel modules nvidia, nvidia-uvm and nvidia-modeset, makes the driver's device\n"
		"nodes that are missing and replaces those with a stale number, so that containers find all\n"
		"in place. Prints what it did. davit-prepare.service runs it at boot.\n",
	.example = "davit system prepare",
	.run = prepare,
};

static const struct command_option options[] = {
	{"control-devices",     OPTION_FLAG,  NULL,  NULL},
	{"load-kernel-modules", OPTION_FLAG,  NULL,  NULL},
	{"driver-root",         OPTION_VALUE, "DIR", NULL},
	{"dev-root",            OPTION_VALUE, "DIR", NULL},
	{NULL,		  0,            NULL,  NULL},
};

const struct command command_create_nodes = {
	.name = "create-device-nodes",
	.summary = "make the driver's nodes",
	.help = "The same as `davit system prepare`.\n",
	.example = "davit system create-device-nodes",
	.options = options,
	.one_dash = true,
	.run = prepare,
};

static const struct command *const commands[] = {&command_prepare, &command_create_links,
						 &command_create_nodes, NULL};

const struct command command_system = {
	.name = "system",
	.summary = "the driver's modules and nodes on this host",
	.help = "Makes what containers need of the host.\n",
	.example = "davit system prepare",
	.commands = commands,
};
