// SPDX-License-Identifier: Apache-2.0
/*
 * Linked into davit's programs by tests/lib/old-kernel.sh: the calls in WITHOUT fail with ANSWER,
 * ENOSYS as on a kernel that lacks them, EPERM as under a seccomp profile that doesn't know them;
 * and bpf(2) doesn't know BPF_F_REPLACE, as before Linux 5.6.
 *
 * A seccomp filter from before main does it, so that it holds for what the program starts, too. A
 * program that becomes another one (davit-runtime: runc or crun) would pass the filter on: compiled
 * with UNFILTERED, the C library's syscall(2), by which davit makes all these calls, answers
 * itself. There is no telling BPF_F_REPLACE in a filter, for it stands in memory: syscall(2)
 * answers always.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_statmount
#define SYS_statmount 457 /* Linux 6.8 */
#endif

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);

static const long without[] = {WITHOUT};
#define COUNT (sizeof(without) / sizeof(without[0]))

long __wrap_syscall(long number, ...)
{
	long arguments[6];
	va_list list;

	va_start(list, number);
	for (size_t i = 0; i < 6; i++)
		arguments[i] = va_arg(list, long);
	va_end(list);
#ifdef UNFILTERED
	for (size_t i = 0; i < COUNT; i++)
		if (without[i] == number) {
			errno = ANSWER;
			return -1;
		}
#endif
	if (number == SYS_bpf && (int)arguments[0] == BPF_PROG_ATTACH &&
	    ((const union bpf_attr *)arguments[1])->attach_flags & BPF_F_REPLACE) {
		errno = EINVAL;
		return -1;
	}
	return __real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
			      arguments[4], arguments[5]);
}

#ifndef UNFILTERED
__attribute__((constructor)) static void filter_calls(void)
{
	struct sock_filter filter[2 * COUNT + 2];
	struct sock_fprog program = {.filter = filter};

	filter[program.len++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
							     offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < COUNT; i++) {
		filter[program.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
								     (unsigned)without[i], 0, 1);
		filter[program.len++] =
			(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ANSWER);
	}
	filter[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	/* The program keeps the privileges that it has; an ordinary user's must give them up. */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 &&
	    (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	     prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0))
		_exit(125);
}
#endif
