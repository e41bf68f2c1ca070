// SPDX-License-Identifier: Apache-2.0
/* What a CDI spec says of each of its devices: edits that davit makes, or an error that says why
 * not. */
#include "cdi/resolve.c"
#include "fuzz.h"

static void check_json(const char *text)
{
	struct json_object *object = json_tokener_parse(text);

	FUZZ_CHECK(json_object_is_type(object, json_type_object));
	(void)json_object_put(object);
}

static void check_mount(const struct cdi_mount *mount)
{
	FUZZ_CHECK(mount->container_path[0] == '/');
	FUZZ_CHECK(!mount->bind || mount->host_path[0] == '/');
	FUZZ_CHECK(mount->bind || mount->as_given);
	check_json(mount->json);
}

static void check_edits(const struct cdi_edits *edits)
{
	for (size_t i = 0; i < edits->nodes.count; i++)
		FUZZ_CHECK(edits->nodes.items[i].path && edits->nodes.items[i].host_path[0] &&
			   edits->nodes.items[i].because);
	for (size_t i = 0; i < edits->mounts.count; i++)
		check_mount(&edits->mounts.items[i]);
	for (size_t i = 0; i < edits->hooks.count; i++) {
		const struct cdi_edit_hook *hook = &edits->hooks.items[i];
		struct json_object *object = json_tokener_parse(hook->json);

		FUZZ_CHECK(object && !json_object_object_get_ex(object, "hookName", NULL));
		FUZZ_CHECK(!hook->command || cdi_is_hook_command(hook->command));
		(void)json_object_put(object);
	}
	for (size_t i = 0; i < edits->env.count; i++)
		FUZZ_CHECK(strchr(edits->env.items[i], '='));
	for (size_t i = 0; i < edits->groups.count; i++)
		FUZZ_CHECK(strspn(edits->groups.items[i], "0123456789") ==
			   strlen(edits->groups.items[i]));
	for (size_t i = 0; i < edits->net_devices.count; i++)
		FUZZ_CHECK(edits->net_devices.items[i].host[0] &&
			   !strpbrk(edits->net_devices.items[i].name, "/\"\\"));
	if (edits->intel_rdt)
		check_json(edits->intel_rdt);
}

/* Each device by itself, as if it alone had been asked for. */
static void take_device(struct json_object *spec, const char *device)
{
	static struct root root = {.fd = -1};
	const char *directory = "/nonexistent";
	struct strings directories = {&directory, 1, 1}, names = {0};
	AUTO_ARENA arena = {0};
	struct cdi_edits edits = {0};
	struct error err = FUZZ_ERROR;
	struct spec_file file = {.spec = spec, .path = "spec", .kind = cdi_text_of(spec, "kind")};
	struct resolution r = {.root = &root,
			       .directories = &directories,
			       .names = &names,
			       .arena = &arena,
			       .files = {&file, 1, 1},
			       .edits = &edits,
			       .err = &err};
	struct plan made = {0};
	const char *name = arena_printf(&arena, "%s=%s", file.kind, device);
	int n;

	if (root.fd < 0)
		FUZZ_CHECK(root_open("/", &root, &err) == 0);
	FUZZ_CHECK(name && strings_add(&arena, &names, name) == 0);
	n = add_name(&r, name);
	if (n < 0) {
		fuzz_check_error(n, &err);
		FUZZ_CHECK(err.code == ERROR_BAD_REQUEST || err.code == ERROR_NO_DRIVER ||
			   err.code == ERROR_UNKNOWN_DEVICE);
		return;
	}
	check_edits(&edits);
	FUZZ_CHECK(cdi_plan(&edits, &arena, &made, &err) == 0);
	FUZZ_CHECK(made.count <= 2 * edits.nodes.count + edits.mounts.count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = FUZZ_ERROR;
	AUTO_JSON *spec = NULL;
	struct json_object *devices;

	if (cdi_yaml_parse((const char *)data, size, "spec", &spec, &err) < 0 ||
	    cdi_check(spec, "spec", &err) < 0)
		return 0;
	devices = json_object_object_get(spec, "devices");
	for (size_t i = 0; i < json_object_array_length(devices); i++)
		take_device(spec, cdi_text_of(json_object_array_get_idx(devices, i), "name"));
	return 0;
}
