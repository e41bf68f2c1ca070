// SPDX-License-Identifier: Apache-2.0
/* `davit explain` for people. Similar operations share a line, so that the output fits a screen. */
#include <string.h>

#include "explain.h"
#include "output/tree.h"

/* ---- request, driver, GPUs, image ------------------------------------------------------- */

static void add_request(struct tree *root, const struct gpu_request *request)
{
	struct strings names = {0};
	struct tree *node = NULL;
	const char *devices;

	for (size_t i = 0; i < request->wishes.count; i++) {
		const struct wish *wish = &request->wishes.items[i];

		devices = strings_join(root->arena, &wish->devices, ", ");
		node = tree_add(root, "request: %s %s, from %s", wish->vendor->title,
				devices ? devices : "", wish->from);
	}
	if (request->spec_devices.count) {
		devices = strings_join(root->arena, &request->spec_devices, ", ");
		node = tree_add(root, "request: %s, from %s", devices ? devices : "",
				request->spec_from);
	}
	/* Last, since the capabilities are NVIDIA's. */
	devices = strings_join(root->arena, &request->devices, ", ");
	if (request->nvidia)
		node = tree_add(root, "request: %s%s, from %s",
				request->wishes.count ? "NVIDIA " : "", devices ? devices : "",
				request->from);
	if (!request->gpu)
		node = tree_add(root, "request: the container requests no GPU");
	if (request->nvidia) {
		for (unsigned bit = 1; bit <= CAPABILITY_ALL; bit <<= 1)
			if (request->capabilities_granted & bit)
				(void)strings_add(root->arena, &names, capability_name(bit));
		devices = strings_join(root->arena, &names, ", ");
		(void)tree_add(node, "capabilities: %s", devices && *devices ? devices : "none");
	}
	for (size_t i = 0; i < request->rules.count; i++)
		(void)tree_add(node, "rule: %s", request->rules.items[i].text);
}

static void add_options(struct tree *root, const struct try_request *request)
{
	const char *text = explain_options_text(request, root->arena);

	if (text)
		(void)tree_add(root, "options: %s", text);
}

static void add_selection(struct tree *root, const struct pipeline *pipeline)
{
	const struct selection *selection = &pipeline->selection;
	struct tree *node = tree_add(root, "%sGPUs: %zu selected",
				     pipeline->choices.count ? "NVIDIA " : "", selection->count);

	for (size_t i = 0; i < selection->count; i++) {
		const struct gpu *gpu = selection->items[i].gpu;
		const struct mig_instance *mig = selection->items[i].mig;

		if (mig)
			(void)tree_add(node, "GPU %u MIG %u:%u %s %s", gpu->index,
				       mig->gpu_instance, mig->compute_instance,
				       mig->uuid ? mig->uuid : gpu->uuid, gpu->model);
		else if (!gpu->bus_id && strchr(gpu->uuid, '?'))
			(void)tree_add(node, "GPU %u %s (only NVML knows its UUID)", gpu->index,
				       gpu->model);
		else
			(void)tree_add(node, "GPU %u %s %s at %s", gpu->index, gpu->uuid,
				       gpu->model, gpu_place_text(gpu));
	}
}

static void add_choice(struct tree *root, const struct choice *choice)
{
	const char *title = choice->vendor->title;
	struct tree *node = tree_add(root, "%s GPUs: %zu of %zu selected", title, choice->count,
				     choice->all.count);

	for (size_t i = 0; i < choice->count; i++) {
		const struct accelerator *one = choice->items[i];
		const char *nodes = cli_accelerator_nodes(one, root->arena);

		(void)tree_add(node, "%s GPU %u %s%s%s at %s%s%s: %s", title, one->index,
			       one->uid_name ? one->uid_name : "", one->uid_name ? " " : "",
			       one->model ? one->model : "", one->bus_id, one->device ? ", " : "",
			       one->device ? one->device : "", nodes ? nodes : "");
	}
	if (*choice->all.warning)
		(void)tree_add(node, "%s", choice->all.warning);
}

static void add_image(struct tree *root, const struct image *image, bool known)
{
	static const char *const loaders[] = {
		[IMAGE_LOADER_NONE] = "no dynamic loader",
		[IMAGE_LOADER_GLIBC] = "glibc",
		[IMAGE_LOADER_MUSL] = "musl",
	};
	struct tree *node = tree_add(
		root, "image: %s%s, library directory %s%s", known ? "" : "assumed to have ",
		loaders[image->loader], image->lib_dir,
		image->lib_dir_moved ? ", because its own library directory is a volume" : "");

	if (image->compat_version)
		(void)tree_add(node, "its own libcuda %s: %s", image->compat_version,
			       image->compat_used ? "newer than the host's, so it is searched first"
						  : "not used");
}

/* ---- operations ------------------------------------------------------------------------- */

struct lister {
	const struct pipeline *pipeline;
	struct arena *arena;
	/* One per operation: */
	bool *done;
	const char **outcomes;
};

static const char *outcome_of(const struct lister *l, const struct operation *operation)
{
	return l->outcomes[operation - l->pipeline->plan.items];
}

static size_t directory_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) : 0;
}

static bool same_directory(const char *a, const char *b)
{
	size_t length = directory_length(a);

	return length == directory_length(b) && memcmp(a, b, length) == 0;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool has_files(const struct operation *operation)
{
	return operation->kind == OPERATION_DEVICE || operation->kind == OPERATION_BIND;
}

/* Whether the two operations can share a line, as names in the same directory. */
static bool are_alike(const struct lister *l, const struct operation *a, const struct operation *b)
{
	if (a->kind != b->kind || a->required != b->required ||
	    strcmp(a->because, b->because) != 0 || !same_directory(a->target, b->target))
		return false;
	if (has_files(a) && !same_directory(explain_source(l->pipeline, a, l->arena),
					    explain_source(l->pipeline, b, l->arena)))
		return false;
	return strcmp(outcome_of(l, a), outcome_of(l, b)) == 0;
}

/* The rule of a node that is also bound is shown with the node, which has the same numbers. */
static bool is_shown_with_node(const struct plan *plan, size_t index)
{
	const struct operation *rule = &plan->items[index];

	if (rule->kind != OPERATION_DEVICE_RULE)
		return false;
	for (size_t i = index; i < plan->count; i++)
		if (plan->items[i].kind == OPERATION_DEVICE &&
		    strcmp(plan->items[i].target, rule->target) == 0)
			return true;
	return false;
}

/* "nvidia1 (c 195:1)", "card1 -> ../card1", "libcuda.so.1" (a link to its neighbour) */
static const char *name_of(const struct lister *l, const struct operation *operation,
			   const char *name)
{
	switch (operation->kind) {
	case OPERATION_DEVICE:
	case OPERATION_DEVICE_RULE:
		return arena_printf(l->arena, "%s (%s%s%s)", name,
				    operation_numbers(operation, l->arena),
				    operation->access ? " " : "",
				    operation->access ? device_access_name(operation->access) : "");
	case OPERATION_SYMLINK:
		if (name == operation->target || strchr(operation->text, '/'))
			return arena_printf(l->arena, "%s -> %s", name, operation->text);
		return name;
	default:
		return name;
	}
}

static void add_one(const struct lister *l, struct tree *node, const char *reason,
		    const struct operation *operation)
{
	const char *source = explain_source(l->pipeline, operation, l->arena);
	const char *name = name_of(l, operation, operation->target);
	const char *outcome = outcome_of(l, operation);

	if (!name || !source)
		return;
	(void)tree_add(node, "%s%s%s %s%s%s%s%s%s", reason, *reason ? ": " : "",
		       operation_name(operation->kind), name, has_files(operation) ? " from " : "",
		       has_files(operation) ? source : "", operation->required ? "" : " (optional)",
		       *outcome ? ", " : "", outcome);
}

static void add_several(const struct lister *l, struct tree *node,
			const struct operation *const *members, size_t count)
{
	const struct operation *first = members[0];
	const char *source = explain_source(l->pipeline, first, l->arena);
	const char *outcome = outcome_of(l, first);
	struct tree *line;

	if (!source)
		return;
	line = tree_add(node, "%s %zu in %.*s%s%.*s%s%s%s", operation_name(first->kind), count,
			(int)directory_length(first->target), first->target,
			has_files(first) ? " from " : "",
			has_files(first) ? (int)directory_length(source) : 0, source,
			first->required ? "" : " (optional)", *outcome ? ", " : "", outcome);
	for (size_t i = 0; i < count; i++)
		tree_add_name(line, name_of(l, members[i], base_name(members[i]->target)));
}

/* Finds all operations similar to the one at `index`, and marks them as done. */
static size_t find_members(const struct lister *l, size_t index, const struct operation **ret)
{
	const struct plan *plan = &l->pipeline->plan;
	size_t count = 0;

	for (size_t i = index; i < plan->count; i++) {
		if (l->done[i] || !are_alike(l, &plan->items[index], &plan->items[i]))
			continue;
		l->done[i] = true;
		ret[count++] = &plan->items[i];
	}
	return count;
}

/* Adds all operations with one reason. A single one is shown in the reason's line. */
static void add_reason(const struct lister *l, struct tree *operations, size_t index)
{
	const struct plan *plan = &l->pipeline->plan;
	const char *because = plan->items[index].because;
	const struct operation **members =
		arena_alloc(l->arena, plan->count * sizeof(const struct operation *));
	struct tree *node = NULL;

	for (size_t i = index; members && i < plan->count; i++) {
		size_t count;

		if (l->done[i] || strcmp(plan->items[i].because, because) != 0)
			continue;
		count = find_members(l, i, members);
		if (!node && count == 1) {
			bool more = false;

			for (size_t j = i + 1; j < plan->count; j++)
				more |= !l->done[j] && strcmp(plan->items[j].because, because) == 0;
			if (!more) {
				add_one(l, operations, because, members[0]);
				return;
			}
		}
		if (!node)
			node = tree_add(operations, "%s", because);
		if (count == 1)
			add_one(l, node, "", members[0]);
		else
			add_several(l, node, members, count);
	}
}

static void add_operations(struct tree *root, const struct explanation *explanation)
{
	const struct pipeline *pipeline = &explanation->pipeline;
	const struct plan *plan = &pipeline->plan;
	struct lister l = {
		.pipeline = pipeline,
		.arena = root->arena,
		.done = arena_alloc(root->arena, plan->count + 1),
		.outcomes = arena_alloc(root->arena, (plan->count + 1) * sizeof(char *)),
	};
	struct tree *node = tree_add(root, "operations: %zu, by their reasons", plan->count);

	if (!l.done || !l.outcomes)
		return;
	for (size_t i = 0; i < plan->count; i++) {
		l.done[i] = is_shown_with_node(plan, i);
		l.outcomes[i] = explain_outcome_text(explanation, &plan->items[i], l.arena);
	}
	for (size_t i = 0; i < plan->count; i++)
		if (!l.done[i])
			add_reason(&l, node, i);
}

static const char *platform_text(const struct driver *driver)
{
	return driver->platform == PLATFORM_WSL     ? " (WSL2)"
	       : driver->platform == PLATFORM_TEGRA ? " (Tegra)"
						    : "";
}

void explain_print_tree(const struct explanation *explanation, struct arena *arena)
{
	const struct pipeline *pipeline = &explanation->pipeline;
	struct tree top = {.arena = arena}, *root;

	if (pipeline->bundle && *pipeline->bundle)
		root = tree_add(&top, "bundle %s", pipeline->bundle);
	else
		root = tree_add(&top, "a container without a bundle: its image is unknown");
	if (explanation->request)
		add_options(root, explanation->request);
	if (pipeline->stage >= PIPELINE_SPEC && *pipeline->rootfs)
		(void)tree_add(root, "rootfs: %s", pipeline->rootfs);
	if (pipeline->stage >= PIPELINE_REQUEST)
		add_request(root, &pipeline->request);
	if (explanation->written)
		explain_add_written(root, explanation->written);
	if (pipeline->stage >= PIPELINE_DRIVER && pipeline->request.nvidia)
		(void)tree_add(root, "driver: %s%s in %s, %zu GPU%s",
			       driver_version_text(&pipeline->driver),
			       platform_text(&pipeline->driver), pipeline->driver.root_path,
			       pipeline->driver.gpus.count,
			       pipeline->driver.gpus.count == 1 ? "" : "s");
	if (pipeline->stage >= PIPELINE_SELECTION && pipeline->request.nvidia)
		add_selection(root, pipeline);
	if (pipeline->stage >= PIPELINE_SELECTION)
		for (size_t i = 0; i < pipeline->choices.count; i++)
			add_choice(root, &pipeline->choices.items[i]);
	for (size_t i = 0; i < pipeline->driver.notes.count; i++)
		(void)tree_add(root, "note: %s", pipeline->driver.notes.items[i]);
	if (pipeline->driver.unproven)
		(void)tree_add(root, "note: not verified, because only NVML can: cannot %s",
			       pipeline->driver.unproven);
	for (size_t i = 0; i < pipeline->notes.count; i++)
		(void)tree_add(root, "note: %s", pipeline->notes.items[i]);
	if (pipeline->stage >= PIPELINE_PLAN) {
		if (pipeline->request.nvidia)
			add_image(root, &pipeline->image, *pipeline->bundle);
		add_operations(root, explanation);
	}
	if (root != &top)
		tree_print(root);
}
