// SPDX-License-Identifier: Apache-2.0
#include <limits.h>
#include <unistd.h>

#include "cli.h"

const char *cli_absolute(const char *path, struct arena *arena)
{
	char cwd[PATH_MAX];

	if (path[0] == '/' || !getcwd(cwd, sizeof(cwd)))
		return path;
	return arena_printf(arena, "%s/%s", cwd, path);
}
