// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "cli.h"

static int prepare(const struct options *options)
{
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct strings done = {0};
	struct config config;
	int r = config_load(options->config, &arena, &config, &err);

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

int cli_system(const struct options *options)
{
	if (options->word_count == 1 && strcmp(options->words[0], "prepare") == 0)
		return prepare(options);
	(void)fputs("davit: cannot understand the command line: what to do to the system isn't "
		    "named (fix: davit system prepare)\n",
		    stderr);
	return EXIT_USAGE;
}
