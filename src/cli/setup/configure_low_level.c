// SPDX-License-Identifier: Apache-2.0
/* Whether davit-runtime will find the runtime that it executes, such as runc. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "davit/config.h"
#include "davit/runtime.h"

#include "configure.h"

#define SYSTEMD_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin" /* systemd.exec(5) */

/* The configuration that is asked for, or the host's; its defaults if it can't be read. 0 or
 * -ENOMEM. */
static int read_candidates(const struct job *job, struct strings *ret)
{
	struct config config;
	struct error ignored = {0};
	char *host = NULL;
	const char *text = job->config;
	int r = 0;

	if (!text)
		r = root_read(&job->root, CONFIG_PATH, CONFIGURE_SIZE_MAX, job->arena, &host, NULL);
	if (!text)
		text = host;
	if (r == 0)
		r = config_parse(text, strlen(text), CONFIG_PATH, job->arena, &config, &ignored);
	if (r < 0 && config_defaults(job->arena, &config) < 0)
		return -ENOMEM;
	*ret = config.runtime.candidates;
	return 0;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Through links; one without a directory, which is searched, by its name alone. */
static bool is_same(const struct job *job, const char *program, const char *found)
{
	struct stat a, b;

	if (!strchr(program, '/') || !strchr(found, '/'))
		return string_equal(base_of(program), base_of(found));
	return root_stat(&job->root, program, 0, &a) == 0 &&
	       root_stat(&job->root, found, 0, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/* davit's runtimes execute another program than the engine's own did. */
static void print_replaced(const struct job *job, const char *found)
{
	const char *program = job->replaced;

	if (program && !is_same(job, program, found))
		(void)fprintf(stderr,
			      "davit: note: the engine's runtime executes %s, but davit-runtime "
			      "executes %s: to keep the former, put it first in runtime.candidates "
			      "of " CONFIG_PATH "\n",
			      program, found);
}

/* The PATH with which the engine will call davit-runtime. 0 or -ENOMEM. */
static int find_path(const struct job *job, const char **ret)
{
	static const struct {
		const char *service, *program;
	} daemons[] = {
		[ENGINE_DOCKER] = {"docker", "dockerd"},
		[ENGINE_CONTAINERD] = {"containerd", "containerd"},
		[ENGINE_CRIO] = {"crio", "crio"},
	};
	struct configure_service service;
	int r;

	/* A user's own daemon. */
	if (geteuid() != 0) {
		*ret = configure_own_variable(job, "PATH");
		return 0;
	}
	r = configure_find_service(&job->root, daemons[job->engine].service,
				   daemons[job->engine].program, job->arena, &service);
	*ret = service.search ? service.search : SYSTEMD_PATH;
	if (r < 0 || !job->programs)
		return r;
	*ret = arena_printf(job->arena, "%s:%s", job->programs, *ret);
	return *ret ? 0 : -ENOMEM;
}

int configure_check_low_level(const struct job *job)
{
	AUTO_FD self = root_openat(&job->root, job->configure.runtime_path, O_PATH);
	const char *path, *found;
	struct strings candidates;
	int r;

	if (read_candidates(job, &candidates) < 0)
		return error_memory(job->err);
	/* A root that is being made needn't have it yet. */
	if (*configure_below(job)) {
		if (candidates.count)
			print_replaced(job, candidates.items[0]);
		return 0;
	}
	if (find_path(job, &path) < 0)
		return error_memory(job->err);
	r = runtime_find(&candidates, path, self, job->arena, &found, job->err);
	if (r == 0)
		print_replaced(job, found);
	if (r == 0 || !job->dry_run || job->check)
		return r;
	(void)fprintf(
		stderr,
		"davit: note: containers of the runtime %s won't start: cannot %s (fix: %s)\n",
		job->configure.runtime_name, job->err->message, job->err->fix);
	return 0;
}

int configure_check_programs(const struct job *job, const char *name, const char *program,
			     const char *path)
{
	if (!job->remove || !job->follow || !program ||
	    !is_same(job, program, job->configure.runtime_path))
		return 0;
	return error_fix(
		job->err,
		error_set(job->err, ERROR_BAD_CONFIG, EEXIST, NULL,
			  "remove davit's programs: %s, the default runtime of %s, executes "
			  "%s",
			  name, path, program),
		"choose another default runtime in %s first", path);
}
