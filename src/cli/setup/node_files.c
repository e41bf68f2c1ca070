// SPDX-License-Identifier: Apache-2.0
/* davit's programs on a node, and the links to them. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "davit/configure_containerd.h"
#include "node.h"

#define HOOK DAVIT_BINDIR "/davit-hook"
#define TASKS_MAX 4096
#define BUNDLE_FILE_MAX ((size_t)16 * 1024 * 1024)

static const char *const programs[] = {
	DAVIT_BINDIR "/davit",
	HOOK,
	DAVIT_BINDIR "/davit-runtime",
	DAVIT_BINDIR "/davit-container-cli",
	DAVIT_LIBEXECDIR "/davit/davit-nvml",
};
/* The names that others call: specs of the device plugin and of NVIDIA's toolkit, dockerd, ctr. */
static const struct {
	const char *name, *program;
} names[] = {
	{"/usr/bin/nvidia-cdi-hook", HOOK},
	{"/usr/bin/nvidia-container-cli", DAVIT_BINDIR "/davit-container-cli"},
	{"/usr/bin/nvidia-container-runtime", DAVIT_BINDIR "/davit-runtime"},
	{"/usr/bin/nvidia-container-runtime-hook", HOOK},
	{"/usr/bin/nvidia-ctk", DAVIT_BINDIR "/davit"},
};

static const char *base_of(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* ---- programs --------------------------------------------------------------------------- */

/* On Google's COS, /opt can't be written, and /var isn't for programs. */
static int refuse_folder(const struct node *node, int r)
{
	bool cos = string_equal(node_host_id(node), "cos");

	return error_fix(node->err, r,
			 "build the image for a directory of the host that can be written, and "
			 "whose programs can be run: --build-arg PREFIX=%s",
			 cos ? "/home/kubernetes/bin/davit" : "/opt/davit");
}

/* Whether the file system of a file, which needn't exist yet, allows no program to be run. */
static bool is_noexec(const struct node *node, const char *path)
{
	while (path && path[1]) {
		AUTO_FD fd = root_openat(&node->host, path, O_PATH);
		struct statvfs st;

		if (fd >= 0)
			return fstatvfs(fd, &st) == 0 && (st.f_flag & ST_NOEXEC);
		path = arena_strndup(node->arena, path, (size_t)(strrchr(path, '/') - path));
	}
	return false;
}

int node_check_programs(const struct node *node)
{
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		/* The program itself may be a link, which is replaced. */
		const char *temporary = arena_printf(node->arena, "%s.new", programs[i]);
		int r;

		if (!temporary)
			return error_memory(node->err);
		r = configure_may_write(&node->host, temporary, node->arena, node->err);
		if (r == 0 && is_noexec(node, temporary))
			r = error_set(node->err, ERROR_SYSTEM, EACCES, NULL,
				      "set up the node: its %s is on a file system that is mounted "
				      "noexec",
				      programs[i]);
		if (r < 0)
			return refuse_folder(node, r);
	}
	return configure_may_write(&node->host, NODE_RECORD, node->arena, node->err);
}

/* Beside this program, or where it was installed. A descriptor or -errno. */
static int open_source(const struct node *node, const char *program)
{
	AUTO_FD self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	const char *path = self < 0 ? NULL : fd_path(self, node->arena);
	const char *slash = path ? strrchr(path, '/') : NULL;
	const char *beside = slash ? arena_printf(node->arena, "%.*s/%s", (int)(slash - path), path,
						  base_of(program))
				   : NULL;
	int fd = beside ? open(beside, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		fd = open(program, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int copy_bytes(int from, int to)
{
	char buffer[65536];
	ssize_t length;

	while ((length = read(from, buffer, sizeof(buffer))) > 0) {
		int r = file_write(to, buffer, (size_t)length);

		if (r < 0)
			return r;
	}
	return length < 0 ? -errno : 0;
}

static int copy_to(int from, int dir, const char *name, const char *temporary)
{
	AUTO_FD to =
		openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = to < 0 ? -errno : copy_bytes(from, to);

	if (r == 0 && (fchmod(to, 0755) < 0 || fsync(to) < 0))
		r = -errno;
	fd_close(&to);
	if (r == 0 && renameat(dir, temporary, dir, name) < 0)
		r = -errno;
	return r;
}

/* A program that somebody has installed gets a second name, under which it comes back. */
static int keep_original(const struct node *node, int dir, const char *name, const char *program)
{
	const char *backup = arena_printf(node->arena, "%s" CONFIGURE_BACKUP_SUFFIX, name);

	if (!backup)
		return -ENOMEM;
	if (!strings_contain(&node->before, program) || linkat(dir, name, dir, backup, 0) == 0 ||
	    errno == EEXIST)
		return 0;
	return -errno;
}

static int copy_program(const struct node *node, const char *program)
{
	AUTO_FD from = open_source(node, program);
	AUTO_FD dir = -1;
	const char *name, *temporary;
	int r;

	if (from < 0)
		return error_set(node->err, ERROR_SYSTEM, -from,
				 "install davit's programs together", "open %s: %s", program,
				 strerror(-from));
	dir = root_open_parent(&node->host, program, true, &name, node->err);
	if (dir < 0)
		return refuse_folder(node, dir);
	temporary = arena_printf(node->arena, ".%s.new", name);
	if (!temporary)
		return error_memory(node->err);
	/* An interrupted call may have left this file. */
	(void)unlinkat(dir, temporary, 0);
	r = keep_original(node, dir, name, program);
	if (r == 0)
		r = copy_to(from, dir, name, temporary);
	if (r < 0) {
		(void)unlinkat(dir, temporary, 0);
		return refuse_folder(node,
				     error_errno(node->err, -r, "write %s on the host", program));
	}
	(void)printf("wrote %s\n", program);
	return 0;
}

int node_find_existing(struct node *node)
{
	struct stat st;

	for (size_t i = 0; i < ARRAY_SIZE(programs) + ARRAY_SIZE(names); i++) {
		const char *path = i < ARRAY_SIZE(programs) ? programs[i]
							    : names[i - ARRAY_SIZE(programs)].name;

		if (root_stat(&node->host, path, AT_SYMLINK_NOFOLLOW, &st) == 0 &&
		    strings_add(node->arena, &node->before, path) < 0)
			return error_memory(node->err);
	}
	return 0;
}

int node_note_program_folders(struct node *node)
{
	int r = node_note_folders(node, NODE_RECORD);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(programs); i++)
		r = node_note_folders(node, programs[i]);
	return r;
}

int node_copy_programs(const struct node *node)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(programs); i++)
		r = copy_program(node, programs[i]);
	return r;
}

/* ---- names ------------------------------------------------------------------------------ */

int node_make_names(const struct node *node)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *name, *there = root_readlink(&node->host, names[i].name, node->arena);
		struct error ignored = {0};
		struct stat st;
		AUTO_FD dir = -1;

		if (string_equal(there, names[i].program))
			continue;
		if (root_stat(&node->host, names[i].name, AT_SYMLINK_NOFOLLOW, &st) == 0) {
			(void)printf("kept %s: davit didn't create it\n", names[i].name);
			continue;
		}
		dir = root_open_parent(&node->host, names[i].name, false, &name, &ignored);
		if (dir < 0 || symlinkat(names[i].program, dir, name) < 0)
			(void)printf("skipped %s: %s\n", names[i].name,
				     strerror(dir < 0 ? -dir : errno));
		else
			(void)printf("wrote %s, a link to %s\n", names[i].name, names[i].program);
	}
	return 0;
}

/* ---- back again ------------------------------------------------------------------------- */

static int remove_file(const struct node *node, const char *path)
{
	struct error ignored = {0};
	const char *name;
	AUTO_FD dir = root_open_parent(&node->host, path, false, &name, &ignored);
	int r = dir < 0 ? dir : unlinkat(dir, name, 0) < 0 ? -errno : 0;

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r < 0)
		return error_errno(node->err, -r, "remove %s of the host", path);
	(void)printf("removed %s\n", path);
	return 0;
}

/* The engines' folders of running containers' bundles: FOLDER/NAMESPACE/ID or FOLDER/ID. */
static const char *const tasks[] = {
	"/run/containerd/io.containerd.runtime.v2.task",
	"/run/k3s/containerd/io.containerd.runtime.v2.task",
	"/run/k0s/containerd/io.containerd.runtime.v2.task",
	"/var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task",
	"/run/containers/storage/overlay-containers",
};

static bool mentions(const struct node *node, const char *folder, const char *file)
{
	const char *path = arena_printf(node->arena, "%s/%s", folder, file);
	char *text;

	return path &&
	       root_read(&node->host, path, BUNDLE_FILE_MAX, node->arena, &text, NULL) == 0 &&
	       (strstr(text, "davit-") || strstr(text, CONTAINERD_REGISTERED_PROGRAM));
}

static size_t count_users(const struct node *node, const char *folder, int depth)
{
	static const char *const files[] = {"config.json", "options.json", "userdata/config.json"};
	struct strings found = {0};
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		if (mentions(node, folder, files[i]))
			return 1;
	if (depth == 0 || root_list(&node->host, folder, TASKS_MAX, node->arena, &found) < 0)
		return 0;
	for (size_t i = 0; i < found.count; i++) {
		const char *path = arena_printf(node->arena, "%s/%s", folder, found.items[i]);

		count += path ? count_users(node, path, depth - 1) : 0;
	}
	return count;
}

/* What a killed call was writing. */
static void sweep_program(const struct node *node, const char *program)
{
	struct error ignored = {0};
	const char *name, *temporary;
	AUTO_FD dir = root_open_parent(&node->host, program, false, &name, &ignored);

	temporary = dir < 0 ? NULL : arena_printf(node->arena, ".%s.new", name);
	if (temporary)
		(void)unlinkat(dir, temporary, 0);
}

/* The program of before; without a backup, it was never replaced. */
static int restore_program(const struct node *node, const char *program)
{
	struct error ignored = {0};
	const char *name, *backup;
	AUTO_FD dir = root_open_parent(&node->host, program, false, &name, &ignored);

	if (dir < 0)
		return 0;
	backup = arena_printf(node->arena, "%s" CONFIGURE_BACKUP_SUFFIX, name);
	if (!backup)
		return error_memory(node->err);
	if (renameat(dir, backup, dir, name) == 0)
		(void)printf("restored %s\n", program);
	else if (errno != ENOENT)
		return error_errno(node->err, errno, "restore %s of the host", program);
	/* A rename between two links of one file does nothing. */
	(void)unlinkat(dir, backup, 0);
	return 0;
}

int node_remove_files(const struct node *node, size_t *ret_users)
{
	size_t users = 0;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(tasks); i++)
		users += count_users(node, tasks[i], 2);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(names); i++) {
		/* k3s registers this link as a runtime, with which its containers end. */
		bool is_needed =
			users && string_ends(names[i].name, "/" CONTAINERD_REGISTERED_PROGRAM);

		if (!is_needed && !strings_contain(&node->before, names[i].name) &&
		    string_equal(root_readlink(&node->host, names[i].name, node->arena),
				 names[i].program))
			r = remove_file(node, names[i].name);
	}
	if (r == 0 && users)
		(void)printf("kept the programs: %zu container%s need%s them to stop\n", users,
			     users == 1 ? "" : "s", users == 1 ? "s" : "");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(programs); i++) {
		sweep_program(node, programs[i]);
		if (strings_contain(&node->before, programs[i]))
			r = restore_program(node, programs[i]);
		else if (!users)
			r = remove_file(node, programs[i]);
	}
	*ret_users = users;
	return r;
}
