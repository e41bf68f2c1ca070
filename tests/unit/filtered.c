// SPDX-License-Identifier: Apache-2.0
/*
 * Linked into a unit test: all of it runs under the hook's narrow filter of system calls, so that a
 * C library which asks the kernel for something while it sorts or prints (qsort(3) and sysinfo(2))
 * is seen here. With FIXTURES also what the tests take to make and remove files of their own, and
 * to start programs for that, is allowed. (With a sanitizer there is no filter.)
 */
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "davit/sys.h"

#define NUMBERED_CALL(number) (number),
#include "sys/filter_calls.h"

#ifdef FIXTURES
#define NUMBER(name) SCMP_SYS(name),
static const int calls[] = {
	FILTER_CALLS_ALWAYS(NUMBER)
	/* files */
	SCMP_SYS(access),
	SCMP_SYS(chdir),
	SCMP_SYS(chmod),
	SCMP_SYS(ftruncate),
	SCMP_SYS(link),
	SCMP_SYS(linkat),
	SCMP_SYS(memfd_create),
	SCMP_SYS(mkdir),
	SCMP_SYS(mknod),
	SCMP_SYS(pwrite64),
	SCMP_SYS(rename),
	SCMP_SYS(rmdir),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(symlink),
	SCMP_SYS(truncate),
	SCMP_SYS(unlink),
	SCMP_SYS(umask),
	/* a stand-in for systemd */
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(socketpair),
	SCMP_SYS(setsockopt),
	/* mounts and their namespace */
	SCMP_SYS(umount2),
	SCMP_SYS(unshare),
	/* programs, and what these and their loader do */
	SCMP_SYS(arch_prctl),
	SCMP_SYS(clone),
	SCMP_SYS(clone3),
	SCMP_SYS(dup2),
	SCMP_SYS(execve),
	SCMP_SYS(getcwd),
	SCMP_SYS(getppid),
	SCMP_SYS(ioctl),
	SCMP_SYS(pipe2),
	SCMP_SYS(prlimit64),
	SCMP_SYS(rseq),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(set_tid_address),
	SCMP_SYS(wait4),
	SCMP_SYS(vfork),
	SCMP_SYS(fadvise64),
};

static int install(struct error *err)
{
#ifdef DAVIT_SANITIZE
	return 0;
#endif
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = filter ? 0 : -1;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(calls); i++)
		if (calls[i] >= 0)
			r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	if (r == 0)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r < 0 ? error_errno(err, -r, "install the filter of system calls") : 0;
}
#else
/* cmocka's way to report a crash: it would need a call that davit makes nowhere. */
__sighandler_t signal(int number, __sighandler_t handler)
{
	(void)number;
	(void)handler;
	return SIG_DFL;
}

static int install(struct error *err)
{
	return filter_install(FILTER_APPLY, err);
}
#endif

__attribute__((constructor)) static void filter_calls(void)
{
	struct error err;

	if (install(&err) < 0) {
		(void)fprintf(stderr, "%s\n", err.message);
		abort();
	}
}
