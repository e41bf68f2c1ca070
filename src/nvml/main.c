// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <unistd.h>

#include "nvml.h"

#define EXIT_USAGE 2

static const char usage[] =
	"usage: davit-nvml LIBRARY\n"
	"\n"
	"Asks NVML about the GPUs of this host and prints the answer as JSON. LIBRARY is the absolute\n"
	"path of the driver's libnvidia-ml.so.VERSION. davit starts it when /proc doesn't tell enough.\n"
	"It may write to no file: its output is to be a pipe or a terminal.\n";

int main(int argc, char **argv)
{
	struct error err = {0};
	struct nvml nvml = {0};
	int r;

	if (argc != 2 || argv[1][0] != '/') {
		(void)fputs(usage, stderr);
		return EXIT_USAGE;
	}
	r = sandbox_enter(&err);
	if (r == 0)
		r = library_open(argv[1], &nvml, &err);
	if (r == 0)
		r = answer_print(&nvml, &err);
	if (r < 0)
		(void)fprintf(stderr, "davit-nvml: cannot %s\n", err.message);
	(void)fflush(stderr);
	/* What the library would do at exit is of no use to anyone, and could hang. */
	_exit(r < 0);
}
