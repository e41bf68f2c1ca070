// SPDX-License-Identifier: Apache-2.0
/* `davit configure docker`. */
#include <stdio.h>
#include <string.h>

#include "davit/configure_docker.h"

#include "cli.h"
#include "configure.h"

#define DOCKER_FILE "/etc/docker/daemon.json"

/* Whether only a snap's Docker is installed, or the file belongs to it. */
static bool is_snap(const struct job *job)
{
	return job->file ? string_starts(job->file, "/var/snap/")
			 : configure_docker_is_snap(&job->root);
}

/* Sets why dockerd refuses a text; NULL: davit found nothing. 0 or -errno. */
static int judge_docker(const struct job *job, const struct docker_program *program,
			const char *text, const char *path, const char **ret_cause)
{
	int r = configure_docker_judge(text, path, NULL,
				       program->major == 0 || program->major >= 23, job->arena,
				       ret_cause, job->err);

	if (r < 0 || *ret_cause)
		return r;
	return docker_ask(program, text, job->arena, ret_cause) < 0 ? error_memory(job->err) : 0;
}

/* davit must not break a file that dockerd accepts. */
static int validate_docker(const struct job *job, const struct docker_program *program,
			   const struct change *change)
{
	const char *after = NULL, *before = NULL;
	int r;

	if (!change->after || string_equal(change->before, change->after))
		return 0;
	r = judge_docker(job, program, change->after, change->path, &after);
	if (r == 0 && after && change->before)
		r = judge_docker(job, program, change->before, change->path, &before);
	if (r < 0 || !after)
		return r;
	if (!before && !job->dry_run && !job->remove)
		return error_set(job->err, ERROR_BAD_CONFIG, EINVAL,
				 "see the change with `davit configure docker --dry-run`, and "
				 "remove what dockerd refuses",
				 "change %s: dockerd would refuse it: %s", change->path, after);
	(void)fprintf(stderr, "davit: note: %s: dockerd doesn't start with this file: %s\n",
		      change->path, after);
	return 0;
}

/* Whether the file names the directories that --cdi adds for a user's own dockerd. */
static bool is_added(const struct job *job, const struct configure_docker_facts *facts)
{
	const struct strings *added = &job->configure.spec_dirs;

	return job->configure.cdi && added->count > 2 && facts->spec_dirs.count > 2 &&
	       string_equal(facts->spec_dirs.items[2], added->items[2]);
}

/* Notes reasons outside the file for which --device nvidia.com/gpu=... wouldn't work. */
static int note_docker(const struct job *job, const struct change *change)
{
	struct configure_docker_facts facts;
	int r;

	if (!change->after)
		return 0;
	r = configure_docker_find(change->after, change->path, job->configure.runtime_name,
				  job->arena, &facts, job->err);
	if (r == 0 && facts.mark)
		(void)fprintf(stderr,
			      "davit: note: %s begins with a byte order mark, which "
			      "dockerd accepts only since 23.0\n",
			      change->path);
	if (r == 0 && facts.cdi_off)
		(void)fprintf(stderr,
			      "davit: note: %s: features.cdi is false, so `--device "
			      "nvidia.com/gpu=...` fails; --cdi enables it\n",
			      change->path);
	if (r == 0 && facts.cdi_nowhere)
		(void)fprintf(stderr,
			      "davit: note: %s: cdi-spec-dirs names no directory, so `--device "
			      "nvidia.com/gpu=...` fails; --cdi names the default ones\n",
			      change->path);
	if (r == 0 && is_added(job, &facts))
		(void)fprintf(
			stderr,
			"davit: note: %s: rootless dockerd finds no CDI specs in /etc/cdi and "
			"/var/run/cdi: davit cdi generate --output %s/nvidia.json\n",
			change->path, facts.spec_dirs.items[2]);
	else if (r == 0 && facts.spec_dirs.count && !facts.cdi_nowhere &&
		 !strings_contain(&facts.spec_dirs, "/etc/cdi") &&
		 !strings_contain(&facts.spec_dirs, "/var/run/cdi"))
		(void)fprintf(stderr,
			      "davit: note: %s: dockerd looks for CDI specs only in %s: "
			      "davit cdi generate --output %s/nvidia.json\n",
			      change->path, strings_list(job->arena, &facts.spec_dirs, 200),
			      facts.spec_dirs.items[0]);
	return r;
}

/* Notes settings that `--remove` keeps or removes, although davit may not have written them. */
static int note_docker_removal(const struct job *job, struct change *change)
{
	const char *name = job->configure.runtime_name;
	struct configure_docker_facts before, after = {0}, original = {0};
	struct strings others, left = {0};
	int r = configure_docker_find(change->before, change->path, name, job->arena, &before,
				      job->err);

	if (r == 0 && change->after)
		r = configure_docker_find(change->after, change->path, name, job->arena, &after,
					  job->err);
	if (r == 0 && change->original) {
		struct error ignored;

		(void)configure_docker_find(change->original, change->path, name, job->arena,
					    &original, &ignored);
	}
	if (r == 0)
		r = configure_docker_others(change->before, change->path, name, job->arena, &others,
					    job->err);
	if (r == 0 && change->after)
		r = configure_docker_others(change->after, change->path, name, job->arena, &left,
					    job->err);
	if (r < 0)
		return r;
	if (!left.count)
		change->gone = others;
	if (string_equal(change->before, change->after) && before.runtime)
		(void)fprintf(stderr,
			      "davit: note: %s: kept the runtime %s: its program %s isn't davit's "
			      "(--runtime-path %s removes it)\n",
			      change->path, name, before.runtime, before.runtime);
	else if (before.runtime && after.cdi_on && !original.cdi_on)
		(void)fprintf(stderr,
			      "davit: note: %s: kept features.cdi, which may be in use (--remove "
			      "--cdi removes it)\n",
			      change->path);
	return 0;
}

/*
 * In rootlesskit's copies of /etc and /run, the default directories of CDI specs are links, in
 * which dockerd finds no specs before 29.2. The added ones are those of 29.2.
 */
static int set_users_dirs(struct job *job, const char *file)
{
	const char *run = configure_own_variable(job, "XDG_RUNTIME_DIR");
	const char *above = arena_strndup(job->arena, file, (size_t)(strrchr(file, '/') - file));
	const char *dirs[] = {"/etc/cdi", "/var/run/cdi", NULL, NULL};

	if (!above || !strrchr(above, '/'))
		return above ? 0 : error_memory(job->err);
	dirs[2] = arena_printf(job->arena, "%.*s/cdi", (int)(strrchr(above, '/') - above), above);
	dirs[3] = run ? arena_printf(job->arena, "%s/cdi", run) : NULL;
	for (size_t i = 0; i < ARRAY_SIZE(dirs) - !run; i++)
		if (!dirs[i] || strings_add(job->arena, &job->configure.spec_dirs, dirs[i]) < 0)
			return error_memory(job->err);
	return 0;
}

/* The directories to name in daemon.json for --cdi. Before 25.0, dockerd refuses such a file. */
static int choose_spec_dirs(struct job *job, const struct change *change, bool rootless,
			    const struct docker_program *program)
{
	const char *text = job->remove ? change->original : change->before;
	unsigned version = program->major * 100 + program->minor;
	struct configure_docker_facts facts = {0};
	struct error ignored;

	if (version && version < 2500)
		return 0;
	if (rootless && (!version || version < 2902))
		return set_users_dirs(job, change->path);
	if (text)
		(void)configure_docker_find(text, change->path, job->configure.runtime_name,
					    job->arena, &facts, &ignored);
	if (facts.cdi_nowhere &&
	    (strings_add(job->arena, &job->configure.spec_dirs, "/etc/cdi") ||
	     strings_add(job->arena, &job->configure.spec_dirs, "/var/run/cdi")))
		return error_memory(job->err);
	return 0;
}

/* A user's own dockerd is in ~/bin, if Docker's script for rootless Docker installed it. */
static void open_program(const struct job *job, bool rootless, struct docker_program *ret)
{
	const char *home = rootless ? configure_own_variable(job, "HOME") : NULL;
	const char *own = home ? arena_printf(job->arena, "%s/bin/dockerd", home) : NULL;

	*ret = (struct docker_program){.fd = -1};
	if (*configure_below(job))
		return;
	if (own)
		docker_open_program(&job->root, own, job->arena, ret);
	if (ret->fd < 0)
		docker_open_program(&job->root, NULL, job->arena, ret);
}

static int change_docker(struct job *job, bool rootless, const struct docker_program *program,
			 struct change *change)
{
	int r = choose_spec_dirs(job, change, rootless, program);

	if (r == 0)
		r = job->remove ? configure_docker_remove(change->before, change->original,
							  change->path, &job->configure, job->arena,
							  &change->after, job->err)
				: configure_docker(change->before, change->path, &job->configure,
						   job->arena, &change->after, job->err);
	return r < 0 ? r : validate_docker(job, program, change);
}

int configure_do_docker(struct job *job, struct change *change)
{
	static const char *const services[] = {"docker"};
	const char *mark = arena_printf(job->arena, "\"%s\"", job->configure.runtime_path);
	const char *rootless = job->file ? NULL : configure_find_rootless(job, ENGINE_DOCKER);
	const char *file = job->file ? job->file : rootless ? rootless : DOCKER_FILE;
	struct docker_program program;
	bool is_rootless;
	int r;

	if (is_snap(job) && !job->remove)
		return error_set(
			job->err, ERROR_BAD_CONFIG, ENOTSUP,
			"use Docker's own package, or the distribution's (`snap remove "
			"docker`)",
			"configure Docker: it is a snap, which can't run the host's programs");
	r = configure_open_change(job, file, mark, change);
	is_rootless = rootless || string_ends(file, "/.config/docker/daemon.json");
	job->restart = is_rootless ? "systemctl --user restart docker"
				   : configure_restart(&job->root, services, ARRAY_SIZE(services),
						       job->arena);
	if (r == 0 && change->before)
		r = configure_docker_keep_name(change->before, change->path, &job->configure,
					       job->arena, job->err);
	if (r < 0 || (job->remove && !change->before))
		return r;
	open_program(job, is_rootless, &program);
	r = change_docker(job, is_rootless, &program, change);
	fd_close(&program.fd);
	if (r < 0)
		return r;
	return job->remove ? note_docker_removal(job, change) : note_docker(job, change);
}
