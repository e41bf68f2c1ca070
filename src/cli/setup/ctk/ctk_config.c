// SPDX-License-Identifier: Apache-2.0
/* nvidia-ctk config: NVIDIA's keys, written to davit's configuration. */
#include <stdio.h>
#include <string.h>

#include "ctk.h"
#include "davit/configure.h"
#include "davit/json.h"
#include "davit/json_edit.h"

/* ---- NVIDIA's keys ---------------------------------------------------------------------- */

enum kind { KIND_BOOL, KIND_STRING, KIND_LIST };

/* Those of version 1.20, besides what `davit config import` knows of older ones. */
static const struct {
	const char *name;
	enum kind kind;
} keys[] = {
	{"disable-require", KIND_BOOL},
	{"swarm-resource", KIND_STRING},
	{"accept-nvidia-visible-devices-envvar-when-unprivileged", KIND_BOOL},
	{"accept-nvidia-visible-devices-as-volume-mounts", KIND_BOOL},
	{"supported-driver-capabilities", KIND_STRING},
	{"nvidia-container-cli.root", KIND_STRING},
	{"nvidia-container-cli.path", KIND_STRING},
	{"nvidia-container-cli.environment", KIND_LIST},
	{"nvidia-container-cli.debug", KIND_STRING},
	{"nvidia-container-cli.ldcache", KIND_STRING},
	{"nvidia-container-cli.load-kmods", KIND_BOOL},
	{"nvidia-container-cli.no-pivot", KIND_BOOL},
	{"nvidia-container-cli.no-cgroups", KIND_BOOL},
	{"nvidia-container-cli.user", KIND_STRING},
	{"nvidia-container-cli.ldconfig", KIND_STRING},
	{"nvidia-ctk.path", KIND_STRING},
	{"nvidia-container-runtime.debug", KIND_STRING},
	{"nvidia-container-runtime.log-level", KIND_STRING},
	{"nvidia-container-runtime.runtimes", KIND_LIST},
	{"nvidia-container-runtime.mode", KIND_STRING},
	{"nvidia-container-runtime.modes.csv.mount-spec-path", KIND_STRING},
	{"nvidia-container-runtime.modes.csv.compat-container-root", KIND_STRING},
	{"nvidia-container-runtime.modes.cdi.spec-dirs", KIND_LIST},
	{"nvidia-container-runtime.modes.cdi.default-kind", KIND_STRING},
	{"nvidia-container-runtime.modes.cdi.annotation-prefixes", KIND_LIST},
	{"nvidia-container-runtime.modes.jit-cdi.nvcdi-feature-flags", KIND_LIST},
	{"nvidia-container-runtime.modes.jit-cdi.nvcdi-disable-hooks", KIND_LIST},
	{"nvidia-container-runtime.modes.legacy.cuda-compat-mode", KIND_STRING},
	{"nvidia-container-runtime-hook.path", KIND_STRING},
	{"nvidia-container-runtime-hook.skip-mode-detection", KIND_BOOL},
	{"features.allow-cuda-compat-libs-from-container", KIND_BOOL},
	{"features.allow-ldconfig-from-container", KIND_BOOL},
	{"features.allow-unknown-oci-spec-fields", KIND_BOOL},
	{"features.disable-cuda-compat-lib-hook", KIND_BOOL},
	{"features.disable-imex-channel-creation", KIND_BOOL},
	{"features.ignore-imex-channel-requests", KIND_BOOL},
	{"features.no-additional-gids-for-device-nodes", KIND_BOOL},
};

/*
 * What a key alone means here, where `davit config import` looks at several of them together: the
 * value of NVIDIA's, and davit's key with its value.
 */
static const struct {
	const char *name, *value, *key, *json;
} settings[] = {
	{"nvidia-container-runtime.mode", "auto", "runtime.mode", "\"spec\""},
	{"nvidia-container-runtime.mode", "cdi", "runtime.mode", "\"spec\""},
	{"nvidia-container-runtime.mode", "jit-cdi", "runtime.mode", "\"spec\""},
	{"nvidia-container-runtime.log-level", "trace", "log.level", "\"debug\""},
	{"nvidia-container-runtime.log-level", "debug", "log.level", "\"debug\""},
	{"nvidia-container-runtime.log-level", "info", "log.level", "\"info\""},
	{"nvidia-container-runtime.log-level", "warn", "log.level", "\"warning\""},
	{"nvidia-container-runtime.log-level", "warning", "log.level", "\"warning\""},
	{"nvidia-container-runtime.log-level", "error", "log.level", "\"error\""},
	{"nvidia-container-runtime.modes.legacy.cuda-compat-mode", "ldconfig", "cuda-compat",
	 "\"auto\""},
	{"nvidia-container-runtime.modes.legacy.cuda-compat-mode", "hook", "cuda-compat",
	 "\"auto\""},
	{"nvidia-container-runtime.modes.legacy.cuda-compat-mode", "mount", "cuda-compat",
	 "\"auto\""},
	{"nvidia-container-runtime.debug", "/dev/null", "log.file", "\"\""},
	{"nvidia-container-cli.debug", "/dev/null", "log.file", "\"\""},
	{"nvidia-container-runtime.debug", "", "log.file", "\"\""},
	{"nvidia-container-cli.debug", "", "log.file", "\"\""},
};

struct job {
	const struct arguments *arguments;
	struct json_edit edit; /* davit's configuration, comments blanked out */
	char *text;            /* the same with its comments */
	struct arena *arena;
	struct error *err;
};

static int refuse(const struct job *job, const char *set, const char *what, const char *fix)
{
	return error_set(job->err, ERROR_BAD_REQUEST, EINVAL, fix, "set %.100s: %s", set, what);
}

static const char *quote(const char *text, struct arena *arena)
{
	struct json_object *string = json_object_new_string(text);
	const char *quoted = arena_strdup(
		arena, json_object_to_json_string_ext(string, JSON_C_TO_STRING_NOSLASHESCAPE));

	(void)json_object_put(string);
	return quoted;
}

/* "a:b" or "a,b" as a list of TOML; JSON's texts are TOML's. NULL without memory. */
static const char *toml_list(const char *value, const char *separator, struct arena *arena)
{
	const char *list = "";
	struct slice rest = slice_from(value), item;
	const char *by = strstr(value, separator) ? separator : ",";

	while (*value && list && slice_next(&rest, by[0], &item)) {
		const char *text = arena_strndup(arena, item.data, item.length);

		text = text ? quote(text, arena) : NULL;
		list = text ? arena_printf(arena, "%s%s%s", list, *list ? ", " : "", text) : NULL;
	}
	return list ? arena_printf(arena, "[%s]", list) : NULL;
}

/* ---- davit's configuration as text -------------------------------------------------------- */

/*
 * The edit was made in the text without comments; what it changed, one piece, is put into the one
 * that has them.
 */
static int follow_edit(struct job *job, const char *before)
{
	const char *after = job->edit.text;
	size_t length = strlen(before), made = strlen(after), same = 0, tail = 0, gone;

	while (same < length && same < made && before[same] == after[same])
		same++;
	while (tail < length - same && tail < made - same &&
	       before[length - 1 - tail] == after[made - 1 - tail])
		tail++;
	/* Blanks that went may be a comment in the other text. */
	gone = length - same - tail;
	if (strspn(before + same, " \t\r\n") < gone || strspn(job->text + same, " \t\r\n") >= gone)
		gone = 0;
	job->text =
		arena_printf(job->arena, "%.*s%.*s%s", (int)(same + gone), job->text,
			     (int)(made - same - tail), after + same, job->text + length - tail);
	return job->text ? 0 : error_memory(job->err);
}

static int set_json(struct job *job, const char *key, const char *json)
{
	const char *dot = strchr(key, '.'), *before = job->edit.text;
	const char *section = dot ? arena_strndup(job->arena, key, (size_t)(dot - key)) : key;
	const char *const path[] = {section, dot ? dot + 1 : NULL, NULL};
	int r;

	if (!section)
		return error_memory(job->err);
	r = json_edit_set(&job->edit, path, json, job->err);
	return r < 0 ? r : follow_edit(job, before);
}

static int set_members(struct job *job, struct json_object *object, const char *section)
{
	int r = 0;

	json_object_object_foreach(object, key, value)
	{
		const char *name = *section ? arena_printf(job->arena, "%s.%s", section, key) : key;

		if (!name)
			return error_memory(job->err);
		if (json_object_is_type(value, json_type_object))
			r = set_members(job, value, name);
		else
			r = set_json(job, name,
				     json_object_to_json_string_ext(
					     value, JSON_C_TO_STRING_SPACED |
							    JSON_C_TO_STRING_NOSLASHESCAPE));
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- --set ------------------------------------------------------------------------------- */

static int set_imported(struct job *job, const char *set, const char *name, const char *toml)
{
	AUTO_JSON *made = NULL;
	struct import_notes notes;
	int r = configure_import(toml, "--set", job->arena, &made, &notes, job->err);

	if (r < 0)
		return r;
	if (notes.count)
		return refuse(job, set, notes.items[0].why, "omit it");
	(void)name;
	return set_members(job, made, "");
}

static int set_key(struct job *job, const char *set)
{
	const char *equals = strchr(set, '='), *value = equals ? equals + 1 : "true", *toml;
	const char *separator = arguments_value(job->arguments, "set-list-separator");
	const char *name = equals ? arena_strndup(job->arena, set, (size_t)(equals - set)) : set;
	const char *known[ARRAY_SIZE(keys)], *nearest;
	size_t at = 0;

	if (!name)
		return error_memory(job->err);
	while (at < ARRAY_SIZE(keys) && strcmp(keys[at].name, name) != 0)
		at++;
	if (at == ARRAY_SIZE(keys)) {
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			known[i] = keys[i].name;
		nearest = string_nearest(name, known, ARRAY_SIZE(known));
		return refuse(job, set, "unknown key",
			      nearest ? arena_printf(job->arena, "did you mean %s?", nearest)
				      : "see the keys of NVIDIA's config.toml");
	}
	if (!equals && keys[at].kind != KIND_BOOL)
		return refuse(job, set, "it has no value", "write KEY=VALUE");
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (strcmp(settings[i].name, name) == 0 && strcmp(settings[i].value, value) == 0)
			return set_json(job, settings[i].key, settings[i].json);
	if (strcmp(name, "nvidia-container-runtime.debug") == 0)
		return set_json(job, "log.file", quote(value, job->arena));
	/* "nil" unsets a feature, which is off then. */
	if (keys[at].kind == KIND_BOOL)
		toml = string_equal(value, "true") || string_equal(value, "1") ||
				       string_equal(value, "t") || string_equal(value, "T") ||
				       string_equal(value, "TRUE") || string_equal(value, "True")
			       ? "true"
		       : string_equal(value, "false") || string_equal(value, "0") ||
				       string_equal(value, "f") || string_equal(value, "F") ||
				       string_equal(value, "FALSE") ||
				       string_equal(value, "False") ||
				       (string_starts(name, "features.") &&
					string_equal(value, "nil"))
			       ? "false"
			       : NULL;
	else if (keys[at].kind == KIND_LIST)
		toml = toml_list(value, separator && *separator ? separator : ":", job->arena);
	else
		toml = quote(value, job->arena);
	if (!toml)
		return keys[at].kind == KIND_BOOL
			       ? refuse(job, set, "it must be true or false", "write KEY=true")
			       : error_memory(job->err);
	toml = arena_printf(job->arena, "%s = %s\n", name, toml);
	return toml ? set_imported(job, set, name, toml) : error_memory(job->err);
}

/* ---- the command ------------------------------------------------------------------------ */

static int read_config(struct job *job, const char *path)
{
	AUTO_ROOT root = {.fd = -1};
	AUTO_JSON *object = NULL;
	char *text = NULL, *blanked;
	int r = root_open("/", &root, job->err);

	if (r < 0)
		return r;
	r = root_read(&root, path, CONFIG_SIZE_MAX, job->arena, &text, NULL);
	if (r < 0 && r != -ENOENT)
		return error_errno(job->err, -r, "read %s", path);
	if (r == -ENOENT)
		text = arena_strdup(job->arena, "{\n}\n");
	if (string_ends(path, ".toml") ||
	    (text && text[strspn(text, " \t\r\n")] != '{' && text[strspn(text, " \t\r\n")] != '/'))
		return error_set(
			job->err, ERROR_BAD_REQUEST, EINVAL,
			"omit --config-file, or import that file with: davit config import",
			"change %s: it is NVIDIA's configuration, which davit doesn't read", path);
	blanked = text ? arena_strdup(job->arena, text) : NULL;
	if (!blanked)
		return error_memory(job->err);
	config_blank_comments(blanked, strlen(blanked));
	job->text = text;
	job->edit = (struct json_edit){.arena = job->arena, .path = path, .text = blanked};
	return json_parse(blanked, strlen(blanked), ERROR_BAD_CONFIG, path, &object, job->err);
}

static int write_config(const struct job *job, const char *output)
{
	struct config checked;
	int r = config_parse(job->text, strlen(job->text), output ? output : "the result",
			     job->arena, &checked, job->err);

	if (r < 0)
		return r;
	if (!output)
		return fputs(job->text, stdout) < 0 || fflush(stdout) != 0
			       ? error_errno(job->err, errno, "write to standard output")
			       : 0;
	r = file_save(output, job->text, false, job->arena, job->err);
	if (r == 0 && !cli_is_quiet())
		(void)printf("wrote %s\n", output);
	return r;
}

static const char *output_of(const struct arguments *arguments)
{
	const char *output = arguments_value(arguments, "output");

	return output && *output ? output : NULL;
}

static int run(const struct arguments *arguments)
{
	const char *path = arguments_value(arguments, "config-file");
	const char *output = output_of(arguments);
	bool in_place = arguments_flag(arguments, "in-place");
	AUTO_ARENA arena = {0};
	struct strings sets = {0};
	struct error err = {0};
	struct job job = {.arguments = arguments, .arena = &arena, .err = &err};
	int r;

	if (in_place && output)
		return usage_error(arguments, "--in-place and --output exclude each other");
	path = cli_absolute(path && *path ? path : CONFIG_PATH, &arena);
	r = path && arguments_values(arguments, "set", &sets) == 0 ? read_config(&job, path)
								   : error_memory(&err);
	if (r < 0 || !job.text || !job.edit.text)
		return cli_fail(&err);
	for (size_t i = 0; r == 0 && i < sets.count; i++)
		r = set_key(&job, sets.items[i]);
	if (r == 0)
		r = write_config(&job, in_place ? path : output);
	return r < 0 ? cli_fail(&err) : fflush(stdout) != 0;
}

static int run_default(const struct arguments *arguments)
{
	const char *output = output_of(arguments);
	struct error err = {0};

	if (!output)
		return fputs(cli_config_default, stdout) < 0 || fflush(stdout) != 0;
	if (file_save(output, cli_config_default, false, arguments->arena, &err) < 0)
		return cli_fail(&err);
	if (!cli_is_quiet())
		(void)printf("wrote %s\n", output);
	return fflush(stdout) != 0;
}

static const struct command_option default_options[] = {
	{"output", OPTION_VALUE, "FILE", "replace FILE atomically, instead of printing"},
	{"o", OPTION_VALUE, "FILE", NULL},
	{NULL, 0, NULL, NULL},
};
static const struct option_more default_more[] = {
	{"o", "output", NULL, NULL},
	{NULL, NULL, NULL, NULL},
};
#define DEFAULT(word)                                                                          \
	{                                                                                      \
		.name = word, .summary = "print davit's default configuration",                \
		.help = "Prints davit's default configuration, with comments for each key.\n", \
		.example = "davit ctk config default", .options = default_options,             \
		.more = default_more, .one_dash = true, .run = run_default,                    \
	}
static const struct command config_default = DEFAULT("default");
static const struct command create_default = DEFAULT("create-default");
static const struct command generate_default = DEFAULT("generate-default");
static const struct command *const commands[] = {&config_default, &create_default,
						 &generate_default, NULL};

static const struct command_option options[] = {
	{"config-file", OPTION_VALUE, "FILE", "davit's configuration (" CONFIG_PATH ")"},
	{"config", OPTION_VALUE, "FILE", NULL},
	{"c", OPTION_VALUE, "FILE", NULL},
	{"set", OPTION_REPEATED, "KEY=VALUE", "set one of NVIDIA's keys; lists are a:b or a,b"},
	{"set-list-separator", OPTION_VALUE, "TEXT", "the separator of a list's items (:)"},
	{"in-place", OPTION_FLAG, NULL, "write the result to the file that was read"},
	{"i", OPTION_FLAG, NULL, NULL},
	{"output", OPTION_VALUE, "FILE", "replace FILE atomically, instead of printing"},
	{"o", OPTION_VALUE, "FILE", NULL},
	{NULL, 0, NULL, NULL},
};
static const struct option_more more[] = {
	{"config-file", NULL, "NVIDIA_CTK_CONFIG_FILE_PATH", NULL},
	{"config", "config-file", NULL, NULL},
	{"c", "config-file", NULL, NULL},
	{"i", "in-place", NULL, NULL},
	{"o", "output", NULL, NULL},
	{NULL, NULL, NULL, NULL},
};

const struct command ctk_config = {
	.name = "config",
	.summary = "print or change the configuration",
	.help = "Prints davit's configuration with changes. --set translates NVIDIA's key to davit's and\n"
		"keeps comments. If a key has no counterpart, the command fails with the reason and\n"
		"writes nothing.\n",
	.example = "davit ctk config --set nvidia-container-cli.no-cgroups=true --in-place",
	.options = options,
	.more = more,
	.commands = commands,
	.one_dash = true,
	.run = run,
};
