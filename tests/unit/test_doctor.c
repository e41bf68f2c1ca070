// SPDX-License-Identifier: Apache-2.0
/* The checks as tables: each row changes one thing of a host on which all is well. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "davit/doctor.h"
#include "unit.h"

#define CONFIGURED 1000 /* when the host's files were last changed */
#define STARTED 2000    /* and its daemons started */

/* ---- a host on which all is well -------------------------------------------------------- */

struct sample {
	struct arena arena;
	struct doctor_host host;
};

static void add_node(struct sample *s, const char *name, unsigned major, unsigned minor)
{
	struct doctor_node *node = ARENA_PUSH(&s->arena, &s->host.driver.nodes);

	assert_non_null(node);
	*node = (struct doctor_node){
		.node = {.name = name, .major = major, .minor = minor, .present = true},
		.exists = true,
		.right = true,
		.linked = true,
		.st = {.st_mode = S_IFCHR | 0666, .st_rdev = makedev(major, minor)},
	};
}

static void add_file(struct sample *s, const char *name)
{
	struct driver_file *file = ARENA_PUSH(&s->arena, &s->host.driver.driver.files);

	assert_non_null(file);
	*file = (struct driver_file){.name = name, .path = name, .fd = -1};
}

static void make_driver(struct sample *s)
{
	struct doctor_driver *d = &s->host.driver;
	struct gpu *gpu = ARENA_PUSH(&s->arena, &d->driver.gpus);

	assert_non_null(gpu);
	*gpu = (struct gpu){.uuid = "GPU-1", .bus_id = "0000:00:06.0", .model = "NVIDIA H200"};
	assert_int_equal(strings_add(&s->arena, &gpu->drm_nodes, "dri/card1"), 0);
	assert_int_equal(strings_add(&s->arena, &d->driver.searched, "/usr/lib64"), 0);
	d->roots_open = true;
	d->libraries = "/usr/lib64/libcuda.so.580.1";
	d->driver.version = "580.1";
	d->driver.cuda_version = "13.0";
	d->driver.root_path = "/";
	d->driver.majors = (struct driver_majors){.gpu = 195, .uvm = 238, .caps = 241};
	add_node(s, "nvidiactl", 195, 255);
	add_node(s, "nvidia-modeset", 195, 254);
	add_node(s, "nvidia-uvm", 238, 0);
	add_node(s, "nvidia0", 195, 0);
	add_file(s, "libGLX_nvidia.so.580.1");
	add_file(s, "nvidia_icd.json");
	add_file(s, "nvidia-smi");
}

static void make_engines(struct doctor_host *host)
{
	for (size_t i = 0; i < DOCTOR_ENGINES; i++)
		host->engines[i] = (struct doctor_engine){
			.program = "/usr/bin/engine",
			.pid = 7,
			.started = STARTED,
			.search = "/usr/bin",
			.file = "/etc/engine",
			.file_exists = true,
			.newest = "/etc/engine",
			.cgroups = "systemd",
			.changed = CONFIGURED,
			.hook = {"nvidia-container-runtime-hook", "/usr/bin/hook", true,
				 CONFIGURED},
			.runtime = {"/usr/bin/davit-runtime", "/usr/bin/davit-runtime", true,
				    CONFIGURED},
		};
}

static void make_sample(struct sample *s)
{
	struct doctor_host *host = &s->host;
	struct doctor_hook *hook;
	struct cdi_listed *device;

	*s = (struct sample){0};
	assert_int_equal(config_defaults(&s->arena, &host->config), 0);
	host->required = -1;
	host->system = (struct doctor_system){
		.systemd = true,
		.systemd_socket = true,
		.prepare_enabled = true,
		.cgroup = DOCTOR_CGROUP_V2,
		.cgroup_delegate = "sys/fs/cgroup/user",
		.persistenced = true,
		.nvswitches = 4,
		.fabric_manager = 9,
	};
	make_driver(s);
	make_engines(host);
	hook = ARENA_PUSH(&s->arena, &host->hooks);
	device = ARENA_PUSH(&s->arena, &host->cdi.devices);
	assert_true(hook && device);
	*hook = (struct doctor_hook){
		.file = "/hooks.d/davit.json",
		.readers = 1U << DOCTOR_CRIO | 1U << DOCTOR_PODMAN,
		.program = {"/usr/bin/davit-hook", "/usr/bin/davit-hook", true, CONFIGURED},
	};
	*device = (struct cdi_listed){"nvidia.com/gpu=0", "/etc/cdi/nvidia.json", 0};
	host->bundle = (struct doctor_bundle){
		.path = "/bundle", .gpu = true, .from = "env", .devices = "all", .operations = 9};
}

static const struct doctor_check *find_check(const char *id)
{
	for (size_t i = 0; i < doctor_check_count; i++)
		if (string_equal(doctor_checks[i].id, id))
			return &doctor_checks[i];
	fail_msg("there is no check %s", id);
	return NULL;
}

/* ---- what is changed -------------------------------------------------------------------- */

typedef void changer(struct doctor_host *host, struct arena *arena);
#define CHANGE(name) static void name(struct doctor_host *host, struct arena *arena)

CHANGE(refused_file)
{
	(void)arena;
	host->engines[DOCTOR_DOCKER].refused = "runtime nvidia: cannot configure both";
}

CHANGE(no_base_spec)
{
	(void)arena;
	host->engines[DOCTOR_CONTAINERD].missing_spec = "/etc/no.json";
}

CHANGE(legacy_systemd)
{
	(void)arena;
	host->engines[DOCTOR_CONTAINERD].systemd_refused = true;
	host->engines[DOCTOR_CONTAINERD].missing_for_sure = true;
}

CHANGE(doubled_key)
{
	(void)arena;
	host->engines[DOCTOR_DOCKER].doubled = "hosts";
}

static void one_letter(struct doctor_host *host, struct arena *arena, unsigned major,
		       unsigned minor)
{
	struct cdi_problem *problem = ARENA_PUSH(arena, &host->cdi.problems);

	assert_non_null(problem);
	*problem = (struct cdi_problem){CDI_PROBLEM_DEADLY, "/etc/cdi/x.yaml has the kind x.com/g"};
	host->engines[DOCTOR_DOCKER].major = major;
	host->engines[DOCTOR_DOCKER].minor = minor;
}

CHANGE(one_letter_unknown)
{
	one_letter(host, arena, 0, 0);
}

CHANGE(one_letter_20)
{
	one_letter(host, arena, 20, 10);
}

CHANGE(one_letter_27)
{
	one_letter(host, arena, 27, 5);
	host->engines[DOCTOR_DOCKER].cdi_off = true;
}

CHANGE(one_letter_27_on)
{
	one_letter(host, arena, 27, 5);
}

CHANGE(one_letter_28)
{
	one_letter(host, arena, 28, 5);
}

CHANGE(one_letter_28_off)
{
	one_letter(host, arena, 28, 5);
	host->engines[DOCTOR_DOCKER].cdi_off = true;
}

CHANGE(one_letter_29_7)
{
	one_letter(host, arena, 29, 7);
}

CHANGE(one_letter_29_8)
{
	one_letter(host, arena, 29, 8);
}

static void docker_of(struct doctor_host *host, unsigned major, unsigned minor)
{
	host->engines[DOCTOR_DOCKER].major = major;
	host->engines[DOCTOR_DOCKER].minor = minor;
	host->engines[DOCTOR_DOCKER].cdi_off = major < 28;
}

CHANGE(docker_24)
{
	(void)arena;
	docker_of(host, 24, 0);
}

CHANGE(docker_27)
{
	(void)arena;
	docker_of(host, 27, 5);
}

CHANGE(docker_no_dirs)
{
	(void)arena;
	host->engines[DOCTOR_DOCKER].cdi_off = host->engines[DOCTOR_DOCKER].cdi_nowhere = true;
}

CHANGE(docker_rootless)
{
	(void)arena;
	host->engines[DOCTOR_DOCKER].rootless = true;
}

CHANGE(docker_rootless_29)
{
	(void)arena;
	host->engines[DOCTOR_DOCKER].rootless = true;
	host->engines[DOCTOR_DOCKER].resolves_links = true;
}

CHANGE(one_letter_30)
{
	one_letter(host, arena, 30, 0);
}

static struct doctor_node *node_of(struct doctor_host *host, const char *name)
{
	for (size_t i = 0; i < host->driver.nodes.count; i++)
		if (string_equal(host->driver.nodes.items[i].node.name, name))
			return &host->driver.nodes.items[i];
	fail_msg("no node %s", name);
	return NULL;
}

static void lose(struct doctor_node *node, bool made)
{
	node->exists = node->right = node->linked = false;
	node->made = made;
}

static void add_problem(struct doctor_host *host, struct arena *arena, enum cdi_problem_kind kind)
{
	struct cdi_problem *problem = ARENA_PUSH(arena, &host->cdi.problems);

	assert_non_null(problem);
	*problem = (struct cdi_problem){kind, "the spec is so"};
}

static void fail_bundle(struct doctor_host *host, enum doctor_step step)
{
	host->bundle.failed = step;
	error_set(&host->bundle.error, ERROR_UNSATISFIED, EPERM, "the fix", "be so");
}

/* A change is a statement; `host` and `arena` are at hand. */
/* clang-format off */
#define CHANGES(X) \
	X(nothing, (void)0) \
	X(bad_config, error_set(&host->config_error, ERROR_BAD_CONFIG, EINVAL, "correct it", "read FILE")) \
	X(kubelet, host->system.kubelet = true) \
	X(kubelet_privileged, host->system.kubelet = true; host->config.policy.env = ACCEPT_PRIVILEGED) \
	X(wsl, host->driver.driver.platform = PLATFORM_WSL) \
	X(tegra, host->driver.driver.platform = PLATFORM_TEGRA) \
	X(wsl_no_node, host->driver.driver.platform = PLATFORM_WSL; host->driver.libraries = NULL; \
	  error_set(&host->driver.problems.nodes, ERROR_NO_DRIVER, ENXIO, "update", "find dxg")) \
	X(no_prepare, host->system.prepare_enabled = false) \
	X(no_systemd, host->system.systemd = false) \
	X(no_roots, host->driver.roots_open = false; \
	  error_set(&host->driver.roots_error, ERROR_NO_DRIVER, ENOENT, "set driver.root", "open /drv")) \
	X(no_module, host->driver.driver.version = NULL; \
	  error_set(&host->driver.problems.kernel, ERROR_NO_DRIVER, ENODEV, "modprobe nvidia", \
		    "use the driver: not loaded")) \
	X(mismatch, host->driver.libraries = NULL; \
	  error_set(&host->driver.problems.files, ERROR_DRIVER_MISMATCH, ENODEV, "reboot", \
		    "use the driver: 580.1, but 535.2")) \
	X(no_libraries, host->driver.libraries = NULL; \
	  error_set(&host->driver.problems.files, ERROR_NO_DRIVER, ENODEV, "install", "find any")) \
	X(no_libcuda, \
	  error_set(&host->driver.problems.files, ERROR_NO_DRIVER, ENODEV, "install", "find libcuda")) \
	X(no_note, host->driver.driver.cuda_version = NULL) \
	X(no_gpus, host->driver.driver.gpus.count = 0) \
	X(no_uvm, host->driver.driver.majors.uvm = 0) \
	X(no_uvm_no_load, host->driver.driver.majors.uvm = 0; host->config.driver.load_modules = false) \
	X(no_drm, host->driver.driver.gpus.items[0].drm_nodes.count = 0) \
	X(no_icd, host->driver.driver.files.count = 1) \
	X(no_modeset, lose(node_of(host, "nvidia-modeset"), true)) \
	X(no_persistenced, host->system.persistenced = false) \
	X(wrong_persistenced, host->system.persistenced_wrong = true) \
	X(no_switches, host->system.nvswitches = 0) \
	X(no_fabric, host->system.fabric_manager = 0) \
	X(fabric_hidden, host->system.fabric_manager = 0; host->system.processes_hidden = true) \
	X(mps_user, host->system.mps = true; host->system.mps_uid = 5) \
	X(mps_dead, host->system.mps = true) \
	X(mps_alive, host->system.mps = true; host->system.mps_control = true) \
	X(node_made, lose(node_of(host, "nvidia0"), true)) \
	X(node_absent, lose(node_of(host, "nvidia0"), true); lose(node_of(host, "nvidiactl"), false)) \
	X(stale_uvm, node_of(host, "nvidia-uvm")->right = false; \
	  node_of(host, "nvidia-uvm")->st.st_rdev = makedev(240, 0)) \
	X(stale_unloaded, node_of(host, "nvidia-uvm")->right = false; \
	  node_of(host, "nvidia-uvm")->node.major = 0) \
	X(file_for_node, node_of(host, "nvidia0")->right = false; \
	  node_of(host, "nvidia0")->st.st_mode = S_IFREG) \
	X(group_node, node_of(host, "nvidia0")->st.st_mode = S_IFCHR | 0660) \
	X(no_link, node_of(host, "nvidia0")->linked = false) \
	X(no_cgroup, host->system.cgroup = DOCTOR_CGROUP_NONE) \
	X(cgroup_v1, host->system.cgroup = DOCTOR_CGROUP_V1) \
	X(cgroupfs_v1, host->system.cgroup = DOCTOR_CGROUP_V1; \
	  for (size_t i = 0; i < DOCTOR_ENGINES; i++) host->engines[i].cgroups = "cgroupfs") \
	X(no_socket, host->system.systemd_socket = false) \
	X(nested, host->system.nested = true) \
	X(no_rules, host->config.cgroups = false) \
	X(user, host->system.uid = 1000) \
	X(ready_user, host->system.uid = 1000; host->system.delegated = true; \
	  host->system.subids = true; host->system.newuidmap = true) \
	X(no_engines, memset(host->engines, 0, sizeof(host->engines))) \
	X(stopped, host->engines[0].pid = host->engines[1].pid = host->engines[2].pid = 0) \
	X(snap, host->engines[0].snap = true) \
	X(bad_file, error_set(&host->engines[0].file_error, ERROR_BAD_CONFIG, EINVAL, "", "read it: line 1"); \
	  host->engines[1].file_error = host->engines[2].file_error = host->engines[0].file_error) \
	X(hidden_file, host->engines[0].file_hidden = true; host->engines[0].runtime.name = NULL) \
	X(hidden, host->engines[0].hidden = true; host->engines[0].search = NULL) \
	X(no_hook, host->engines[0].hook.path = NULL) \
	X(no_hook_no_runtime, host->engines[0].hook.path = NULL; host->engines[0].runtime.path = NULL) \
	X(no_method, no_hook_no_runtime(host, arena); host->engines[0].runtime.name = NULL; \
	  host->cdi.devices.count = 0) \
	X(cdi_off, no_method(host, arena); host->cdi.devices.count = 1; \
	  host->engines[0].cdi_off = host->engines[0].cdi_false = true) \
	X(dangling_alone, no_method(host, arena); host->engines[0].runtime.name = "/usr/bin/davit-runtime") \
	X(containerd_cdi, host->engines[1].runtime.name = NULL) \
	X(containerd_without, host->engines[1].runtime.name = host->engines[1].runtime.path = NULL; \
	  host->engines[1].cdi_off = true) \
	X(other_hook, host->engines[0].hook.ours = false) \
	X(no_runtime, host->engines[0].runtime.name = NULL; host->engines[1].runtime.name = NULL; \
	  host->engines[2].runtime.name = NULL) \
	X(containerd_alone, host->engines[1].runtime.name = NULL; host->engines[1].cdi_off = true; \
	  memset(&host->engines[0], 0, sizeof(host->engines[0]))) \
	X(dangling_runtime, host->engines[0].runtime.path = NULL; host->engines[1].runtime.path = NULL) \
	X(other_runtime, host->engines[0].runtime.ours = false) \
	X(rootless_engines, host->engines[0].rootless = host->engines[1].rootless = true) \
	X(own_dirs, rootless_engines(host, arena); \
	  assert_int_equal(strings_add(arena, &host->engines[0].spec_dirs, "/home/u/specs"), 0); \
	  assert_int_equal(strings_add(arena, &host->engines[1].spec_dirs, "/etc/cdi"), 0); \
	  assert_int_equal(strings_add(arena, &host->engines[1].spec_dirs, "/home/u/.config/cdi"), 0)) \
	X(own_specs, own_dirs(host, arena); host->engines[0].own_specs = "/home/u/specs"; \
	  host->engines[1].own_specs = "/home/u/.config/cdi") \
	X(cri_disabled, host->engines[1].cri_disabled = true) \
	X(changed_later, host->engines[0].changed = STARTED + 2; host->engines[1].changed = STARTED + 2) \
	X(changed_then, host->engines[0].changed = STARTED + 1) \
	X(hook_later, host->engines[0].hook.changed = STARTED + 2) \
	X(runtime_later, host->engines[0].runtime.changed = STARTED + 2) \
	X(no_start, host->engines[0].started = 0) \
	X(no_hooks, host->hooks.count = 0) \
	X(hooks_of_podman, host->hooks.items[0].readers = 1U << DOCTOR_PODMAN; host->engines[2].runtime.name = NULL; \
		host->cdi.devices.count = 0) \
	X(no_hooks_no_cdi, host->hooks.count = 0; host->cdi.devices.count = 0) \
	X(hidden_config, host->config_closed = "/etc/davit") \
	X(closed_hooks, host->hooks.closed = "/opt/davit") \
	X(closed_hooks_user, host->hooks.closed = "/opt/davit"; host->system.uid = 1000) \
	X(no_low_level, host->low_level.path = NULL) \
	X(low_level_none, error_set(&host->engines[0].low_level.error, ERROR_SYSTEM, ENOENT, "install it", "find it"); \
	  host->engines[1].low_level.path = "/usr/bin/runc"; host->engines[1].low_level.hooks = DOCTOR_HOOKS_KNOWN) \
	X(low_level_unsure, low_level_none(host, arena); host->engines[0].low_level.unsure = true) \
	X(low_level_other, low_level_none(host, arena); host->required = DOCTOR_CONTAINERD) \
	X(no_method_no_low_level, low_level_none(host, arena); host->engines[0].hook.path = NULL; \
	  host->cdi.devices.count = 0) \
	X(cri_fault, host->engines[1].cri_fault = "a plugin is disabled"; host->engines[1].cri_remedy = "enable it") \
	X(no_shims, host->engines[1].with_shims = true; host->engines[1].standard_name = "runc"; \
	  host->engines[1].standard_shim = (struct doctor_program){.name = "s", .path = "/s"}) \
	X(no_shim_program, no_shims(host, arena); host->engines[1].shim.name = "containerd-shim-x-v1"; \
	  host->cdi.devices.count = 0) \
	X(no_default_shim, no_shims(host, arena); host->engines[1].standard_shim = (struct doctor_program){0}) \
	X(stale_setting, host->engines[1].stale = "sandbox_image"; host->engines[1].stale_file = "/etc/c.toml"; \
	  host->engines[1].stale_by = "/etc/davit.toml") \
	X(cdi_nowhere, host->engines[1].cdi_off = host->engines[1].cdi_nowhere = true) \
	X(podman_no_program, host->engines[3].standard_name = "x"; host->engines[3].newest = "/etc/c.conf") \
	X(podman_run_only, host->hooks.count = 0; host->engines[3].etc_only = true; host->cdi.devices.items[0].directory = 1) \
	X(podman_etc, podman_run_only(host, arena); host->cdi.devices.items[0].directory = 0) \
	X(low_level, host->low_level.path = "/usr/bin/runc"; host->low_level.hooks = DOCTOR_HOOKS_KNOWN) \
	X(low_level_script, host->low_level.path = "/usr/bin/runc"; host->low_level.hooks = DOCTOR_HOOKS_UNSEEN) \
	X(low_level_old, host->low_level.path = "/usr/bin/runc"; host->low_level.hooks = DOCTOR_HOOKS_UNKNOWN) \
	X(low_level_old_hook, low_level_old(host, arena); host->config.runtime.mode = RUNTIME_MODE_HOOK) \
	X(rootless_podman, host->system.uid = 1000; host->cdi.devices.count = 0; host->hooks.count = 0) \
	X(crio_cdi, host->hooks.count = 0; host->engines[2].runtime.name = NULL) \
	X(no_crio, crio_cdi(host, arena); host->cdi.devices.count = 0) \
	X(bad_hook, error_set(&host->hooks.items[0].error, ERROR_BAD_CONFIG, EINVAL, "", "read hook")) \
	X(dangling_hook, host->hooks.items[0].program.path = NULL) \
	X(nvidia_hook, host->hooks.items[0].program.ours = false) \
	X(toolkit, assert_int_equal(strings_add(arena, &host->system.toolkit, "/usr/bin/nvidia-ctk"), 0)) \
	X(no_specs, host->cdi.devices.count = 0) \
	X(bad_spec, add_problem(host, arena, CDI_PROBLEM_INVALID)) \
	X(stale_spec, add_problem(host, arena, CDI_PROBLEM_STALE)) \
	X(twice_in_one, add_problem(host, arena, CDI_PROBLEM_NEITHER)) \
	X(twice_in_two, add_problem(host, arena, CDI_PROBLEM_COVERED)) \
	X(selinux_off, host->system.selinux = true) \
	X(selinux_strict, host->system.selinux = true; host->system.selinux_enforcing = true) \
	X(selinux_allows, host->system.selinux = true; host->system.selinux_enforcing = true; \
	  host->system.selinux_devices = true) \
	X(no_gpu_asked, host->bundle.gpu = false) \
	X(misspelt, assert_int_equal(strings_add(arena, &host->bundle.near_misses, \
						 "NVIDIA_DISABLE_REQUIRES is not read"), 0)) \
	X(fails_config, fail_bundle(host, DOCTOR_STEP_CONFIG)) \
	X(fails_request, fail_bundle(host, DOCTOR_STEP_REQUEST)) \
	X(fails_driver, fail_bundle(host, DOCTOR_STEP_DRIVER)) \
	X(fails_image, fail_bundle(host, DOCTOR_STEP_IMAGE))

#define DEFINE(name, ...) CHANGE(name) { (void)host; (void)arena; __VA_ARGS__; }
CHANGES(DEFINE)
/* clang-format on */

CHANGE(mig)
{
	struct gpu *gpu = &host->driver.driver.gpus.items[0];
	struct mig_instance *instance = ARENA_PUSH(arena, &gpu->mig);
	struct doctor_node *cap = node_of(host, "nvidia0");

	assert_non_null(instance);
	*instance = (struct mig_instance){.gpu_instance = 1, .gi_minor = 12, .ci_minor = 13};
	cap->node = (struct device_node){.name = "cap12", .major = 241, .access = "gi1/access"};
	cap->st.st_mode = S_IFCHR | 0444;
}

CHANGE(mig_absent)
{
	mig(host, arena);
	lose(node_of(host, "cap12"), false);
}

CHANGE(mig_made)
{
	mig(host, arena);
	lose(node_of(host, "cap12"), true);
}

/* ---- the table -------------------------------------------------------------------------- */

static const struct {
	const char *id;
	changer *change;
	enum doctor_result result;
	const char *evidence; /* a part of it */
} cases[] = {
	{"config.file", bad_config, DOCTOR_FAIL, "cannot read FILE"},
	{"config.policy", kubelet, DOCTOR_WARN, "Kubernetes"},
	{"config.policy", kubelet_privileged, DOCTOR_OK, "privileged"},
	{"host.platform", wsl, DOCTOR_OK, "WSL2"},
	{"host.platform", tegra, DOCTOR_OK, "Jetson"},
	{"host.platform", wsl_no_node, DOCTOR_FAIL, "find dxg"},
	{"driver.libraries", wsl_no_node, DOCTOR_SKIP, "see host.platform"},
	{"host.boot", no_prepare, DOCTOR_WARN, "davit-prepare.service"},
	{"host.boot", no_systemd, DOCTOR_SKIP, "systemd"},
	{"driver.module", no_roots, DOCTOR_FAIL, "open /drv"},
	{"driver.module", no_module, DOCTOR_FAIL, "not loaded"},
	{"driver.version", no_module, DOCTOR_SKIP, "module"},
	{"driver.libraries", no_module, DOCTOR_SKIP, "module"},
	{"nodes.present", no_module, DOCTOR_SKIP, "module"},
	{"nodes.present", no_roots, DOCTOR_SKIP, "module"},
	{"driver.version", mismatch, DOCTOR_FAIL, "580.1, but 535.2"},
	{"driver.version", no_libraries, DOCTOR_SKIP, "libraries"},
	{"driver.libraries", mismatch, DOCTOR_SKIP, "driver.version"},
	{"driver.libraries", no_libraries, DOCTOR_FAIL, "580.1; searched: /usr/lib64"},
	{"driver.libraries", no_libcuda, DOCTOR_FAIL, "find libcuda"},
	{"driver.cuda", no_note, DOCTOR_WARN, "doesn't contain its CUDA version"},
	{"driver.cuda", no_libraries, DOCTOR_SKIP, "libraries"},
	{"driver.gpus", no_gpus, DOCTOR_FAIL, "no GPU"},
	{"driver.uvm", no_uvm, DOCTOR_WARN, "isn't loaded"},
	{"driver.uvm", no_uvm_no_load, DOCTOR_FAIL, "isn't loaded"},
	{"driver.graphics", no_drm, DOCTOR_WARN, "nvidia-drm"},
	{"driver.graphics", no_icd, DOCTOR_WARN, "nvidia_icd.json"},
	{"driver.graphics", no_modeset, DOCTOR_WARN, "nvidia-modeset"},
	{"nodes.present", no_modeset, DOCTOR_OK, "all"},
	{"driver.persistence", no_persistenced, DOCTOR_WARN, "seconds"},
	{"driver.persistence", wrong_persistenced, DOCTOR_WARN, "not a socket"},
	{"driver.fabric", nothing, DOCTOR_OK, "NVSwitches: 4; nv-fabricmanager is process 9"},
	{"driver.fabric", no_switches, DOCTOR_SKIP, "no NVSwitch"},
	{"driver.fabric", no_fabric, DOCTOR_FAIL, "error 802"},
	{"driver.fabric", fabric_hidden, DOCTOR_UNKNOWN, "aren't visible"},
	{"driver.fabric", no_module, DOCTOR_SKIP, "module"},
	{"driver.fabric", tegra, DOCTOR_SKIP, "Tegra"},
	{"driver.mig", mig, DOCTOR_OK, "0:0 or MIG-GPU-1/1/0"},
	{"driver.mig", mig_absent, DOCTOR_FAIL, "cap12"},
	{"driver.mig", mig_made, DOCTOR_WARN, "cap12"},
	{"nodes.modes", mig, DOCTOR_OK, "every user"},
	{"driver.mps", mps_user, DOCTOR_WARN, "user 5"},
	{"driver.mps", mps_dead, DOCTOR_WARN, "control"},
	{"driver.mps", mps_alive, DOCTOR_OK, "/tmp/nvidia-mps"},
	{"nodes.present", node_made, DOCTOR_WARN, "nvidia0 (davit creates"},
	{"nodes.present", node_absent, DOCTOR_FAIL, "nvidiactl, nvidia0"},
	{"nodes.numbers", node_absent, DOCTOR_OK, "devices"},
	{"nodes.numbers", stale_uvm, DOCTOR_FAIL, "nvidia-uvm is 240:0, not 238:0"},
	{"nodes.numbers", stale_unloaded, DOCTOR_FAIL, "its module isn't loaded"},
	{"nodes.numbers", file_for_node, DOCTOR_FAIL, "nvidia0 is not a character device"},
	{"nodes.modes", group_node, DOCTOR_WARN, "nvidia0 (mode 0660"},
	{"nodes.links", no_link, DOCTOR_WARN, "195:0 (nvidia0)"},
	{"cgroup.version", no_cgroup, DOCTOR_FAIL, "neither"},
	{"cgroup.version", cgroup_v1, DOCTOR_OK, "version 1"},
	{"cgroup.driver", nothing, DOCTOR_OK, "docker: systemd, containerd: systemd"},
	{"cgroup.driver", cgroup_v1, DOCTOR_WARN, "daemon-reload"},
	{"cgroup.driver", cgroupfs_v1, DOCTOR_OK, "docker: cgroupfs"},
	{"cgroup.driver", no_engines, DOCTOR_SKIP, "no engine"},
	{"cgroup.systemd", no_socket, DOCTOR_WARN, "/run/systemd/private"},
	{"cgroup.systemd", no_systemd, DOCTOR_SKIP, "systemd"},
	{"cgroup.systemd", cgroup_v1, DOCTOR_SKIP, "version 1"},
	{"cgroup.rules", nested, DOCTOR_WARN, "user namespace"},
	{"cgroup.rules", no_rules, DOCTOR_WARN, "never"},
	{"cgroup.rules", user, DOCTOR_OK, "rootless"},
	{"cgroup.delegation", nothing, DOCTOR_SKIP, "root"},
	{"cgroup.delegation", user, DOCTOR_WARN, "/sys/fs/cgroup/user"},
	{"cgroup.delegation", ready_user, DOCTOR_OK, "is delegated to you"},
	{"rootless.ids", nothing, DOCTOR_SKIP, "root"},
	{"rootless.ids", user, DOCTOR_WARN, "newuidmap"},
	{"rootless.ids", ready_user, DOCTOR_OK, "newuidmap"},
	{"engine.docker", no_engines, DOCTOR_SKIP, "not installed"},
	{"engine.docker", stopped, DOCTOR_OK, "isn't running"},
	{"docker.snap", snap, DOCTOR_FAIL, "snap"},
	{"docker.config", bad_file, DOCTOR_FAIL, "line 1"},
	{"docker.config", refused_file, DOCTOR_FAIL, "dockerd refuses /etc/engine: runtime nvidia"},
	{"docker.config", doubled_key, DOCTOR_FAIL, "hosts is set in /etc/engine and by an option"},
	{"docker.specs", one_letter_unknown, DOCTOR_WARN, "x.com/g"},
	{"docker.specs", one_letter_20, DOCTOR_OK, "in spite of"},
	{"docker.specs", one_letter_27, DOCTOR_OK, "in spite of"},
	{"docker.specs", one_letter_27_on, DOCTOR_FAIL, "x.com/g"},
	{"docker.specs", one_letter_28, DOCTOR_FAIL, "x.com/g"},
	{"docker.specs", one_letter_28_off, DOCTOR_OK, "in spite of"},
	{"docker.specs", one_letter_29_7, DOCTOR_FAIL, "x.com/g"},
	{"docker.specs", one_letter_29_8, DOCTOR_OK, "in spite of"},
	{"docker.specs", one_letter_30, DOCTOR_OK, "in spite of"},
	{"docker.cdi", docker_24, DOCTOR_SKIP, "24.0 has no CDI"},
	{"docker.cdi", docker_27, DOCTOR_SKIP, "Docker 27.5 needs features.cdi"},
	{"docker.cdi", docker_no_dirs, DOCTOR_WARN, "names no directory"},
	{"docker.cdi", docker_rootless, DOCTOR_WARN, "it sees both as links"},
	{"docker.cdi", docker_rootless_29, DOCTOR_OK, "not disabled"},
	{"cdi.specs", one_letter_28, DOCTOR_WARN, "x.com/g"},
	{"containerd.config", bad_file, DOCTOR_FAIL, "line 1"},
	{"containerd.config", no_base_spec, DOCTOR_FAIL, "/etc/no.json, which doesn't exist"},
	{"containerd.config", legacy_systemd, DOCTOR_FAIL, "systemd_cgroup is set"},
	{"crio.config", bad_file, DOCTOR_FAIL, "line 1"},
	{"docker.config", hidden_file, DOCTOR_UNKNOWN, "can't be read"},
	{"docker.runtime", hidden_file, DOCTOR_UNKNOWN, "can't be read"},
	{"docker.hook", hidden, DOCTOR_UNKNOWN, "PATH"},
	{"docker.hook", no_hook, DOCTOR_WARN, "--runtime nvidia` works"},
	{"docker.hook", no_method, DOCTOR_FAIL, "could not select device driver"},
	{"docker.hook", cdi_off, DOCTOR_FAIL, "could not select device driver"},
	{"docker.hook", no_hook_no_runtime, DOCTOR_WARN, "--device nvidia.com/gpu=all` works"},
	{"docker.hook", other_hook, DOCTOR_WARN, "isn't davit-hook"},
	{"docker.runtime", no_method, DOCTOR_WARN, "unknown or invalid runtime name"},
	{"docker.runtime", no_runtime, DOCTOR_SKIP, "--gpus` works without it"},
	{"docker.runtime", dangling_alone, DOCTOR_FAIL, "no such program"},
	{"docker.runtime", dangling_runtime, DOCTOR_WARN, "--gpus` works without it"},
	{"docker.runtime", other_runtime, DOCTOR_WARN, "isn't davit-runtime"},
	{"docker.hook", rootless_engines, DOCTOR_OK, "/usr/bin/hook"},
	{"docker.cdi", nothing, DOCTOR_OK, "not disabled"},
	{"docker.cdi", cdi_off, DOCTOR_WARN, "features.cdi is false"},
	{"docker.cdi", rootless_engines, DOCTOR_WARN, "sees both as links"},
	{"docker.cdi", own_dirs, DOCTOR_WARN, "no spec exists in /home/u/specs"},
	{"docker.cdi", own_specs, DOCTOR_OK, "/home/u/specs contains specs"},
	{"containerd.cdi", nothing, DOCTOR_OK, "not disabled"},
	{"containerd.cdi", containerd_without, DOCTOR_SKIP, "CDI isn't enabled"},
	{"containerd.cdi", cri_disabled, DOCTOR_SKIP, "the CRI plugin is disabled"},
	{"containerd.cdi", bad_file, DOCTOR_SKIP, "can't be read"},
	{"containerd.cdi", rootless_engines, DOCTOR_WARN, "sees both as links"},
	{"containerd.cdi", own_dirs, DOCTOR_WARN, "no spec exists in /home/u/.config/cdi"},
	{"containerd.cdi", own_specs, DOCTOR_OK, "/home/u/.config/cdi contains specs"},
	{"docker.restart", changed_later, DOCTOR_WARN, "1970-01-01 00:33:20"},
	{"docker.restart", changed_then, DOCTOR_OK, "started"},
	{"docker.restart", hook_later, DOCTOR_WARN, "but /usr/bin/hook changed at"},
	{"docker.restart", runtime_later, DOCTOR_OK, "started"},
	{"docker.restart", no_start, DOCTOR_UNKNOWN, "process 7"},
	{"docker.restart", stopped, DOCTOR_SKIP, "isn't running"},
	{"containerd.runtime", containerd_without, DOCTOR_SKIP, "Docker"},
	{"containerd.runtime", containerd_cdi, DOCTOR_SKIP, "CDI devices work without it"},
	{"containerd.runtime", containerd_alone, DOCTOR_WARN, "RuntimeClass"},
	{"containerd.runtime", dangling_runtime, DOCTOR_WARN, "no such program exists; CDI"},
	{"containerd.restart", changed_later, DOCTOR_WARN, "but /etc/engine changed at"},
	{"crio.runtime", no_runtime, DOCTOR_OK, "/hooks.d/davit.json"},
	{"crio.runtime", hooks_of_podman, DOCTOR_FAIL, "hooks.d has no davit hook"},
	{"crio.runtime", no_crio, DOCTOR_FAIL, "hooks.d"},
	{"crio.runtime", crio_cdi, DOCTOR_SKIP, "CDI devices work without it"},
	{"podman.hook", hidden_config, DOCTOR_WARN,
	 "not all users can access /etc/davit: rootless containers that request"},
	{"podman.hook", closed_hooks, DOCTOR_WARN,
	 "not all users can access /opt/davit: no rootless"},
	{"podman.hook", closed_hooks_user, DOCTOR_FAIL,
	 "you can't access /opt/davit: no container"},
	{"runtime.hooks", no_low_level, DOCTOR_SKIP, "none of the programs in runtime.candidates"},
	{"runtime.hooks", low_level_none, DOCTOR_FAIL,
	 "starts no container for docker: cannot find"},
	{"runtime.hooks", low_level_unsure, DOCTOR_UNKNOWN, "for docker: cannot find it"},
	{"runtime.hooks", low_level_other, DOCTOR_OK, "/usr/bin/runc runs"},
	{"docker.runtime", low_level_none, DOCTOR_WARN, "no container of it starts"},
	{"docker.runtime", no_method_no_low_level, DOCTOR_FAIL, "no container of it starts"},
	{"docker.runtime", low_level_unsure, DOCTOR_OK, "davit-runtime"},
	{"containerd.config", cri_fault, DOCTOR_FAIL, "a plugin is disabled"},
	{"containerd.runtime", cri_fault, DOCTOR_SKIP, "doesn't load"},
	{"containerd.cdi", cri_fault, DOCTOR_SKIP, "doesn't load"},
	{"containerd.runtime", no_shims, DOCTOR_WARN, "nvidia has no runtime_type"},
	{"containerd.runtime", no_shim_program, DOCTOR_FAIL, "needs containerd-shim-x-v1"},
	{"containerd.runtime", no_default_shim, DOCTOR_FAIL,
	 "the runtime runc has no runtime_type"},
	{"containerd.config", stale_setting, DOCTOR_WARN,
	 "sandbox_image in /etc/c.toml has changed"},
	{"containerd.cdi", cdi_nowhere, DOCTOR_WARN, "names no directory"},
	{"podman.runtime", nothing, DOCTOR_SKIP, "names no runtime"},
	{"podman.runtime", podman_no_program, DOCTOR_FAIL,
	 "is x, for which Podman finds no program"},
	{"podman.hook", podman_run_only, DOCTOR_FAIL, "in /etc/cdi, the only directory"},
	{"podman.hook", podman_etc, DOCTOR_OK, "CDI devices exist"},
	{"runtime.hooks", low_level, DOCTOR_OK, "/usr/bin/runc runs"},
	{"runtime.hooks", low_level_script, DOCTOR_UNKNOWN, "can't examine /usr/bin/runc"},
	{"runtime.hooks", low_level_old, DOCTOR_FAIL, "doesn't run createContainer hooks"},
	{"runtime.hooks", low_level_old_hook, DOCTOR_SKIP, "runtime.mode"},
	{"podman.hook", no_hooks, DOCTOR_OK, "CDI"},
	{"podman.hook", no_hooks_no_cdi, DOCTOR_FAIL,
	 "no davit hook in hooks.d, and no CDI devices"},
	{"podman.hook", rootless_podman, DOCTOR_WARN,
	 "no davit hook in hooks.d, and no CDI devices"},
	{"podman.hook", user, DOCTOR_OK, "davit-hook"},
	{"podman.hook", bad_hook, DOCTOR_FAIL, "read hook"},
	{"podman.hook", dangling_hook, DOCTOR_WARN, "no such program exists"},
	{"podman.hook", nvidia_hook, DOCTOR_OK, "CDI"},
	{"toolkit.nvidia", nvidia_hook, DOCTOR_WARN, "/hooks.d/davit.json"},
	{"toolkit.nvidia", toolkit, DOCTOR_WARN, "/usr/bin/nvidia-ctk"},
	{"cdi.specs", no_specs, DOCTOR_SKIP, "no specs"},
	{"cdi.specs", bad_spec, DOCTOR_FAIL, "the spec is so"},
	{"cdi.specs", stale_spec, DOCTOR_OK, "1 device"},
	{"cdi.stale", stale_spec, DOCTOR_FAIL, "the spec is so"},
	{"cdi.duplicates", twice_in_one, DOCTOR_FAIL, "the spec is so"},
	{"cdi.duplicates", twice_in_two, DOCTOR_WARN, "the spec is so"},
	{"security.selinux", selinux_off, DOCTOR_OK, "permissive"},
	{"security.selinux", selinux_strict, DOCTOR_WARN, "enforcing"},
	{"security.selinux", selinux_allows, DOCTOR_OK, "enforcing"},
	{"bundle.config", fails_config, DOCTOR_FAIL, "cannot be so"},
	{"bundle.variables", fails_config, DOCTOR_SKIP, "an earlier step"},
	{"bundle.request", fails_config, DOCTOR_SKIP, "an earlier step"},
	{"bundle.variables", misspelt, DOCTOR_WARN, "NVIDIA_DISABLE_REQUIRES"},
	{"bundle.config", fails_request, DOCTOR_OK, "/bundle"},
	{"bundle.request", fails_request, DOCTOR_FAIL, "cannot be so"},
	{"bundle.driver", fails_request, DOCTOR_SKIP, "an earlier step"},
	{"bundle.request", fails_driver, DOCTOR_OK, "all (env)"},
	{"bundle.driver", fails_driver, DOCTOR_FAIL, "cannot be so"},
	{"bundle.image", fails_driver, DOCTOR_SKIP, "an earlier step"},
	{"bundle.image", fails_image, DOCTOR_FAIL, "cannot be so"},
	{"bundle.request", no_gpu_asked, DOCTOR_SKIP, "no GPU"},
	{"bundle.image", no_gpu_asked, DOCTOR_SKIP, "no GPU"},
};

static void test_changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sample s;
		struct finding finding;

		make_sample(&s);
		cases[i].change(&s.host, &s.arena);
		doctor_decide(find_check(cases[i].id), &s.host, &finding);
		if (finding.result != cases[i].result ||
		    !strstr(finding.evidence, cases[i].evidence))
			fail_msg("case %zu, %s: %s: %s", i, finding.id,
				 doctor_result_name(finding.result), finding.evidence);
		arena_free(&s.arena);
	}
}

static void test_every_finding_that_is_not_well_has_a_remedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sample s;
		struct finding finding;
		bool well;

		make_sample(&s);
		cases[i].change(&s.host, &s.arena);
		for (size_t j = 0; j < doctor_check_count; j++) {
			doctor_decide(&doctor_checks[j], &s.host, &finding);
			well = finding.result == DOCTOR_OK || finding.result == DOCTOR_SKIP;
			if (well != !finding.remedy[0] || !finding.evidence[0])
				fail_msg("case %zu, %s: %s: %s: %s", i, finding.id,
					 doctor_result_name(finding.result), finding.evidence,
					 finding.remedy);
		}
		arena_free(&s.arena);
	}
}

static void test_a_host_on_which_all_is_well(void **state)
{
	struct sample s;

	(void)state;
	make_sample(&s);
	for (size_t i = 0; i < doctor_check_count; i++) {
		struct finding finding;

		doctor_decide(&doctor_checks[i], &s.host, &finding);
		if (finding.result != DOCTOR_OK && finding.result != DOCTOR_SKIP)
			fail_msg("%s: %s", finding.id, finding.evidence);
	}
	arena_free(&s.arena);
}

static void test_which_checks_apply(void **state)
{
	struct sample s;

	(void)state;
	make_sample(&s);
	s.host.bundle.path = NULL;
	assert_false(doctor_check_applies(find_check("bundle.config"), &s.host));
	assert_true(doctor_check_applies(find_check("docker.hook"), &s.host));
	memset(&s.host.engines[DOCTOR_DOCKER], 0, sizeof(s.host.engines[DOCTOR_DOCKER]));
	assert_false(doctor_check_applies(find_check("docker.hook"), &s.host));
	assert_true(doctor_check_applies(find_check("engine.docker"), &s.host));
	s.host.required = DOCTOR_PODMAN;
	assert_false(doctor_check_applies(find_check("engine.docker"), &s.host));
	assert_true(doctor_check_applies(find_check("podman.hook"), &s.host));
	arena_free(&s.arena);
}

/* ---- the verdict ------------------------------------------------------------------------- */

CHANGE(podman_required)
{
	(void)arena;
	host->required = DOCTOR_PODMAN;
}

CHANGE(two_fail)
{
	cdi_off(host, arena);
	add_problem(host, arena, CDI_PROBLEM_STALE);
}

CHANGE(none_set_up)
{
	host->cdi.devices.count = 0;
	for (size_t i = 0; i < DOCTOR_ENGINES; i++)
		if (i != DOCTOR_CONTAINERD)
			memset(&host->engines[i], 0, sizeof(host->engines[i]));
	containerd_without(host, arena);
}

static void test_the_verdict(void **state)
{
	static const struct {
		changer *change;
		const char *verdict;
	} verdicts[] = {
		{nothing, "Docker, containerd, CRI-O and Podman can use the GPUs"},
		{no_hook,
		 "Docker (--runtime nvidia), containerd, CRI-O and Podman can use the GPUs, with "
		 "1 warning"},
		{no_persistenced,
		 "Docker, containerd, CRI-O and Podman can use the GPUs, with 1 warning"},
		{changed_later,
		 "Docker (after a restart), containerd (after a restart), CRI-O and Podman can use "
		 "the GPUs, with 2 warnings"},
		{cdi_off,
		 "1 problem stops Docker; containerd, CRI-O and Podman can use the GPUs, with 2 "
		 "warnings"},
		{two_fail,
		 "2 problems stop Docker and CDI devices; containerd, CRI-O and Podman can use "
		 "the GPUs, with 2 warnings"},
		{no_module, "1 problem stops GPU containers"},
		{no_fabric, "1 problem stops GPU containers"},
		{fails_driver, "1 problem stops this container"},
		{podman_required, "Podman can use the GPUs"},
		{no_engines, "the GPUs are ready, but no container engine was found"},
		{none_set_up, "no container engine is set up to use the GPUs, with 1 warning"},
		{no_start,
		 "Docker, containerd, CRI-O and Podman can use the GPUs; 1 check needs more "
		 "rights"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		struct sample s;
		struct finding findings[100];
		char verdict[DOCTOR_VERDICT_MAX];
		size_t count = 0;

		make_sample(&s);
		verdicts[i].change(&s.host, &s.arena);
		for (size_t j = 0; j < doctor_check_count; j++)
			if (doctor_check_applies(&doctor_checks[j], &s.host))
				doctor_decide(&doctor_checks[j], &s.host, &findings[count++]);
		doctor_verdict(&s.host, findings, count, verdict);
		assert_string_equal(verdict, verdicts[i].verdict);
		arena_free(&s.arena);
	}
}

static void test_an_engine_that_is_asked_for_has_to_be_there(void **state)
{
	static const char *const ids[] = {"engine.docker", "engine.containerd", "engine.crio",
					  "engine.podman"};

	(void)state;
	for (int i = 0; i < DOCTOR_ENGINES; i++) {
		struct sample s;
		struct finding finding;

		make_sample(&s);
		memset(s.host.engines, 0, sizeof(s.host.engines));
		s.host.required = i;
		doctor_decide(find_check(ids[i]), &s.host, &finding);
		assert_int_equal(finding.result, DOCTOR_FAIL);
		assert_non_null(strstr(finding.remedy, doctor_engine_names[i]));
		arena_free(&s.arena);
	}
}

/* Names of a host with hostile files, and more of them than fit. */
static void test_findings_are_printable_and_bounded(void **state)
{
	struct sample s;
	struct finding finding;
	char name[300];

	(void)state;
	make_sample(&s);
	memset(name, 'x', sizeof(name));
	name[0] = '\033';
	name[sizeof(name) - 1] = '\0';
	for (int i = 0; i < 50; i++) {
		add_node(&s, name, 1, 2);
		s.host.driver.nodes.items[s.host.driver.nodes.count - 1].linked = false;
	}
	doctor_decide(find_check("nodes.links"), &s.host, &finding);
	assert_null(strchr(finding.evidence, '\033'));
	assert_non_null(strstr(finding.evidence, " ..."));
	arena_free(&s.arena);
}

/* ---- docs/doctor.md ---------------------------------------------------------------------- */

/* Its table has a row "| `id` | ..." for each check, in their order. */
static void test_documented_ids_are_those_of_the_code(void **state)
{
	FILE *file = fopen(TEST_DATA "/../docs/doctor.md", "re");
	char line[4096];
	size_t next = 0;

	(void)state;
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		char *end;

		if (!string_starts(line, "| `"))
			continue;
		end = strchr(line + 3, '`');
		assert_non_null(end);
		*end = '\0';
		assert_true(next < doctor_check_count);
		assert_string_equal(line + 3, doctor_checks[next].id);
		next++;
	}
	assert_int_equal(fclose(file), 0);
	assert_int_equal(next, doctor_check_count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_host_on_which_all_is_well),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_every_finding_that_is_not_well_has_a_remedy),
		cmocka_unit_test(test_which_checks_apply),
		cmocka_unit_test(test_the_verdict),
		cmocka_unit_test(test_an_engine_that_is_asked_for_has_to_be_there),
		cmocka_unit_test(test_findings_are_printable_and_bounded),
		cmocka_unit_test(test_documented_ids_are_those_of_the_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
