// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "davit/base.h"

/* A longer text is no file of the kernel's. */
#define TOPOLOGY_MAX ((size_t)4096)

/* What KFD says of one of its nodes, as far as it matters (kfd_topology.c of the kernel). */
struct topology_node {
	unsigned render_minor; /* 0: a CPU */
	unsigned domain;       /* of the PCI bus; 0 too where the kernel is too old to say */
	unsigned location;     /* bus << 8 | device << 3 | function, or the partition's number */
	uint64_t unique_id;    /* 0: it has none */
	unsigned gfx_version;  /* 90402: gfx942; 0: not known */
};
/*
 * Parses a file `properties`: lines "NAME VALUE" with decimal values; what it doesn't know is
 * passed over. 0, or -EINVAL when render minor, domain or location is no number or none that the
 * kernel has. Pure.
 */
int topology_parse(const char *text, size_t length, struct topology_node *ret);
/* "gfx942", as the compilers name it; NULL for 0 or without memory. */
const char *topology_arch(unsigned gfx_version, struct arena *arena);
