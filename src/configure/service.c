// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/configure.h"

static bool has_file(const struct root *root, const char *folder, const char *name,
		     const char *suffix, struct arena *arena)
{
	const char *path = arena_printf(arena, "%s/%s%s", folder, name, suffix);
	struct stat st;

	return path && root_stat(root, path, 0, &st) == 0;
}

static bool has_unit(const struct root *root, const char *name, struct arena *arena)
{
	static const char *const folders[] = {"/etc/systemd/system", "/run/systemd/system",
					      "/usr/local/lib/systemd/system",
					      "/usr/lib/systemd/system", "/lib/systemd/system"};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (has_file(root, folders[i], name, ".service", arena))
			return true;
	return false;
}

const char *configure_restart(const struct root *root, const char *const *services, size_t count,
			      struct arena *arena)
{
	for (size_t i = 0; i < count; i++) {
		/* A snap's services are started by snapd. */
		if (string_starts(services[i], "snap."))
			return arena_printf(arena, "snap restart %s", services[i] + 5);
		if (has_unit(root, services[i], arena))
			return arena_printf(arena, "systemctl restart %s", services[i]);
		if (has_file(root, "/etc/init.d", services[i], "", arena))
			return arena_printf(arena, "service %s restart", services[i]);
	}
	return arena_printf(arena, "restart %s", services[count - 1]);
}
