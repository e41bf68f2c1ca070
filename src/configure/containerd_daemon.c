// SPDX-License-Identifier: Apache-2.0
/* Finds the containerd program of the running daemon that reads a file. */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "containerd.h"

#define PROCESSES_MAX 131072
#define TEXT_MAX ((size_t)1024 * 1024)
#define SERVICE "containerd"
#define DELETED " (deleted)" /* behind the target of a link of /proc */

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

/* The target of a link of the root's proc/PID, or NULL. */
static const char *link_of(const struct root *root, const char *pid, const char *name,
			   struct arena *arena)
{
	const char *path = arena_printf(arena, "proc/%s/%s", pid, name);

	return path ? root_readlink(root, path, arena) : NULL;
}

/* Whether the process has this user as its real and its effective one. */
static bool is_of_user(const struct root *root, const char *pid, uid_t uid, struct arena *arena)
{
	const char *status = read_of(root, pid, "status", arena, NULL);
	const char *want = arena_printf(arena, "\nUid:\t%u\t%u\t", (unsigned)uid, (unsigned)uid);

	return status && want && strstr(status, want);
}

/* Whether the two processes have the same mount namespace. False if it can't be found out. */
static bool have_same_mounts(const struct root *root, const char *pid, const char *other,
			     struct arena *arena)
{
	const char *its = link_of(root, pid, "ns/mnt", arena);

	return its && string_equal(its, link_of(root, other, "ns/mnt", arena));
}

/* For a process of this host; of another root, only the text of the link is known. */
static bool has_root(const struct root *root, const char *pid, struct arena *arena)
{
	const char *path = arena_printf(arena, "/proc/%s/root", pid);
	struct stat ours, its;

	if (!string_equal(root->path, "/"))
		return string_equal(link_of(root, pid, "root", arena), "/");
	return path && stat(path, &its) == 0 && fstat(root->fd, &ours) == 0 &&
	       its.st_dev == ours.st_dev && its.st_ino == ours.st_ino;
}

/*
 * Whether it is the host's containerd.service, which may have mounts of its own (PrivateTmp=). The
 * cgroup of systemd in a container has a longer path, and so has a container's in another service.
 */
static bool is_host_service(const struct root *root, const char *pid, struct arena *arena)
{
	const char *text = read_of(root, pid, "cgroup", arena, NULL);

	return text && strstr(text, ":/system.slice/" SERVICE ".service\n");
}

/*
 * Whether it is a daemon of this host, and not in a container. A container can enter the host's
 * root directory with chroot, if the host's files are mounted in it. Its mount namespace is always
 * its own. A user's own daemon has a namespace of rootlesskit, with the same root directory.
 */
static bool is_of_host(const struct root *root, const char *pid, uid_t uid, struct arena *arena)
{
	if (!has_root(root, pid, arena))
		return false;
	return uid != 0 || have_same_mounts(root, pid, "1", arena) ||
	       (string_equal(root->path, "/") && have_same_mounts(root, pid, "self", arena)) ||
	       is_host_service(root, pid, arena);
}

bool containerd_read_arguments(const struct strings *arguments, const char **ret_file)
{
	static const char *const valued[] = {"config", "c",       "log-level", "l",
					     "root",   "address", "a",         "state"};

	*ret_file = NULL;
	/* As Go's package flag: -config is --config, and the last one counts. */
	for (size_t i = 0; i < arguments->count; i++) {
		const char *at = arguments->items[i];
		size_t dashes = strspn(at, "-"), length = strcspn(at + dashes, "=");
		struct slice name = {at + dashes, length};
		const char *value = at[dashes + length] ? at + dashes + length + 1 : NULL;
		bool takes = false;

		/* A command, such as `config dump`. */
		if (dashes < 1 || dashes > 2 || !length || slice_equal(name, "version") ||
		    slice_equal(name, "v") || slice_equal(name, "help") || slice_equal(name, "h"))
			return false;
		for (size_t j = 0; j < ARRAY_SIZE(valued); j++)
			takes |= slice_equal(name, valued[j]);
		if (takes && !value && ++i < arguments->count)
			value = arguments->items[i];
		if (value && (slice_equal(name, "config") || slice_equal(name, "c")))
			*ret_file = value;
	}
	return true;
}

/* NULL without memory. */
static const char *make_absolute(const char *file, const char *folder, struct arena *arena)
{
	const char *path =
		file[0] == '/' ? file : arena_printf(arena, "%s/%s", folder ? folder : "", file);

	return path ? containerd_clean(path, arena) : NULL;
}

static int read_arguments(const struct root *root, const char *pid, struct arena *arena,
			  struct strings *ret)
{
	size_t length = 0;
	const char *text = read_of(root, pid, "cmdline", arena, &length);
	bool first = true;

	*ret = (struct strings){0};
	for (const char *at = text; at && at < text + length; at += strlen(at) + 1) {
		if (!first && strings_add(arena, ret, at) < 0)
			return -ENOMEM;
		first = false;
	}
	return 0;
}

/* Its working directory, or NULL. */
static const char *folder_of(const struct root *root, const char *pid, struct arena *arena)
{
	const char *folder = link_of(root, pid, "cwd", arena);

	return folder && folder[0] == '/' && !string_ends(folder, DELETED) ? folder : NULL;
}

/* Whether a file's directory is the same one for the process: it may have a mount there. */
static bool sees_folder(const struct root *root, const char *pid, const char *file,
			struct arena *arena)
{
	int length = (int)(strrchr(file, '/') - file);
	const char *path = arena_printf(arena, "/proc/%s/root%.*s", pid, length, file);
	struct stat ours, its;
	bool here, there;

	/* Processes of another root are only read about. */
	if (!path || !string_equal(root->path, "/"))
		return path != NULL;
	here = root_stat(root, path + strlen("/proc//root") + strlen(pid), 0, &ours) == 0;
	there = stat(path, &its) == 0;
	return here == there && (!here || (its.st_dev == ours.st_dev && its.st_ino == ours.st_ino));
}

/* The file that a daemon reads; NULL: it isn't one, or reads another file at that path. */
static const char *file_of(const struct root *root, const char *pid, bool rootless,
			   struct arena *arena)
{
	struct strings arguments;
	const char *file;

	if (read_arguments(root, pid, arena, &arguments) < 0 ||
	    !containerd_read_arguments(&arguments, &file))
		return NULL;
	file = file ? make_absolute(file, folder_of(root, pid, arena), arena) : CONTAINERD_MAIN;
	/* rootlesskit mounts the directory of a user's file at /etc/containerd. */
	return file && (rootless || sees_folder(root, pid, file, arena)) ? file : NULL;
}

static bool reads_file(const struct root *root, const char *pid,
		       const struct containerd_distribution *distribution, struct arena *arena)
{
	const char *file = file_of(root, pid, distribution->rootless, arena);

	return file && (string_equal(file, distribution->file) ||
			(distribution->rootless && string_equal(file, CONTAINERD_MAIN)));
}

static bool is_number(const char *text)
{
	uint64_t number;

	return parse_number(text, strlen(text), 10, INT32_MAX, &number) == 0 && number > 0;
}

static bool is_same_file(const char *path, int fd)
{
	struct stat one, other;

	return stat(path, &one) == 0 && fstat(fd, &other) == 0 && one.st_dev == other.st_dev &&
	       one.st_ino == other.st_ino;
}

/*
 * The program is opened by the host's own path, never by /proc/PID/exe: what runs in a container
 * may be a file of its image.
 */
static bool open_running(const struct root *root, const char *pid, struct arena *arena,
			 struct containerd_program *ret)
{
	const char *exe = arena_printf(arena, "/proc/%s/exe", pid);
	const char *path = link_of(root, pid, "exe", arena);
	bool replaced = path && string_ends(path, DELETED);

	/* After an upgrade, the next start runs the new file. */
	if (replaced)
		path = arena_strndup(arena, path, strlen(path) - strlen(DELETED));
	if (!exe || !path)
		return false;
	ret->path = path;
	ret->fd = configure_open_program(root, path);
	if (ret->fd < 0)
		return false;
	if (!replaced && !is_same_file(exe, ret->fd)) {
		fd_close(&ret->fd);
		return false;
	}
	ret->folder = folder_of(root, pid, arena);
	return true;
}

/* All processes of that name with this user and this root directory. */
static int find_processes(const struct root *root, uid_t uid, struct arena *arena,
			  struct strings *ret)
{
	struct strings pids = {0};

	*ret = (struct strings){0};
	(void)root_list(root, "proc", PROCESSES_MAX, arena, &pids);
	for (size_t i = 0; i < pids.count; i++) {
		const char *pid = pids.items[i];
		const char *name = is_number(pid) ? read_of(root, pid, "comm", arena, NULL) : NULL;

		if (name && string_equal(name, "containerd\n") &&
		    is_of_user(root, pid, uid, arena) && is_of_host(root, pid, uid, arena) &&
		    strings_add(arena, ret, pid) < 0)
			return -ENOMEM;
	}
	return 0;
}

bool containerd_open_running(const struct root *root,
			     const struct containerd_distribution *distribution,
			     struct arena *arena, struct containerd_program *ret)
{
	struct strings pids;

	if (find_processes(root, distribution->rootless ? geteuid() : 0, arena, &pids) < 0)
		return false;
	for (size_t i = 0; i < pids.count; i++)
		if (reads_file(root, pids.items[i], distribution, arena) &&
		    open_running(root, pids.items[i], arena, ret))
			return true;
	return false;
}

/* ---- which file -------------------------------------------------------------------------- */

/* The containerd that dockerd starts and configures itself. */
static bool is_dockers_own(const char *file)
{
	return string_ends(file, "/containerd/containerd.toml");
}

/* As the unit names it; *ret_hidden: the unit starts it in a way that says nothing. 0 or -ENOMEM.
 */
static int find_service_file(const struct root *root, struct arena *arena, const char **ret,
			     bool *ret_hidden)
{
	struct configure_service service;
	const char *file = NULL;
	int r = configure_find_service(root, SERVICE, SERVICE, arena, &service);

	*ret = NULL;
	*ret_hidden = service.hidden;
	if (r < 0)
		return r;
	(void)containerd_read_arguments(&service.arguments, &file);
	if (file)
		*ret = make_absolute(file, service.folder, arena);
	return file && !*ret ? -ENOMEM : 0;
}

/* The service's own process wins; then one that reads the service's file, or the default. */
static int choose_process(const struct root *root, const struct strings *pids, const char *usual,
			  struct arena *arena, const char **ret, const char **ret_by,
			  struct error *err)
{
	const char *found = NULL, *other = NULL;

	for (size_t i = 0; i < pids->count; i++) {
		const char *pid = pids->items[i], *file = file_of(root, pid, false, arena);
		bool of_service = is_host_service(root, pid, arena);

		if (!file || is_dockers_own(file))
			continue;
		if (of_service || string_equal(file, usual)) {
			found = file;
			other = NULL;
			*ret_by = arena_printf(arena, "process %s", pid);
		}
		if (of_service)
			break;
		if (string_equal(found, usual))
			continue;
		if (!found)
			*ret_by = arena_printf(arena, "process %s", pid);
		else if (!string_equal(file, found))
			other = file;
		found = found ? found : file;
	}
	*ret = found;
	if (found && !*ret_by)
		return error_memory(err);
	if (!other)
		return 0;
	return error_fix(err,
			 error_set(err, ERROR_BAD_CONFIG, EINVAL, NULL,
				   "choose a containerd: one reads %s, another one %s", found,
				   other),
			 "name a file with --file %s", found);
}

int containerd_find_file(const struct root *root, struct arena *arena, const char **ret,
			 const char **ret_by, struct error *err)
{
	const char *named, *file = NULL;
	struct strings pids;
	bool hidden;
	int r = find_service_file(root, arena, &named, &hidden);

	*ret = NULL;
	*ret_by = NULL;
	if (r < 0 || find_processes(root, 0, arena, &pids) < 0)
		return error_memory(err);
	r = choose_process(root, &pids, named ? named : CONTAINERD_MAIN, arena, &file, ret_by, err);
	if (r < 0)
		return r;
	if (!file && hidden)
		return error_set(
			err, ERROR_BAD_CONFIG, EINVAL, "start it, or name the file with --file",
			"find the file that containerd reads: it isn't running, and " SERVICE
			".service starts it by a program of its own");
	*ret = file ? file : named;
	if (!file && named)
		*ret_by = SERVICE ".service";
	return 0;
}
