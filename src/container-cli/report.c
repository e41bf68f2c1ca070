// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "container_cli.h"

/* ---- info ------------------------------------------------------------------------------- */

static const char *or_unknown(const char *text)
{
	return text ? text : "unknown";
}

/* Requirements know brands in lower case; this is how nvidia-container-cli spells them. */
static const char *spell_brand(const char *brand)
{
	static const char *const names[] = {
		"Quadro",    "Tesla",  "NVS",        "GRID",     "GeForce",     "TITAN",
		"VApps",     "VPC",    "VCS",        "VWS",      "CloudGaming", "QuadroRTX",
		"NvidiaRTX", "Nvidia", "GeForceRTX", "TitanRTX",
	};

	for (size_t i = 0; brand && i < ARRAY_SIZE(names); i++)
		if (strcasecmp(names[i], brand) == 0)
			return names[i];
	return "Unknown";
}

/* NVML's spelling of a bus id has a domain of eight digits. */
static const char *long_bus_id(const char *bus_id, struct arena *arena)
{
	const char *id = bus_id ? arena_printf(arena, "0000%s", bus_id) : "none";

	return id ? id : bus_id;
}

static const char *minor_text(const struct gpu *gpu, struct arena *arena)
{
	const char *text =
		gpu->minor == GPU_NO_MINOR ? NULL : arena_printf(arena, "%u", gpu->minor);

	return or_unknown(text);
}

static void print_csv(const struct driver *driver, struct arena *arena)
{
	(void)printf("NVRM version,CUDA version\n%s,%s\n\n", or_unknown(driver->version),
		     or_unknown(driver->cuda_version));
	(void)puts("Device Index,Device Minor,Model,Brand,GPU UUID,Bus Location,Architecture");
	for (size_t i = 0; i < driver->gpus.count; i++) {
		const struct gpu *gpu = &driver->gpus.items[i];

		(void)printf("%u,%s,%s,%s,%s,%s,%s\n", gpu->index, minor_text(gpu, arena),
			     gpu->model, spell_brand(gpu->brand), gpu->uuid,
			     long_bus_id(gpu->bus_id, arena), or_unknown(gpu->arch));
	}
}

static void print_text(const struct driver *driver, struct arena *arena)
{
	(void)printf("NVRM version:   %s\nCUDA version:   %s\n", or_unknown(driver->version),
		     or_unknown(driver->cuda_version));
	for (size_t i = 0; i < driver->gpus.count; i++) {
		const struct gpu *gpu = &driver->gpus.items[i];

		(void)printf("\nDevice Index:   %u\nDevice Minor:   %s\nModel:          %s\n"
			     "Brand:          %s\nGPU UUID:       %s\nBus Location:   %s\n"
			     "Architecture:   %s\n",
			     gpu->index, minor_text(gpu, arena), gpu->model,
			     spell_brand(gpu->brand), gpu->uuid, long_bus_id(gpu->bus_id, arena),
			     or_unknown(gpu->arch));
	}
}

int command_info(const struct arguments *arguments, struct arena *arena, struct error *err)
{
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	struct driver driver = {0};
	struct error no_nvml = {0};
	struct config config;
	int r = settings_load(arguments, arena, &config, err);

	if (r == 0)
		r = driver_roots_open(&config, &roots, err);
	if (r == 0)
		r = driver_read(&roots, &config,
				&(struct driver_wanted){.capabilities = CAPABILITY_ALL}, arena,
				&driver, err);
	if (r == 0)
		r = driver_count_openable(&roots, &config, true, arena, &driver, err);
	if (r >= 0) {
		r = 0;
		driver.cuda_version = driver_cuda_version(&roots, &config, &driver, arena);
		/* Brand and architecture: nobody else knows them, and one can do without. */
		if (driver_ask_nvml(&roots, &config, &driver, arena, &no_nvml) < 0)
			log_line(LOG_LEVEL_WARNING, "cannot %s", no_nvml.message);
		(arguments->csv ? print_csv : print_text)(&driver, arena);
	}
	driver_close(&driver);
	driver_roots_close(&roots);
	return r;
}

/* ---- list ------------------------------------------------------------------------------- */

static const unsigned kinds[] = {
	[DRIVER_FILE_LIBRARY] = LIST_LIBRARIES, [DRIVER_FILE_BINARY] = LIST_BINARIES,
	[DRIVER_FILE_FIRMWARE] = LIST_FIRMWARE, [DRIVER_FILE_DATA] = LIST_DATA,
	[DRIVER_FILE_SOCKET] = LIST_IPCS,
};

static unsigned kind_of(const struct operation *operation, const struct driver *driver)
{
	if (operation->kind == OPERATION_DEVICE)
		return LIST_DEVICES;
	if (operation->kind != OPERATION_BIND)
		return 0;
	for (size_t i = 0; i < driver->files.count; i++) {
		const struct driver_file *file = &driver->files.items[i];

		if (file->tree == operation->tree && strcmp(file->path, operation->source) == 0)
			return kinds[file->kind];
	}
	return LIST_IPCS; /* the MPS pipes are no file of the driver's */
}

/* The libraries that nvidia-container-cli knows: what calls it copies or binds all that it prints.
 */
static bool is_listed_library(const char *path)
{
	static const char *const names[] = {
		"libnvidia-ml",
		"libnvidia-cfg",
		"libnvidia-nscq",
		"libcuda",
		"libcudadebugger",
		"libnvidia-opencl",
		"libnvidia-gpucomp",
		"libnvidia-ptxjitcompiler",
		"libnvidia-fatbinaryloader",
		"libnvidia-allocator",
		"libnvidia-compiler",
		"libnvidia-pkcs11",
		"libnvidia-pkcs11-openssl3",
		"libnvidia-nvvm",
		"libnvidia-nvvm70",
		"libnvidia-tileiras",
		"libvdpau_nvidia",
		"libnvidia-encode",
		"libnvidia-opticalflow",
		"libnvcuvid",
		"libnvidia-eglcore",
		"libnvidia-glcore",
		"libnvidia-tls",
		"libnvidia-glsi",
		"libnvidia-fbc",
		"libnvidia-ifr",
		"libnvidia-rtcore",
		"libnvoptix",
		"libGLX_nvidia",
		"libEGL_nvidia",
		"libGLESv2_nvidia",
		"libGLESv1_CM_nvidia",
		"libnvidia-glvkspirv",
		"libnvidia-cbl",
		"libnvidia-ngx",
	};
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (string_starts(name, names[i]) && string_starts(name + strlen(names[i]), ".so"))
			return true;
	return false;
}

/* Whether it is printed without --all. Libraries that keep their places are all the driver's. */
static bool is_usual(const struct operation *operation, unsigned kind, bool placed)
{
	if (kind == LIST_DEVICES)
		return !strstr(operation->target, "/dri/");
	return kind == LIST_LIBRARIES ? placed || is_listed_library(operation->source)
				      : kind != LIST_DATA;
}

static void print_path(const struct pipeline *pipeline, const struct arguments *arguments,
		       const struct operation *operation)
{
	const struct root *root = driver_root_of(&pipeline->roots, operation->tree);
	bool relative = string_equal(root->path, "/") ||
			(arguments->root && operation->tree == TREE_DRIVER_ROOT);
	struct stat st;

	if (!operation->required && root_stat(root, operation->source, 0, &st) < 0)
		return;
	(void)printf("%s/%s\n", relative ? "" : root->path,
		     operation->source + strspn(operation->source, "/"));
}

/* What comes in with its directory has no operation of its own. */
static void print_inside(const struct pipeline *pipeline, const struct arguments *arguments)
{
	for (size_t i = 0; i < pipeline->driver.files.count; i++) {
		const struct driver_file *file = &pipeline->driver.files.items[i];
		const struct operation one = {.tree = file->tree, .source = file->path};

		if (file->inside && (kinds[file->kind] & arguments->listed) &&
		    (arguments->list_all || file->kind != DRIVER_FILE_DATA))
			print_path(pipeline, arguments, &one);
	}
}

static void print_plan(const struct pipeline *pipeline, const struct arguments *arguments)
{
	bool placed = driver_has_folders(&pipeline->driver);

	for (size_t i = 0; i < pipeline->plan.count; i++) {
		const struct operation *operation = &pipeline->plan.items[i];
		unsigned kind = kind_of(operation, &pipeline->driver);

		if ((kind & arguments->listed) &&
		    (arguments->list_all || is_usual(operation, kind, placed)))
			print_path(pipeline, arguments, operation);
	}
	print_inside(pipeline, arguments);
}

int command_list(const struct arguments *arguments, struct arena *arena, struct error *err)
{
	AUTO_PIPELINE pipeline = PIPELINE_INIT;
	struct arguments all = *arguments;
	AUTO_ROOT root = {.fd = -1};
	struct config config;
	int r = settings_load(arguments, arena, &config, err);

	/* What isn't limited to some kinds is a list of everything. */
	all.capabilities |= CAPABILITY_ALL & ~(unsigned)CAPABILITY_COMPAT32;
	if (!arguments->listed) {
		all.listed = LIST_ALL;
		all.capabilities = CAPABILITY_ALL;
		if (!all.devices.count && strings_add(arena, &all.devices, "all") < 0)
			return error_memory(err);
	}
	if (r == 0)
		r = request_make(&all, &config, arena, &pipeline.request, err);
	if (r < 0 || !pipeline.request.gpu)
		return r;
	pipeline.config = &config;
	pipeline.as_caller = true;
	r = root_open("/", &root, err);
	if (r == 0)
		r = pipeline_driver(&pipeline, arena, err);
	if (r < 0)
		return r;
	files_leave_out(arguments, &pipeline.driver.files);
	r = pipeline_plan(&pipeline, &root, arena, err);
	if (r == 0)
		print_plan(&pipeline, &all);
	return r;
}
