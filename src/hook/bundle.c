// SPDX-License-Identifier: Apache-2.0
#include "bundle.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "davit/sys.h"

#define COMMAND_LINE_MAX ((size_t)64 * 1024)
#define ID_MAP_MAX ((size_t)64 * 1024)

/* ---- what the runtime was started with --------------------------------------------------- */

static void read_words(const char *id, struct arena *arena, struct oci_runtime_words *ret)
{
	pid_t parent = getppid();
	const char *path = arena_printf(arena, "/proc/%d/cmdline", (int)parent);
	char *text = NULL;
	size_t length = 0;
	AUTO_FD fd = -1;

	/* 0: the parent is in another PID namespace. */
	if (path && parent > 1)
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || file_read(fd, COMMAND_LINE_MAX, arena, &text, &length) < 0)
		length = 0;
	oci_runtime_words_parse((struct slice){text ? text : "", length}, id, arena, ret);
	if (!ret->names)
		*ret = (struct oci_runtime_words){.bundle = "", .root = "", .config = ""};
}

/* ---- crun's own directories --------------------------------------------------------------- */

/*
 * The directory in /run/user of this process's user outside the user namespace, to which root is
 * mapped.
 */
static const char *user_directory(struct arena *arena)
{
	AUTO_FD fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
	uint32_t outside;
	char *text;

	if (fd < 0 || file_read(fd, ID_MAP_MAX, arena, &text, NULL) < 0 ||
	    id_map_find(text, 0, &outside) < 0 || outside == 0)
		return NULL;
	return arena_printf(arena, "/run/user/%u/crun", outside);
}

/*
 * The file there decides about the container, so only root and the caller may be able to write it.
 */
static bool is_trusted_directory(const char *path)
{
	AUTO_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && !(st.st_mode & (S_IWGRP | S_IWOTH)) &&
	       owner_is_trusted(fd, &st);
}

static bool is_name(const char *id)
{
	return *id && !strchr(id, '/') && strcmp(id, ".") != 0 && strcmp(id, "..") != 0;
}

static int read_copy(struct pipeline *pipeline, const struct config *config,
		     const struct oci_state *state, const char *root, struct arena *arena,
		     struct error *err)
{
	const char *roots[] = {*root ? root : NULL, "/run/crun", NULL};

	if (!is_name(state->id) || state->root[0] != '/')
		return -ENOENT;
	roots[2] = user_directory(arena);
	for (size_t i = 0; i < ARRAY_SIZE(roots); i++) {
		const char *path =
			roots[i] ? arena_printf(arena, "%s/%s", roots[i], state->id) : NULL;

		if (!path || !is_trusted_directory(path) ||
		    pipeline_read(pipeline, config, path, arena, err) < 0)
			continue;
		log_line(LOG_LEVEL_DEBUG, "using crun's copy of config.json in %s", path);
		pipeline->rootfs = state->root;
		return 0;
	}
	return -ENOENT;
}

/* ---- both --------------------------------------------------------------------------------- */

bool bundle_is_out_of_reach(int r)
{
	return r == -EACCES || r == -EPERM || r == -ENOENT || r == -ENOTDIR;
}

/*
 * Whether crun was called with another file than the bundle's config.json: in another directory, or
 * with another name. Only crun sets `state->root`, so other runtimes cost nothing.
 */
static bool is_elsewhere(const struct oci_state *state, struct arena *arena,
			 struct oci_runtime_words *ret)
{
	const char *usual;

	if (!*state->root)
		return false;
	read_words(state->id, arena, ret);
	if (!*ret->config || string_equal(ret->config, "config.json"))
		return false;
	usual = arena_printf(arena, "%s/config.json", state->bundle);
	return !usual || !string_equal(ret->config, usual);
}

/* Reads crun's copy of that file, or the file itself if its whole path is known. */
static int read_elsewhere(struct pipeline *pipeline, const struct config *config,
			  const struct oci_state *state, const struct oci_runtime_words *words,
			  struct arena *arena, struct error *err)
{
	struct error ignored = {0};

	if (read_copy(pipeline, config, state, words->root, arena, &ignored) == 0) {
		pipeline->bundle = state->bundle;
		return 0;
	}
	if (words->config[0] == '/')
		return pipeline_read_file(pipeline, config, state->bundle, words->config, arena,
					  err);
	return error_set(err, ERROR_BAD_BUNDLE, ENOENT, "call it config.json, in the bundle",
			 "find the file %.100s that crun was given by --config", words->config);
}

int bundle_read(struct pipeline *pipeline, const struct config *config,
		const struct oci_state *state, bool *ret_record, struct arena *arena,
		struct error *err)
{
	struct oci_runtime_words words;
	struct error ignored = {0};
	int r = -ENOENT;

	*ret_record = true;
	if (is_elsewhere(state, arena, &words))
		return read_elsewhere(pipeline, config, state, &words, arena, err);
	/* "/" is not a bundle, but the directory that crun has entered. */
	if (strcmp(state->bundle, "/") != 0) {
		r = pipeline_read(pipeline, config, state->bundle, arena, err);
		if (!bundle_is_out_of_reach(r))
			return r;
	}
	read_words(state->id, arena, &words);
	if (*words.bundle && pipeline_read(pipeline, config, words.bundle, arena, &ignored) == 0) {
		log_line(LOG_LEVEL_DEBUG, "using the runtime's --bundle: %s", words.bundle);
		return 0;
	}
	*ret_record = false;
	if (read_copy(pipeline, config, state, words.root, arena, &ignored) == 0)
		return 0;
	return strcmp(state->bundle, "/") == 0
		       ? pipeline_read(pipeline, config, state->bundle, arena, err)
		       : r;
}
