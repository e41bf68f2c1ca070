// SPDX-License-Identifier: Apache-2.0
/*
 * Linked into a unit test: all of it runs under the hook's narrow filter of system calls, so that a
 * C library which asks the kernel for something while it sorts or prints (qsort(3) and sysinfo(2))
 * is seen here. (With a sanitizer filter_install does nothing.)
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "davit/sys.h"

/* cmocka's way to report a crash: it would need a call that davit makes nowhere. */
__sighandler_t signal(int number, __sighandler_t handler)
{
	(void)number;
	(void)handler;
	return SIG_DFL;
}

__attribute__((constructor)) static void filter_calls(void)
{
	struct error err;

	if (filter_install(FILTER_APPLY, &err) < 0) {
		(void)fprintf(stderr, "%s\n", err.message);
		abort();
	}
}
