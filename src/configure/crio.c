// SPDX-License-Identifier: Apache-2.0
#include "davit/configure.h"

char *configure_crio(const struct configure *configure, struct arena *arena)
{
	const char *name = configure->runtime_name;
	const char *head = "";

	if (configure->set_default)
		head = arena_printf(arena, "[crio.runtime]\ndefault_runtime = \"%s\"\n\n", name);
	if (!head)
		return NULL;
	return arena_printf(arena,
			    "# Made by `davit configure crio`.\n%s[crio.runtime.runtimes.\"%s\"]\n"
			    "runtime_path = \"%s\"\nruntime_type = \"oci\"\n",
			    head, name, configure->runtime_path);
}
