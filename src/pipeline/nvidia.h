// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "davit/pipeline.h"

/*
 * Reads the driver, selects the requested devices, and checks the image's requirements. Sets the
 * stage that was reached. 0 or -errno, err filled.
 */
int pipeline_choose_nvidia(struct pipeline *pipeline, struct arena *arena, struct error *err);
