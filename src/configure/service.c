// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>

#include "davit/configure.h"
#include "unit.h"

#define UNIT_MAX ((size_t)64 * 1024)
#define DROP_INS_MAX 256

static bool has_file(const struct root *root, const char *folder, const char *name,
		     const char *suffix, struct arena *arena)
{
	const char *path = arena_printf(arena, "%s/%s%s", folder, name, suffix);
	struct stat st;

	return path && root_stat(root, path, 0, &st) == 0;
}

/* systemd.unit(5): an earlier folder's file replaces a later one's. */
static const char *const unit_folders[] = {"/etc/systemd/system", "/run/systemd/system",
					   "/usr/local/lib/systemd/system",
					   "/usr/lib/systemd/system", "/lib/systemd/system"};

static const char *find_unit(const struct root *root, const char *name, struct arena *arena)
{
	for (size_t i = 0; i < ARRAY_SIZE(unit_folders); i++)
		if (has_file(root, unit_folders[i], name, ".service", arena))
			return arena_printf(arena, "%s/%s.service", unit_folders[i], name);
	return NULL;
}

/* 0 or -ENOMEM; a file that can't be read says nothing. */
static int read_file(const struct root *root, const char *path, struct arena *arena,
		     int (*read)(const char *, struct arena *, struct unit *), struct unit *unit)
{
	char *text;
	int r = path ? root_read(root, path, UNIT_MAX, arena, &text, NULL) : -ENOMEM;

	return r < 0 ? (r == -ENOMEM ? r : 0) : read(text, arena, unit);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Drop-ins of all folders, in the order of their names. 0 or -ENOMEM. */
static int read_drop_ins(const struct root *root, const char *name, struct arena *arena,
			 struct unit *unit)
{
	struct strings names = {0};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(unit_folders); i++) {
		const char *folder = arena_printf(arena, "%s/%s.service.d", unit_folders[i], name);
		struct strings found = {0};

		if (folder && root_list(root, folder, DROP_INS_MAX, arena, &found) == 0)
			for (size_t j = 0; j < found.count; j++)
				if (string_ends(found.items[j], ".conf") &&
				    !strings_contain(&names, found.items[j]) &&
				    strings_add(arena, &names, found.items[j]) < 0)
					return -ENOMEM;
	}
	if (sort_items(arena, names.items, names.count, sizeof(*names.items), compare) < 0)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < names.count; i++)
		for (size_t j = 0; j < ARRAY_SIZE(unit_folders); j++) {
			const char *path = arena_printf(arena, "%s/%s.service.d/%s",
							unit_folders[j], name, names.items[i]);
			struct stat st;

			/* A link to /dev/null hides it, too. */
			if (path && root_stat(root, path, AT_SYMLINK_NOFOLLOW, &st) == 0) {
				r = read_file(root, path, arena, unit_read, unit);
				break;
			}
		}
	return r;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Programs that run the command behind their own options. */
static bool is_wrapper(const char *name)
{
	static const char *const wrappers[] = {"env",   "nice",    "ionice",   "taskset",
					       "chrt",  "numactl", "setpriv",  "prlimit",
					       "choom", "stdbuf",  "catchsegv"};

	for (size_t i = 0; i < ARRAY_SIZE(wrappers); i++)
		if (string_equal(name, wrappers[i]))
			return true;
	return false;
}

/*
 * Removes the words before the program of that name. False if it isn't there: a shell or a script
 * shows neither its program nor whose options its words are.
 */
static bool skip_to(const struct root *root, struct strings *words, const char *program)
{
	for (size_t i = 0; i < words->count; i++) {
		struct stat st;

		/* An option's value may be a directory of that name, such as /var/lib/containerd.
		 */
		if (string_equal(base_of(words->items[i]), program) &&
		    !(i > 0 && root_stat(root, words->items[i], 0, &st) == 0 &&
		      S_ISDIR(st.st_mode))) {
			words->items += i;
			words->count -= i;
			return true;
		}
		if (i == 0 && !is_wrapper(base_of(words->items[i])))
			return false;
	}
	return false;
}

int configure_find_service(const struct root *root, const char *name, const char *program,
			   struct arena *arena, struct configure_service *ret)
{
	const char *path = find_unit(root, name, arena);
	struct unit unit = {0};
	struct strings words = {0};
	int r = path ? read_file(root, path, arena, unit_read, &unit) : 0;

	*ret = (struct configure_service){0};
	if (r == 0)
		r = read_drop_ins(root, name, arena, &unit);
	for (size_t i = 0; r == 0 && i < unit.files.count; i++)
		r = read_file(root, unit.files.items[i], arena, unit_read_variables, &unit);
	if (r == 0)
		r = unit_words(&unit, arena, &words);
	if (r == 0)
		ret->search = unit_variable(&unit, "PATH");
	if (r < 0 || !words.count)
		return r;
	ret->hidden = unit.elsewhere || !skip_to(root, &words, program);
	if (ret->hidden)
		return 0;
	if (words.items[0][0] == '/')
		ret->program = words.items[0];
	ret->arguments = (struct strings){.items = words.items + 1, .count = words.count - 1};
	ret->folder = unit.folder;
	return 0;
}

const char *configure_restart(const struct root *root, const char *const *services, size_t count,
			      struct arena *arena)
{
	for (size_t i = 0; i < count; i++) {
		/* A snap's services are started by snapd. */
		if (string_starts(services[i], "snap."))
			return arena_printf(arena, "snap restart %s", services[i] + 5);
		if (find_unit(root, services[i], arena))
			return arena_printf(arena, "systemctl restart %s", services[i]);
		if (has_file(root, "/etc/init.d", services[i], "", arena))
			return arena_printf(arena, "service %s restart", services[i]);
	}
	return arena_printf(arena, "restart %s", services[count - 1]);
}
