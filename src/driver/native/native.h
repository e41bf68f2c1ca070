// SPDX-License-Identifier: Apache-2.0
/* A host with NVIDIA GPUs on its PCI bus and the driver's modules in its own kernel. */
#pragma once

#include "../platform.h"

extern const struct platform native_platform;

int native_read_families(const struct driver_roots *roots, unsigned families,
			 const struct strings *imex, struct arena *arena, struct driver *driver,
			 struct error *err);
const char *native_cuda_version(const struct driver_roots *roots, const struct config *config,
				const struct driver *driver, struct arena *arena);
int native_locate_nvml(const struct driver_roots *roots, const struct config *config,
		       const struct driver *driver, struct arena *arena, struct nvml_question *ret,
		       struct error *err);
