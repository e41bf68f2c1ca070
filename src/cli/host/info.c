// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "info.h"

static bool has_node(const struct gpu *gpu, const char *name)
{
	return strings_contain(&gpu->nodes, name);
}

/* The first node that no other GPU comes with; the first one where all are shared. */
static const char *main_node(const struct driver *driver, const struct gpu *gpu)
{
	const struct gpus *gpus = &driver->gpus;

	for (size_t i = 0; i < gpu->nodes.count; i++) {
		bool shared = false;

		for (size_t j = 0; j < gpus->count; j++)
			shared |= &gpus->items[j] != gpu &&
				  has_node(&gpus->items[j], gpu->nodes.items[i]);
		if (!shared)
			return gpu->nodes.items[i];
	}
	return gpu->nodes.count ? gpu->nodes.items[0] : "null";
}

static void print_text(const struct driver *driver)
{
	if (driver->platform != PLATFORM_NATIVE)
		(void)printf("platform %s\n", driver_platform_name(driver->platform));
	(void)printf("driver  %s\ncuda    %s\nroot    %s\n", driver_version_text(driver),
		     driver->cuda_version ? driver->cuda_version : "unknown", driver->root_path);
	for (size_t i = 0; i < driver->gpus.count; i++) {
		const struct gpu *gpu = &driver->gpus.items[i];

		(void)printf("gpu %u   %s  %s  %s  /dev/%s", gpu->index, gpu->model, gpu->uuid,
			     gpu_place_text(gpu), main_node(driver, gpu));
		if (gpu->nodes.count > 1)
			(void)printf(" and %zu other nodes", gpu->nodes.count - 1);
		(void)puts("");
		for (size_t j = 0; j < gpu->mig.count; j++)
			(void)printf("  mig %u:%zu  gpu instance %u, compute instance %u%s%s\n",
				     gpu->index, j, gpu->mig.items[j].gpu_instance,
				     gpu->mig.items[j].compute_instance,
				     gpu->mig.items[j].uuid ? "  " : "",
				     gpu->mig.items[j].uuid ? gpu->mig.items[j].uuid : "");
	}
	for (size_t i = 0; i < driver->lost.count; i++)
		(void)printf("lost    %s  %s\n", driver->lost.items[i].bus_id,
			     driver->lost.items[i].problem);
	for (size_t i = 0; i < driver->notes.count; i++)
		(void)printf("note    %s\n", driver->notes.items[i]);
	if (driver->gpus.count == 0)
		(void)puts("no GPUs");
}

/* If the kernel shows no GPU, or not its name, NVML may. Its answer is optional. */
const char *cli_ask_nvml(const struct driver_roots *roots, const struct config *config,
			 struct arena *arena, struct driver *driver)
{
	bool lacks_mig = driver_lacks_mig_uuids(driver);
	struct error err = {0};
	const char *note;

	if ((!driver->nvml_optional && !lacks_mig) ||
	    driver_ask_nvml(roots, config, driver, arena, &err) == 0)
		return NULL;
	note = arena_printf(arena, "the %s aren't known: cannot %s",
			    lacks_mig ? "MIG instances' UUIDs" : "GPUs' names", err.message);
	if (note)
		(void)strings_add(arena, &driver->notes, note);
	return note;
}

/* The first problem that leaves nothing to show. */
static const struct error *first_problem(const struct driver_problems *problems)
{
	const struct error *parts[] = {&problems->kernel, &problems->majors, &problems->gpus};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (parts[i]->code != ERROR_NONE)
			return parts[i];
	return NULL;
}

/* ---- other vendors ---------------------------------------------------------------------- */

/* The GPUs of vendors other than NVIDIA that the host has. */
struct found {
	struct choice *items;
	size_t count, capacity;
};

/* `name` NULL: every vendor's. The error is that of a vendor which was named. */
static int find_others(const char *name, const struct driver_roots *roots, struct arena *arena,
		       struct found *ret, struct error *err)
{
	for (size_t i = 0; vendors[i]; i++) {
		struct choice choice, *added;
		struct error problem = {0};

		if (!vendors[i]->table || (name && vendor_find(name) != vendors[i]))
			continue;
		if (!info_read_vendor(vendors[i], roots, arena, &choice, &problem)) {
			*err = problem;
			continue;
		}
		added = ARENA_PUSH(arena, ret);
		if (!added)
			return error_memory(err);
		*added = choice;
	}
	return ret->count || !name ? 0 : -ENODEV;
}

static struct json_object *json_found(const struct found *found)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < found->count; i++)
		(void)json_object_array_add(array, cli_json_accelerators(&found->items[i].all));
	return array;
}

static int print_found(const struct arguments *arguments, const struct found *found,
		       struct arena *arena)
{
	struct json_object *object;

	if (arguments->json) {
		object = json_object_new_object();
		json_object_object_add(object, "vendors", json_found(found));
		return cli_print_json(object);
	}
	for (size_t i = 0; i < found->count; i++)
		info_print_vendor(&found->items[i], arena);
	return fflush(stdout) != 0;
}

/* ---- all -------------------------------------------------------------------------------- */

/* A host may have GPUs but lack libraries. Then both are printed. */
static int print_nvidia(const struct arguments *arguments, const struct config *config,
			const struct driver_roots *roots, const struct found *found,
			struct arena *arena, struct driver *driver)
{
	struct driver_problems problems;
	struct json_object *object;
	const struct error *problem;
	struct error err = {0};
	const char *note;
	int code = 0;

	if (driver_examine(roots, config, arena, driver, &problems) < 0) {
		(void)error_memory(&err);
		return cli_fail(&err);
	}
	problem = first_problem(&problems);
	/* If NVIDIA's module isn't loaded but other vendors' GPUs exist, that is not an error. */
	if (problem && found->count && problem == &problems.kernel)
		return print_found(arguments, found, arena);
	if (problem)
		return cli_fail(problem);
	note = cli_ask_nvml(roots, config, arena, driver);
	driver->cuda_version = driver_cuda_version(roots, config, driver, arena);
	if (arguments->json) {
		object = cli_json_driver(driver);
		/* Only other platforms have notes in JSON. */
		if (note && driver->platform == PLATFORM_NATIVE)
			cli_note("%s", note);
		if (found->count)
			json_object_object_add(object, "vendors", json_found(found));
		code = cli_print_json(object);
	} else {
		print_text(driver);
		code = print_found(arguments, found, arena);
	}
	if (fflush(stdout) != 0)
		code = 1;
	return problems.files.code != ERROR_NONE ? cli_fail(&problems.files) : code;
}

static int print(const struct arguments *arguments, const struct config *config,
		 struct driver_roots *roots, struct arena *arena, struct driver *driver)
{
	const char *name = arguments_value(arguments, "vendor");
	bool other = name && vendor_find(name) && vendor_find(name)->table;
	struct found found = {0};
	struct error err = {0}, of_driver = {0};
	int r = driver_roots_open_host(config, roots, &err);

	if (r == 0 && (!name || other))
		r = find_others(other ? name : NULL, roots, arena, &found, &err);
	if (r < 0)
		return cli_fail(&err);
	if (other)
		return print_found(arguments, &found, arena);
	driver_roots_close(roots);
	*roots = (struct driver_roots)DRIVER_ROOTS_INIT;
	if (driver_roots_open(config, roots, &of_driver) < 0)
		return found.count ? print_found(arguments, &found, arena) : cli_fail(&of_driver);
	return print_nvidia(arguments, config, roots, &found, arena, driver);
}

static int run(const struct arguments *arguments)
{
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct config config;
	struct driver driver = {0};
	int code, r = config_load(arguments->config, &arena, &config, &err);

	code = r < 0 ? cli_fail(&err) : print(arguments, &config, &roots, &arena, &driver);
	driver_close(&driver);
	driver_roots_close(&roots);
	return code;
}

static const struct command_option options[] = {
	{"vendor", OPTION_VALUE, "nvidia|amd|intel", "only that vendor's GPUs"},
	{NULL, 0, NULL, NULL},
};
const struct command command_info = {
	.name = "info",
	.summary = "show the driver and the GPUs of this host",
	.help = "Prints the driver's version, the CUDA version and the GPUs of every vendor. Problems of\n"
		"the driver's libraries are printed on standard error, and the exit code is then 1.\n"
		"\n"
		"For an AMD GPU, HIP is its index for HIP_VISIBLE_DEVICES and ROCm programs, if that\n"
		"index differs.\n",
	.example = "davit info --json",
	.options = options,
	.json = true,
	.run = run,
};
