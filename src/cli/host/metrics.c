// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "davit/doctor.h"
#include "davit/sys.h"

#define LINE_MAX_LENGTH 2048 /* more than log_line writes */
#define DATE_LENGTH 24       /* "2026-01-31T23:59:59.999Z" */

/* Upper bounds of the histogram, in milliseconds. Longer times count only as +Inf. */
static const double bounds[] = {1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 30000};

/* What a log says. */
struct metrics {
	uint64_t containers, warnings, unknown_lines;
	uint64_t failures[ERROR_SYSTEM + 1], other_failures;
	uint64_t at_most[ARRAY_SIZE(bounds)]; /* containers, each counted in every bucket */
	double milliseconds;                  /* the sum for all containers */
};

/* ---- the log ---------------------------------------------------------------------------- */

static void count_container(struct metrics *metrics, double milliseconds)
{
	metrics->containers++;
	metrics->milliseconds += milliseconds;
	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++)
		metrics->at_most[i] += milliseconds <= bounds[i];
}

/* "unknown-device: davit: cannot ..."; a line without a code counts as "other". */
static void count_failure(struct metrics *metrics, const char *text)
{
	struct slice rest = slice_from(text), code;

	if (slice_next(&rest, ':', &code))
		for (int i = ERROR_NONE + 1; i <= ERROR_SYSTEM; i++)
			if (slice_equal(code, error_code_name((enum error_code)i))) {
				metrics->failures[i]++;
				return;
			}
	metrics->other_failures++;
}

/* Of " davit[PID]: MILLISECONDS ms LEVEL: TEXT", as log_line writes it, TEXT; NULL: another line.
 */
static const char *read_head(const char *line, double *ret_milliseconds, struct slice *ret_level)
{
	const char *at = strchr(line, ']'), *colon;
	char *end;

	if (strncmp(line, " davit[", 7) != 0 || !at || at[1] != ':')
		return NULL;
	at += 2;
	*ret_milliseconds = strtod(at, &end);
	if (end == at || strncmp(end, " ms ", 4) != 0)
		return NULL;
	at = end + 4;
	colon = strstr(at, ": ");
	if (!colon || !(*ret_milliseconds >= 0 && *ret_milliseconds < 1e9))
		return NULL;
	*ret_level = (struct slice){at, (size_t)(colon - at)};
	return colon + 2;
}

static void count_line(struct metrics *metrics, const char *line)
{
	double milliseconds;
	struct slice level;
	const char *text = NULL;

	if (strnlen(line, DATE_LENGTH) == DATE_LENGTH)
		text = read_head(line + DATE_LENGTH, &milliseconds, &level);
	if (!text)
		metrics->unknown_lines++;
	else if (slice_equal(level, "error"))
		count_failure(metrics, text);
	else if (slice_equal(level, "warning"))
		metrics->warnings++;
	else if (slice_equal(level, "info") && strncmp(text, "container ", 10) == 0)
		count_container(metrics, milliseconds);
}

/* A log that doesn't exist yet has no lines. */
static int read_log(const char *path, struct metrics *ret, struct error *err)
{
	char line[LINE_MAX_LENGTH];
	bool begins = true;
	struct stat st;
	FILE *file;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*ret = (struct metrics){0};
	if (fd < 0)
		return errno == ENOENT ? 0 : error_errno(err, errno, "read the log %s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return error_set(err, ERROR_SYSTEM, EINVAL, "name the file that log.file names",
				 "read the log %s: not a regular file", path);
	}
	file = fdopen(fd, "r");
	if (!file) {
		(void)close(fd);
		return error_memory(err);
	}
	/* If a line is longer than davit's lines can be, only its first part counts. */
	while (fgets(line, sizeof(line), file)) {
		if (begins)
			count_line(ret, line);
		begins = strchr(line, '\n') != NULL;
	}
	(void)fclose(file);
	return 0;
}

/* ---- the text --------------------------------------------------------------------------- */

static void print_head(FILE *out, const char *name, const char *type, const char *help)
{
	(void)fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void print_failures(FILE *out, const struct metrics *metrics)
{
	print_head(out, "davit_failures_total", "counter",
		   "Containers that davit refused or failed, by error code.");
	for (int i = ERROR_NONE + 1; i <= ERROR_SYSTEM; i++)
		(void)fprintf(out, "davit_failures_total{code=\"%s\"} %" PRIu64 "\n",
			      error_code_name((enum error_code)i), metrics->failures[i]);
	(void)fprintf(out, "davit_failures_total{code=\"other\"} %" PRIu64 "\n",
		      metrics->other_failures);
}

/* Prometheus counts time in seconds. */
static void print_times(FILE *out, const struct metrics *metrics)
{
	print_head(out, "davit_container_seconds", "histogram",
		   "Time that davit took for a container with GPUs.");
	for (size_t i = 0; i < ARRAY_SIZE(bounds); i++)
		(void)fprintf(out, "davit_container_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
			      bounds[i] / 1e3, metrics->at_most[i]);
	(void)fprintf(out,
		      "davit_container_seconds_bucket{le=\"+Inf\"} %" PRIu64
		      "\ndavit_container_seconds_sum %.6f\ndavit_container_seconds_count %" PRIu64
		      "\n",
		      metrics->containers, metrics->milliseconds / 1e3, metrics->containers);
}

static void print_log(FILE *out, const struct metrics *metrics)
{
	print_head(out, "davit_containers_total", "counter",
		   "Containers that got GPUs, in the log.");
	(void)fprintf(out, "davit_containers_total %" PRIu64 "\n", metrics->containers);
	print_failures(out, metrics);
	print_times(out, metrics);
	print_head(out, "davit_warnings_total", "counter", "Warnings in the log.");
	(void)fprintf(out, "davit_warnings_total %" PRIu64 "\n", metrics->warnings);
	print_head(out, "davit_unknown_lines_total", "counter",
		   "Lines of the log that are not in davit's format.");
	(void)fprintf(out, "davit_unknown_lines_total %" PRIu64 "\n", metrics->unknown_lines);
}

static int print_doctor(FILE *out, const struct arguments *arguments, struct error *err)
{
	static const int values[] = {
		[DOCTOR_OK] = 0,   [DOCTOR_SKIP] = 0,    [DOCTOR_WARN] = 1,
		[DOCTOR_FAIL] = 2, [DOCTOR_UNKNOWN] = 3,
	};
	struct doctor_options options = {.config = arguments->config, .engine = -1};
	struct doctor_host host = {0};
	struct finding finding;
	int r = doctor_gather(&options, arguments->arena, &host, err);

	print_head(out, "davit_check_status", "gauge",
		   "Checks of davit doctor: 0 ok or not applicable, 1 warning, 2 failure, 3 "
		   "unknown.");
	for (size_t i = 0; r == 0 && i < doctor_check_count; i++) {
		if (!doctor_check_applies(&doctor_checks[i], &host))
			continue;
		doctor_decide(&doctor_checks[i], &host, &finding);
		(void)fprintf(out, "davit_check_status{id=\"%s\"} %d\n", finding.id,
			      values[finding.result]);
	}
	doctor_close(&host);
	return r;
}

static int print_all(FILE *out, const struct arguments *arguments, const char *log,
		     struct error *err)
{
	struct metrics metrics;
	int r = read_log(log, &metrics, err);

	if (r < 0)
		return r;
	print_head(out, "davit_info", "gauge", "The version of davit.");
	(void)fprintf(out, "davit_info{version=\"%s\"} 1\n", DAVIT_VERSION);
	print_log(out, &metrics);
	return arguments_flag(arguments, "doctor") ? print_doctor(out, arguments, err) : 0;
}

/* ---- the command ------------------------------------------------------------------------ */

static int find_log(const struct arguments *arguments, const char **ret, struct error *err)
{
	struct config config;
	int r;

	*ret = arguments_value(arguments, "log");
	if (*ret)
		return 0;
	r = config_load(arguments->config, arguments->arena, &config, err);
	if (r < 0)
		return r;
	*ret = config.log.file;
	if (**ret)
		return 0;
	return error_set(err, ERROR_BAD_CONFIG, EINVAL,
			 "set log.file, and log.level to \"info\", in the configuration",
			 "count containers: davit writes no log, since log.file isn't set");
}

static int write_text(const struct arguments *arguments, const char *text, struct error *err)
{
	const char *path = arguments_value(arguments, "output");

	if (path)
		return file_save(path, text, false, arguments->arena, err);
	return fputs(text, stdout) < 0 || fflush(stdout) != 0
		       ? error_errno(err, errno, "write to standard output")
		       : 0;
}

static int run(const struct arguments *arguments)
{
	struct error err = {0};
	const char *log;
	char *text = NULL;
	size_t length;
	FILE *out;
	int r = find_log(arguments, &log, &err);

	if (r < 0)
		return cli_fail(&err);
	out = open_memstream(&text, &length);
	r = out ? print_all(out, arguments, log, &err) : error_memory(&err);
	if (out && fclose(out) != 0 && r == 0)
		r = error_memory(&err);
	if (r == 0)
		r = write_text(arguments, text, &err);
	free(text);
	return r < 0 ? cli_fail(&err) : 0;
}

static const struct command_option options[] = {
	{"doctor", OPTION_FLAG, NULL, "also run the checks of `davit doctor`"},
	{"log", OPTION_VALUE, "FILE", "read this log instead of the configuration's log.file"},
	{"output", OPTION_VALUE, "FILE", "replace FILE atomically, instead of printing"},
	{NULL, 0, NULL, NULL},
};

const struct command command_metrics = {
	.name = "metrics",
	.summary = "count containers, failures and their time, for Prometheus",
	.help = "Reads davit's log and prints metrics in Prometheus' text format. They count the\n"
		"containers that got GPUs and the failures by error code, and show a histogram of davit's\n"
		"time for a container. davit-metrics.timer runs this command every minute for\n"
		"node_exporter.\n"
		"\n"
		"When the log is rotated, the counters restart from 0, as Prometheus expects. For\n"
		"containers and their time, log.level must be info or debug.\n",
	.example = "davit metrics --doctor --output /var/lib/prometheus/node-exporter/davit.prom",
	.options = options,
	.run = run,
};
