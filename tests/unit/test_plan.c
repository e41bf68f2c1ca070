// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/plan.h"
#include "unit.h"

#define COMPUTE CAPABILITY_COMPUTE
#define UTILITY CAPABILITY_UTILITY
#define GRAPHICS CAPABILITY_GRAPHICS
#define DISPLAY CAPABILITY_DISPLAY
#define PARAMS "ResmanDebugLevel: 1\nModifyDeviceFiles: 1\nDeviceFileMode: 438\n"

/* Two GPUs, the first with two MIG instances, and a driver with a file of each kind. */
static struct mig_instance instances[] = {
	{.gpu_instance = 1, .compute_instance = 0, .gi_minor = 12, .ci_minor = 13},
	{.gpu_instance = 1, .compute_instance = 1, .gi_minor = 12, .ci_minor = 14},
	{.gpu_instance = 2, .compute_instance = 0, .gi_minor = 21, .ci_minor = 22},
};
static const char *drm_nodes[] = {"dri/card1", "dri/renderD128"};
static const char *first_nodes[] = {"nvidia5"}, *second_nodes[] = {"nvidia1"};
static struct gpu gpus[] = {
	{.index = 0,
	 .minor = 5,
	 .nodes = {first_nodes, 1, 0},
	 .uuid = "GPU-a",
	 .bus_id = "0000:00:06.0",
	 .mig = {instances, ARRAY_SIZE(instances), 0},
	 .drm_nodes = {drm_nodes, ARRAY_SIZE(drm_nodes), 0}},
	{.index = 1,
	 .minor = 1,
	 .nodes = {second_nodes, 1, 0},
	 .uuid = "GPU-b",
	 .bus_id = "0000:00:07.0"},
};
#define NODE(...)                            \
	{                                    \
		.present = true, __VA_ARGS__ \
	}
static const struct device_node all_nodes[] = {
	NODE(.name = "nvidiactl", .major = 195, .minor = 255, .control = true),
	NODE(.name = "nvidia-uvm", .major = 238, .minor = 0, .control = true,
	     .capabilities = COMPUTE),
	NODE(.name = "nvidia-uvm-tools", .major = 238, .minor = 1, .control = true,
	     .capabilities = COMPUTE, .optional = true),
	NODE(.name = "nvidia-modeset", .major = 195, .minor = 254, .control = true,
	     .capabilities = GRAPHICS | DISPLAY, .optional = true),
	NODE(.name = "nvidia5", .major = 195, .minor = 5),
	NODE(.name = "nvidia1", .major = 195, .minor = 1),
	NODE(.name = "nvidia-caps/nvidia-cap12", .major = 241, .minor = 12),
	NODE(.name = "nvidia-caps/nvidia-cap13", .major = 241, .minor = 13),
	NODE(.name = "nvidia-caps/nvidia-cap14", .major = 241, .minor = 14),
	NODE(.name = "nvidia-caps/nvidia-cap21", .major = 241, .minor = 21),
	NODE(.name = "nvidia-caps/nvidia-cap22", .major = 241, .minor = 22),
	NODE(.name = "nvidia-caps/nvidia-cap1", .major = 241, .minor = 1,
	     .family = FAMILY_MIG_CONFIG),
	NODE(.name = "nvidia-caps/nvidia-cap2", .major = 241, .minor = 2,
	     .family = FAMILY_MIG_MONITOR),
	NODE(.name = "nvidia-caps-imex-channels/channel0", .major = 242, .minor = 0,
	     .family = FAMILY_IMEX),
	{.name = "nvidia-caps-imex-channels/channel3",
	 .major = 242,
	 .minor = 3,
	 .family = FAMILY_IMEX},
	NODE(.name = "nvidia-fs0", .major = 120, .minor = 0, .family = FAMILY_GDS),
	NODE(.name = "infiniband/uverbs0", .major = 231, .minor = 192, .family = FAMILY_MOFED),
	NODE(.name = "gdrdrv", .major = 121, .minor = 0, .family = FAMILY_GDRCOPY),
	NODE(.name = "nvidia-nvswitch0", .major = 239, .minor = 0, .family = FAMILY_NVSWITCH),
};
static struct driver_link cuda_links[] = {{"libcuda.so", "libcuda.so.1"}};
static struct driver_link gbm_links[] = {{"gbm/nvidia-drm_gbm.so", "../libnvidia-allocator.so.1"}};
static struct driver_file files[] = {
	{.kind = DRIVER_FILE_LIBRARY,
	 .capabilities = COMPUTE,
	 .path = "/lib64/libcuda.so.580.1",
	 .fd = -1,
	 .name = "libcuda.so.580.1",
	 .soname = "libcuda.so.1",
	 .class_bits = 64,
	 .links = {cuda_links, 1, 0}},
	{.kind = DRIVER_FILE_LIBRARY,
	 .capabilities = COMPUTE | CAPABILITY_COMPAT32,
	 .path = "/lib32/libcuda.so.580.1",
	 .fd = -1,
	 .name = "libcuda.so.580.1",
	 .soname = "libcuda.so.1",
	 .class_bits = 32,
	 .links = {cuda_links, 1, 0}},
	{.kind = DRIVER_FILE_LIBRARY,
	 .capabilities = GRAPHICS,
	 .path = "/lib64/libnvidia-glcore.so.580.1",
	 .fd = -1,
	 .name = "libnvidia-glcore.so.580.1",
	 .class_bits = 64,
	 .links = {gbm_links, 1, 0}},
	{.kind = DRIVER_FILE_BINARY,
	 .capabilities = UTILITY,
	 .path = "/bin/nvidia-smi",
	 .fd = -1,
	 .name = "nvidia-smi"},
	{.kind = DRIVER_FILE_DATA,
	 .capabilities = GRAPHICS,
	 .path = "/share/nvidia_icd.json",
	 .fd = -1,
	 .name = "nvidia_icd.json",
	 .target = "/usr/share/vulkan/icd.d/nvidia_icd.json"},
	{.kind = DRIVER_FILE_SOCKET,
	 .capabilities = UTILITY,
	 .tree = TREE_RUN,
	 .path = "/nvidia-persistenced/socket",
	 .fd = -1,
	 .name = "socket",
	 .target = "/run/nvidia-persistenced/socket"},
};

/* What one test plans with. */
struct table {
	struct arena arena;
	struct gpu_request request;
	struct driver driver;
	struct device_node nodes[ARRAY_SIZE(all_nodes)];
	struct selection selection;
	struct image image;
	struct plan plan;
	struct error err;
};

static void table_free(struct table *table)
{
	arena_free(&table->arena);
}
#define AUTO_TABLE __attribute__((cleanup(table_free))) struct table

static void table_make(struct table *table, unsigned capabilities)
{
	*table = (struct table){
		.request = {.gpu = true,
			    .capabilities = capabilities,
			    .mig_config = "",
			    .mig_monitor = "",
			    .mps_pipe_directory = ""},
		.driver = {.version = "580.1",
			   .repairable = true,
			   .gpus = {gpus, ARRAY_SIZE(gpus), 0},
			   .majors = {195, 238, 241, 242, 239},
			   .proc_version = "NVRM version: 580.1\n",
			   .proc_params = PARAMS,
			   .proc_registry = "Binary: \"\"\n"},
		.image = {.loader = IMAGE_LOADER_GLIBC,
			  .lib_dir = "/usr/lib64",
			  .lib_dir_32 = "/usr/lib"},
	};
	memcpy(table->nodes, all_nodes, sizeof(all_nodes));
	table->driver.nodes = (struct device_nodes){table->nodes, ARRAY_SIZE(all_nodes), 0};
	/* The inventory has the files of the capabilities asked for; the tests' have all of one. */
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if ((files[i].capabilities & capabilities) &&
		    (files[i].class_bits != 32 || (capabilities & CAPABILITY_COMPAT32))) {
			struct driver_file *file = ARENA_PUSH(&table->arena, &table->driver.files);

			assert_non_null(file);
			*file = files[i];
		}
}

static void table_select(struct table *table, size_t gpu, int instance)
{
	struct selected_device *device = ARENA_PUSH(&table->arena, &table->selection);

	assert_non_null(device);
	*device = (struct selected_device){&gpus[gpu], instance < 0 ? NULL : &instances[instance]};
}

static int table_plan(struct table *table)
{
	const struct choices none = {0};

	return plan_make(&table->request, &table->driver, &table->selection, &none, &table->image,
			 &table->arena, &table->plan, &table->err);
}

static void table_plan_well(struct table *table)
{
	if (table_plan(table) < 0)
		fail_msg("%s", table->err.message);
}

static struct device_node *table_node(struct table *table, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(table->nodes); i++)
		if (strcmp(table->nodes[i].name, name) == 0)
			return &table->nodes[i];
	fail_msg("no node %s", name);
	return NULL;
}

static const struct operation *find(const struct table *table, enum operation_kind kind,
				    const char *target)
{
	for (size_t i = 0; i < table->plan.count; i++)
		if (table->plan.items[i].kind == kind &&
		    strcmp(table->plan.items[i].target, target) == 0)
			return &table->plan.items[i];
	return NULL;
}

/* The targets of one kind, in the plan's order. */
static const char *targets(struct table *table, enum operation_kind kind)
{
	struct strings list = {0};

	for (size_t i = 0; i < table->plan.count; i++)
		if (table->plan.items[i].kind == kind)
			assert_int_equal(
				strings_add(&table->arena, &list, table->plan.items[i].target), 0);
	return strings_join(&table->arena, &list, " ");
}

/* ---- capabilities ----------------------------------------------------------------------- */

static void nodes_and_files_follow_the_capabilities(void **state)
{
	static const struct {
		unsigned capabilities;
		const char *devices, *binds, *links;
	} cases[] = {
		{0, "/dev/nvidiactl /dev/nvidia1", "", ""},
		{UTILITY, "/dev/nvidiactl /dev/nvidia1",
		 "/usr/bin/nvidia-smi /run/nvidia-persistenced/socket", ""},
		{COMPUTE, "/dev/nvidiactl /dev/nvidia-uvm /dev/nvidia-uvm-tools /dev/nvidia1",
		 "/usr/lib64/libcuda.so.580.1 /tmp/nvidia-mps",
		 "/usr/lib64/libcuda.so.1 /usr/lib64/libcuda.so"},
		{COMPUTE | CAPABILITY_COMPAT32,
		 "/dev/nvidiactl /dev/nvidia-uvm /dev/nvidia-uvm-tools /dev/nvidia1",
		 "/usr/lib64/libcuda.so.580.1 /usr/lib/libcuda.so.580.1 /tmp/nvidia-mps",
		 "/usr/lib64/libcuda.so.1 /usr/lib/libcuda.so.1 /usr/lib64/libcuda.so "
		 "/usr/lib/libcuda.so"},
		{GRAPHICS, "/dev/nvidiactl /dev/nvidia-modeset /dev/nvidia1",
		 "/usr/lib64/libnvidia-glcore.so.580.1 /usr/share/vulkan/icd.d/nvidia_icd.json",
		 "/usr/lib64/gbm/nvidia-drm_gbm.so"},
		{DISPLAY, "/dev/nvidiactl /dev/nvidia-modeset /dev/nvidia1", "", ""},
		{CAPABILITY_NGX, "/dev/nvidiactl /dev/nvidia1", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_TABLE table;

		table_make(&table, cases[i].capabilities);
		table_select(&table, 1, -1);
		table_plan_well(&table);
		assert_string_equal(targets(&table, OPERATION_DEVICE), cases[i].devices);
		assert_string_equal(targets(&table, OPERATION_BIND), cases[i].binds);
		assert_string_equal(targets(&table, OPERATION_SYMLINK), cases[i].links);
		/* A rule for each node, and nothing else. */
		assert_string_equal(targets(&table, OPERATION_DEVICE_RULE), cases[i].devices);
	}
}

static void both_word_sizes_are_in_the_loader_cache(void **state)
{
	AUTO_TABLE table;

	(void)state;
	table_make(&table, COMPUTE | CAPABILITY_COMPAT32);
	table_plan_well(&table);
	/* As ldconfig has it: the SONAMEs, and the links for the linker. */
	assert_int_equal(table.plan.libraries.count, 4);
	assert_string_equal(table.plan.libraries.items[2].path, "/usr/lib64/libcuda.so");
	assert_string_equal(table.plan.libraries.items[2].name, "libcuda.so");
	assert_string_equal(table.plan.libraries.items[3].path, "/usr/lib/libcuda.so");
	assert_int_equal(table.plan.libraries.items[3].flags, LOADER_FLAGS_32);
	assert_string_equal(table.plan.libraries.items[0].path, "/usr/lib64/libcuda.so.1");
	assert_int_equal(table.plan.libraries.items[0].flags, LOADER_FLAGS_NATIVE);
	assert_string_equal(table.plan.libraries.items[1].path, "/usr/lib/libcuda.so.1");
	assert_int_equal(table.plan.libraries.items[1].flags, LOADER_FLAGS_32);
	assert_non_null(find(&table, OPERATION_LOADER_CACHE, "/etc/ld.so.cache"));
}

static void compat_libraries_come_first(void **state)
{
	struct loader_entry compat = {.flags = LOADER_FLAGS_NATIVE,
				      .name = "libcuda.so.1",
				      .path = "/usr/local/cuda/compat/libcuda.so.590.1"};
	AUTO_TABLE table;

	(void)state;
	table_make(&table, COMPUTE);
	table.image.compat_used = true;
	table.image.compat = (struct loader_cache){.items = &compat, .count = 1};
	table_plan_well(&table);
	assert_string_equal(table.plan.libraries.items[0].path, compat.path);
	assert_string_equal(table.plan.libraries.items[1].path, "/usr/lib64/libcuda.so.1");
	for (size_t i = 0; i < table.plan.count; i++)
		assert_false(string_starts(table.plan.items[i].target, "/usr/local/cuda"));
}

static const char *text_of_file(struct table *table, const char *path)
{
	for (size_t i = 0; i < table->plan.count; i++)
		if (table->plan.items[i].kind == OPERATION_FILE &&
		    string_equal(table->plan.items[i].target, path))
			return table->plan.items[i].text;
	return NULL;
}

static void a_later_ldconfig_finds_what_lies_elsewhere(void **state)
{
	static const char system_dirs[] = "/usr/lib64\n/lib\n";
	struct loader_entry compat = {.flags = LOADER_FLAGS_NATIVE,
				      .name = "libcuda.so.1",
				      .path = "/usr/local/cuda/compat/libcuda.so.590.1"};

	(void)state;
	/* In its own directory; elsewhere; without ld.so.conf; the image's own; an old mark of it.
	 */
	for (int i = 0; i < 5; i++) {
		AUTO_TABLE table;

		table_make(&table, COMPUTE);
		table.image.system_dirs = system_dirs;
		if (i == 1 || i == 2)
			table.image.lib_dir = "/opt/lib";
		table.image.no_loader_conf = i == 2;
		table.image.compat_used = i == 3;
		if (i == 3)
			table.image.compat = (struct loader_cache){.items = &compat, .count = 1};
		table.image.compat_stale = i == 4;
		table_plan_well(&table);
		if (i == 1 || i == 2)
			assert_string_equal(text_of_file(&table, PLAN_FOLDERS_CONF), "/opt/lib\n");
		else
			assert_null(text_of_file(&table, PLAN_FOLDERS_CONF));
		assert_string_equal(text_of_file(&table, PLAN_SYSTEM_CONF), system_dirs);
		assert_int_equal(text_of_file(&table, PLAN_LOADER_CONF) != NULL, i == 2);
		if (i == 3)
			assert_string_equal(text_of_file(&table, COMPAT_CONF),
					    "/usr/local/cuda/compat\n");
		else if (i == 4)
			assert_string_equal(text_of_file(&table, COMPAT_CONF), "");
		else
			assert_null(text_of_file(&table, COMPAT_CONF));
	}
}

static void images_without_glibc_get_no_cache(void **state)
{
	AUTO_TABLE table;

	(void)state;
	table_make(&table, COMPUTE);
	table.image = (struct image){.loader = IMAGE_LOADER_MUSL,
				     .lib_dir = "/usr/lib",
				     .lib_dir_32 = "/usr/lib",
				     .musl_path = "/lib\n"};
	table_plan_well(&table);
	assert_string_equal(targets(&table, OPERATION_LOADER_CACHE), "");
	assert_string_equal(find(&table, OPERATION_FILE, IMAGE_MUSL_PATH_FILE)->text,
			    "/lib\n\n/usr/lib\n");
}

/* ---- graphics --------------------------------------------------------------------------- */

static void drm_nodes_and_their_links_are_those_of_the_gpu(void **state)
{
	const struct operation *link;
	AUTO_TABLE table;

	(void)state;
	table_make(&table, GRAPHICS);
	table_select(&table, 0, -1);
	table_plan_well(&table);
	assert_int_equal(find(&table, OPERATION_DEVICE_RULE, "/dev/dri/card1")->minor, 1);
	assert_int_equal(find(&table, OPERATION_DEVICE_RULE, "/dev/dri/renderD128")->major, 226);
	link = find(&table, OPERATION_SYMLINK, "/dev/dri/by-path/pci-0000:00:06.0-render");
	assert_non_null(link);
	assert_string_equal(link->text, "../renderD128");
	assert_false(link->required);
	assert_string_equal(
		find(&table, OPERATION_SYMLINK, "/dev/dri/by-path/pci-0000:00:06.0-card")->text,
		"../card1");
}

static void egl_is_told_the_gpus_by_their_minors(void **state)
{
	static const char profile[] = "/etc/nvidia/nvidia-application-profiles-rc.d/10-davit.conf";
	static struct gpu far = {.minor = 64, .uuid = "", .bus_id = "0000:00:08.0"};
	static const struct {
		unsigned capabilities;
		bool first, second;
		const char *mask; /* NULL: no profile */
	} cases[] = {
		{GRAPHICS, true, false, "0x20]"},      {GRAPHICS, true, true, "0x22]"},
		{DISPLAY, false, true, "0x2]"},        {GRAPHICS, false, false, NULL},
		{COMPUTE | UTILITY, true, true, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct operation *file;
		AUTO_TABLE table;

		table_make(&table, cases[i].capabilities);
		if (cases[i].first)
			table_select(&table, 0, -1);
		if (cases[i].second)
			table_select(&table, 1, -1);
		table_plan_well(&table);
		file = find(&table, OPERATION_FILE, profile);
		assert_true(!file == !cases[i].mask);
		if (file)
			assert_non_null(strstr(file->text, cases[i].mask));
	}
	/* The mask has no bit for it. */
	{
		AUTO_TABLE table;

		table_make(&table, GRAPHICS);
		table_select(&table, 1, -1);
		table.selection.items[0].gpu = &far;
		table.nodes[5] = (struct device_node){.name = "nvidia64", .present = true};
		table_plan_well(&table);
		assert_null(find(&table, OPERATION_FILE, profile));
	}
}

/* ---- MIG -------------------------------------------------------------------------------- */

static void mig_instances_bring_their_gpu_and_capabilities(void **state)
{
	AUTO_TABLE table;

	(void)state;
	table_make(&table, UTILITY);
	table_select(&table, 0, 0);
	table_select(&table, 0, 1);
	table_select(&table, 0, 2);
	table_plan_well(&table);
	assert_string_equal(targets(&table, OPERATION_DEVICE),
			    "/dev/nvidiactl /dev/nvidia5 /dev/nvidia-caps/nvidia-cap12 "
			    "/dev/nvidia-caps/nvidia-cap13 /dev/nvidia-caps/nvidia-cap14 "
			    "/dev/nvidia-caps/nvidia-cap21 /dev/nvidia-caps/nvidia-cap22");
	assert_string_equal(strings_join(&table.arena, &table.plan.proc_mask.capabilities, " "),
			    "capabilities/gpu5/mig/gi1/ci0 capabilities/gpu5/mig/gi1/ci1 "
			    "capabilities/gpu5/mig/gi2/ci0");
	assert_string_equal(strings_join(&table.arena, &table.plan.proc_mask.capability_files, " "),
			    "capabilities/gpu5/mig/gi1/access capabilities/gpu5/mig/gi2/access");
	assert_string_equal(strings_join(&table.arena, &table.plan.proc_mask.bus_ids, " "),
			    "0000:00:06.0");
}

static void mig_config_and_monitor_are_told_apart(void **state)
{
	static const struct {
		const char *config, *monitor, *devices;
	} cases[] = {
		{"all", "", "/dev/nvidiactl /dev/nvidia-caps/nvidia-cap1"},
		{"", "all", "/dev/nvidiactl /dev/nvidia-caps/nvidia-cap2"},
		{"all", "all",
		 "/dev/nvidiactl /dev/nvidia-caps/nvidia-cap1 /dev/nvidia-caps/nvidia-cap2"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_TABLE table;

		table_make(&table, UTILITY);
		table.request.mig_config = cases[i].config;
		table.request.mig_monitor = cases[i].monitor;
		table_plan_well(&table);
		assert_string_equal(targets(&table, OPERATION_DEVICE), cases[i].devices);
		assert_string_equal(
			strings_join(&table.arena, &table.plan.proc_mask.capabilities, " "),
			"capabilities");
		assert_int_equal(table.plan.proc_mask.capability_files.count, 0);
	}
}

static void mig_config_of_a_driver_without_mig_is_an_error(void **state)
{
	AUTO_TABLE table;

	(void)state;
	table_make(&table, UTILITY);
	table.request.mig_config = "all";
	table_node(&table, "nvidia-caps/nvidia-cap1")->family = 0;
	assert_int_equal(table_plan(&table), -ENODEV);
	assert_int_equal(table.err.code, ERROR_UNKNOWN_DEVICE);
	assert_string_equal(table.err.message,
			    "add MIG's config device to the container: this driver has none");
	/* Older drivers have the file of /proc, and no node. */
	table_node(&table, "nvidia-caps/nvidia-cap1")->family = FAMILY_MIG_CONFIG;
	table.driver.majors.caps = 0;
	table_plan_well(&table);
	assert_string_equal(targets(&table, OPERATION_DEVICE), "/dev/nvidiactl");
}

/* ---- families --------------------------------------------------------------------------- */

static void families_come_when_they_are_asked_for(void **state)
{
	static const struct {
		size_t offset;
		const char *devices;
	} cases[] = {
		{offsetof(struct gpu_request, gds), "/dev/nvidiactl /dev/nvidia-fs0"},
		{offsetof(struct gpu_request, mofed), "/dev/nvidiactl /dev/infiniband/uverbs0"},
		{offsetof(struct gpu_request, gdrcopy), "/dev/nvidiactl /dev/gdrdrv"},
		{offsetof(struct gpu_request, nvswitch), "/dev/nvidiactl /dev/nvidia-nvswitch0"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool gds = cases[i].offset == offsetof(struct gpu_request, gds);
		AUTO_TABLE table;

		table_make(&table, 0);
		*(bool *)((char *)&table.request + cases[i].offset) = true;
		table_plan_well(&table);
		assert_string_equal(targets(&table, OPERATION_DEVICE), cases[i].devices);
		assert_string_equal(targets(&table, OPERATION_BIND),
				    gds ? "/run/udev /etc/cufile.json" : "");
	}
}

static void storage_files_come_with_storage_nodes_only(void **state)
{
	AUTO_TABLE table;

	(void)state;
	table_make(&table, 0);
	table.request.gds = true;
	table_node(&table, "nvidia-fs0")->family = 0;
	table_plan_well(&table);
	assert_string_equal(targets(&table, OPERATION_BIND), "");
}

static void ask_for_channel(struct table *table, const char *number)
{
	assert_int_equal(strings_add(&table->arena, &table->request.imex, number), 0);
}

static void imex_channels_are_given_by_number(void **state)
{
	AUTO_TABLE table;

	(void)state;
	table_make(&table, 0);
	ask_for_channel(&table, "0");
	table_plan_well(&table);
	assert_string_equal(targets(&table, OPERATION_DEVICE),
			    "/dev/nvidiactl /dev/nvidia-caps-imex-channels/channel0");
	assert_int_equal(table.plan.missing.count, 0);
}

static void absent_imex_channel_names_those_there_are(void **state)
{
	AUTO_TABLE table;

	(void)state;
	table_make(&table, 0);
	ask_for_channel(&table, "0");
	ask_for_channel(&table, "3");
	assert_int_equal(table_plan(&table), -ENODEV);
	assert_int_equal(table.err.code, ERROR_UNKNOWN_DEVICE);
	assert_string_equal(table.err.message,
			    "add IMEX channel 3 to the container: the host has channels 0");
	assert_string_equal(strings_join(&table.arena, &table.plan.missing, " "),
			    "nvidia-caps-imex-channels/channel3");
	table_node(&table, "nvidia-caps-imex-channels/channel0")->present = false;
	assert_int_equal(table_plan(&table), -ENODEV);
	assert_string_equal(table.err.message,
			    "add IMEX channel 0 to the container: the host has no channel");
	table_node(&table, "nvidia-caps-imex-channels/channel0")->major = 0;
	assert_int_equal(table_plan(&table), -ENODEV);
	assert_string_equal(table.err.message,
			    "add IMEX channel 0 to the container: the driver has no IMEX channels");
}

/* ---- what isn't there ------------------------------------------------------------------- */

static void missing_nodes_are_collected_and_required_ones_an_error(void **state)
{
	AUTO_TABLE table;

	(void)state;
	table_make(&table, COMPUTE | GRAPHICS);
	table_select(&table, 1, -1);
	table_node(&table, "nvidia-modeset")->present = false;
	table_plan_well(&table);
	assert_string_equal(strings_join(&table.arena, &table.plan.missing, " "), "nvidia-modeset");
	table_node(&table, "nvidia-uvm")->present = false;
	table_node(&table, "nvidia1")->present = false;
	assert_int_equal(table_plan(&table), -ENODEV);
	assert_int_equal(table.err.code, ERROR_NO_DRIVER);
	assert_string_equal(table.err.message,
			    "add /dev/nvidia-uvm to the container: the host has no such node");
	assert_string_equal(table.err.fix, "run `davit system prepare` on the host");
	assert_string_equal(strings_join(&table.arena, &table.plan.missing, " "),
			    "nvidia-uvm nvidia-modeset nvidia1");
	table.driver.repair_problem = "make /dev/nvidia-uvm: Operation not permitted";
	assert_int_equal(table_plan(&table), -ENODEV);
	assert_string_equal(table.err.message,
			    "add /dev/nvidia-uvm to the container: the host has no such node; "
			    "cannot make /dev/nvidia-uvm: Operation not permitted");
}

static void nodes_of_nobody_else_are_missed(void **state)
{
	AUTO_TABLE table;

	(void)state;
	table_make(&table, UTILITY);
	table_select(&table, 1, -1);
	table_node(&table, "nvidia5")->present = false;
	table_node(&table, "nvidia-uvm")->present = false;
	table_plan_well(&table);
	assert_int_equal(table.plan.missing.count, 0);
}

static void nodes_to_be_made_say_so(void **state)
{
	AUTO_TABLE table;

	(void)state;
	table_make(&table, COMPUTE);
	table_node(&table, "nvidia-uvm")->to_be_made = true;
	table_plan_well(&table);
	assert_string_equal(find(&table, OPERATION_DEVICE, "/dev/nvidia-uvm")->because,
			    "capability compute; davit creates the node on the host first");
}

/* ---- the mask --------------------------------------------------------------------------- */

static void mask_turns_node_making_off(void **state)
{
	static const struct {
		const char *params, *expected;
	} cases[] = {
		{PARAMS, "ResmanDebugLevel: 1\nModifyDeviceFiles: 0\nDeviceFileMode: 438\n"},
		{"ModifyDeviceFiles: 1\n", "ModifyDeviceFiles: 0\n"},
		{"ModifyDeviceFiles: 0\n", "ModifyDeviceFiles: 0\n"},
		{"ModifyDeviceFiles: 12345", "ModifyDeviceFiles: 0"},
		{"XModifyDeviceFiles: 1\n", "XModifyDeviceFiles: 1\nModifyDeviceFiles: 0\n"},
		{"A: 1\n", "A: 1\nModifyDeviceFiles: 0\n"},
		{"", "ModifyDeviceFiles: 0\n"},
		{NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_TABLE table;

		table_make(&table, 0);
		table.driver.proc_params = cases[i].params;
		table_plan_well(&table);
		assert_true(string_equal(table.plan.proc_mask.params, cases[i].expected));
	}
}

static void mask_has_the_selected_gpus_only(void **state)
{
	AUTO_TABLE table;

	(void)state;
	table_make(&table, 0);
	table_select(&table, 1, -1);
	table.driver.proc_registry_absent = true;
	table_plan_well(&table);
	assert_string_equal(strings_join(&table.arena, &table.plan.proc_mask.bus_ids, " "),
			    "0000:00:07.0");
	assert_null(table.plan.proc_mask.registry);
	assert_int_equal(table.plan.proc_mask.capabilities.count, 0);
}

/* ---- MPS -------------------------------------------------------------------------------- */

static void vdpau_goes_where_the_image_keeps_its_drivers(void **state)
{
	struct driver_file file = {.kind = DRIVER_FILE_LIBRARY,
				   .capabilities = CAPABILITY_VIDEO,
				   .path = "/lib64/libvdpau_nvidia.so.580.1",
				   .name = "libvdpau_nvidia.so.580.1",
				   .soname = "libvdpau_nvidia.so.1",
				   .class_bits = 64,
				   .vdpau = true,
				   .fd = -1};
	AUTO_TABLE table;

	(void)state;
	for (int own = 0; own < 2; own++) {
		table_make(&table, CAPABILITY_VIDEO);
		table.driver.files = (struct driver_files){&file, 1, 1};
		table.image.vdpau = own;
		table_plan_well(&table);
		assert_string_equal(targets(&table, OPERATION_BIND),
				    own ? "/usr/lib64/vdpau/libvdpau_nvidia.so.580.1"
					: "/usr/lib64/libvdpau_nvidia.so.580.1");
		assert_string_equal(table.plan.libraries.items[0].path,
				    own ? "/usr/lib64/vdpau/libvdpau_nvidia.so.1"
					: "/usr/lib64/libvdpau_nvidia.so.1");
		if (!own)
			table_free(&table);
	}
}

static void x_modules_go_where_x_looks(void **state)
{
	static const char *const images[][3] = {
		{"/usr/lib64", "/usr/lib64/xorg/modules/extensions/libglxserver_nvidia.so.580.1",
		 "/usr/lib64/xorg/modules/extensions/libglxserver_nvidia.so"},
		{"/usr/lib/x86_64-linux-gnu",
		 "/usr/lib/xorg/modules/extensions/libglxserver_nvidia.so.580.1",
		 "/usr/lib/xorg/modules/extensions/libglxserver_nvidia.so"},
	};
	struct driver_link link = {"/usr/lib/xorg/modules/extensions/libglxserver_nvidia.so",
				   "libglxserver_nvidia.so.580.1"};
	struct driver_file file = {
		.kind = DRIVER_FILE_DATA,
		.capabilities = GRAPHICS,
		.path = "/x/libglxserver_nvidia.so.580.1",
		.name = "libglxserver_nvidia.so.580.1",
		.target = "/usr/lib/xorg/modules/extensions/libglxserver_nvidia.so.580.1",
		.links = {&link, 1, 1},
		.fd = -1};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(images); i++) {
		AUTO_TABLE table;

		table_make(&table, GRAPHICS);
		table.driver.files = (struct driver_files){&file, 1, 1};
		table.image.lib_dir = images[i][0];
		table_plan_well(&table);
		assert_string_equal(targets(&table, OPERATION_BIND), images[i][1]);
		assert_string_equal(targets(&table, OPERATION_SYMLINK), images[i][2]);
	}
}

/* A text that names /nix/store/.../libGLX_nvidia.so.0: a link there to the container's library. */
static void whole_paths_in_texts_lead_to_the_library(void **state)
{
	static const char *const images[][2] = {
		{"/usr/lib64", "/usr/lib64/libGLX_nvidia.so.0"},
		{"/nix/store/a/lib", NULL},
	};
	struct driver_link link = {"/nix/store/a/lib/libGLX_nvidia.so.0", NULL};
	struct driver_file file = {.kind = DRIVER_FILE_DATA,
				   .capabilities = GRAPHICS,
				   .path = "/x/nvidia_icd.json",
				   .name = "nvidia_icd.json",
				   .target = "/usr/share/vulkan/icd.d/nvidia_icd.json",
				   .links = {&link, 1, 1},
				   .fd = -1};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(images); i++) {
		const struct operation *found = NULL;
		AUTO_TABLE table;

		table_make(&table, GRAPHICS);
		table.driver.files = (struct driver_files){&file, 1, 1};
		table.image.lib_dir = images[i][0];
		table_plan_well(&table);
		for (size_t j = 0; j < table.plan.count; j++)
			if (table.plan.items[j].kind == OPERATION_SYMLINK)
				found = &table.plan.items[j];
		if (!images[i][1]) {
			assert_null(found);
			continue;
		}
		assert_non_null(found);
		assert_string_equal(found->target, link.name);
		assert_string_equal(found->text, images[i][1]);
		assert_false(found->required);
	}
}

static void mps_directory_is_a_target_only(void **state)
{
	const struct operation *bind;
	AUTO_TABLE table;

	(void)state;
	table_make(&table, COMPUTE);
	table.request.mps_pipe_directory = "/pipes";
	table.driver.mps_path = "/host/pipes";
	table_plan_well(&table);
	bind = find(&table, OPERATION_BIND, "/pipes");
	assert_non_null(bind);
	assert_string_equal(bind->source, "/host/pipes");
	assert_true(bind->owner_root);
	assert_false(bind->required);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(nodes_and_files_follow_the_capabilities),
		cmocka_unit_test(both_word_sizes_are_in_the_loader_cache),
		cmocka_unit_test(compat_libraries_come_first),
		cmocka_unit_test(a_later_ldconfig_finds_what_lies_elsewhere),
		cmocka_unit_test(images_without_glibc_get_no_cache),
		cmocka_unit_test(drm_nodes_and_their_links_are_those_of_the_gpu),
		cmocka_unit_test(egl_is_told_the_gpus_by_their_minors),
		cmocka_unit_test(mig_instances_bring_their_gpu_and_capabilities),
		cmocka_unit_test(mig_config_and_monitor_are_told_apart),
		cmocka_unit_test(mig_config_of_a_driver_without_mig_is_an_error),
		cmocka_unit_test(families_come_when_they_are_asked_for),
		cmocka_unit_test(storage_files_come_with_storage_nodes_only),
		cmocka_unit_test(imex_channels_are_given_by_number),
		cmocka_unit_test(absent_imex_channel_names_those_there_are),
		cmocka_unit_test(missing_nodes_are_collected_and_required_ones_an_error),
		cmocka_unit_test(nodes_of_nobody_else_are_missed),
		cmocka_unit_test(nodes_to_be_made_say_so),
		cmocka_unit_test(mask_turns_node_making_off),
		cmocka_unit_test(mask_has_the_selected_gpus_only),
		cmocka_unit_test(vdpau_goes_where_the_image_keeps_its_drivers),
		cmocka_unit_test(x_modules_go_where_x_looks),
		cmocka_unit_test(whole_paths_in_texts_lead_to_the_library),
		cmocka_unit_test(mps_directory_is_a_target_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
