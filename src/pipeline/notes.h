// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "davit/pipeline.h"

/* Adds to pipeline->notes what is to be known of a choice. 0 or -ENOMEM. */
int note_choice(struct pipeline *pipeline, const struct choice *choice, struct arena *arena,
		struct error *err);
