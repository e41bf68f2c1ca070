// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "davit/sys.h"

int file_read(int fd, size_t limit, struct arena *arena, char **ret, size_t *ret_length)
{
	struct stat st;
	size_t room, length = 0;
	bool sized;
	char *data;

	if (fstat(fd, &st) < 0)
		return -errno;
	/* Files of /proc and pipes say 0: only an empty read shows their end. */
	sized = S_ISREG(st.st_mode) && st.st_size > 0;
	room = sized ? (size_t)st.st_size + 1 : 4096;
	if (room > limit + 1)
		room = limit + 1;
	data = arena_alloc(arena, room + 1);
	while (data) {
		ssize_t n = read(fd, data + length, room - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		length += (size_t)n;
		if (length > limit)
			return -EFBIG;
		if (n == 0 || (sized && length == (size_t)st.st_size)) {
			data[length] = '\0';
			*ret = data;
			if (ret_length)
				*ret_length = length;
			return 0;
		}
		if (length == room) {
			char *grown;

			room = room * 2 > limit + 1 ? limit + 1 : room * 2;
			grown = arena_alloc(arena, room + 1);
			if (grown)
				memcpy(grown, data, length);
			data = grown;
		}
	}
	return -ENOMEM;
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
