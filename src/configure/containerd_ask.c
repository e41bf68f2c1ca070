// SPDX-License-Identifier: Apache-2.0
/* What containerd says of its own files: `containerd config dump`. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "toml.h"

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

/* A program that nobody but its owner, whom we trust, can change. */
static bool open_program(const struct root *root, const char *path, struct containerd_program *ret)
{
	ret->fd = root_openat(root, path, O_PATH);
	if (ret->fd < 0)
		return false;
	if (file_trust(ret->fd) != FILE_TRUSTED)
		fd_close(&ret->fd);
	ret->path = path;
	return ret->fd >= 0;
}

void containerd_open_program(const struct root *root, const char *own, struct arena *arena,
			     struct containerd_program *ret)
{
	static const char *const usual[] = {"/usr/local/bin/containerd", "/usr/bin/containerd",
					    "/usr/local/sbin/containerd", "/usr/sbin/containerd"};
	const char *line, *version = NULL;

	*ret = (struct containerd_program){.fd = -1};
	if (own)
		(void)open_program(root, own, ret);
	for (size_t i = 0; !own && i < ARRAY_SIZE(usual) && ret->fd < 0; i++)
		(void)open_program(root, usual[i], ret);
	if (ret->fd >= 0)
		version =
			run(ret, (const char *const[]){ret->path, "--version", NULL}, arena, &line);
	if (version && containerd_version_parse(version, &ret->version) == 0)
		return;
	fd_close(&ret->fd);
	*ret = (struct containerd_program){.fd = -1};
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

int containerd_ask_about(const struct containerd_program *program, const struct engine_files *files,
			 const struct engine_overlay *drop_in, struct arena *arena,
			 struct toml_node **ret, struct error *err)
{
	const char *path, *drop_in_path = NULL, *line;
	struct strings imports = {0};
	AUTO_FD drop_in_fd = -1;
	AUTO_FD fd = -1;
	char *text;
	int r;

	if (drop_in->text) {
		drop_in_fd = make_file(drop_in->text, arena, &drop_in_path, err);
		if (drop_in_fd < 0)
			return drop_in_fd;
	}
	for (size_t i = 1; i < files->count; i++) {
		const char *import = files->items[i].path;

		if (files->items[i].of_main &&
		    strings_add(arena, &imports,
				drop_in_path && string_equal(import, drop_in->path) ? drop_in_path
										    : import) < 0)
			return error_memory(err);
	}
	r = configure_containerd_import_only(files->items[0].text, files->items[0].path, &imports,
					     arena, &text, err);
	if (r < 0)
		return r;
	fd = make_file(text, arena, &path, err);
	if (fd < 0)
		return fd;
	text = run(program,
		   (const char *const[]){program->path, "--config", path, "config", "dump", NULL},
		   arena, &line);
	if (text)
		return toml_parse(text, "`containerd config dump`", arena, ret, err);
	return error_set(err, ERROR_BAD_CONFIG, EINVAL,
			 "run `containerd config dump` and correct what it reports",
			 "run %s on %s: %s", program->path, files->items[0].path, line ? line : "");
}
