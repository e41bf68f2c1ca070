// SPDX-License-Identifier: Apache-2.0
/*
 * Adds the files, directories and links of the lists. In the container, each has its path on the
 * host.
 */
#include <fcntl.h>
#include <string.h>

#include "board.h"

#define RELEASE "/etc/nv_tegra_release"

/* Files below these directories are allowed, the directories themselves aren't. */
static const char *const folders[] = {
	"/usr", "/lib", "/opt", "/etc/vulkan", "/etc/vulkansc", "/var/nvidia",
};

static bool is_beneath(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	return strncmp(path, folder, length) == 0 && path[length] == '/' && path[length + 1];
}

bool board_allows(const struct board *board, const char *path)
{
	const struct strings *patterns = &board->config->policy.csv_allow;

	for (size_t i = 0; i < patterns->count; i++)
		if (csv_matches_path(patterns->items[i], path) ||
		    is_beneath(path, patterns->items[i]))
			return true;
	return false;
}

static bool may_come_in(const struct board *board, const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		if (is_beneath(path, folders[i]))
			return true;
	return string_starts(path, "/etc/nvidia") || strcmp(path, RELEASE) == 0 ||
	       board_allows(board, path);
}

static void exclude_path(const struct board *board, const char *path, const char *why)
{
	(void)board;
	log_line(LOG_LEVEL_WARNING, "%s is skipped: a list names it, but %s", path, why);
}

/* ---- one file --------------------------------------------------------------------------- */

static struct driver_file *find_file(struct board *board, const char *path)
{
	for (size_t i = 0; i < board->driver->files.count; i++)
		if (strcmp(board->driver->files.items[i].path, path) == 0)
			return &board->driver->files.items[i];
	return NULL;
}

static const char *leaf(const char *path)
{
	return strrchr(path, '/') + 1;
}

static bool is_library(const char *name)
{
	const char *so = strstr(name, ".so");

	return so && (so[3] == '.' || !so[3]);
}

static int add_pair(struct board *board, struct driver_links *links, const char *name,
		    const char *text)
{
	struct driver_link *link;

	if (!name || !text)
		return -ENOMEM;
	for (size_t i = 0; i < links->count; i++)
		if (strcmp(links->items[i].name, name) == 0)
			return 0;
	link = ARENA_PUSH(board->arena, links);
	if (!link)
		return -ENOMEM;
	*link = (struct driver_link){name, text};
	return 0;
}

static bool has_link(const struct board *board, const char *path)
{
	for (size_t i = 0; i < board->driver->files.count; i++) {
		const struct driver_links *links = &board->driver->files.items[i].links;

		for (size_t j = 0; j < links->count; j++)
			if (strcmp(links->items[j].name, path) == 0)
				return true;
	}
	return false;
}

static int add_link(struct board *board, struct driver_file *file, const char *path,
		    const char *text)
{
	if (!path)
		return -ENOMEM;
	return has_link(board, path) || find_file(board, path)
		       ? 0
		       : add_pair(board, &file->links, path, text);
}

/* Adds the SONAME, or the file's name if it has none. */
static int add_loader_names(struct board *board, struct driver_file *file)
{
	AUTO_FD fd = fd_reopen(file->fd, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	bool cuda = string_starts(file->name, "libcuda.so.");
	struct elf_facts facts = {0};
	struct cuda_note note;

	if (fd < 0 || elf_read(fd, ELF_WANT_SONAME | (cuda ? ELF_WANT_CUDA_NOTE : 0), board->arena,
			       &facts) < 0)
		facts = (struct elf_facts){0};
	if (cuda && facts.cuda_note && !board->driver->cuda_version &&
	    cuda_note_parse(facts.cuda_note, board->arena, &note) == 0)
		board->driver->cuda_version = note.cuda_version;
	return add_pair(board, &file->loader, facts.soname ? facts.soname : file->name,
			file->target);
}

/* 0, with *ret NULL if the file is excluded; or -ENOMEM. */
static int take_file(struct board *board, const char *path, struct walk_result *found,
		     struct driver_file **ret)
{
	struct driver_file *file;
	bool directory = S_ISDIR(found->st.st_mode);

	*ret = NULL;
	if (!found->path)
		return -ENOMEM;
	file = find_file(board, found->path);
	*ret = file;
	if (file)
		return 0;
	if (!S_ISREG(found->st.st_mode) && !directory)
		exclude_path(board, path, "it is neither a file nor a directory");
	else if (!may_come_in(board, found->path))
		exclude_path(
			board, path,
			"it points outside the directories of such files (fix: add it to policy.csv-allow)");
	else {
		file = ARENA_PUSH(board->arena, &board->driver->files);
		if (!file)
			return -ENOMEM;
		*file = (struct driver_file){
			.kind = !directory && is_library(leaf(found->path)) ? DRIVER_FILE_LIBRARY
									    : DRIVER_FILE_DATA,
			.tree = TREE_DRIVER_ROOT,
			.path = found->path,
			.target = found->path,
			.fd = fd_take(&found->fd),
			.name = leaf(found->path),
			.directory = directory,
		};
		*ret = file;
		if (file->kind != DRIVER_FILE_LIBRARY)
			return 0;
		file->class_bits = 64;
		file->needed = string_starts(file->name, "libcuda.so.");
		return add_loader_names(board, file);
	}
	return 0;
}

/* Adds a link in the library's directory, if the host has it: "libx.so.1", "libx.so". */
static int add_host_link(struct board *board, struct driver_file *file, const char *name)
{
	const char *path =
		name ? arena_printf(board->arena, "%.*s%s", (int)(leaf(file->path) - file->path),
				    file->path, name)
		     : NULL;
	const char *text = path ? root_readlink(&board->roots->driver, path, board->arena) : NULL;

	if (!path)
		return -ENOMEM;
	return text && !strchr(text, '/') ? add_link(board, file, path, text) : 0;
}

/*
 * For "libx.so.1.2", adds the host's usual links, and a few libraries' customary links, which the
 * host may lack.
 */
static int add_links_of(struct board *board, struct driver_file *file)
{
	static const struct {
		const char *beginning, *name, *text;
	} customs[] = {
		{"libcuda.so.", "libcuda.so", "libcuda.so.1"},
		{"libGLX_nvidia.so.", "libGLX_indirect.so.0", NULL},
		{"libnvidia-opticalflow.so.", "libnvidia-opticalflow.so",
		 "libnvidia-opticalflow.so.1"},
	};
	const char *so = strstr(file->name, ".so."), *first = so ? so + strlen(".so.") : NULL;
	const char *dot = first ? strchr(first, '.') : NULL;
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(customs); i++)
		if (dot && string_starts(file->name, customs[i].beginning))
			r = add_link(board, file,
				     arena_printf(board->arena, "%.*s%s",
						  (int)(leaf(file->path) - file->path), file->path,
						  customs[i].name),
				     customs[i].text ? customs[i].text : file->name);
	if (r == 0 && string_starts(file->name, "libGLX_nvidia.so."))
		r = add_host_link(board, file, "libGLX_indirect.so.0");
	if (r == 0 && !dot)
		return 0;
	if (r == 0)
		r = add_host_link(
			board, file,
			arena_strndup(board->arena, file->name, (size_t)(dot - file->name)));
	if (r == 0)
		r = add_host_link(
			board, file,
			arena_strndup(board->arena, file->name, (size_t)(so + 3 - file->name)));
	return r;
}

/* ---- entries ---------------------------------------------------------------------------- */

static int take_path(struct board *board, enum csv_type type, const char *path)
{
	struct walk_result found;
	struct driver_file *file = NULL;
	int r = walk_open(&board->files, path, &found);

	if (r == -ENOMEM)
		return r;
	if (r == -EPERM) {
		exclude_path(board, path, board->files.refused);
		return 0;
	}
	if (r < 0 || (type == CSV_DIR) != S_ISDIR(found.st.st_mode)) {
		fd_close(&found.fd);
		board->absent++;
		return 0;
	}
	r = take_file(board, path, &found, &file);
	fd_close(&found.fd);
	if (r < 0 || !file)
		return r;
	for (size_t i = 0; r == 0 && type == CSV_SYM && i < found.links.count; i++)
		r = add_link(board, file, found.links.items[i].name, found.links.items[i].text);
	if (r == 0 && type == CSV_LIB)
		r = add_links_of(board, file);
	return r;
}

/* "/dev/dri/by-path" is in the tree of the nodes. */
static int take_by_path(struct board *board, const char *path)
{
	struct driver_file *file;
	struct stat st;

	if (strcmp(path, "/dev/dri/by-path") != 0) {
		exclude_path(board, path, "whole directories of device nodes are not supported");
		return 0;
	}
	if (root_stat(&board->roots->dev, "dri/by-path", 0, &st) < 0 || !S_ISDIR(st.st_mode)) {
		board->absent++;
		return 0;
	}
	file = ARENA_PUSH(board->arena, &board->driver->files);
	if (!file)
		return -ENOMEM;
	*file = (struct driver_file){
		.kind = DRIVER_FILE_DATA,
		.tree = TREE_DEV,
		.path = "/dri/by-path",
		.target = path,
		.fd = root_openat(&board->roots->dev, "dri/by-path", O_PATH | O_DIRECTORY),
		.name = "by-path",
		.directory = true,
	};
	return 0;
}

/*
 * Whether driver.csv-ignore excludes the link. After "**", a pattern is compared only with the
 * name.
 */
static bool is_ignored(const struct board *board, const char *path)
{
	static const char anywhere[] = "**/";
	const struct strings *patterns = &board->config->driver.csv_ignore;

	for (size_t i = 0; i < patterns->count; i++) {
		const char *pattern = patterns->items[i];

		if (string_starts(pattern, anywhere)
			    ? csv_matches(pattern + strlen(anywhere), leaf(path))
			    : csv_matches_path(pattern, path))
			return true;
	}
	return false;
}

static int take_entry(struct board *board, const struct csv_entry *entry)
{
	struct strings paths = {0};
	int r;

	if (entry->type == CSV_DIR && string_starts(entry->path, "/dev/"))
		return take_by_path(board, entry->path);
	r = walk_glob(&board->files, entry->path, &paths);
	board->absent += r == 0 && paths.count == 0;
	for (size_t i = 0; r == 0 && i < paths.count; i++)
		if (entry->type != CSV_SYM || !is_ignored(board, paths.items[i]))
			r = take_path(board, entry->type, paths.items[i]);
	return r;
}

static bool has_libcuda(const struct driver *driver)
{
	for (size_t i = 0; i < driver->files.count; i++)
		if (string_starts(driver->files.items[i].name, "libcuda.so."))
			return true;
	return false;
}

static int add_notes(struct board *board)
{
	const char *absent = arena_printf(
		board->arena, "%zu of %zu entries of the lists don't exist on this host",
		board->absent, board->entries.count);
	const char *left =
		board->left_out.count ? strings_join(board->arena, &board->left_out, ", ") : NULL;

	if (!absent ||
	    (board->absent && strings_add(board->arena, &board->driver->notes, absent) < 0))
		return -ENOMEM;
	if (!left)
		return 0;
	left = arena_printf(
		board->arena,
		"ignored lists: %s (fix: if a container needs them, set NVIDIA_REQUIRE_JETPACK=csv-mounts=all)",
		left);
	return left ? strings_add(board->arena, &board->driver->notes, left) : -ENOMEM;
}

int board_read_files(struct board *board)
{
	size_t absent = board->absent;
	int r = take_path(board, CSV_LIB, RELEASE);

	board->absent = absent;
	for (size_t i = 0; r == 0 && i < board->entries.count; i++)
		if (board->entries.items[i].type != CSV_DEV)
			r = take_entry(board, &board->entries.items[i]);
	if (r == 0)
		r = add_notes(board);
	if (r < 0)
		return error_memory(board->err);
	if (has_libcuda(board->driver))
		return 0;
	return error_set(
		board->err, ERROR_NO_DRIVER, ENXIO,
		"reinstall nvidia-l4t-init and nvidia-l4t-cuda, or add libcuda.so.1.1 to "
		"drivers.csv",
		"provide the driver: the lists in %s name no libcuda that exists on this host",
		board->config->driver.csv);
}
