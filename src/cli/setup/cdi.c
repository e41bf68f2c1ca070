// SPDX-License-Identifier: Apache-2.0
#include "cdi.h"

static const struct command *const commands[] = {&command_cdi_generate, &command_cdi_list,
						 &command_cdi_transform, NULL};

const struct command command_cdi = {
	.name = "cdi",
	.summary = "specs of the Container Device Interface: generate, list, transform",
	.help = "Specs by which engines give GPUs to containers themselves.\n",
	.example = "davit cdi generate --output /var/run/cdi/nvidia.json",
	.commands = commands,
};
