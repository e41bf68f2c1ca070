// SPDX-License-Identifier: Apache-2.0
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "davit/sys.h"
#include "filter_programs.inc"

int filter_install(enum filter filter, struct error *err)
{
	const struct sock_fprog programs[] = {
		[FILTER_REQUEST] = {ARRAY_SIZE(filter_request),
				    (struct sock_filter *)filter_request},
		[FILTER_APPLY] = {ARRAY_SIZE(filter_apply), (struct sock_filter *)filter_apply},
	};
	int r = -1;

#ifdef DAVIT_SANITIZE
	return 0; /* a sanitizer's runtime makes other calls */
#endif
	/*
	 * The wider filter is installed without no_new_privs, because modprobe must regain root's
	 * privileges by execve.
	 */
	if (filter == FILTER_REQUEST)
		r = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &programs[filter]);
	/*
	 * TSYNC (Linux 3.17) also installs it in the thread of deadline_watch, which shares the
	 * memory.
	 */
	if (r < 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		r = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
				 &programs[filter]);
	if (r > 0) {
		errno = EBUSY; /* the thread with that id has other filters */
		r = -1;
	}
	return r < 0 ? error_errno(err, errno, "install the filter of system calls") : 0;
}
