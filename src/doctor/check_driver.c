// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "doctor.h"

int check_config_file(const struct doctor_host *host, struct finding *ret)
{
	if (host->config_error.code)
		return finding_error(ret, DOCTOR_FAIL, &host->config_error);
	return finding_set(ret, DOCTOR_OK, NULL, "%s",
			   host->config.path ? host->config.path : "no file: defaults apply");
}

int check_config_policy(const struct doctor_host *host, struct finding *ret)
{
	static const char *const names[] = {"always", "privileged", "never"};
	const char *who = names[host->config.policy.env];

	if (host->system.kubelet && host->config.policy.env == ACCEPT_ALWAYS)
		return finding_set(
			ret, DOCTOR_WARN,
			"configure the device plugin to pass devices as mounts or CDI "
			"devices, and set policy.accept-env to \"privileged\" (for "
			"mounts, also policy.accept-mounts to true)",
			"this is a Kubernetes node, and policy.accept-env is \"always\": "
			"an image's NVIDIA_VISIBLE_DEVICES can request GPUs that the "
			"scheduler didn't assign");
	return finding_set(ret, DOCTOR_OK, NULL, "policy.accept-env is \"%s\"", who);
}

static const char *const platforms[] = {
	[PLATFORM_NATIVE] = "a PCI host (neither WSL2 nor Jetson)",
	[PLATFORM_WSL] = "WSL2",
	[PLATFORM_TEGRA] = "a Tegra board (Jetson)",
};

/* For WSL2 and Jetson: the problems of the platform, and its limits. */
int check_host_platform(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_driver *d = &host->driver;
	const struct driver *driver = &d->driver;
	char notes[900] = "";
	size_t length = 0;

	if (driver->platform == PLATFORM_NATIVE)
		return finding_set(ret, DOCTOR_OK, NULL, "%s", platforms[PLATFORM_NATIVE]);
	if (d->problems.nodes.code)
		return finding_error(ret, DOCTOR_FAIL, &d->problems.nodes);
	for (size_t i = 0; i < driver->notes.count && length < sizeof(notes); i++)
		length += (size_t)snprintf(notes + length, sizeof(notes) - length, "; %s",
					   driver->notes.items[i]);
	return finding_set(ret, DOCTOR_OK, NULL, "%s%s", platforms[driver->platform], notes);
}

/* ---- the kernel module and its userland ------------------------------------------------- */

/* Whether the driver has modules and creates its nodes; otherwise fills the finding. */
bool check_is_native(const struct doctor_host *host, struct finding *ret)
{
	if (host->driver.driver.platform == PLATFORM_NATIVE)
		return true;
	(void)finding_set(ret, DOCTOR_SKIP, NULL, "doesn't apply to %s",
			  platforms[host->driver.driver.platform]);
	return false;
}

/* Whether the driver was read; otherwise fills the finding. */
bool check_has_module(const struct doctor_host *host, struct finding *ret)
{
	if (host->driver.roots_open &&
	    (host->driver.driver.version || host->driver.driver.platform != PLATFORM_NATIVE))
		return true;
	(void)finding_set(ret, DOCTOR_SKIP, NULL, "the kernel module isn't loaded");
	return false;
}

bool check_has_numbers(const struct doctor_host *host, struct finding *ret)
{
	if (!check_has_module(host, ret))
		return false;
	if (!host->driver.problems.majors.code)
		return true;
	(void)finding_set(ret, DOCTOR_SKIP, NULL, "the driver's device numbers are unknown");
	return false;
}

static bool has_libraries(const struct doctor_host *host, struct finding *ret)
{
	if (!check_has_module(host, ret))
		return false;
	if (host->driver.libraries)
		return true;
	(void)finding_set(ret, DOCTOR_SKIP, NULL, "the driver's libraries are missing");
	return false;
}

/* The same for all libraries: the search ends if an essential one is missing. */
static bool has_all_libraries(const struct doctor_host *host, struct finding *ret)
{
	if (!has_libraries(host, ret))
		return false;
	if (!host->driver.problems.files.code)
		return true;
	(void)finding_set(ret, DOCTOR_SKIP, NULL, "see driver.libraries");
	return false;
}

int check_driver_module(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_driver *d = &host->driver;

	if ((!d->roots_open || d->problems.kernel.code) && doctor_has_other_gpus(host))
		return finding_set(ret, DOCTOR_SKIP, NULL,
				   "no NVIDIA driver; the host has other GPUs (vendors.gpus)");
	if (!d->roots_open)
		return finding_error(ret, DOCTOR_FAIL, &d->roots_error);
	if (d->problems.kernel.code)
		return finding_error(ret, DOCTOR_FAIL, &d->problems.kernel);
	if (d->problems.majors.code)
		return finding_error(ret, DOCTOR_FAIL, &d->problems.majors);
	if (d->driver.platform != PLATFORM_NATIVE)
		return finding_set(ret, DOCTOR_SKIP, NULL, "see host.platform");
	return finding_set(ret, DOCTOR_OK, NULL, "nvidia %s", d->driver.version);
}

int check_driver_version(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_driver *d = &host->driver;

	if (!check_has_module(host, ret) || !check_is_native(host, ret))
		return 0;
	if (d->problems.files.code == ERROR_DRIVER_MISMATCH)
		return finding_error(ret, DOCTOR_FAIL, &d->problems.files);
	if (!has_libraries(host, ret))
		return 0;
	return finding_set(ret, DOCTOR_OK, NULL,
			   "the kernel module and the libraries have version %s",
			   d->driver.version);
}

int check_driver_libraries(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_driver *d = &host->driver;
	char searched[700] = "", others[700] = "", unknown[300] = "";

	if (!check_has_module(host, ret))
		return 0;
	for (size_t i = 0; i < d->driver.files.count; i++)
		if (d->driver.files.items[i].unknown && d->driver.files.items[i].class_bits == 64)
			finding_list(unknown, sizeof(unknown), "%s", d->driver.files.items[i].name);
	for (size_t i = 0; i < d->driver.searched.count; i++)
		finding_list(searched, sizeof(searched), "%s", d->driver.searched.items[i]);
	if (d->problems.files.code == ERROR_DRIVER_MISMATCH)
		return finding_set(ret, DOCTOR_SKIP, NULL,
				   "the libraries have another version (see "
				   "driver.version); searched: %s",
				   searched);
	if (d->problems.files.code && d->driver.platform != PLATFORM_NATIVE)
		return finding_error(ret, DOCTOR_FAIL, &d->problems.files);
	if (!d->libraries && d->driver.platform != PLATFORM_NATIVE)
		return finding_set(ret, DOCTOR_SKIP, NULL, "see host.platform");
	if (d->problems.files.code && !d->libraries) {
		(void)finding_set(ret, DOCTOR_FAIL, d->problems.files.fix,
				  "no libraries with the kernel module's version %s; searched: %s",
				  d->driver.version, searched);
		return 0;
	}
	if (d->problems.files.code)
		return finding_error(ret, DOCTOR_FAIL, &d->problems.files);
	for (size_t i = 0; i < d->driver.other_versions.count; i++)
		finding_list(others, sizeof(others), "%s", d->driver.other_versions.items[i]);
	if (others[0]) {
		(void)finding_set(ret, DOCTOR_WARN, NULL,
				  "skipped files of another driver version: %s", others);
		return finding_remedy(ret, "reinstall all libraries and programs of driver %s",
				      d->driver.version);
	}
	return finding_set(ret, DOCTOR_OK, NULL, "%s in %s; searched: %s%s%s", d->libraries,
			   d->driver.root_path, searched,
			   unknown[0] ? "; not in davit's catalogue, "
					"added for compute and graphics: "
				      : "",
			   unknown);
}

/* A missing program is only a warning, because containers start without it. */
int check_driver_programs(const struct doctor_host *host, struct finding *ret)
{
	const struct driver *driver = &host->driver.driver;
	const char *smi = NULL;

	if (!has_libraries(host, ret) ||
	    (driver->platform == PLATFORM_TEGRA && !check_is_native(host, ret)))
		return 0;
	for (size_t i = 0; i < driver->files.count; i++)
		if (string_equal(driver->files.items[i].name, "nvidia-smi"))
			smi = driver->files.items[i].path;
	if (smi)
		return finding_set(ret, DOCTOR_OK, NULL, "nvidia-smi is %s", smi);
	return finding_set(ret, DOCTOR_WARN,
			   "install it (Debian: nvidia-smi, Ubuntu: "
			   "nvidia-utils-BRANCH), or set driver.root to the root "
			   "directory that contains it",
			   "nvidia-smi is missing in %s: containers with the capability utility "
			   "don't get it",
			   driver->root_path);
}

int check_driver_cuda(const struct doctor_host *host, struct finding *ret)
{
	if (!has_all_libraries(host, ret))
		return 0;
	if (host->driver.driver.cuda_version)
		return finding_set(ret, DOCTOR_OK, NULL, "CUDA %s",
				   host->driver.driver.cuda_version);
	return finding_set(ret, DOCTOR_WARN,
			   "upgrade davit or the driver, or set NVIDIA_DISABLE_REQUIRE=1 in "
			   "containers that start too slowly",
			   "libcuda doesn't contain its CUDA version, and davit doesn't "
			   "know this driver branch: for an image with a requirement, davit "
			   "asks NVML, which takes longer");
}

int check_driver_gpus(const struct doctor_host *host, struct finding *ret)
{
	const struct gpus *gpus = &host->driver.driver.gpus;
	char list[700] = "", lost[300] = "";

	if (!check_has_module(host, ret))
		return 0;
	if (host->driver.problems.gpus.code)
		return finding_error(ret, DOCTOR_FAIL, &host->driver.problems.gpus);
	for (size_t i = 0; i < gpus->count; i++)
		finding_list(list, sizeof(list), "%u: %s %s", gpus->items[i].index,
			     gpus->items[i].model, gpus->items[i].uuid);
	for (size_t i = 0; i < host->driver.driver.lost.count; i++)
		finding_list(lost, sizeof(lost), "%s: %s", host->driver.driver.lost.items[i].bus_id,
			     host->driver.driver.lost.items[i].problem);
	if (lost[0])
		return finding_set(ret, gpus->count ? DOCTOR_WARN : DOCTOR_FAIL,
				   "see `dmesg | grep -i nvrm`, and reset or remove that GPU",
				   "usable GPUs: %zu%s%s%s; unusable GPUs: %s", gpus->count,
				   list[0] ? " (" : "", list, list[0] ? ")" : "", lost);
	if (gpus->count == 0 && host->driver.driver.platform != PLATFORM_NATIVE)
		return finding_set(ret, DOCTOR_SKIP, NULL, "see host.platform");
	if (gpus->count == 0 && host->driver.driver.hidden_node)
		return finding_set(ret, DOCTOR_FAIL,
				   "see `dmesg | grep NVRM`; in LXD or Incus, make the "
				   "host's /proc/driver/nvidia/gpus visible",
				   "/dev/%s exists, but /proc/driver/nvidia/gpus lists no GPU",
				   host->driver.driver.hidden_node);
	if (gpus->count == 0)
		return finding_set(ret, DOCTOR_FAIL,
				   "see `dmesg | grep NVRM` and `lspci -k -d 10de:`: the "
				   "GPU is bound to another driver, excluded, or fell "
				   "off the bus",
				   "the kernel module is loaded, but drives no GPU");
	return finding_set(ret, DOCTOR_OK, NULL, "%zu GPU%s: %s", gpus->count,
			   gpus->count == 1 ? "" : "s", list);
}

int check_driver_uvm(const struct doctor_host *host, struct finding *ret)
{
	unsigned major = host->driver.driver.majors.uvm;
	bool loads = host->config.driver.load_modules;

	if (!check_has_numbers(host, ret) || !check_is_native(host, ret))
		return 0;
	if (major)
		return finding_set(ret, DOCTOR_OK, NULL, "nvidia-uvm has the major number %u",
				   major);
	return finding_set(ret, loads ? DOCTOR_WARN : DOCTOR_FAIL,
			   host->system.nested
				   ? "ask the host's administrator to load nvidia-uvm"
				   : "run `davit system prepare`, and enable davit-prepare.service",
			   "CUDA needs nvidia-uvm, which isn't loaded (not in %s/devices)%s",
			   host->config.driver.proc,
			   loads ? "; davit loads it for the first container if it has the rights"
				 : "");
}

/* ---- its daemons and special modes ------------------------------------------------------ */

static bool has_file(const struct driver *driver, const char *name)
{
	for (size_t i = 0; i < driver->files.count; i++)
		if (string_starts(driver->files.items[i].name, name))
			return true;
	return false;
}

int check_driver_graphics(const struct doctor_host *host, struct finding *ret)
{
	const struct driver *driver = &host->driver.driver;
	char missing[300] = "";
	size_t drm = 0;

	if (!has_all_libraries(host, ret) || !check_is_native(host, ret))
		return 0;
	for (size_t i = 0; i < driver->gpus.count; i++)
		drm += driver->gpus.items[i].drm_nodes.count;
	if (drm == 0)
		finding_list(missing, sizeof(missing), "nodes in %s/dri (nvidia-drm isn't loaded)",
			     host->config.driver.dev);
	for (size_t i = 0; i < host->driver.nodes.count; i++)
		if (string_equal(host->driver.nodes.items[i].node.name, "nvidia-modeset") &&
		    !host->driver.nodes.items[i].exists)
			finding_list(missing, sizeof(missing), "%s/nvidia-modeset",
				     host->config.driver.dev);
	if (!has_file(driver, "libGLX_nvidia.so."))
		finding_list(missing, sizeof(missing), "libGLX_nvidia");
	if (!has_file(driver, "nvidia_icd."))
		finding_list(missing, sizeof(missing), "nvidia_icd.json (Vulkan)");
	if (!missing[0])
		return finding_set(ret, DOCTOR_OK, NULL, "OpenGL and Vulkan; DRM nodes: %zu", drm);
	return finding_set(ret, DOCTOR_WARN,
			   "only for containers with graphics: install the driver's "
			   "graphics packages, run `modprobe nvidia-drm`, then `davit "
			   "system prepare`",
			   "missing: %s", missing);
}

int check_driver_persistence(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_system *system = &host->system;
	const char *run = host->config.driver.run;

	if (!check_has_module(host, ret) || !check_is_native(host, ret))
		return 0;
	if (system->persistenced_wrong)
		return finding_set(ret, DOCTOR_WARN, "remove it and restart nvidia-persistenced",
				   "%s/nvidia-persistenced/socket is not a socket", run);
	if (!system->persistenced)
		return finding_set(
			ret, DOCTOR_WARN,
			"enable nvidia-persistenced.service, unless `nvidia-smi -pm 1` was run",
			"nvidia-persistenced isn't running (no "
			"%s/nvidia-persistenced/socket): the first use of a GPU takes "
			"seconds, unless its persistence mode was enabled manually",
			run);
	return finding_set(ret, DOCTOR_OK, NULL, "%s/nvidia-persistenced/socket", run);
}

/* Before GPUs behind NVSwitches can be initialised, nv-fabricmanager must configure the switches.
 */
int check_driver_fabric(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_system *system = &host->system;

	if (!check_has_module(host, ret) || !check_is_native(host, ret))
		return 0;
	if (system->nvswitches == 0)
		return finding_set(ret, DOCTOR_SKIP, NULL, "no NVSwitch");
	if (system->fabric_manager)
		return finding_set(ret, DOCTOR_OK, NULL,
				   "NVSwitches: %zu; nv-fabricmanager is process %u",
				   system->nvswitches, system->fabric_manager);
	if (system->processes_hidden)
		return finding_set(ret, DOCTOR_UNKNOWN, "run `davit doctor` on the host, as root",
				   "NVSwitches: %zu; the host's processes aren't "
				   "visible, so davit can't check whether "
				   "nv-fabricmanager is running",
				   system->nvswitches);
	(void)finding_set(ret, DOCTOR_FAIL, NULL,
			  "NVSwitches: %zu, but nv-fabricmanager isn't running: CUDA fails with "
			  "error 802 (system not yet initialized)",
			  system->nvswitches);
	return finding_remedy(ret,
			      "install nvidia-fabricmanager %s and run `systemctl enable --now "
			      "nvidia-fabricmanager`",
			      host->driver.driver.version);
}

static const struct doctor_node *absent_cap(const struct doctor_host *host)
{
	for (size_t i = 0; i < host->driver.nodes.count; i++) {
		const struct doctor_node *node = &host->driver.nodes.items[i];

		if (node->node.access && !node->right)
			return node;
	}
	return NULL;
}

int check_driver_mig(const struct doctor_host *host, struct finding *ret)
{
	const struct gpus *gpus = &host->driver.driver.gpus;
	const struct doctor_node *absent = absent_cap(host);
	char list[700] = "";

	if (!check_has_numbers(host, ret))
		return 0;
	for (size_t i = 0; i < gpus->count; i++)
		for (size_t j = 0; j < gpus->items[i].mig.count; j++) {
			const struct mig_instance *mig = &gpus->items[i].mig.items[j];

			finding_list(list, sizeof(list), "%u:%zu or MIG-%s/%u/%u",
				     gpus->items[i].index, j, gpus->items[i].uuid,
				     mig->gpu_instance, mig->compute_instance);
		}
	if (!list[0])
		return finding_set(ret, DOCTOR_OK, NULL, "no MIG instances");
	if (absent)
		return finding_set(ret, absent->made ? DOCTOR_WARN : DOCTOR_FAIL,
				   "run `davit system prepare` after each change of MIG instances",
				   "%s/%s is missing; instances: %s", host->config.driver.dev,
				   absent->node.name, list);
	return finding_set(ret, DOCTOR_OK, NULL, "%s (`nvidia-smi -L` also shows their UUIDs)",
			   list);
}

int check_driver_mps(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_system *system = &host->system;
	const char *path = host->config.driver.mps;

	if (!system->mps || string_equal(host->driver.driver.mps_path, ""))
		return finding_set(ret, DOCTOR_OK, NULL, "no MPS");
	if (system->mps_uid != 0)
		return finding_set(ret, DOCTOR_WARN,
				   "remove it, then run `nvidia-cuda-mps-control -d` as root",
				   "user %u owns %s, which root must own: containers don't get it",
				   (unsigned)system->mps_uid, path);
	if (!system->mps_control) {
		(void)finding_set(ret, DOCTOR_WARN, NULL,
				  "%s has no pipe `control`: the MPS daemon isn't running", path);
		return finding_remedy(ret, "start `nvidia-cuda-mps-control -d`, or remove %s",
				      path);
	}
	return finding_set(ret, DOCTOR_OK, NULL, "MPS pipes in %s", path);
}
