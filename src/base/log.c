// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "davit/base.h"

#define LOG_DATE_MAX 192 /* room for what the compiler thinks that numbers may be */

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static struct {
	int fd;
	enum log_level level;
	struct timespec start;
} sink = {.fd = -1};

void log_to(int fd, enum log_level level)
{
	if (sink.start.tv_sec == 0)
		(void)clock_gettime(CLOCK_MONOTONIC, &sink.start);
	sink.fd = fd;
	sink.level = level;
}

bool log_enabled(enum log_level level)
{
	return sink.fd >= 0 && level <= sink.level;
}

bool log_goes_to(int fd)
{
	return sink.fd == fd;
}

double log_milliseconds(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - sink.start.tv_sec) * 1e3 +
	       (double)(now.tv_nsec - sink.start.tv_nsec) / 1e6;
}

/*
 * "2026-01-31T23:59:59.999Z ". Not by gmtime(3), which reads the environment and the host's time
 * zone. The years begin in March, so that the leap day is their last one.
 */
static void log_date(char ret[static LOG_DATE_MAX])
{
	struct timespec now = {0};
	long long days, era, day, year, month, seconds;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	seconds = now.tv_sec % 86400;
	days = now.tv_sec / 86400 + 719468; /* since 1 March 0 */
	era = days / 146097;
	day = days % 146097;
	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= 365 * year + year / 4 - year / 100;
	month = (5 * day + 2) / 153; /* 0: March */
	day -= (153 * month + 2) / 5;
	(void)snprintf(ret, LOG_DATE_MAX, "%04lld-%02lld-%02lldT%02lld:%02lld:%02lld.%03ldZ ",
		       era * 400 + year + (month >= 10), month < 10 ? month + 3 : month - 9,
		       day + 1, seconds / 3600, seconds / 60 % 60, seconds % 60,
		       now.tv_nsec / 1000000);
}

/* A full disk must not make a container fail. Important lines go to standard error instead. */
static void log_falls_back(int errnum, enum log_level level, const char *line, size_t length)
{
	sink.fd = STDERR_FILENO;
	sink.level = sink.level < LOG_LEVEL_WARNING ? sink.level : LOG_LEVEL_WARNING;
	log_line(LOG_LEVEL_WARNING, "cannot write the log: %s", strerror(errnum));
	if (log_enabled(level) && write(sink.fd, line, length) < 0)
		return;
}

void log_line(enum log_level level, const char *format, ...)
{
	char text[1024], line[1300], date[LOG_DATE_MAX] = "";
	va_list args;
	int length;

	if (!log_enabled(level))
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	string_printable(text);
	if (sink.fd != STDERR_FILENO)
		log_date(date);
	length = snprintf(line, sizeof(line), "%sdavit[%d]: %8.3f ms %s: %s\n", date, (int)getpid(),
			  log_milliseconds(), level_names[level], text);
	if (length >= (int)sizeof(line)) {
		length = sizeof(line) - 1;
		line[length - 1] = '\n';
	}
	/* One write, so that lines of several containers in one file don't mix. */
	if (length > 0 && write(sink.fd, line, (size_t)length) < 0 && sink.fd != STDERR_FILENO)
		log_falls_back(errno, level, line, (size_t)length);
}

void log_error(const struct error *err)
{
	char line[ERROR_LINE_MAX];

	if (log_goes_to(STDERR_FILENO))
		return;
	error_line(err, line);
	log_line(LOG_LEVEL_ERROR, "%s: %s", error_code_name(err->code), line);
}

int log_level_parse(const char *name, enum log_level *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(level_names); i++)
		if (strcmp(name, level_names[i]) == 0) {
			*ret = (enum log_level)i;
			return 0;
		}
	return -EINVAL;
}
