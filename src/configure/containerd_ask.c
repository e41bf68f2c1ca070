// SPDX-License-Identifier: Apache-2.0
/* What containerd says of its own files: `containerd config dump`. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "containerd.h"

#define DUMP_MAX ((size_t)4 * 1024 * 1024)
#define TIMEOUT_MS 20000

/* Its output, or NULL: it didn't run, or failed, and *ret_line says why. */
static char *run(const struct containerd_program *program, const char *const *arguments,
		 struct arena *arena, const char **ret_line)
{
	const struct spawn spawn = {
		.program = program->fd,
		.arguments = arguments,
		.timeout_ms = TIMEOUT_MS,
		.output_max = DUMP_MAX,
	};
	struct spawn_result result = {0};
	int r = spawn_run(&spawn, arena, &result);

	/* Warnings may come first. */
	*ret_line = r < 0 ? strerror(-r) : arena_strdup(arena, result.last_line);
	return r == 0 && result.status == 0 ? result.output : NULL;
}

static bool open_trusted(const struct root *root, const char *path, struct containerd_program *ret)
{
	ret->path = path;
	ret->fd = configure_open_program(root, path);
	return ret->fd >= 0;
}

/* Before 1.6.29 and 1.7.16, relative patterns start at the daemon's working directory. */
static bool globs_from_folder(const char *text, struct containerd_version version)
{
	static const unsigned fixed[] = {29, 16};
	char head[32] = "";
	const char *at;
	uint64_t patch;

	if (version.major != 1 || version.minor < 6 || version.minor > 7)
		return version.major == 1 && version.minor < 6;
	(void)snprintf(head, sizeof(head), "%u.%u.", version.major, version.minor);
	at = strstr(text, head);
	at = at ? at + strlen(head) : "";
	return parse_number(at, strspn(at, "0123456789"), 10, 1000, &patch) == 0 &&
	       patch < fixed[version.minor - 6];
}

static bool find_version(struct containerd_program *program, struct arena *arena)
{
	const char *line;
	const char *text =
		run(program, (const char *const[]){program->path, "--version", NULL}, arena, &line);

	if (!text || containerd_version_parse(text, &program->version) < 0)
		return false;
	program->globs_from_folder = globs_from_folder(text, program->version);
	return true;
}

static bool is_same_file(int a, int b)
{
	struct stat one, other;

	return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_dev == other.st_dev &&
	       one.st_ino == other.st_ino;
}

/* The usual places. If programs of two versions are there, none is used. */
static void open_usual(const struct root *root, struct arena *arena, struct containerd_program *ret)
{
	static const char *const usual[] = {"/usr/local/bin/containerd", "/usr/bin/containerd",
					    "/usr/local/sbin/containerd", "/usr/sbin/containerd"};

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
		struct containerd_program other = {.fd = -1};
		bool differs;

		if (!open_trusted(root, usual[i], &other))
			continue;
		if ((ret->fd >= 0 && is_same_file(ret->fd, other.fd)) ||
		    !find_version(&other, arena)) {
			fd_close(&other.fd);
			continue;
		}
		if (ret->fd < 0) {
			*ret = other;
			continue;
		}
		differs = other.version.major != ret->version.major ||
			  other.version.minor != ret->version.minor ||
			  other.globs_from_folder != ret->globs_from_folder;
		fd_close(&other.fd);
		if (!differs)
			continue;
		fd_close(&ret->fd);
		*ret = (struct containerd_program){.fd = -1, .others = {ret->path, other.path}};
		return;
	}
}

void containerd_open_program(const struct root *root,
			     const struct containerd_distribution *distribution,
			     struct arena *arena, struct containerd_program *ret)
{
	const char *own = distribution->program;
	struct configure_service service = {0};

	*ret = (struct containerd_program){.fd = -1};
	if (!own && !containerd_open_running(root, distribution, arena, ret) &&
	    !distribution->rootless &&
	    configure_find_service(root, distribution->services[0], "containerd", arena,
				   &service) == 0)
		own = service.program;
	if (own)
		(void)open_trusted(root, own, ret);
	if (ret->fd < 0 || !find_version(ret, arena)) {
		fd_close(&ret->fd);
		*ret = (struct containerd_program){.fd = -1};
		if (!distribution->program)
			open_usual(root, arena, ret);
	}
	if (!ret->folder)
		ret->folder = service.folder;
}

/* A text as a file that a child can open by its path, also where /proc belongs to another PID
 * namespace, as in the host's root that a container has entered. */
static int make_file(const char *text, struct arena *arena, const char **ret_path,
		     struct error *err)
{
	char self[16] = "";
	AUTO_FD fd = memfd_create("davit", MFD_CLOEXEC);
	int r = fd < 0 ? -errno : file_write(fd, text, strlen(text));

	if (r < 0)
		return error_errno(err, -r, "create a file in memory");
	if (readlink("/proc/self", self, sizeof(self) - 1) < 0)
		return error_errno(err, errno, "read /proc/self");
	*ret_path = arena_printf(arena, "/proc/%s/fd/%d", self, fd);
	return *ret_path ? fd_take(&fd) : error_memory(err);
}

/* Files that containerd reads in the place of others. */
struct copy {
	const char *path; /* of the file in memory */
	const char *of;
	int fd;
};
struct copies {
	struct copy *items;
	size_t count, capacity;
	struct arena *arena;
	struct error *err;
};

static void close_copies(struct copies *copies)
{
	for (size_t i = 0; i < copies->count; i++)
		fd_close(&copies->items[i].fd);
}

/* With these imports in the place of its own. *ret: the path of the copy. */
static int add_copy(struct copies *copies, const char *text, const char *path,
		    const struct strings *imports, const char **ret)
{
	struct copy *copy;
	char *made;
	int r = configure_containerd_import_only(text, path, imports, copies->arena, &made,
						 copies->err);

	if (r < 0)
		return r;
	copy = ARENA_PUSH(copies->arena, copies);
	if (!copy)
		return error_memory(copies->err);
	*copy = (struct copy){.of = path, .fd = -1};
	r = make_file(made, copies->arena, &copy->path, copies->err);
	if (r < 0)
		return r;
	copy->fd = r;
	*ret = copy->path;
	return 0;
}

/* containerd's message with the files that it knows as copies. */
static const char *with_names(const char *line, const struct copies *copies)
{
	for (size_t i = 0; line && i < copies->count; i++) {
		const char *at = strstr(line, copies->items[i].path);
		const char *end = at ? at + strlen(copies->items[i].path) : NULL;

		/* /proc/1/fd/1 isn't /proc/1/fd/10. */
		if (at && !(*end >= '0' && *end <= '9'))
			line = arena_printf(copies->arena, "%.*s%s%s", (int)(at - line), line,
					    copies->items[i].of, end);
	}
	return line ? line : "";
}

/*
 * The main file imports all others itself, in their order, and none of these imports anything: an
 * import of the main file by another one would lead past its copy.
 */
static int make_copies(const struct engine_files *files, const struct engine_overlay *drop_in,
		       struct copies *copies, const char **ret)
{
	const struct strings none = {0};
	struct strings imports = {0};

	for (size_t i = 1; i < files->count; i++) {
		const struct engine_file *file = &files->items[i];
		bool changed = drop_in->text && string_equal(file->path, drop_in->path);
		const char *path = file->path;
		int r = 0;

		if (changed || toml_member(file->top, "imports"))
			r = add_copy(copies, changed ? drop_in->text : file->text, file->path,
				     &none, &path);
		if (r < 0)
			return r;
		if (strings_add(copies->arena, &imports, path) < 0)
			return error_memory(copies->err);
	}
	return add_copy(copies, files->items[0].text, files->items[0].path, &imports, ret);
}

int containerd_ask_about(const struct containerd_program *program, const struct engine_files *files,
			 const struct engine_overlay *drop_in, struct arena *arena,
			 struct toml_node **ret, struct error *err)
{
	struct copies copies = {.arena = arena, .err = err};
	const char *path = NULL, *line = NULL, *text = NULL;
	int r = make_copies(files, drop_in, &copies, &path);

	if (r == 0)
		text = run(program,
			   (const char *const[]){program->path, "--config", path, "config", "dump",
						 NULL},
			   arena, &line);
	close_copies(&copies);
	if (r < 0)
		return r;
	if (text)
		return toml_parse(text, "`containerd config dump`", arena, ret, err);
	return error_set(err, ERROR_BAD_CONFIG, EINVAL,
			 "run `containerd config dump` and correct what it reports",
			 "run %s on %s: %s", program->path, files->items[0].path,
			 with_names(line, &copies));
}
