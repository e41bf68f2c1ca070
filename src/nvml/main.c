// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "nvml.h"

#define EXIT_USAGE 2
#define PATH_SIZE 256

static const char usage[] =
	"usage: davit-nvml LIBRARY [DEV [BEFORE]]\n"
	"\n"
	"Asks NVML about this host's GPUs and prints the answer as JSON. davit runs it if /proc doesn't\n"
	"show enough. LIBRARY is the absolute path of the driver's libnvidia-ml.so.VERSION. DEV is the\n"
	"directory of the driver's device nodes (/dev). BEFORE is a library that LIBRARY opens by its\n"
	"plain name (WSL2's libdxcore.so).\n"
	"\n"
	"The library runs in a sandbox:\n"
	"  * a private, read-only root with the system's libraries, LIBRARY's directory, /proc, /sys\n"
	"    and the driver's nodes\n"
	"  * private network, process and IPC namespaces; no capabilities\n"
	"  * a user other than root, if that user can open the nodes and LIBRARY\n"
	"  * Landlock: it can write only to the driver's nodes\n"
	"  * a seccomp filter: no sockets, no signals to other processes, no new processes\n"
	"  * 1 GiB of memory, 30 s of processor time, 60 s in total\n"
	"Parts that the kernel doesn't allow are skipped. The filter and the limits always apply. For\n"
	"root, the private root or Landlock must work, otherwise the library isn't loaded.\n";

/*
 * Resolves links, because their directories aren't in the sandbox. A path that can't be resolved is
 * left as it is.
 */
static void resolve(const char *path, char ret[static PATH_SIZE])
{
	char link[32];
	AUTO_FD fd = open(path, O_PATH | O_CLOEXEC);
	ssize_t length;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = fd < 0 ? -1 : readlink(link, ret, PATH_SIZE - 1);
	if (length > 0 && length < PATH_SIZE - 1)
		ret[length] = '\0';
	else
		(void)snprintf(ret, PATH_SIZE, "%s", path);
}

int main(int argc, char **argv)
{
	struct error err = {0};
	struct nvml nvml = {0};
	char library[PATH_SIZE], before[PATH_SIZE];
	const char *first = argc == 4 ? before : NULL;
	int r;

	if (argc < 2 || argc > 4 || argv[1][0] != '/' || argv[argc - 1][0] != '/') {
		(void)fputs(usage, stderr);
		return EXIT_USAGE;
	}
	resolve(argv[1], library);
	resolve(argv[argc - 1], before);
	r = sandbox_enter(library, first, argc > 2 ? argv[2] : "/dev", &err);
	if (r == 0)
		r = library_open(library, first, &nvml, &err);
	if (r == 0)
		r = answer_print(&nvml, &err);
	if (r < 0)
		(void)fprintf(stderr, "davit-nvml: cannot %s\n", err.message);
	(void)fflush(stderr);
	/* Skip the library's exit handlers: they serve no purpose here and could hang. */
	_exit(r < 0);
}
