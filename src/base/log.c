// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "davit/base.h"

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

void log_line(enum log_level level, const char *format, ...)
{
	char text[1024], line[1100];
	struct timespec now = {0};
	double passed;
	va_list args;
	int length;

	if (!log_enabled(level))
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	string_printable(text);
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	passed = (double)(now.tv_sec - sink.start.tv_sec) * 1e3 +
		 (double)(now.tv_nsec - sink.start.tv_nsec) / 1e6;
	length = snprintf(line, sizeof(line), "davit[%d]: %8.3f ms %s: %s\n", (int)getpid(), passed,
			  level_names[level], text);
	/* One write, so that lines of several containers in one file don't mix. */
	if (length > 0 && write(sink.fd, line, (size_t)length) < 0)
		return;
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
