// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "davit/doctor.h"

/* What is said of one host, check by check. */
struct report {
	const struct doctor_host *host;
	size_t failed, warned, unknown, fine;
	struct finding first; /* what to do first; id NULL: nothing */
};

static void count(struct report *report, const struct finding *finding)
{
	bool worse = finding->result == DOCTOR_FAIL && report->first.result != DOCTOR_FAIL;

	switch (finding->result) {
	case DOCTOR_FAIL:
		report->failed++;
		break;
	case DOCTOR_WARN:
		report->warned++;
		break;
	case DOCTOR_UNKNOWN:
		report->unknown++;
		break;
	case DOCTOR_OK:
		report->fine++;
		break;
	case DOCTOR_SKIP:
		break;
	}
	if (finding->remedy[0] && (worse || !report->first.id))
		report->first = *finding;
}

/* ---- as text ---------------------------------------------------------------------------- */

static const struct {
	const char *mark, *colour;
} looks[] = {
	[DOCTOR_OK] = {"ok  ", "\033[32m"},
          [DOCTOR_WARN] = {"warn", "\033[33m"},
	[DOCTOR_FAIL] = {"FAIL", "\033[31m"},
          [DOCTOR_UNKNOWN] = {"?   ", "\033[36m"},
	[DOCTOR_SKIP] = {"-   ", "\033[90m"},
};

static void print_finding(const struct finding *finding, bool colour)
{
	(void)printf("%s%s%s  %-18s  %s\n", colour ? looks[finding->result].colour : "",
		     looks[finding->result].mark, colour ? "\033[0m" : "", finding->id,
		     finding->evidence);
	if (finding->remedy[0])
		(void)printf("      fix: %s\n", finding->remedy);
}

static void print_end(const struct report *report)
{
	(void)printf("%zu failed, %zu warned, %zu ok", report->failed, report->warned,
		     report->fine);
	if (report->unknown)
		(void)printf(", %zu not seen", report->unknown);
	if (report->first.id)
		(void)printf("; first: %s (%s)", report->first.remedy, report->first.id);
	(void)putchar('\n');
}

static int print_text(struct report *report)
{
	bool colour = isatty(STDOUT_FILENO) == 1;

	for (size_t i = 0; i < doctor_check_count; i++) {
		struct finding finding;

		if (!doctor_check_applies(&doctor_checks[i], report->host))
			continue;
		doctor_decide(&doctor_checks[i], report->host, &finding);
		count(report, &finding);
		print_finding(&finding, colour);
	}
	print_end(report);
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

static int print_json(struct report *report)
{
	struct json_object *object = json_object_new_object();
	struct json_object *checks = json_object_new_array();

	for (size_t i = 0; i < doctor_check_count; i++) {
		struct finding finding;

		if (!doctor_check_applies(&doctor_checks[i], report->host))
			continue;
		doctor_decide(&doctor_checks[i], report->host, &finding);
		count(report, &finding);
		(void)json_object_array_add(checks, json_finding(&finding));
	}
	json_object_object_add(object, "version", json_object_new_int(1));
	json_object_object_add(object, "checks", checks);
	json_object_object_add(object, "failed", json_object_new_int64((int64_t)report->failed));
	json_object_object_add(object, "warned", json_object_new_int64((int64_t)report->warned));
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
		.engine = engine_of(arguments_value(arguments, "engine")),
	};
	struct doctor_host host = {0};
	struct report report = {.host = &host};
	struct error err = {0};
	int code;

	if (take_path(arguments, "bundle", &options.bundle) < 0 ||
	    take_path(arguments, "root", &options.root) < 0) {
		(void)error_memory(&err);
		return cli_fail(&err);
	}
	if (doctor_gather(&options, arguments->arena, &host, &err) < 0) {
		doctor_close(&host);
		return cli_fail(&err);
	}
	code = arguments->json ? print_json(&report) : print_text(&report);
	doctor_close(&host);
	return code != 0 || report.failed > 0;
}

static const struct command_option options[] = {
	{"bundle", OPTION_VALUE, "DIR",
	 "check what the container of this OCI bundle would get, too"                                      },
	{"engine", OPTION_VALUE, "docker|containerd|crio|podman",
	 "this engine has to be there, and no other counts"                                                },
	{"root",   OPTION_VALUE, "DIR",                           "examine the host that is mounted at DIR"},
	{NULL,     0,            NULL,			    NULL				     },
};

const struct command command_doctor = {
	.name = "doctor",
	.summary = "what is wrong with this host, and what to do about it",
	.help = "Looks at the driver, its nodes, cgroups, engines and their configuration, CDI specs and\n"
		"what else GPUs in containers depend on, changes nothing and opens no GPU. A line for each\n"
		"check, with what was seen and, when something is wrong, what to do. As an ordinary user it\n"
		"sees less, and says what. Exit code 1: a check failed; 0: there are warnings at most.\n"
		"\n"
		"With --root the configuration is that of DIR, and its places are below it, but with\n"
		"--config they are where that file says.\n",
	.example = "davit doctor --engine docker",
	.options = options,
	.json = true,
	.run = run,
};
