// SPDX-License-Identifier: Apache-2.0
/*
 * make-libraries LIBRARY DIRECTORY COUNT: fills a directory with copies of a library, each with a
 * SONAME of its own, as an image has them. LIBRARY has the SONAME libbench00000.so.1.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_MAX_OF_LIBRARY ((size_t)1024 * 1024)
#define NAME "libbench00000"
#define DIGITS 5

static size_t read_library(const char *path, char *data)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, data, SIZE_MAX_OF_LIBRARY);

	if (length <= 0)
		err(1, "cannot read %s", path);
	(void)close(fd);
	return (size_t)length;
}

static void write_library(int dir_fd, unsigned number, const char *data, size_t length)
{
	char name[64];
	int fd;

	(void)snprintf(name, sizeof(name), "libbench%0*u.so.1.0", DIGITS, number);
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, data, length) != (ssize_t)length)
		err(1, "cannot write %s", name);
	(void)close(fd);
}

int main(int argc, char **argv)
{
	static char data[SIZE_MAX_OF_LIBRARY];
	unsigned long count;
	size_t length;
	char *name;
	int dir_fd;

	if (argc != 4) {
		(void)fputs("usage: make-libraries LIBRARY DIRECTORY COUNT\n", stderr);
		return 2;
	}
	length = read_library(argv[1], data);
	count = strtoul(argv[3], NULL, 10);
	name = memmem(data, length, NAME ".so.1", sizeof(NAME ".so.1"));
	if (!name || count > 99999)
		errx(1, "cannot copy %s: its SONAME is not " NAME ".so.1", argv[1]);
	dir_fd = open(argv[2], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		err(1, "cannot open %s", argv[2]);
	for (unsigned number = 0; number < count; number++) {
		char digits[DIGITS + 1];

		(void)snprintf(digits, sizeof(digits), "%05u", number % 100000);
		memcpy(name + strlen("libbench"), digits, DIGITS);
		write_library(dir_fd, number, data, length);
	}
	return 0;
}
