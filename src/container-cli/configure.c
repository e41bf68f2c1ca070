// SPDX-License-Identifier: Apache-2.0
#include <limits.h>
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

static const char *make_absolute(const char *path, struct arena *arena)
{
	char directory[PATH_MAX];

	if (path[0] == '/')
		return path;
	return getcwd(directory, sizeof(directory)) ? arena_printf(arena, "%s/%s", directory, path)
						    : NULL;
}

/*
 * Without a pid the root is a directory of the caller's mount namespace, which is the container's
 * to be: what is made belongs to the caller.
 */
static int open_container(const struct arguments *arguments, const char *rootfs,
			  struct arena *arena, struct container *ret, struct error *err)
{
	pid_t pid = arguments->pid ? arguments->pid : getpid();
	int r = container_open(pid, rootfs, arena, ret, err);

	if (r < 0)
		return error_fix(err, r, "give a directory that process %d sees", (int)pid);
	if (!arguments->pid) {
		ret->uid = geteuid();
		ret->gid = getegid();
	}
	return 0;
}

static void leave_out_devices(struct plan *plan)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->count; i++)
		if (plan->items[i].kind != OPERATION_DEVICE)
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
		leave_out_devices(&pipeline->plan);
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
	const char *rootfs = make_absolute(arguments->rootfs, arena);
	int r = rootfs ? settle_process(err) : error_memory(err);

	deadline_step("look at the host's driver");
	deadline_set(CONFIG_SECONDS, EXIT_FAILED);
	memory_limit();
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
	r = arguments->pid ? container_gain_rights(arguments->pid, err) : 0;
	if (r == 0)
		r = open_container(arguments, rootfs, arena, &container, err);
	return r < 0 ? r : give_gpus(arguments, &pipeline, &container, arena, err);
}
