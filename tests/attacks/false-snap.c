// SPDX-License-Identifier: Apache-2.0
/*
 * false-snap ROOT PROGRAM [ARGUMENT...]: runs the program in a mount namespace of its own, as a
 * container or a snap: ROOT is all that it sees. Under another name, it waits.
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (!strstr(argv[0], "false-snap") || argc < 3)
		for (;;)
			(void)pause();
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(argv[1], argv[1], NULL, MS_BIND | MS_REC, NULL) < 0 || chdir(argv[1]) < 0 ||
	    syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		perror(argv[1]);
	else
		(void)execv(argv[2], argv + 2);
	perror(argv[2]);
	return 1;
}
