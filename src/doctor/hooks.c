// SPDX-License-Identifier: Apache-2.0
/* hooks.d, the directories from which Podman and CRI-O read hooks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "davit/configure.h"
#include "davit/json.h"
#include "doctor.h"

#define FILES_MAX 1024
#define PASSWD_MAX ((size_t)1024 * 1024)

/* Reads hook.path of the file; *ret is NULL if it has none. */
static int read_hook(struct doctor_gathering *g, const char *path, const char **ret,
		     struct error *err)
{
	AUTO_JSON *object = NULL;
	struct json_object *value;
	char *text;
	int r = configure_read(&g->root, path, g->arena, &text, err);

	*ret = NULL;
	if (r == 0 && text)
		r = json_parse(text, strlen(text), ERROR_BAD_CONFIG, path, &object, err);
	if (r < 0 || !text)
		return r;
	if (!json_object_object_get_ex(object, "hook", &value) ||
	    !json_object_is_type(value, json_type_object) ||
	    !json_object_object_get_ex(value, "path", &value) ||
	    !json_object_is_type(value, json_type_string))
		return 0;
	*ret = arena_strdup(g->arena, json_object_get_string(value));
	return *ret ? 0 : -ENOMEM;
}

static struct doctor_hook *find_hook(const struct doctor_gathering *g, const char *path)
{
	struct doctor_hooks *hooks = &g->host->hooks;

	for (size_t i = 0; i < hooks->count; i++)
		if (string_equal(hooks->items[i].file, path))
			return &hooks->items[i];
	return NULL;
}

static int add_hook(struct doctor_gathering *g, const char *path, unsigned reader)
{
	struct doctor_hook *known = find_hook(g, path);
	struct error err = {0};
	struct doctor_hook *hook;
	const char *program;
	int r;

	if (known) {
		known->readers |= reader;
		return 0;
	}
	r = read_hook(g, path, &program, &err);
	if (r == -ENOMEM || (r == 0 && !program))
		return r;
	if (r == 0 && !strstr(program, "davit") && !strstr(program, "nvidia"))
		return 0;
	hook = ARENA_PUSH(g->arena, &g->host->hooks);
	if (!hook)
		return -ENOMEM;
	hook->file = path;
	hook->readers = reader;
	hook->error = err;
	return r < 0 ? 0 : doctor_find_program(g, program, NULL, &hook->program);
}

int doctor_add_hooks(struct doctor_gathering *g, const char *folder, enum doctor_engine_kind kind)
{
	struct strings names = {0};
	int r = 0;

	(void)root_list(&g->root, folder, FILES_MAX, g->arena, &names);
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		const char *path = arena_printf(g->arena, "%s/%s", folder, names.items[i]);

		if (!path)
			return -ENOMEM;
		if (string_ends(path, ".json"))
			r = add_hook(g, path, 1U << kind);
	}
	return r;
}

/* Reads the directories that one file names; an unreadable file names none. */
static int read_folders(struct doctor_gathering *g, const char *path, struct strings *folders)
{
	struct error ignored;
	char *text = NULL;
	int r = configure_read(&g->root, path, g->arena, &text, &ignored);

	if (r == 0 && text)
		r = configure_podman_hook_folders(text, path, g->arena, folders, &ignored);
	return r == -ENOMEM ? r : 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Reads DIRECTORY/containers.conf, then DIRECTORY/containers.conf.d/ *.conf in order. */
static int read_directory(struct doctor_gathering *g, const char *directory,
			  struct strings *folders)
{
	const char *path = arena_printf(g->arena, "%s/containers.conf", directory);
	const char *drop_ins = path ? arena_printf(g->arena, "%s.d", path) : NULL;
	struct strings names = {0};
	int r = drop_ins ? read_folders(g, path, folders) : -ENOMEM;

	if (r == 0)
		(void)root_list(&g->root, drop_ins, FILES_MAX, g->arena, &names);
	if (names.count > 1)
		qsort(names.items, names.count, sizeof(*names.items), by_name);
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		if (!string_ends(names.items[i], ".conf"))
			continue;
		path = arena_printf(g->arena, "%s/%s", drop_ins, names.items[i]);
		r = path ? read_folders(g, path, folders) : -ENOMEM;
	}
	return r;
}

/* The home directory of an ordinary user in /etc/passwd, or NULL. */
static const char *find_home(struct doctor_gathering *g)
{
	struct slice rest, line, field;
	char uid[16], *text;

	if (g->host->system.uid == 0 ||
	    root_read(&g->root, "/etc/passwd", PASSWD_MAX, g->arena, &text, NULL) < 0)
		return NULL;
	(void)snprintf(uid, sizeof(uid), "%u", (unsigned)g->host->system.uid);
	rest = slice_from(text);
	while (slice_next(&rest, '\n', &line))
		for (int i = 0; slice_next(&line, ':', &field); i++) {
			if (i == 2 && !slice_equal(field, uid))
				break;
			if (i == 5)
				return arena_strndup(g->arena, field.data, field.length);
		}
	return NULL;
}

/* In Podman's order: the files of the vendor, of the administrator, and of a rootless user. */
static int find_folders(struct doctor_gathering *g, struct strings *folders)
{
	const char *home = find_home(g);
	int r = strings_add(g->arena, folders, DOCTOR_HOOKS_FOLDER);

	if (r == 0)
		r = read_directory(g, "/usr/share/containers", folders);
	if (r == 0)
		r = read_directory(g, "/etc/containers", folders);
	if (r == 0 && home)
		home = arena_printf(g->arena, "%s/.config/containers", home);
	if (r == 0 && home)
		r = read_directory(g, home, folders);
	return r;
}

int doctor_gather_hooks(struct doctor_gathering *g)
{
	struct strings folders = {0};
	int r = find_folders(g, &folders);

	for (size_t i = 0; r == 0 && i < folders.count; i++)
		r = doctor_add_hooks(g, folders.items[i], DOCTOR_PODMAN);
	return r;
}
