// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>

#include "davit/sys.h"

void memory_limit(void)
{
#ifndef DAVIT_SANITIZE /* its shadow of the address space would count */
	struct rlimit limit = {(rlim_t)MEMORY_LIMIT_MIB << 20, RLIM_INFINITY};

	/* The soft one alone, so that programs that are started can have their own back. */
	if (setrlimit(RLIMIT_DATA, &limit) < 0) {
		if (getrlimit(RLIMIT_DATA, &limit) < 0 || limit.rlim_max <= (rlim_t)MEMORY_LIMIT_MIB
										    << 20)
			return; /* it is held to less already */
		limit.rlim_cur = (rlim_t)MEMORY_LIMIT_MIB << 20;
		if (setrlimit(RLIMIT_DATA, &limit) < 0)
			return;
	}
	error_memory_limit(MEMORY_LIMIT_MIB);
#endif
}

void memory_unlimit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur != limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_DATA, &limit);
	}
}
