// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "cli.h"

static void print_text(const struct driver *driver)
{
	if (driver->platform != PLATFORM_NATIVE)
		(void)printf("platform %s\n", driver_platform_name(driver->platform));
	(void)printf("driver  %s\ncuda    %s\nroot    %s\n", driver_version_text(driver),
		     driver->cuda_version ? driver->cuda_version : "unknown", driver->root_path);
	for (size_t i = 0; i < driver->gpus.count; i++) {
		const struct gpu *gpu = &driver->gpus.items[i];

		(void)printf("gpu %u   %s  %s  %s  /dev/%s\n", gpu->index, gpu->model, gpu->uuid,
			     gpu_place_text(gpu), gpu->nodes.count ? gpu->nodes.items[0] : "null");
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

/* What is wrong with the kernel's side: without it there is nothing to show. */
static const struct error *first_problem(const struct driver_problems *problems)
{
	const struct error *parts[] = {&problems->kernel, &problems->majors, &problems->gpus};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (parts[i]->code != ERROR_NONE)
			return parts[i];
	return NULL;
}

/* A host may lack libraries and have its GPUs all the same: then both are told. */
static int print(const struct arguments *arguments, const struct config *config,
		 const struct driver_roots *roots, struct arena *arena, struct driver *driver)
{
	struct driver_problems problems;
	const struct error *problem;
	struct error err = {0};
	int code = 0;

	if (driver_examine(roots, config, arena, driver, &problems) < 0) {
		(void)error_memory(&err);
		return cli_fail(&err);
	}
	problem = first_problem(&problems);
	if (problem)
		return cli_fail(problem);
	driver->cuda_version = driver_cuda_version(roots, config, driver, arena);
	if (arguments->json)
		code = cli_print_json(cli_json_driver(driver));
	else
		print_text(driver);
	if (fflush(stdout) != 0)
		code = 1;
	return problems.files.code != ERROR_NONE ? cli_fail(&problems.files) : code;
}

static int run(const struct arguments *arguments)
{
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct config config;
	struct driver driver = {0};
	int code, r = config_load(arguments->config, &arena, &config, &err);

	if (r == 0)
		r = driver_roots_open(&config, &roots, &err);
	code = r < 0 ? cli_fail(&err) : print(arguments, &config, &roots, &arena, &driver);
	driver_close(&driver);
	driver_roots_close(&roots);
	return code;
}

const struct command command_info = {
	.name = "info",
	.summary = "the driver and the GPUs of this host",
	.help = "Prints the driver's version, the CUDA version and the GPUs; on standard error what is wrong\n"
		"with its libraries, with exit code 1.\n",
	.example = "davit info --json",
	.json = true,
	.run = run,
};
