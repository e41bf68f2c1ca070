// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "davit/configure.h"

static const char fix_read_only[] =
	"make the change where this file is generated; --dry-run shows the change";

static const char fix_immutable[] =
	"if it is immutable (`lsattr`), make it changeable with `chattr -i`";
static const char fix_mounted[] = "make the change in the file that is mounted there";

static int failed(const char *what, const char *path, int errnum, struct error *err)
{
	return error_set(err, ERROR_SYSTEM, errnum,
			 errnum == EROFS    ? fix_read_only
			 : errnum == EACCES ? "run it as root"
			 : errnum == EPERM  ? fix_immutable
			 : errnum == EBUSY  ? fix_mounted
					    : NULL,
			 "%s %s: %s", what, path, strerror(errnum));
}

static int refuse_link(const char *path, struct error *err)
{
	return error_set(err, ERROR_BAD_CONFIG, ELOOP,
			 "name the link's target with --file or --drop-in",
			 "write %s: it is a symbolic link", path);
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
		return error_read(err, ERROR_BAD_CONFIG, -r,
				  r == -EACCES || r == -EPERM ? "run it as root"
							      : "check what that file is",
				  "%s", path);
	if (memchr(*ret, '\0', length))
		return error_set(err, ERROR_BAD_CONFIG, EINVAL, "check what that file is",
				 "read %s: it has a NUL character", path);
	return 0;
}

int configure_open_program(const struct root *root, const char *path)
{
	int fd = root_openat(root, path, O_PATH);

	if (fd >= 0 && file_trust(fd) != FILE_TRUSTED)
		fd_close(&fd);
	return fd;
}

/* ---- who can read it -------------------------------------------------------------------- */

#define READABLE ((mode_t)0644) /* a new file */

void configure_limit_access(const struct root *root, const char *path,
			    struct configure_access *access)
{
	struct stat st;

	if (root_stat(root, path, 0, &st) < 0 || (st.st_mode & READABLE) == READABLE)
		return;
	st.st_mode &= READABLE;
	if (!access->mode) {
		*access = (struct configure_access){st.st_mode | S_IRUSR, st.st_uid, st.st_gid};
		return;
	}
	access->mode &= st.st_mode | S_IRUSR;
	/* Two groups have nobody in common for sure, nor have two owners. */
	if (access->gid != st.st_gid)
		access->mode &= ~(mode_t)S_IRWXG;
	if (access->uid != st.st_uid)
		access->uid = geteuid();
}

/* What a file's permissions grant beside what is allowed. */
static bool grants_more(const struct stat *st, const struct configure_access *access)
{
	return access->mode && ((st->st_mode & 0777 & ~(access->mode | S_IWUSR | S_IXUSR)) ||
				(st->st_mode & S_IRWXG && st->st_gid != access->gid) ||
				(st->st_uid != access->uid && st->st_uid != geteuid()));
}

bool configure_is_looser(const struct root *root, const char *path,
			 const struct configure_access *access)
{
	struct stat st;

	return root_stat(root, path, AT_SYMLINK_NOFOLLOW, &st) == 0 && grants_more(&st, access);
}

/* ---- writing ---------------------------------------------------------------------------- */

/* The owner and mode of a new file, or of one that replaces another (st_mode 0: there is none). */
static void choose_access(const struct configure_access *access, struct stat *like)
{
	bool is_new = !like->st_mode;

	if (!access || !access->mode || (!is_new && !grants_more(like, access)))
		return;
	like->st_mode = (is_new ? READABLE : like->st_mode & 0777) & (access->mode | S_IWUSR);
	like->st_mode |= S_IFREG;
	like->st_uid = access->uid;
	like->st_gid = access->gid;
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

/*
 * The file itself under a second name: with its mode, owner and times. A backup of before is put
 * aside, so that it can come back.
 */
static int make_backup(int dir_fd, const char *name, const char *backup, const char *aside)
{
	if (renameat(dir_fd, backup, dir_fd, aside) < 0 && errno != ENOENT)
		return -errno;
	if (linkat(dir_fd, name, dir_fd, backup, 0) == 0)
		return 0;
	{
		int r = -errno;

		(void)renameat(dir_fd, aside, dir_fd, backup);
		return r;
	}
}

/* As it was before make_backup. */
static void drop_backup(int dir_fd, const char *backup, const char *aside)
{
	(void)unlinkat(dir_fd, backup, 0);
	(void)renameat(dir_fd, aside, dir_fd, backup);
}

/* The backup comes last but one, when only the replacement itself can still fail. */
static int replace(int dir_fd, const char *name, const char *text, const struct stat *like,
		   bool keep, struct arena *arena)
{
	const char *temporary = arena_printf(arena, ".%s.davit-%d", name, (int)getpid());
	const char *backup = arena_printf(arena, "%s" CONFIGURE_BACKUP_SUFFIX, name);
	const char *aside =
		arena_printf(arena, ".%s.davit-%d", backup ? backup : "", (int)getpid());
	int r = temporary && backup && aside ? write_temporary(dir_fd, temporary, text, like)
					     : -ENOMEM;
	bool kept = false;

	if (r == 0 && keep) {
		r = make_backup(dir_fd, name, backup, aside);
		kept = r == 0;
	}
	if (r == 0 && renameat(dir_fd, temporary, dir_fd, name) < 0)
		r = -errno;
	if (r < 0 && kept)
		drop_backup(dir_fd, backup, aside);
	else if (kept)
		(void)unlinkat(dir_fd, aside, 0);
	if (r < 0 && r != -EEXIST && temporary)
		(void)unlinkat(dir_fd, temporary, 0);
	return r;
}

/* What rename(2) and unlink(2) would refuse: immutable files, and files that are mounted. */
static int check_replaceable(const struct root *root, const char *path, struct error *err)
{
	AUTO_FD fd = root_openat(root, path, O_PATH | O_NOFOLLOW);
	struct statx st;

	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) < 0)
		return 0;
	if (st.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND))
		return failed("write", path, EPERM, err);
	if (st.stx_attributes & STATX_ATTR_MOUNT_ROOT)
		return failed("write", path, EBUSY, err);
	return 0;
}

int configure_may_write(const struct root *root, const char *path, struct arena *arena,
			struct error *err)
{
	const char *at = path, *slash;
	struct stat st;

	if (root_stat(root, path, AT_SYMLINK_NOFOLLOW, &st) == 0 && S_ISLNK(st.st_mode))
		return refuse_link(path, err);
	/* The nearest directory that exists is the one that is written into. */
	while ((slash = strrchr(at, '/'))) {
		AUTO_FD fd = -1;

		at = slash == at ? "/" : arena_strndup(arena, at, (size_t)(slash - at));
		if (!at)
			return error_memory(err);
		fd = root_openat(root, at, O_PATH | O_DIRECTORY);
		if (fd == -ENOENT && at[1])
			continue;
		if (fd < 0)
			return failed("write", path, -fd, err);
		if (faccessat(fd, ".", W_OK, AT_EACCESS) < 0)
			return failed("write", path, errno, err);
		break;
	}
	return check_replaceable(root, path, err);
}

int configure_write_limited(const struct root *root, const char *path, const char *text, bool keep,
			    const struct configure_access *access, struct arena *arena,
			    struct error *err)
{
	struct stat st = {0}, like;
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
		return refuse_link(path, err);
	}
	like = st;
	choose_access(access, &like);
	if (text)
		r = replace(dir_fd, name, text, &like, keep && st.st_mode, arena);
	else if (unlinkat(dir_fd, name, 0) < 0)
		r = -errno;
	return r < 0 ? failed(text ? "write" : "remove", path, -r, err) : 0;
}

int configure_write(const struct root *root, const char *path, const char *text, bool keep,
		    struct arena *arena, struct error *err)
{
	return configure_write_limited(root, path, text, keep, NULL, arena, err);
}
