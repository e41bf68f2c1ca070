// SPDX-License-Identifier: Apache-2.0
/* Whether dockerd accepts a daemon.json: what dockerd says, and what it only checks at its start.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

#include "davit/json_edit.h"

#define TIMEOUT_MS 20000
#define VERSION_MAX ((size_t)4096)

/* ---- what dockerd checks only at its start ----------------------------------------------- */

/* A member's text or list; dockerd ignores the case of such a key. NULL: absent or empty. */
static struct json_object *filled(struct json_object *object, const char *name)
{
	struct json_object *found = NULL;

	json_object_object_foreach(object, key, value)
	{
		if (strcasecmp(key, name) != 0)
			continue;
		if (json_object_is_type(value, json_type_string))
			found = json_object_get_string_len(value) ? value : NULL;
		else if (json_object_is_type(value, json_type_array))
			found = json_object_array_length(value) ? value : NULL;
		else if (json_object_is_type(value, json_type_object))
			found = json_object_object_length(value) ? value : NULL;
	}
	return found;
}

/* As setupRuntimes in moby's daemon/runtime_unix.go. NULL: nothing is wrong. */
static const char *judge_runtime(const char *name, struct json_object *runtime)
{
	bool path, type;

	if (strcmp(name, "runc") == 0)
		return "the name is reserved";
	/* null has no members, either. */
	if (runtime && !json_object_is_type(runtime, json_type_object))
		return NULL;
	path = runtime && filled(runtime, "path");
	type = runtime && filled(runtime, "runtimeType");
	if (!path && !type)
		return "either a runtimeType or a path must be configured";
	if (path && type)
		return "cannot configure both path and runtimeType";
	if (path && filled(runtime, "options"))
		return "options cannot be used with a path runtime";
	if (type && filled(runtime, "runtimeArgs"))
		return "args cannot be used with a runtimeType runtime";
	return NULL;
}

/* dockerd's own runtimes, and names of shims, which containerd looks for. */
static bool is_known(const char *name, struct json_object *runtimes, const struct strings *added)
{
	return strcmp(name, "runc") == 0 || (strchr(name, '.') && !strchr(name, '/')) ||
	       (added && strings_contain(added, name)) ||
	       (json_object_is_type(runtimes, json_type_object) &&
		json_object_object_get_ex(runtimes, name, NULL));
}

int configure_docker_judge(const char *text, const char *path, const struct strings *added,
			   bool with_types, struct arena *arena, const char **ret_cause,
			   struct error *err)
{
	AUTO_JSON *object = NULL;
	struct json_object *runtimes = NULL, *standard = NULL;
	const char *name;
	int r;

	*ret_cause = NULL;
	if (json_edit_is_empty(text))
		return 0;
	r = configure_parse_json(text, path, &object, err);
	if (r < 0)
		return r;
	(void)json_object_object_get_ex(object, "runtimes", &runtimes);
	(void)json_object_object_get_ex(object, "default-runtime", &standard);
	if (with_types && json_object_is_type(runtimes, json_type_object)) {
		json_object_object_foreach(runtimes, key, value)
		{
			const char *cause = judge_runtime(key, value);

			if (!cause)
				continue;
			*ret_cause = arena_printf(arena, "runtime %s: %s", key, cause);
			return *ret_cause ? 0 : error_memory(err);
		}
	}
	name = json_object_is_type(standard, json_type_string) ? json_object_get_string(standard)
							       : "";
	if (*name && !is_known(name, runtimes, added)) {
		*ret_cause =
			arena_printf(arena, "specified default runtime '%s' does not exist", name);
		return *ret_cause ? 0 : error_memory(err);
	}
	return 0;
}

/* ---- what dockerd says ------------------------------------------------------------------- */

int docker_version_parse(const char *text, struct docker_program *ret)
{
	static const char start[] = "Docker version ";
	const char *dot;
	size_t length;
	uint64_t major, minor;

	if (!string_starts(text, start))
		return -EINVAL;
	text += strlen(start);
	dot = strchr(text, '.');
	if (!dot)
		return -EINVAL;
	length = strspn(dot + 1, "0123456789");
	if (parse_number(text, (size_t)(dot - text), 10, 9999, &major) < 0 ||
	    parse_number(dot + 1, length, 10, 9999, &minor) < 0)
		return -EINVAL;
	ret->major = (unsigned)major;
	ret->minor = (unsigned)minor;
	return 0;
}

void docker_open_program(const struct root *root, const char *own, struct arena *arena,
			 struct docker_program *ret)
{
	static const char *const usual[] = {"/usr/local/sbin/dockerd", "/usr/local/bin/dockerd",
					    "/usr/sbin/dockerd", "/usr/bin/dockerd"};
	struct spawn_result result = {0};

	*ret = (struct docker_program){.fd = -1};
	for (size_t i = 0; i < (own ? 1 : ARRAY_SIZE(usual)) && ret->fd < 0; i++) {
		ret->path = own ? own : usual[i];
		ret->fd = configure_open_program(root, ret->path);
	}
	if (ret->fd >= 0) {
		const char *const arguments[] = {ret->path, "--version", NULL};
		const struct spawn spawn = {
			.program = ret->fd,
			.arguments = arguments,
			.timeout_ms = TIMEOUT_MS,
			.output_max = VERSION_MAX,
		};

		if (spawn_run(&spawn, arena, &result) == 0 && result.status == 0 && result.output &&
		    docker_version_parse(result.output, ret) == 0)
			return;
	}
	fd_close(&ret->fd);
	*ret = (struct docker_program){.fd = -1};
}

/* Its message behind "FILE: ", or NULL if it isn't about the file. */
static const char *cause_of(const char *line, const char *path)
{
	static const char start[] = "unable to configure the Docker daemon with file ";
	const char *at = strstr(line, start);

	if (!at)
		return NULL;
	at += strlen(start);
	return string_starts(at, path) && string_starts(at + strlen(path), ": ")
		       ? at + strlen(path) + 2
		       : NULL;
}

/* Runs dockerd --validate for this text. 0 or -errno. */
static int validate(const struct docker_program *program, const char *text, struct arena *arena,
		    char path[static 64], struct spawn_result *ret)
{
	AUTO_FD fd = memfd_create("davit", MFD_CLOEXEC);
	/* Without PATH, dockerd doesn't find its proxy, and accepts any program instead. It refuses
	 * an option that is also in the file.
	 */
	const char *proxy = strstr(text, "\"userland-proxy-path\"")
				    ? NULL
				    : "--userland-proxy-path=/proc/self/exe";
	const char *const arguments[] = {program->path, "--validate", "--config-file",
					 path,          proxy,        NULL};
	const struct spawn spawn = {
		.program = program->fd,
		.arguments = arguments,
		.timeout_ms = TIMEOUT_MS,
	};

	if (fd < 0 || file_write(fd, text, strlen(text)) < 0)
		return -EIO;
	(void)snprintf(path, 64, "/proc/%d/fd/%d", (int)getpid(), fd);
	return spawn_run(&spawn, arena, ret);
}

int docker_ask(const struct docker_program *program, const char *text, struct arena *arena,
	       const char **ret_cause)
{
	struct spawn_result result = {0}, empty = {0};
	const char *cause;
	char path[64];

	*ret_cause = NULL;
	if (program->fd < 0 || program->major < 23 ||
	    validate(program, text, arena, path, &result) < 0)
		return 0;
	if (result.status == 0)
		return 1;
	/* Warnings may come first. */
	cause = cause_of(result.last_line, path);
	if (!cause)
		cause = cause_of(result.line, path);
	/*
	 * Not all of its messages name the file. It looks up users by getent(1) and creates one by
	 * useradd(8), which it doesn't find without PATH.
	 */
	if (!cause && !strstr(result.last_line, "getent") && !strstr(result.last_line, "useradd") &&
	    validate(program, "{}", arena, path, &empty) == 0 && empty.status == 0)
		cause = result.last_line;
	if (!cause || !*cause)
		return 0;
	*ret_cause = arena_strdup(arena, cause);
	return *ret_cause ? 1 : -ENOMEM;
}
