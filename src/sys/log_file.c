// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "davit/sys.h"

/*
 * A user who can write the directory could put something else there: a FIFO without a reader (open
 * doesn't wait), a link (not followed), a hard link to another of root's files, or a file of their
 * own.
 */
static const char *reject_file(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return strerror(errno);
	if (S_ISCHR(st.st_mode))
		return NULL; /* /dev/null, a terminal */
	if (!S_ISREG(st.st_mode))
		return "it is not a regular file";
	if (!owner_is_trusted(fd, &st))
		return "it does not belong to root";
	return st.st_nlink > 1 ? "it has several hard links" : NULL;
}

/*
 * NULL, or why it can't be the log. Then standard error becomes the log, for warnings and errors.
 */
static const char *append_to(const char *path, enum log_level level)
{
	int fd =
		open(path,
		     O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		     0640);
	const char *why = fd < 0 ? strerror(errno) : reject_file(fd);

	if (!why) {
		log_to(fd, level);
		return NULL;
	}
	fd_close(&fd);
	log_to(STDERR_FILENO, level < LOG_LEVEL_WARNING ? level : LOG_LEVEL_WARNING);
	return why;
}

bool log_try_file(const char *path, enum log_level level)
{
	if (string_equal(path, "/dev/stderr")) {
		log_to(STDERR_FILENO, level);
		return true;
	}
	return !append_to(path, level);
}

void log_to_file(const char *path, enum log_level level)
{
	const char *why = NULL;

	if (string_equal(path, "/dev/stderr"))
		log_to(STDERR_FILENO, level);
	else
		why = append_to(path, level);
	if (why)
		log_line(LOG_LEVEL_WARNING, "cannot open the log %s: %s", path, why);
}
