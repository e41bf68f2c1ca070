// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "steps.h"

#define RECORD_MAX ((size_t)4 * 1024 * 1024)
#define PROCESSES_MAX 4194304 /* PID_MAX_LIMIT */

/* One line of the record; created_files.c describes the format. */
struct created_file {
	bool stub; /* only the path is known */
	mode_t type;
	dev_t device;
	ino_t inode;
	int64_t size, time;
	const char *path;
};
struct record {
	const char *root;
	dev_t device; /* of the root */
	ino_t inode;
	struct created_file *items;
	size_t count, capacity;
};

/* ---- reading ---------------------------------------------------------------------------- */

/* Reads `count` numbers at the line's beginning; the rest is a path. */
static bool take_numbers(struct slice *line, uint64_t *ret, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct slice word;

		if (!slice_next(line, ' ', &word) ||
		    parse_number(word.data, word.length, 10, INT64_MAX, &ret[i]) < 0)
			return false;
	}
	return line->length > 0 && line->data[0] == '/';
}

static int read_line(struct slice line, struct arena *arena, struct record *ret)
{
	uint64_t numbers[5] = {0};
	struct slice word;
	struct created_file *file;
	bool stub;

	if (!slice_next(&line, ' ', &word))
		return -EINVAL;
	if (slice_equal(word, "root")) {
		if (!take_numbers(&line, numbers, 2))
			return -EINVAL;
		ret->device = (dev_t)numbers[0];
		ret->inode = (ino_t)numbers[1];
		ret->root = arena_strndup(arena, line.data, line.length);
		return ret->root ? 0 : -ENOMEM;
	}
	stub = slice_equal(word, "stub");
	if ((!stub && !slice_equal(word, "made")) || !take_numbers(&line, numbers, stub ? 0 : 5))
		return -EINVAL;
	file = ARENA_PUSH(arena, ret);
	if (!file)
		return -ENOMEM;
	*file = (struct created_file){
		.stub = stub,
		.type = (mode_t)numbers[0],
		.device = (dev_t)numbers[1],
		.inode = (ino_t)numbers[2],
		.size = (int64_t)numbers[3],
		.time = (int64_t)numbers[4],
		.path = arena_strndup(arena, line.data, line.length),
	};
	return file->path ? 0 : -ENOMEM;
}

/* 0, -ENOENT if the bundle has no record, or -errno. */
static int read_record(const char *path, struct arena *arena, struct record *ret)
{
	AUTO_FD fd = openat(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct slice rest, line;
	char *text;
	int r = fd < 0 ? -errno : file_trust(fd);

	if (r != FILE_TRUSTED)
		return r < 0 ? r : -EPERM;
	r = file_read(fd, RECORD_MAX, arena, &text, NULL);
	if (r < 0)
		return r;
	rest = slice_from(text);
	while (r == 0 && slice_next(&rest, '\n', &line))
		r = line.length ? read_line(line, arena, ret) : 0;
	return r;
}

/* ---- removing --------------------------------------------------------------------------- */

/*
 * Whether another container may have mounted on a recorded file without changing it. (attach
 * changes the time of a file on which it mounts.) Removing the file would remove that mount.
 * Engines give each container its own overlay as its root, but a plain directory may be the root of
 * several containers. The runtime's stubs are known only by their paths.
 */
static bool is_shared(const struct record *record, const struct root *root)
{
	struct statfs fs;

	for (size_t i = 0; i < record->count; i++)
		if (record->items[i].stub)
			return true;
	return fstatfs(root->fd, &fs) < 0 || fs.f_type != OVERLAYFS_SUPER_MAGIC ||
	       !fd_is_top_of_mount(root->fd);
}

/* Whether a process uses this root. If in doubt, yes. */
static bool is_used(const struct record *record, struct arena *arena)
{
	const struct root proc = {.fd = proc_fd(), .path = "/proc"};
	struct strings names = {0};

	if (proc.fd < 0 || root_list(&proc, "/", PROCESSES_MAX, arena, &names) < 0)
		return true;
	for (size_t i = 0; i < names.count; i++) {
		uint64_t pid;
		struct stat st;

		if (parse_number(names.items[i], strlen(names.items[i]), 10, INT32_MAX, &pid) ==
			    0 &&
		    proc_stat((pid_t)pid, "root", &st) == 0 && st.st_dev == record->device &&
		    st.st_ino == record->inode)
			return true;
	}
	return false;
}

/* Whether the file is the recorded one, and unchanged. */
static bool is_ours(const struct created_file *file, const struct stat *st)
{
	if (file->stub)
		return S_ISDIR(st->st_mode) ||
		       (S_ISREG(st->st_mode) && st->st_size == 0 && st->st_nlink == 1);
	if (st->st_dev != file->device || st->st_ino != file->inode ||
	    (st->st_mode & S_IFMT) != file->type)
		return false;
	if (S_ISDIR(st->st_mode))
		return true;
	/* Inode numbers are reused, often at once. */
	return (S_ISREG(st->st_mode) || S_ISLNK(st->st_mode)) && st->st_nlink == 1 &&
	       st->st_size == file->size && file_mtime(st) == file->time;
}

/* Works in one directory after another: most files are in the directory of the previous one. */
struct remover {
	const struct root *root;
	uint64_t mount; /* the root's */
	char parent[PATH_MAX];
	int fd;       /* of that directory; -1: none yet */
	bool on_root; /* it is on the root's own mount */
	struct arena *arena;
};

/* Makes the file's directory the current one. Its name there, or NULL with errno. */
static const char *reach(struct remover *remover, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash > path ? (size_t)(slash - path) : 1;
	struct stat st;
	uint64_t mount;
	int r;

	if (!slash[1] || length >= sizeof(remover->parent) || string_equal(slash + 1, ".") ||
	    string_equal(slash + 1, "..")) {
		errno = EINVAL;
		return NULL;
	}
	if (remover->fd >= 0 && strlen(remover->parent) == length &&
	    memcmp(remover->parent, path, length) == 0)
		return slash + 1;
	fd_close(&remover->fd);
	memcpy(remover->parent, path, length);
	remover->parent[length] = '\0';
	remover->fd = root_openat(remover->root, remover->parent, O_PATH | O_DIRECTORY);
	r = remover->fd < 0 ? remover->fd : fd_inspect(remover->fd, remover->arena, &st, &mount);
	if (r < 0) {
		errno = -r;
		return NULL;
	}
	remover->on_root = mount == remover->mount;
	return slash + 1;
}

static int remove_file(struct remover *remover, const struct created_file *file)
{
	const char *name = reach(remover, file->path);
	struct stat st;

	if (!name || fstatat(remover->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	/* Never remove anything on another mount. */
	if (!remover->on_root || !is_ours(file, &st))
		return -EEXIST;
	return unlinkat(remover->fd, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0 ? -errno : 0;
}

/* In reverse order, because a directory is recorded before its files. */
static void remove_all(struct remover *remover, const struct record *record)
{
	size_t removed = 0;

	for (size_t i = record->count; i-- > 0;) {
		int r = remove_file(remover, &record->items[i]);

		removed += r == 0;
		/* Files on a volume, or removed by the container, don't exist. */
		if (r < 0 && r != -ENOENT)
			log_line(LOG_LEVEL_DEBUG, "kept %s: %s", record->items[i].path,
				 r == -EEXIST ? "it was replaced since" : strerror(-r));
	}
	fd_close(&remover->fd);
	log_line(LOG_LEVEL_INFO, "removed %zu of %zu created files in %s", removed, record->count,
		 remover->root->path);
}

bool created_files_exist(const char *bundle, struct arena *arena)
{
	const char *path = arena_printf(arena, "%s/" CREATED_FILES, bundle);

	return !path || faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	       errno != ENOENT;
}

int created_files_remove(const char *bundle, struct arena *arena, struct error *err)
{
	const char *path = arena_printf(arena, "%s/" CREATED_FILES, bundle);
	struct record record = {0};
	AUTO_ROOT root = {.fd = -1};
	struct remover remover = {.root = &root, .fd = -1, .arena = arena};
	struct stat st;
	int r = path ? read_record(path, arena, &record) : -ENOMEM;

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return error_errno(err, -r, "read %s", path ? path : CREATED_FILES);
	(void)unlinkat(AT_FDCWD, path, 0);
	if (!record.root || record.count == 0)
		return 0;
	if (root_open(record.root, &root, err) < 0 || fstat(root.fd, &st) < 0 ||
	    st.st_dev != record.device || st.st_ino != record.inode) {
		log_line(LOG_LEVEL_INFO, "nothing is removed: the root %s no longer exists",
			 record.root);
		return 0;
	}
	r = root_refuse_own(&root, err);
	if (r < 0)
		return r;
	if (is_shared(&record, &root) && is_used(&record, arena)) {
		log_line(LOG_LEVEL_INFO, "nothing is removed: a process still uses the root %s",
			 record.root);
		return 0;
	}
	r = fd_inspect(root.fd, arena, &st, &remover.mount);
	if (r < 0)
		return error_errno(err, -r, "inspect the mount of %s", record.root);
	remove_all(&remover, &record);
	return 0;
}
