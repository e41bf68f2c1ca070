// SPDX-License-Identifier: Apache-2.0
/*
 * What `davit node` remembers on the host: a line with the engine's name, the paths that existed
 * before, and lines that begin with a word.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "davit/configure.h"
#include "node.h"

#define RECORD_MAX ((size_t)256 * 1024)
#define FOLDER_MAX 4096 /* files in a directory */
#define RESTART_LINE "restart"

static const char folder_line[] = "directory ", main_line[] = "configures ";
static const char write_line[] = "writes ", create_line[] = "creates ";

/* ---- reading ---------------------------------------------------------------------------- */

static int read_line(struct node *node, const char *line)
{
	if (string_equal(line, RESTART_LINE)) {
		node->pending = true;
		return 0;
	}
	if (string_starts(line, main_line)) {
		node->file = line + strlen(main_line);
		return 0;
	}
	if (string_starts(line, folder_line))
		return strings_add(node->arena, &node->made, line + strlen(folder_line));
	if (string_starts(line, write_line) || string_starts(line, create_line))
		return strings_add(node->arena, &node->written, line);
	return strings_add(node->arena, line[0] == '/' ? &node->before : &node->saved, line);
}

static int refuse_record(struct node *node, int errnum)
{
	return error_set(node->err, ERROR_SYSTEM, errnum,
			 "remove that file, and remove davit manually: davit configure --remove",
			 "read %s", NODE_RECORD);
}

static int read_lines(struct node *node, const char *text)
{
	struct slice rest = slice_from(text), line;

	while (slice_next(&rest, '\n', &line)) {
		const char *copy = arena_strndup(node->arena, line.data, line.length);

		/* Each line but one ends with a path. */
		if (copy && *copy && !strchr(copy, '/') && !string_equal(copy, RESTART_LINE))
			return refuse_record(node, EINVAL);
		if (!copy || (*copy && read_line(node, copy) < 0))
			return error_memory(node->err);
	}
	return 0;
}

int node_read_record(struct node *node)
{
	char *text = NULL;
	int r = root_read(&node->host, NODE_RECORD, RECORD_MAX, node->arena, &text, NULL);

	if (r == -ENOENT)
		return r;
	for (size_t i = 0; r == 0 && i < node_engine_count; i++) {
		size_t length = strlen(node_engines[i].name);

		if (string_starts(text, node_engines[i].name) && text[length] == '\n') {
			node->engine = &node_engines[i];
			return read_lines(node, text + length + 1);
		}
	}
	return refuse_record(node, r < 0 ? -r : EINVAL);
}

/* ---- writing ---------------------------------------------------------------------------- */

void node_sweep(const struct node *node, const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL, *folder, *start;
	struct strings names = {0};
	AUTO_FD dir = -1;

	if (!slash)
		return;
	folder = arena_strndup(node->arena, path, (size_t)(slash - path));
	start = arena_printf(node->arena, ".%s.davit-", slash + 1);
	if (!folder || !start ||
	    root_list(&node->host, *folder ? folder : "/", FOLDER_MAX, node->arena, &names) < 0)
		return;
	dir = root_openat(&node->host, *folder ? folder : "/", O_PATH | O_DIRECTORY);
	for (size_t i = 0; i < names.count; i++)
		if (string_starts(names.items[i], start))
			(void)unlinkat(dir, names.items[i], 0);
}

int node_write(const struct node *node, const char *path, const char *text)
{
	node_sweep(node, path);
	return configure_write(&node->host, path, text, false, node->arena, node->err);
}

static const char *add_lines(const struct node *node, const char *text, const char *start,
			     const struct strings *lines)
{
	for (size_t i = 0; text && i < lines->count; i++)
		text = arena_printf(node->arena, "%s%s%s\n", text, start, lines->items[i]);
	return text;
}

int node_write_record(const struct node *node)
{
	const char *text = arena_printf(node->arena, "%s\n", node->engine->name);

	text = add_lines(node, text, "", &node->before);
	text = add_lines(node, text, folder_line, &node->made);
	text = add_lines(node, text, "", &node->saved);
	text = add_lines(node, text, "", &node->written);
	if (text && node->file)
		text = arena_printf(node->arena, "%s%s%s\n", text, main_line, node->file);
	if (text && node->pending)
		text = arena_printf(node->arena, "%s" RESTART_LINE "\n", text);
	return text ? node_write(node, NODE_RECORD, text) : error_memory(node->err);
}

/* ---- what davit leaves behind if it is killed ---------------------------------------------- */

int node_note_changes(struct node *node, const struct node_changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		const char *path = changes->items[i].path;
		bool creates = string_ends(path, CONFIGURE_BACKUP_SUFFIX) && !node_has(node, path);
		const char *write = arena_printf(node->arena, "%s%s", write_line, path);
		const char *create = arena_printf(node->arena, "%s%s", create_line, path);
		int r;

		if (!write || !create)
			return error_memory(node->err);
		r = node_note_folders(node, path);
		if (r < 0)
			return r;
		if (!strings_contain(&node->written, write) &&
		    !strings_contain(&node->written, create) &&
		    strings_add(node->arena, &node->written, creates ? create : write) < 0)
			return error_memory(node->err);
	}
	return 0;
}

static int remove_written(const struct node *node)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < node->written.count; i++) {
		const char *line = node->written.items[i], *path = strchr(line, '/');

		node_sweep(node, path);
		if (string_starts(line, create_line) && !node_is_saved(node, path))
			r = node_write(node, path, NULL);
	}
	return r;
}

/* The record's own temporary files, and the copies of saved files. */
static bool is_of_davit(const char *name)
{
	static const char *const starts[] = {".node.davit-", "before.", "rest.",
					     "after.",       "next.",   ".before.",
					     ".rest.",       ".after.", ".next."};

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		if (string_starts(name, starts[i]))
			return true;
	return false;
}

void node_remove_folder(const struct node *node)
{
	struct error ignored = {0};
	struct strings names = {0};
	const char *name;
	AUTO_FD dir = root_openat(&node->host, NODE_FOLDER, O_PATH | O_DIRECTORY);
	AUTO_FD parent = root_open_parent(&node->host, NODE_FOLDER, false, &name, &ignored);

	if (dir < 0 || parent < 0 ||
	    root_list(&node->host, NODE_FOLDER, FOLDER_MAX, node->arena, &names) < 0)
		return;
	for (size_t i = 0; i < names.count; i++)
		if (is_of_davit(names.items[i]))
			(void)unlinkat(dir, names.items[i], 0);
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
		(void)printf("removed %s\n", NODE_FOLDER);
}

/* ---- directories ------------------------------------------------------------------------ */

int node_note_folders(struct node *node, const char *path)
{
	for (const char *end = strchr(path + 1, '/'); end; end = strchr(end + 1, '/')) {
		const char *folder = arena_strndup(node->arena, path, (size_t)(end - path));

		if (!folder)
			return error_memory(node->err);
		if (!node_has(node, folder) && !strings_contain(&node->made, folder) &&
		    strings_add(node->arena, &node->made, folder) < 0)
			return error_memory(node->err);
	}
	return 0;
}

/* The deepest first. */
static int compare(const void *a, const void *b)
{
	size_t first = strlen(*(const char *const *)a), second = strlen(*(const char *const *)b);

	return first > second ? -1 : first < second;
}

/* The record is removed when nothing is left that it describes, and copies only after it. */
int node_remove_record(const struct node *node)
{
	struct strings made = node->made;
	int r = remove_written(node);

	if (r == 0 &&
	    sort_items(node->arena, made.items, made.count, sizeof(*made.items), compare) < 0)
		r = error_memory(node->err);
	for (size_t i = 0; r == 0 && i < made.count; i++) {
		struct error ignored = {0};
		const char *name;
		AUTO_FD dir = root_open_parent(&node->host, made.items[i], false, &name, &ignored);

		/* Others may have put files there. */
		if (dir >= 0 && unlinkat(dir, name, AT_REMOVEDIR) == 0)
			(void)printf("removed %s\n", made.items[i]);
	}
	if (r == 0)
		r = node_write(node, NODE_RECORD, NULL);
	if (r == 0)
		node_remove_folder(node);
	return r;
}
