// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "davit/configure.h"

static const char fix_read_only[] =
	"make the change where this file comes from: --dry-run shows it";

static int failed(const char *what, const char *path, int errnum, struct error *err)
{
	return error_set(err, ERROR_SYSTEM, errnum,
			 errnum == EROFS    ? fix_read_only
			 : errnum == EACCES ? "run it as root"
					    : NULL,
			 "%s %s: %s", what, path, strerror(errnum));
}

int configure_read(const struct root *root, const char *path, struct arena *arena, char **ret,
		   struct error *err)
{
	size_t length = 0;
	int r = root_read(root, path, CONFIGURE_SIZE_MAX, arena, ret, &length);

	if (r == -ENOENT) {
		*ret = NULL;
		return 0;
	}
	if (r < 0)
		return error_set(err, ERROR_BAD_CONFIG, -r, NULL, "read %s: %s", path,
				 r == -EINVAL ? "it is no regular file" : strerror(-r));
	if (memchr(*ret, '\0', length))
		return error_set(err, ERROR_BAD_CONFIG, EINVAL, NULL,
				 "read %s: it has a NUL character", path);
	return 0;
}

/* The new file, complete, under a temporary name. */
static int write_temporary(int dir_fd, const char *temporary, const char *text,
			   const struct stat *like)
{
	AUTO_FD fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    0600);
	int r;

	if (fd < 0)
		return -errno;
	r = file_write(fd, text, strlen(text));
	if (r == 0 && like->st_mode && fchown(fd, like->st_uid, like->st_gid) < 0)
		r = -errno;
	if (r == 0 && fchmod(fd, like->st_mode ? like->st_mode & 07777 : 0644) < 0)
		r = -errno;
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	return r;
}

static int replace(int dir_fd, const char *name, const char *text, const struct stat *like,
		   struct arena *arena)
{
	const char *temporary = arena_printf(arena, ".%s.davit-%d", name, (int)getpid());
	int r = temporary ? write_temporary(dir_fd, temporary, text, like) : -ENOMEM;

	if (r == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
		r = -errno;
	if (r < 0 && r != -EEXIST && temporary)
		(void)unlinkat(dir_fd, temporary, 0);
	return r;
}

int configure_write(const struct root *root, const char *path, const char *text,
		    struct arena *arena, struct error *err)
{
	struct stat st = {0};
	const char *name;
	AUTO_FD dir_fd = root_open_parent(root, path, text != NULL, &name, err);
	int r = 0;

	if (dir_fd == -EROFS || dir_fd == -EACCES)
		return failed("write", path, -dir_fd, err);
	if (dir_fd < 0)
		return text ? dir_fd : 0;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return failed("write", path, errno, err);
		if (!text)
			return 0;
	} else if (S_ISLNK(st.st_mode)) {
		return error_set(err, ERROR_BAD_CONFIG, ELOOP,
				 "change the file it leads to, naming it by --file",
				 "write %s: it is a symbolic link", path);
	}
	if (text)
		r = replace(dir_fd, name, text, &st, arena);
	else if (unlinkat(dir_fd, name, 0) < 0)
		r = -errno;
	return r < 0 ? failed(text ? "write" : "remove", path, -r, err) : 0;
}

int configure_backup(const struct root *root, const char *path, struct arena *arena,
		     struct error *err)
{
	const char *name, *backup;
	AUTO_FD dir_fd = root_open_parent(root, path, false, &name, err);

	if (dir_fd < 0)
		return dir_fd;
	backup = arena_printf(arena, "%s" CONFIGURE_BACKUP_SUFFIX, name);
	if (!backup)
		return error_memory(err);
	if (unlinkat(dir_fd, backup, 0) < 0 && errno != ENOENT)
		return failed("replace the backup of", path, errno, err);
	/* The file itself under a second name: with its mode, owner and times. */
	if (linkat(dir_fd, name, dir_fd, backup, 0) < 0)
		return failed("make a backup of", path, errno, err);
	return 0;
}
