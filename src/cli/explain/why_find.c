// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "why.h"

#define PROC_DRIVER "/proc/driver/nvidia"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The rest of `path` beneath `directory` ("" for the directory itself), or NULL. */
static const char *beneath(const char *directory, const char *path)
{
	size_t length = strlen(directory);

	if (strncmp(directory, path, length) != 0 || (path[length] && path[length] != '/'))
		return NULL;
	return path[length] ? path + length + 1 : path + length;
}

static int stat_parent(const struct root *root, const char *path, struct arena *arena,
		       struct stat *ret)
{
	const char *parent = arena_strndup(arena, path, (size_t)(base_name(path) - path));

	return parent ? root_stat(root, parent, 0, ret) : -ENOMEM;
}

/* /lib/x86_64-linux-gnu/libcuda.so.1 is what is asked after, and the image's /lib a link. */
static bool is_same_place(const struct why_question *question, const char *target,
			  const struct root *root)
{
	struct stat asked, ours;

	return root->fd >= 0 && strcmp(base_name(target), question->name) == 0 &&
	       stat_parent(root, question->path, question->arena, &asked) == 0 &&
	       stat_parent(root, target, question->arena, &ours) == 0 &&
	       asked.st_dev == ours.st_dev && asked.st_ino == ours.st_ino;
}

/* What the mask over /proc/driver/nvidia shows. */
static bool mask_shows(const struct proc_mask *mask, const char *rest)
{
	const char *gpu = beneath("gpus", rest);
	const struct strings *lists[] = {&mask->capabilities, &mask->capability_files};

	if (!*rest || (gpu && !*gpu))
		return true;
	if (strcmp(rest, "version") == 0)
		return mask->version;
	if (strcmp(rest, "params") == 0)
		return mask->params;
	if (strcmp(rest, "registry") == 0)
		return mask->registry;
	for (size_t i = 0; gpu && i < mask->bus_ids.count; i++)
		if (beneath(mask->bus_ids.items[i], gpu))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		for (size_t j = 0; j < lists[i]->count; j++)
			if (beneath(lists[i]->items[j], rest) || beneath(rest, lists[i]->items[j]))
				return true;
	return false;
}

static int stat_source(const struct pipeline *pipeline, const struct operation *operation,
		       struct stat *ret)
{
	if (operation->source_fd >= 0)
		return fstat(operation->source_fd, ret) < 0 ? -errno : 0;
	return root_stat(driver_root_of(&pipeline->roots, operation->tree), operation->source, 0,
			 ret);
}

static bool takes_file(const struct operation *operation)
{
	return operation->kind == OPERATION_BIND || operation->kind == OPERATION_DEVICE;
}

/* A node that the host gets before the container does. */
static bool is_to_be_made(const struct driver *driver, const struct operation *operation)
{
	for (size_t i = 0; i < driver->nodes.count; i++)
		if (driver->nodes.items[i].to_be_made && operation->kind == OPERATION_DEVICE &&
		    strcmp(driver->nodes.items[i].name, operation->source) == 0)
			return true;
	return false;
}

bool why_source_exists(const struct pipeline *pipeline, const struct operation *operation)
{
	struct stat st;

	return !takes_file(operation) || stat_source(pipeline, operation, &st) == 0 ||
	       is_to_be_made(&pipeline->driver, operation);
}

static bool is_source(const struct why_question *question, const struct pipeline *pipeline,
		      const struct operation *operation)
{
	struct stat st;

	if (!takes_file(operation))
		return false;
	if (question->bare)
		return strcmp(base_name(operation->source), question->name) == 0;
	return question->host.st_ino && stat_source(pipeline, operation, &st) == 0 &&
	       st.st_dev == question->host.st_dev && st.st_ino == question->host.st_ino;
}

static bool is_target(const struct why_question *question, const struct pipeline *pipeline,
		      const struct operation *operation, const struct root *root)
{
	const char *rest;

	if (question->bare)
		return strcmp(base_name(operation->target), question->name) == 0;
	rest = beneath(operation->target, question->path);
	if (operation->kind == OPERATION_PROC_MASK)
		return rest && mask_shows(&pipeline->plan.proc_mask, rest);
	return rest || is_same_place(question, operation->target, root);
}

/* What a bare name means that comes in with its directory: the operation that brings that. */
static const struct operation *find_directory(const struct why_question *question,
					      const struct pipeline *pipeline)
{
	const struct driver_files *files = &pipeline->driver.files;

	for (size_t i = 0; question->bare && i < files->count; i++) {
		const struct driver_file *file = &files->items[i];

		if (!file->inside || strcmp(file->name, question->name) != 0)
			continue;
		for (size_t j = 0; j < pipeline->plan.count; j++) {
			const struct operation *operation = &pipeline->plan.items[j];

			if (operation->kind == OPERATION_BIND &&
			    beneath(operation->target, file->target))
				return operation;
		}
	}
	return NULL;
}

const struct operation *why_find(const struct why_question *question,
				 const struct pipeline *pipeline, const struct root *root)
{
	const struct plan *plan = &pipeline->plan;

	/* Rules are shown with their nodes. A container path takes precedence over a host path. */
	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].kind != OPERATION_DEVICE_RULE &&
		    is_target(question, pipeline, &plan->items[i], root))
			return &plan->items[i];
	for (size_t i = 0; i < plan->count; i++)
		if (is_source(question, pipeline, &plan->items[i]))
			return &plan->items[i];
	return find_directory(question, pipeline);
}
