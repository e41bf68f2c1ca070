// SPDX-License-Identifier: Apache-2.0
#include "davit/try.h"

#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli.h"

static int fail(const struct error *err)
{
	(void)cli_fail(err);
	return TRY_EXIT_FAILED;
}

static int run(const struct arguments *arguments)
{
	struct arena *arena = arguments->arena;
	struct error err = {0};
	struct config config;
	const char *bundle = arguments_value(arguments, "bundle");
	struct try_options options = {
		.config = &config,
		.command = &arguments->words,
	};
	const char *gpus = arguments_value(arguments, "gpus");
	const char *capabilities = arguments_value(arguments, "capabilities");
	int status = 0;

	/*
	 * The command inherits only the standard streams, and no other open descriptor of the
	 * caller.
	 */
	(void)syscall(SYS_close_range, STDERR_FILENO + 1U, ~0U, 0U);
	if (!bundle)
		return usage_error(arguments, "--bundle DIR is missing");
	options.bundle = cli_absolute(bundle, arena);
	if (!options.bundle) {
		(void)error_memory(&err);
		return fail(&err);
	}
	log_to(STDERR_FILENO, LOG_LEVEL_WARNING);
	if (capabilities &&
	    try_request_parse_capabilities(capabilities, arena, &options.request, &err) < 0)
		return fail(&err);
	if (gpus && try_request_parse_gpus(gpus, arena, &options.request, &err) < 0)
		return fail(&err);
	if (config_load(arguments->config, arena, &config, &err) < 0 ||
	    try_run(&options, arena, &status, &err) < 0)
		return fail(&err);
	return status;
}

static const struct command_option options[] = {
	{"bundle", OPTION_VALUE, "DIR", "the OCI bundle, or a directory that contains only rootfs"},
	{"gpus", OPTION_VALUE, "GPUS",
	 "as docker's: 2, all, device=0,1, or none, instead of config.json's request"},
	{"capabilities", OPTION_VALUE, "LIST",
	 "the driver capabilities, instead of NVIDIA_DRIVER_CAPABILITIES"},
	{NULL, 0, NULL, NULL},
};

const struct command command_try = {
	.name = "try",
	.summary = "run a command in a bundle with its GPUs, without a runtime",
	.help = "Applies the hook's plan to the bundle's root and runs COMMAND there. Without COMMAND, it\n"
		"runs process.args of config.json. It uses the user, groups, environment, directory,\n"
		"capabilities and no-new-privileges setting of config.json. The root's files don't\n"
		"change: writes go into memory and are discarded at the end, as are mounts, cgroup and\n"
		"processes. If the bundle has no config.json, davit uses one like that of `runc spec`.\n"
		"\n"
		"This command is for finding problems, not for running containers. The network and the\n"
		"other namespaces are the host's, and there is no seccomp filter. The volumes of\n"
		"config.json are not mounted.\n"
		"\n"
		"The exit codes are those of docker run: the command's own, 128 + its signal, 127 if it\n"
		"isn't found, 126 if it can't be run, and 125 if davit failed.\n",
	.example = "davit try --bundle . --gpus all -- nvidia-smi -L",
	.options = options,
	.words = "[-- COMMAND [ARGUMENT...]]",
	.words_max = WORDS_ANY,
	.run = run,
};
