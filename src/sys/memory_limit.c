// SPDX-License-Identifier: Apache-2.0
#include <sys/resource.h>

#include "davit/sys.h"

#define LIMIT ((rlim_t)MEMORY_LIMIT_MIB << 20)

static struct rlimit original;
static bool limited;

void memory_limit(void)
{
#ifndef DAVIT_SANITIZE /* a sanitizer's shadow memory would count */
	struct rlimit limit;

	if (limited || getrlimit(RLIMIT_DATA, &original) < 0 || original.rlim_cur <= LIMIT)
		return;
	/* A hard limit can't be raised again without CAP_SYS_RESOURCE, so it is unchanged. */
	limit = (struct rlimit){LIMIT, original.rlim_max};
	if (setrlimit(RLIMIT_DATA, &limit) < 0)
		return;
	limited = true;
	error_memory_limit(MEMORY_LIMIT_MIB);
#endif
}

void memory_unlimit(void)
{
	if (limited)
		(void)setrlimit(RLIMIT_DATA, &original);
}
