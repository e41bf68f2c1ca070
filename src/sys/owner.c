// SPDX-License-Identifier: Apache-2.0
/* The only place that decides which owners davit trusts. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "capabilities.h"
#include "davit/sys.h"

#define ID_MAP_MAX ((size_t)16 * 1024) /* 340 lines, as the kernel allows */
#define DEFAULT_OVERFLOW_ID 65534

/* The three numbers of a line; false if it has another form. */
static bool take_line(struct slice line, uint64_t numbers[static 3])
{
	size_t count = 0;
	struct slice field;

	while (slice_next(&line, ' ', &field)) {
		if (!field.length)
			continue;
		if (count == 3 ||
		    parse_number(field.data, field.length, 10, UINT32_MAX, &numbers[count++]) < 0)
			return false;
	}
	return count == 3;
}

int id_map_find(const char *map, uint32_t id, uint32_t *ret)
{
	struct slice rest = slice_from(map), line;

	while (slice_next(&rest, '\n', &line)) {
		uint64_t numbers[3];

		if (!line.length)
			continue;
		if (!take_line(line, numbers))
			return -EINVAL;
		if (id < numbers[0] || id - numbers[0] >= numbers[2])
			continue;
		if (numbers[1] + (id - numbers[0]) > UINT32_MAX)
			return -EINVAL;
		*ret = (uint32_t)(numbers[1] + (id - numbers[0]));
		return 0;
	}
	return -ENOENT;
}

/* Whether the id is mapped in this user namespace. 1, 0 or -errno. */
static int is_mapped(uid_t id)
{
	AUTO_ARENA arena = {0};
	uint32_t outside;
	char *map;
	int r = proc_read(0, "uid_map", ID_MAP_MAX, &arena, &map);

	if (r == 0)
		r = id_map_find(map, id, &outside);
	return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

static uid_t read_overflow_id(void)
{
	int proc = proc_fd();
	AUTO_FD fd = proc < 0 ? -1 : openat(proc, "sys/fs/overflowuid", O_RDONLY | O_CLOEXEC);
	char text[16];
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text));
	uint64_t id;

	if (length > 0 && text[length - 1] == '\n')
		length--;
	return length > 0 && parse_number(text, (size_t)length, 10, UINT32_MAX, &id) == 0
		       ? (uid_t)id
		       : DEFAULT_OVERFLOW_ID;
}

/*
 * Whether the owner of an open file has no id in this user namespace. The namespace's CAP_FOWNER
 * applies only to files of its own users. Setting O_NOATIME needs it, and changes only the
 * descriptor. The kernel decides this without the file system, so a FUSE server isn't asked. False
 * if it can't be determined.
 */
static bool owner_is_outside(int fd)
{
	struct capabilities saved = {0}, raised;
	AUTO_FD again = fd_reopen(fd, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	bool outside;

	if (again < 0 || capabilities_get(&saved) < 0)
		return false;
	raised = saved;
	raised.effective |= CAPABILITY(CAP_FOWNER);
	if (capabilities_set(&raised) < 0)
		return false;
	outside = fcntl(again, F_SETFL, O_NONBLOCK | O_NOATIME) < 0 && errno == EPERM;
	/* This can't fail, because it adds nothing. */
	(void)capabilities_set(&saved);
	return outside;
}

int file_trust(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return FILE_NOT_REGULAR;
	if (!owner_is_trusted(fd, &st))
		return FILE_OTHER_OWNER;
	return st.st_mode & (S_IWGRP | S_IWOTH) ? FILE_WRITABLE_BY_OTHERS : FILE_TRUSTED;
}

bool owner_is_trusted(int fd, const struct stat *st)
{
	int mapped;

	if (st->st_uid == 0 || st->st_uid == geteuid())
		return true;
	/*
	 * Owners without an id here are shown as the overflow id. If it has no mapping itself, no
	 * user here has it, and the owner is from outside.
	 */
	mapped = is_mapped(st->st_uid);
	if (mapped <= 0)
		return mapped == 0;
	return st->st_uid == read_overflow_id() && owner_is_outside(fd);
}
