// SPDX-License-Identifier: Apache-2.0
/*
 * A fuzz target over its corpus, without a sanitizer (whose runtime makes system calls of its own)
 * and under davit's narrow filter: a C library that asks the kernel for something while it sorts or
 * prints kills the hook, and so this. Each input in a process of its own: filtered FOLDER.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "davit/sys.h"
#include "fuzz.h"

/* For fuzz_elf.c: its input is a file, which must be there before the filter is. */
static int input_fd;

int memfd_create(const char *name, unsigned flags)
{
	(void)name;
	(void)flags;
	return input_fd;
}

int ftruncate(int fd, off_t size)
{
	(void)size;
	return fd == input_fd ? 0 : -1;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
	(void)data;
	return fd == input_fd && offset == 0 ? (ssize_t)size : -1;
}

static uint8_t *read_input(const char *path, size_t *ret_size)
{
	struct stat st;
	uint8_t *data;

	input_fd = open(path, O_RDONLY | O_CLOEXEC);
	FUZZ_CHECK(input_fd >= 0 && fstat(input_fd, &st) == 0 && S_ISREG(st.st_mode));
	*ret_size = (size_t)st.st_size;
	data = malloc(*ret_size + 1);
	FUZZ_CHECK(data && pread(input_fd, data, *ret_size, 0) == st.st_size);
	return data;
}

/* Its wait status. */
static int try_input(const char *path)
{
	struct error err;
	size_t size;
	int status;
	pid_t pid = fork();

	FUZZ_CHECK(pid >= 0);
	if (pid == 0) {
		uint8_t *data = read_input(path, &size);

		FUZZ_CHECK(filter_install(FILTER_APPLY, &err) == 0);
		(void)LLVMFuzzerTestOneInput(data, size);
		_exit(EXIT_SUCCESS);
	}
	FUZZ_CHECK(waitpid(pid, &status, 0) == pid);
	return status;
}

int main(int argc, char *argv[])
{
	struct dirent *entry;
	int failed = 0, tried = 0;
	DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;

	FUZZ_CHECK(folder);
	while ((entry = readdir(folder))) {
		char path[4096];
		int status;

		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
		status = try_input(path);
		tried++;
		if (status == 0)
			continue;
		failed++;
		(void)fprintf(stderr, "%s: %s\n", path,
			      WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS
				      ? "a system call that the filter doesn't have"
				      : "it fails");
	}
	(void)closedir(folder);
	FUZZ_CHECK(tried > 0);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
