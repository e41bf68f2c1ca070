// SPDX-License-Identifier: Apache-2.0
/* Checks of Docker. */
#include <string.h>

#include "check_engines.h"

/* The first version with CDI devices. */
#define DOCKER_CDI 25

int check_engine_docker(const struct doctor_host *host, struct finding *ret)
{
	return engine_found(host, DOCTOR_DOCKER, ret);
}

int check_docker_snap(const struct doctor_host *host, struct finding *ret)
{
	if (host->engines[DOCTOR_DOCKER].snap)
		return finding_set(ret, DOCTOR_FAIL,
				   "run `snap remove docker`, and install the package of "
				   "Docker or of the distribution",
				   "%s is from a snap: it can't see the host's programs, "
				   "so neither a hook nor a runtime can be registered",
				   host->engines[DOCTOR_DOCKER].program);
	return finding_set(ret, DOCTOR_OK, NULL, "not a snap");
}

/* dockerd doesn't start if an option sets the same as its file. */
static int doubled(const struct doctor_engine *engine, struct finding *ret)
{
	(void)finding_set(ret, DOCTOR_FAIL, NULL,
			  "%s is set in %s and by an option of dockerd%s, which therefore doesn't "
			  "start",
			  engine->doubled, engine->file, engine->of_unit ? "'s unit" : "");
	return finding_remedy(ret,
			      "remove it from %s, or the option by `systemctl %sedit docker`, "
			      "then %s",
			      engine->file, engine->rootless ? "--user " : "",
			      engine_restart_of(engine));
}

int check_docker_config(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_engine *engine = &host->engines[DOCTOR_DOCKER];

	if (!engine->file_error.code && (engine->refused || engine->doubled)) {
		if (engine->doubled)
			return doubled(engine, ret);
		(void)finding_set(ret, DOCTOR_FAIL, NULL, "dockerd refuses %s: %s", engine->file,
				  engine->refused);
		return finding_remedy(ret, "correct %s, then %s", engine->file,
				      engine_restart_of(engine));
	}
	if (!engine->file_mark || engine->file_error.code)
		return engine_config(engine, ret);
	return finding_set(
		ret, DOCTOR_WARN, "save it without that mark",
		"%s begins with a byte order mark, which dockerd accepts only since 23.0",
		engine->file);
}

/* Whether dockerd reads the specs of the default directories. */
static bool reads_specs(const struct doctor_engine *docker)
{
	const struct strings *dirs = &docker->spec_dirs;
	bool usual = dirs->count == 0 || strings_contain(dirs, "/etc/cdi") ||
		     strings_contain(dirs, "/var/run/cdi");

	return usual && !docker->cdi_off;
}

/*
 * Whether dockerd panics at a vendor or class of one letter, as the Go package
 * container-device-interface does before 1.1.1 (its pull request 321). dockerd reads specs with
 * that package since 25.0. According to its go.mod, 29.7.2 still has 1.1.0; moby's pull request
 * 53493 updated it a week before 29.8.0.
 */
static bool panics(const struct doctor_engine *docker)
{
	return docker->major == 0 ||
	       (docker->major >= 25 &&
		(docker->major < 29 || (docker->major == 29 && docker->minor < 8)));
}

int check_docker_specs(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_engine *engine = &host->engines[DOCTOR_DOCKER];
	char list[900] = "";

	for (size_t i = 0; i < host->cdi.problems.count; i++)
		if (host->cdi.problems.items[i].kind == CDI_PROBLEM_DEADLY)
			finding_list(list, sizeof(list), "%s", host->cdi.problems.items[i].text);
	if (!list[0])
		return finding_set(ret, DOCTOR_OK, NULL, "no spec that stops dockerd");
	if (!reads_specs(engine) || !panics(engine))
		return finding_set(ret, DOCTOR_OK, NULL,
				   "this dockerd starts with all specs in spite of their names");
	return finding_set(ret, engine->major ? DOCTOR_FAIL : DOCTOR_WARN,
			   "remove it, or regenerate it with a longer name: davit cdi generate "
			   "--class NAME --output FILE",
			   "%s", list);
}

int check_docker_hook(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_engine *engine = &host->engines[DOCTOR_DOCKER];
	unsigned methods;

	if (engine->snap)
		return finding_set(ret, DOCTOR_SKIP, NULL, "Docker from a snap can't use it");
	if (!engine->hook.path && !host->driver.driver.version && doctor_has_other_gpus(host))
		return finding_set(ret, DOCTOR_SKIP, NULL, "no NVIDIA driver (docker.amd)");
	if (engine->pid && engine->hidden)
		return finding_set(ret, DOCTOR_UNKNOWN, "run `davit doctor` as root",
				   "the PATH of process %u can't be read", engine->pid);
	if (engine->hook.path && engine->hook.ours)
		return finding_set(ret, DOCTOR_OK, NULL, "%s", engine->hook.path);
	if (engine->hook.path)
		return finding_set(ret, DOCTOR_WARN, "replace it by a link to davit-hook",
				   "%s is on dockerd's PATH, but isn't davit-hook",
				   engine->hook.path);
	methods = doctor_methods(host, DOCTOR_DOCKER);
	(void)finding_set(
		ret, methods ? DOCTOR_WARN : DOCTOR_FAIL, NULL,
		"nvidia-container-runtime-hook isn't on dockerd's PATH (%s): `docker run "
		"--gpus` fails with `could not select device driver` (Docker 29.3 and later: `AMD "
		"CDI spec not found`)%s",
		engine->pid && engine->search ? engine->search : DOCTOR_USUAL_SEARCH,
		methods & DOCTOR_BY_RUNTIME ? "; `--runtime nvidia` works"
		: methods                   ? "; `--device nvidia.com/gpu=all` works"
					    : "");
	return finding_remedy(ret,
			      "install the package davit-nvidia-compat (or: ln -s %s "
			      "/usr/bin/nvidia-container-runtime-hook), then %s",
			      "\"$(command -v davit-hook)\"", engine_restart_of(engine));
}

int check_docker_runtime(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_engine *engine = &host->engines[DOCTOR_DOCKER];

	if (engine_runtime(host, DOCTOR_DOCKER, ret) == 0)
		return 0;
	(void)finding_set(
		ret, DOCTOR_WARN, NULL,
		"%s has no runtime nvidia: `--runtime nvidia` fails with `unknown or invalid "
		"runtime name`",
		engine->file);
	return engine_remedy_configure(engine, "docker", "", ret);
}

/* The requirements of --device nvidia.com/gpu=... besides the specs. */
int check_docker_cdi(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_engine *engine = &host->engines[DOCTOR_DOCKER];

	if (engine->file_error.code || engine->file_hidden)
		return finding_set(ret, DOCTOR_SKIP, NULL, "its configuration can't be read");
	if (engine->major && engine->major < DOCKER_CDI)
		return finding_set(ret, DOCTOR_SKIP, NULL,
				   "Docker %u.%u has no CDI devices, which exist since 25.0",
				   engine->major, engine->minor);
	if (engine->cdi_false || engine->cdi_nowhere) {
		(void)finding_set(ret, DOCTOR_WARN, NULL,
				  "%s in %s: `--device nvidia.com/gpu=...` fails",
				  engine->cdi_false ? "features.cdi is false"
						    : "cdi-spec-dirs names no directory",
				  engine->file);
		return engine_remedy_configure(engine, "docker", " --cdi", ret);
	}
	if (engine->cdi_off)
		return finding_set(ret, DOCTOR_SKIP, NULL,
				   "CDI isn't enabled, because Docker %u.%u needs features.cdi; "
				   "`davit configure docker --cdi%s%s` enables it",
				   engine->major, engine->minor, engine->named ? " --file " : "",
				   engine->named ? engine->file : "");
	return engine_spec_dirs(host, DOCTOR_DOCKER, ret);
}

int check_docker_restart(const struct doctor_host *host, struct finding *ret)
{
	return engine_restart(host, DOCTOR_DOCKER, ret);
}
