// SPDX-License-Identifier: Apache-2.0
/*
 * peak FILE COMMAND...: runs the command and adds the most memory it had resident, in KiB, as a
 * line to the file. Small and static, since a child starts with what its parent has resident.
 */
#define _GNU_SOURCE
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct rusage usage;
	FILE *file;
	pid_t pid;
	int status;

	if (argc < 3 || posix_spawn(&pid, argv[2], NULL, NULL, argv + 2, environ) != 0 ||
	    wait4(pid, &status, 0, &usage) != pid)
		return 125;
	file = fopen(argv[1], "a");
	if (!file || fprintf(file, "%ld\n", usage.ru_maxrss) < 0 || fclose(file) != 0)
		return 125;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 125;
}
