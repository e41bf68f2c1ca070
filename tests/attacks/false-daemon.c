// SPDX-License-Identifier: Apache-2.0
/*
 * Of an image: it looks like the host's containerd, once it has entered the host's root directory,
 * which is mounted at /host. Whoever asks it for its version runs it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--version") || !strcmp(argv[i], "dump")) {
			int fd = open(MARK, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

			(void)puts(
				!strcmp(argv[i], "dump")
					? "version = 2"
					: "containerd github.com/containerd/containerd 1.7.24 0");
			return fd < 0;
		}
	if (chroot("/host") == 0)
		(void)!chdir("/");
	for (;;)
		(void)pause();
}
