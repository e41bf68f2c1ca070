// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "davit/oci.h"

/* The bit of "CAP_SYS_ADMIN" and so on; 0 for a name that this program doesn't know. */
uint64_t bounding_bit(const char *name, size_t length);
