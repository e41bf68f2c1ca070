// SPDX-License-Identifier: Apache-2.0
/* Finds the containerd program of the running daemon that reads a file. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "containerd.h"

#define PROCESSES_MAX 131072
#define TEXT_MAX ((size_t)1024 * 1024)

/* ---- the running daemon ----------------------------------------------------------------- */

static char *read_of(const struct root *root, const char *pid, const char *name,
		     struct arena *arena, size_t *ret_length)
{
	const char *path = arena_printf(arena, "proc/%s/%s", pid, name);
	char *text;

	if (!path || root_read(root, path, TEXT_MAX, arena, &text, ret_length) < 0)
		return NULL;
	return text;
}

/* The target of a link of /proc/PID, or NULL. */
static const char *link_of(const char *pid, const char *name, struct arena *arena)
{
	const char *path = arena_printf(arena, "/proc/%s/%s", pid, name);
	char target[PATH_MAX];
	ssize_t length = path ? readlink(path, target, sizeof(target)) : -1;

	return length <= 0 ? NULL : arena_strndup(arena, target, (size_t)length);
}

/* Whether the process has this user as its real and its effective one. */
static bool is_of_user(const struct root *root, const char *pid, uid_t uid, struct arena *arena)
{
	const char *status = read_of(root, pid, "status", arena, NULL);
	const char *want = arena_printf(arena, "\nUid:\t%u\t%u\t", (unsigned)uid, (unsigned)uid);

	return status && want && strstr(status, want);
}

/* Whether it sees this root directory: not a daemon in a container. */
static bool has_root(const struct root *root, const char *pid, struct arena *arena)
{
	const char *path = arena_printf(arena, "/proc/%s/root", pid);
	struct stat ours, its;

	return path && stat(path, &its) == 0 && fstat(root->fd, &ours) == 0 &&
	       its.st_dev == ours.st_dev && its.st_ino == ours.st_ino;
}

/* The file that its arguments name. */
static const char *config_of(const char *arguments, size_t length)
{
	const char *end = arguments + length, *at = arguments;

	for (; at < end; at += strlen(at) + 1) {
		const char *next = at + strlen(at) + 1;

		if (string_starts(at, "--config="))
			return at + strlen("--config=");
		if ((string_equal(at, "--config") || string_equal(at, "-c")) && next < end)
			return next;
	}
	return CONTAINERD_MAIN;
}

static bool reads_file(const struct root *root, const char *pid,
		       const struct containerd_distribution *distribution, struct arena *arena)
{
	size_t length = 0;
	const char *arguments = read_of(root, pid, "cmdline", arena, &length);
	const char *config = arguments ? config_of(arguments, length) : "";

	return string_equal(config, distribution->file) ||
	       (distribution->rootless && string_equal(config, CONTAINERD_MAIN));
}

static bool is_number(const char *text)
{
	uint64_t number;

	return parse_number(text, strlen(text), 10, INT32_MAX, &number) == 0 && number > 0;
}

static bool open_running(const struct root *root, const char *pid, struct arena *arena,
			 struct containerd_program *ret)
{
	static const char deleted[] = " (deleted)";
	const char *exe = arena_printf(arena, "/proc/%s/exe", pid);
	const char *path = link_of(pid, "exe", arena);
	const char *folder = link_of(pid, "cwd", arena);

	if (!exe || !path)
		return false;
	if (folder && folder[0] == '/' && !string_ends(folder, deleted))
		ret->folder = folder;
	/* After an upgrade, the next start runs the new file. */
	if (string_ends(path, deleted)) {
		path = arena_strndup(arena, path, strlen(path) - strlen(deleted));
		return path && containerd_open_trusted(root, path, ret);
	}
	ret->fd = open(exe, O_PATH | O_CLOEXEC);
	if (ret->fd >= 0 && file_trust(ret->fd) != FILE_TRUSTED)
		fd_close(&ret->fd);
	ret->path = path;
	return ret->fd >= 0;
}

bool containerd_open_running(const struct root *root,
			     const struct containerd_distribution *distribution,
			     struct arena *arena, struct containerd_program *ret)
{
	uid_t uid = distribution->rootless ? geteuid() : 0;
	struct strings pids = {0};

	(void)root_list(root, "proc", PROCESSES_MAX, arena, &pids);
	for (size_t i = 0; i < pids.count; i++) {
		const char *pid = pids.items[i];
		const char *name = is_number(pid) ? read_of(root, pid, "comm", arena, NULL) : NULL;

		if (name && string_equal(name, "containerd\n") &&
		    is_of_user(root, pid, uid, arena) && has_root(root, pid, arena) &&
		    reads_file(root, pid, distribution, arena) &&
		    open_running(root, pid, arena, ret))
			return true;
	}
	return false;
}
