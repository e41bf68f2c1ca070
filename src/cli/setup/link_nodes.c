// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* Makes one link. A correct link is kept, and another one is replaced. */
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

struct links {
	const struct config *config;
	const char *directory;
	int dir_fd;
	bool pretend, json;
	struct json_object *made; /* [{"path", "target"}] */
	struct error *err;
};

static void report_link(const struct links *links, const char *name, const char *text)
{
	char path[PATH_MAX];
	struct json_object *link;

	if (!links->json) {
		(void)printf("%s/%s -> %s\n", links->directory, name, text);
		return;
	}
	(void)snprintf(path, sizeof(path), "%s/%s", links->directory, name);
	link = json_object_new_object();
	json_object_object_add(link, "path", json_object_new_string(path));
	json_object_object_add(link, "target", json_object_new_string(text));
	(void)json_object_array_add(links->made, link);
}

static int link_node(const struct links *links, const struct device_node *node)
{
	const char *dev = links->config->driver.dev;
	char name[32], text[PATH_MAX];
	int r = 1;

	(void)snprintf(name, sizeof(name), "%u:%u", node->major, node->minor);
	if (string_equal(links->directory, "/dev/char") && string_equal(dev, "/dev"))
		dev = "..";
	(void)snprintf(text, sizeof(text), "%s/%s", dev, node->name);
	if (!links->pretend)
		r = make_link(links->dir_fd, name, text);
	if (r < 0)
		return error_errno(links->err, -r, "create the link %s/%s", links->directory, name);
	if (r > 0)
		report_link(links, name, text);
	return 0;
}

/* Links the nodes of the driver, and of NVSwitches. */
static int link_all(struct links *links, const struct driver_roots *roots, unsigned what, bool all,
		    struct arena *arena)
{
	const struct strings none = {0};
	AUTO_ROOT root = {.fd = -1};
	AUTO_FD dir_fd = -1;
	struct driver driver = {0};
	struct strings done;
	int r = root_open("/", &root, links->err);

	if (r == 0)
		r = driver_prepare(roots, links->config, what, arena, &driver, &done, links->err);
	if (r == 0)
		r = driver_read_families(roots, FAMILY_NVSWITCH, &none, arena, &driver, links->err);
	if (r == 0 && !links->pretend) {
		dir_fd = root_mkdirs(&root, links->directory, links->err);
		links->dir_fd = dir_fd;
		r = dir_fd;
	}
	for (size_t i = 0; r >= 0 && i < driver.nodes.count; i++) {
		const struct device_node *node = &driver.nodes.items[i];

		if (node->present || (all && node->major != 0))
			r = link_node(links, node);
	}
	return r < 0 ? r : 0;
}

/* The preparation before the links. As in nvidia-ctk, there is none without --create-all. */
static unsigned preparation_of(const struct arguments *arguments, bool all)
{
	unsigned what = arguments_flag(arguments, "dry-run") ? PREPARE_PRETEND : 0;

	if (all && arguments_flag(arguments, "load-kernel-modules"))
		what |= PREPARE_MODULES;
	if (all && arguments_flag(arguments, "create-device-nodes"))
		what |= PREPARE_NODES;
	return what;
}

int cli_create_links(const struct arguments *arguments)
{
	const char *directory = arguments_value(arguments, "dev-char-path");
	const char *driver_root = arguments_value(arguments, "driver-root");
	bool all = arguments_flag(arguments, "create-all");
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct config config;
	struct links links = {
		.config = &config,
		.directory = directory ? directory : "/dev/char",
		.dir_fd = -1,
		.pretend = arguments_flag(arguments, "dry-run"),
		.json = arguments->json,
		.made = json_object_new_array(),
		.err = &err,
	};
	struct json_object *answer = json_object_new_object();
	int failed = 0, r = config_load(arguments->config, &arena, &config, &err);

	if (r == 0 && driver_root && !string_equal(driver_root, "/")) {
		driver_root = cli_absolute(driver_root, &arena);
		config.driver.dev =
			driver_root ? arena_printf(&arena, "%s/dev", driver_root) : NULL;
		if (!config.driver.dev)
			r = error_memory(&err);
	}
	if (r == 0)
		r = driver_roots_open(&config, &roots, &err);
	if (r == 0)
		r = link_all(&links, &roots, preparation_of(arguments, all), all, &arena);
	driver_roots_close(&roots);
	json_object_object_add(answer, "links", links.made);
	if (arguments->json)
		failed = cli_print_json(json_object_get(answer));
	(void)json_object_put(answer);
	if (fflush(stdout) != 0)
		failed = 1;
	return r < 0 ? cli_fail(&err) : failed;
}

const struct command_option create_links_options[] = {
	{"create-all", OPTION_FLAG, NULL, "also create links for nodes that don't exist"},
	{"create-device-nodes", OPTION_FLAG, NULL, "with --create-all: create the nodes first"},
	{"load-kernel-modules", OPTION_FLAG, NULL, "with --create-all: load the modules first"},
	{"dev-char-path", OPTION_VALUE, "DIR", "the directory of the links (/dev/char)"},
	{"dry-run", OPTION_FLAG, NULL, "only print which links would be created"},
	{"driver-root", OPTION_VALUE, "DIR", "the root whose /dev contains the nodes"},
	{NULL, 0, NULL, NULL},
};

const struct command command_create_links = {
	.name = "create-dev-char-symlinks",
	.summary = "link /dev/char/MAJOR:MINOR to the driver's nodes",
	.help = "Creates the links by which runc and systemd find a device's name, for the driver's\n"
		"existing nodes. It prints the created links. Correct links are kept.\n",
	.example = "davit system create-dev-char-symlinks --create-all",
	.options = create_links_options,
	.json = true,
	.one_dash = true,
	.run = cli_create_links,
};
