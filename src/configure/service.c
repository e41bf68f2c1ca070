// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>

#include "davit/configure.h"

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

/* The lines of a unit's file, joined where they end with a backslash. NULL: it can't be read. */
static char *read_unit(const struct root *root, const char *path, struct arena *arena)
{
	char *text, *at;

	if (!path || root_read(root, path, UNIT_MAX, arena, &text, NULL) < 0)
		return NULL;
	for (at = strstr(text, "\\\n"); at; at = strstr(at, "\\\n"))
		at[0] = at[1] = ' ';
	return text;
}

/* Reads ExecStart=, of which an empty one removes those before (systemd.service(5)). */
static void read_command(const struct root *root, const char *path, struct arena *arena,
			 const char **ret)
{
	char *text = read_unit(root, path, arena);
	struct slice rest = slice_from(text ? text : ""), line;

	while (slice_next(&rest, '\n', &line)) {
		size_t skipped;

		line = slice_trim(line);
		if (!slice_starts(line, "ExecStart="))
			continue;
		line.data += strlen("ExecStart=");
		line.length -= strlen("ExecStart=");
		/* Prefixes that change how it is started. */
		skipped = strspn(line.data, "@-:+! \t");
		skipped = skipped < line.length ? skipped : line.length;
		*ret = skipped < line.length && line.data[skipped] == '/'
			       ? arena_strndup(arena, line.data + skipped, line.length - skipped)
			       : NULL;
	}
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Drop-ins of all folders, in the order of their names. */
static void read_drop_ins(const struct root *root, const char *name, struct arena *arena,
			  const char **ret)
{
	struct strings names = {0};

	for (size_t i = 0; i < ARRAY_SIZE(unit_folders); i++) {
		const char *folder = arena_printf(arena, "%s/%s.service.d", unit_folders[i], name);
		struct strings found = {0};

		if (folder && root_list(root, folder, DROP_INS_MAX, arena, &found) == 0)
			for (size_t j = 0; j < found.count; j++)
				if (string_ends(found.items[j], ".conf") &&
				    !strings_contain(&names, found.items[j]))
					(void)strings_add(arena, &names, found.items[j]);
	}
	if (sort_items(arena, names.items, names.count, sizeof(*names.items), compare) < 0)
		return;
	for (size_t i = 0; i < names.count; i++)
		for (size_t j = 0; j < ARRAY_SIZE(unit_folders); j++) {
			const char *path = arena_printf(arena, "%s/%s.service.d/%s",
							unit_folders[j], name, names.items[i]);
			struct stat st;

			/* A link to /dev/null hides it, too. */
			if (path && root_stat(root, path, AT_SYMLINK_NOFOLLOW, &st) == 0) {
				read_command(root, path, arena, ret);
				break;
			}
		}
}

static const char *find_command(const struct root *root, const char *name, struct arena *arena)
{
	const char *command = NULL;

	read_command(root, find_unit(root, name, arena), arena, &command);
	read_drop_ins(root, name, arena, &command);
	return command;
}

const char *configure_service_program(const struct root *root, const char *name,
				      struct arena *arena)
{
	const char *command = find_command(root, name, arena);

	return command ? arena_strndup(arena, command, strcspn(command, " \t\r")) : NULL;
}

int configure_service_arguments(const struct root *root, const char *name, struct arena *arena,
				struct strings *ret)
{
	const char *at = find_command(root, name, arena);

	*ret = (struct strings){0};
	while (at && *(at += strspn(at, " \t\r"))) {
		const char quote[] = {*at == '"' || *at == '\'' ? *at : ' ', '\0'};
		size_t length;

		at += *quote != ' ';
		length = strcspn(at, *quote == ' ' ? " \t\r" : quote);
		if (strings_add(arena, ret, arena_strndup(arena, at, length)) < 0)
			return -ENOMEM;
		at += length + (*quote != ' ' && at[length]);
	}
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
