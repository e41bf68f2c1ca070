// SPDX-License-Identifier: Apache-2.0
/* davit-container-cli, also called nvidia-container-cli. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "container_cli.h"

#define EXIT_USAGE 2
/*
 * Callers compare this with versions of the program whose name we bear: one that has all flags, and
 * that nobody makes an exception for.
 */
#define CLI_VERSION "1.18.0"

static const char usage[] =
	"usage: davit-container-cli [-k] [-d FILE] [-r DIR] COMMAND [OPTION...]\n"
	"       davit-container-cli --version\n"
	"\n"
	"  configure [OPTION...] ROOTFS  add GPUs to a container's root, in the mount namespace of\n"
	"                                --pid PID or, without it, in the caller's\n"
	"  list [OPTION...]              list the host's files and nodes that containers get\n"
	"  info [--csv]                  show the driver and the GPUs of this host\n"
	"\n"
	"configure: --pid PID --device LIST --require EXPRESSION --compute --utility --video\n"
	"           --graphics --display --ngx --compat32 --mig-config all --mig-monitor all\n"
	"           --imex-channel LIST --no-cgroups --no-devbind --no-persistenced\n"
	"           --no-fabricmanager --no-gsp-firmware --cuda-compat-mode MODE --no-cntlibs\n"
	"           --ldconfig PATH (true: don't update the image's loader cache)\n"
	"list:      --device LIST --libraries --binaries --ipcs --firmwares --compat32\n"
	"           --mig-config all --mig-monitor all --imex-channel LIST --no-persistenced\n"
	"           --no-fabricmanager --no-gsp-firmware --all (also ICDs, X modules and /dev/dri)\n"
	"\n"
	"example: davit-container-cli --user configure --device=all --compute --utility ROOTFS\n";

static const char short_usage[] =
	"Usage: nvidia-container-cli [-knV?] [-d FILE] [-l FILE] [-r PATH] [-u[UID[:GID]]]\n"
	"            [--debug=FILE] [--load-kmods] [--no-pivot] [--user[=UID[:GID]]] [--root=PATH]\n"
	"            [--ldcache=FILE] [--no-create-imex-channels] [--help] [--usage] [--version]\n"
	"            info|list|configure [ARG...]\n";

static const struct {
	const char *name;
	int (*run)(const struct arguments *arguments, struct arena *arena, struct error *err);
} commands[] = {
	{"configure", command_configure},
	{"info", command_info},
	{"list", command_list},
};

static int run(const struct arguments *arguments, struct arena *arena)
{
	struct error err = {0};
	char line[ERROR_LINE_MAX];
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, arguments->command) == 0)
			r = commands[i].run(arguments, arena, &err);
	if (r == 0)
		return fflush(stdout) != 0;
	error_line(&err, line);
	log_error(&err);
	(void)fprintf(stderr, "%s\n", line);
	return error_exit_code(&err);
}

int main(int argc, char **argv)
{
	static struct arena arena; /* never freed: the process ends here */
	struct arguments arguments = {0};

	if (arguments_parse(argc, argv, &arena, &arguments) < 0)
		return EXIT_USAGE;
	if (arguments.version)
		return puts("cli-version: " CLI_VERSION "\nlib-version: " CLI_VERSION
			    "\ndavit-version: " DAVIT_VERSION) < 0;
	if (arguments.usage)
		return fputs(short_usage, stdout) < 0;
	if (arguments.help)
		return fputs(usage, stdout) < 0;
	return run(&arguments, &arena);
}
