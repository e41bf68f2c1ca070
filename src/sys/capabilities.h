// SPDX-License-Identifier: Apache-2.0
/*
 * Gets and sets the process's capabilities with capget(2) and capset(2). libcap isn't used, because
 * it asks the kernel for the highest capability at each program start. That takes longer than
 * everything that davit does with capabilities.
 */
#pragma once

#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Bit n: the capability of number n. */
struct capabilities {
	uint64_t effective, permitted, inheritable;
};

#define CAPABILITY(number) (UINT64_C(1) << (number))

/* 0 or -errno. */
static inline int capabilities_get(struct capabilities *ret)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct parts[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, parts) < 0)
		return -errno;
	*ret = (struct capabilities){
		.effective = parts[0].effective | (uint64_t)parts[1].effective << 32,
		.permitted = parts[0].permitted | (uint64_t)parts[1].permitted << 32,
		.inheritable = parts[0].inheritable | (uint64_t)parts[1].inheritable << 32,
	};
	return 0;
}

static inline int capabilities_set(const struct capabilities *want)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct parts[_LINUX_CAPABILITY_U32S_3] = {
		{(uint32_t)want->effective, (uint32_t)want->permitted, (uint32_t)want->inheritable},
		{(uint32_t)(want->effective >> 32), (uint32_t)(want->permitted >> 32),
		 (uint32_t)(want->inheritable >> 32)},
	};

	return syscall(SYS_capset, &header, parts) < 0 ? -errno : 0;
}
