// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "davit/base.h"

/* The limit for a file; the kernel's are shorter. */
#define TOPOLOGY_MAX ((size_t)4096)

/* The needed facts of a KFD node (kfd_topology.c in the kernel). */
struct topology_node {
	unsigned render_minor; /* 0: a CPU */
	unsigned domain;       /* of the PCI bus; also 0 if the kernel is too old to have it */
	unsigned location;     /* bus << 8 | device << 3 | function, or the partition's number */
	uint64_t unique_id;    /* 0: none */
	unsigned gfx_version;  /* 90402: gfx942; 0: unknown */
};
/*
 * Parses a file `properties`: lines "NAME VALUE" with decimal values. Unknown names are skipped. 0,
 * or -EINVAL if render minor, domain or location isn't a number that the kernel can have. Pure.
 */
int topology_parse(const char *text, size_t length, struct topology_node *ret);
/* "gfx942", the compilers' name. NULL: 0, or no memory. */
const char *topology_arch(unsigned gfx_version, struct arena *arena);
