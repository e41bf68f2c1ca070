// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "davit/sys.h"

#define FIRST_READ 4096 /* most files, and those of /proc, are smaller */

/* Reads until `room` is full or the file ends. *length: bytes read. 0 or -errno. */
static int read_up_to(int fd, char *data, size_t room, size_t *length)
{
	ssize_t n = 1;

	while (n != 0 && *length < room) {
		n = read(fd, data + *length, room - *length);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			*length += (size_t)n;
	}
	return 0;
}

/* The size of the next buffer, if the first one wasn't sufficient. */
static size_t room_for(int fd, size_t have, size_t limit)
{
	struct stat st;
	size_t room = have * 2;

	/*
	 * Files of /proc and pipes have size 0. One byte more than the size shows the end of the
	 * file.
	 */
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
	    (size_t)st.st_size >= have)
		room = (size_t)st.st_size + 1;
	return room > limit + 1 ? limit + 1 : room;
}

int file_read(int fd, size_t limit, struct arena *arena, char **ret, size_t *ret_length)
{
	char first[FIRST_READ], *data = first;
	size_t length = 0, room = limit < FIRST_READ ? limit + 1 : FIRST_READ;
	int r = read_up_to(fd, data, room, &length);

	while (r == 0 && length == room && length <= limit) {
		char *grown;

		room = room_for(fd, room, limit);
		grown = arena_alloc(arena, room + 1);
		if (!grown)
			return -ENOMEM;
		data = memcpy(grown, data, length);
		r = read_up_to(fd, data, room, &length);
	}
	if (r < 0)
		return r;
	if (length > limit)
		return -EFBIG;
	/* Most files are small. The copy takes no more memory than needed. */
	if (data == first)
		data = arena_strndup(arena, first, length);
	if (!data)
		return -ENOMEM;
	data[length] = '\0';
	*ret = data;
	if (ret_length)
		*ret_length = length;
	return 0;
}

int file_load(const char *path, int flags, size_t limit, struct arena *arena, char **ret,
	      size_t *ret_length)
{
	AUTO_FD fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? file_read(fd, limit, arena, ret, ret_length) : -EINVAL;
}

int file_write(int fd, const void *data, size_t length)
{
	const char *at = data;

	while (length > 0) {
		ssize_t n = write(fd, at, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		length -= (size_t)n;
	}
	return 0;
}

int fd_reopen(int fd, int flags)
{
	char name[sizeof("fd/") + 3 * sizeof(int)];

	(void)snprintf(name, sizeof(name), "fd/%d", fd);
	return proc_open(0, name, flags);
}

const char *fd_path(int fd, struct arena *arena)
{
	char name[sizeof("self/fd/") + 3 * sizeof(int)], path[PATH_MAX];
	int proc = proc_fd();
	ssize_t length;

	(void)snprintf(name, sizeof(name), "self/fd/%d", fd);
	length = proc < 0 ? -1 : readlinkat(proc, name, path, sizeof(path));
	if (length <= 0 || (size_t)length == sizeof(path) || path[0] != '/')
		return NULL;
	return arena_strndup(arena, path, (size_t)length);
}
