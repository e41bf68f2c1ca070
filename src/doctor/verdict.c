// SPDX-License-Identifier: Apache-2.0
/* The verdict: all findings in one sentence. */
#include <stdio.h>
#include <string.h>

#include "doctor.h"

static const char *const titles[DOCTOR_ENGINES] = {"Docker", "containerd", "CRI-O", "Podman"};

/* ---- which engines can use the GPUs ------------------------------------------------------ */

static bool is_installed(const struct doctor_host *host, enum doctor_engine_kind kind)
{
	const struct doctor_engine *engine = &host->engines[kind];

	return (engine->program || engine->pid) &&
	       (host->required < 0 || host->required == (int)kind);
}

static bool has_hook(const struct doctor_host *host, enum doctor_engine_kind kind)
{
	if (kind == DOCTOR_DOCKER)
		return host->engines[kind].hook.path;
	for (size_t i = 0; kind != DOCTOR_CONTAINERD && i < host->hooks.count; i++)
		if (host->hooks.items[i].readers & 1U << kind &&
		    host->hooks.items[i].program.ours && host->hooks.items[i].program.path &&
		    !host->hooks.items[i].never)
			return true;
	return false;
}

bool doctor_cri_is_faulty(const struct doctor_engine *engine)
{
	if (engine->cri_disabled)
		return false;
	return engine->missing_spec || engine->mirrors_refused || engine->cri_fault ||
	       (engine->systemd_refused && engine->missing_for_sure) ||
	       (engine->missing_default && engine->default_for_sure);
}

static bool has_cdi(const struct doctor_host *host, enum doctor_engine_kind kind)
{
	const struct doctor_engine *engine = &host->engines[kind];
	const struct strings *folders = &engine->spec_dirs;

	if (engine->cdi_off || engine->cri_disabled || doctor_cri_is_faulty(engine))
		return false;
	if (engine->own_specs)
		return true;
	/* rootlesskit shows the default directories as links, which most engines don't resolve. */
	if ((engine->rootless && !engine->resolves_links) || host->cdi.devices.count == 0)
		return false;
	/* host->cdi has the devices of the default directories. */
	for (size_t i = 0; i < host->cdi.devices.count; i++) {
		/* As doctor_gather has them scanned. */
		const char *folder =
			host->cdi.devices.items[i].directory == 0 ? "/etc/cdi" : "/var/run/cdi";

		if (folders->count ? strings_contain(folders, folder)
				   : !engine->etc_only || string_equal(folder, "/etc/cdi"))
			return true;
	}
	return false;
}

/* NVIDIA's runtime and others' scripts also give GPUs, but low-level runtimes don't. */
static bool gives_gpus(const struct doctor_program *runtime)
{
	static const char *const plain[] = {"runc", "crun", "youki", "runsc", "kata-runtime"};
	const char *slash = runtime->path ? strrchr(runtime->path, '/') : NULL;
	const char *name = slash ? slash + 1 : "";

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (string_equal(name, plain[i]))
			return false;
	return runtime->path && !string_starts(name, "containerd-shim-");
}

unsigned doctor_methods(const struct doctor_host *host, enum doctor_engine_kind kind)
{
	const struct doctor_engine *engine = &host->engines[kind];
	unsigned methods = 0;

	if (!is_installed(host, kind) || engine->snap)
		return 0;
	if (has_hook(host, kind))
		methods |= DOCTOR_BY_HOOK;
	if (gives_gpus(&engine->runtime) && !engine->cri_disabled &&
	    !doctor_cri_is_faulty(engine) && !doctor_lacks_low_level(engine) &&
	    (!engine->with_shims || engine->shim.path))
		methods |= DOCTOR_BY_RUNTIME;
	if (has_cdi(host, kind))
		methods |= DOCTOR_BY_CDI;
	return methods;
}

/* ---- the sentence ------------------------------------------------------------------------ */

static unsigned scope_of(const char *id)
{
	for (size_t i = 0; i < doctor_check_count; i++)
		if (string_equal(doctor_checks[i].id, id))
			return doctor_checks[i].scope;
	return DOCTOR_HOST;
}

/* "A", "A and B", "A, B and C". */
static void join(const char *const *names, size_t count, char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < count && used < size; i++) {
		const char *between = i == 0 ? "" : i + 1 == count ? " and " : ", ";

		used += (size_t)snprintf(ret + used, size - used, "%s%s", between, names[i]);
	}
}

/* The method that works if --gpus doesn't; NULL: nothing to say. */
static const char *method_of(const struct doctor_host *host, enum doctor_engine_kind kind)
{
	unsigned methods = doctor_methods(host, kind);

	/* An ordinary user can't see whether the daemon finds the hook. */
	if (kind != DOCTOR_DOCKER || methods & DOCTOR_BY_HOOK || host->engines[kind].hidden)
		return NULL;
	return methods & DOCTOR_BY_RUNTIME ? "--runtime nvidia" : "CDI devices";
}

/* "Docker", "Docker (after a restart)", "Docker (CDI devices, after a restart)". */
static void title(const struct doctor_host *host, enum doctor_engine_kind kind, char *ret,
		  size_t size)
{
	const char *method = method_of(host, kind);
	const char *restart = doctor_needs_restart(&host->engines[kind]) ? "after a restart" : NULL;

	if (!method && !restart)
		(void)snprintf(ret, size, "%s", titles[kind]);
	else
		(void)snprintf(ret, size, "%s (%s%s%s)", titles[kind], method ? method : "",
			       method && restart ? ", " : "", restart ? restart : "");
}

/* Lists the engines that can use the GPUs; "" if none can. */
static void list_usable(const struct doctor_host *host, const bool stopped[static DOCTOR_SCOPES],
			char *ret, size_t size)
{
	char named[DOCTOR_ENGINES][64];
	const char *names[DOCTOR_ENGINES];
	size_t usable = 0;

	for (size_t i = 0; i < DOCTOR_ENGINES; i++)
		if (!stopped[i] && doctor_methods(host, (enum doctor_engine_kind)i)) {
			title(host, (enum doctor_engine_kind)i, named[i], sizeof(named[i]));
			names[usable++] = named[i];
		}
	join(names, usable, ret, size);
}

static void say_stopped(const struct doctor_host *host, const bool stopped[static DOCTOR_SCOPES],
			size_t failed, char ret[static DOCTOR_VERDICT_MAX])
{
	const char *names[DOCTOR_SCOPES];
	char list[200];
	size_t listed = 0;

	for (size_t i = 0; i < DOCTOR_ENGINES; i++)
		if (stopped[i] && !stopped[DOCTOR_HOST])
			names[listed++] = titles[i];
	if (stopped[DOCTOR_CDI] && !stopped[DOCTOR_HOST])
		names[listed++] = "CDI devices";
	if (stopped[DOCTOR_BUNDLE] && !stopped[DOCTOR_HOST])
		names[listed++] = "this container";
	if (stopped[DOCTOR_HOST])
		names[listed++] = "GPU containers";
	join(names, listed, list, sizeof(list));
	(void)snprintf(ret, DOCTOR_VERDICT_MAX, "%zu problem%s %s", failed,
		       failed == 1 ? " stops" : "s stop", list);
	list_usable(host, stopped, list, sizeof(list));
	if (list[0] && !stopped[DOCTOR_HOST] && !stopped[DOCTOR_BUNDLE]) {
		size_t used = strlen(ret);

		(void)snprintf(ret + used, DOCTOR_VERDICT_MAX - used, "; %s can use the GPUs",
			       list);
	}
}

static bool has_gpus(const struct doctor_host *host)
{
	const struct driver *driver = &host->driver.driver;

	return driver->version || driver->gpus.count || driver->platform != PLATFORM_NATIVE ||
	       doctor_has_other_gpus(host);
}

static void say_usable(const struct doctor_host *host, const bool stopped[static DOCTOR_SCOPES],
		       char *ret, size_t size)
{
	bool installed = false;
	char list[200];

	for (size_t i = 0; i < DOCTOR_ENGINES; i++)
		installed |= is_installed(host, (enum doctor_engine_kind)i);
	list_usable(host, stopped, list, sizeof(list));
	if (!has_gpus(host))
		(void)snprintf(ret, size, "no GPU was found");
	else if (list[0])
		(void)snprintf(ret, size, "%s can use the GPUs", list);
	else if (installed)
		(void)snprintf(ret, size, "no container engine is set up to use the GPUs");
	else
		(void)snprintf(ret, size, "the GPUs are ready, but no container engine was found");
}

void doctor_verdict(const struct doctor_host *host, const struct finding *findings, size_t count,
		    char ret[static DOCTOR_VERDICT_MAX])
{
	size_t by_result[DOCTOR_SKIP + 1] = {0}, used;
	bool stopped[DOCTOR_SCOPES] = {false};

	for (size_t i = 0; i < count; i++) {
		by_result[findings[i].result]++;
		if (findings[i].result == DOCTOR_FAIL)
			stopped[scope_of(findings[i].id)] = true;
	}
	if (by_result[DOCTOR_FAIL])
		say_stopped(host, stopped, by_result[DOCTOR_FAIL], ret);
	else
		say_usable(host, stopped, ret, DOCTOR_VERDICT_MAX);
	used = strlen(ret);
	if (by_result[DOCTOR_WARN])
		used += (size_t)snprintf(ret + used, DOCTOR_VERDICT_MAX - used,
					 ", with %zu warning%s", by_result[DOCTOR_WARN],
					 by_result[DOCTOR_WARN] == 1 ? "" : "s");
	if (by_result[DOCTOR_UNKNOWN])
		(void)snprintf(ret + used, DOCTOR_VERDICT_MAX - used, "; %zu check%s more rights",
			       by_result[DOCTOR_UNKNOWN],
			       by_result[DOCTOR_UNKNOWN] == 1 ? " needs" : "s need");
}
