// SPDX-License-Identifier: Apache-2.0
#include "wsl.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "store.h"

#define NODE "dxg"

static bool recognise(const struct platform_signs *signs, struct arena *arena)
{
	struct stat st;

	(void)arena;
	return !signs->proc_version && host_stat_node(&signs->roots->dev, NODE, &st) == 0 &&
	       S_ISCHR(st.st_mode);
}

/* WSL1 isn't a virtual machine: the Windows kernel answers, with its own version string. */
static bool is_first_wsl(const struct driver_roots *roots, struct arena *arena)
{
	char *release;

	if (host_read_text(&roots->proc, "sys/kernel/osrelease", arena, &release) < 0)
		return false;
	release[strcspn(release, "\n")] = '\0';
	return string_ends(release, "-Microsoft");
}

int wsl_explain_absence(const struct driver_roots *roots, struct arena *arena, struct error *err)
{
	struct stat st;

	if (root_stat(&roots->driver, WSL_DRIVERS, 0, &st) == 0)
		return error_set(
			err, ERROR_NO_DRIVER, ENXIO,
			"install NVIDIA's driver in Windows and run `wsl --update`; in a container, pass the device as well",
			"use the driver: the host is WSL2, but has no %s/" NODE, roots->dev.path);
	if (is_first_wsl(roots, arena))
		return error_set(err, ERROR_NO_DRIVER, ENXIO,
				 "run `wsl --set-version DISTRIBUTION 2` in Windows",
				 "use the driver: the host is WSL1, which has no GPU");
	return 0;
}

static int add_node(const struct driver_roots *roots, struct arena *arena, struct driver *driver,
		    struct error *err)
{
	struct device_node *node = ARENA_PUSH(arena, &driver->nodes);
	struct stat st;
	int r = host_stat_node(&roots->dev, NODE, &st);

	if (!node)
		return error_memory(err);
	if (r < 0 || !S_ISCHR(st.st_mode))
		return error_set(err, ERROR_NO_DRIVER, ENXIO, "run `wsl --update` in Windows",
				 "use %s/" NODE ": %s", roots->dev.path,
				 r < 0 ? strerror(-r) : "it is not a character device");
	/* The kernel assigns the minor of a misc device anew at each boot. */
	*node = (struct device_node){
		.name = NODE,
		.major = major(st.st_rdev),
		.minor = minor(st.st_rdev),
		.present = true,
	};
	return 0;
}

/* One placeholder for all GPUs until NVML answers: they share the same node. */
static int add_gpu(struct arena *arena, struct driver *driver, struct error *err)
{
	struct gpu *gpu = ARENA_PUSH(arena, &driver->gpus);

	if (!gpu)
		return error_memory(err);
	*gpu = (struct gpu){
		.minor = GPU_NO_MINOR, .uuid = GPU_UUID_UNKNOWN, .model = "a GPU of Windows"};
	return strings_add(arena, &gpu->nodes, NODE) < 0 ? error_memory(err) : 0;
}

static int begin(const struct driver_roots *roots, struct arena *arena, struct driver *driver,
		 struct error *err)
{
	int r = add_node(roots, arena, driver, err);

	driver->gpus_by_nvml = driver->nvml_optional = driver->enforces = true;
	driver->no_families = FAMILY_IMEX;
	driver->mps_path = ""; /* Windows has no MPS */
	if (r == 0)
		r = add_gpu(arena, driver, err);
	if (r < 0)
		return r;
	return strings_add(arena, &driver->notes,
			   "/dev/dxg gives access to all GPUs of Windows, including "
			   "those of other vendors; an index or a UUID hides none of them") < 0
		       ? error_memory(err)
		       : 0;
}

static int read_files(const struct driver_roots *roots, unsigned capabilities, struct arena *arena,
		      struct driver *driver, struct error *err)
{
	struct wsl_store store;
	int r = wsl_store_open(roots, arena, &store, err);

	if (r == 0)
		r = strings_add(arena, &driver->searched, store.path) < 0 ? error_memory(err) : 0;
	if (r == 0)
		r = wsl_read_files(roots, capabilities, &store, arena, driver, err);
	fd_close(&store.fd);
	return r;
}

static int read_all(const struct driver_roots *roots, const struct config *config,
		    const struct driver_wanted *wanted, struct arena *arena, struct driver *ret,
		    struct error *err)
{
	int r = begin(roots, arena, ret, err);

	(void)config;
	return r < 0 ? r : read_files(roots, wanted->capabilities, arena, ret, err);
}

static int examine(const struct driver_roots *roots, const struct config *config,
		   struct arena *arena, struct driver *ret, struct driver_problems *ret_problems)
{
	int r = begin(roots, arena, ret, &ret_problems->nodes);

	(void)config;
	if (r == 0)
		r = read_files(roots, CAPABILITY_ALL, arena, ret, &ret_problems->files);
	return r == -ENOMEM ? r : 0;
}

/* WSL2 has none of these devices. */
static int read_families(const struct driver_roots *roots, unsigned families,
			 const struct strings *imex, struct arena *arena, struct driver *driver,
			 struct error *err)
{
	(void)roots;
	(void)imex;
	if (families & (FAMILY_MIG_CONFIG | FAMILY_MIG_MONITOR))
		return error_set(err, ERROR_UNKNOWN_DEVICE, ENODEV,
				 "unset NVIDIA_MIG_CONFIG_DEVICES and NVIDIA_MIG_MONITOR_DEVICES",
				 "provide MIG's control devices: WSL2 has none");
	log_line(
		LOG_LEVEL_WARNING,
		"the container requests GPUDirect Storage, MOFED, GDRCopy, NVSwitch or IMEX, which WSL2 doesn't have");
	return strings_add(arena, &driver->notes,
			   "WSL2 has no GPUDirect Storage, MOFED, GDRCopy, NVSwitch or IMEX") < 0
		       ? error_memory(err)
		       : 0;
}

/* From the note of libcuda in the store in use. */
static const char *cuda_version(const struct driver_roots *roots, const struct config *config,
				const struct driver *driver, struct arena *arena)
{
	struct error ignored;
	struct wsl_store store;
	struct elf_facts facts;
	struct cuda_note note;
	const char *version = NULL;

	(void)config;
	(void)driver;
	if (wsl_store_open(roots, arena, &store, &ignored) == 0) {
		AUTO_FD fd = wsl_open_file(store.fd, WSL_LIBCUDA, arena);
		AUTO_FD again = fd < 0 ? -1 : fd_reopen(fd, O_RDONLY | O_NONBLOCK | O_NOCTTY);

		if (again >= 0 && elf_read(again, ELF_WANT_CUDA_NOTE, arena, &facts) == 0 &&
		    facts.cuda_note && cuda_note_parse(facts.cuda_note, arena, &note) == 0)
			version = note.cuda_version;
	}
	fd_close(&store.fd);
	return version;
}

/* libnvidia-ml opens libdxcore.so by its bare name, which the loader cache may lack. */
static int locate_nvml(const struct driver_roots *roots, const struct config *config,
		       const struct driver *driver, struct arena *arena, struct nvml_question *ret,
		       struct error *err)
{
	const char *root = string_equal(roots->driver.path, "/") ? "" : roots->driver.path;
	struct wsl_store store;
	int r = wsl_store_open(roots, arena, &store, err);

	(void)config;
	(void)driver;
	if (r < 0)
		return r;
	fd_close(&store.fd);
	ret->library = arena_printf(arena, "%s%s/libnvidia-ml.so.1", root, store.path);
	ret->before = arena_printf(arena, "%s" WSL_LIBRARIES "/libdxcore.so", root);
	return ret->library && ret->before ? 0 : error_memory(err);
}

const struct platform wsl_platform = {
	.id = PLATFORM_WSL,
	.recognise = recognise,
	.read = read_all,
	.examine = examine,
	.read_families = read_families,
	.cuda_version = cuda_version,
	.locate_nvml = locate_nvml,
};
