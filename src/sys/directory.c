// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "davit/sys.h"

#define LIST_PIECE 4096 /* bytes of a directory, read at a time */

/* struct linux_dirent64 of getdents(2): its name is at the end. */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

static int add_names(const char *data, size_t length, size_t limit, struct arena *arena,
		     struct strings *ret)
{
	const struct entry *entry;

	for (size_t at = 0; at < length; at += entry->length) {
		const char *name;

		entry = (const void *)(data + at);
		if (string_equal(entry->name, ".") || string_equal(entry->name, ".."))
			continue;
		name = arena_strdup(arena, entry->name);
		if (ret->count == limit)
			return -E2BIG;
		if (!name || strings_add(arena, ret, name) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Makes the system call itself, because opendir(3) makes four more and allocates memory. */
int root_list(const struct root *root, const char *path, size_t limit, struct arena *arena,
	      struct strings *ret)
{
	_Alignas(struct entry) char data[LIST_PIECE];
	AUTO_FD fd = root_openat(root, path, O_RDONLY | O_DIRECTORY);
	ssize_t length = fd;
	int r = fd < 0 ? fd : 0;

	while (r == 0 && (length = syscall(SYS_getdents64, fd, data, sizeof(data))) > 0)
		r = add_names(data, (size_t)length, limit, arena, ret);
	if (r == 0 && length < 0)
		r = -errno;
	return r;
}
