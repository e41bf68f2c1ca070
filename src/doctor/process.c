// SPDX-License-Identifier: Apache-2.0
/* Daemons and programs of the examined host. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "doctor.h"

#define PROCESSES_MAX 131072
#define PROC_FILE_MAX ((size_t)1024 * 1024)

/* ---- programs --------------------------------------------------------------------------- */

static bool is_davit(const char *path)
{
	static const char *const ours[] = {"davit-hook", "davit-runtime", "davit",
					   "davit-container-cli"};
	const char *slash = strrchr(path, '/');

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (string_equal(slash ? slash + 1 : path, ours[i]))
			return true;
	return false;
}

int doctor_real_path(int fd, struct arena *arena, const char **ret)
{
	char path[PATH_MAX], link[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
	ssize_t length;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path));
	*ret = length < 0 ? "" : arena_strndup(arena, path, (size_t)length);
	return *ret ? 0 : -ENOMEM;
}

/* Whether an ordinary user may open a file with these of the bits S_IROTH and S_IXOTH. */
static bool may_access(struct doctor_gathering *g, const char *path, mode_t mode)
{
	int wanted = (mode & S_IROTH ? R_OK : 0) | (mode & S_IXOTH ? X_OK : 0);
	char link[sizeof("/proc/self/fd/") + 3 * sizeof(int)];
	AUTO_FD fd = root_openat(&g->root, path, O_PATH);

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return fd < 0 || access(link, wanted) == 0 || (errno != EACCES && errno != EPERM);
}

int doctor_find_closed(struct doctor_gathering *g, const char *path, mode_t mode, const char **ret)
{
	size_t length = strlen(path);
	const char *before = "/";

	*ret = NULL;
	for (size_t i = 1; i <= length; i++) {
		const char *at;
		mode_t wanted = i < length ? S_IXOTH : mode;
		struct stat st;
		int r;

		if (i < length && path[i] != '/')
			continue;
		at = arena_strndup(g->arena, path, i);
		if (!at)
			return -ENOMEM;
		r = root_stat(&g->root, at, 0, &st);
		if (r == -EACCES)
			*ret = before;
		else if (r == 0 &&
			 (g->host->system.uid == 0 ? (st.st_mode & wanted) != wanted
						   : i == length && !may_access(g, at, mode)))
			*ret = at;
		if (r < 0 || *ret)
			break;
		before = at;
	}
	return 0;
}

/* 1 if it exists and is executable. */
static int try_program(struct doctor_gathering *g, const char *path, struct doctor_program *ret)
{
	struct stat st, link;
	const char *resolved;
	AUTO_FD fd = root_openat(&g->root, path, O_PATH);

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return 0;
	if (doctor_real_path(fd, g->arena, &resolved) < 0)
		return -ENOMEM;
	ret->path = path;
	ret->ours = is_davit(resolved);
	ret->changed = st.st_ctime;
	/* The daemon may have missed a link that was created after its start. */
	if (root_stat(&g->root, path, AT_SYMLINK_NOFOLLOW, &link) == 0 && S_ISLNK(link.st_mode))
		ret->changed = link.st_ctime;
	return 1;
}

int doctor_find_program(struct doctor_gathering *g, const char *name, const char *search,
			struct doctor_program *ret)
{
	struct slice rest = slice_from(search ? search : ""), directory;
	int r = 0;

	*ret = (struct doctor_program){.name = name};
	if (strchr(name, '/')) {
		r = try_program(g, name, ret);
		return r < 0 ? r : 0;
	}
	while (r == 0 && slice_next(&rest, ':', &directory)) {
		const char *path;

		if (directory.length == 0 || directory.data[0] != '/')
			continue;
		path = arena_printf(g->arena, "%.*s/%s", (int)directory.length, directory.data,
				    name);
		r = path ? try_program(g, path, ret) : -ENOMEM;
	}
	return r < 0 ? r : 0;
}

/* ---- daemons ---------------------------------------------------------------------------- */

static char *read_of(struct doctor_gathering *g, const char *pid, const char *name,
		     size_t *ret_length)
{
	const char *path = arena_printf(g->arena, "proc/%s/%s", pid, name);
	char *text;

	if (!path || root_read(&g->root, path, PROC_FILE_MAX, g->arena, &text, ret_length) < 0)
		return NULL;
	return text;
}

/* The value of NAME= in a list of texts that end with NUL. */
static const char *value_among(const char *texts, size_t length, const char *name)
{
	const char *end = texts + length;

	for (const char *at = texts; at < end; at += strlen(at) + 1)
		if (strncmp(at, name, strlen(name)) == 0 && at[strlen(name)] == '=')
			return at + strlen(name) + 1;
	return NULL;
}

/*
 * The start time of a process: field 22 of stat (proc(5)), in ticks since the boot time in
 * /proc/stat. 0: unknown.
 */
static int64_t start_of(struct doctor_gathering *g, const char *pid)
{
	char *text = read_of(g, pid, "stat", NULL), *kernel = read_of(g, ".", "stat", NULL);
	const char *at = text ? strrchr(text, ')') : NULL;
	struct slice rest, word = {0};
	uint64_t ticks, boot = 0;
	long hertz = sysconf(_SC_CLK_TCK);

	if (!at || !kernel || hertz <= 0)
		return 0;
	rest = slice_from(at + 1);
	/* The first word is empty: a blank follows the name. */
	for (int field = 2; field <= 22; field++)
		if (!slice_next(&rest, ' ', &word))
			return 0;
	if (parse_number(word.data, word.length, 10, INT64_MAX / 2, &ticks) < 0)
		return 0;
	rest = slice_from(kernel);
	while (slice_next(&rest, '\n', &word))
		if (slice_starts(word, "btime ") &&
		    parse_number(word.data + 6, word.length - 6, 10, INT64_MAX / 2, &boot) < 0)
			return 0;
	return boot ? (int64_t)(boot + ticks / (uint64_t)hertz) : 0;
}

static bool is_number(const char *text)
{
	uint64_t number;

	return parse_number(text, strlen(text), 10, INT32_MAX, &number) == 0 && number > 0;
}

/* Rootless Docker's daemon has its own mount namespace, from rootlesskit, and a variable that says
 * so. */
static bool is_in_rootlesskit(struct doctor_gathering *g, const char *pid)
{
	size_t length = 0;
	const char *text = geteuid() == 0 ? NULL : read_of(g, pid, "environ", &length);

	return text && value_among(text, length, "ROOTLESSKIT_STATE_DIR");
}

static bool is_same_file(const struct stat *one, const struct stat *other)
{
	return one->st_dev == other->st_dev && one->st_ino == other->st_ino;
}

/*
 * Whether a process in another mount namespace is a snap's: it runs the host's own file of the snap
 * (an image may have a file with that path), in the namespace that snapd keeps for the snap. A
 * container can run the host's file, but not in that namespace.
 */
static bool is_of_snap(struct doctor_gathering *g, const char *pid, const char *program,
		       const struct stat *namespace)
{
	static const char folder[] = "/snap/";
	const char *exe = arena_printf(g->arena, "/proc/%s/exe", pid), *name, *kept;
	struct stat its, ours;

	if (!string_starts(program, folder))
		return false;
	name = program + strlen(folder);
	kept = arena_printf(g->arena, "/run/snapd/ns/%.*s.mnt", (int)strcspn(name, "/"), name);
	return exe && kept && stat(exe, &its) == 0 && root_stat(&g->root, program, 0, &ours) == 0 &&
	       is_same_file(&its, &ours) && root_stat(&g->root, kept, 0, &ours) == 0 &&
	       is_same_file(namespace, &ours);
}

/*
 * Whether it is the host's service of that daemon, which may have mounts of its own (PrivateTmp=).
 * The cgroup of systemd in a container has a longer path, and so has a container's in a service.
 */
static bool is_of_service(struct doctor_gathering *g, const char *pid, const char *name)
{
	const char *text = read_of(g, pid, "cgroup", NULL);
	const char *own = arena_printf(g->arena, ":/system.slice/%s.service\n",
				       string_equal(name, "dockerd") ? "docker" : name);

	return text && own && strstr(text, own);
}

/* Whether the daemon is this host's, not one in a container. */
static bool is_of_host(struct doctor_gathering *g, const char *pid, const char *name,
		       const char *program)
{
	const char *path = arena_printf(g->arena, "/proc/%s/ns/mnt", pid);
	struct stat ours, its;

	if (!string_equal(g->root.path, "/") || is_in_rootlesskit(g, pid))
		return true;
	return !path || stat(path, &its) < 0 || proc_stat(0, "ns/mnt", &ours) < 0 ||
	       is_same_file(&its, &ours) || is_of_service(g, pid, name) ||
	       is_of_snap(g, pid, program, &its);
}

/* Reads the real and the effective id from the line "Uid:" of status (proc(5)). */
static bool read_uids(struct doctor_gathering *g, const char *pid, uint64_t ret[static 2])
{
	char *text = read_of(g, pid, "status", NULL);
	struct slice rest = slice_from(text ? text : ""), line, word;

	while (slice_next(&rest, '\n', &line)) {
		if (!slice_starts(line, "Uid:\t"))
			continue;
		(void)slice_next(&line, '\t', &word);
		for (int i = 0; i < 2; i++)
			if (!slice_next(&line, '\t', &word) ||
			    parse_number(word.data, word.length, 10, UINT32_MAX, &ret[i]) < 0)
				return false;
		return true;
	}
	return false;
}

/*
 * Any user can call a process dockerd. So a daemon counts only if root or the caller runs it
 * (rootless Docker), from a program file that no other user can write. A setuid program doesn't
 * count, because any user can start it under any name, for example sudo through a link called
 * dockerd. The owner of /proc/PID proves nothing: it is root for every process that can't be
 * dumped.
 */
static bool is_trusted(struct doctor_gathering *g, const char *pid, const char *program)
{
	bool real = string_equal(g->root.path, "/");
	const char *exe = arena_printf(g->arena, "/proc/%s/exe", pid);
	uint64_t uids[2];
	struct stat st;
	int r;

	/* A copy of a host's files may lack /proc. */
	if (!read_uids(g, pid, uids)) {
		if (real)
			return false;
	} else if (uids[0] != uids[1] || (uids[0] != 0 && uids[0] != geteuid())) {
		return false;
	}
	if (!exe)
		return false;
	r = real ? (stat(exe, &st) < 0 ? -errno : 0) : root_stat(&g->root, program, 0, &st);
	/* Only root can read the program file of another user's process. */
	if (r == -EACCES || r == -EPERM || (r < 0 && !real))
		return true;
	return r == 0 && S_ISREG(st.st_mode) && (st.st_uid == 0 || st.st_uid == geteuid()) &&
	       !(st.st_mode & (S_IWGRP | S_IWOTH | S_ISUID | S_ISGID));
}

/* The containerd that dockerd starts and configures itself. */
static bool is_dockers_own(const struct strings *arguments)
{
	for (size_t i = 1; i < arguments->count; i++)
		if (string_ends(arguments->items[i], "/containerd/containerd.toml"))
			return true;
	return false;
}

static int take_daemon(struct doctor_gathering *g, const char *pid, const char *name,
		       struct doctor_engine *engine, struct strings *arguments)
{
	size_t length = 0;
	const char *exe = arena_printf(g->arena, "proc/%s/exe", pid);
	char *text = read_of(g, pid, "cmdline", &length);
	const char *program = exe ? root_readlink(&g->root, exe, g->arena) : NULL;
	uint64_t uids[2];

	if (!program)
		program = text && text[0] ? text : "";
	if (!is_of_host(g, pid, name, program) || !is_trusted(g, pid, program))
		return 0;
	for (const char *at = text; text && at < text + length; at += strlen(at) + 1)
		if (strings_add(g->arena, arguments, at) < 0)
			return -ENOMEM;
	if (is_dockers_own(arguments)) {
		*arguments = (struct strings){0};
		return 0;
	}
	engine->pid = (unsigned)strtoul(pid, NULL, 10);
	engine->started = start_of(g, pid);
	engine->snap = string_starts(program, "/snap/");
	if (program[0] == '/')
		engine->program = program;
	text = read_of(g, pid, "environ", &length);
	engine->hidden = !text;
	engine->search = text ? value_among(text, length, "PATH") : NULL;
	engine->home = text ? value_among(text, length, "HOME") : NULL;
	engine->config_home = text ? value_among(text, length, "XDG_CONFIG_HOME") : NULL;
	engine->rootless = read_uids(g, pid, uids) && uids[0] != 0;
	return 1;
}

int doctor_find_daemon(struct doctor_gathering *g, const char *name, struct doctor_engine *engine,
		       struct strings *ret_arguments)
{
	struct strings pids = {0};
	bool found = false;

	(void)root_list(&g->root, "proc", PROCESSES_MAX, g->arena, &pids);
	for (size_t i = 0; i < pids.count; i++) {
		const char *text =
			is_number(pids.items[i]) ? read_of(g, pids.items[i], "comm", NULL) : NULL;
		struct strings arguments = {0};
		uint64_t uids[2];
		int r;

		if (!text || !slice_equal(slice_trim(slice_from(text)), name))
			continue;
		/* The caller's own daemon replaces the system's, which was found first. */
		if (found && read_uids(g, pids.items[i], uids) && uids[0] == 0)
			continue;
		r = take_daemon(g, pids.items[i], name, engine, &arguments);
		if (r < 0)
			return r;
		if (r == 0)
			continue;
		*ret_arguments = arguments;
		found = true;
		if (geteuid() == 0 || engine->rootless)
			break;
	}
	return 0;
}

/* ---- other processes -------------------------------------------------------------------- */

/* The kernel truncates process names to 15 characters (proc(5), comm). */
#define COMM_MAX 15
#define SYSTEM_UID_MAX 999
/* The kernel's PROC_PID_INIT_INO: the host's own PID namespace. */
#define HOST_PID_NAMESPACE 0xEFFFFFFCU

unsigned doctor_find_process(struct doctor_gathering *g, const char *name)
{
	struct strings pids = {0};

	(void)root_list(&g->root, "proc", PROCESSES_MAX, g->arena, &pids);
	for (size_t i = 0; i < pids.count; i++) {
		const char *text =
			is_number(pids.items[i]) ? read_of(g, pids.items[i], "comm", NULL) : NULL;
		struct slice comm = slice_trim(slice_from(text ? text : ""));
		uint64_t uids[2];

		/* A user can give a process any name, so only root and system accounts count. */
		if (comm.length && comm.length <= COMM_MAX &&
		    strncmp(name, comm.data, comm.length) == 0 &&
		    (comm.length == COMM_MAX || !name[comm.length]) &&
		    read_uids(g, pids.items[i], uids) && uids[0] <= SYSTEM_UID_MAX)
			return (unsigned)strtoul(pids.items[i], NULL, 10);
	}
	return 0;
}

bool doctor_processes_are_hidden(const struct doctor_gathering *g)
{
	struct stat st;

	if (!string_equal(g->root.path, "/"))
		return false;
	return proc_stat(0, "ns/pid", &st) < 0 || st.st_ino != HOST_PID_NAMESPACE ||
	       !doctor_exists(g, "proc/1/status");
}

bool doctor_exists(const struct doctor_gathering *g, const char *path)
{
	struct stat st;

	return root_stat(&g->root, path, 0, &st) == 0;
}
