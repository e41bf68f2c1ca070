// SPDX-License-Identifier: Apache-2.0
#include "cdi.h"

static const struct command *const commands[] = {&command_cdi_generate, &command_cdi_list,
						 &command_cdi_transform, NULL};

const struct command command_cdi = {
	.name = "cdi",
	.summary = "generate, list and transform CDI specs",
	.help = "CDI specs describe devices. With them, engines can give GPUs to containers without a\n"
		"hook or another runtime.\n",
	.example = "davit cdi generate --output /var/run/cdi/nvidia.json",
	.commands = commands,
};
