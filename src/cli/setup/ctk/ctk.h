// SPDX-License-Identifier: Apache-2.0
/* The parts of `davit ctk`, the commands of nvidia-ctk. */
#pragma once

#include "cli.h"

extern const struct command ctk_cdi, ctk_config, ctk_runtime, ctk_system;

/* --config FILE before the command: a file of davit's or of NVIDIA's. 0 or -errno. */
int ctk_load_config(struct arena *arena, struct config *ret, struct error *err);
