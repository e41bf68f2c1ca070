// SPDX-License-Identifier: Apache-2.0
#include "davit/driver.h"

void driver_roots_close(struct driver_roots *roots)
{
	root_close(&roots->driver);
	root_close(&roots->host);
	root_close(&roots->dev);
	root_close(&roots->proc);
	root_close(&roots->run);
	root_close(&roots->sys);
}

/* If the directory doesn't exist, lookups in it find nothing. */
static int open_optional(const char *path, struct root *ret, struct error *err)
{
	int r = root_open(path, ret, err);

	if (r != -ENOENT)
		return r;
	*ret = (struct root){.fd = -1, .path = path};
	return 0;
}

int driver_roots_open_host(const struct config *config, struct driver_roots *ret, struct error *err)
{
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	int r = root_open("/", &roots.host, err);

	if (r == 0)
		r = root_open(config->driver.proc, &roots.proc, err);
	if (r == 0)
		r = root_open(config->driver.dev, &roots.dev, err);
	if (r == 0)
		r = open_optional(config->driver.run, &roots.run, err);
	if (r == 0)
		r = open_optional(config->driver.sys, &roots.sys, err);
	roots.driver.path = config->driver.root;
	if (r < 0) {
		driver_roots_close(&roots);
		return r;
	}
	*ret = roots;
	return 0;
}

int driver_roots_open(const struct config *config, struct driver_roots *ret, struct error *err)
{
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	int r = driver_roots_open_host(config, &roots, err);

	if (r < 0)
		return r;
	r = root_open(config->driver.root, &roots.driver, err);
	if (r < 0) {
		err->code = ERROR_NO_DRIVER;
		error_fix(err, r, "set driver.root in %s",
			  config->path ? config->path : CONFIG_PATH);
		driver_roots_close(&roots);
		return r;
	}
	*ret = roots;
	return 0;
}

const struct root *driver_root_of(const struct driver_roots *roots, enum driver_tree tree)
{
	switch (tree) {
	case TREE_DRIVER_ROOT:
		return &roots->driver;
	case TREE_DEV:
		return &roots->dev;
	case TREE_PROC:
		return &roots->proc;
	case TREE_RUN:
		return &roots->run;
	case TREE_HOST:
		break;
	}
	return &roots->host;
}

void driver_close(struct driver *driver)
{
	for (size_t i = 0; i < driver->files.count; i++)
		fd_close(&driver->files.items[i].fd);
}
