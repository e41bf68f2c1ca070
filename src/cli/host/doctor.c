// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "davit/doctor.h"

/* All findings on one host. */
struct report {
	const struct doctor_host *host;
	struct finding *findings;
	size_t count;
	size_t by_result[DOCTOR_SKIP + 1]; /* how many of each */
	char verdict[DOCTOR_VERDICT_MAX];
};

static int make_report(const struct doctor_host *host, struct arena *arena, struct report *ret)
{
	*ret = (struct report){.host = host};
	ret->findings = arena_alloc(arena, doctor_check_count * sizeof(*ret->findings));
	if (!ret->findings)
		return -ENOMEM;
	for (size_t i = 0; i < doctor_check_count; i++) {
		if (!doctor_check_applies(&doctor_checks[i], host))
			continue;
		doctor_decide(&doctor_checks[i], host, &ret->findings[ret->count]);
		ret->by_result[ret->findings[ret->count].result]++;
		ret->count++;
	}
	doctor_verdict(host, ret->findings, ret->count, ret->verdict);
	return 0;
}

/* ---- as text ---------------------------------------------------------------------------- */

static const struct {
	const char *mark, *colour;
} result_style[] = {
	[DOCTOR_OK] = {"ok  ", "\033[32m"},   [DOCTOR_WARN] = {"warn", "\033[33m"},
	[DOCTOR_FAIL] = {"FAIL", "\033[31m"}, [DOCTOR_UNKNOWN] = {"?   ", "\033[36m"},
	[DOCTOR_SKIP] = {"-   ", "\033[90m"},
};

static bool is_problem(const struct finding *finding)
{
	return finding->result != DOCTOR_OK && finding->result != DOCTOR_SKIP;
}

static int id_width(const struct report *report, bool all)
{
	size_t width = 0;

	for (size_t i = 0; i < report->count; i++)
		if ((all || is_problem(&report->findings[i])) &&
		    strlen(report->findings[i].id) > width)
			width = strlen(report->findings[i].id);
	return (int)width;
}

static void print_finding(const struct finding *finding, int width, bool colour)
{
	(void)printf("%s%s%s  %-*s  %s\n", colour ? result_style[finding->result].colour : "",
		     result_style[finding->result].mark, colour ? "\033[0m" : "", width,
		     finding->id, finding->evidence);
	if (finding->remedy[0])
		(void)printf("      fix: %s\n", finding->remedy);
}

static int print_text(const struct report *report, bool all)
{
	bool colour = isatty(STDOUT_FILENO) == 1;
	int width = id_width(report, all);

	(void)printf("%s\n", report->verdict);
	for (size_t i = 0; i < report->count; i++)
		if (all || is_problem(&report->findings[i]))
			print_finding(&report->findings[i], width, colour);
	(void)printf("%zu failed, %zu warned, ", report->by_result[DOCTOR_FAIL],
		     report->by_result[DOCTOR_WARN]);
	if (report->by_result[DOCTOR_UNKNOWN])
		(void)printf("%zu unknown, ", report->by_result[DOCTOR_UNKNOWN]);
	(void)printf("%zu ok, %zu skipped%s\n", report->by_result[DOCTOR_OK],
		     report->by_result[DOCTOR_SKIP], all ? "" : " (--all shows every check)");
	return fflush(stdout) != 0;
}

/* ---- as JSON ---------------------------------------------------------------------------- */

static struct json_object *json_finding(const struct finding *finding)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "id", json_object_new_string(finding->id));
	json_object_object_add(object, "result",
			       json_object_new_string(doctor_result_name(finding->result)));
	json_object_object_add(object, "evidence", json_object_new_string(finding->evidence));
	json_object_object_add(object, "remedy", json_object_new_string(finding->remedy));
	return object;
}

/* {"docker": ["hook", "cdi"], ...}: how each engine can use the GPUs. */
static struct json_object *json_engines(const struct doctor_host *host)
{
	static const char *const names[] = {"hook", "runtime", "cdi"};
	struct json_object *object = json_object_new_object();

	for (size_t i = 0; i < DOCTOR_ENGINES; i++) {
		unsigned methods = doctor_methods(host, (enum doctor_engine_kind)i);
		struct json_object *list = json_object_new_array();

		for (size_t j = 0; j < ARRAY_SIZE(names); j++)
			if (methods & (1U << j))
				(void)json_object_array_add(list, json_object_new_string(names[j]));
		if (host->engines[i].program || host->engines[i].pid)
			json_object_object_add(object, doctor_engine_names[i], list);
		else
			(void)json_object_put(list);
	}
	return object;
}

static int print_json(const struct report *report)
{
	struct json_object *object = json_object_new_object();
	struct json_object *checks = json_object_new_array();

	for (size_t i = 0; i < report->count; i++)
		(void)json_object_array_add(checks, json_finding(&report->findings[i]));
	json_object_object_add(object, "version", json_object_new_int(1));
	json_object_object_add(object, "verdict", json_object_new_string(report->verdict));
	json_object_object_add(object, "engines", json_engines(report->host));
	json_object_object_add(object, "checks", checks);
	json_object_object_add(object, "failed",
			       json_object_new_int64((int64_t)report->by_result[DOCTOR_FAIL]));
	json_object_object_add(object, "warned",
			       json_object_new_int64((int64_t)report->by_result[DOCTOR_WARN]));
	return cli_print_json(object);
}

/* ---- the command ------------------------------------------------------------------------ */

static int engine_of(const char *name)
{
	for (int i = 0; name && i < DOCTOR_ENGINES; i++)
		if (strcmp(doctor_engine_names[i], name) == 0)
			return i;
	return -1;
}

static int take_path(const struct arguments *arguments, const char *option, const char **ret)
{
	const char *path = arguments_value(arguments, option);

	*ret = path ? cli_absolute(path, arguments->arena) : NULL;
	return path && !*ret ? -ENOMEM : 0;
}

static int run(const struct arguments *arguments)
{
	struct doctor_options options = {
		.config = arguments->config,
		.for_runtime = arguments_flag(arguments, "runtime"),
		.engine = engine_of(arguments_value(arguments, "engine")),
	};
	struct doctor_host host = {0};
	struct report report;
	struct error err = {0};
	int code;

	if (options.for_runtime && !arguments_value(arguments, "bundle"))
		return usage_error(arguments, "--runtime needs --bundle DIR");
	if (take_path(arguments, "bundle", &options.bundle) < 0 ||
	    take_path(arguments, "root", &options.root) < 0) {
		(void)error_memory(&err);
		return cli_fail(&err);
	}
	if (doctor_gather(&options, arguments->arena, &host, &err) < 0) {
		doctor_close(&host);
		return cli_fail(&err);
	}
	if (make_report(&host, arguments->arena, &report) < 0) {
		doctor_close(&host);
		(void)error_memory(&err);
		return cli_fail(&err);
	}
	code = arguments->json ? print_json(&report)
			       : print_text(&report, arguments_flag(arguments, "all"));
	doctor_close(&host);
	return code != 0 || report.by_result[DOCTOR_FAIL] > 0;
}

static const struct command_option options[] = {
	{"all", OPTION_FLAG, NULL, "show every check, not only problems"},
	{"bundle", OPTION_VALUE, "DIR",
	 "also check what the container of this OCI bundle would get"},
	{"engine", OPTION_VALUE, "docker|containerd|crio|podman",
	 "check only this engine; fail if it is missing"},
	{"root", OPTION_VALUE, "DIR", "examine the host that is mounted at DIR"},
	{"runtime", OPTION_FLAG, NULL, "with --bundle: as davit-runtime decides, not the hook"},
	{NULL, 0, NULL, NULL},
};

const struct command command_doctor = {
	.name = "doctor",
	.summary = "find out what keeps containers from using the GPUs, and how to fix it",
	.help = "Checks the driver, its device nodes, cgroups, the engines and their configuration, and\n"
		"CDI specs. It changes nothing and opens no GPU. The first line is the verdict. Each\n"
		"problem follows with what was found and how to fix it. An ordinary user can check less\n"
		"than root can. Such checks are marked \"?\".\n"
		"\n"
		"With --root, davit reads the configuration of the host at DIR and looks for the driver\n"
		"below DIR. If --config is also given, its paths are used unchanged.\n"
		"\n"
		"Exit code: 0 if no check fails, even with warnings; 1 if a check fails; 2 for a usage\n"
		"error.\n",
	.example = "davit doctor --engine docker",
	.options = options,
	.json = true,
	.run = run,
};
