// SPDX-License-Identifier: Apache-2.0
/* Checks of containerd. */
#include <string.h>

#include "check_engines.h"

int check_engine_containerd(const struct doctor_host *host, struct finding *ret)
{
	return engine_found(host, DOCTOR_CONTAINERD, ret);
}

static int missing_default(const struct doctor_engine *engine, struct finding *ret)
{
	const char *file = engine->newest ? engine->newest : engine->file;

	if (!string_equal(engine->missing_default, "runc")) {
		(void)finding_set(ret, DOCTOR_FAIL, NULL,
				  "default_runtime_name in %s and its imports is %s, but no such "
				  "runtime is configured: the CRI plugin doesn't load",
				  engine->file, engine->missing_default);
		return finding_remedy(ret,
				      "correct it, or add containerd.runtimes.%s to %s, then %s",
				      engine->missing_default, file, engine_restart_of(engine));
	}
	(void)finding_set(ret, engine->default_for_sure ? DOCTOR_FAIL : DOCTOR_WARN, NULL,
			  "%s and its imports configure runtimes, but not the default "
			  "runtime runc: %sthe CRI plugin then doesn't load",
			  engine->file, engine->major >= 2 ? "" : "before containerd 2.0, ");
	return finding_remedy(ret, "add containerd.runtimes.runc to %s, then %s", file,
			      engine_restart_of(engine));
}

int check_containerd_config(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_engine *engine = &host->engines[DOCTOR_CONTAINERD];

	if (engine->missing_spec && !engine->cri_disabled) {
		(void)finding_set(ret, DOCTOR_FAIL, NULL,
				  "base_runtime_spec of a runtime in %s and its imports is %s, "
				  "which doesn't exist: the CRI plugin doesn't load",
				  engine->file, engine->missing_spec);
		return finding_remedy(ret,
				      "create it (`ctr oci spec`), or remove that line, then %s",
				      engine_restart_of(engine));
	}
	if (engine->systemd_refused && !engine->cri_disabled) {
		(void)finding_set(ret, engine->missing_for_sure ? DOCTOR_FAIL : DOCTOR_WARN, NULL,
				  "systemd_cgroup is set in %s and its imports: containerd 1.x "
				  "accepts it only for its runtime v1, and otherwise doesn't load "
				  "the CRI plugin",
				  engine->file);
		return finding_remedy(ret,
				      "set SystemdCgroup in the runtimes' options instead, then %s",
				      engine_restart_of(engine));
	}
	if (engine->mirrors_refused && !engine->cri_disabled) {
		(void)finding_set(
			ret, DOCTOR_FAIL, NULL,
			"registry.config_path and registry.mirrors are both set in %s and "
			"its imports: the CRI plugin doesn't load",
			engine->file);
		return finding_remedy(
			ret,
			"move the mirrors to hosts.toml files in config_path, or remove "
			"config_path, then %s",
			engine_restart_of(engine));
	}
	if (engine->cri_fault && !engine->cri_disabled) {
		(void)finding_set(ret, DOCTOR_FAIL, NULL, "%s", engine->cri_fault);
		return finding_remedy(ret, "%s, then %s", engine->cri_remedy,
				      engine_restart_of(engine));
	}
	if (!engine->missing_default && engine->unread) {
		(void)finding_set(ret, DOCTOR_WARN, NULL,
				  "containerd doesn't read %s: %s and its imports don't import it",
				  engine->unread, engine->file);
		return engine_remedy_configure(engine, "containerd", "", ret);
	}
	if (engine->stale && (!engine->missing_default || engine->cri_disabled)) {
		(void)finding_set(ret, DOCTOR_WARN, NULL,
				  "%s in %s has changed since davit wrote %s, which repeats it "
				  "as it was: the change has no effect",
				  engine->stale, engine->stale_file, engine->stale_by);
		return engine_remedy_configure(engine, "containerd", "", ret);
	}
	if (!engine->missing_default || engine->cri_disabled)
		return engine_config(engine, ret);
	return missing_default(engine, ret);
}

/* containerd starts no container of this runtime. */
static bool lacks_shim(const struct doctor_engine *engine, const struct doctor_program *shim)
{
	return engine->with_shims && !shim->path;
}

static int no_shim(const struct doctor_engine *engine, const struct doctor_program *shim,
		   const char *runtime, enum doctor_result result, const char *besides,
		   struct finding *ret)
{
	if (!shim->name) {
		(void)finding_set(ret, result, NULL,
				  "the runtime %s has no runtime_type: no container of it starts%s",
				  runtime, besides);
		return finding_remedy(ret,
				      "set its runtime_type to \"io.containerd.runc.v2\", then %s",
				      engine_restart_of(engine));
	}
	(void)finding_set(
		ret, result, NULL,
		"the runtime_type of the runtime %s needs %s, but no such program exists: "
		"no container of it starts%s",
		runtime, shim->name, besides);
	return finding_remedy(ret, "install it, or correct runtime_type, then %s",
			      engine_restart_of(engine));
}

/* 0 if a runtime can't start a container, and the finding is filled; 1 otherwise. */
static int shims(const struct doctor_host *host, const struct doctor_engine *engine,
		 struct finding *ret)
{
	bool cdi = doctor_methods(host, DOCTOR_CONTAINERD) & DOCTOR_BY_CDI;

	if (lacks_shim(engine, &engine->standard_shim) && engine->standard_name)
		return no_shim(engine, &engine->standard_shim, engine->standard_name, DOCTOR_FAIL,
			       "", ret);
	if (lacks_shim(engine, &engine->shim) && engine->runtime.name)
		return no_shim(engine, &engine->shim, "nvidia", cdi ? DOCTOR_WARN : DOCTOR_FAIL,
			       cdi ? "; CDI devices work without it" : "", ret);
	return 1;
}

int check_containerd_runtime(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_engine *engine = &host->engines[DOCTOR_CONTAINERD];

	if (engine->cri_disabled && host->system.kubelet) {
		(void)finding_set(
			ret, DOCTOR_FAIL, NULL,
			"disabled_plugins in %s contains the CRI plugin, which the kubelet needs",
			engine->file);
		return finding_remedy(ret,
				      "remove it from disabled_plugins, then davit configure "
				      "containerd%s%s",
				      engine->named ? " --file " : "",
				      engine->named ? engine->file : "");
	}
	if (engine->cri_disabled)
		return finding_set(ret, DOCTOR_SKIP, NULL,
				   "the CRI plugin, which would use the runtime, is disabled");
	if (doctor_cri_is_faulty(engine))
		return finding_set(ret, DOCTOR_SKIP, NULL,
				   "the CRI plugin, which would use the runtime, doesn't load "
				   "(containerd.config)");
	if (!engine->file_error.code && shims(host, engine, ret) == 0)
		return 0;
	if (engine_runtime(host, DOCTOR_CONTAINERD, ret) == 0)
		return 0;
	/* Docker starts its containers with containerd, but needs no runtime configured there. */
	if (host->required != DOCTOR_CONTAINERD && host->engines[DOCTOR_DOCKER].program)
		return finding_set(
			ret, DOCTOR_SKIP, NULL,
			"no runtime nvidia; Docker, which uses this containerd, doesn't need it");
	(void)finding_set(ret, DOCTOR_WARN, NULL,
			  "%s and its imports have no runtime nvidia: pods with the "
			  "RuntimeClass nvidia can't start",
			  engine->file);
	return engine_remedy_configure(engine, "containerd", "", ret);
}

/* The requirements of CDI devices in a pod besides the specs. */
int check_containerd_cdi(const struct doctor_host *host, struct finding *ret)
{
	const struct doctor_engine *engine = &host->engines[DOCTOR_CONTAINERD];

	if (engine->file_error.code || engine->file_hidden)
		return finding_set(ret, DOCTOR_SKIP, NULL, "its configuration can't be read");
	if (engine->cri_disabled)
		return finding_set(ret, DOCTOR_SKIP, NULL, "the CRI plugin is disabled");
	if (doctor_cri_is_faulty(engine))
		return finding_set(ret, DOCTOR_SKIP, NULL,
				   "the CRI plugin doesn't load (containerd.config)");
	if (engine->cdi_nowhere) {
		(void)finding_set(ret, DOCTOR_WARN, NULL,
				  "cdi_spec_dirs in %s and its imports names no directory: "
				  "containerd finds no CDI device",
				  engine->file);
		return finding_remedy(ret,
				      "remove it, or set it to [\"/etc/cdi\", \"/var/run/cdi\"], "
				      "then %s",
				      engine_restart_of(engine));
	}
	if (engine->cdi_off)
		return finding_set(
			ret, DOCTOR_SKIP, NULL,
			"CDI isn't enabled; `davit configure containerd --cdi%s%s` enables it "
			"(from containerd 1.7)",
			engine->named ? " --file " : "", engine->named ? engine->file : "");
	return engine_spec_dirs(host, DOCTOR_CONTAINERD, ret);
}

int check_containerd_restart(const struct doctor_host *host, struct finding *ret)
{
	return engine_restart(host, DOCTOR_CONTAINERD, ret);
}
