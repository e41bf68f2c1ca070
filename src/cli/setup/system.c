// SPDX-License-Identifier: Apache-2.0
/* `davit system prepare` and `create-device-nodes`; link_nodes.c makes the links. */
#include <stdio.h>

#include "cli.h"

static void print_done(const struct strings *done)
{
	for (size_t i = 0; i < done->count; i++)
		(void)puts(done->items[i]);
	if (done->count == 0)
		(void)puts("everything is in place");
}

static int json_done(const struct strings *done)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "done", cli_json_strings(done));
	return cli_print_json(object);
}

/* --root DIR: the nodes are in DIR/dev; --dev-root is for these alone. 0 or -ENOMEM. */
static int set_root(const struct arguments *arguments, struct arena *arena, struct config *config)
{
	const char *root = arguments_value(arguments, "root");
	const char *dev_root = arguments_value(arguments, "dev-root");

	if (!dev_root || !*dev_root)
		dev_root = root;
	if (!dev_root || string_equal(dev_root, "/"))
		return 0;
	dev_root = cli_absolute(dev_root, arena);
	config->driver.dev = dev_root ? arena_printf(arena, "%s/dev", dev_root) : NULL;
	return config->driver.dev ? 0 : -ENOMEM;
}

static int prepare(const struct arguments *arguments, unsigned what)
{
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	AUTO_ARENA arena = {0};
	struct driver driver;
	struct error err = {0};
	struct strings done = {0};
	struct config config;
	int failed, r = config_load(arguments->config, &arena, &config, &err);

	if (arguments_flag(arguments, "dry-run"))
		what |= PREPARE_PRETEND;
	if (r == 0 && set_root(arguments, &arena, &config) < 0)
		r = error_memory(&err);
	if (r == 0)
		r = driver_roots_open(&config, &roots, &err);
	if (r == 0 && driver_recognise(&roots, &config, &arena) != PLATFORM_NATIVE)
		r = strings_add(&arena, &done,
				"nothing: on WSL2 and Jetson the system creates the nodes") < 0
			    ? error_memory(&err)
			    : 0;
	else if (r == 0)
		r = driver_prepare(&roots, &config, what, &arena, &driver, &done, &err);
	driver_roots_close(&roots);
	/* Even after a failure, the completed steps are shown. */
	failed = arguments->json ? json_done(&done) : 0;
	if (!arguments->json && (r == 0 || done.count > 0))
		print_done(&done);
	if (fflush(stdout) != 0)
		failed = 1;
	return r < 0 ? cli_fail(&err) : failed;
}

static int run_prepare(const struct arguments *arguments)
{
	return prepare(arguments, PREPARE_MODULES | PREPARE_NODES);
}

int cli_create_nodes(const struct arguments *arguments)
{
	const char *root = arguments_value(arguments, "root");
	unsigned what = arguments_flag(arguments, "control-devices") ? PREPARE_CONTROL_NODES
								     : PREPARE_NODES;

	if (arguments_flag(arguments, "load-kernel-modules")) {
		if (root && !string_equal(root, "/"))
			return usage_error(arguments,
					   "--load-kernel-modules: davit runs no program of the "
					   "root %.100s; load the modules on that host first",
					   root);
		what |= PREPARE_MODULES;
	}
	return prepare(arguments, what);
}

static const struct command_option prepare_options[] = {
	{"dry-run", OPTION_FLAG, NULL, "only print what would be done"},
	{NULL, 0, NULL, NULL},
};

static const struct command command_prepare = {
	.name = "prepare",
	.summary = "load the driver's modules and create its device nodes, at boot",
	.help = "Loads the kernel modules nvidia, nvidia-uvm and nvidia-modeset. It creates the driver's\n"
		"missing device nodes and replaces those with a stale number, so that containers find all\n"
		"modules and nodes. It prints what it did. davit-prepare.service runs this command at\n"
		"boot.\n",
	.example = "davit system prepare",
	.options = prepare_options,
	.json = true,
	.run = run_prepare,
};

const struct command_option create_nodes_options[] = {
	{"control-devices", OPTION_FLAG, NULL,
	 "only nvidiactl, nvidia-modeset, nvidia-uvm and nvidia-uvm-tools"},
	{"load-kernel-modules", OPTION_FLAG, NULL, "load the driver's modules first"},
	{"dry-run", OPTION_FLAG, NULL, "only print what would be done"},
	{"root", OPTION_VALUE, "DIR", "create the nodes in DIR/dev"},
	{"dev-root", OPTION_VALUE, "DIR", "the same as --root"},
	{"driver-root", OPTION_VALUE, "DIR", NULL},
	{NULL, 0, NULL, NULL},
};
static const struct option_more create_more[] = {
	{"driver-root", "root", NULL, NULL},
	{NULL, NULL, NULL, NULL},
};

const struct command command_create_nodes = {
	.name = "create-device-nodes",
	.summary = "create the driver's device nodes",
	.help = "Creates the driver's missing device nodes, with the numbers, owner and mode that the\n"
		"driver requests. It replaces nodes with a stale number. It prints what it did.\n",
	.example = "davit system create-device-nodes --control-devices --dry-run",
	.options = create_nodes_options,
	.more = create_more,
	.json = true,
	.one_dash = true,
	.run = cli_create_nodes,
};

static const struct command *const commands[] = {&command_create_nodes, &command_create_links,
						 &command_prepare, NULL};

const struct command command_system = {
	.name = "system",
	.summary = "load the driver's modules and create its device nodes",
	.help = "Prepares the host for containers with GPUs.\n",
	.example = "davit system prepare",
	.commands = commands,
};
