// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "davit/config.h"
#include "davit/sys.h"
#include "keys.h"

#define DEVICES_VARIABLE "NVIDIA_VISIBLE_DEVICES"

int config_defaults(struct arena *arena, struct config *ret)
{
	*ret = (struct config){
		.driver = {.root = "/",
			   .proc = "/proc",
			   .dev = "/dev",
			   .sys = "/sys",
			   .run = "/run",
			   .mps = "/tmp/nvidia-mps",
			   .csv = "/etc/nvidia-container-runtime/host-files-for-container.d",
			   .csv_compat = "/usr/local/cuda/compat_orin",
			   .load_modules = true},
		.policy = {.annotations = ACCEPT_AS_ENV,
			   .capabilities = CAPABILITY_ALL,
			   .image_capabilities = CAPABILITY_ALL & ~(unsigned)(CAPABILITY_GRAPHICS |
									      CAPABILITY_DISPLAY),
			   .features = FEATURE_ALL,
			   .imex = true,
			   .csv_mounts = true,
			   .csv_debug = true},
		.cgroups = true,
		.cuda_compat = true,
		.limits = {.seconds = CONFIG_SECONDS},
		.log = {.file = "", .level = LOG_LEVEL_WARNING},
	};
	if (strings_add(arena, &ret->policy.env_names, DEVICES_VARIABLE) < 0 ||
	    strings_add(arena, &ret->cdi.spec_dirs, "/etc/cdi") < 0 ||
	    strings_add(arena, &ret->cdi.spec_dirs, "/var/run/cdi") < 0 ||
	    strings_add(arena, &ret->cdi.annotation_prefixes, "cdi.k8s.io/") < 0 ||
	    strings_add(arena, &ret->cdi.annotation_prefixes, "nvidia.cdi.k8s.io/") < 0 ||
	    strings_add(arena, &ret->runtime.candidates, "runc") < 0 ||
	    strings_add(arena, &ret->runtime.candidates, "crun") < 0)
		return -ENOMEM;
	return 0;
}

/* The parser accepts only strict JSON. */
void config_blank_comments(char *text, size_t length)
{
	bool quoted = false;

	for (size_t i = 0; i < length; i++) {
		bool block = i + 1 < length && text[i] == '/' && text[i + 1] == '*';
		const char *end;

		if (text[i] == '"')
			quoted = !quoted;
		else if (quoted && text[i] == '\\')
			i++;
		if (quoted || i + 1 >= length || text[i] != '/' || (text[i + 1] != '/' && !block))
			continue;
		end = block ? memmem(text + i + 2, length - i - 2, "*/", 2)
			    : memchr(text + i, '\n', length - i);
		if (block && !end)
			return; /* the parser names the place */
		for (size_t stop = end ? (size_t)(end - text) + (block ? 2 : 0) : length; i < stop;
		     i++)
			if (text[i] != '\n')
				text[i] = ' ';
		i--;
	}
}

int config_parse(const char *text, size_t length, const char *path, struct arena *arena,
		 struct config *ret, struct error *err)
{
	struct json_text json;
	char *copy = arena_strndup(arena, text, length);
	int r;

	if (!copy || config_defaults(arena, ret) < 0)
		return error_memory(err);
	config_blank_comments(copy, length);
	r = json_text_parse(copy, length, ERROR_BAD_CONFIG, path, arena, &json, err);
	if (r < 0)
		return r;
	ret->path = path;
	r = config_parse_keys(&json, arena, ret, err);
	if (r < 0)
		return error_prefix(err, r, "read %s", path);
	if (!strings_contain(&ret->policy.env_names, DEVICES_VARIABLE) &&
	    strings_add(arena, &ret->policy.env_names, DEVICES_VARIABLE) < 0)
		return error_memory(err);
	return 0;
}

static int refuse_file(const char *path, const char *why, const char *fix, struct error *err)
{
	return error_set(err, ERROR_BAD_CONFIG, EINVAL, fix, "trust %s: %s", path, why);
}

/* Users who can write this file decide which host files containers get. */
static int check_owner(int fd, const char *path, struct error *err)
{
	int r = file_trust(fd);

	switch (r) {
	case FILE_TRUSTED:
		return 0;
	case FILE_NOT_REGULAR:
		return refuse_file(path, "it is not a regular file", "put a file there", err);
	case FILE_OTHER_OWNER:
		return error_fix(err, refuse_file(path, "it does not belong to root", NULL, err),
				 "chown root %s", path);
	case FILE_WRITABLE_BY_OTHERS:
		return error_fix(
			err,
			refuse_file(path, "users other than its owner can write it", NULL, err),
			"chmod go-w %s", path);
	default:
		return error_errno(err, -r, "inspect %s", path);
	}
}

/* The remedy names the directory that the caller can't search, or else the file. */
static int refuse_access(const char *file, struct arena *arena, struct error *err)
{
	const char *closed = file, *before = "/";

	for (const char *slash = strchr(file + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		const char *at = arena_strndup(arena, file, (size_t)(slash - file));
		AUTO_FD fd = at ? open(at, O_PATH | O_CLOEXEC) : -1;

		if (fd < 0)
			break;
		before = at;
	}
	{
		AUTO_FD fd = open(file, O_PATH | O_NOFOLLOW | O_CLOEXEC);

		if (fd < 0)
			closed = before;
	}
	return error_fix(err,
			 error_set(err, ERROR_BAD_CONFIG, EACCES, NULL, "open %s: %s", file,
				   strerror(EACCES)),
			 "chmod a+rX %s", closed);
}

/* -ENOENT without a message: the file doesn't exist. */
static int read_file(const char *file, struct arena *arena, char **ret, size_t *ret_length,
		     struct error *err)
{
	/* O_NONBLOCK: a FIFO must not stop a container's start. */
	AUTO_FD fd = open(file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int r;

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0 && errno == ELOOP)
		return refuse_file(file, "it is a symbolic link", "name the file itself", err);
	if (fd < 0 && errno == EACCES)
		return refuse_access(file, arena, err);
	if (fd < 0)
		return error_set(err, ERROR_BAD_CONFIG, errno, NULL, "open %s: %s", file,
				 strerror(errno));
	r = check_owner(fd, file, err);
	if (r < 0)
		return r;
	r = file_read(fd, CONFIG_SIZE_MAX, arena, ret, ret_length);
	if (r == -EFBIG)
		return refuse_file(file, "it is larger than 1 MiB", NULL, err);
	return r < 0 ? error_errno(err, -r, "read %s", file) : 0;
}

static int file_missing(const char *file, struct error *err)
{
	return error_set(err, ERROR_BAD_CONFIG, ENOENT, NULL, "open %s: %s", file,
			 strerror(ENOENT));
}

int config_read(const char *path, struct arena *arena, char **ret, struct error *err)
{
	int r = read_file(path, arena, ret, NULL, err);

	return r == -ENOENT ? file_missing(path, err) : r;
}

static int load(const char *path, struct arena *arena, struct config *ret, struct error *err)
{
	const char *file = path ? path : CONFIG_PATH;
	size_t length = 0;
	char *text = NULL;
	int r = read_file(file, arena, &text, &length, err);

	if (r == -ENOENT && !path)
		return config_defaults(arena, ret) < 0 ? error_memory(err) : 0;
	if (r < 0)
		return r == -ENOENT ? file_missing(file, err) : r;
	file = arena_strdup(arena, file);
	if (!file)
		return error_memory(err);
	return config_parse(text, length, file, arena, ret, err);
}

int config_load(const char *path, struct arena *arena, struct config *ret, struct error *err)
{
	int r = load(path, arena, ret, err);

	if (r < 0 && !err->fix[0])
		error_fix(err, r,
			  "compare it with davit's default config.json, which has every key");
	return r;
}
