// SPDX-License-Identifier: Apache-2.0
/* davit: the command line for people. */
#include <stdio.h>
#include <string.h>

#include "cdi_hook.h"
#include "cli.h"
#include "command/commands.h"
#include "setup/ctk/amd_ctk.h"

#define LIST_COMMAND(name) &command_##name,
static const struct command *const commands[] = {COMMANDS(LIST_COMMAND) NULL};

static const struct command_option options[] = {
	{"version", OPTION_FLAG, NULL, "print davit's version"},
	{NULL, 0, NULL, NULL},
};

static const struct command davit = {
	.name = "davit",
	.help = "Configures engines to use davit, shows the GPUs of this host, and explains what a\n"
		"container would get and why. davit-hook and davit-runtime put the GPUs into containers.\n",
	.example = "davit configure docker --dry-run",
	.options = options,
	.commands = commands,
	.run = cli_version,
};

/* "nvidia-ctk hook create-symlinks ...", "nvidia-ctk --quiet hook ...": of CDI specs. */
static bool is_hook(int argc, char **argv)
{
	int at = 1;

	while (at < argc && argv[at][0] == '-')
		at++;
	if (at >= argc || strcmp(argv[at], "hook") != 0)
		return false;
	/* --help is the table's. */
	return at + 2 != argc || strcmp(argv[at + 1], "--help") != 0;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;

	if (argc > 0 && strcmp(slash ? slash + 1 : argv[0], "nvidia-ctk") == 0)
		return is_hook(argc, argv)
			       ? cdi_hook_main(argc, argv)
			       : command_run(&command_ctk, "nvidia-ctk", argc - 1, argv + 1);
	if (argc > 0 && strcmp(slash ? slash + 1 : argv[0], "amd-ctk") == 0)
		return command_run(&command_amd_ctk, "amd-ctk", argc - 1, argv + 1);
	if (strcmp(name, "ctk") == 0 && is_hook(argc - 1, argv + 1))
		return cdi_hook_main(argc - 1, argv + 1);
	if (strcmp(name, "--complete") == 0)
		return command_complete(&davit, argc - 2, argv + 2);
	if (strcmp(name, "help") == 0)
		return command_help(&davit, davit.name);
	return command_run(&davit, davit.name, argc > 0 ? argc - 1 : 0, argv + 1);
}
