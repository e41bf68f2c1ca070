// SPDX-License-Identifier: Apache-2.0
/* `davit configure` in the host's root, and the texts of the files that it changes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "configure.h"
#include "node.h"

#define OUTPUT_MAX ((size_t)256 * 1024)

static const char existing_line[] = "file ", absent_line[] = "absent ";

/* ---- configuring ------------------------------------------------------------------------ */

/* In the host's root, where it can ask the host's containerd about the files. Exits. */
_Noreturn static void become_configure(const struct node *node, bool remove, bool check)
{
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct job job = {
		.engine = configure_find_engine(node->engine->command),
		.root_path = "/",
		.config = node->config,
		.file = node->file,
		.dry_run = check,
		.check = check,
		.follow = true,
		.remove = remove,
		.configure = {.set_default = node->set_default && !remove,
			      .cdi = node->cdi && !remove},
		.root = {.fd = -1},
		.arena = &arena,
		.err = &err,
	};
	int r = node_enter_host(node);

	if (r < 0)
		_exit(126);
	r = configure_run(&job) < 0 ? cli_fail(&err) : 0;
	_exit(fflush(stdout) == 0 ? r : 1);
}

int node_run_configure(const struct node *node, bool remove, const struct strings *changes)
{
	pid_t child;

	for (size_t i = 0; i < changes->count; i++)
		node_sweep(node, changes->items[i]);
	(void)fflush(stdout);
	child = fork();
	if (child == 0)
		become_configure(node, remove, false);
	if (child < 0)
		return error_errno(node->err, errno, "start a process");
	return node_wait_for(node, child, "davit configure");
}

/* Its notes are shown by node_run_configure; here only if it fails. */
static int run_check(const struct node *node, bool remove, char **ret)
{
	AUTO_FD output = memfd_create("output", MFD_CLOEXEC);
	AUTO_FD errors = memfd_create("errors", MFD_CLOEXEC);
	char *text = NULL;
	pid_t child;
	int r;

	if (output < 0 || errors < 0)
		return error_errno(node->err, errno, "create a file in memory");
	(void)fflush(stdout);
	child = fork();
	if (child == 0) {
		(void)dup2(output, STDOUT_FILENO);
		(void)dup2(errors, STDERR_FILENO);
		become_configure(node, remove, true);
	}
	if (child < 0)
		return error_errno(node->err, errno, "start a process");
	r = node_wait_for(node, child, "davit configure");
	if (lseek(output, 0, SEEK_SET) < 0 || lseek(errors, 0, SEEK_SET) < 0 ||
	    file_read(output, OUTPUT_MAX, node->arena, ret, NULL) < 0 ||
	    file_read(errors, OUTPUT_MAX, node->arena, &text, NULL) < 0)
		return r < 0 ? r : error_errno(node->err, EIO, "read what davit configure says");
	if (r < 0)
		(void)fputs(text, stderr);
	return r;
}

int node_check_configure(const struct node *node, bool remove, struct strings *ret)
{
	struct slice rest, line;
	char *output = NULL;
	int r = run_check(node, remove, &output);

	rest = slice_from(r < 0 ? "" : output);
	while (slice_next(&rest, '\n', &line)) {
		size_t length = slice_starts(line, WOULD_WRITE)    ? strlen(WOULD_WRITE)
				: slice_starts(line, WOULD_REMOVE) ? strlen(WOULD_REMOVE)
								   : 0;
		const char *path = length ? arena_strndup(node->arena, line.data + length,
							  line.length - length)
					  : NULL;
		const char *backup =
			path ? arena_printf(node->arena, "%s" CONFIGURE_BACKUP_SUFFIX, path) : NULL;

		if (length && (!backup || strings_add(node->arena, ret, path) < 0 ||
			       strings_add(node->arena, ret, backup) < 0))
			return error_memory(node->err);
	}
	return r;
}

/* ---- texts ------------------------------------------------------------------------------ */

struct node_texts {
	const struct strings *paths;
	char **texts; /* NULL: no such file */
};

int node_read_texts(const struct node *node, const struct strings *paths, struct node_texts **ret)
{
	struct node_texts *texts = arena_alloc(node->arena, sizeof(*texts));
	int r = 0;

	if (!texts)
		return error_memory(node->err);
	texts->paths = paths;
	texts->texts = arena_alloc(node->arena, (paths->count + 1) * sizeof(*texts->texts));
	if (!texts->texts)
		return error_memory(node->err);
	for (size_t i = 0; r == 0 && i < paths->count; i++)
		r = configure_read(&node->host, paths->items[i], node->arena, &texts->texts[i],
				   node->err);
	*ret = texts;
	return r;
}

int node_write_texts(const struct node *node, const struct node_texts *texts)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < texts->paths->count; i++) {
		char *now = NULL;

		r = configure_read(&node->host, texts->paths->items[i], node->arena, &now,
				   node->err);
		if (r == 0 && !string_equal(now, texts->texts[i]))
			r = node_write(node, texts->paths->items[i], texts->texts[i]);
	}
	return r;
}

/* ---- davit's own configuration ---------------------------------------------------------- */

/* A ConfigMap's files are links. */
int node_read_config(struct node *node, const char *path)
{
	struct config ignored;
	size_t length = 0;
	char *text = NULL;
	int r = file_load(path, 0, CONFIG_SIZE_MAX, node->arena, &text, &length);

	if (r < 0)
		return error_read(node->err, ERROR_BAD_CONFIG, -r,
				  "name a file of this container with --config", "%s", path);
	r = config_parse(text, length, path, node->arena, &ignored, node->err);
	if (r == 0)
		node->config = text;
	return r;
}

int node_check_config(const struct node *node, struct strings *ret)
{
	char *now = NULL;
	int r;

	if (!node->config)
		return 0;
	r = configure_read(&node->host, CONFIG_PATH, node->arena, &now, node->err);
	if (r < 0 || string_equal(now, node->config))
		return r;
	r = configure_may_write(&node->host, CONFIG_PATH, node->arena, node->err);
	if (r == -ELOOP)
		return error_fix(node->err, r, "remove that link from the host");
	return r == 0 && strings_add(node->arena, ret, CONFIG_PATH) < 0 ? error_memory(node->err)
									: r;
}

/* ---- a configuration that davit had written before ---------------------------------------- */

struct saved {
	const char *path, *before_path, *after_path;
	char *now, *before, *after; /* NULL: no file */
};

/* The copy may repeat a registry's password. */
static int write_copy(const struct node *node, const char *path, const char *text)
{
	const struct configure_access access = {S_IRUSR, geteuid(), getegid()};

	return configure_write_limited(&node->host, path, text, false, &access, node->arena,
				       node->err);
}

static const char *path_of(const char *line)
{
	return strchr(line, ' ') + 1;
}

static int name_saved(const struct node *node, size_t i, struct saved *ret)
{
	*ret = (struct saved){
		.path = path_of(node->saved.items[i]),
		.before_path = arena_printf(node->arena, NODE_FOLDER "/before.%zu", i),
		.after_path = arena_printf(node->arena, NODE_FOLDER "/after.%zu", i),
	};
	return ret->before_path && ret->after_path ? 0 : error_memory(node->err);
}

static int read_saved(const struct node *node, size_t i, struct saved *ret)
{
	int r = name_saved(node, i, ret);

	if (r == 0)
		r = configure_read(&node->host, ret->path, node->arena, &ret->now, node->err);
	if (r == 0)
		r = configure_read(&node->host, ret->before_path, node->arena, &ret->before,
				   node->err);
	if (r == 0)
		r = configure_read(&node->host, ret->after_path, node->arena, &ret->after,
				   node->err);
	if (r == 0 && !ret->before && string_starts(node->saved.items[i], existing_line))
		return error_set(node->err, ERROR_SYSTEM, ENOENT,
				 "restore that copy, or remove davit manually",
				 "restore %s: %s is missing", ret->path, ret->before_path);
	return r;
}

/* Whether node->saved has this file. */
static bool is_saved(const struct node *node, const char *path)
{
	for (size_t i = 0; i < node->saved.count; i++)
		if (string_equal(path_of(node->saved.items[i]), path))
			return true;
	return false;
}

bool node_had_engine(const struct node *node)
{
	for (size_t i = 0; i < node->saved.count; i++)
		if (!string_equal(path_of(node->saved.items[i]), CONFIG_PATH))
			return true;
	return false;
}

static int save(struct node *node, const struct strings *paths)
{
	for (size_t i = 0; i < paths->count; i++) {
		const char *path = paths->items[i], *line;
		struct saved saved;
		char *text = NULL;
		int r;

		if (is_saved(node, path))
			continue;
		r = configure_read(&node->host, path, node->arena, &text, node->err);
		if (r < 0)
			return r;
		line = arena_printf(node->arena, "%s%s", text ? existing_line : absent_line, path);
		if (!line || strings_add(node->arena, &node->saved, line) < 0)
			return error_memory(node->err);
		r = name_saved(node, node->saved.count - 1, &saved);
		if (r == 0)
			r = write_copy(node, saved.before_path, text);
		if (r == 0)
			r = write_copy(node, saved.after_path, text);
		if (r < 0)
			return r;
	}
	return 0;
}

int node_save_before(struct node *node, const struct strings *changes, bool is_first)
{
	const char *path = CONFIG_PATH;
	const struct strings config = {.items = &path, .count = 1};
	struct strings ours = {0};
	int r = is_first ? node_check_configure(node, true, &ours) : 0;

	if (r == 0 && node->config)
		r = save(node, &config);
	if (r == 0 && ours.count)
		r = save(node, &ours);
	return r == 0 && node_had_engine(node) ? save(node, changes) : r;
}

/* The text that a file had before this call. */
static const char *find_text(const struct node_texts *texts, const char *path, const char *now)
{
	for (size_t i = 0; i < texts->paths->count; i++)
		if (string_equal(texts->paths->items[i], path))
			return texts->texts[i];
	return now;
}

/* A file that others changed between two calls remains different from its copy. */
int node_save_after(const struct node *node, const struct node_texts *texts)
{
	for (size_t i = 0; i < node->saved.count; i++) {
		struct saved saved;
		const char *earlier;
		int r = read_saved(node, i, &saved);

		if (r < 0)
			return r;
		earlier = find_text(texts, saved.path, saved.now);
		if (string_equal(saved.now, saved.after) ||
		    (!string_equal(earlier, saved.after) && !string_equal(earlier, saved.before)))
			continue;
		r = write_copy(node, saved.after_path, saved.now);
		if (r < 0)
			return r;
	}
	return 0;
}

int node_restore_saved(const struct node *node, bool check, size_t *ret_changes)
{
	*ret_changes = 0;
	for (size_t i = 0; i < node->saved.count; i++) {
		struct saved saved;
		int r = read_saved(node, i, &saved);

		if (r < 0)
			return r;
		if (string_equal(saved.now, saved.before))
			continue;
		if (!string_equal(saved.now, saved.after))
			return error_fix(
				node->err,
				error_set(node->err, ERROR_REFUSED, EEXIST, NULL,
					  "restore %s: it was changed after `davit node install`",
					  saved.path),
				"replace it with %s%s",
				saved.before ? saved.before_path : "nothing: remove it",
				saved.before ? ", and add your changes after `davit node remove`"
					     : "");
		(*ret_changes)++;
		if (check)
			r = configure_may_write(&node->host, saved.path, node->arena, node->err);
		else
			r = node_write(node, saved.path, saved.before);
		if (r < 0)
			return r;
		if (!check)
			(void)printf("restored %s\n", saved.path);
	}
	return 0;
}

int node_remove_saved(const struct node *node)
{
	for (size_t i = 0; i < node->saved.count; i++) {
		struct saved saved;
		int r = name_saved(node, i, &saved);

		if (r == 0)
			r = node_write(node, saved.before_path, NULL);
		if (r == 0)
			r = node_write(node, saved.after_path, NULL);
		if (r < 0)
			return r;
	}
	return 0;
}
