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
		.request = {.capabilities = arguments_value(arguments, "capabilities")},
		.command = &arguments->words,
	};
	const char *gpus = arguments_value(arguments, "gpus");
	int status = 0;

	/* The command gets the standard streams, and nothing else that somebody left open. */
	(void)syscall(SYS_close_range, STDERR_FILENO + 1U, ~0U, 0U);
	if (!bundle)
		return usage_error(arguments, "--bundle DIR is missing");
	options.bundle = cli_absolute(bundle, arena);
	if (!options.bundle) {
		(void)error_memory(&err);
		return fail(&err);
	}
	log_to(STDERR_FILENO, LOG_LEVEL_WARNING);
	if (gpus && try_request_parse_gpus(gpus, arena, &options.request, &err) < 0)
		return fail(&err);
	if (config_load(arguments->config, arena, &config, &err) < 0 ||
	    try_run(&options, arena, &status, &err) < 0)
		return fail(&err);
	return status;
}

static const struct command_option options[] = {
	{"bundle", OPTION_VALUE, "DIR", "the OCI bundle, or a directory with only rootfs in it"},
	{"gpus", OPTION_VALUE, "GPUS",
	 "as docker's: 2, all, device=0,1, or none: instead of config.json's request"},
	{"capabilities", OPTION_VALUE, "LIST", "instead of its NVIDIA_DRIVER_CAPABILITIES"},
	{NULL, 0, NULL, NULL},
};

const struct command command_try = {
	.name = "try",
	.summary = "run a command in a bundle with its GPUs, without a runtime",
	.help = "Does to the bundle's root what the hook would do to the container, and runs COMMAND there\n"
		"(without one: process.args of config.json) as its process says: user, groups, environment,\n"
		"directory, capabilities, no new privileges. The root's files stay as they are: what is\n"
		"written goes into memory and vanishes, as do mounts, cgroup and processes. A bundle\n"
		"without config.json is tried as `runc spec` would have it.\n"
		"\n"
		"For finding out what is wrong, not for running containers: the network and the other\n"
		"namespaces are the host's, and there is no seccomp. Volumes of config.json are left out.\n"
		"\n"
		"Exit codes are docker run's: the command's own, 128 + its signal, 127: not found, 126: can't\n"
		"be run, 125: davit failed.\n",
	.example = "davit try --bundle . --gpus all -- nvidia-smi -L",
	.options = options,
	.words = "[-- COMMAND [ARGUMENT...]]",
	.words_max = WORDS_ANY,
	.run = run,
};
