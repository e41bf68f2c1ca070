// SPDX-License-Identifier: Apache-2.0
/*
 * AMD: a GPU of the driver amdgpu supports computing if KFD has a node for it, which names its
 * render node. A GPU of the MI300 series may be split into partitions. The first is the PCI
 * function itself, the others are platform devices (amdgpu_xcp_K, amdgpu_xcp.K). These exist even
 * if they are unused, so partitions are found only by KFD's nodes and never by name.
 */
#include <string.h>

#include "../driver/host/host.h"
#include "table.h"
#include "topology.h"

#define KFD "class/kfd/kfd"
#define NODES KFD "/topology/nodes"
/* libdrm's table of names on the host: "DEVICE,\tREVISION,\tNAME" */
#define NAMES "usr/share/libdrm/amdgpu.ids"
#define NAMES_MAX ((size_t)1024 * 1024)

/* A GPU among KFD's nodes, in their order. The nodes of CPUs are not GPUs. */
struct kfd_gpu {
	struct topology_node node;
	unsigned number;
	const struct pci_function *function;
	const char *device; /* amdgpu_xcp_K, or NULL */
	struct strings drm; /* its DRM nodes */
};
struct kfd_gpus {
	struct kfd_gpu *items;
	size_t count, capacity;
	bool hidden; /* there are nodes that this process can't read */
};

/* ---- KFD's nodes ------------------------------------------------------------------------ */

/* The function with that address or, unless `exact`, any function of the same device. */
static const struct pci_function *find_function(const struct vendor_reader *reader, bus_id address,
						bool exact)
{
	for (size_t i = 0; i < reader->functions.count; i++) {
		bus_id other = reader->functions.items[i].address;

		if (exact ? other == address : other >> 3 == address >> 3)
			return &reader->functions.items[i];
	}
	return NULL;
}

/* "amdgpu_xcp_3" of the link ".../platform/amdgpu_xcp_3/drm/renderD131"; NULL: another form. */
static const char *device_name(struct vendor_reader *reader, const char *render)
{
	const char *path = arena_printf(reader->arena, "class/drm/%s", render);
	const char *link = path ? root_readlink(&reader->roots->sys, path, reader->arena) : NULL;
	const char *end = link ? strstr(link, "/drm/") : NULL, *start = end;
	char *name;

	while (start && start > link && start[-1] != '/')
		start--;
	name = end ? arena_strndup(reader->arena, start, (size_t)(end - start)) : NULL;
	if (name)
		string_printable(name);
	return name;
}

/*
 * Finds the function of a KFD node, and the DRM nodes that belong to it. 1, 0 (no such function) or
 * -ENOMEM.
 */
static int find_device(struct vendor_reader *reader, struct kfd_gpu *gpu)
{
	const char *render = arena_printf(reader->arena, "renderD%u", gpu->node.render_minor);
	bus_id address = (bus_id)gpu->node.domain << 16 | (gpu->node.location & 0xffff);
	const char *folder =
		render ? arena_printf(reader->arena, "class/drm/%s/device/drm", render) : NULL;
	struct strings names;

	if (!folder)
		return -ENOMEM;
	for (size_t i = 0; i < reader->functions.count; i++)
		if (strings_contain(&reader->functions.items[i].drm, render)) {
			gpu->function = &reader->functions.items[i];
			gpu->drm = gpu->function->drm;
			return 1;
		}
	gpu->function = find_function(reader, address, true);
	if (!gpu->function)
		gpu->function = find_function(reader, address, false);
	if (!gpu->function || host_list(&reader->roots->sys, folder, reader->arena, &names) < 0)
		return 0;
	gpu->drm = names;
	gpu->device = device_name(reader, render);
	if (!gpu->device)
		gpu->device = render;
	return strings_contain(&names, render);
}

static int by_number(const void *a, const void *b)
{
	const char *const *one = a, *const *other = b;
	size_t length = strlen(*one), other_length = strlen(*other);

	if (length != other_length)
		return length < other_length ? -1 : 1;
	return strcmp(*one, *other);
}

/*
 * Reads one node. If the reader's device cgroup lacks the GPU, the kernel refuses the read (EPERM),
 * and the node doesn't count.
 */
static int read_node(struct vendor_reader *reader, const char *number, struct kfd_gpus *ret)
{
	const char *path = arena_printf(reader->arena, NODES "/%s/properties", number);
	struct topology_node node = {0};
	struct kfd_gpu gpu = {0};
	struct kfd_gpu *added;
	uint64_t value;
	size_t length;
	char *text;
	int r;

	if (!path)
		return -ENOMEM;
	if (parse_number(number, strlen(number), 10, UINT32_MAX, &value) < 0)
		return 0;
	r = root_read(&reader->roots->sys, path, TOPOLOGY_MAX, reader->arena, &text, &length);
	if (r == 0)
		r = topology_parse(text, length, &node);
	if (r < 0) {
		log_line(LOG_LEVEL_DEBUG, "KFD's node %s is ignored: %s", number, strerror(-r));
		ret->hidden |= r == -EPERM || r == -EACCES;
		return r == -ENOMEM ? r : 0;
	}
	if (node.render_minor == 0)
		return 0;
	gpu.node = node;
	gpu.number = (unsigned)value;
	r = find_device(reader, &gpu);
	if (r <= 0)
		return r;
	/* Older kernels have the id only in the function's directory. */
	if (!gpu.node.unique_id)
		(void)vendor_read_number(reader, gpu.function->bus_id, "unique_id", UINT64_MAX,
					 &gpu.node.unique_id);
	added = ARENA_PUSH(reader->arena, ret);
	if (!added)
		return -ENOMEM;
	*added = gpu;
	return 0;
}

static int by_bus_and_render(const void *a, const void *b)
{
	const struct kfd_gpu *one = a, *other = b;

	if (one->function->address != other->function->address)
		return one->function->address < other->function->address ? -1 : 1;
	return (one->node.render_minor > other->node.render_minor) -
	       (one->node.render_minor < other->node.render_minor);
}

/* ---- from nodes to accelerators --------------------------------------------------------- */

static bool is_split(const struct kfd_gpus *gpus, size_t index)
{
	const struct pci_function *function = gpus->items[index].function;

	return (index > 0 && gpus->items[index - 1].function == function) ||
	       (index + 1 < gpus->count && gpus->items[index + 1].function == function);
}

/* HIP and ROCr number GPUs in the order of KFD nodes. */
static unsigned count_before(const struct kfd_gpus *gpus, unsigned number)
{
	unsigned count = 0;

	for (size_t i = 0; i < gpus->count; i++)
		count += gpus->items[i].number < number;
	return count;
}

static int add_gpus(struct vendor_reader *reader, const struct kfd_gpus *gpus)
{
	for (size_t i = 0; i < gpus->count; i++) {
		const struct kfd_gpu *gpu = &gpus->items[i];
		struct accelerator *added = vendor_add(reader, gpu->function, &gpu->drm);

		if (!added)
			return vendor_no_memory(reader);
		added->split = is_split(gpus, i) || gpu->device;
		added->partition = gpu->node.location & 7;
		added->device = gpu->device;
		added->unique_id = gpu->node.unique_id;
		added->order = count_before(gpus, gpu->number);
		if (reader->details)
			added->arch = topology_arch(gpu->node.gfx_version, reader->arena);
	}
	return 0;
}

static bool has_gpu(const struct kfd_gpus *gpus, const struct pci_function *function)
{
	for (size_t i = 0; i < gpus->count; i++)
		if (gpus->items[i].function == function)
			return true;
	return false;
}

/* Functions without a KFD node get no index, and can't be used. */
static int add_others(struct vendor_reader *reader, const struct kfd_gpus *gpus)
{
	for (size_t i = 0; i < reader->functions.count; i++) {
		struct unusable *unusable;

		if (has_gpu(gpus, &reader->functions.items[i]))
			continue;
		unusable = ARENA_PUSH(reader->arena, &reader->ret->unusable);
		if (!unusable)
			return vendor_no_memory(reader);
		*unusable = (struct unusable){reader->functions.items[i].bus_id,
					      "KFD has no readable node for it"};
	}
	return 0;
}

/*
 * Without KFD, which supports neither all GPUs nor all kernels, GPUs can still be used for
 * graphics.
 */
static int add_for_graphics(struct vendor_reader *reader, const char *warning)
{
	for (size_t i = 0; i < reader->functions.count; i++)
		if (reader->functions.items[i].drm.count &&
		    !vendor_add(reader, &reader->functions.items[i],
				&reader->functions.items[i].drm))
			return vendor_no_memory(reader);
	reader->ret->warning = warning;
	return 0;
}

/* The major is assigned when the module is loaded. */
static int read_kfd(struct vendor_reader *reader)
{
	struct slice rest, major;
	uint64_t number;
	char *text;

	if (root_read(&reader->roots->sys, KFD "/dev", TOPOLOGY_MAX, reader->arena, &text, NULL) <
	    0)
		return -ENOENT;
	rest = slice_trim(slice_from(text));
	if (!slice_next(&rest, ':', &major) ||
	    parse_number(major.data, major.length, 10, 0xfff, &number) < 0)
		return -ENOENT;
	reader->ret->common = (struct accelerator_node){
		.name = "kfd", .major = (unsigned)number, .required = true};
	return 0;
}

static int arrange(struct vendor_reader *reader)
{
	struct strings numbers;
	struct kfd_gpus gpus = {0};
	int r = reader->functions.count ? read_kfd(reader) : 0;

	if (r < 0)
		return add_for_graphics(reader, "no /dev/kfd: graphics only");
	if (reader->functions.count == 0)
		return 0;
	r = host_list(&reader->roots->sys, NODES, reader->arena, &numbers);
	if (r < 0)
		return error_errno(reader->err, -r, "read %s/" NODES, reader->roots->sys.path);
	if (sort_items(reader->arena, numbers.items, numbers.count, sizeof(*numbers.items),
		       by_number) < 0)
		return vendor_no_memory(reader);
	for (size_t i = 0; r == 0 && i < numbers.count; i++)
		r = read_node(reader, numbers.items[i], &gpus);
	if (r == 0)
		r = sort_items(reader->arena, gpus.items, gpus.count, sizeof(*gpus.items),
			       by_bus_and_render);
	if (r < 0)
		return vendor_no_memory(reader);
	if (gpus.count == 0 && !gpus.hidden) {
		reader->ret->common = (struct accelerator_node){0};
		return add_for_graphics(reader, "KFD has no GPU of them: graphics only");
	}
	r = add_gpus(reader, &gpus);
	return r < 0 ? r : add_others(reader, &gpus);
}

/* ---- names ------------------------------------------------------------------------------ */

/* The name in libdrm's table ("744C, C8, AMD Radeon RX 7900 XTX"), if the host has it. */
static struct slice find_name(struct vendor_reader *reader, uint64_t device, uint64_t revision)
{
	struct slice rest, line;
	char *text;

	if (root_read(&reader->roots->host, NAMES, NAMES_MAX, reader->arena, &text, NULL) < 0)
		return (struct slice){0};
	rest = slice_from(text);
	while (slice_next(&rest, '\n', &line)) {
		struct slice name = line, first, second;
		uint64_t numbers[2];

		if (!slice_next(&name, ',', &first) || !slice_next(&name, ',', &second) ||
		    !name.data)
			continue;
		first = slice_trim(first);
		second = slice_trim(second);
		if (parse_number(first.data, first.length, 16, UINT16_MAX, &numbers[0]) == 0 &&
		    parse_number(second.data, second.length, 16, UINT16_MAX, &numbers[1]) == 0 &&
		    numbers[0] == device && numbers[1] == revision)
			return slice_trim(name);
	}
	return (struct slice){0};
}

static const char *model_of(struct vendor_reader *reader, const char *id)
{
	struct slice name = vendor_read_value(reader, id, "product_name");
	uint64_t device = 0, revision = 0;
	char *text;

	(void)vendor_read_number(reader, id, "device", UINT16_MAX, &device);
	(void)vendor_read_number(reader, id, "revision", UINT16_MAX, &revision);
	if (name.length == 0)
		name = find_name(reader, device, revision);
	text = name.length ? arena_strndup(reader->arena, name.data, name.length)
			   : arena_printf(reader->arena, "AMD GPU 1002:%04x", (unsigned)device);
	if (text)
		string_printable(text);
	return text;
}

static int describe(struct vendor_reader *reader, struct accelerator *accelerator)
{
	const struct accelerator *before = accelerator - 1;

	if (accelerator->unique_id) {
		accelerator->uid_name =
			arena_printf(reader->arena, "0x%jX", (uintmax_t)accelerator->unique_id);
		if (!accelerator->uid_name)
			return vendor_no_memory(reader);
	}
	if (!reader->details)
		return 0;
	/* All partitions of a GPU have the same model. */
	accelerator->model = accelerator->index > 0 && before->address == accelerator->address
				     ? before->model
				     : model_of(reader, accelerator->bus_id);
	return accelerator->model ? 0 : vendor_no_memory(reader);
}

static const char *const drivers[] = {"amdgpu", NULL};

static const char *const inside_names[] = {"ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES",
					   "GPU_DEVICE_ORDINAL", NULL};

const struct vendor_table vendor_table_amd = {
	.drivers = drivers,
	.pci_vendor = 0x1002,
	.absent = "the module amdgpu isn't loaded",
	.absent_fix = "modprobe amdgpu",
	.inside = "ROCR_VISIBLE_DEVICES",
	.inside_names = inside_names,
	.subset_problem = "ROCm's hsa_init fails with 0x1008",
	.arrange = arrange,
	.describe = describe,
};
