// SPDX-License-Identifier: Apache-2.0
/* Adds the nodes of the lists and of discrete GPUs, and assigns each to its GPUs. */
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "board.h"
#include "davit/bus_id.h"

#define GPUS "driver/nvidia/gpus"
#define LAST_WITH_NVGPU 234 /* Orin; since Thor (264), the chip's GPU is on the PCI bus */

/*
 * The nodes that lists may name. A user who can write a list can already give containers
 * everything. But lists are copied from board to board, and NVIDIA's name only these nodes.
 */
static const char *const allowed[] = {
	"nvidia*",    "nvhost-*", "nvgpu/*/*",   "nvmap",         "nvsciipc",
	"nvsciic2c*", "host1x*",  "dri/card*",   "dri/renderD*",  "fb[0-9]*",
	"tegra*",     "v4l2-*",   "video[0-9]*", "media[0-9]*",   "dma_heap/*",
	"capture-*",  "camchar*", "cvsfw*",      "nvidia-caps/*",
};

/* Nodes of the chip's own GPU, which discrete GPUs don't need. */
static const char *const of_the_chip[] = {"nvgpu/*/*", "nvhost-*gpu", "nvidia[0-9]*"};

/* Nodes for profiling and debugging everything on the GPU. */
static const char *const debugging[] = {
	"nvgpu/*/dbg",    "nvgpu/*/prof*",    "nvgpu/*/ctxsw",
	"nvhost-dbg-gpu", "nvhost-prof*-gpu", "nvhost-ctxsw-gpu",
};

static bool is_any(const char *const *patterns, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (csv_matches_path(patterns[i], name))
			return true;
	return false;
}
#define IS_ANY(patterns, name) is_any(patterns, ARRAY_SIZE(patterns), name)

/* ---- one node --------------------------------------------------------------------------- */

static bool is_known(const struct driver *driver, const char *name)
{
	for (size_t i = 0; i < driver->nodes.count; i++)
		if (strcmp(driver->nodes.items[i].name, name) == 0)
			return true;
	return false;
}

static bool may_come_in(struct board *board, const char *name)
{
	const char *path = arena_printf(board->arena, "/dev/%s", name);

	if (!board->config->policy.csv_debug && IS_ANY(debugging, name))
		return false;
	if (IS_ANY(allowed, name) || (path && board_allows(board, path)))
		return true;
	log_line(
		LOG_LEVEL_WARNING,
		"/dev/%s is skipped: a list names it, but NVIDIA's lists contain no such node (fix: add it to policy.csv-allow)",
		name);
	return false;
}

static int note_group(struct board *board, const struct stat *st)
{
	static const mode_t everybody = S_IROTH | S_IWOTH;
	const char *group;

	if (st->st_gid == 0 || (st->st_mode & everybody) == everybody)
		return 0;
	group = arena_printf(board->arena, "%u", (unsigned)st->st_gid);
	if (!group)
		return -ENOMEM;
	return strings_contain(&board->groups, group)
		       ? 0
		       : strings_add(board->arena, &board->groups, group);
}

/* 1: the node exists and, if allowed, was added; 0: it doesn't exist; or -ENOMEM. */
static int add_node(struct board *board, const char *name)
{
	struct device_node *node;
	struct stat st;
	int r = host_stat_node(&board->roots->dev, name, &st);

	if (r < 0 || !S_ISCHR(st.st_mode))
		return 0;
	if (is_known(board->driver, name))
		return 1;
	if (!may_come_in(board, name))
		return 1;
	node = ARENA_PUSH(board->arena, &board->driver->nodes);
	if (!node || note_group(board, &st) < 0)
		return -ENOMEM;
	*node = (struct device_node){
		.name = name,
		.major = major(st.st_rdev),
		.minor = minor(st.st_rdev),
		.present = true,
	};
	return 1;
}

/* Adds "nvgpu/igpu0/ctrl" if the driver calls that directory igpu-0000:01:00.0. */
static int add_from_other_folder(struct board *board, const char *name)
{
	static const char usual[] = "nvgpu/igpu0/";
	struct strings folders;
	struct stat st;
	int added = 0;

	if (!string_starts(name, usual) ||
	    host_stat_node(&board->roots->dev, "nvgpu/igpu0", &st) == 0 ||
	    host_list(&board->roots->dev, "nvgpu", board->arena, &folders) < 0)
		return 0;
	for (size_t i = 0; i < folders.count; i++) {
		const char *other = arena_printf(board->arena, "nvgpu/%s/%s", folders.items[i],
						 name + strlen(usual));
		int r = other ? add_node(board, other) : -ENOMEM;

		if (r < 0)
			return r;
		if (r && !added)
			log_line(LOG_LEVEL_WARNING,
				 "the list's /dev/%s is /dev/nvgpu/%s with this driver", name,
				 folders.items[i]);
		added |= r;
	}
	return added;
}

static int add_listed(struct board *board, const char *path)
{
	struct strings names = {0};
	struct walk walk;
	int r, found = 0;

	/* JetPack 4's sample list has names without /dev, which add nothing there, either. */
	if (!string_starts(path, "/dev/"))
		return 0;
	walk_begin(&walk, &board->roots->dev, board->arena);
	r = walk_glob(&walk, path + strlen("/dev"), &names);
	walk_end(&walk);
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const char *name = names.items[i] + 1;

		r = add_node(board, name);
		if (r == 0)
			r = add_from_other_folder(board, name);
		found |= r > 0;
		r = r < 0 ? r : 0;
	}
	board->absent += r == 0 && !found;
	return r;
}

/* ---- the GPUs --------------------------------------------------------------------------- */

bool board_has_nvgpu(const struct driver_roots *roots)
{
	static const char *const nodes[] = {"nvgpu", "nvhost-gpu", "nvhost-ctrl-gpu"};
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		if (host_stat_node(&roots->dev, nodes[i], &st) == 0)
			return true;
	return false;
}

/*
 * Whether it is the chip's own GPU, which the native driver shows on a PCI bus (Thor). It is
 * recognised by its model or, on a chip without nvgpu whose model isn't known here, by its bus id.
 */
static bool is_the_chips(const struct board *board, const char *id, const char *model)
{
	static const char *const names[] = {"(nvgpu)", "Thor", "Orin", "Tegra"};
	bus_id place, first = 0;

	if (board->driver->gpus.items[0].bus_id)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strstr(model, names[i]))
			return true;
	return board->chip > LAST_WITH_NVGPU && bus_id_parse(id, &place) == 0 &&
	       bus_id_parse("0000:01:00.0", &first) == 0 && place == first &&
	       !board_has_nvgpu(board->roots);
}

static int add_gpu(struct board *board, struct gpu **ret)
{
	struct gpus *gpus = &board->driver->gpus;

	*ret = ARENA_PUSH(board->arena, gpus);
	if (!*ret)
		return -ENOMEM;
	**ret = (struct gpu){.index = (unsigned)gpus->count - 1,
			     .minor = GPU_NO_MINOR,
			     .uuid = GPU_UUID_UNKNOWN,
			     .model = ""};
	return 0;
}

static const char *copy_value(struct board *board, const char *text, const char *key,
			      const char *otherwise)
{
	struct slice value = host_value(text, key);
	char *copy = value.length ? arena_strndup(board->arena, value.data, value.length) : NULL;

	if (!copy)
		return otherwise;
	string_printable(copy);
	return copy;
}

/* Reads a GPU that the native driver shows: a discrete one or the chip's own. 0 or -ENOMEM. */
static int read_shown(struct board *board, const char *id)
{
	const char *path = arena_printf(board->arena, GPUS "/%s/information", id), *model;
	struct slice number;
	uint64_t minor;
	struct gpu *gpu;
	bus_id ignored;
	char *text;

	if (!path)
		return -ENOMEM;
	if (bus_id_parse(id, &ignored) < 0 ||
	    host_read_text(&board->roots->proc, path, board->arena, &text) < 0)
		return 0;
	model = copy_value(board, text, "Model", "");
	if (is_the_chips(board, id, model)) {
		gpu = &board->driver->gpus.items[0];
		gpu->bus_id = id;
		gpu->model = model;
		gpu->uuid = copy_value(board, text, "GPU UUID", GPU_UUID_UNKNOWN);
		return 0;
	}
	number = host_value(text, "Device Minor");
	if (parse_number(number.data, number.length, 10, 0xfffff, &minor) < 0)
		return 0;
	if (add_gpu(board, &gpu) < 0)
		return -ENOMEM;
	gpu->bus_id = id;
	gpu->model = model;
	gpu->minor = (unsigned)minor;
	gpu->uuid = copy_value(board, text, "GPU UUID", GPU_UUID_UNKNOWN);
	return 0;
}

static int by_bus_id(const void *a, const void *b)
{
	bus_id x = 0, y = 0;

	(void)bus_id_parse(*(const char *const *)a, &x);
	(void)bus_id_parse(*(const char *const *)b, &y);
	return (x > y) - (x < y);
}

/* ---- whose node it is ------------------------------------------------------------------- */

/* The discrete GPU with the node "nvidiaN", or NULL. */
static const struct gpu *gpu_by_minor(const struct driver *driver, const char *name)
{
	uint64_t minor;

	if (!string_starts(name, "nvidia") ||
	    parse_number(name + 6, strlen(name + 6), 10, UINT32_MAX, &minor) < 0)
		return NULL;
	for (size_t i = 1; i < driver->gpus.count; i++)
		if (driver->gpus.items[i].minor == minor)
			return &driver->gpus.items[i];
	return NULL;
}

/* The discrete GPU below which sysfs shows the DRM node, or NULL. */
static const struct gpu *gpu_by_drm(const struct board *board, const char *name)
{
	struct stat st;

	if (!string_starts(name, "dri/"))
		return NULL;
	for (size_t i = 1; i < board->driver->gpus.count; i++) {
		const struct gpu *gpu = &board->driver->gpus.items[i];
		const char *path = arena_printf(board->arena, "bus/pci/devices/%s/drm/%s",
						gpu->bus_id, name + strlen("dri/"));

		if (path && root_stat(&board->roots->sys, path, 0, &st) == 0)
			return gpu;
	}
	return NULL;
}

static int assign_node(struct board *board, struct gpu *gpu, const char *name)
{
	return strings_add(board->arena, &gpu->nodes, name);
}

/*
 * A discrete GPU gets its own node and DRM nodes, and nodes that belong to no GPU (nvmap, host1x,
 * video). The chip's own GPU gets the nodes of the lists, except those of discrete GPUs.
 */
static int assign_nodes(struct board *board)
{
	struct gpus *gpus = &board->driver->gpus;
	int r = 0;

	for (size_t i = 0; r == 0 && i < board->driver->nodes.count; i++) {
		const char *name = board->driver->nodes.items[i].name;
		const struct gpu *owner = gpu_by_minor(board->driver, name);
		bool chips = IS_ANY(of_the_chip, name);

		if (!owner)
			owner = gpu_by_drm(board, name);
		for (size_t j = 0; r == 0 && j < gpus->count; j++) {
			struct gpu *gpu = &gpus->items[j];

			if (owner    ? owner == gpu
			    : j == 0 ? i < board->listed || chips
				     : !chips && !string_starts(name, "dri/"))
				r = assign_node(board, gpu, name);
		}
	}
	return r;
}

/* Adds nodes that the lists of boards without discrete GPUs don't name. */
static int add_for_discrete(struct board *board)
{
	static const char *const control[] = {"nvidiactl", "nvidia-modeset", "nvidia-uvm",
					      "nvidia-uvm-tools"};
	struct driver *driver = board->driver;
	size_t count = driver->gpus.count;
	int r = 0;

	for (size_t i = 0; r >= 0 && count > 1 && i < ARRAY_SIZE(control); i++)
		r = add_node(board, control[i]);
	for (size_t i = 1; r >= 0 && i < count; i++) {
		const char *name =
			arena_printf(board->arena, "nvidia%u", driver->gpus.items[i].minor);

		r = name ? add_node(board, name) : -ENOMEM;
	}
	/* The display of the chip, unless a discrete GPU has that minor. */
	for (unsigned i = 1; r >= 0 && count > 1 && i <= 2; i++) {
		const char *name = arena_printf(board->arena, "nvidia%u", i);

		r = name ? add_node(board, name) : -ENOMEM;
	}
	return r < 0 ? r : 0;
}

static int add_drm_of_discrete(struct board *board)
{
	int r = 0;

	for (size_t i = 1; r == 0 && i < board->driver->gpus.count; i++) {
		const char *path = arena_printf(board->arena, "bus/pci/devices/%s/drm",
						board->driver->gpus.items[i].bus_id);
		struct strings names;

		r = path ? host_list(&board->roots->sys, path, board->arena, &names) : -ENOMEM;
		for (size_t j = 0; r == 0 && j < names.count; j++) {
			const char *name = arena_printf(board->arena, "dri/%s", names.items[j]);

			if (!string_starts(names.items[j], "card") &&
			    !string_starts(names.items[j], "renderD"))
				continue;
			r = name ? add_node(board, name) : -ENOMEM;
			r = r < 0 ? r : 0;
		}
		r = r == -ENOMEM ? r : 0;
	}
	return r;
}

/* A hook can't change a process's groups. */
static int note_groups(struct board *board)
{
	const char *list = strings_join(board->arena, &board->groups, ", ");
	const char *options = strings_join(board->arena, &board->groups, " --group-add ");
	const char *note;

	if (!board->groups.count)
		return 0;
	note = list && options
		       ? arena_printf(
				 board->arena,
				 "nodes belong to the host's groups %s: a process that isn't "
				 "root needs them; davit-runtime and CDI add them; with the hook, "
				 "use `docker run --group-add %s`",
				 list, options)
		       : NULL;
	return note ? strings_add(board->arena, &board->driver->notes, note) : -ENOMEM;
}

/* ---- whether the chip's GPU is there ----------------------------------------------------- */

/* Whether the entry names a node of the chip's GPU, which may not exist. */
static bool is_own_entry(const struct board *board, const struct csv_entry *entry)
{
	const char *name = entry->path + strlen("/dev/");

	return entry->type == CSV_DEV && string_starts(entry->path, "/dev/") &&
	       IS_ANY(of_the_chip, name) && !gpu_by_minor(board->driver, name);
}

/* Whether none of its nodes in the lists exists: its driver didn't start, or it is off. */
static bool is_chip_absent(const struct board *board)
{
	const struct strings *nodes = &board->driver->gpus.items[0].nodes;
	bool named = false;

	for (size_t i = 0; i < nodes->count; i++)
		if (IS_ANY(of_the_chip, nodes->items[i]))
			return false;
	for (size_t i = 0; i < board->entries.count; i++)
		named |= is_own_entry(board, &board->entries.items[i]);
	return named || nodes->count == 0;
}

/* IGX switches the chip's GPU off while its discrete GPU is in use. The others count from 0. */
static int drop_chip(struct board *board)
{
	struct gpus *gpus = &board->driver->gpus;

	gpus->items++;
	gpus->count--;
	gpus->capacity = gpus->count;
	for (size_t i = 0; i < gpus->count; i++)
		gpus->items[i].index = (unsigned)i;
	return strings_add(board->arena, &board->driver->notes,
			   "the chip's own GPU isn't in use here: none of its nodes exists");
}

static const char *read_model(struct board *board)
{
	char *text;

	if (host_read_text(&board->roots->sys, "firmware/devicetree/base/model", board->arena,
			   &text) < 0 ||
	    !*text)
		return "a Tegra board's GPU";
	string_printable(text);
	return text;
}

int board_read_gpus(struct board *board)
{
	struct driver *driver = board->driver;
	struct strings ids = {0};
	struct gpu *chips;
	int r = add_gpu(board, &chips);

	if (r == 0) {
		chips->model = read_model(board);
		r = host_list(&board->roots->proc, GPUS, board->arena, &ids);
		r = r == -ENOMEM ? r : 0;
	}
	if (ids.count)
		qsort(ids.items, ids.count, sizeof(*ids.items), by_bus_id);
	for (size_t i = 0; r == 0 && i < ids.count; i++)
		r = read_shown(board, ids.items[i]);
	for (size_t i = 0; r == 0 && i < board->entries.count; i++)
		if (board->entries.items[i].type == CSV_DEV)
			r = add_listed(board, board->entries.items[i].path);
	board->listed = driver->nodes.count;
	if (r == 0)
		r = add_for_discrete(board);
	if (r == 0)
		r = add_drm_of_discrete(board);
	if (r == 0)
		r = assign_nodes(board);
	if (r == 0)
		r = note_groups(board);
	if (r < 0)
		return error_memory(board->err);
	if (!is_chip_absent(board))
		return 0;
	if (driver->gpus.count > 1)
		return drop_chip(board) < 0 ? error_memory(board->err) : 0;
	return error_set(
		board->err, ERROR_NO_DRIVER, ENXIO,
		"check `dmesg | grep -iE 'nvgpu|nvmap|NVRM'` for why the GPU's driver didn't start",
		"use the GPU of this board: none of its nodes that the lists in %s name exists "
		"(/dev/nvgpu, /dev/nvhost-gpu, /dev/nvidia0; %s)",
		board->config->driver.csv,
		driver->nodes.count ? "others, such as /dev/nvmap, do" : "nor does /dev/nvmap");
}
