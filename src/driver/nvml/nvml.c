// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../host/host.h"
#include "nvml.h"

#define PROGRAM "davit-nvml"
#define FIX "check that `nvidia-smi -L` works on this host"

/* ---- the program ------------------------------------------------------------------------ */

/*
 * davit-nvml in the directory of the running program, for a build that isn't installed.
 * World-writable directories such as /tmp don't count: in a user namespace, a file of any host user
 * may seem to belong to the host's root.
 */
static const char *path_beside(struct arena *arena)
{
	const char *exe = host_own_link("exe", arena);
	const char *slash = exe ? strrchr(exe, '/') : NULL;
	const char *directory =
		slash ? arena_printf(arena, "%.*s/", (int)(slash - exe), exe) : NULL;
	struct stat st;

	if (!directory || stat(directory, &st) < 0 || st.st_mode & S_IWOTH)
		return NULL;
	return arena_printf(arena, "%s" PROGRAM, directory);
}

static int check_program(int fd, const char *path, struct error *err)
{
	static const char *const problems[] = {
		[FILE_NOT_REGULAR] = "is not a regular file",
		[FILE_OTHER_OWNER] = "belongs to another user",
		[FILE_WRITABLE_BY_OTHERS] = "is writable by other users",
	};
	int r = file_trust(fd);

	if (r < 0)
		return error_errno(err, -r, "ask NVML: cannot inspect %s", path);
	if (r == FILE_TRUSTED)
		return 0;
	error_set(err, ERROR_NO_DRIVER, EPERM, NULL, "ask NVML: %s %s", path, problems[r]);
	return error_fix(err, -EPERM, "reinstall davit, or run `chown root %s; chmod 0755 %s`",
			 path, path);
}

int nvml_open_program(const char *const *paths, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		AUTO_FD fd = open(paths[i], O_PATH | O_NOFOLLOW | O_CLOEXEC);
		int r;

		if (fd < 0 && errno == ENOENT)
			continue;
		if (fd < 0)
			return error_errno(err, errno, "ask NVML: cannot open %s", paths[i]);
		r = check_program(fd, paths[i], err);
		return r < 0 ? r : fd_take(&fd);
	}
	return error_set(err, ERROR_NO_DRIVER, ENOENT,
			 "install " PROGRAM ", which is part of davit",
			 "ask NVML: %s doesn't exist", count ? paths[count - 1] : PROGRAM);
}

static int explain_status(const struct spawn_result *result, struct error *err)
{
	int status = result->status;

	if (WIFSIGNALED(status))
		return error_set(err, ERROR_NO_DRIVER, EIO, FIX,
				 "ask NVML: " PROGRAM " was killed by signal %d", WTERMSIG(status));
	if (WEXITSTATUS(status) != 0 && result->line[0])
		return error_set(err, ERROR_NO_DRIVER, EIO, FIX, "ask NVML: %s", result->line);
	if (WEXITSTATUS(status) != 0)
		return error_set(err, ERROR_NO_DRIVER, EIO, FIX,
				 "ask NVML: " PROGRAM " exited with code %d", WEXITSTATUS(status));
	return 0;
}

int nvml_run(int program_fd, const struct nvml_question *question, int timeout_ms,
	     struct arena *arena, char **ret, size_t *ret_length, struct error *err)
{
	const char *const arguments[] = {PROGRAM, question->library, question->dev,
					 question->before, NULL};
	const struct spawn spawn = {
		.program = program_fd,
		.arguments = arguments,
		.timeout_ms = timeout_ms,
		.output_max = NVML_OUTPUT_MAX,
		.sandboxed = true,
	};
	struct spawn_result result;
	int r = spawn_run(&spawn, arena, &result);

	if (r == -ETIMEDOUT)
		return error_set(
			err, ERROR_NO_DRIVER, -r,
			"start nvidia-persistenced, so that the GPUs are already initialized, and " FIX,
			"ask NVML: there was no answer within %d ms", timeout_ms);
	if (r == -EFBIG)
		return error_set(err, ERROR_NO_DRIVER, -r, FIX,
				 "ask NVML: the answer has more than %zu KiB",
				 NVML_OUTPUT_MAX / 1024);
	if (r < 0)
		return error_errno(err, -r, "ask NVML: cannot run " PROGRAM);
	*ret = result.output;
	*ret_length = result.output_length;
	return explain_status(&result, err);
}

/* ---- asking ----------------------------------------------------------------------------- */

int nvml_ask(const struct nvml_question *question, struct driver *driver, struct arena *arena,
	     struct error *err)
{
	const char *paths[2] = {path_beside(arena), DAVIT_NVML_PATH};
	const char *const *first = paths[0] ? paths : paths + 1;
	char *text = NULL;
	size_t length = 0;
	AUTO_FD program = nvml_open_program(first, paths[0] ? 2 : 1, err);
	int r;

	if (program < 0)
		return program;
	r = nvml_run(program, question, NVML_TIMEOUT_MS, arena, &text, &length, err);
	if (r == 0)
		r = nvml_answer_merge(text, length, arena, driver, err);
	driver->nvml_asked = r == 0;
	log_line(LOG_LEVEL_INFO, "asked NVML (%s): %s", question->library,
		 r == 0 ? "done" : err->message);
	return r;
}
