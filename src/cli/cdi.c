// SPDX-License-Identifier: Apache-2.0
/* `davit cdi generate`; `list` is in a file of its own. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cdi.h"

/* "index,uuid" */
static int parse_strategy(const char *strategy, struct cdi_options *ret)
{
	struct slice rest = slice_from(strategy), item;

	while (slice_next(&rest, ',', &item)) {
		if (slice_equal(item, "index"))
			ret->by_index = true;
		else if (slice_equal(item, "uuid"))
			ret->by_uuid = true;
		else
			return -EINVAL;
	}
	return ret->by_index || ret->by_uuid ? 0 : -EINVAL;
}

static const char *value_or(const struct arguments *arguments, const char *option,
			    const char *otherwise)
{
	const char *value = arguments_value(arguments, option);

	return value ? value : otherwise;
}

static int parse_options(const struct arguments *arguments, struct cdi_options *ret, bool *ret_yaml)
{
	const char *format = arguments_value(arguments, "format");
	const char *output = value_or(arguments, "output", "");
	const char *strategy = value_or(arguments, "device-name-strategy", "index,uuid");

	*ret_yaml = format ? string_equal(format, "yaml")
			   : string_ends(output, ".yaml") || string_ends(output, ".yml");
	if (parse_strategy(strategy, ret) < 0)
		return usage_error(arguments,
				   "--device-name-strategy %.100s: it is index, uuid or index,uuid",
				   strategy);
	ret->vendor = value_or(arguments, "vendor", "nvidia.com");
	ret->class = value_or(arguments, "class", "gpu");
	return 0;
}

/* The davit-hook beside this program: as it is installed, or in a build folder. */
static int find_hook(struct arena *arena, const char **ret, struct error *err)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
	const char *slash;

	if (length < 0 || (size_t)length == sizeof(path))
		return error_errno(err, length < 0 ? errno : ENAMETOOLONG,
				   "find where davit is installed");
	slash = memrchr(path, '/', (size_t)length);
	*ret = slash ? arena_printf(arena, "%.*s/davit-hook", (int)(slash - path), path) : NULL;
	if (!*ret)
		return error_memory(err);
	if (access(*ret, X_OK) < 0)
		return error_set(err, ERROR_SYSTEM, errno, "install davit-hook beside davit",
				 "find the hook %s: %s", *ret, strerror(errno));
	return 0;
}

/* Whether a name is only known to NVML: UUIDs of GPUs that weren't opened, all of MIG. */
static bool needs_nvml(const struct driver *driver, const struct cdi_options *options)
{
	if (driver->gpus_by_nvml)
		return true;
	for (size_t i = 0; i < driver->gpus.count; i++) {
		const struct gpu *gpu = &driver->gpus.items[i];

		if ((options->by_uuid && (gpu->mig.count > 0 || strchr(gpu->uuid, '?'))) ||
		    (options->by_index && gpu->mig.count > 1))
			return true;
	}
	return false;
}

/* An image of the host's own kind, but one with a loader cache: the hook sees what it really is. */
static int guess_image(struct arena *arena, struct image *ret, struct error *err)
{
	AUTO_ROOT root = {.fd = -1};
	int r = root_open("/", &root, err);

	if (r == 0)
		r = image_inspect(&root, arena, ret, err);
	ret->loader = IMAGE_LOADER_GLIBC;
	ret->musl_path_file = NULL;
	return r;
}

static int make_spec(struct pipeline *pipeline, struct cdi_options *options, struct arena *arena,
		     struct json_object **ret, struct strings *ret_left_out, struct error *err)
{
	int r;

	pipeline->request = (struct gpu_request){
		.gpu = true,
		.nvidia = true,
		.capabilities = pipeline->config->policy.capabilities,
		.mig_config = "",
		.mig_monitor = "",
		.mps_pipe_directory = "",
	};
	options->cuda_compat = pipeline->config->cuda_compat;
	options->image = &pipeline->image;
	if (strings_add(arena, &pipeline->request.devices, "all") < 0)
		return error_memory(err);
	r = find_hook(arena, &options->hook, err);
	if (r == 0)
		r = pipeline_driver(pipeline, arena, err);
	if (r == 0 && needs_nvml(&pipeline->driver, options)) {
		r = pipeline_ask_nvml(pipeline, arena, err);
		if (r < 0)
			return error_wrap(err, r, "name the devices");
	}
	if (r == 0)
		r = guess_image(arena, &pipeline->image, err);
	return r < 0 ? r
		     : cdi_spec_make(&pipeline->request, &pipeline->driver, &pipeline->roots,
				     options, arena, ret, ret_left_out, err);
}

static int write_spec(const char *output, struct json_object *spec, bool yaml, struct arena *arena,
		      struct error *err)
{
	const char *text = yaml ? cdi_yaml_write(spec, arena)
				: json_object_to_json_string_ext(
					  spec, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
							JSON_C_TO_STRING_NOSLASHESCAPE);

	if (text && !yaml)
		text = arena_printf(arena, "%s\n", text);
	if (!text)
		return error_memory(err);
	if (output && !string_equal(output, "-"))
		return cli_replace_file(output, text, false, arena, err);
	return fputs(text, stdout) < 0 || fflush(stdout) != 0
		       ? error_errno(err, errno, "write to standard output")
		       : 0;
}

static int generate(const struct arguments *arguments)
{
	AUTO_ARENA arena = {0}; /* outlives what it holds */
	AUTO_PIPELINE pipeline = PIPELINE_INIT;
	AUTO_JSON *spec = NULL;
	struct cdi_options cdi = {0};
	struct strings left_out = {0};
	struct error err = {0};
	struct config config;
	bool yaml;
	int r;

	if (parse_options(arguments, &cdi, &yaml) != 0)
		return EXIT_USAGE;
	r = config_load(arguments->config, &arena, &config, &err);
	pipeline.config = &config;
	if (r == 0)
		r = make_spec(&pipeline, &cdi, &arena, &spec, &left_out, &err);
	if (r == 0)
		r = write_spec(arguments_value(arguments, "output"), spec, yaml, &arena, &err);
	for (size_t i = 0; r == 0 && i < left_out.count; i++)
		(void)fprintf(stderr, "davit: left out: %s\n", left_out.items[i]);
	return r < 0 ? cli_fail(&err) : 0;
}

static const struct command_option options[] = {
	{"output",               OPTION_VALUE, "FILE",      "put it in the place of FILE, as a whole"},
	{"format",               OPTION_VALUE, "json|yaml", "how (by the name of FILE, else JSON)"   },
	{"device-name-strategy", OPTION_VALUE, "NAMES",     "index, uuid or index,uuid (both)"       },
	{"vendor",               OPTION_VALUE, "NAME",      "the vendor of the kind (nvidia.com)"    },
	{"class",                OPTION_VALUE, "NAME",      "the class of the kind (gpu)"            },
	{NULL,		   0,            NULL,        NULL				     },
};
const struct command command_cdi_generate = {
	.name = "generate",
	.summary = "a spec of this host's GPUs and MIG instances",
	.help = "Prints the spec, or puts it in the place of FILE. What couldn't be written into it is named\n"
		"on standard error.\n",
	.example = "davit cdi generate --output /var/run/cdi/nvidia.json",
	.options = options,
	.run = generate,
};
static const struct command *const commands[] = {&command_cdi_generate, &command_cdi_list, NULL};

const struct command command_cdi = {
	.name = "cdi",
	.summary = "specs of the Container Device Interface: generate, list",
	.help = "Specs by which engines give GPUs to containers themselves.\n",
	.example = "davit cdi generate --output /var/run/cdi/nvidia.json",
	.commands = commands,
};
