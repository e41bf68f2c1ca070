// SPDX-License-Identifier: Apache-2.0
/* `davit cdi generate`, and the code that it shares with nvidia-ctk's command of that name. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cdi.h"

/* ---- the host's driver ------------------------------------------------------------------ */

/*
 * As in nvidia-ctk, the driver's root has its own /dev unless another is named. If the driver
 * container has none, the host's is used.
 */
int generate_set_roots(const struct generate *generate, struct arena *arena, struct config *config,
		       struct error *err)
{
	const char *root =
		generate->driver_root ? cli_absolute(generate->driver_root, arena) : NULL;
	const char *dev_root = generate->dev_root ? cli_absolute(generate->dev_root, arena) : root;
	const char *control = dev_root ? arena_printf(arena, "%s/dev/nvidiactl", dev_root) : NULL;

	if ((generate->driver_root && !root) || ((generate->dev_root || root) && !control))
		return error_memory(err);
	if (root)
		config->driver.root = root;
	if (generate->dev_root || (dev_root && access(control, F_OK) == 0))
		config->driver.dev =
			arena_strndup(arena, control, strlen(control) - strlen("/nvidiactl"));
	if (!config->driver.dev)
		return error_memory(err);
	if (generate->dev_root && access(config->driver.dev, F_OK) < 0)
		return error_set(err, ERROR_NO_DRIVER, ENODEV,
				 "name the directory whose dev/ has the nodes", "find %s: %s",
				 config->driver.dev, strerror(errno));
	if (generate->csv_ignore)
		config->driver.csv_ignore = *generate->csv_ignore;
	if (generate->csv_compat)
		config->driver.csv_compat = cli_absolute(generate->csv_compat, arena);
	for (size_t i = 0; generate->csv_files && i < generate->csv_files->count; i++) {
		const char *path = cli_absolute(generate->csv_files->items[i], arena);

		if (!path || strings_add(arena, &config->driver.csv_files, path) < 0)
			return error_memory(err);
	}
	if (!config->driver.csv_compat)
		return error_memory(err);
	for (size_t i = 0; generate->search && i < generate->search->count; i++) {
		const char *path = generate->search->items[i];

		/* It is beneath the driver's root, like the root's other directories. */
		if (path[0] != '/')
			return error_set(err, ERROR_BAD_REQUEST, EINVAL, "use an absolute path",
					 "search %s: it is not an absolute path", path);
		path = string_equal(config->driver.root, "/")
			       ? path
			       : arena_printf(arena, "%s%s", config->driver.root, path);
		if (!path || strings_add(arena, &config->driver.search, path) < 0)
			return error_memory(err);
	}
	return 0;
}

/* Finds a program beside this one, installed or in a build folder. */
static int find_beside(const char *name, struct arena *arena, const char **ret, struct error *err)
{
	char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path));
	const char *slash;

	if (length < 0 || (size_t)length == sizeof(path))
		return error_errno(err, length < 0 ? errno : ENAMETOOLONG,
				   "find where davit is installed");
	slash = memrchr(path, '/', (size_t)length);
	*ret = slash ? arena_printf(arena, "%.*s/%s", (int)(slash - path), path, name) : NULL;
	return *ret ? 0 : error_memory(err);
}

/* An absolute path isn't checked, because the spec may be for another root. */
static int find_hook(struct cdi_options *options, struct arena *arena, struct error *err)
{
	const char *asked = options->hook;
	const char *name = asked && strrchr(asked, '/') ? strrchr(asked, '/') + 1 : asked;
	const char *beside = NULL;
	int r;

	if (asked && asked[0] == '/' && name[0])
		return 0;
	r = find_beside(asked && name[0] ? name : "davit-hook", arena, &beside, err);
	if (r < 0 || !beside)
		return r < 0 ? r : -ENOMEM;
	options->hook = beside;
	if (access(beside, X_OK) == 0)
		return 0;
	if (!asked)
		return error_set(err, ERROR_SYSTEM, errno, "install davit-hook beside davit",
				 "find the hook %s: %s", options->hook, strerror(errno));
	options->hook = arena_printf(arena, "/usr/bin/%s", name);
	return options->hook ? 0 : error_memory(err);
}

/* Whether only NVML knows a name: UUIDs of GPUs that weren't opened, and MIG instances. */
static bool needs_nvml(const struct driver *driver, const struct cdi_options *options)
{
	if (options->mode != CDI_MODE_GPU)
		return false;
	if (driver->gpus_by_nvml)
		return true;
	for (size_t i = 0; i < driver->gpus.count; i++) {
		const struct gpu *gpu = &driver->gpus.items[i];

		if ((options->by_uuid && (gpu->mig.count > 0 || strchr(gpu->uuid, '?'))) ||
		    ((options->by_index || options->by_type_index) && gpu->mig.count > 1))
			return true;
	}
	return false;
}

/* A mode with a platform's name requires a host of that platform. */
static int check_platform(const struct pipeline *pipeline, const struct cdi_options *options,
			  struct error *err)
{
	static const char *const names[] = {
		[PLATFORM_NATIVE] = "nvml",
		[PLATFORM_WSL] = "wsl",
		[PLATFORM_TEGRA] = "csv",
	};
	const char *own = names[pipeline->driver.platform];

	if (!options->platform || strcasecmp(options->platform, own) == 0)
		return 0;
	error_set(err, ERROR_BAD_REQUEST, EINVAL, NULL,
		  "generate a spec with --mode %s: this host has another platform",
		  options->platform);
	return error_fix(err, -EINVAL, "omit --mode, or use --mode %s", own);
}

/* Assumes an image like the host, with a loader cache. The hook inspects the real image. */
static int guess_image(struct arena *arena, struct image *ret, struct error *err)
{
	AUTO_ROOT root = {.fd = -1};
	int r = root_open("/", &root, err);

	if (r == 0)
		r = image_inspect(&root, arena, ret, err);
	ret->loader = IMAGE_LOADER_GLIBC;
	return r;
}

/* ---- the request ------------------------------------------------------------------------ */

#define CHANNELS "nvidia-caps-imex-channels"
#define CHANNELS_MAX 65536

static int by_version(const void *a, const void *b)
{
	return strverscmp(*(const char *const *)a, *(const char *const *)b);
}

/* Adds the channels as numbers: "channel3", "3", or all that the host has. */
static int add_channels(const struct config *config, const struct strings *asked,
			struct arena *arena, struct strings *ret, struct error *err)
{
	static const char prefix[] = "channel";
	AUTO_ROOT dev = {.fd = -1};
	struct strings names = {0};
	int r = 0;

	if (asked && !strings_contain(asked, "all")) {
		names = *asked;
	} else {
		r = root_open(config->driver.dev, &dev, err);
		if (r < 0)
			return r;
		r = root_list(&dev, CHANNELS, CHANNELS_MAX, arena, &names);
		if (r == 0)
			r = sort_items(arena, names.items, names.count, sizeof(*names.items),
				       by_version);
		if (r < 0 && r != -ENOENT)
			return error_errno(err, -r, "list %s/" CHANNELS, config->driver.dev);
	}
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.items[i];
		uint64_t number;

		name += string_starts(name, prefix) ? strlen(prefix) : 0;
		if (parse_number(name, strlen(name), 10, (1U << 20) - 1, &number) == 0) {
			if (strings_add(arena, ret, name) < 0)
				return error_memory(err);
		} else if (asked && !strings_contain(asked, "all")) {
			return error_set(err, ERROR_BAD_REQUEST, EINVAL, "name its number",
					 "describe the IMEX channel %.60s: it is not a number",
					 name);
		}
	}
	return 0;
}

static int make_request(const struct generate *generate, const struct config *config,
			struct arena *arena, struct gpu_request *ret, struct error *err)
{
	enum cdi_mode mode = generate->cdi.mode;
	bool gpus = mode == CDI_MODE_GPU || mode == CDI_MODE_MANAGEMENT;

	*ret = (struct gpu_request){
		.gpu = true,
		.nvidia = true,
		.capabilities = gpus ? config->policy.capabilities : 0,
		.mig_config = "",
		.mig_monitor = "",
		.mps_pipe_directory = "",
		.gds = mode == CDI_MODE_GDS,
		.mofed = mode == CDI_MODE_MOFED,
		.gdrcopy = mode == CDI_MODE_GDRCOPY,
		.nvswitch = mode == CDI_MODE_NVSWITCH,
	};
	if (mode == CDI_MODE_IMEX)
		return add_channels(config, generate->cdi.devices, arena, &ret->imex, err);
	return 0;
}

static int make_spec(struct generate *generate, struct pipeline *pipeline, struct arena *arena,
		     struct json_object **ret, struct strings *ret_left_out, struct error *err)
{
	struct cdi_options *options = &generate->cdi;
	const char *devices = options->mode == CDI_MODE_GPU ? "all" : "none";
	int r = make_request(generate, pipeline->config, arena, &pipeline->request, err);

	options->cuda_compat = pipeline->config->cuda_compat;
	options->image = &pipeline->image;
	if (r == 0 && strings_add(arena, &pipeline->request.devices, devices) < 0)
		return error_memory(err);
	if (r == 0)
		r = find_hook(options, arena, err);
	if (r == 0)
		r = pipeline_driver(pipeline, arena, err);
	if (r == 0)
		r = check_platform(pipeline, options, err);
	if (r == 0 && pipeline->driver.compat_by_cuda)
		pipeline->driver.cuda_version = driver_cuda_version(
			&pipeline->roots, pipeline->config, &pipeline->driver, arena);
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

int cdi_write(const char *output, struct json_object *spec, bool yaml, struct arena *arena,
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
	if (output)
		return file_save(output, text, false, arena, err);
	return fputs(text, stdout) < 0 || fflush(stdout) != 0
		       ? error_errno(err, errno, "write to standard output")
		       : 0;
}

/* The vendor, if its GPUs need no driver in the container; NULL: the spec is for NVIDIA. */
static const struct vendor *other_vendor(const struct generate *generate)
{
	const struct vendor *vendor = vendor_find(generate->cdi.vendor);

	return vendor && vendor->table && generate->cdi.mode == CDI_MODE_GPU ? vendor : NULL;
}

static int make_vendor_spec(struct generate *generate, const struct config *config,
			    const struct vendor *vendor, struct arena *arena,
			    struct json_object **ret, struct strings *ret_left_out,
			    struct error *err)
{
	int r = find_hook(&generate->cdi, arena, err);

	return r < 0 ? r
		     : cdi_make_vendor(config, vendor, &generate->cdi, arena, ret, ret_left_out,
				       err);
}

/* If the spec is written to standard output, this line is written to standard error. */
static void report_spec(const struct generate *generate, struct json_object *spec)
{
	size_t count = json_object_array_length(json_object_object_get(spec, "devices"));

	if (!generate->report || cli_is_quiet())
		return;
	if (generate->output)
		(void)printf("wrote %s: %zu device%s\n", generate->output, count,
			     count == 1 ? "" : "s");
	else
		cli_note("wrote the spec to standard output: %zu device%s", count,
			 count == 1 ? "" : "s");
}

int generate_run(struct generate *generate, const struct config *config, struct arena *arena,
		 struct error *err)
{
	AUTO_PIPELINE pipeline = PIPELINE_INIT;
	const struct vendor *vendor = other_vendor(generate);
	AUTO_JSON *spec = NULL;
	struct strings left_out = {0};
	int r;

	pipeline.config = config;
	r = vendor ? make_vendor_spec(generate, config, vendor, arena, &spec, &left_out, err)
		   : make_spec(generate, &pipeline, arena, &spec, &left_out, err);
	if (r == 0)
		r = cdi_write(generate->output, spec, generate->yaml, arena, err);
	if (r == 0)
		report_spec(generate, spec);
	for (size_t i = 0; r == 0 && i < left_out.count; i++)
		cli_note("skipped: %s", left_out.items[i]);
	generate->cdi.image = NULL; /* it was the pipeline's */
	return r;
}

/*
 * Removes the spec of a vendor whose GPUs no longer exist. (NVIDIA's spec is kept, because its
 * driver may be loaded when a container requests GPUs.) 1: there was a spec, which was removed.
 */
static int remove_stale(const struct vendor *vendor, const char *output, struct error *err)
{
	if (!vendor->table || !output)
		return 0;
	if (unlink(output) < 0)
		return errno == ENOENT
			       ? 0
			       : error_errno(err, errno, "remove %s, whose GPUs are gone", output);
	cli_note("removed %s: the host has no %s GPUs any more", output, vendor->title);
	return 1;
}

/*
 * Writes a file for each vendor that the host has: nvidia.json, amd.json, intel.json. It is an
 * error only if the host has none of them.
 */
static int generate_all(const struct generate *generate, const struct config *config,
			struct arena *arena, struct error *err)
{
	struct error first = {0};
	size_t made = 0;
	int failed = 0;

	for (size_t i = 0; vendors[i]; i++) {
		struct generate one = *generate;
		struct error problem = {0};
		int r;

		one.cdi.vendor = vendors[i]->table ? vendors[i]->name : generate->cdi.vendor;
		one.output = arena_printf(arena, "%s%s.%s", generate->output, vendors[i]->name,
					  generate->yaml ? "yaml" : "json");
		r = one.output ? generate_run(&one, config, arena, &problem)
			       : error_memory(&problem);
		made += r == 0;
		/* The other vendors' specs are still written. */
		if (r < 0 && problem.code != ERROR_NO_DRIVER) {
			*err = problem;
			failed = error_wrap(err, r, "describe the GPUs of %s", vendors[i]->title);
			continue;
		}
		if (r == 0)
			continue;
		cli_note("no spec for %s: cannot %s", vendors[i]->title, problem.message);
		if (first.code == ERROR_NONE)
			first = problem;
		r = remove_stale(vendors[i], one.output, err);
		if (r < 0)
			return r;
		made += (size_t)r;
	}
	if (failed)
		return failed;
	if (made)
		return 0;
	*err = first;
	return -ENODEV;
}

static bool is_for_all(const struct arguments *arguments, const struct generate *generate)
{
	return generate->output && string_ends(generate->output, "/") &&
	       !arguments_value(arguments, "vendor") && generate->cdi.mode == CDI_MODE_GPU;
}

static int run(const struct arguments *arguments)
{
	AUTO_ARENA arena = {0};
	struct generate generate = {0};
	struct error err = {0};
	struct config config;
	int r;

	if (generate_parse(arguments, &generate) != 0 ||
	    generate_parse_form(arguments, &generate) != 0)
		return EXIT_USAGE;
	/* Without --output, only the spec itself is printed. */
	generate.report = arguments_value(arguments, "output") != NULL;
	r = config_load(arguments->config, &arena, &config, &err);
	if (r == 0)
		r = generate_set_roots(&generate, &arena, &config, &err);
	if (r == 0)
		r = is_for_all(arguments, &generate)
			    ? generate_all(&generate, &config, &arena, &err)
			    : generate_run(&generate, &config, &arena, &err);
	return r < 0 ? cli_fail(&err) : fflush(stdout) != 0;
}

static const struct command_option options[] = {
	GENERATE_OPTIONS{"hook-path", OPTION_VALUE, "FILE",
			 "the program that the hooks run (davit-hook beside davit)"},
	{"mounts", OPTION_VALUE, "auto|hook|spec", "what mounts the driver's files (auto)"},
	{NULL, 0, NULL, NULL},
};
const struct command command_cdi_generate = {
	.name = "generate",
	.summary = "generate a spec of this host's GPUs and MIG instances, or of other devices",
	.help = "Prints the spec, or writes it to FILE and prints the number of its devices. Standard\n"
		"error names what couldn't be written into the spec. List items are separated by commas, and options with lists may be\n"
		"repeated.\n"
		"\n"
		"The modes auto and nvml describe GPUs. The mode management describes all nodes, for\n"
		"daemons that manage the driver. The other modes are gds, mofed, gdrcopy, nvswitch and\n"
		"imex. Each mode has its own kind.\n"
		"\n"
		"--vendor amd or intel generates a spec of that vendor's GPUs. With --output DIR/, davit\n"
		"writes a file for each vendor that the host has: nvidia.json, amd.json, intel.json.\n",
	.example = "davit cdi generate --output /var/run/cdi/nvidia.json",
	.options = options,
	.run = run,
};
