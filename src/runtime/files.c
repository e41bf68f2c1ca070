// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "davit/json.h"
#include "davit/runtime.h"
#include "davit/sys.h"

/* Whether it can be executed, and isn't davit-runtime itself. */
static bool is_runtime(const char *path, int self)
{
	struct stat ours, theirs;

	if (stat(path, &theirs) < 0 || !S_ISREG(theirs.st_mode) || access(path, X_OK) < 0)
		return false;
	return fstat(self, &ours) < 0 || ours.st_dev != theirs.st_dev ||
	       ours.st_ino != theirs.st_ino;
}

static int check_owner(int fd, const char *path, struct error *err)
{
	struct stat st;
	int r = 0;

	if (fstat(fd, &st) < 0)
		return error_errno(err, errno, "inspect %s", path);
	if (!owner_is_trusted(fd, &st)) {
		r = error_set(err, ERROR_BAD_CONFIG, EPERM, NULL,
			      "run the low-level runtime: %s does not belong to root", path);
		return error_fix(
			err, r, "run `chown root %s`, or name another in runtime.candidates", path);
	}
	if (st.st_mode & (S_IWGRP | S_IWOTH)) {
		r = error_set(err, ERROR_BAD_CONFIG, EPERM, NULL,
			      "run the low-level runtime: users other than its owner can write %s",
			      path);
		return error_fix(
			err, r, "run `chmod go-w %s`, or name another in runtime.candidates", path);
	}
	return 0;
}

/*
 * The program's real file, and its directory: users who can write them act with root's
 * rights.
 */
static int check_runtime(const char *path, struct arena *arena, struct error *err)
{
	AUTO_FD fd = open(path, O_PATH | O_CLOEXEC);
	AUTO_FD dir_fd = -1;
	const char *real = fd < 0 ? NULL : fd_path(fd, arena), *directory;
	int r;

	if (!real)
		return error_errno(err, fd < 0 ? errno : ENOENT, "inspect %s", path);
	r = check_owner(fd, real, err);
	if (r < 0)
		return r;
	directory = arena_strndup(arena, real, (size_t)(strrchr(real, '/') - real));
	if (!directory)
		return error_memory(err);
	directory = *directory ? directory : "/";
	dir_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return error_errno(err, errno, "inspect %s", directory);
	return check_owner(dir_fd, directory, err);
}

/* ---- in the caller's PATH ---------------------------------------------------------------- */

/*
 * Whether no other user can exchange a part of the path: its links and directories are root's or
 * the caller's. In a sticky directory, others can't rename what isn't theirs. Where the links lead
 * isn't looked at.
 */
static bool is_protected(const char *path, struct arena *arena)
{
	for (const char *end = strchr(path + 1, '/');; end = strchr(end + 1, '/')) {
		const char *part = end ? arena_strndup(arena, path, (size_t)(end - path)) : path;
		AUTO_FD fd = part ? open(part, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0 || !owner_is_trusted(fd, &st))
			return false;
		if (S_ISDIR(st.st_mode) && st.st_mode & (S_IWGRP | S_IWOTH) &&
		    !(st.st_mode & S_ISVTX))
			return false;
		if (!end)
			return true;
	}
}

/* The program's path without links, if nobody else can exchange it; otherwise NULL. */
static const char *find_protected(const char *directory, const char *file, struct arena *arena)
{
	AUTO_FD dir_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_FD fd = open(file, O_PATH | O_CLOEXEC);
	const char *real_dir = dir_fd < 0 ? NULL : fd_path(dir_fd, arena);
	const char *real = fd < 0 ? NULL : fd_path(fd, arena);
	struct error ignored = {0};

	if (!real_dir || !real || check_owner(fd, real, &ignored) < 0)
		return NULL;
	return is_protected(file, arena) && is_protected(real_dir, arena) &&
			       is_protected(real, arena)
		       ? real
		       : NULL;
}

/* ---- all places -------------------------------------------------------------------------- */

struct search {
	const char *path; /* the caller's PATH, or NULL */
	int self;
	struct arena *arena;
	const char *skipped; /* a program in PATH that others can exchange; NULL: none */
};

/* directory: of the caller's PATH, or NULL. */
static const char *look_at(struct search *search, const char *file, const char *directory)
{
	const char *real;

	if (!is_runtime(file, search->self))
		return NULL;
	if (!directory)
		return file;
	real = find_protected(directory, file, search->arena);
	if (!real)
		search->skipped = file;
	return real;
}

static const char *look_in(struct search *search, const char *path, const char *name,
			   bool protected)
{
	struct slice rest = slice_from(path), dir;

	while (slice_next(&rest, ':', &dir)) {
		/* A relative path would depend on the caller's working directory. */
		const char *directory = dir.length > 0 && dir.data[0] == '/'
						? arena_strndup(search->arena, dir.data, dir.length)
						: NULL;
		const char *file =
			directory ? arena_printf(search->arena, "%s/%s", directory, name) : NULL;

		file = file ? look_at(search, file, protected ? directory : NULL) : NULL;
		if (file)
			return file;
	}
	return NULL;
}

static const char *find_candidate(struct search *search, const char *name)
{
	const char *found;

	if (name[0] == '/')
		return look_at(search, name, NULL);
	if (strchr(name, '/'))
		return NULL;
	found = search->path ? look_in(search, search->path, name, true) : NULL;
	return found ? found : look_in(search, RUNTIME_PATH, name, false);
}

int runtime_find(const struct strings *candidates, const char *path, int self, struct arena *arena,
		 const char **ret, struct error *err)
{
	struct search search = {.path = path, .self = self, .arena = arena};
	const char *found = NULL, *names;
	int r;

	for (size_t i = 0; !found && i < candidates->count; i++)
		found = find_candidate(&search, candidates->items[i]);
	if (found) {
		r = check_runtime(found, arena, err);
		if (r == 0)
			*ret = found;
		return r;
	}
	if (search.skipped)
		return error_set(err, ERROR_SYSTEM, ENOENT,
				 "make it and its directories writable only by root, or name "
				 "another in runtime.candidates",
				 "run the low-level runtime: users other than its owner can "
				 "replace %s",
				 search.skipped);
	names = strings_join(arena, candidates, ", ");
	return error_set(err, ERROR_SYSTEM, ENOENT,
			 "install one of them, or name another in runtime.candidates",
			 "find a low-level runtime: none of %s exists in PATH or in " RUNTIME_PATH,
			 names ? names : "them");
}

bool runtime_mounts_in_spec(enum runtime_mounts mounts, const char *low_level_runtime)
{
	const char *slash = strrchr(low_level_runtime, '/');
	const char *name = slash ? slash + 1 : low_level_runtime;

	if (mounts != RUNTIME_MOUNTS_AUTO)
		return mounts == RUNTIME_MOUNTS_SPEC;
	return string_starts(name, "runsc") || string_starts(name, "kata");
}

/* Fills the temporary file and moves it onto path. Not synced: engines write the file anew. */
static int fill(int fd, const char *temporary, const char *path, int like, const char *text,
		size_t length)
{
	struct stat st;
	int r;

	if (like >= 0 && (fstat(like, &st) < 0 || fchown(fd, st.st_uid, st.st_gid) < 0 ||
			  fchmod(fd, st.st_mode & 07777) < 0))
		return -errno;
	r = file_write(fd, text, length);
	if (r < 0)
		return r;
	return renameat(AT_FDCWD, temporary, AT_FDCWD, path) < 0 ? -errno : 0;
}

int file_replace(const char *path, int like, const char *text, size_t length, struct error *err)
{
	char temporary[PATH_MAX];
	AUTO_FD fd = -1;
	int r, written = snprintf(temporary, sizeof(temporary), "%s.davit-%d", path, (int)getpid());

	if (written < 0 || (size_t)written >= sizeof(temporary))
		return error_errno(err, ENAMETOOLONG, "write %s", path);
	/* A killed process with the same number may have left this file. */
	(void)unlinkat(AT_FDCWD, temporary, 0);
	fd = openat(AT_FDCWD, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0) {
		r = error_errno(err, errno, "write %s", path);
		return error_fix(err, r, "make the bundle's directory writable for davit-runtime");
	}
	r = fill(fd, temporary, path, like, text, length);
	if (r < 0) {
		(void)unlinkat(AT_FDCWD, temporary, 0);
		return error_errno(err, -r, "write %s", path);
	}
	return 0;
}

/* ---- the runtime's log ------------------------------------------------------------------ */

/* Quotes the text as in JSON. logrus quotes its plain text lines the same way. */
static int log_entry(bool json, const char *line, const char *when, char *ret, size_t room)
{
	AUTO_JSON *message = json_object_new_string(line);
	const char *quoted =
		json_object_to_json_string_ext(message, JSON_C_TO_STRING_NOSLASHESCAPE);

	if (json)
		return snprintf(ret, room, "{\"level\":\"error\",\"msg\":%s,\"time\":\"%s\"}\n",
				quoted, when);
	return snprintf(ret, room, "time=\"%s\" level=error msg=%s\n", when, quoted);
}

void runtime_log_error(const char *file, bool json, const char *line)
{
	/* Twice the line: each of its characters may need a backslash. */
	char entry[2 * ERROR_LINE_MAX + 128], when[sizeof("2026-01-01T00:00:00Z")];
	time_t now = time(NULL);
	struct tm parts;
	AUTO_FD fd =
		openat(AT_FDCWD, file,
		       O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0644);
	int length;

	if (fd < 0 || !gmtime_r(&now, &parts) ||
	    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
		return;
	length = log_entry(json, line, when, entry, sizeof(entry));
	if (length > 0 && (size_t)length < sizeof(entry))
		(void)file_write(fd, entry, (size_t)length);
}
