// SPDX-License-Identifier: Apache-2.0
/*
 * measure [-r ROUNDS] [-c CGROUP] [-d] [-p SLOTS -n STARTS] CASES: runs the commands of a file in
 * turns, so that what else the machine does meets all of them alike, and prints a line of JSON for
 * each.
 *
 * A case is a line of fields with a tab between them:
 *   NAME MODE BUNDLE LOWER COMMAND [ARGUMENT...]
 * MODE  plain      the command alone
 *       mount      a fresh overlay over LOWER is mounted at BUNDLE/rootfs
 *       container  a fresh container stands there (container.h)
 * Standard input is the OCI state that names BUNDLE, and the container's process. Only the time
 * between starting the command and its end is measured. -d drops the kernel's caches before each.
 *
 * With -p, a round of a case is STARTS of its command, as many at once as there are slots; each
 * slot has its own number in the place of every @ of the line. Beside the single times the whole
 * round is measured.
 */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "container.h"

#define CASES_MAX 64
#define WORDS_MAX 32
#define LINE_SIZE 16384
/* What the last container left to be done in the kernel gets done. */
#define SETTLE_MICROSECONDS 2000

extern char **environ;

struct settings {
	unsigned rounds;
	unsigned slots, starts; /* 0: one at a time */
	bool drop_caches;
	const char *cgroup;
};

enum mode {
	MODE_PLAIN,
	MODE_MOUNT,
	MODE_CONTAINER,
};

struct test_case {
	const char *name;
	enum mode mode;
	struct container container;
	char *arguments[WORDS_MAX];
	double *times; /* microseconds */
	double *cpu; /* of the same starts: on processors, for the command and what it waited for */
	double *walls; /* of whole rounds, with slots */
	long memory;   /* KiB, the most of all rounds */
	long faults;
	unsigned mounts;
};

static enum mode parse_mode(const char *word)
{
	static const char *const modes[] = {"plain", "mount", "container"};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(word, modes[i]) == 0)
			return (enum mode)i;
	errx(2, "cannot use the mode %s", word);
}

static void parse_case(char *line, const struct settings *settings, struct test_case *ret)
{
	char *words[WORDS_MAX + 4] = {0};
	size_t count = 0;
	char *word;

	line[strcspn(line, "\n")] = '\0';
	while ((word = strsep(&line, "\t"))) {
		if (count == WORDS_MAX + 3)
			errx(2, "cannot use a case of so many words");
		words[count++] = word;
	}
	if (count < 5)
		errx(2, "cannot use a case of %zu words", count);
	*ret = (struct test_case){
		.name = words[0],
		.mode = parse_mode(words[1]),
		.container = {.bundle = words[2], .lower = words[3], .cgroup = settings->cgroup},
		.times = calloc((size_t)settings->rounds * (settings->starts + 1),
				sizeof(*ret->times)),
		.cpu = calloc((size_t)settings->rounds * (settings->starts + 1), sizeof(*ret->cpu)),
		.walls = calloc(settings->rounds, sizeof(*ret->walls)),
	};
	memcpy(ret->arguments, words + 4, (count - 4) * sizeof(*words));
	if (!ret->times || !ret->cpu || !ret->walls)
		err(1, "cannot keep the times");
}

static size_t read_cases(const char *path, const struct settings *settings, struct test_case *cases)
{
	FILE *file = fopen(path, "re");
	char line[LINE_SIZE];
	size_t count = 0;

	if (!file)
		err(1, "cannot read %s", path);
	while (fgets(line, sizeof(line), file)) {
		char *copy = strdup(line);

		if (!copy || count == CASES_MAX)
			errx(2, "cannot use so many cases");
		parse_case(copy, settings, &cases[count++]);
	}
	(void)fclose(file);
	return count;
}

/* The OCI state, as a file that can be read from its beginning. */
static int make_state(const struct test_case *test)
{
	pid_t pid = test->mode == MODE_CONTAINER ? test->container.pid : getpid();
	int fd = memfd_create("state", MFD_CLOEXEC);

	if (fd < 0 ||
	    dprintf(fd,
		    "{\"ociVersion\":\"1.0.2\",\"id\":\"bench\",\"status\":\"creating\","
		    "\"pid\":%d,\"bundle\":\"%s\"}",
		    (int)pid, test->container.bundle) < 0 ||
	    lseek(fd, 0, SEEK_SET) < 0)
		err(1, "cannot write the state");
	return fd;
}

static void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);

	sync();
	if (fd < 0 || write(fd, "3", 1) != 1)
		err(1, "cannot drop the caches");
	(void)close(fd);
}

static double now(void)
{
	struct timespec at;

	(void)clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec * 1e6 + (double)at.tv_nsec / 1e3;
}

static double microseconds(const struct timeval *time)
{
	return (double)time->tv_sec * 1e6 + (double)time->tv_usec;
}

/* Runs the command once. Its time in microseconds, or less than 0 when it failed. */
static double run_command(struct test_case *test, double *ret_cpu)
{
	posix_spawn_file_actions_t actions;
	int state = make_state(test), status, r;
	struct rusage usage;
	double started, ended;
	pid_t pid;

	if (posix_spawn_file_actions_init(&actions) != 0 ||
	    posix_spawn_file_actions_adddup2(&actions, state, STDIN_FILENO) != 0 ||
	    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) !=
		    0)
		errx(1, "cannot prepare %s", test->name);
	started = now();
	r = posix_spawn(&pid, test->arguments[0], &actions, NULL, test->arguments, environ);
	if (r != 0)
		errx(1, "cannot run %s: %s", test->arguments[0], strerror(r));
	if (wait4(pid, &status, 0, &usage) < 0)
		err(1, "cannot wait for %s", test->name);
	ended = now();
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(state);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		warnx("cannot measure %s: it failed with status %#x", test->name, (unsigned)status);
		return -1;
	}
	test->memory = usage.ru_maxrss > test->memory ? usage.ru_maxrss : test->memory;
	test->faults = usage.ru_minflt > test->faults ? usage.ru_minflt : test->faults;
	*ret_cpu = microseconds(&usage.ru_utime) + microseconds(&usage.ru_stime);
	return ended - started;
}

static double run_once(struct test_case *test, bool cold, double *ret_cpu)
{
	unsigned before = 0;
	double time;

	if (test->mode == MODE_MOUNT)
		container_mount(&test->container);
	if (test->mode == MODE_CONTAINER) {
		container_start(&test->container);
		before = container_mounts(&test->container);
	}
	if (cold)
		drop_caches();
	if (test->mode != MODE_PLAIN)
		(void)usleep(SETTLE_MICROSECONDS);
	time = run_command(test, ret_cpu);
	if (test->mode == MODE_MOUNT)
		container_clear(&test->container);
	if (test->mode == MODE_CONTAINER) {
		test->mounts = container_mounts(&test->container) - before;
		container_stop(&test->container);
	}
	if (time < 0)
		exit(1);
	return time;
}

/* ---- many at once ----------------------------------------------------------------------- */

static const char *with_number(const char *text, unsigned number)
{
	char *result = calloc(strlen(text) * 4 + 1, 1);
	size_t length = 0;

	if (!result)
		err(1, "cannot name a slot");
	for (; *text; text++)
		if (*text == '@')
			length += (size_t)sprintf(result + length, "%u", number % 1000);
		else
			result[length++] = *text;
	return result;
}

struct load {
	atomic_uint next;
	double times[]; /* of each start, then the time on processors of each */
};

/* The process of one slot. */
__attribute__((noreturn)) static void run_slot(struct test_case *test, unsigned slot,
					       unsigned starts, struct load *load)
{
	unsigned start;

	test->container.bundle = with_number(test->container.bundle, slot);
	test->container.lower = with_number(test->container.lower, slot);
	for (size_t i = 0; test->arguments[i]; i++)
		test->arguments[i] = (char *)with_number(test->arguments[i], slot);
	while ((start = atomic_fetch_add(&load->next, 1)) < starts) {
		if (test->mode == MODE_MOUNT)
			container_mount(&test->container);
		load->times[start] = run_command(test, &load->times[starts + start]);
		if (test->mode == MODE_MOUNT)
			container_clear(&test->container);
		if (load->times[start] < 0)
			_exit(1);
	}
	_exit(0);
}

/* Microseconds of the whole; the single times at `times` and `cpu`. */
static double run_load(struct test_case *test, const struct settings *settings, double *times,
		       double *cpu)
{
	size_t size = sizeof(struct load) + 2 * settings->starts * sizeof(double);
	struct load *load =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double started = now(), ended;
	bool failed = false;
	int status;

	if (load == MAP_FAILED)
		err(1, "cannot share the times");
	for (unsigned slot = 0; slot < settings->slots; slot++) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "cannot fork");
		if (pid == 0)
			run_slot(test, slot, settings->starts, load);
	}
	for (unsigned slot = 0; slot < settings->slots; slot++)
		failed |= wait(&status) < 0 || status != 0;
	ended = now();
	if (failed)
		errx(1, "cannot measure %s: a start failed", test->name);
	memcpy(times, load->times, settings->starts * sizeof(double));
	memcpy(cpu, load->times + settings->starts, settings->starts * sizeof(double));
	(void)munmap(load, size);
	return ended - started;
}

/*
 * Each round has an order of its own. What the command before has left to the kernel (a network
 * namespace's end, a cgroup's, unmounting) goes on for milliseconds: in a fixed order the same case
 * would always be slowed by the same one before it.
 */
static void shuffle(struct test_case **order, size_t count)
{
	static unsigned short seed[3] = {1}; /* the same orders in every run */

	for (size_t i = count; i > 1; i--) {
		size_t other = (size_t)nrand48(seed) % i;
		struct test_case *test = order[i - 1];

		order[i - 1] = order[other];
		order[other] = test;
	}
}

static int by_time(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median_of(double *times, size_t count)
{
	qsort(times, count, sizeof(*times), by_time);
	return (times[count / 2] + times[(count - 1) / 2]) / 2;
}

static void print_result(const struct test_case *test, const struct settings *settings)
{
	size_t count = (size_t)settings->rounds * (settings->starts ? settings->starts : 1);
	size_t last = (size_t)(0.99 * (double)count);
	double median = median_of(test->times, count);

	(void)printf(
		"{\"name\":\"%s\",\"rounds\":%u,\"median_us\":%.1f,\"p99_us\":%.1f,"
		"\"min_us\":%.1f,\"cpu_us\":%.1f,\"memory_kib\":%ld,\"faults\":%ld,\"mounts\":%u",
		test->name, settings->rounds, median, test->times[last < count ? last : count - 1],
		test->times[0], median_of(test->cpu, count), test->memory, test->faults,
		test->mounts);
	if (settings->slots)
		(void)printf(",\"at_once\":%u,\"starts\":%u,\"wall_us\":%.1f", settings->slots,
			     settings->starts, median_of(test->walls, settings->rounds));
	(void)puts("}");
}

static void run_round(struct test_case *test, const struct settings *settings, unsigned round)
{
	if (settings->slots)
		test->walls[round] =
			run_load(test, settings, &test->times[round * settings->starts],
				 &test->cpu[round * settings->starts]);
	else
		test->times[round] = run_once(test, settings->drop_caches, &test->cpu[round]);
}

int main(int argc, char **argv)
{
	static struct test_case cases[CASES_MAX];
	struct test_case *order[CASES_MAX];
	struct settings settings = {.rounds = 100};
	size_t count;
	int option;

	while ((option = getopt(argc, argv, "r:c:dp:n:")) != -1) {
		if (option == 'r')
			settings.rounds = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'c')
			settings.cgroup = optarg;
		else if (option == 'p')
			settings.slots = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'n')
			settings.starts = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'd')
			settings.drop_caches = true;
		else
			return 2;
	}
	if ((settings.slots == 0) != (settings.starts == 0) || settings.slots > 1000 ||
	    settings.starts > 100000)
		return 2;
	if (optind + 1 != argc || settings.rounds == 0 || settings.rounds > 1000000) {
		(void)fputs("usage: measure [-r ROUNDS] [-c CGROUP] [-d] CASES\n", stderr);
		return 2;
	}
	count = read_cases(argv[optind], &settings, cases);
	/* Else the machine's other work is measured, a scheduler's tick at a time. */
	if (setpriority(PRIO_PROCESS, 0, -20) < 0)
		warn("cannot take precedence over the machine's other work");
	for (size_t i = 0; i < count; i++)
		order[i] = &cases[i];
	/* A round that doesn't count: whatever is made or read only once. */
	for (size_t i = 0; i < count && settings.rounds > 1 && !settings.slots; i++)
		(void)run_once(&cases[i], false, cases[i].cpu);
	for (unsigned round = 0; round < settings.rounds; round++) {
		shuffle(order, count);
		for (size_t i = 0; i < count; i++)
			run_round(order[i], &settings, round);
	}
	for (size_t i = 0; i < count; i++)
		print_result(&cases[i], &settings);
	return 0;
}
