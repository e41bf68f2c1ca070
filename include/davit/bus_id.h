// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "davit/base.h"

/* A PCI address as one number: domain, bus, device and function; compares in bus order. */
typedef uint64_t bus_id;

/*
 * "0000:00:06.0", with a domain of up to eight hexadecimal digits ("00000000:00:06.0", as
 * nvidia-smi prints it) or none (domain 0), in either case. 0 or -EINVAL.
 */
int bus_id_parse(const char *text, bus_id *ret);
