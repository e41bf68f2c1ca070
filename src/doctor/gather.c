// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <sys/sysmacros.h>

#include "doctor.h"

#define PCI_DEVICES_MAX 16384
#define PCI_FILE_MAX ((size_t)4096)
#define DEV_ENTRIES_MAX 16384
#define SWITCH_NODE "nvidia-nvswitch"

/* ---- the configuration ------------------------------------------------------------------ */

static int beneath(struct doctor_gathering *g, const char **path)
{
	*path = arena_printf(g->arena, "%s%s", g->root.path, *path);
	return *path ? 0 : -ENOMEM;
}

/* For another host, paths are below its mount point. */
static int move_places(struct doctor_gathering *g)
{
	struct config *config = &g->host->config;
	const char **places[] = {&config->driver.root, &config->driver.proc, &config->driver.dev,
				 &config->driver.sys,  &config->driver.run,  &config->driver.mps,
				 &config->driver.csv};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(places); i++)
		r = beneath(g, places[i]);
	for (size_t i = 0; r == 0 && i < config->driver.search.count; i++)
		r = beneath(g, &config->driver.search.items[i]);
	return r;
}

static int gather_config(struct doctor_gathering *g)
{
	bool elsewhere = g->options->root && !string_equal(g->root.path, "/");
	struct config *config = &g->host->config;
	struct error *err = &g->host->config_error;
	const char *path = g->options->config;
	bool own = elsewhere && !path;
	int r;

	if (own && doctor_exists(g, CONFIG_PATH)) {
		path = CONFIG_PATH;
		if (beneath(g, &path) < 0)
			return -ENOMEM;
	}
	r = own && !path ? config_defaults(g->arena, config)
			 : config_load(path, g->arena, config, err);
	if (r < 0 && r != -ENOMEM)
		r = config_defaults(g->arena, config);
	return r == 0 && own ? move_places(g) : r;
}

/* ---- the driver ------------------------------------------------------------------------- */

static bool is_linked(const struct root *dev, const struct device_node *node, struct arena *arena)
{
	const char *path = arena_printf(arena, "char/%u:%u", node->major, node->minor);
	struct stat st;

	return path && root_stat(dev, path, 0, &st) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(node->major, node->minor);
}

static int add_node(struct doctor_gathering *g, const struct driver_roots *roots,
		    const struct device_node *node)
{
	struct doctor_node *added = ARENA_PUSH(g->arena, &g->host->driver.nodes);

	if (!added)
		return -ENOMEM;
	added->node = *node;
	added->exists = root_stat(&roots->dev, node->name, 0, &added->st) == 0;
	added->right = added->exists && S_ISCHR(added->st.st_mode) && node->major &&
		       added->st.st_rdev == makedev(node->major, node->minor);
	added->linked = node->major && is_linked(&roots->dev, node, g->arena);
	return 0;
}

/* Finds out which absent nodes the hook would create. */
static int pretend_repair(struct doctor_gathering *g, const struct driver_roots *roots)
{
	struct doctor_driver *d = &g->host->driver;
	struct error ignored;

	if (!g->host->config.driver.load_modules)
		return 0;
	if (driver_repair(roots, &g->host->config, NULL, true, g->arena, &d->driver, &ignored) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < d->nodes.count; i++)
		d->nodes.items[i].made =
			!d->nodes.items[i].exists && d->driver.nodes.items[i].to_be_made;
	return 0;
}

static const char *find_library(const struct driver *driver)
{
	for (size_t i = 0; i < driver->files.count; i++) {
		const struct driver_file *file = &driver->files.items[i];

		if (file->kind == DRIVER_FILE_LIBRARY && file->class_bits == 64 &&
		    (string_starts(file->name, "libcuda.so.") ||
		     string_starts(file->name, "libnvidia-ml.so.")))
			return file->path;
	}
	return NULL;
}

static int inspect_driver(struct doctor_gathering *g, const struct driver_roots *roots)
{
	struct doctor_driver *d = &g->host->driver;
	const struct config *config = &g->host->config;
	struct error ignored = {0};
	int r = driver_examine(roots, config, g->arena, &d->driver, &d->problems);

	for (size_t i = 0; r == 0 && i < d->driver.nodes.count; i++)
		r = add_node(g, roots, &d->driver.nodes.items[i]);
	if (r == 0 && d->driver.version)
		r = pretend_repair(g, roots);
	/* If the kernel doesn't report the GPUs' names, NVML may. Without names, doctor shows less.
	 */
	if (r == 0 && d->driver.nvml_optional && !d->problems.nodes.code && !d->problems.files.code)
		(void)driver_ask_nvml(roots, config, &d->driver, g->arena, &ignored);
	d->libraries = find_library(&d->driver);
	if (r == 0 && d->libraries)
		d->driver.cuda_version = driver_cuda_version(roots, config, &d->driver, g->arena);
	return r;
}

static bool has_text(struct doctor_gathering *g, const struct root *sys, const char *device,
		     const char *file, const char *start)
{
	const char *path = arena_printf(g->arena, "bus/pci/devices/%s/%s", device, file);
	char *text;

	return path && root_read(sys, path, PCI_FILE_MAX, g->arena, &text, NULL) == 0 &&
	       string_starts(text, start);
}

/* Counts NVIDIA's PCI devices of the class "other bridge". GPUs are display or 3D controllers. */
static size_t count_pci_switches(struct doctor_gathering *g, const struct root *sys)
{
	struct strings devices = {0};
	size_t found = 0;

	(void)root_list(sys, "bus/pci/devices", PCI_DEVICES_MAX, g->arena, &devices);
	for (size_t i = 0; i < devices.count; i++)
		found += has_text(g, sys, devices.items[i], "vendor", "0x10de") &&
			 has_text(g, sys, devices.items[i], "class", "0x0680");
	return found;
}

/* Counts NVSwitches on the PCI bus or, if none is visible, by their nodes (nvidia-nvswitch0, ...).
 */
static void gather_fabric(struct doctor_gathering *g, const struct driver_roots *roots)
{
	struct doctor_system *system = &g->host->system;
	size_t length = strlen(SWITCH_NODE);
	struct strings names = {0};

	system->nvswitches = count_pci_switches(g, &roots->sys);
	if (system->nvswitches == 0)
		(void)root_list(&roots->dev, ".", DEV_ENTRIES_MAX, g->arena, &names);
	for (size_t i = 0; i < names.count; i++)
		system->nvswitches += string_starts(names.items[i], SWITCH_NODE) &&
				      names.items[i][length] >= '0' &&
				      names.items[i][length] <= '9';
	if (system->nvswitches == 0)
		return;
	system->fabric_manager = doctor_find_process(g, "nv-fabricmanager");
	system->processes_hidden = doctor_processes_are_hidden(g);
}

/* Checks nvidia-persistenced by its socket in driver.run. */
static void probe_daemons(struct doctor_gathering *g, const struct driver_roots *roots)
{
	struct doctor_system *system = &g->host->system;
	struct stat st;

	if (root_stat(&roots->run, "nvidia-persistenced/socket", 0, &st) == 0) {
		system->persistenced = true;
		system->persistenced_wrong = !S_ISSOCK(st.st_mode);
	}
}

int doctor_gather_driver(struct doctor_gathering *g)
{
	struct driver_roots roots = DRIVER_ROOTS_INIT;
	struct doctor_driver *d = &g->host->driver;
	int r = driver_roots_open(&g->host->config, &roots, &d->roots_error);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	d->roots_open = true;
	probe_daemons(g, &roots);
	gather_fabric(g, &roots);
	r = inspect_driver(g, &roots);
	driver_roots_close(&roots);
	return r;
}

/* ---- one container ---------------------------------------------------------------------- */

static int walk(struct pipeline *pipeline, struct doctor_gathering *g)
{
	struct doctor_bundle *bundle = &g->host->bundle;
	struct error *err = &bundle->error;
	AUTO_ROOT root = {.fd = -1};
	int r = pipeline_read(pipeline, &g->host->config, bundle->path, g->arena, err);

	pipeline->for_runtime = pipeline->writes_spec = g->options->for_runtime;
	if (r == 0)
		r = pipeline_request(pipeline, g->arena, err);
	if (r < 0 && pipeline->stage < PIPELINE_SPEC)
		return r;
	bundle->failed = DOCTOR_STEP_REQUEST;
	if (r < 0 || !pipeline->request.gpu)
		return r;
	bundle->failed = DOCTOR_STEP_DRIVER;
	r = pipeline_driver(pipeline, g->arena, err);
	if (r < 0)
		return r;
	bundle->failed = DOCTOR_STEP_IMAGE;
	r = root_open(pipeline->rootfs, &root, err);
	if (r < 0)
		return error_fix(err, r, "correct root.path in config.json");
	r = root_refuse_own(&root, err);
	if (r == 0)
		r = pipeline_plan(pipeline, &root, g->arena, err);
	return r < 0 ? r : doctor_check_image(&root, pipeline, g->arena, err);
}

static int take_near_misses(struct doctor_gathering *g, const struct request_rules *rules)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < rules->count; i++)
		if (rules->items[i].kind == RULE_MISSPELT)
			r = strings_add(g->arena, &g->host->bundle.near_misses,
					rules->items[i].text);
	return r;
}

int doctor_gather_bundle(struct doctor_gathering *g)
{
	AUTO_PIPELINE pipeline = PIPELINE_INIT;
	struct doctor_bundle *bundle = &g->host->bundle;
	int r;

	bundle->path = g->options->bundle;
	if (!bundle->path)
		return 0;
	r = walk(&pipeline, g);
	if (r == -ENOMEM)
		return r;
	bundle->operations = pipeline.plan.count;
	bundle->loader = pipeline.image.loader;
	bundle->compat = pipeline.image.compat.count > 0;
	bundle->gpu = pipeline.request.gpu;
	bundle->from = gpu_request_sources(&pipeline.request, g->arena);
	bundle->devices = gpu_request_devices(&pipeline.request, g->arena);
	r = take_near_misses(g, &pipeline.request.rules);
	bundle->warnings = pipeline.request.warnings;
	for (size_t i = 0; r == 0 && i < pipeline.notes.count; i++)
		r = strings_add(g->arena, &bundle->warnings, pipeline.notes.items[i]);
	return bundle->devices && bundle->from ? r : -ENOMEM;
}

/* ---- all -------------------------------------------------------------------------------- */

int doctor_gather(const struct doctor_options *options, struct arena *arena,
		  struct doctor_host *ret, struct error *err)
{
	static int (*const parts[])(struct doctor_gathering * g) = {
		gather_config,           doctor_gather_driver, doctor_gather_vendors,
		doctor_gather_system,    doctor_gather_hooks,  doctor_gather_engines,
		doctor_gather_low_level, doctor_gather_bundle,
	};
	struct doctor_gathering g = {
		.options = options,
		.root = {.fd = -1},
		.arena = arena,
		.host = ret,
		.err = err,
	};
	int r = root_open(options->root ? options->root : "/", &g.root, err);

	*ret = (struct doctor_host){.required = options->engine};
	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(parts); i++)
		r = parts[i](&g);
	if (r == 0) {
		static const char *const folders[] = {"/etc/cdi", "/var/run/cdi"};

		r = cdi_scan(&g.root, folders, ARRAY_SIZE(folders), arena, &ret->cdi);
	}
	root_close(&g.root);
	return r < 0 ? error_memory(err) : 0;
}

void doctor_close(struct doctor_host *host)
{
	driver_close(&host->driver.driver);
}
