// SPDX-License-Identifier: Apache-2.0
/* `davit configure` in the host's root, and the texts of the files that it changes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "configure.h"
#include "node.h"

#define OUTPUT_MAX (4 * CONFIGURE_SIZE_MAX)

/* ---- configuring ------------------------------------------------------------------------ */

struct asked {
	const struct node *node;
	int output; /* for the changes; -1: they are made */
};

/* A path and a text, each with a NUL at its end; a text begins with "+". */
static int on_change(void *context, const char *path, const char *text)
{
	const struct asked *asked = context;
	const char *sign = text ? "+" : "";
	int r;

	if (asked->output < 0)
		return node_intend(asked->node, path, text);
	r = file_write(asked->output, path, strlen(path) + 1);
	if (r == 0)
		r = file_write(asked->output, sign, strlen(sign));
	if (r == 0)
		r = file_write(asked->output, text ? text : "", text ? strlen(text) + 1 : 1);
	return r < 0 ? error_errno(asked->node->err, -r, "write to a file in memory") : 0;
}

/*
 * In the host's root, where it can ask the host's containerd about the files. `output`: as in
 * struct asked. Exits.
 */
_Noreturn static void become_configure(const struct node *node, bool remove, int output)
{
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct node own = *node;
	struct asked asked = {&own, output};
	struct job job = {
		.engine = configure_find_engine(node->engine->command),
		.root_path = "/",
		.config = node->config,
		.file = node->file,
		.dry_run = output >= 0,
		.check = output >= 0,
		.follow = true,
		.on_change = on_change,
		.context = &asked,
		.remove = remove,
		.configure = {.runtime_path = node->program,
			      .set_default = node->set_default && !remove,
			      .cdi = node->cdi && !remove},
		.root = {.fd = -1},
		.arena = &arena,
		.err = &err,
	};
	int r = node_enter_host(node);

	own.err = &err;
	if (r < 0)
		_exit(126);
	r = configure_run(&job) < 0 ? cli_fail(&err) : 0;
	_exit(fflush(stdout) == 0 ? r : 1);
}

int node_run_configure(const struct node *node, bool remove, const struct node_changes *changes)
{
	pid_t child;

	for (size_t i = 0; i < changes->count; i++)
		node_sweep(node, changes->items[i].path);
	(void)fflush(stdout);
	child = fork();
	if (child == 0)
		become_configure(node, remove, -1);
	if (child < 0)
		return error_errno(node->err, errno, "start a process");
	return node_wait_for(node, child, "davit configure");
}

/* Its notes are shown by node_run_configure. */
static int run_check(const struct node *node, bool remove, int output, int errors)
{
	AUTO_FD nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
	pid_t child;

	(void)fflush(stdout);
	child = fork();
	if (child == 0) {
		if (nothing >= 0)
			(void)dup2(nothing, STDOUT_FILENO);
		(void)dup2(errors, STDERR_FILENO);
		become_configure(node, remove, output);
	}
	if (child < 0)
		return error_errno(node->err, errno, "start a process");
	return node_wait_for(node, child, "davit configure");
}

static int read_back(const struct node *node, int fd, char **ret, size_t *ret_length)
{
	if (lseek(fd, 0, SEEK_SET) < 0 ||
	    file_read(fd, OUTPUT_MAX, node->arena, ret, ret_length) < 0)
		return error_errno(node->err, EIO, "read what davit configure says");
	return 0;
}

/* What on_change has written. */
static int parse_changes(const struct node *node, const char *text, size_t length,
			 struct node_changes *ret)
{
	const char *end = text + length;

	while (text < end) {
		struct node_change *change = ARENA_PUSH(node->arena, ret);
		const char *after = text + strlen(text) + 1;

		if (!change)
			return error_memory(node->err);
		*change = (struct node_change){text, *after == '+' ? after + 1 : NULL};
		text = after + strlen(after) + 1;
	}
	return 0;
}

int node_ask_configure(const struct node *node, bool remove, struct node_changes *ret,
		       char **ret_messages)
{
	AUTO_FD output = memfd_create("output", MFD_CLOEXEC);
	AUTO_FD errors = memfd_create("errors", MFD_CLOEXEC);
	char *text = NULL;
	size_t length = 0;
	int r;

	if (output < 0 || errors < 0)
		return error_errno(node->err, errno, "create a file in memory");
	r = run_check(node, remove, output, errors);
	if (r < 0 && ret_messages && read_back(node, errors, ret_messages, &length) < 0)
		return r;
	if (r == 0)
		r = read_back(node, output, &text, &length);
	return r < 0 || !text ? r : parse_changes(node, text, length, ret);
}

int node_check_configure(const struct node *node, bool remove, struct node_changes *ret)
{
	char *messages = NULL;
	int r = node_ask_configure(node, remove, ret, &messages);

	if (messages)
		(void)fputs(messages, stderr);
	return r;
}

const char *node_text_after(const struct node_changes *changes, const char *path, const char *now)
{
	for (size_t i = 0; i < changes->count; i++)
		if (string_equal(changes->items[i].path, path))
			now = changes->items[i].after;
	return now;
}

/* ---- texts ------------------------------------------------------------------------------ */

struct node_texts {
	const struct node_changes *changes;
	char **texts; /* NULL: no such file */
};

int node_read_texts(const struct node *node, const struct node_changes *changes,
		    struct node_texts **ret)
{
	struct node_texts *texts = arena_alloc(node->arena, sizeof(*texts));
	int r = 0;

	if (!texts)
		return error_memory(node->err);
	texts->changes = changes;
	texts->texts = arena_alloc(node->arena, (changes->count + 1) * sizeof(*texts->texts));
	if (!texts->texts)
		return error_memory(node->err);
	for (size_t i = 0; r == 0 && i < changes->count; i++)
		r = configure_read(&node->host, changes->items[i].path, node->arena,
				   &texts->texts[i], node->err);
	*ret = texts;
	return r;
}

int node_write_texts(const struct node *node, const struct node_texts *texts)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < texts->changes->count; i++) {
		const char *path = texts->changes->items[i].path;
		char *now = NULL;

		r = configure_read(&node->host, path, node->arena, &now, node->err);
		if (r == 0 && !string_equal(now, texts->texts[i]))
			r = node_write(node, path, texts->texts[i]);
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

int node_check_config(const struct node *node, struct node_changes *ret)
{
	struct node_change *change;
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
	if (r < 0)
		return r;
	change = ARENA_PUSH(node->arena, ret);
	if (!change)
		return error_memory(node->err);
	*change = (struct node_change){CONFIG_PATH, node->config};
	return 0;
}
