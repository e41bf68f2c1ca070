// SPDX-License-Identifier: Apache-2.0
/* Converts edits of specs to operations of a plan, and checks whether a hook can make them. */
#include <string.h>

#include "davit/cdi_edits.h"

static struct operation *plan(struct arena *arena, struct plan *to, enum operation_kind kind,
			      const char *target, const char *because)
{
	struct operation *operation = ARENA_PUSH(arena, to);

	if (!operation)
		return NULL;
	operation->kind = kind;
	operation->source_fd = -1;
	operation->target = target;
	operation->because = because;
	operation->required = operation->of_spec = true;
	return operation;
}

static bool has_node(const struct plan *plan, const char *target)
{
	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].kind == OPERATION_DEVICE &&
		    string_equal(plan->items[i].target, target))
			return true;
	return false;
}

static void set_numbers(struct operation *operation, const struct cdi_node *node)
{
	operation->major = node->major;
	operation->minor = node->minor;
	operation->block = node->type == 'b';
	operation->access = node->access;
}

static int plan_node(const struct cdi_node *node, struct arena *arena, struct plan *to)
{
	struct operation *operation;

	/* Several devices of one spec have the same control nodes. */
	if (has_node(to, node->path))
		return 0;
	if (!node->no_rule && node->type != 'p') {
		operation = plan(arena, to, OPERATION_DEVICE_RULE, node->path, node->because);
		if (!operation)
			return -ENOMEM;
		set_numbers(operation, node);
	}
	operation = plan(arena, to, OPERATION_DEVICE, node->path, node->because);
	if (!operation)
		return -ENOMEM;
	set_numbers(operation, node);
	operation->node = node;
	operation->tree = TREE_HOST;
	operation->source = node->host_path;
	operation->flags = MOUNT_FLAG_RDONLY | MOUNT_FLAG_NOSUID | MOUNT_FLAG_NOEXEC;
	return 0;
}

int cdi_plan(const struct cdi_edits *edits, struct arena *arena, struct plan *to, struct error *err)
{
	for (size_t i = 0; i < edits->nodes.count; i++)
		if (plan_node(&edits->nodes.items[i], arena, to) < 0)
			return error_memory(err);
	for (size_t i = 0; i < edits->mounts.count; i++) {
		const struct cdi_mount *mount = &edits->mounts.items[i];
		struct operation *bind;

		if (mount->as_given)
			continue;
		bind = plan(arena, to, OPERATION_BIND, mount->container_path, mount->because);
		if (!bind)
			return error_memory(err);
		bind->tree = TREE_HOST;
		bind->source = mount->host_path;
		bind->flags = mount->flags;
	}
	return 0;
}

static bool has_group(const struct oci_user *user, const char *group)
{
	uint64_t number;

	if (parse_number(group, strlen(group), 10, UINT32_MAX, &number) < 0)
		return false;
	for (size_t i = 0; i < user->groups.count; i++)
		if (user->groups.items[i] == number)
			return true;
	return user->gid == number;
}

int cdi_check_for_hook(const struct cdi_edits *edits, const struct oci_user *user,
		       struct error *err)
{
	static const char fix[] =
		"use davit-runtime (docker run --runtime nvidia), or let the engine apply the device with --device";

	if (edits->beyond_hook.count)
		return error_set(err, ERROR_BAD_REQUEST, EINVAL, fix, "apply %.250s",
				 edits->beyond_hook.items[0]);
	/* Root needs no groups. */
	for (size_t i = 0; user->uid != 0 && i < edits->groups.count; i++)
		if (!has_group(user, edits->groups.items[i]))
			return error_set(err, ERROR_BAD_REQUEST, EINVAL, fix,
					 "apply a CDI spec: a hook can't add the container's user "
					 "to the group %s",
					 edits->groups.items[i]);
	return 0;
}
