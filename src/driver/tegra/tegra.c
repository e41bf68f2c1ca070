// SPDX-License-Identifier: Apache-2.0
#include "tegra.h"

#include <fcntl.h>
#include <string.h>
#include <strings.h>

#include "board.h"

#define RELEASE "/etc/nv_tegra_release"
#define COMPATIBLE "firmware/devicetree/base/compatible"
#define ORIN 234
#define TEXT_MAX ((size_t)64 * 1024)

/* ---- recognising ------------------------------------------------------------------------ */

/* The chip's number in the device tree's list of names ("nvidia,tegra234"), or 0. */
static unsigned read_chip(const struct driver_roots *roots, struct arena *arena)
{
	static const char prefix[] = "nvidia,tegra";
	AUTO_FD fd = root_openat(&roots->sys, COMPATIBLE, O_RDONLY | O_NONBLOCK);
	size_t length = 0;
	uint64_t number;
	char *text;

	if (fd < 0 || file_read(fd, TEXT_MAX, arena, &text, &length) < 0)
		return 0;
	for (size_t at = 0; at < length; at += strlen(text + at) + 1)
		if (string_starts(text + at, prefix) &&
		    parse_number(text + at + strlen(prefix),
				 strspn(text + at + strlen(prefix), "0123456789"), 10, 9999,
				 &number) == 0)
			return (unsigned)number;
	return 0;
}

static bool has_release(const struct driver_roots *roots)
{
	struct stat st;

	return root_stat(&roots->driver, RELEASE, 0, &st) == 0 && S_ISREG(st.st_mode);
}

/* Whether a SoC's family is "Tegra". On newer kernels, the first SoC is ARM's own entry. */
static bool has_family(const struct driver_roots *roots, struct arena *arena)
{
	struct strings socs;

	if (host_list(&roots->sys, "devices", arena, &socs) < 0)
		return false;
	for (size_t i = 0; i < socs.count; i++) {
		const char *path = arena_printf(arena, "devices/%s/family", socs.items[i]);
		char *text;

		if (string_starts(socs.items[i], "soc") && path &&
		    host_read_text(&roots->sys, path, arena, &text) == 0 &&
		    strncasecmp(text, "tegra", 5) == 0)
			return true;
	}
	return false;
}

static bool is_tegra(const struct driver_roots *roots, struct arena *arena)
{
	return has_release(roots) || read_chip(roots, arena) || has_family(roots, arena);
}

/*
 * JetPack 6 and later also show the native driver's version. Most other hosts with it lack the
 * lists.
 */
static bool recognise(const struct platform_signs *signs, struct arena *arena)
{
	if (!board_has_lists(signs->roots, signs->config) && signs->proc_version)
		return false;
	return is_tegra(signs->roots, arena);
}

static int no_lists(const struct config *config, struct error *err)
{
	return error_set(err, ERROR_NO_DRIVER, ENXIO,
			 "install nvidia-l4t-init, which contains devices.csv and drivers.csv",
			 "use the driver: the host is a Tegra board, but %s has no CSV files",
			 config->driver.csv);
}

int tegra_explain_absence(const struct driver_roots *roots, const struct config *config,
			  struct arena *arena, struct error *err)
{
	return is_tegra(roots, arena) ? no_lists(config, err) : 0;
}

/* ---- versions --------------------------------------------------------------------------- */

/* "4.3" of "# R36 (release), REVISION: 4.3, ..." with 36 in *ret_release; or no data. */
static struct slice parse_release(const char *text, uint64_t *ret_release)
{
	struct slice line = {text, strcspn(text, "\n")}, part, none = {0};
	size_t digits;

	if (strncmp(text, "# R", 3) != 0)
		return none;
	digits = strspn(text + 3, "0123456789");
	if (parse_number(text + 3, digits, 10, 999, ret_release) < 0)
		return none;
	while (slice_next(&line, ',', &part)) {
		part = slice_trim(part);
		if (slice_starts(part, "REVISION:"))
			return slice_trim((struct slice){part.data + 9, part.length - 9});
	}
	return none;
}

/* The CUDA version of each L4T release, for a libcuda without a version note. */
static const char *cuda_of_release(const struct driver_roots *roots, struct arena *arena)
{
	struct slice revision;
	uint64_t release = 0;
	char *text;

	if (host_read_text(&roots->driver, RELEASE, arena, &text) < 0)
		return NULL;
	revision = parse_release(text, &release);
	if (!revision.data)
		return NULL;
	switch (release) {
	case 32:
		return "10.2";
	case 35:
		return "11.4";
	case 36:
		return revision.length && revision.data[0] < '4' ? "12.2" : "12.6";
	case 38:
		return "13.0";
	default:
		return NULL;
	}
}

static const char *cuda_version(const struct driver_roots *roots, const struct config *config,
				const struct driver *driver, struct arena *arena)
{
	(void)config;
	(void)driver;
	return cuda_of_release(roots, arena);
}

static const struct driver_file *find_nvml(const struct driver *driver)
{
	for (size_t i = 0; i < driver->files.count; i++)
		if (string_starts(driver->files.items[i].name, "libnvidia-ml.so."))
			return &driver->files.items[i];
	return NULL;
}

static int locate_nvml(const struct driver_roots *roots, const struct config *config,
		       const struct driver *driver, struct arena *arena, struct nvml_question *ret,
		       struct error *err)
{
	const char *root = string_equal(roots->driver.path, "/") ? "" : roots->driver.path;
	const struct driver_file *file = find_nvml(driver);

	(void)config;
	if (!file)
		return error_set(err, ERROR_NO_DRIVER, ENOENT,
				 "none: JetPack has no NVML before version 6",
				 "ask NVML: the board's lists name no libnvidia-ml");
	ret->library = arena_printf(arena, "%s%s", root, file->path);
	return ret->library ? 0 : error_memory(err);
}

/*
 * Newer libraries in images are for one kind of chip. Those for Orin are in their own directory,
 * and the usual directory has those for servers. The GPU's driver has no version there with which
 * to compare them, so CUDA versions are compared.
 */
static void choose_compat(struct board *board)
{
	bool orin = board->chip == ORIN || (board->chip == 0 && board_has_nvgpu(board->roots));

	if (!find_nvml(board->driver))
		return;
	board->driver->compat_dir =
		orin ? board->config->driver.csv_compat : "/usr/local/cuda/compat";
	board->driver->compat_by_cuda = true;
}

/* ---- the inventory ---------------------------------------------------------------------- */

/* The texts that the mask over /proc/driver/nvidia shows, if the files exist. */
static void read_mask_texts(struct board *board)
{
	const struct root *proc = &board->roots->proc;
	char *text;

	if (host_read_text(proc, "driver/nvidia/params", board->arena, &text) == 0)
		board->driver->proc_params = text;
	if (host_read_text(proc, "driver/nvidia/registry", board->arena, &text) == 0)
		board->driver->proc_registry = text;
	board->driver->proc_registry_absent = !board->driver->proc_registry;
}

static int begin(struct board *board)
{
	struct driver *driver = board->driver;
	struct strings gpus;

	board->chip = read_chip(board->roots, board->arena);
	driver->nvml_optional = driver->enforces = true;
	driver->mps_path = "";
	driver->no_families = FAMILY_IMEX;
	if (driver->proc_version) {
		struct slice version = host_driver_version(driver->proc_version);

		driver->version =
			version.length ? arena_strndup(board->arena, version.data, version.length)
				       : NULL;
	}
	/* Without GPUs in /proc/driver/nvidia, there is nothing to mask. */
	if (host_list(&board->roots->proc, "driver/nvidia/gpus", board->arena, &gpus) < 0 ||
	    gpus.count == 0)
		driver->proc_version = NULL;
	if (strings_add(board->arena, &driver->notes,
			"NVIDIA's lists of files decide what containers get; "
			"capabilities have no effect") < 0 ||
	    strings_add(board->arena, &driver->searched, board->config->driver.csv) < 0)
		return error_memory(board->err);
	if (driver->proc_version)
		read_mask_texts(board);
	return 0;
}

static int read_all(const struct driver_roots *roots, const struct config *config,
		    const struct driver_wanted *wanted, struct arena *arena, struct driver *ret,
		    struct error *err)
{
	struct board board = {
		.roots = roots, .config = config, .arena = arena, .driver = ret, .err = err};
	int r = board_has_lists(roots, config) ? begin(&board) : no_lists(config, err);

	if (r == 0)
		r = board_read_lists(&board, wanted->every_list);
	if (r == 0)
		r = board_read_gpus(&board);
	if (r < 0)
		return r;
	walk_begin(&board.files, &roots->driver, arena);
	r = board_read_files(&board);
	walk_end(&board.files);
	if (r == 0)
		choose_compat(&board);
	return r;
}

static int examine(const struct driver_roots *roots, const struct config *config,
		   struct arena *arena, struct driver *ret, struct driver_problems *ret_problems)
{
	struct board board = {.roots = roots,
			      .config = config,
			      .arena = arena,
			      .driver = ret,
			      .err = &ret_problems->nodes};
	int r = board_has_lists(roots, config) ? begin(&board) : no_lists(config, board.err);

	if (r == 0)
		r = board_read_lists(&board, false);
	if (r == 0) {
		r = board_read_gpus(&board);
		if (r == -ENOMEM)
			return r;
		board.err = &ret_problems->files;
		walk_begin(&board.files, &roots->driver, arena);
		r = board_read_files(&board);
		walk_end(&board.files);
		choose_compat(&board);
	}
	return r == -ENOMEM ? r : 0;
}

/* These devices are found only by name. Boards seldom have one. */
static int read_families(const struct driver_roots *roots, unsigned families,
			 const struct strings *imex, struct arena *arena, struct driver *driver,
			 struct error *err)
{
	(void)imex;
	if (families & (FAMILY_MIG_CONFIG | FAMILY_MIG_MONITOR))
		return error_set(err, ERROR_UNKNOWN_DEVICE, ENODEV,
				 "unset NVIDIA_MIG_CONFIG_DEVICES and NVIDIA_MIG_MONITOR_DEVICES",
				 "provide MIG's control devices: a Tegra board has none");
	return host_find_families(roots, families & ~(unsigned)FAMILY_IMEX, arena, driver, err);
}

const struct platform tegra_platform = {
	.id = PLATFORM_TEGRA,
	.recognise = recognise,
	.read = read_all,
	.examine = examine,
	.read_families = read_families,
	.cuda_version = cuda_version,
	.locate_nvml = locate_nvml,
};
