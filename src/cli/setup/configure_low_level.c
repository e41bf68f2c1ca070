// SPDX-License-Identifier: Apache-2.0
/* Whether davit-runtime will find the runtime that it executes, such as runc. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "davit/config.h"
#include "davit/runtime.h"

#include "configure.h"

/* The host's configuration; its defaults if it can't be read. 0 or -ENOMEM. */
static int read_candidates(const struct job *job, struct strings *ret)
{
	struct config config;
	struct error ignored = {0};
	size_t length = 0;
	char *text = NULL;
	int r = root_read(&job->root, CONFIG_PATH, CONFIGURE_SIZE_MAX, job->arena, &text, &length);

	if (r == 0)
		r = config_parse(text, length, CONFIG_PATH, job->arena, &config, &ignored);
	if (r < 0 && config_defaults(job->arena, &config) < 0)
		return -ENOMEM;
	*ret = config.runtime.candidates;
	return 0;
}

int configure_check_low_level(const struct job *job)
{
	AUTO_FD self = root_openat(&job->root, job->configure.runtime_path, O_PATH);
	const char *path = runtime_search_path(getenv("PATH"), job->arena), *found;
	struct strings candidates;
	int r;

	/* A root that is being made needn't have it yet. */
	if (*configure_below(job))
		return 0;
	if (path && job->programs)
		path = arena_printf(job->arena, "%s:%s", job->programs, path);
	if (!path || read_candidates(job, &candidates) < 0)
		return error_memory(job->err);
	r = runtime_find(&candidates, path, self, job->arena, &found, job->err);
	if (r == 0 || !job->dry_run || job->check)
		return r;
	(void)fprintf(
		stderr,
		"davit: note: containers of the runtime %s won't start: cannot %s (fix: %s)\n",
		job->configure.runtime_name, job->err->message, job->err->fix);
	return 0;
}
