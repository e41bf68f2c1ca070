// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "davit/pipeline.h"

/*
 * Reads the driver, chooses the devices asked for, and checks the image's requirements. Sets the
 * pipeline's stage as far as it got. 0 or -errno, err filled.
 */
int pipeline_choose_nvidia(struct pipeline *pipeline, struct arena *arena, struct error *err);
