// SPDX-License-Identifier: Apache-2.0
/* Settings with which containerd's CRI plugin doesn't load, although `config dump` accepts them. */
#include "containerd.h"

#define RUNTIME_V1 "io.containerd.runtime.v1.linux"

bool containerd_refuses_systemd(const struct toml_node *settings)
{
	const struct toml_node *section = containerd_section(settings);
	const char *type =
		toml_find_string(containerd_runtime(settings, NULL), TOML_PATH("runtime_type"));

	return toml_find_bool(section, TOML_PATH("systemd_cgroup"), false) &&
	       !string_equal(type, RUNTIME_V1);
}

int containerd_base_specs(const struct toml_node *settings, struct arena *arena,
			  struct strings *ret)
{
	const struct toml_node *runtimes =
		toml_find(containerd_section(settings), TOML_PATH("containerd", "runtimes"));

	const char *deprecated = toml_find_string(containerd_deprecated_default(settings),
						  TOML_PATH("base_runtime_spec"));

	*ret = (struct strings){0};
	if (deprecated && deprecated[0] == '/' && strings_add(arena, ret, deprecated) < 0)
		return -ENOMEM;
	for (const struct toml_node *item = runtimes ? runtimes->first : NULL; item;
	     item = item->next) {
		const char *path = toml_find_string(item, TOML_PATH("base_runtime_spec"));

		if (path && path[0] == '/' && strings_add(arena, ret, path) < 0)
			return -ENOMEM;
	}
	return 0;
}
