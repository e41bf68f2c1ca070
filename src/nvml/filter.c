// SPDX-License-Identifier: Apache-2.0
/*
 * The system calls that the vendor's library may make: those for loading it, and for reading the
 * driver's state. Any other call fails with EPERM and is written to the kernel's log (`dmesg`,
 * type=1326). NVML can handle a failing call, but not being killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "nvml.h"

#define CALL(name) SCMP_SYS(name)

/* clang-format off */
static const int allowed[] = {
	/* memory, also for the loader */
	CALL(brk), CALL(madvise), CALL(membarrier), CALL(mincore), CALL(mmap), CALL(mprotect),
	CALL(mremap), CALL(munmap),
	/* files and directories: reading, and writing to open files */
	CALL(access), CALL(close), CALL(close_range), CALL(dup), CALL(dup2), CALL(dup3),
	CALL(faccessat), CALL(faccessat2), CALL(fstat), CALL(fstatfs), CALL(getcwd),
	CALL(getdents), CALL(getdents64), CALL(lseek), CALL(lstat), CALL(newfstatat), CALL(pread64),
	CALL(preadv), CALL(read), CALL(readlink), CALL(readlinkat), CALL(readv), CALL(stat),
	CALL(statfs), CALL(statx), CALL(write), CALL(writev),
	/* waiting */
	CALL(clock_nanosleep), CALL(epoll_create1), CALL(epoll_ctl), CALL(epoll_pwait),
	CALL(epoll_wait), CALL(eventfd2), CALL(nanosleep), CALL(pipe), CALL(pipe2), CALL(poll),
	CALL(ppoll), CALL(pselect6), CALL(restart_syscall), CALL(select),
	/* threads */
	CALL(arch_prctl), CALL(exit), CALL(exit_group), CALL(futex), CALL(get_robust_list),
	CALL(rseq), CALL(sched_yield), CALL(set_robust_list), CALL(set_tid_address),
	/* its own signals */
	CALL(rt_sigaction), CALL(rt_sigprocmask), CALL(rt_sigreturn), CALL(sigaltstack),
	/* identity, place and properties of the machine */
	CALL(capget), CALL(clock_getres), CALL(clock_gettime), CALL(get_mempolicy), CALL(getcpu),
	CALL(getegid), CALL(geteuid), CALL(getgid), CALL(getgroups), CALL(getpgrp), CALL(getpid),
	CALL(getppid), CALL(getrandom), CALL(getrlimit), CALL(getrusage), CALL(gettid),
	CALL(gettimeofday), CALL(getuid), CALL(sched_get_priority_max),
	CALL(sched_get_priority_min), CALL(sched_getaffinity), CALL(sched_getparam),
	CALL(sched_getscheduler), CALL(sysinfo), CALL(time), CALL(times), CALL(uname),
};

/*
 * Compares _IOC_TYPE of a request. The library passes the request as an int, so its upper half
 * varies.
 */
#define REQUEST_OF_TYPE(type) {1, SCMP_CMP_MASKED_EQ, 0xff00, (type) << 8}
#define OPENED(at) {(at), SCMP_CMP_MASKED_EQ, O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY), 0}
#define THREAD (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)

static const struct {
	int call;
	struct scmp_arg_cmp argument;
} conditional[] = {
	/* existing files, without creating or truncating any */
	{CALL(open),    OPENED(1)},
	{CALL(openat),  OPENED(2)},
	/*
	 * requests of the driver: its nodes (F), NVLink and NVSwitch (d), nvidia-uvm (plain
	 * numbers)
	 */
	{CALL(ioctl),   REQUEST_OF_TYPE('F')},
	{CALL(ioctl),   REQUEST_OF_TYPE('d')},
	{CALL(ioctl),   {1, SCMP_CMP_MASKED_EQ, 0x0fffff00, 0}},
	/* threads, not processes */
	{CALL(clone),   {0, SCMP_CMP_MASKED_EQ, THREAD, THREAD}},
	/*
	 * no commands by which other processes get signals, leases or notifications (F_SETOWN,
	 * F_SETSIG, ...)
	 */
	{CALL(fcntl),   {1, SCMP_CMP_EQ, F_DUPFD, 0}},
	{CALL(fcntl),   {1, SCMP_CMP_EQ, F_DUPFD_CLOEXEC, 0}},
	{CALL(fcntl),   {1, SCMP_CMP_EQ, F_GETFD, 0}},
	{CALL(fcntl),   {1, SCMP_CMP_EQ, F_SETFD, 0}},
	{CALL(fcntl),   {1, SCMP_CMP_EQ, F_GETFL, 0}},
	{CALL(fcntl),   {1, SCMP_CMP_EQ, F_GETLK, 0}},
	{CALL(prctl),   {0, SCMP_CMP_EQ, PR_SET_NAME, 0}},
	{CALL(prctl),   {0, SCMP_CMP_EQ, PR_GET_NAME, 0}},
	{CALL(prctl),   {0, SCMP_CMP_EQ, PR_GET_DUMPABLE, 0}},
	{CALL(prctl),   {0, SCMP_CMP_EQ, PR_CAPBSET_READ, 0}},
	/* getting a limit, not setting it */
	{CALL(prlimit64), {2, SCMP_CMP_EQ, 0, 0}},
};

/* If the kernel seems to lack these, glibc uses an older call. */
static const int absent[] = {CALL(clone3), CALL(openat2)};
/* clang-format on */

static int add_rules(scmp_filter_ctx filter)
{
	/* abort() and pthread_kill(), only in this process */
	const struct scmp_arg_cmp self = {0, SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0};
	int r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, CALL(tgkill), 1, &self);

	/* F_SETFL, but not with O_ASYNC */
	const struct scmp_arg_cmp set_flags[] = {
		{1, SCMP_CMP_EQ, F_SETFL, 0},
		{2, SCMP_CMP_MASKED_EQ, O_ASYNC, 0},
	};

	if (r == 0)
		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, CALL(fcntl), 2, set_flags);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(allowed); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(conditional); i++)
		r = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, conditional[i].call, 1,
					   &conditional[i].argument);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(absent); i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), absent[i], 0);
	return r;
}

int filter_install(struct error *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r = filter ? add_rules(filter) : -ENOMEM;

	/* Kernels before 4.14 can't log. The filter is the same. */
	if (r == 0)
		(void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	if (r == 0)
		r = seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	return r < 0 ? error_errno(err, -r, "install the filter of system calls") : 0;
}
