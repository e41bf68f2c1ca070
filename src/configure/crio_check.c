// SPDX-License-Identifier: Apache-2.0
/* What CRI-O refuses, and whether it uses davit's drop-in. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "davit/configure_crio.h"

#include "containerd.h"
#include "text.h"

#define TIMEOUT_MS 20000

/* ---- davit's drop-in --------------------------------------------------------------------- */

/* A name in the folder that CRI-O reads after that file of the folder. */
static const char *name_later(const char *path, struct arena *arena)
{
	static const char usual[] = CRIO_FOLDER "/99-davit.conf";
	const char *at = usual, *name = path + strlen(CRIO_FOLDER "/");
	size_t length;

	if (!string_starts(path, CRIO_FOLDER "/") || crio_compare_paths(&path, &at) < 0)
		return usual;
	length = strcspn(name, "/");
	/* "NAME.davit.conf" comes after NAME, "NAME.conf" and what is below them. */
	if (length > 5 && memcmp(name + length - 5, ".conf", 5) == 0)
		length -= 5;
	return arena_printf(arena, CRIO_FOLDER "/%.*s.davit.conf", (int)length, name);
}

int configure_crio_check(const struct engine_files *after, const char *drop_in,
			 const struct configure *configure, struct arena *arena, struct error *err)
{
	const struct toml_node *settings = crio_merge(after, arena);
	const char *default_name = crio_default_runtime(settings);
	const char *later = NULL, *name;
	bool late = false, runtime;

	if (!settings)
		return error_memory(err);
	runtime = string_equal(crio_find_runtime(settings, configure->runtime_name),
			       configure->runtime_path);
	if (runtime &&
	    (!configure->set_default || string_equal(default_name, configure->runtime_name)))
		return 0;
	for (size_t i = 0; i < after->count; i++) {
		const struct toml_node *top = after->items[i].top;

		if (late && (runtime ? toml_find(top, TOML_PATH("crio", "runtime",
								"default_runtime")) != NULL
				     : crio_find_runtime(top, configure->runtime_name) != NULL))
			later = after->items[i].path;
		late |= string_equal(after->items[i].path, drop_in);
	}
	if (!later)
		return error_fix(err,
				 error_set(err, ERROR_BAD_CONFIG, EINVAL, NULL,
					   "add the runtime: CRI-O doesn't read %s", drop_in),
				 "use --drop-in with a file in %s", CRIO_FOLDER);
	name = name_later(later, arena);
	if (!name)
		return error_memory(err);
	return error_fix(err,
			 error_set(err, ERROR_BAD_CONFIG, EINVAL, NULL,
				   "%s: CRI-O reads %s after %s, and it also sets %s",
				   runtime ? "set the default runtime" : "add the runtime", later,
				   drop_in, runtime ? "default_runtime" : "the runtime"),
			 "remove %s from that file, or use --drop-in %s",
			 runtime ? "default_runtime" : "the runtime", name);
}

/* ---- the default runtime ----------------------------------------------------------------- */

const char *crio_missing_default(const struct toml_node *settings)
{
	/* CRI-O itself has one of these, depending on its version. */
	static const char *const built_in[] = {"crun", "runc"};
	const char *name = crio_default_runtime(settings);

	if (!name || !*name || toml_find(settings, TOML_PATH("crio", "runtime", "runtimes", name)))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(built_in); i++)
		if (string_equal(name, built_in[i]))
			return NULL;
	return name;
}

int configure_crio_check_left(const struct engine_files *before, const struct engine_files *left,
			      struct arena *arena, struct error *err)
{
	const struct toml_node *earlier = crio_merge(before, arena);
	const struct toml_node *settings = crio_merge(left, arena);
	const char *name, *path = NULL;

	if (!earlier || !settings)
		return error_memory(err);
	name = crio_missing_default(settings);
	if (!name || crio_missing_default(earlier))
		return 0;
	for (size_t i = 0; i < left->count; i++)
		if (crio_default_runtime(left->items[i].top))
			path = left->items[i].path;
	return error_fix(
		err,
		error_set(err, ERROR_BAD_CONFIG, EEXIST, NULL,
			  "remove the runtime %s: it is the default_runtime of %s, so CRI-O "
			  "would not start without it",
			  name, path),
		"remove default_runtime from %s first", path);
}

/* ---- what CRI-O says --------------------------------------------------------------------- */

int crio_open_program(const struct root *root)
{
	static const char *const usual[] = {"/usr/local/bin/crio", "/usr/local/sbin/crio",
					    "/usr/bin/crio", "/usr/sbin/crio"};
	int fd = -1;

	for (size_t i = 0; i < ARRAY_SIZE(usual) && fd < 0; i++)
		fd = configure_open_program(root, usual[i]);
	return fd;
}

/* The text of the last msg="..." of its log, without the path of the file that it was given. */
static const char *cause_of(const char *line, const char *path, struct arena *arena)
{
	static const char start[] = "level=fatal msg=\"";
	const char *at = strstr(line, start), *given;
	struct text text = {.arena = arena};

	if (!at)
		return NULL;
	at += strlen(start);
	given = strstr(at, path);
	if (given)
		at = given + strlen(path) + strspn(given + strlen(path), ": ");
	for (; *at && *at != '"'; at++) {
		if (*at == '\\' && at[1])
			at++;
		text_add(&text, at, 1);
	}
	return text.failed || !text.data ? NULL : text.data;
}

int crio_ask(int program, const struct toml_node *settings, struct arena *arena,
	     const char **ret_cause)
{
	AUTO_FD fd = memfd_create("davit", MFD_CLOEXEC);
	char path[64];
	struct strings top = {0};
	struct text text = {.arena = arena};
	struct spawn_result result = {0};
	/* Without a folder, it reads only this file. It judges the settings and prints them. */
	const char *const arguments[] = {"crio", "--config", path, "--config-dir",
					 "",     "config",   NULL};
	const struct spawn spawn = {
		.program = program,
		.arguments = arguments,
		.timeout_ms = TIMEOUT_MS,
	};

	*ret_cause = NULL;
	toml_write(&text, &top, settings, arena);
	if (text.failed)
		return -ENOMEM;
	if (program < 0 || fd < 0 ||
	    (text.data && file_write(fd, text.data, strlen(text.data)) < 0))
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), fd);
	if (spawn_run(&spawn, arena, &result) < 0)
		return 0;
	if (result.status == 0)
		return 1;
	*ret_cause = cause_of(result.last_line, path, arena);
	return *ret_cause ? 1 : 0;
}
