// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <string.h>

#include "davit/oci.h"
#include "parts.h"

/* As `runc spec` has it, without what isn't followed here. */
static const char minimal[] =
	"{\"ociVersion\": \"1.0.2\", \"root\": {\"path\": \"rootfs\"},"
	" \"process\": {\"args\": [\"/bin/sh\"], \"cwd\": \"/\", \"noNewPrivileges\": true,"
	"  \"env\": [\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\","
	"           \"TERM=xterm\"],"
	"  \"capabilities\": {"
	"   \"bounding\": [\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"],"
	"   \"effective\": [\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"],"
	"   \"permitted\": [\"CAP_AUDIT_WRITE\", \"CAP_KILL\", \"CAP_NET_BIND_SERVICE\"]}},"
	" \"linux\": {"
	"  \"maskedPaths\": [\"/proc/acpi\", \"/proc/asound\", \"/proc/kcore\", \"/proc/keys\","
	"   \"/proc/latency_stats\", \"/proc/timer_list\", \"/proc/timer_stats\","
	"   \"/proc/sched_debug\", \"/proc/scsi\", \"/sys/firmware\"],"
	"  \"readonlyPaths\": [\"/proc/bus\", \"/proc/fs\", \"/proc/irq\", \"/proc/sys\","
	"   \"/proc/sysrq-trigger\"]}}";

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
			*ret = minimal;
			*ret_length = strlen(minimal);
			return 0;
		}
	}
	error_set(err, ERROR_BAD_BUNDLE, -r,
		  "name the directory of an OCI bundle, with config.json or rootfs",
		  "read %s/config.json: %s", bundle, strerror(-r));
	return r;
}

/* ---- what the options say instead -------------------------------------------------------- */

static struct json_object *object_of(struct json_object *parent, const char *name)
{
	struct json_object *object = NULL;

	if (!json_object_object_get_ex(parent, name, &object) ||
	    !json_object_is_type(object, json_type_object))
		return NULL;
	return object;
}

/* Takes NAME=... out of process.env. */
static void unset(struct json_object *env, const char *name)
{
	size_t length = strlen(name), i = 0;

	while (i < json_object_array_length(env)) {
		struct json_object *item = json_object_array_get_idx(env, i);
		const char *text = json_object_is_type(item, json_type_string)
					   ? json_object_get_string(item)
					   : "";

		if (strncmp(text, name, length) == 0 && text[length] == '=')
			(void)json_object_array_del_idx(env, i, 1);
		else
			i++;
	}
}

/* process.env, made when there is none. */
static struct json_object *env_of(struct json_object *config)
{
	struct json_object *process = object_of(config, "process"), *env = NULL;

	if (!process) {
		process = json_object_new_object();
		json_object_object_add(config, "process", process);
	}
	if (!json_object_object_get_ex(process, "env", &env) ||
	    !json_object_is_type(env, json_type_array)) {
		env = json_object_new_array();
		json_object_object_add(process, "env", env);
	}
	return env;
}

static int set(struct json_object *env, const char *name, const char *value, struct arena *arena,
	       struct error *err)
{
	const char *text = arena_printf(arena, "%s=%s", name, value);

	unset(env, name);
	if (!text || json_object_array_add(env, json_object_new_string(text)) < 0)
		return error_memory(err);
	return 0;
}

static void drop_annotations(struct json_object *config, const char *prefix)
{
	struct json_object *annotations = object_of(config, "annotations");
	struct json_object_iterator at, end;

	if (!annotations)
		return;
	at = json_object_iter_begin(annotations);
	end = json_object_iter_end(annotations);
	while (!json_object_iter_equal(&at, &end)) {
		const char *name = json_object_iter_peek_name(&at);

		json_object_iter_next(&at);
		if (string_starts(name, prefix))
			json_object_object_del(annotations, name);
	}
}

/* The mounts of /dev/null that ask for devices; others are not followed here either. */
static void drop_device_mounts(struct json_object *config)
{
	struct json_object *mounts = NULL, *destination;
	size_t i = 0;

	if (!json_object_object_get_ex(config, "mounts", &mounts) ||
	    !json_object_is_type(mounts, json_type_array))
		return;
	while (i < json_object_array_length(mounts)) {
		struct json_object *mount = json_object_array_get_idx(mounts, i);

		if (json_object_is_type(mount, json_type_object) &&
		    json_object_object_get_ex(mount, "destination", &destination) && destination &&
		    strstr(json_object_get_string(destination), "/nvidia-container-devices/"))
			(void)json_object_array_del_idx(mounts, i, 1);
		else
			i++;
	}
}

/*
 * Everything else that could ask for devices goes: annotations, mounts, other variables; and
 * davit-runtime's hook, which says that all is done already.
 */
static int change(struct json_object *config, const struct try_options *options,
		  struct arena *arena, struct error *err)
{
	const struct strings *names = &options->config->policy.env_names;
	int r = 0;

	if (options->devices) {
		struct json_object *env = env_of(config);

		for (size_t i = 0; i < names->count; i++)
			unset(env, names->items[i]);
		drop_annotations(config, "org.davit.devices");
		drop_annotations(config, "cdi.k8s.io/");
		drop_device_mounts(config);
		json_object_object_del(config, "hooks");
		r = set(env, "NVIDIA_VISIBLE_DEVICES", options->devices, arena, err);
	}
	if (r == 0 && options->capabilities) {
		drop_annotations(config, "org.davit.capabilities");
		r = set(env_of(config), "NVIDIA_DRIVER_CAPABILITIES", options->capabilities, arena,
			err);
	}
	return r;
}

/* ---- the whole --------------------------------------------------------------------------- */

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

/* json-c keeps the last of repeated names: what is refused elsewhere is refused here, too. */
static int check_names(const char *text, size_t length, struct error *err)
{
	AUTO_ARENA arena = {0};
	struct oci_spec ignored;

	return oci_spec_parse(text, length, &arena, &ignored, err);
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
		r = check_names(text, length, err);
	if (r == 0)
		r = json_parse(text, length, ERROR_BAD_BUNDLE, "the bundle's config.json", &config,
			       err);
	if (r == 0)
		r = change(config, options, arena, err);
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
