// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>

#include "davit/oci.h"
#include "parts.h"

static int read_text(const char *bundle, struct arena *arena, const char **ret, size_t *ret_length,
		     struct error *err)
{
	AUTO_ROOT root = {.fd = -1};
	char *text;
	int r = root_open(bundle, &root, err);

	if (r < 0) {
		err->code = ERROR_BAD_BUNDLE;
		return error_fix(err, r, "name the directory of an OCI bundle");
	}
	r = root_read(&root, "config.json", OCI_CONFIG_MAX, arena, &text, ret_length);
	if (r == 0) {
		*ret = text;
		return 0;
	}
	if (r == -ENOENT) {
		AUTO_FD fd = root_openat(&root, "rootfs", O_PATH | O_DIRECTORY);

		if (fd >= 0) {
			*ret = try_minimal_config;
			*ret_length = strlen(try_minimal_config);
			return 0;
		}
	}
	error_set(err, ERROR_BAD_BUNDLE, -r,
		  "name the directory of an OCI bundle, with config.json or rootfs",
		  "read %s/config.json: %s", bundle, strerror(-r));
	return r;
}

/* ---- the whole --------------------------------------------------------------------------- */

static struct json_object *object_of(struct json_object *parent, const char *name)
{
	struct json_object *object = NULL;

	if (!json_object_object_get_ex(parent, name, &object) ||
	    !json_object_is_type(object, json_type_object))
		return NULL;
	return object;
}

static int read_paths(struct json_object *config, const char *name, struct arena *arena,
		      struct strings *ret, struct error *err)
{
	struct json_object *list = NULL, *linux_object = object_of(config, "linux");

	if (!linux_object || !json_object_object_get_ex(linux_object, name, &list) ||
	    !json_object_is_type(list, json_type_array))
		return 0;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		const char *path = json_object_get_string(json_object_array_get_idx(list, i));

		path = path ? arena_strdup(arena, path) : NULL;
		if (!path || strings_add(arena, ret, path) < 0)
			return error_memory(err);
	}
	return 0;
}

int try_bundle_read(const struct try_options *options, struct arena *arena, struct try_bundle *ret,
		    struct error *err)
{
	AUTO_JSON *config = NULL;
	const char *text = NULL;
	size_t length = 0;
	int r = read_text(options->bundle, arena, &text, &length, err);

	*ret = (struct try_bundle){0};
	if (r == 0)
		r = try_request_apply(&options->request, options->config, text, length, arena,
				      &config, err);
	if (r == 0)
		r = try_process_read(config, arena, &ret->process, err);
	if (r == 0)
		r = read_paths(config, "maskedPaths", arena, &ret->masked, err);
	if (r == 0)
		r = read_paths(config, "readonlyPaths", arena, &ret->read_only, err);
	if (r < 0)
		return err->fix[0] ? r
				   : error_fix(err, r, "compare it with the output of `runc spec`");
	ret->text =
		arena_strdup(arena, json_object_to_json_string_ext(config, JSON_C_TO_STRING_PLAIN));
	if (!ret->text)
		return error_memory(err);
	ret->length = strlen(ret->text);
	return 0;
}
