// SPDX-License-Identifier: Apache-2.0
/* NVIDIA's config.toml as a configuration of davit. */
#include <string.h>

#include "davit/json.h"
#include "toml.h"

struct pair {
	const char *name; /* "nvidia-container-cli.root" */
	const struct toml_node *node;
};
struct log_key {
	struct pair pair;
	const char *value; /* NULL: not set */
};
struct import {
	const char *text, *path;
	struct arena *arena;
	struct json_object *config;
	struct import_notes *notes;
	/* Theirs has a log for each program. */
	struct log_key hook_log, runtime_log, level;
	struct error *err;
};

static int refuse(const struct import *import, const struct pair *pair, const char *what)
{
	size_t at = (size_t)(pair->node->text.data - import->text);

	return error_fix(
		import->err,
		json_error_at(import->text, at, ERROR_BAD_CONFIG, import->path, what, import->err),
		"correct that line of %s", import->path);
}

/* ---- what comes out --------------------------------------------------------------------- */

/* Sets "section.key", or a key of the top. Takes the value. */
static int set(const struct import *import, const char *key, struct json_object *value)
{
	const char *dot = strchr(key, '.');
	char section[32] = "";
	struct json_object *object = import->config;

	if (dot) {
		memcpy(section, key, (size_t)(dot - key));
		if (!json_object_object_get_ex(import->config, section, &object)) {
			object = json_object_new_object();
			json_object_object_add(import->config, section, object);
		}
		key = dot + 1;
	}
	json_object_object_add(object, key, value);
	return 0;
}

static int set_text(const struct import *import, const char *key, const char *text)
{
	return set(import, key, json_object_new_string(text));
}

static int note(const struct import *import, const struct pair *pair, const char *why)
{
	struct import_note *made = ARENA_PUSH(import->arena, import->notes);

	if (!made)
		return error_memory(import->err);
	made->key = pair->name;
	made->value = arena_strndup(import->arena, pair->node->text.data, pair->node->text.length);
	made->why = why;
	return made->value ? 0 : error_memory(import->err);
}

/* ---- what goes in ----------------------------------------------------------------------- */

static int get_bool(const struct import *import, const struct pair *pair, bool *ret)
{
	*ret = toml_is_true(pair->node);
	return pair->node->type == TOML_BOOLEAN ? 0
						: refuse(import, pair, "it must be true or false");
}

static int get_string(const struct import *import, const struct pair *pair, const char **ret)
{
	*ret = pair->node->string;
	return pair->node->type == TOML_STRING ? 0 : refuse(import, pair, "it must be a string");
}

/* "a, b" as a list. */
static struct json_object *split(const char *list)
{
	struct json_object *array = json_object_new_array();
	struct slice rest = slice_from(list), item;

	while (slice_next(&rest, ',', &item)) {
		item = slice_trim(item);
		if (item.length > 0)
			(void)json_object_array_add(
				array, json_object_new_string_len(item.data, (int)item.length));
	}
	return array;
}

/* ---- the keys that have a counterpart --------------------------------------------------- */

static int import_requirements(struct import *import, const struct pair *pair)
{
	bool value;
	int r = get_bool(import, pair, &value);

	return r < 0 ? r
		     : set(import, "policy.ignore-requirements", json_object_new_boolean(value));
}

static int import_mounts(struct import *import, const struct pair *pair)
{
	bool value;
	int r = get_bool(import, pair, &value);

	return r < 0 ? r : set(import, "policy.accept-mounts", json_object_new_boolean(value));
}

static int import_unprivileged(struct import *import, const struct pair *pair)
{
	bool value;
	int r = get_bool(import, pair, &value);

	return r < 0 ? r : set_text(import, "policy.accept-env", value ? "always" : "privileged");
}

static int import_modules(struct import *import, const struct pair *pair)
{
	bool value;
	int r = get_bool(import, pair, &value);

	return r < 0 ? r : set(import, "driver.load-modules", json_object_new_boolean(value));
}

static int import_cgroups(struct import *import, const struct pair *pair)
{
	bool value;
	int r = get_bool(import, pair, &value);

	return r < 0 ? r : set_text(import, "cgroups", value ? "never" : "auto");
}

static int import_imex(struct import *import, const struct pair *pair)
{
	bool value;
	int r = get_bool(import, pair, &value);

	return r < 0 ? r : set(import, "policy.imex", json_object_new_boolean(!value));
}

static int import_compat_hook(struct import *import, const struct pair *pair)
{
	bool value;
	int r = get_bool(import, pair, &value);

	return r < 0 ? r : set_text(import, "cuda-compat", value ? "never" : "auto");
}

static int import_compat_mode(struct import *import, const struct pair *pair)
{
	const char *value;
	int r = get_string(import, pair, &value);

	if (r < 0 || string_equal(value, "disabled"))
		return r < 0 ? r : set_text(import, "cuda-compat", "never");
	return note(import, pair, "davit always registers these libraries in the loader cache");
}

static int import_swarm(struct import *import, const struct pair *pair)
{
	const char *value;
	struct json_object *names;
	int r = get_string(import, pair, &value);

	if (r < 0)
		return r;
	names = split(value);
	(void)json_object_array_add(names, json_object_new_string("NVIDIA_VISIBLE_DEVICES"));
	return set(import, "policy.env-names", names);
}

/* A list of strings as it is. */
static int import_list(struct import *import, const struct pair *pair, const char *key)
{
	struct strings list;
	struct json_object *array;
	int r = toml_strings(pair->node, import->arena, &list);

	if (r < 0)
		return error_memory(import->err);
	if (pair->node->type != TOML_ARRAY || list.count != pair->node->count)
		return refuse(import, pair, "it must be a list of strings");
	array = json_object_new_array();
	for (size_t i = 0; i < list.count; i++)
		(void)json_object_array_add(array, json_object_new_string(list.items[i]));
	return set(import, key, array);
}

static int import_prefixes(struct import *import, const struct pair *pair)
{
	return import_list(import, pair, "cdi.annotation-prefixes");
}

static int import_spec_dirs(struct import *import, const struct pair *pair)
{
	return import_list(import, pair, "cdi.spec-dirs");
}

static int import_capabilities(struct import *import, const struct pair *pair)
{
	const char *value;
	int r = get_string(import, pair, &value);

	return r < 0 ? r : set(import, "policy.capabilities", split(value));
}

static int import_root(struct import *import, const struct pair *pair)
{
	const char *value;
	int r = get_string(import, pair, &value);

	return r < 0 ? r : set_text(import, "driver.root", value[0] ? value : "/");
}

static int import_runtimes(struct import *import, const struct pair *pair)
{
	return import_list(import, pair, "runtime.candidates");
}

static int import_csv(struct import *import, const struct pair *pair)
{
	const char *value;
	int r = get_string(import, pair, &value);

	return r < 0 || !value[0] ? r : set_text(import, "driver.csv", value);
}

static int import_csv_compat(struct import *import, const struct pair *pair)
{
	const char *value;
	int r = get_string(import, pair, &value);

	return r < 0 || !value[0] ? r : set_text(import, "driver.csv-compat", value);
}

static int import_mode(struct import *import, const struct pair *pair)
{
	const char *value;
	int r = get_string(import, pair, &value);

	if (r < 0)
		return r;
	if (string_equal(value, "legacy"))
		return set_text(import, "runtime.mode", "hook");
	if (string_equal(value, "csv"))
		return note(import, pair, "davit recognizes Tegra boards by itself");
	return note(import, pair,
		    "davit-runtime writes everything into config.json: runtime.mode is spec");
}

static int get_log_key(struct import *import, const struct pair *pair, struct log_key *ret)
{
	ret->pair = *pair;
	return get_string(import, pair, &ret->value);
}

static int import_hook_log(struct import *import, const struct pair *pair)
{
	return get_log_key(import, pair, &import->hook_log);
}

static int import_runtime_log(struct import *import, const struct pair *pair)
{
	return get_log_key(import, pair, &import->runtime_log);
}

static int import_level(struct import *import, const struct pair *pair)
{
	return get_log_key(import, pair, &import->level);
}

static const struct {
	const char *name;
	int (*import)(struct import *import, const struct pair *pair);
} keys[] = {
	{"disable-require", import_requirements},
	{"swarm-resource", import_swarm},
	{"accept-nvidia-visible-devices-envvar-when-unprivileged", import_unprivileged},
	{"accept-nvidia-visible-devices-as-volume-mounts", import_mounts},
	{"supported-driver-capabilities", import_capabilities},
	{"nvidia-container-cli.root", import_root},
	{"nvidia-container-cli.no-cgroups", import_cgroups},
	{"nvidia-container-cli.load-kmods", import_modules},
	{"nvidia-container-cli.debug", import_hook_log},
	{"nvidia-container-runtime.debug", import_runtime_log},
	{"nvidia-container-runtime.log-level", import_level},
	{"nvidia-container-runtime.runtimes", import_runtimes},
	{"nvidia-container-runtime.mode", import_mode},
	{"nvidia-container-runtime.modes.legacy.cuda-compat-mode", import_compat_mode},
	{"nvidia-container-runtime.modes.cdi.annotation-prefixes", import_prefixes},
	{"nvidia-container-runtime.modes.cdi.spec-dirs", import_spec_dirs},
	{"nvidia-container-runtime.modes.csv.mount-spec-path", import_csv},
	{"nvidia-container-runtime.modes.csv.compat-container-root", import_csv_compat},
	{"features.ignore-imex-channel-requests", import_imex},
	{"features.disable-cuda-compat-lib-hook", import_compat_hook},
};

/* ---- and those that have none; a name that ends with "." stands for all that begin so ----- */

static const struct {
	const char *name, *why;
} needless[] = {
	{"nvidia-container-cli.path", "davit-hook does that program's work itself"},
	{"nvidia-container-cli.environment", "davit takes no configuration from its environment"},
	{"nvidia-container-cli.ldcache", "davit reads the loader cache below driver.root"},
	{"nvidia-container-cli.ldconfig",
	 "davit merges the loader cache itself and doesn't run ldconfig"},
	{"nvidia-container-cli.user", "davit drops capabilities instead of changing its user"},
	{"nvidia-container-cli.no-pivot", "davit attaches mounts by descriptor and doesn't pivot"},
	{"nvidia-container-runtime.experimental", "a switch of old releases"},
	{"nvidia-container-runtime.discover-mode", "a switch of old releases"},
	{"nvidia-container-runtime.modes.cdi.default-kind",
	 "a name without a kind means nvidia.com/gpu"},
	{"features.allow-unknown-oci-spec-fields",
	 "davit always preserves unknown fields of config.json"},
	{"features.no-additional-gids-for-device-nodes",
	 "a device node that only a group can open needs that group"},
	{"nvidia-container-runtime.modes.cdi.",
	 "davit plans for each container and needs no specs; engines read their own"},
	{"nvidia-container-runtime.modes.jit-cdi.",
	 "davit plans for each container and needs no specs"},
	{"nvidia-container-runtime-hook.path",
	 "davit-runtime adds the davit-hook of its own directory"},
	{"nvidia-container-runtime-hook.skip-mode-detection", "davit's hook has one mode"},
	{"nvidia-ctk.path", "davit calls no such program"},
	{"features.allow-cuda-compat-libs-from-container",
	 "cuda-compat uses them without mounting a path of the image"},
	{"features.allow-ldconfig-from-container", "davit doesn't run ldconfig"},
	{"features.disable-imex-channel-creation",
	 "driver.load-modules decides whether davit creates nodes"},
};

static const char *why_needless(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(needless); i++)
		if (string_equal(needless[i].name, name) ||
		    (string_ends(needless[i].name, ".") && string_starts(name, needless[i].name)))
			return needless[i].why;
	return "davit has no such key";
}

static int import_pair(struct import *import, const struct pair *pair)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (string_equal(keys[i].name, pair->name))
			return keys[i].import(import, pair);
	return note(import, pair, why_needless(pair->name));
}

/* logrus' levels. */
static const char *level_of(const char *level)
{
	if (!level || string_equal(level, "trace") || string_equal(level, "debug"))
		return level ? "debug" : "info";
	if (string_equal(level, "warn") || string_equal(level, "warning"))
		return "warning";
	return string_equal(level, "info") ? "info" : "error";
}

static bool is_file(const struct log_key *log)
{
	return log->value && log->value[0] && !string_equal(log->value, "/dev/null");
}

/* The hook's log has everything; the runtime's has a level. */
static int import_log(struct import *import)
{
	const struct log_key *hook = &import->hook_log, *level = &import->level;
	const struct log_key *runtime = &import->runtime_log;
	int r = 0;

	if (is_file(hook) && is_file(runtime))
		r = note(import, &runtime->pair,
			 "davit has a single log: nvidia-container-cli.debug names it");
	if (r == 0 && level->value && (is_file(hook) || !is_file(runtime)))
		r = note(import, &level->pair,
			 is_file(hook) ? "the log contains everything: log.level is debug"
				       : "no log file is set: log.level is warning");
	if (r < 0 || (!is_file(hook) && !is_file(runtime)))
		return r;
	(void)set_text(import, "log.file", is_file(hook) ? hook->value : runtime->value);
	return set_text(import, "log.level", is_file(hook) ? "debug" : level_of(level->value));
}

/* All pairs of a table, and of those in it. */
static int import_table(struct import *import, const struct toml_node *table)
{
	int r = 0;

	for (const struct toml_node *node = table->first; r == 0 && node; node = node->next) {
		struct pair pair = {.node = node};

		if (node->type == TOML_TABLE) {
			r = import_table(import, node);
			continue;
		}
		/* [[tables]] aren't in its format. */
		if (node->origin == TOML_TABLES)
			continue;
		pair.name = toml_path_of(node, import->arena);
		r = pair.name ? import_pair(import, &pair) : error_memory(import->err);
	}
	return r;
}

int configure_import(const char *text, const char *path, struct arena *arena,
		     struct json_object **ret, struct import_notes *ret_notes, struct error *err)
{
	AUTO_JSON *config = json_object_new_object();
	struct import import = {
		.text = text,
		.path = path,
		.arena = arena,
		.config = config,
		.notes = ret_notes,
		.err = err,
	};
	struct toml_node *top;
	int r = toml_parse(text, path, arena, &top, err);

	*ret_notes = (struct import_notes){0};
	if (r == 0)
		r = import_table(&import, top);
	if (r == 0)
		r = import_log(&import);
	if (r < 0)
		return r;
	*ret = config;
	config = NULL;
	return 0;
}
