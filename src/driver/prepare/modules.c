// SPDX-License-Identifier: Apache-2.0
/*
 * Loads kernel modules with the host's modprobe, the only program of the host that the hook runs.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "prepare.h"

#define TIMEOUT_MS 10000

/* The paths in distributions. Neither PATH nor the configuration is used. */
static const char *const places[] = {"/sbin/modprobe", "/usr/sbin/modprobe", "/bin/modprobe"};

/* A user who can write this file could become root through davit. */
static int check_modprobe(int fd, const char *path, struct error *err)
{
	int r = file_trust(fd);

	if (r < 0)
		return error_errno(err, -r, "inspect %s", path);
	if (r == FILE_TRUSTED)
		return 0;
	return error_set(err, ERROR_SYSTEM, EPERM, NULL,
			 "run %s: it must be a regular file that only root can write", path);
}

static int open_modprobe(const struct root *host, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		AUTO_FD fd = root_openat(host, places[i], O_PATH);
		int r;

		if (fd == -ENOENT)
			continue;
		if (fd < 0)
			return error_errno(err, -fd, "open %s", places[i]);
		r = check_modprobe(fd, places[i], err);
		return r < 0 ? r : fd_take(&fd);
	}
	return error_set(err, ERROR_SYSTEM, ENOENT, NULL,
			 "find the host's modprobe in /sbin, /usr/sbin or /bin");
}

static int explain(const struct spawn_result *result, struct error *err)
{
	if (WIFSIGNALED(result->status))
		return error_set(err, ERROR_NO_DRIVER, EIO, NULL, "run modprobe: signal %d",
				 WTERMSIG(result->status));
	return error_set(err, ERROR_NO_DRIVER, ENODEV, NULL, "run modprobe: %s",
			 result->line[0] ? result->line : "it failed without a message");
}

int module_load(const struct driver_roots *roots, const char *name, struct arena *arena,
		struct error *err)
{
	const char *const arguments[] = {"modprobe", name, NULL};
	struct spawn spawn = {.arguments = arguments, .timeout_ms = TIMEOUT_MS};
	struct spawn_result result;
	AUTO_FD fd = open_modprobe(&roots->host, err);
	int r = fd < 0 ? fd : 0;

	if (r == 0) {
		spawn.program = fd;
		r = spawn_run(&spawn, arena, &result);
		if (r == -ETIMEDOUT)
			error_set(err, ERROR_SYSTEM, -r, NULL,
				  "run modprobe: it didn't finish within %d s", TIMEOUT_MS / 1000);
		else if (r < 0)
			error_errno(err, -r, "run modprobe");
		else if (!WIFEXITED(result.status) || WEXITSTATUS(result.status) != 0)
			r = explain(&result, err);
	}
	if (r == 0)
		log_line(LOG_LEVEL_INFO, "loaded the kernel module %s", name);
	return r < 0 ? error_wrap(err, r, "load the kernel module %s", name) : 0;
}

/* nvidia-modeset shares nvidia's major, so only sysfs shows whether it is loaded. */
static bool modeset_is_loaded(const struct driver_roots *roots)
{
	struct stat st;

	return root_stat(&roots->sys, "module/nvidia_modeset", 0, &st) == 0;
}

int module_load_behind(struct inventory *inv, const char *node_name)
{
	const char *module = NULL;
	int r;

	if (string_starts(node_name, "nvidia-uvm") && inv->driver->majors.uvm == 0)
		module = "nvidia-uvm";
	else if (strcmp(node_name, "nvidia-modeset") == 0 && !modeset_is_loaded(inv->roots))
		module = "nvidia-modeset";
	if (!module)
		return 0;
	if (inv->pretend)
		return 1;
	/*
	 * Two nodes have the same module. If loading it failed for one, don't wait for the same
	 * failure again.
	 */
	if (string_equal(module, inv->module_failed))
		return -ENODEV;
	r = module_load(inv->roots, module, inv->arena, inv->err);
	if (r < 0)
		inv->module_failed = module;
	else
		r = inventory_read_majors(inv);
	return r < 0 ? r : 1;
}

int driver_load(const struct driver_roots *roots, struct arena *arena, struct error *err)
{
	struct error why = {0};
	struct stat st;
	int r;

	if (root_stat(&roots->proc, "driver/nvidia/version", 0, &st) == 0)
		return -EALREADY;
	r = module_load(roots, "nvidia", arena, &why);
	/* First say that the module isn't loaded, then why it can't be loaded. */
	if (r < 0)
		return error_set(
			err, ERROR_NO_DRIVER, -r,
			"install NVIDIA's driver, or check `modprobe nvidia` and `dmesg | grep NVRM`",
			"use the driver: the kernel module nvidia is not loaded; cannot %s",
			why.message);
	return 0;
}
