// SPDX-License-Identifier: Apache-2.0
/*
 * race COMMAND LINK PATH...: exchanges each path, one after the other and without end, with a link
 * of the text LINK (renameat2, RENAME_EXCHANGE). With the COMMAND "swap" a path is the link half of
 * the time, with "blink" for a moment only, with "truncate" it is a file whose size goes between 0
 * and what it was. Ends with the process that started it.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATHS_MAX 32

/* A path as its parent directory, which stays the same one, and two names in it. */
struct place {
	int parent;
	const char *name;
	char link[256];
};

static void pause_a_little(void)
{
	for (volatile int i = random() % 20000; i > 0; i--)
		;
}

static void place_open(char *path, const char *link_text, struct place *ret)
{
	char *slash = strrchr(path, '/');

	ret->name = slash ? slash + 1 : path;
	if (slash)
		*slash = '\0';
	ret->parent = open(slash ? path : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	(void)snprintf(ret->link, sizeof(ret->link), "%s.swap", ret->name);
	if (ret->parent < 0 || symlinkat(link_text, ret->parent, ret->link) < 0) {
		perror(path);
		exit(1);
	}
}

static void exchange(const struct place *place)
{
	(void)renameat2(place->parent, place->name, place->parent, place->link, RENAME_EXCHANGE);
}

static void truncate_for_ever(const char *path)
{
	struct stat st;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		exit(1);
	for (;;) {
		(void)!ftruncate(fd, 0);
		pause_a_little();
		(void)!ftruncate(fd, st.st_size);
		pause_a_little();
	}
}

int main(int argc, char **argv)
{
	static struct place places[PATHS_MAX];
	int count = argc - 3;
	int turns;

	if (count < 1 || count > PATHS_MAX) {
		(void)fputs("usage: race swap|blink|truncate LINK PATH...\n", stderr);
		return 2;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	srandom((unsigned)getpid());
	if (strcmp(argv[1], "truncate") == 0)
		truncate_for_ever(argv[3]);
	turns = strcmp(argv[1], "blink") == 0 ? 2 : 1;
	for (int i = 0; i < count; i++)
		place_open(argv[i + 3], argv[2], &places[i]);
	for (;;)
		for (int i = 0; i < count; i++) {
			for (int turn = 0; turn < turns; turn++)
				exchange(&places[i]);
			pause_a_little();
		}
}
