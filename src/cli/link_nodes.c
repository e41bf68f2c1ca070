// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* One link; one that is right stays, one that leads elsewhere gives way. */
static int make_link(int dir_fd, const char *name, const char *text)
{
	char present[PATH_MAX], temporary[64];
	ssize_t length = readlinkat(dir_fd, name, present, sizeof(present) - 1);

	if (length >= 0) {
		present[length] = '\0';
		if (strcmp(present, text) == 0)
			return 0;
	}
	(void)snprintf(temporary, sizeof(temporary), ".davit-%d", (int)getpid());
	if (symlinkat(text, dir_fd, temporary) < 0)
		return -errno;
	if (renameat(dir_fd, temporary, dir_fd, name) < 0) {
		int r = -errno;

		(void)unlinkat(dir_fd, temporary, 0);
		return r;
	}
	return 1;
}

static int link_node(const struct config *config, const struct device_node *node, int dir_fd,
		     const char *directory, bool pretend, struct error *err)
{
	char name[32], text[PATH_MAX];
	int r = 1;

	(void)snprintf(name, sizeof(name), "%u:%u", node->major, node->minor);
	(void)snprintf(text, sizeof(text), "%s/%s",
		       string_equal(directory, "/dev/char") &&
				       string_equal(config->driver.dev, "/dev")
			       ? ".."
			       : config->driver.dev,
		       node->name);
	if (!pretend)
		r = make_link(dir_fd, name, text);
	if (r < 0)
		return error_errno(err, -r, "make the link %s/%s", directory, name);
	if (r > 0)
		(void)printf("%s/%s -> %s\n", directory, name, text);
	return 0;
}

static int link_all(const struct config *config, const char *directory, bool pretend,
		    struct arena *arena, struct driver_roots *roots, struct driver *driver,
		    struct error *err)
{
	const unsigned families = FAMILY_NVSWITCH | FAMILY_MIG_CONFIG | FAMILY_MIG_MONITOR;
	const struct strings none = {0};
	AUTO_ROOT root = {.fd = -1};
	AUTO_FD dir_fd = -1;
	int r = root_open("/", &root, err);

	if (r == 0)
		r = driver_roots_open(config, roots, err);
	if (r == 0)
		r = driver_read(roots, config, CAPABILITY_ALL, arena, driver, err);
	if (r == 0)
		r = driver_read_families(roots, families, &none, arena, driver, err);
	if (r == 0 && !pretend)
		r = dir_fd = root_mkdirs(&root, directory, err);
	for (size_t i = 0; r >= 0 && i < driver->nodes.count; i++)
		if (driver->nodes.items[i].present)
			r = link_node(config, &driver->nodes.items[i], dir_fd, directory, pretend,
				      err);
	return r < 0 ? r : 0;
}

static int run(const struct arguments *arguments)
{
	const char *directory = arguments_value(arguments, "dev-char-path");
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	AUTO_ARENA arena = {0};
	struct driver driver = {0};
	struct error err = {0};
	struct config config;
	int r = config_load(arguments->config, &arena, &config, &err);

	if (r == 0)
		r = link_all(&config, directory ? directory : "/dev/char",
			     arguments_flag(arguments, "dry-run"), &arena, &roots, &driver, &err);
	driver_close(&driver);
	driver_roots_close(&roots);
	if (fflush(stdout) != 0 && r == 0)
		return 1;
	return r < 0 ? cli_fail(&err) : 0;
}

static const struct command_option options[] = {
	{"dry-run",             OPTION_FLAG,  NULL,  "only say what would be linked"       },
	{"dev-char-path",       OPTION_VALUE, "DIR", "where the links are made (/dev/char)"},
	{"create-all",          OPTION_FLAG,  NULL,  NULL                                  },
	{"load-kernel-modules", OPTION_FLAG,  NULL,  NULL                                  },
	{"driver-root",         OPTION_VALUE, "DIR", NULL                                  },
	{NULL,		  0,            NULL,  NULL				  },
};

const struct command command_create_links = {
	.name = "create-dev-char-symlinks",
	.summary = "link /dev/char/MAJOR:MINOR to the driver's nodes",
	.help = "Makes the links by which runc and systemd find a device's name, for all nodes of the driver\n"
		"that are there, and prints those it made. Links that are right stay.\n",
	.example = "davit system create-dev-char-symlinks --dry-run",
	.options = options,
	.one_dash = true,
	.run = run,
};
