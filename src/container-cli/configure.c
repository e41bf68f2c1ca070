// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container_cli.h"
#include "davit/apply.h"

#define EXIT_FAILED 1

static int settle_process(struct error *err)
{
	struct rlimit files;

	(void)umask(022);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	return chdir("/") < 0 ? error_errno(err, errno, "enter the directory /") : 0;
}

#define ROOTFS_FIX "name the directory that becomes the container's root"

static int refuse_rootfs(const char *rootfs, const char *why, struct error *err)
{
	return error_set(err, ERROR_BAD_BUNDLE, EINVAL, ROOTFS_FIX,
			 "configure \"%s\": invalid rootfs directory: %s", rootfs, why);
}

/* What is told by the word alone, as by the program whose name we bear. */
static int check_rootfs(const char *rootfs, struct error *err)
{
	if (rootfs[0] != '/')
		return refuse_rootfs(rootfs, "it is not an absolute path", err);
	if (!rootfs[strspn(rootfs, "/")])
		return refuse_rootfs(rootfs, "it is davit's own root directory", err);
	return 0;
}

/*
 * In the caller's own mount namespace a slip of the finger reaches the host's system: a container's
 * /etc/ld.so.cache, made in the host's /usr, say.
 */
static int refuse_system_directory(const struct root *root, struct error *err)
{
	static const char *const directories[] = {"/bin", "/boot", "/dev", "/etc", "/lib", "/proc",
						  "/run", "/sbin", "/sys", "/usr", "/var"};
	struct stat st, system;

	if (fstat(root->fd, &st) < 0)
		return error_errno(err, errno, "inspect %s", root->path);
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		if (stat(directories[i], &system) == 0 && system.st_dev == st.st_dev &&
		    system.st_ino == st.st_ino)
			return refuse_rootfs(root->path, "it is a system directory", err);
	return 0;
}

static int open_container(const struct arguments *arguments, struct arena *arena,
			  struct container *ret, struct error *err)
{
	const char *rootfs = arguments->rootfs;
	int r;

	if (!arguments->pid) {
		r = container_open_own(rootfs, ret, err);
		if (r < 0)
			return error_fix(err, r, ROOTFS_FIX);
		return refuse_system_directory(&ret->root, err);
	}
	r = container_gain_rights(arguments->pid, err);
	return r < 0 ? r : container_open(arguments->pid, rootfs, arena, ret, err);
}

static void drop_operations(struct plan *plan, enum operation_kind kind)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].kind != kind)
			plan->items[kept++] = plan->items[i];
	plan->count = kept;
}

static int give_gpus(const struct arguments *arguments, struct pipeline *pipeline,
		     struct container *container, struct arena *arena, struct error *err)
{
	/* Without a pid there is no cgroup but the caller's own: its rules aren't ours to widen. */
	bool cgroups = pipeline->config->cgroups && !arguments->no_cgroups && arguments->pid;
	int r = pipeline_driver(pipeline, arena, err);

	if (r == 0 && cgroups)
		container_connect_systemd(container, arena);
	deadline_step("mount the driver's files in the container");
	deadline_watch();
	if (r == 0)
		r = filter_install(FILTER_APPLY, err);
	if (r < 0)
		return r;
	files_leave_out(arguments, &pipeline->driver.files);
	r = pipeline_plan(pipeline, &container->root, arena, err);
	if (r < 0)
		return r;
	if (arguments->no_devices)
		drop_operations(&pipeline->plan, OPERATION_DEVICE);
	if (arguments->no_loader_cache)
		drop_operations(&pipeline->plan, OPERATION_LOADER_CACHE);
	r = apply_plan(&pipeline->plan, &pipeline->roots, container, cgroups, arena, err);
	if (r == 0)
		pipeline_log_summary(pipeline, container->root.path, arena);
	return r;
}

int command_configure(const struct arguments *arguments, struct arena *arena, struct error *err)
{
	/* Never closed: the process ends here. */
	static struct pipeline pipeline = PIPELINE_INIT;
	static struct container container = CONTAINER_INIT;
	static struct config config;
	int r = check_rootfs(arguments->rootfs, err);

	deadline_step("inspect the host's driver");
	deadline_set(CONFIG_SECONDS, EXIT_FAILED);
	memory_limit();
	if (r == 0)
		r = settle_process(err);
	if (r == 0)
		r = filter_install(FILTER_REQUEST, err);
	if (r == 0)
		r = privilege_set(PRIVILEGE_READ, err);
	if (r == 0)
		r = settings_load(arguments, arena, &config, err);
	if (r == 0)
		deadline_set(config.limits.seconds, EXIT_FAILED);
	if (r == 0)
		r = request_make(arguments, &config, arena, &pipeline.request, err);
	if (r < 0 || !pipeline.request.gpu)
		return r;
	pipeline.config = &config;
	pipeline.may_repair = true;
	pipeline.place = "--device (--gpus of ctr, NVIDIA_VISIBLE_DEVICES of enroot)";
	/* Its GPUs are those that it may use itself: NVML counts so, too. */
	pipeline.as_caller = !arguments->pid;
	r = open_container(arguments, arena, &container, err);
	return r < 0 ? r : give_gpus(arguments, &pipeline, &container, arena, err);
}
