// SPDX-License-Identifier: Apache-2.0
/* Stands in for davit-nvml: does what its argument says, as a good or bad child would. */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a child has: its status, environment and descriptors. */
static void show_status(void)
{
	FILE *file = fopen("/proc/self/status", "re");
	DIR *directory;
	const struct dirent *entry;
	char line[256];
	ssize_t length;

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "Cap", 3) == 0 || strncmp(line, "NoNewPrivs", 10) == 0 ||
		    strncmp(line, "SigBlk", 6) == 0 || strncmp(line, "SigIgn", 6) == 0)
			(void)fputs(line, stdout);
	if (file)
		(void)fclose(file);
	for (char **variable = environ; *variable; variable++)
		printf("env %s\n", *variable);
	directory = opendir("/proc/self/fd");
	while (directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.' && strtol(entry->d_name, NULL, 10) != dirfd(directory))
			printf("fd %s\n", entry->d_name);
	length = readlink("/proc/self/fd/0", line, sizeof(line) - 1);
	printf("stdin %.*s\n", (int)length, line);
	if (directory)
		(void)closedir(directory);
}

static void flood(int fd, size_t times)
{
	char block[4096];

	memset(block, 'x', sizeof(block));
	while (times-- > 0)
		if (write(fd, block, sizeof(block)) < 0)
			break;
}

int main(int argc, char **argv)
{
	const char *mode = argc == 2 ? argv[1] : "";

	if (strcmp(mode, "answer") == 0)
		(void)fputs("{\"ok\": 1}\n", stdout);
	else if (strcmp(mode, "status") == 0)
		show_status();
	else if (strcmp(mode, "fail") == 0)
		return fputs("nvml is out of order\nand more\n", stderr) < 0 ? 2 : 1;
	else if (strcmp(mode, "fail-silently") == 0)
		return 3;
	else if (strcmp(mode, "signal") == 0)
		(void)kill(getpid(), SIGTERM);
	else if (strcmp(mode, "hang") == 0)
		(void)pause();
	else if (strcmp(mode, "hang-closed") == 0)
		(void)(close(1) < 0 || close(2) < 0 || pause() < 0);
	else if (strcmp(mode, "flood") == 0)
		flood(1, (size_t)-1);
	else if (strcmp(mode, "flood-stderr") == 0)
		flood(2, 256);
	else if (strcmp(mode, "limit") == 0)
		flood(1, 64);
	return 0;
}
