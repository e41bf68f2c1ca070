// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>

#include "davit/sys.h"

void memory_limit(void)
{
#ifndef DAVIT_SANITIZE /* a sanitizer's shadow memory would count */
	struct rlimit limit = {(rlim_t)MEMORY_LIMIT_MIB << 20, RLIM_INFINITY};

	/* Only the soft limit, so that child processes can restore theirs. */
	if (setrlimit(RLIMIT_DATA, &limit) < 0) {
		if (getrlimit(RLIMIT_DATA, &limit) < 0 || limit.rlim_max <= (rlim_t)MEMORY_LIMIT_MIB
										    << 20)
			return; /* the limit is already lower */
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
