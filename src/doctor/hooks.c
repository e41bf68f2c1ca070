// SPDX-License-Identifier: Apache-2.0
/* hooks.d: how Podman and CRI-O are told of hooks. */
#include <string.h>

#include "davit/configure.h"
#include "davit/json.h"
#include "doctor.h"

#define FILES_MAX 1024

/* hook.path of the file; *ret NULL: there is none. */
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

/* Those that containers.conf names; a file that can't be read names none. */
static int find_folders(struct doctor_gathering *g, struct strings *ret)
{
	static const char *const files[] = {"/usr/share/containers/containers.conf",
					    "/etc/containers/containers.conf"};
	int r = 0;

	for (size_t i = 0; r != -ENOMEM && i < ARRAY_SIZE(files); i++) {
		struct strings named = {0};
		struct error ignored;
		char *text = NULL;

		r = configure_read(&g->root, files[i], g->arena, &text, &ignored);
		if (r == 0 && text)
			r = configure_podman_hook_folders(text, files[i], g->arena, &named,
							  &ignored);
		if (named.count)
			*ret = named;
	}
	return r == -ENOMEM ? r : 0;
}

int doctor_gather_hooks(struct doctor_gathering *g)
{
	struct strings folders = {0};
	int r = find_folders(g, &folders);

	if (r == 0 && folders.count == 0)
		return doctor_add_hooks(g, DOCTOR_HOOKS_FOLDER, DOCTOR_PODMAN);
	for (size_t i = 0; r == 0 && i < folders.count; i++)
		r = doctor_add_hooks(g, folders.items[i], DOCTOR_PODMAN);
	return r;
}
