// SPDX-License-Identifier: Apache-2.0
/*
 * without-calls ERRNO CALL,... PROGRAM [ARGUMENT...]: runs a program for which these system calls
 * fail, with "enosys" as on a kernel that lacks them or with "eperm" as under a seccomp profile
 * that doesn't know them.
 */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	uint16_t answer;

	if (argc < 4 || !filter) {
		(void)fputs("usage: without-calls enosys|eperm CALL,... PROGRAM [ARGUMENT...]\n",
			    stderr);
		return 125;
	}
	answer = strcmp(argv[1], "eperm") == 0 ? EPERM : ENOSYS;
	for (char *name = strtok(argv[2], ","); name; name = strtok(NULL, ",")) {
		int call = seccomp_syscall_resolve_name(name);

		if (call == __NR_SCMP_ERROR ||
		    seccomp_rule_add(filter, SCMP_ACT_ERRNO(answer), call, 0) < 0) {
			(void)fprintf(stderr, "without-calls: cannot filter %s\n", name);
			return 125;
		}
	}
	/* The program keeps the privileges that it has: no no-new-privileges. */
	if (seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) < 0 || seccomp_load(filter) < 0) {
		(void)fputs("without-calls: cannot load the filter\n", stderr);
		return 125;
	}
	(void)execv(argv[3], argv + 3);
	perror(argv[3]);
	return 125;
}
