// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <time.h>

#include "check_engines.h"

/* /proc gives start times in seconds. */
#define CLOCK_SLACK_S 1

/* The command that restarts the engine on this host. */
const char *engine_restart_of(const struct doctor_engine *engine)
{
	return engine->restart ? engine->restart : "restart it";
}

/* The file belongs to another program, so the remedy for davit's own files doesn't apply. */
int engine_bad_file(const struct error *err, struct finding *ret)
{
	return finding_set(ret, DOCTOR_FAIL,
			   err->fix[0] ? err->fix : "correct the file, or remove it", "cannot %s",
			   err->message);
}

/* ---- all engines ------------------------------------------------------------------------ */

int engine_found(const struct doctor_host *host, enum doctor_engine_kind kind, struct finding *ret)
{
	const struct doctor_engine *engine = &host->engines[kind];
	const char *name = doctor_engine_names[kind];

	if (engine->pid)
		return finding_set(ret, DOCTOR_OK, NULL, "%s, process %u",
				   engine->program ? engine->program : name, engine->pid);
	if (engine->program)
		return finding_set(ret, DOCTOR_OK, NULL, "%s%s", engine->program,
				   kind == DOCTOR_PODMAN ? "" : ", its daemon isn't running");
	if (host->required != (int)kind)
		return finding_set(ret, DOCTOR_SKIP, NULL, "not installed");
	(void)finding_set(ret, DOCTOR_FAIL, NULL,
			  "not installed: no program in %s, and no running daemon",
			  DOCTOR_USUAL_SEARCH);
	return finding_remedy(ret, "install %s", name);
}

int engine_config(const struct doctor_engine *engine, struct finding *ret)
{
	if (engine->file_error.code)
		return engine_bad_file(&engine->file_error, ret);
	if (engine->file_hidden)
		return finding_set(ret, DOCTOR_UNKNOWN, "run `davit doctor` as root",
				   "%s can't be read", engine->file);
	if (engine->unit_hidden) {
		(void)finding_set(
			ret, DOCTOR_UNKNOWN, NULL,
			"the daemon isn't running, and its unit starts it by a program of "
			"its own: the daemon may read another file than %s",
			engine->file);
		return finding_remedy(ret, "%s, then run davit doctor again",
				      engine_restart_of(engine));
	}
	/* Only a default file may be missing. */
	if (engine->named && !engine->file_exists) {
		(void)finding_set(ret, DOCTOR_FAIL, NULL,
				  "%s doesn't exist, but an option of the daemon names it, so the "
				  "daemon doesn't start",
				  engine->file);
		return finding_remedy(ret, "create it, or correct the option, then %s",
				      engine_restart_of(engine));
	}
	return finding_set(ret, DOCTOR_OK, NULL, "%s%s", engine->file,
			   engine->file_exists ? "" : " doesn't exist: defaults apply");
}

/* Sets the remedy: configure and restart the engine. */
int engine_remedy_configure(const struct doctor_engine *engine, const char *name,
			    const char *option, struct finding *ret)
{
	return finding_remedy(ret, "davit configure %s%s%s%s, then %s", name, option,
			      engine->named ? " --file " : "", engine->named ? engine->file : "",
			      engine_restart_of(engine));
}

/* The method that works without the runtime; NULL: none. */
static const char *other_method(const struct doctor_host *host, enum doctor_engine_kind kind)
{
	unsigned methods = doctor_methods(host, kind);

	if (methods & DOCTOR_BY_HOOK)
		return kind == DOCTOR_DOCKER ? "`docker run --gpus` works without it"
					     : "davit's hook in hooks.d works without it";
	return methods & DOCTOR_BY_CDI ? "CDI devices work without it" : NULL;
}

/* The default runtime has no program, so that no container starts. */
static bool standard_is_gone(const struct doctor_engine *engine)
{
	const struct doctor_program *standard = &engine->standard;

	return standard->name && !standard->path && (standard->name[0] == '/' || !engine->hidden);
}

static int standard_gone(const struct doctor_engine *engine, const char *name, struct finding *ret)
{
	(void)finding_set(ret, DOCTOR_FAIL, NULL,
			  "the default runtime %s is %s, but no such program exists: no container "
			  "starts",
			  engine->standard_name, engine->standard.name);
	if (string_equal(engine->standard_name, "nvidia"))
		return engine_remedy_configure(engine, name, "", ret);
	return finding_remedy(ret, "install it, or correct %s, then %s", engine->file,
			      engine_restart_of(engine));
}

/* 0 if it fills the finding, 1 if no runtime is registered, which each engine judges differently.
 */
int engine_runtime(const struct doctor_host *host, enum doctor_engine_kind kind,
		   struct finding *ret)
{
	const struct doctor_engine *engine = &host->engines[kind];
	const struct doctor_program *runtime = &engine->runtime;
	const char *other = other_method(host, kind), *name = doctor_engine_names[kind];

	if (engine->snap)
		return finding_set(ret, DOCTOR_SKIP, NULL, "an engine from a snap can't use it");
	if (engine->file_error.code)
		return finding_set(ret, DOCTOR_SKIP, NULL, "its configuration can't be read");
	if (standard_is_gone(engine))
		return standard_gone(engine, name, ret);
	if (engine->other_type) {
		(void)finding_set(ret, DOCTOR_WARN, NULL,
				  "the runtime nvidia has the runtime_type %s, so it isn't "
				  "davit-runtime",
				  engine->other_type);
		return finding_remedy(ret,
				      "rename or remove that runtime, then davit configure %s, "
				      "then %s",
				      name, engine_restart_of(engine));
	}
	if (!runtime->name && engine->file_hidden)
		return finding_set(ret, DOCTOR_UNKNOWN, "run `davit doctor` as root",
				   "%s can't be read", engine->file);
	if (!runtime->name && other)
		return finding_set(ret, DOCTOR_SKIP, NULL, "no runtime nvidia in %s: %s",
				   engine->file, other);
	if (!runtime->name)
		return 1;
	if (!runtime->path) {
		(void)finding_set(ret, other ? DOCTOR_WARN : DOCTOR_FAIL, NULL,
				  "the runtime nvidia is %s, but no such program exists%s%s",
				  runtime->name, other ? "; " : "", other ? other : "");
		return engine_remedy_configure(engine, name, "", ret);
	}
	if (!runtime->ours) {
		(void)finding_set(ret, DOCTOR_WARN, NULL,
				  "the runtime nvidia is %s, which isn't davit-runtime",
				  runtime->path);
		return engine_remedy_configure(engine, name, "", ret);
	}
	if (doctor_lacks_low_level(engine))
		return finding_set(
			ret, other ? DOCTOR_WARN : DOCTOR_FAIL, "see runtime.hooks",
			"nvidia is %s, but no container of it starts (runtime.hooks)%s%s",
			runtime->path, other ? "; " : "", other ? other : "");
	return finding_set(ret, DOCTOR_OK, NULL, "nvidia is %s", runtime->path);
}

static void format_time(int64_t seconds, char *text, size_t size)
{
	time_t when = (time_t)seconds;
	struct tm parts;

	if (!gmtime_r(&when, &parts) || strftime(text, size, "%F %T", &parts) == 0)
		text[0] = '\0';
}

/* The last change that only a start of the daemon makes effective. Returns its time, or 0. */
static int64_t last_change(const struct doctor_engine *engine, const char **ret_what)
{
	int64_t changed = engine->newest ? engine->changed : 0;

	*ret_what = engine->newest;
	/* A daemon searches the hook when it starts, but the runtime at each use. */
	if (engine->hook.path && engine->hook.changed > changed) {
		*ret_what = engine->hook.path;
		changed = engine->hook.changed;
	}
	return changed;
}

bool doctor_needs_restart(const struct doctor_engine *engine)
{
	const char *what;

	return engine->pid && engine->started &&
	       last_change(engine, &what) > engine->started + CLOCK_SLACK_S;
}

int engine_restart(const struct doctor_host *host, enum doctor_engine_kind kind,
		   struct finding *ret)
{
	const struct doctor_engine *engine = &host->engines[kind];
	char started[32], then[32];
	const char *what;

	if (!engine->pid)
		return finding_set(ret, DOCTOR_SKIP, NULL, "its daemon isn't running");
	if (!engine->started)
		return finding_set(ret, DOCTOR_UNKNOWN, "run `davit doctor` as root",
				   "the start time of process %u can't be read", engine->pid);
	format_time(engine->started, started, sizeof(started));
	if (!doctor_needs_restart(engine))
		return finding_set(ret, DOCTOR_OK, NULL, "started at %s UTC; nothing changed since",
				   started);
	format_time(last_change(engine, &what), then, sizeof(then));
	return finding_set(ret, DOCTOR_WARN, engine_restart_of(engine),
			   "the daemon (process %u) was started at %s UTC, but %s changed at %s: "
			   "unless it was reloaded since, it doesn't use the change",
			   engine->pid, started, what, then);
}

/*
 * Where an engine with CDI looks for specs. In rootlesskit's copies of /etc and /run, the default
 * directories are links, which engines don't follow.
 */
int engine_spec_dirs(const struct doctor_host *host, enum doctor_engine_kind kind,
		     struct finding *ret)
{
	const struct doctor_engine *engine = &host->engines[kind];
	const char *key = kind == DOCTOR_DOCKER ? "cdi-spec-dirs" : "cdi_spec_dirs";
	const struct strings *dirs = &engine->spec_dirs;
	const char *own = NULL;
	bool usual = dirs->count == 0;

	for (size_t i = 0; i < dirs->count; i++)
		if (string_equal(dirs->items[i], "/etc/cdi") ||
		    string_equal(dirs->items[i], "/var/run/cdi"))
			usual = true;
		else if (!own)
			own = dirs->items[i];
	if (engine->own_specs)
		return finding_set(ret, DOCTOR_OK, NULL, "%s contains specs (%s in %s)",
				   engine->own_specs, key, engine->file);
	if ((!engine->rootless || engine->resolves_links) && usual)
		return finding_set(ret, DOCTOR_OK, NULL, "not disabled in %s", engine->file);
	if (!own) {
		(void)finding_set(ret, DOCTOR_WARN, NULL,
				  "rootless %s finds no CDI specs in /etc/cdi and "
				  "/var/run/cdi, because it sees both as links",
				  kind == DOCTOR_DOCKER ? "Docker" : "containerd");
		return engine_remedy_configure(engine, doctor_engine_names[kind], " --cdi", ret);
	}
	(void)finding_set(ret, DOCTOR_WARN, NULL, "%s in %s: no spec exists in %s", key,
			  engine->file, own);
	return finding_remedy(ret, "davit cdi generate --output %s/nvidia.json", own);
}
