// SPDX-License-Identifier: Apache-2.0
/* Which of a host's Docker or containerd davit configures: a user's own, or a snap's. */
#include <string.h>
#include <unistd.h>

#include "davit/configure_podman.h"

static bool exists(const struct root *root, const char *path)
{
	struct stat st;

	return path && root_stat(root, path, 0, &st) == 0;
}

/* In the order of enum configure_daemon. `run`: what the running daemon has in XDG_RUNTIME_DIR. */
static const struct {
	const char *file, *unit, *run;
} rootless_daemons[] = {
	{"docker/daemon.json", "docker.service", "docker.sock"},
	{"containerd/config.toml", "containerd.service", "containerd-rootless"},
};

const char *configure_rootless_file(const struct root *root, enum configure_daemon daemon,
				    struct arena *arena)
{
	const char *file = rootless_daemons[daemon].file, *unit = rootless_daemons[daemon].unit;
	const char *sign = rootless_daemons[daemon].run;
	const char *home = configure_variable("HOME", arena);
	const char *folder = configure_variable("XDG_CONFIG_HOME", arena);
	const char *run = configure_variable("XDG_RUNTIME_DIR", arena);
	const char *usual = home ? arena_printf(arena, "%s/.config", home) : folder;
	const char *own = folder ? folder : usual;
	const char *const signs[] = {
		run ? arena_printf(arena, "%s/%s", run, sign) : NULL,
		arena_printf(arena, "/run/user/%u/%s", (unsigned)geteuid(), sign),
		own ? arena_printf(arena, "%s/systemd/user/%s", own, unit) : NULL,
		own ? arena_printf(arena, "%s/%s", own, file) : NULL,
		/* systemd may not know the variable. */
		usual ? arena_printf(arena, "%s/systemd/user/%s", usual, unit) : NULL,
		usual ? arena_printf(arena, "%s/%s", usual, file) : NULL,
	};

	if (geteuid() == 0 || !string_equal(root->path, "/") || !own)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
		if (exists(root, signs[i]))
			return arena_printf(arena, "%s/%s", own, file);
	return NULL;
}

bool configure_docker_is_snap(const struct root *root)
{
	static const char *const others[] = {"/usr/bin/dockerd", "/usr/sbin/dockerd",
					     "/usr/local/bin/dockerd", "/usr/local/sbin/dockerd"};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (exists(root, others[i]))
			return false;
	return exists(root, "/snap/docker/current") || exists(root, "/var/snap/docker/current");
}
