// SPDX-License-Identifier: Apache-2.0
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nvml.h"

static const struct {
	__rlimit_resource_t resource;
	rlim_t limit;
	const char *name;
} limits[] = {
	{RLIMIT_CORE, 0, "core"},
	{RLIMIT_FSIZE, 0, "fsize"}, /* no regular file can be written, not even by its owner */
	/*
	 * The client of nvidia-persistenced allocates memory for the maximum number of descriptors.
	 */
	{RLIMIT_NOFILE, 1024, "nofile"},
#ifndef DAVIT_SANITIZE /* its shadow memory takes terabytes */
	{RLIMIT_AS, (rlim_t)1 << 30, "as"},
#endif
	{RLIMIT_CPU, 30, "cpu"},      /* a GPU's first initialisation takes seconds */
	{RLIMIT_NPROC, 256, "nproc"}, /* threads; has no effect if root keeps its real id */
};

static int set_limits(struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit limit;

		if (getrlimit(limits[i].resource, &limit) < 0)
			return error_errno(err, errno, "get the limit %s", limits[i].name);
		if (limit.rlim_max > limits[i].limit)
			limit.rlim_max = limits[i].limit;
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(limits[i].resource, &limit) < 0)
			return error_errno(err, errno, "set the limit %s", limits[i].name);
	}
	return 0;
}

static int drop_capabilities(struct error *err)
{
	cap_t none = cap_init();
	int r = none ? 0 : -ENOMEM;

	/*
	 * Without CAP_SETPCAP, the bounding set remains. No program that would use it can be
	 * executed.
	 */
	for (cap_value_t capability = 0; cap_get_bound(capability) >= 0; capability++)
		if (cap_drop_bound(capability) < 0)
			break;
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		r = -errno;
	if (r == 0 && cap_set_proc(none) < 0)
		r = -errno;
	(void)cap_free(none);
	return r < 0 ? error_errno(err, -r, "drop the capabilities") : 0;
}

/* ---- another user ------------------------------------------------------------------------ */

/* An id that no other process has, so that limits count only this run. */
#define SPARE_ID(pid) (0x7f800000U + ((unsigned)(pid)&0x3fffffU))

static bool may_open_nodes(const char *directory, bool (*is_needed)(const char *name), int mode)
{
	DIR *list = opendir(directory);
	const struct dirent *entry;
	bool may = true;

	while (list && may && (entry = readdir(list)))
		if (is_needed(entry->d_name))
			may = faccessat(dirfd(list), entry->d_name, mode, AT_EACCESS) == 0;
	if (list)
		(void)closedir(list);
	return may;
}

/*
 * Changes to the user `id`, if that user can open the library and the nodes. This is tried with the
 * user's rights, so that owners, groups and ACLs count. The real id is changed, too: before Linux
 * 5.8, faccessat can't check the effective id, and the C library then checks the real one instead.
 * If davit-nvml remains root because of the nodes, it keeps the user's real id, because the limit
 * of threads doesn't apply to root's.
 */
static int drop_root(const char *library, unsigned id)
{
	bool may;

	if (geteuid() != 0)
		return 0;
	(void)setgroups(0, NULL);
	/*
	 * In a user namespace, the id may not exist, or the right to change to it may be missing.
	 */
	if (setresgid(id, id, 0) < 0)
		return 0;
	if (setresuid(id, id, 0) < 0)
		return setresgid(0, 0, 0) < 0 ? -errno : 0;
	may = faccessat(AT_FDCWD, library, R_OK, AT_EACCESS) == 0 &&
	      may_open_nodes("/dev", node_is_needed, R_OK | W_OK) &&
	      may_open_nodes("/dev/nvidia-caps", node_is_needed_capability, R_OK);
	if (setresuid((uid_t)-1, 0, 0) < 0)
		return -errno;
	if (!may)
		return setresgid(0, 0, 0) < 0 || setresuid(id, 0, 0) < 0 ? -errno : 0;
	return setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0 ? -errno : 0;
}

/* ---- namespaces -------------------------------------------------------------------------- */

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS)

struct child {
	pid_t pid;
	bool namespaces, user;
	int out, err_out; /* its output */
	int alive;        /* closed when the caller's process ends */
};

/* A raw system call: the C library can't fork directly into new namespaces. */
static pid_t fork_into(unsigned long namespaces)
{
	return (pid_t)syscall(SYS_clone, namespaces | SIGCHLD, NULL, NULL, NULL, NULL);
}

static pid_t fork_apart(struct child *child)
{
	pid_t pid = fork_into(NAMESPACES);

	child->namespaces = pid >= 0;
	if (pid >= 0)
		return pid;
	/* If the kernel allows it, an ordinary user can create them in a user namespace. */
	pid = fork_into(NAMESPACES | CLONE_NEWUSER);
	child->namespaces = child->user = pid >= 0;
	return pid >= 0 ? pid : fork_into(0);
}

static bool write_text(const char *path, const char *text)
{
	AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* Maps the ids to themselves, so that the user stays the same in the user namespace. */
static void map_ids(uid_t uid, gid_t gid)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%u %u 1\n", uid, uid);
	(void)write_text("/proc/self/uid_map", text);
	(void)write_text("/proc/self/setgroups", "deny");
	(void)snprintf(text, sizeof(text), "%u %u 1\n", gid, gid);
	(void)write_text("/proc/self/gid_map", text);
}

/* ---- the caller's process: it relays --------------------------------------------------------- */

#define SECONDS_MAX 60
#define OUTPUT_MAX ((size_t)1024 * 1024)

/* False: stop relaying. Control characters are replaced, because a terminal would act on them. */
static bool relay(int *from, int to, size_t *total)
{
	char text[4096];
	ssize_t n = read(*from, text, sizeof(text) - 1);

	if (n < 0)
		return errno == EINTR;
	if (n == 0) {
		fd_close(from);
		return true;
	}
	for (ssize_t i = 0; i < n; i++)
		if (text[i] != '\n' && (text[i] < 0x20 || text[i] > 0x7e))
			text[i] = '?';
	*total += (size_t)n;
	for (ssize_t done = 0, wrote = 0; done < n; done += wrote) {
		wrote = write(to, text + done, (size_t)(n - done));
		if (wrote <= 0)
			return false;
	}
	return *total <= OUTPUT_MAX;
}

__attribute__((noreturn)) static void supervise(struct child *child)
{
	struct pollfd fds[2];
	size_t total = 0;
	bool goes_on = true;
	int status = 0;

	while (goes_on && (child->out >= 0 || child->err_out >= 0)) {
		fds[0] = (struct pollfd){child->out, POLLIN, 0};
		fds[1] = (struct pollfd){child->err_out, POLLIN, 0};
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[0].revents)
			goes_on = relay(&child->out, STDOUT_FILENO, &total);
		if (goes_on && fds[1].revents)
			goes_on = relay(&child->err_out, STDERR_FILENO, &total);
	}
	if (!goes_on)
		(void)kill(child->pid, SIGKILL);
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (total > OUTPUT_MAX)
		(void)dprintf(STDERR_FILENO,
			      "\ndavit-nvml: cannot continue: the library prints without end\n");
	else if (WIFSIGNALED(status))
		(void)dprintf(STDERR_FILENO,
			      "davit-nvml: cannot go on: the library was ended by signal %d\n",
			      WTERMSIG(status));
	_exit(!goes_on || !WIFEXITED(status) ? 1 : WEXITSTATUS(status));
}

/*
 * The library's process may run as either user, and must be killed without CAP_KILL, also by the
 * kernel when this process ends. So this process has an id of each.
 */
static int give_up_rights(unsigned id, struct error *err)
{
	if (geteuid() == 0 && setresuid(id, 0, 0) < 0 && errno != EPERM && errno != EINVAL)
		return error_errno(err, errno, "drop unneeded rights");
	if (prctl(PR_SET_DUMPABLE, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, errno, "drop unneeded rights");
	return drop_capabilities(err);
}

/* ---- the library's process ---------------------------------------------------------------- */

/* Closes them whatever their numbers are: lowering the limit doesn't close descriptors above it. */
static int close_others(void)
{
	struct dirent *entry;
	DIR *list;

	if (syscall(SYS_close_range, 4U, ~0U, 0U) == 0) /* Linux 5.9 */
		return 0;
	list = opendir("/proc/self/fd");
	if (!list)
		return -errno;
	while ((entry = readdir(list))) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (fd > 3 && fd != dirfd(list))
			(void)close(fd);
	}
	return closedir(list) < 0 ? -errno : 0;
}

/* No descriptor of the caller remains, so the library can't write to its terminal. */
static int take_streams(int out, int err_out, int alive)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(err_out, 2) < 0 ||
	    dup2(alive, 3) < 0)
		return -errno;
	return close_others();
}

/* Requests to be killed with the caller's process, which may already have ended. */
static int end_with_it(void)
{
	struct pollfd alive = {3, POLLIN, 0};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	if (poll(&alive, 1, 0) != 0)
		return -ESRCH;
	(void)close(3);
	return 0;
}

static int confine(const struct child *child, const char *library, const char *before,
		   const char *dev, unsigned id, struct error *err)
{
	struct places places;
	struct error no_landlock;
	bool own_root;
	int r;

	places_list(library, before, &places);
	own_root = child->namespaces && root_enter(&places, dev, err) == 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno(err, errno, "set no new privileges");
	/* For root, the private root or Landlock must work. Other users need neither. */
	r = landlock_enter(&places, dev, own_root, &no_landlock);
	if (r < 0 && !own_root && geteuid() == 0) {
		if (!child->namespaces)
			*err = no_landlock;
		return error_wrap(err, r, "protect root's files from the library");
	}
	r = drop_root(library, id);
	if (r < 0)
		return error_errno(err, -r, "change to an unprivileged user");
	/* Only now, because changing the user would reset both. */
	if (end_with_it() < 0 || prctl(PR_SET_DUMPABLE, 0) < 0)
		return error_errno(err, errno, "drop unneeded rights");
	r = drop_capabilities(err);
	return r < 0 ? r : filter_install(err);
}

/* ---- the whole --------------------------------------------------------------------------- */

int sandbox_enter(const char *library, const char *before, const char *dev, struct error *err)
{
	struct child child = {.out = -1, .err_out = -1};
	int out[2], err_out[2], alive[2];
	unsigned id = SPARE_ID(getpid());
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int r;

	/* Without SIGXFSZ, a write beyond the limit fails with EFBIG, which can be reported. */
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || signal(SIGCHLD, SIG_DFL) == SIG_ERR ||
	    chdir("/") < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err_out, O_CLOEXEC) < 0 ||
	    pipe2(alive, O_CLOEXEC) < 0)
		return error_errno(err, errno, "prepare the sandbox");
	child.pid = fork_apart(&child);
	if (child.pid < 0)
		return error_errno(err, errno, "start a process for the library");
	if (child.pid > 0) {
		const struct itimerval limit = {.it_value.tv_sec = SECONDS_MAX};

		(void)setitimer(ITIMER_REAL, &limit, NULL);
		child.out = out[0];
		child.err_out = err_out[0];
		(void)close(out[1]);
		(void)close(err_out[1]);
		(void)close(alive[0]);
		r = give_up_rights(id, err);
		if (r < 0) {
			(void)kill(child.pid, SIGKILL);
			return r;
		}
		supervise(&child);
	}
	if (child.user)
		map_ids(uid, gid);
	(void)setsid();
	r = take_streams(out[1], err_out[1], alive[0]);
	if (r < 0)
		return error_errno(err, -r, "prepare the sandbox");
	r = set_limits(err);
	return r < 0 ? r : confine(&child, library, before, dev, id, err);
}
