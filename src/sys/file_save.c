// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "davit/sys.h"

static int fill(int fd, const char *path, const char *text, struct error *err)
{
	struct stat st;
	bool there = lstat(path, &st) == 0;
	int r;

	if (there && !S_ISREG(st.st_mode))
		return error_set(err, ERROR_SYSTEM, EINVAL, "name another file, or remove it",
				 "write %s: it exists and is not a regular file", path);
	r = fchmod(fd, there ? st.st_mode & 07777 : 0644) < 0 ||
			    (there && fchown(fd, st.st_uid, st.st_gid) < 0)
		    ? -errno
		    : file_write(fd, text, strlen(text));
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r < 0 ? error_errno(err, -r, "write %s", path) : 0;
}

static int make_directory(const char *path, struct arena *arena)
{
	const char *slash = strrchr(path, '/');
	const char *directory =
		slash && slash != path ? arena_strndup(arena, path, (size_t)(slash - path)) : ".";

	if (!directory)
		return -ENOMEM;
	return mkdir(directory, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* link(2) fails if the name exists, without a moment between check and creation. */
static int put(const char *temporary, const char *path, bool fresh, struct error *err)
{
	int r = fresh ? link(temporary, path) : rename(temporary, path);

	if (r < 0 && errno == EEXIST)
		return error_set(err, ERROR_SYSTEM, EEXIST, "name another file, or add --force",
				 "write %s: it already exists", path);
	return r < 0 ? error_errno(err, errno, "write %s", path) : 0;
}

int file_save(const char *path, const char *text, bool fresh, struct arena *arena,
	      struct error *err)
{
	/* An engine must not read it as a spec, so the name doesn't end with .json or .yaml. */
	char *temporary = arena_printf(arena, "%s.XXXXXX", path);
	AUTO_FD fd = -1;
	int r = temporary ? make_directory(path, arena) : -ENOMEM;

	if (r < 0)
		return error_errno(err, -r, "create the directory of %s", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		r = error_errno(err, errno, "write %s", path);
		return error_fix(err, r, "name a file that you can write");
	}
	r = fill(fd, path, text, err);
	if (r == 0)
		r = put(temporary, path, fresh, err);
	if (r < 0 || fresh)
		(void)unlink(temporary);
	return r;
}
