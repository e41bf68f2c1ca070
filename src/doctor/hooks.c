// SPDX-License-Identifier: Apache-2.0
/* hooks.d, the directories from which Podman and CRI-O read hooks. */
#include <string.h>

#include "davit/configure.h"
#include "davit/json.h"
#include "doctor.h"

#define FILES_MAX 1024

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

int doctor_gather_hooks(struct doctor_gathering *g)
{
	struct doctor_hooks *hooks = &g->host->hooks;
	struct podman_hooks found;
	struct podman podman;
	int r;

	configure_find_podman(&g->root, g->arena, &podman);
	r = configure_podman_hooks(&g->root, &podman, g->arena, &found, &hooks->error);
	if (r == -ENOMEM)
		return r;
	hooks->folders = found.folders;
	hooks->file = found.file;
	r = 0;
	for (size_t i = 0; r == 0 && i < found.folders.count; i++)
		r = doctor_add_hooks(g, found.folders.items[i], DOCTOR_PODMAN);
	return r;
}
