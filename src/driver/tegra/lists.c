// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "board.h"

#define LIST_MAX ((size_t)1024 * 1024)

static const char *const base_lists[] = {"devices.csv", "drivers.csv", "l4t.csv"};

static bool is_base(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(base_lists); i++)
		if (strcmp(name, base_lists[i]) == 0)
			return true;
	return false;
}

static bool is_list(const char *name)
{
	size_t length = strlen(name);

	return length > 4 && strcasecmp(name + length - 4, ".csv") == 0;
}

/*
 * The tree that contains the lists, and their directory in it. If they are below the driver's root,
 * that is the tree: the directories above it belong to the user who mounted it.
 */
static const struct root *root_of(const struct driver_roots *roots, const char *path,
				  const char **ret_path)
{
	const char *root = roots->driver.path;
	size_t length = strlen(root);

	*ret_path = path;
	if (strcmp(root, "/") == 0 || strncmp(*ret_path, root, length) != 0 ||
	    (*ret_path)[length] != '/')
		return strcmp(root, "/") == 0 ? &roots->driver : &roots->host;
	*ret_path += length;
	return &roots->driver;
}

bool board_has_lists(const struct driver_roots *roots, const struct config *config)
{
	const char *path;
	const struct root *root = root_of(roots, config->driver.csv, &path);
	char name[4096];
	struct stat st;

	if (config->driver.csv_files.count)
		return true;

	/* Most hosts lack the directory, which one call shows. */
	if (root_stat(root, path, 0, &st) < 0 || !S_ISDIR(st.st_mode))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(base_lists); i++) {
		(void)snprintf(name, sizeof(name), "%s/%s", path, base_lists[i]);
		if (root_stat(root, name, 0, &st) == 0)
			return true;
	}
	return false;
}

static int refuse_list(struct board *board, const struct walk *walk, const char *path)
{
	error_set(board->err, ERROR_BAD_CONFIG, EPERM, NULL, "trust %s: %s", path,
		  walk->refused ? walk->refused : "users other than root can change it");
	return error_fix(board->err, -EPERM, "run `chown root` and `chmod go-w` on that path");
}

static int read_list(struct board *board, struct walk *walk, const char *path)
{
	struct walk_result found;
	AUTO_FD fd = -1, readable = -1;
	size_t length;
	char *text;
	int r = walk_open(walk, path, &found);

	if (r == -EPERM)
		return refuse_list(board, walk, path);
	if (r < 0)
		return r;
	fd = found.fd;
	if (!S_ISREG(found.st.st_mode))
		return -EINVAL;
	readable = fd_reopen(fd, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	r = readable < 0 ? readable : file_read(readable, LIST_MAX, board->arena, &text, &length);
	if (r == 0)
		r = csv_parse(text, length, board->arena, &board->entries);
	return r;
}

/* Reads the lists that the command line names. One that can't be read is an error. */
static int read_named(struct board *board)
{
	const struct strings *files = &board->config->driver.csv_files;
	int r = 0;

	for (size_t i = 0; r == 0 && i < files->count; i++) {
		const char *path;
		const struct root *root = root_of(board->roots, files->items[i], &path);
		struct walk walk;

		walk_begin(&walk, root, board->arena);
		path = csv_clean_path(path, board->arena);
		r = path ? read_list(board, &walk, path) : -ENOMEM;
		walk_end(&walk);
		if (r < 0 && r != -ENOMEM && r != -EPERM)
			return error_set(board->err, ERROR_BAD_REQUEST, -r,
					 "name the lists that the host has", "read the list %s: %s",
					 files->items[i], strerror(-r));
	}
	return r == -ENOMEM ? error_memory(board->err) : r;
}

/*
 * Reads lists in the order of their names. A list that can't be read is skipped, as in NVIDIA's
 * toolkit.
 */
static int read_directory(struct board *board, bool every)
{
	const char *directory;
	const struct root *root = root_of(board->roots, board->config->driver.csv, &directory);
	struct strings names;
	struct walk walk;
	int r = host_list(root, directory, board->arena, &names);

	walk_begin(&walk, root, board->arena);
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const char *name = names.items[i];
		const char *path = arena_printf(board->arena, "%s/%s", directory, name);

		if (!is_list(name))
			continue;
		if (!every && !is_base(name)) {
			r = strings_add(board->arena, &board->left_out, name);
			continue;
		}
		r = path ? read_list(board, &walk, path) : -ENOMEM;
		if (r < 0 && r != -ENOMEM && r != -EPERM) {
			log_line(LOG_LEVEL_WARNING, "the list %s is ignored: %s", path,
				 strerror(-r));
			r = 0;
		}
	}
	walk_end(&walk);
	return r == -ENOMEM ? error_memory(board->err) : r;
}

int board_read_lists(struct board *board, bool every)
{
	return board->config->driver.csv_files.count ? read_named(board)
						     : read_directory(board, every);
}
