// SPDX-License-Identifier: Apache-2.0
/*
 * measure [-r ROUNDS] [-c CGROUP] [-d] CASES: runs the commands of a file in turns, so that what
 * else the machine does meets all of them alike, and prints a line of JSON for each.
 *
 * A case is a line of fields with a tab between them:
 *   NAME MODE BUNDLE LOWER COMMAND [ARGUMENT...]
 * MODE  plain      the command alone
 *       mount      a fresh overlay over LOWER is mounted at BUNDLE/rootfs
 *       container  a fresh container stands there (container.h)
 * Standard input is the OCI state that names BUNDLE, and the container's process. Only the time
 * between starting the command and its end is measured. -d drops the kernel's caches before each.
 */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
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
		.times = calloc(settings->rounds, sizeof(*ret->times)),
	};
	memcpy(ret->arguments, words + 4, (count - 4) * sizeof(*words));
	if (!ret->times)
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

/* Runs the command once. Its time in microseconds, or less than 0 when it failed. */
static double run_command(struct test_case *test)
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
	return ended - started;
}

static double run_once(struct test_case *test, bool cold)
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
	time = run_command(test);
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

static void print_result(const struct test_case *test, unsigned rounds)
{
	const double *times = test->times;
	size_t last = (size_t)(0.99 * (double)rounds);

	qsort(test->times, rounds, sizeof(*times), by_time);
	(void)printf("{\"name\":\"%s\",\"rounds\":%u,\"median_us\":%.1f,\"p99_us\":%.1f,"
		     "\"min_us\":%.1f,\"memory_kib\":%ld,\"faults\":%ld,\"mounts\":%u}\n",
		     test->name, rounds, (times[rounds / 2] + times[(rounds - 1) / 2]) / 2,
		     times[last < rounds ? last : rounds - 1], times[0], test->memory, test->faults,
		     test->mounts);
}

int main(int argc, char **argv)
{
	static struct test_case cases[CASES_MAX];
	struct test_case *order[CASES_MAX];
	struct settings settings = {.rounds = 100};
	size_t count;
	int option;

	while ((option = getopt(argc, argv, "r:c:d")) != -1) {
		if (option == 'r')
			settings.rounds = (unsigned)strtoul(optarg, NULL, 10);
		else if (option == 'c')
			settings.cgroup = optarg;
		else if (option == 'd')
			settings.drop_caches = true;
		else
			return 2;
	}
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
	for (size_t i = 0; i < count && settings.rounds > 1; i++)
		(void)run_once(&cases[i], false);
	for (unsigned round = 0; round < settings.rounds; round++) {
		shuffle(order, count);
		for (size_t i = 0; i < count; i++)
			order[i]->times[round] = run_once(order[i], settings.drop_caches);
	}
	for (size_t i = 0; i < count; i++)
		print_result(&cases[i], settings.rounds);
	return 0;
}
