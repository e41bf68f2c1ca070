// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "davit/json.h"
#include "davit/oci.h"
#include "davit/try.h"

#define COUNT_MAX 65536
#define DEVICES "NVIDIA_VISIBLE_DEVICES"
#define CAPABILITIES "NVIDIA_DRIVER_CAPABILITIES"

/* As in `runc spec`, without the parts that `davit try` doesn't use. */
const char try_minimal_config[] =
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

/* ---- --gpus, in docker's words ------------------------------------------------------------ */

struct gpus {
	const char *value; /* as typed */
	struct arena *arena;
	struct error *err;
	struct strings devices;
	const char *capabilities;
	bool has_count, all, seen[5];
	uint64_t count;
};

static int refuse(const struct gpus *g, const char *fix, const char *format, ...) PRINTF_LIKE(3, 4);
static int refuse(const struct gpus *g, const char *fix, const char *format, ...)
{
	char cause[160];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(cause, sizeof(cause), format, args);
	va_end(args);
	return error_set(g->err, ERROR_BAD_REQUEST, EINVAL, fix, "use --gpus %.100s: %s", g->value,
			 cause);
}

/*
 * Reads the next field of a comma-separated line, without its quotes. Within quotes, "" is a quote.
 * *at becomes NULL after the last field.
 */
static int next_field(const struct gpus *g, const char **at, const char **ret)
{
	char *field = arena_alloc(g->arena, strlen(*at) + 1), *end = field;
	const char *from = *at;
	bool quoted = *from == '"';

	if (!field)
		return error_memory(g->err);
	for (from += quoted; *from && (quoted || *from != ','); from++) {
		if (*from != '"') {
			*end++ = *from;
		} else if (quoted && from[1] == '"') {
			*end++ = *from++;
		} else if (quoted && (from[1] == ',' || !from[1])) {
			quoted = false;
			from++;
			break;
		} else {
			break;
		}
	}
	if (quoted || *from == '"')
		return refuse(g, "quote the whole list: --gpus '\"device=0,1\"'",
			      "a quote is out of place");
	*end = 0;
	*at = *from ? from + 1 : NULL;
	*ret = field;
	return 0;
}

static int add_devices(struct gpus *g, const char *list)
{
	struct slice rest = slice_from(list), item;

	if (!*list)
		return refuse(g, "name a GPU, as in --gpus device=0", "it names no GPU");
	while (slice_next(&rest, ',', &item)) {
		const char *text = arena_strndup(g->arena, item.data, item.length);

		if (!text || strings_add(g->arena, &g->devices, text) < 0)
			return error_memory(g->err);
	}
	return 0;
}

static bool is_count(const char *text, uint64_t *ret)
{
	return parse_number(text, strlen(text), 10, UINT64_MAX, ret) == 0;
}

static int set_count(struct gpus *g, const char *text)
{
	g->has_count = true;
	g->all = strcmp(text, "all") == 0 || strcmp(text, "-1") == 0;
	if (g->all)
		return 0;
	if (!is_count(text, &g->count))
		return refuse(g, "use a number of GPUs, or all", "%.40s isn't a number of GPUs",
			      text);
	if (!g->count)
		return refuse(g,
			      "use device=0 for the GPU with index 0, or none for the driver alone",
			      "a plain number is a number of GPUs, and this one is 0");
	if (g->count > COUNT_MAX)
		return refuse(g, "use all", "that is more than %d GPUs", COUNT_MAX);
	return 0;
}

/* Adds the remedy, which lists the valid names. Returns -EINVAL or -ENOMEM. */
static int suggest_capabilities(struct arena *arena, struct error *err)
{
	struct strings names = {0};
	const char *list;

	for (unsigned bit = 1; bit < CAPABILITY_ALL; bit <<= 1)
		if (strings_add(arena, &names, capability_name(bit)) < 0)
			return error_memory(err);
	list = strings_join(arena, &names, ", ");
	return list ? error_fix(err, -EINVAL, "choose among all, %s", list) : error_memory(err);
}

/* Docker's "gpu" only selects the kind of device. */
static int set_capabilities(struct gpus *g, const char *list)
{
	struct slice rest = slice_from(list), name;
	struct strings names = {0};

	while (slice_next(&rest, ',', &name)) {
		const char *text = arena_strndup(g->arena, name.data, name.length);

		if (!text)
			return error_memory(g->err);
		if (!*text || strcmp(text, "gpu") == 0 || strcmp(text, "nvidia") == 0)
			continue;
		if (!capability_bit(name)) {
			(void)refuse(g, NULL, "%.40s isn't a driver capability", text);
			return suggest_capabilities(g->arena, g->err);
		}
		if (strings_add(g->arena, &names, text) < 0)
			return error_memory(g->err);
	}
	g->capabilities = names.count ? strings_join(g->arena, &names, ",") : NULL;
	return names.count && !g->capabilities ? error_memory(g->err) : 0;
}

static int set_driver(struct gpus *g, const char *name)
{
	if (!*name || strcmp(name, "nvidia") == 0 || strcmp(name, "cdi") == 0)
		return 0;
	return refuse(g, "use driver=nvidia, or omit it", "davit has no driver %.40s", name);
}

/* Docker's NVIDIA driver ignores options. */
static int set_options(struct gpus *g, const char *list)
{
	(void)g;
	(void)list;
	return 0;
}

static int set_key(struct gpus *g, const char *field, const char *equals)
{
	static const struct {
		const char *name;
		int (*set)(struct gpus *g, const char *value);
	} keys[] = {
		{"capabilities", set_capabilities},
		{"count", set_count},
		{"device", add_devices},
		{"driver", set_driver},
		{"options", set_options},
	};
	struct slice name = {field, (size_t)(equals - field)};

	_Static_assert(ARRAY_SIZE(keys) == sizeof(((struct gpus *)NULL)->seen), "one for each");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (!slice_equal(name, keys[i].name))
			continue;
		if (g->seen[i])
			return refuse(g, "name it only once", "it names %s twice", keys[i].name);
		g->seen[i] = true;
		return keys[i].set(g, equals + 1);
	}
	return refuse(g, "use count, device, driver, capabilities or options", "it has no key %.*s",
		      (int)(name.length < 40 ? name.length : 40), field);
}

/* The "=" in a CDI device, vendor.com/class=name, doesn't follow a key. */
static bool has_key(const char *field, const char *equals)
{
	return equals && !memchr(field, '/', (size_t)(equals - field));
}

/* A single number is a count. In a list, numbers are indices. */
static int set_words(struct gpus *g, const struct strings *words)
{
	const char *first = words->count ? words->items[0] : "";
	uint64_t ignored;
	int r = 0;

	if (words->count == 1 &&
	    (is_count(first, &ignored) || strcmp(first, "all") == 0 || strcmp(first, "-1") == 0))
		return set_count(g, first);
	for (size_t i = 0; r == 0 && i < words->count; i++)
		r = add_devices(g, words->items[i]);
	return r;
}

static int read_fields(struct gpus *g)
{
	struct strings words = {0};
	const char *at = g->value, *field = NULL;

	while (at) {
		const char *equals;
		int r = next_field(g, &at, &field);

		if (r < 0 || !field)
			return r;
		equals = strchr(field, '=');
		if (has_key(field, equals))
			r = set_key(g, field, equals);
		else if (g->devices.count) /* device=0,1 without its quotes */
			r = add_devices(g, field);
		else if (strings_add(g->arena, &words, field) < 0)
			r = error_memory(g->err);
		if (r < 0)
			return r;
	}
	return set_words(g, &words);
}

/* As in Docker: the first GPUs. */
static int count_devices(struct gpus *g)
{
	for (uint64_t i = 0; i < g->count; i++) {
		const char *index = arena_printf(g->arena, "%ju", (uintmax_t)i);

		if (!index || strings_add(g->arena, &g->devices, index) < 0)
			return error_memory(g->err);
	}
	return 0;
}

int try_request_parse_capabilities(const char *value, struct arena *arena, struct try_request *ret,
				   struct error *err)
{
	struct slice rest = slice_from(value), name;

	while (slice_next(&rest, ',', &name)) {
		name = slice_trim(name);
		if (!name.length || capability_bit(name))
			continue;
		(void)error_set(err, ERROR_BAD_REQUEST, EINVAL, NULL,
				"use --capabilities %.100s: %.*s isn't a driver capability", value,
				(int)(name.length < 40 ? name.length : 40), name.data);
		return suggest_capabilities(arena, err);
	}
	ret->capabilities = value;
	ret->capabilities_place = "--capabilities";
	return 0;
}

int try_request_parse_gpus(const char *value, struct arena *arena, struct try_request *ret,
			   struct error *err)
{
	struct gpus g = {.value = value, .arena = arena, .err = err};
	int r;

	if (!*value)
		return error_set(err, ERROR_BAD_REQUEST, EINVAL,
				 "use a number of GPUs, all, device=0,1, or none",
				 "use --gpus: its value is empty");
	r = read_fields(&g);
	if (r == 0 && g.has_count && g.devices.count)
		return refuse(&g, "use one of them; device=0,1 names two GPUs",
			      "it has both a number of GPUs and names of GPUs");
	if (r == 0 && !g.has_count && !g.devices.count)
		g.count = 1;
	if (r == 0)
		r = count_devices(&g);
	if (r < 0)
		return r;
	ret->gpus = value;
	ret->devices = g.all ? "all" : strings_join(arena, &g.devices, ",");
	if (!ret->capabilities && g.capabilities) {
		ret->capabilities = g.capabilities;
		ret->capabilities_place = "--gpus";
	}
	return ret->devices ? 0 : error_memory(err);
}

/* ---- config.json with another request ----------------------------------------------------- */

static struct json_object *object_of(struct json_object *parent, const char *name)
{
	struct json_object *object = NULL;

	if (!json_object_object_get_ex(parent, name, &object) ||
	    !json_object_is_type(object, json_type_object))
		return NULL;
	return object;
}

/* Removes NAME=... from process.env. */
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

/* process.env, created if missing. */
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

/* Removes the mounts that request devices. `davit try` ignores other mounts. */
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
 * Removes everything else that could request devices: variables, annotations, mounts. The hooks are
 * removed as well, because davit-runtime's hook marks a bundle as already edited.
 */
static void drop_request(struct json_object *config, const struct strings *names)
{
	struct json_object *env = env_of(config);

	for (size_t i = 0; i < names->count; i++)
		unset(env, names->items[i]);
	drop_annotations(config, "org.davit.devices");
	drop_annotations(config, "cdi.k8s.io/");
	drop_device_mounts(config);
	json_object_object_del(config, "hooks");
}

static int set_variable(struct json_object *config, const struct strings *device_names,
			const char *name, const char *value, struct arena *arena, struct error *err)
{
	if (strcmp(name, DEVICES) == 0 || strings_contain(device_names, name))
		drop_request(config, device_names);
	if (strcmp(name, CAPABILITIES) == 0)
		drop_annotations(config, "org.davit.capabilities");
	return set(env_of(config), name, value, arena, err);
}

static int change(struct json_object *config, const struct try_request *request,
		  const struct strings *device_names, struct arena *arena, struct error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < request->variables.count; i++) {
		const char *text = request->variables.items[i], *equals = strchr(text, '=');
		const char *name =
			equals ? arena_strndup(arena, text, (size_t)(equals - text)) : NULL;

		if (!name)
			return error_memory(err);
		r = set_variable(config, device_names, name, equals + 1, arena, err);
	}
	if (r == 0 && request->devices)
		r = set_variable(config, device_names, DEVICES, request->devices, arena, err);
	if (r == 0 && request->capabilities)
		r = set_variable(config, device_names, CAPABILITIES, request->capabilities, arena,
				 err);
	return r;
}

/*
 * json-c accepts repeated names and keeps the last one. The reader of all other commands refuses
 * them, so it checks the text first.
 */
static int check_names(const char *text, size_t length, struct error *err)
{
	AUTO_ARENA arena = {0};
	struct oci_spec ignored;

	return oci_spec_parse(text, length, &arena, &ignored, err);
}

int try_request_apply(const struct try_request *request, const struct config *config,
		      const char *text, size_t length, struct arena *arena,
		      struct json_object **ret, struct error *err)
{
	int r = check_names(text, length, err);

	if (r == 0)
		r = json_parse(text, length, ERROR_BAD_BUNDLE, "the bundle's config.json", ret,
			       err);
	return r < 0 ? r : change(*ret, request, &config->policy.env_names, arena, err);
}
