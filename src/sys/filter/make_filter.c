// SPDX-License-Identifier: Apache-2.0
/*
 * A program of the build: prints the hook's system call filters as arrays of BPF instructions, to
 * be included by filter.c. libseccomp does the work once, instead of at the start of each
 * container.
 */
#include <linux/filter.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../filter_calls.h"

#define NUMBER(name) SCMP_SYS(name),

static const int always[] = {FILTER_CALLS_ALWAYS(NUMBER)};
static const int request[] = {FILTER_CALLS_REQUEST(NUMBER)};

static int add(scmp_filter_ctx filter, const int *calls, size_t count)
{
	int r = 0;

	/* A call that this architecture never had (open on arm64) has a negative number. */
	for (size_t i = 0; r == 0 && i < count; i++)
		if (calls[i] >= 0)
			r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return r;
}

static int print(scmp_filter_ctx filter, const char *name)
{
	struct sock_filter instruction;
	int fd = memfd_create("filter", 0);

	if (fd < 0 || seccomp_export_bpf(filter, fd) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -1;
	printf("static const struct sock_filter %s[] = {\n", name);
	while (read(fd, &instruction, sizeof(instruction)) == (ssize_t)sizeof(instruction))
		printf("\t{0x%04x, %u, %u, 0x%08x},\n", instruction.code, instruction.jt,
		       instruction.jf, instruction.k);
	printf("};\n");
	return close(fd);
}

static int make(const char *name, int with_request)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = filter ? 0 : -1;

	/* A binary tree: eight comparisons instead of up to a hundred. */
	if (r == 0)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = add(filter, always, sizeof(always) / sizeof(always[0]));
	if (r == 0 && with_request)
		r = add(filter, request, sizeof(request) / sizeof(request[0]));
	if (r == 0)
		r = print(filter, name);
	seccomp_release(filter);
	return r;
}

int main(void)
{
	if (make("filter_request", 1) < 0 || make("filter_apply", 0) < 0 || fflush(stdout) != 0) {
		fputs("make_filter: cannot make the system call filters\n", stderr);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
