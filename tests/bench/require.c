// SPDX-License-Identifier: Apache-2.0
/*
 * How long the requirements of CUDA's images take to decide: for expressions of the form and size
 * that these images carry (a CUDA version, or an older branch on a data center's GPU), the time of
 * requirements_check alone and of gpu_request_resolve, in the best case and in the worst.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "davit/request.h"

#define ROUNDS 2000

static const char *const brands[] = {"unknown",    "nvidia", "nvidiartx", "geforce",
				     "geforcertx", "quadro", "quadrortx", "titan",
				     "titanrtx",   "tesla",  "vgpu",      "cloudgaming"};
static const int branches[] = {418, 450, 470, 510, 515, 525, 535, 545, 550, 555, 560, 565, 570};

struct text {
	char data[32768];
	size_t length;
};

static void add(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);
static void add(struct text *text, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text->data + text->length, sizeof(text->data) - text->length, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(text->data) - text->length)
		abort();
	text->length += (size_t)n;
}

/* An alternative for each brand and each of so many branches, which begin anew when they end. */
static void make_expression(struct text *text, const char *cuda, size_t branch_count)
{
	*text = (struct text){.length = 0};
	add(text, "NVIDIA_REQUIRE_CUDA=cuda>=%s", cuda);
	for (size_t n = 0; n < branch_count; n++) {
		int branch = branches[n % ARRAY_SIZE(branches)];

		for (size_t j = 0; j < ARRAY_SIZE(brands); j++)
			add(text, " brand=%s,driver>=%d,driver<%d", brands[j], branch, branch + 1);
	}
}

static double microseconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double times[static ROUNDS])
{
	qsort(times, ROUNDS, sizeof(*times), by_size);
	return times[ROUNDS / 2];
}

static void measure(const char *what, const struct text *text,
		    const struct requirement_facts *facts)
{
	static double resolve_times[ROUNDS], check_times[ROUNDS];
	const char *env[] = {"PATH=/usr/bin", "NVIDIA_VISIBLE_DEVICES=all", text->data,
			     "NVIDIA_DRIVER_CAPABILITIES=compute,utility"};
	struct oci_spec spec = {.env = {env, ARRAY_SIZE(env), 0}};
	const char *verdict = "?";

	for (size_t i = 0; i < ROUNDS; i++) {
		struct gpu_request request;
		struct error err = {0};
		struct config config;
		AUTO_ARENA arena = {0};
		double start;
		unsigned missing;
		int r;

		if (config_defaults(&arena, &config) < 0)
			abort();
		start = microseconds();
		if (gpu_request_resolve(&spec, &config, &arena, &request, &err) < 0)
			abort();
		resolve_times[i] = microseconds() - start;
		start = microseconds();
		r = requirements_check(&request, facts, &arena, &missing, &err);
		check_times[i] = microseconds() - start;
		verdict = r < 0 ? "fails" : missing ? "unknown" : "holds";
	}
	printf("%-44s %6zu bytes  %-7s  request %6.1f us, constraint %6.1f us\n", what,
	       text->length, verdict, median(resolve_times), median(check_times));
}

int main(void)
{
	const struct requirement_facts current = {.cuda = "13.0", .driver = "580.159.04"};
	const struct requirement_facts older = {
		.cuda = "11.0", .driver = "570.86.15", .brand = "cloudgaming"};
	const struct requirement_facts oldest = {
		.cuda = "10.0", .driver = "390.48", .brand = "tesla"};
	static struct text small, large;

	make_expression(&small, "12.4", 7);
	make_expression(&large, "12.9", ARRAY_SIZE(branches));
	measure("a current driver, 3 KB", &small, &current);
	measure("a current driver, 6 KB", &large, &current);
	measure("the last alternative holds, 6 KB", &large, &older);
	measure("no alternative holds, 6 KB", &large, &oldest);
	make_expression(&large, "12.9", 2 * ARRAY_SIZE(branches));
	measure("no alternative holds, 12 KB", &large, &oldest);
	return 0;
}
