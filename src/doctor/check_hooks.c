// SPDX-License-Identifier: Apache-2.0
/* Checks of the engines that read hooks.d: CRI-O and Podman. */
#include <stdio.h>
#include <string.h>

#include "check_engines.h"

/* A hook that the engine reads, but whose program doesn't exist: the engine ignores the file. */
static const struct doctor_hook *find_dangling(const struct doctor_host *host,
					       enum doctor_engine_kind kind)
{
	for (size_t i = 0; i < host->hooks.count; i++) {
		const struct doctor_hook *hook = &host->hooks.items[i];

		if (hook->readers & 1U << kind && !hook->error.code && !hook->program.path)
			return hook;
	}
	return NULL;
}

static int dangling(const struct doctor_hook *hook, enum doctor_result result, const char *effect,
		    struct finding *ret)
{
	(void)finding_set(ret, result, NULL,
			  "%s names %s, but no such program exists: the engine ignores this "
			  "file%s",
			  hook->file, hook->program.name, effect);
	return string_ends(hook->program.name, "/davit-hook")
		       ? finding_remedy(ret,
					"davit configure podman --drop-in %s, or remove the file",
					hook->file)
		       : finding_remedy(ret, "remove %s%s", hook->file,
					result == DOCTOR_FAIL ? ", and run davit configure podman"
							      : "");
}

/* davit's hook, if the engine reads another file of the same name instead; or NULL. */
static const struct doctor_hook *find_replaced(const struct doctor_host *host,
					       enum doctor_engine_kind kind)
{
	for (size_t i = 0; i < host->hooks.count; i++)
		if (host->hooks.items[i].losers & 1U << kind && host->hooks.items[i].program.ours)
			return &host->hooks.items[i];
	return NULL;
}

static int replaced(const struct doctor_hook *hook, enum doctor_result result, const char *besides,
		    struct finding *ret)
{
	(void)finding_set(
		ret, result, NULL,
		"%s replaces %s, because it has the same name in a directory that is read "
		"later%s",
		hook->winner, hook->file, besides);
	return finding_remedy(ret, "rename or remove %s", hook->winner);
}

/* davit's hook doesn't run for each container. */
static int limited(const struct doctor_hook *hook, const struct doctor_host *host,
		   enum doctor_engine_kind kind, struct finding *ret)
{
	bool other = doctor_methods(host, kind);

	(void)finding_set(ret, hook->never && !other ? DOCTOR_FAIL : DOCTOR_WARN, NULL,
			  hook->never
				  ? "%s runs davit's hook for no container before it starts"
				  : "%s runs davit's hook only for containers that match `when`",
			  hook->file);
	return finding_remedy(ret,
			      "set `when` to {\"always\": true} and `stages` to [\"prestart\", "
			      "\"poststop\"] in %s",
			      hook->file);
}

/* 0 if the engine reads a hook, and the finding is filled; 1 otherwise. */
static int hooks_d(const struct doctor_host *host, enum doctor_engine_kind kind,
		   struct finding *ret)
{
	const struct doctor_hook *ours = NULL, *missing = find_dangling(host, kind);

	for (size_t i = 0; i < host->hooks.count; i++) {
		const struct doctor_hook *hook = &host->hooks.items[i];

		if (!(hook->readers & 1U << kind))
			continue;
		if (hook->error.code)
			return engine_bad_file(&hook->error, ret);
		if ((!ours || ours->never) && hook->program.ours)
			ours = hook;
	}
	if (!ours)
		return 1;
	if (ours->never || ours->sometimes)
		return limited(ours, host, kind, ret);
	if (missing)
		return dangling(missing, DOCTOR_WARN, "", ret);
	return finding_set(ret, DOCTOR_OK, NULL, "%s runs %s", ours->file, ours->program.path);
}

int check_engine_crio(const struct doctor_host *host, struct finding *ret)
{
	return engine_found(host, DOCTOR_CRIO, ret);
}

int check_crio_config(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_engine *engine = &host->engines[DOCTOR_CRIO];

	if (engine->refused && !engine->file_error.code) {
		(void)finding_set(ret, DOCTOR_FAIL, NULL,
				  "CRI-O doesn't start with its configuration: %s",
				  engine->refused);
		return finding_remedy(ret, "correct %s or a file in its folder, then %s",
				      engine->file, engine_restart_of(engine));
	}
	if (engine->unread && !engine->file_error.code) {
		(void)finding_set(ret, DOCTOR_WARN, NULL,
				  "CRI-O doesn't read %s, because its option --config-dir names "
				  "another directory",
				  engine->unread);
		return finding_remedy(
			ret,
			"davit configure crio --drop-in DIRECTORY/50-davit.conf, then "
			"%s",
			engine_restart_of(engine));
	}
	return engine_config(engine, ret);
}

int check_crio_runtime(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_hook *missing;

	/* If no runtime is registered, hooks.d decides first, then CDI. */
	if (!host->engines[DOCTOR_CRIO].runtime.name && hooks_d(host, DOCTOR_CRIO, ret) == 0)
		return 0;
	if (engine_runtime(host, DOCTOR_CRIO, ret) == 0)
		return 0;
	if (find_replaced(host, DOCTOR_CRIO))
		return replaced(find_replaced(host, DOCTOR_CRIO), DOCTOR_FAIL,
				", and no runtime nvidia is configured", ret);
	missing = find_dangling(host, DOCTOR_CRIO);
	if (missing)
		return dangling(missing, DOCTOR_FAIL, ", and no runtime nvidia is configured", ret);
	(void)finding_set(
		ret, DOCTOR_FAIL, NULL,
		"CRI-O's configuration has no runtime nvidia, and hooks.d has no davit hook");
	return engine_remedy_configure(&host->engines[DOCTOR_CRIO], "crio", "", ret);
}

int check_crio_restart(const struct doctor_host *host, struct finding *ret)
{
	return engine_restart(host, DOCTOR_CRIO, ret);
}

int check_engine_podman(const struct doctor_host *host, struct finding *ret)
{
	return engine_found(host, DOCTOR_PODMAN, ret);
}

/* Where Podman looked for hooks. */
static int no_hook(const struct doctor_host *host, enum doctor_result result, const char *remedy,
		   const char *besides, struct finding *ret)
{
	const struct doctor_hooks *hooks = &host->hooks;
	char list[400] = "";

	for (size_t i = 0; i < hooks->folders.count; i++)
		finding_list(list, sizeof(list), "%s", hooks->folders.items[i]);
	if (!hooks->file)
		return finding_set(ret, result, remedy, "no davit hook in hooks.d, %s", besides);
	if (!hooks->folders.count)
		return finding_set(ret, result, remedy,
				   "hooks_dir in %s is an empty list, so Podman reads no hooks, %s",
				   hooks->file, besides);
	return finding_set(ret, result, remedy, "no davit hook in %s (hooks_dir in %s), %s", list,
			   hooks->file, besides);
}

/* What keeps rootless Podman, or only its containers with GPUs, from starting containers. */
static int closed(const struct doctor_host *host, enum doctor_result result, const char *path,
		  const char *effect, struct finding *ret)
{
	(void)finding_set(ret, result, NULL, "%s %s: %s",
			  host->system.uid ? "you can't access" : "not all users can access", path,
			  effect);
	return finding_remedy(ret, "%schmod a+rX %s",
			      host->system.uid ? "ask the administrator to run " : "", path);
}

/* cdi_spec_dirs names other directories than those in which davit finds specs. */
static int no_specs(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_engine *podman = &host->engines[DOCTOR_PODMAN];
	char besides[300] = "but cdi_spec_dirs is an empty list";
	const char *dir = podman->spec_dirs.count ? podman->spec_dirs.items[0] : NULL;

	if (dir)
		(void)snprintf(besides, sizeof(besides), "and no CDI devices exist in %.150s", dir);
	(void)no_hook(host, DOCTOR_FAIL, NULL, besides, ret);
	if (!dir)
		return finding_remedy(ret, "davit configure podman, or correct cdi_spec_dirs in %s",
				      podman->file);
	return finding_remedy(ret,
			      "davit configure podman, or davit cdi generate --output "
			      "%s/nvidia.json (cdi_spec_dirs in %s)",
			      dir, podman->file);
}

/* Neither hook nor CDI devices, in the usual directories. */
static int nothing(const struct doctor_host *host, struct finding *ret)
{
	bool etc_only = host->engines[DOCTOR_PODMAN].etc_only;
	const char *folder = etc_only ? "/etc/cdi" : "/var/run/cdi";

	(void)no_hook(host, host->system.uid ? DOCTOR_WARN : DOCTOR_FAIL, NULL,
		      etc_only ? "and no CDI devices exist in /etc/cdi, the only directory that "
				 "Podman 5.5.0 and 5.5.1 read"
			       : "and no CDI devices exist",
		      ret);
	if (host->system.uid)
		return finding_remedy(ret,
				      "ask the administrator to run `davit cdi generate --output "
				      "%s/nvidia.json`, and use --device nvidia.com/gpu=all",
				      folder);
	return finding_remedy(
		ret, "davit configure podman, or davit cdi generate --output %s/nvidia.json",
		folder);
}

/* Whether containers.conf names a runtime without a program, so that no container starts. */
int check_podman_runtime(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_engine *podman = &host->engines[DOCTOR_PODMAN];
	const struct doctor_program *runtime = &podman->standard;

	if (!podman->standard_name)
		return finding_set(ret, DOCTOR_SKIP, NULL,
				   "containers.conf names no runtime: Podman uses crun or runc");
	if (runtime->path)
		return finding_set(ret, DOCTOR_OK, NULL, "%s (runtime in %s)", runtime->path,
				   podman->newest);
	(void)finding_set(
		ret, DOCTOR_FAIL, NULL,
		"the runtime in %s is %s, for which Podman finds no program: no container "
		"starts",
		podman->newest, podman->standard_name);
	return finding_remedy(ret, "install it, or correct runtime, or engine.runtimes, in %s",
			      podman->newest);
}

int check_podman_hook(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_hook *missing = find_dangling(host, DOCTOR_PODMAN);
	bool cdi = doctor_methods(host, DOCTOR_PODMAN) & DOCTOR_BY_CDI;
	int r;

	if (host->hooks.closed && host->system.uid)
		return closed(host, DOCTOR_FAIL, host->hooks.closed,
			      "no container starts, because Podman reads the hooks there", ret);
	/* Rootless Podman also reads the system's folders (tested with 4.3 and 5.8). */
	r = host->hooks.error.code ? engine_bad_file(&host->hooks.error, ret)
				   : hooks_d(host, DOCTOR_PODMAN, ret);
	if ((r || ret->result == DOCTOR_OK) && host->hooks.closed)
		return closed(host, DOCTOR_WARN, host->hooks.closed,
			      "no rootless container starts, because Podman reads the hooks there",
			      ret);
	if (r == 0 && ret->result == DOCTOR_OK && host->config_closed)
		return closed(host, host->system.uid ? DOCTOR_FAIL : DOCTOR_WARN,
			      host->config_closed,
			      "rootless containers that request GPUs don't start, because their "
			      "hook can't read " CONFIG_PATH
			      "; those that request them by a variable of policy.env-names may "
			      "start without them",
			      ret);
	if (r == 0)
		return 0;
	if (find_replaced(host, DOCTOR_PODMAN))
		return replaced(
			find_replaced(host, DOCTOR_PODMAN), cdi ? DOCTOR_WARN : DOCTOR_FAIL,
			cdi ? "; CDI devices work without it" : ", and no CDI devices exist", ret);
	if (missing)
		return dangling(
			missing, cdi ? DOCTOR_WARN : DOCTOR_FAIL,
			cdi ? "; CDI devices work without it" : ", and no CDI devices exist", ret);
	if (cdi)
		return no_hook(host, DOCTOR_OK, NULL, "but CDI devices exist", ret);
	if (host->engines[DOCTOR_PODMAN].spec_dirs.count || host->engines[DOCTOR_PODMAN].cdi_off)
		return no_specs(host, ret);
	return nothing(host, ret);
}
