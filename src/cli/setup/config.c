// SPDX-License-Identifier: Apache-2.0
/* `davit config show` and `check`; config_import.c contains `import`. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "config_import.h"

/* Adds "section.key" to its section, as in the file. Takes ownership of the value. */
static void add_nested(struct json_object *object, const char *key, struct json_object *value)
{
	const char *dot = strchr(key, '.');
	char section[32] = "";
	struct json_object *inner = object;

	if (dot) {
		memcpy(section, key, (size_t)(dot - key));
		if (!json_object_object_get_ex(object, section, &inner)) {
			inner = json_object_new_object();
			json_object_object_add(object, section, inner);
		}
	}
	json_object_object_add(inner, dot ? dot + 1 : key, value);
}

/* The configuration and the default one, key by key. */
struct shown {
	const char *path;
	struct config_values values, defaults;
};

static bool is_default(const struct shown *shown, size_t i)
{
	return strcmp(shown->values.items[i].json, shown->defaults.items[i].json) == 0;
}

static int show_json(const struct shown *shown)
{
	struct json_object *answer = json_object_new_object();
	struct json_object *nested = json_object_new_object(), *changed = json_object_new_array();

	for (size_t i = 0; i < shown->values.count; i++) {
		const struct config_value *value = &shown->values.items[i];

		add_nested(nested, value->key, json_tokener_parse(value->json));
		if (!is_default(shown, i))
			(void)json_object_array_add(changed, json_object_new_string(value->key));
	}
	json_object_object_add(answer, "file",
			       shown->path ? json_object_new_string(shown->path) : NULL);
	json_object_object_add(answer, "config", nested);
	json_object_object_add(answer, "changed", changed);
	return cli_print_json(answer);
}

static int show_text(const struct shown *shown)
{
	(void)printf("%s\n", shown->path ? shown->path : "no " CONFIG_PATH ": defaults");
	for (size_t i = 0; i < shown->values.count; i++)
		(void)printf("%-26s  %s%s\n", shown->values.items[i].key,
			     shown->values.items[i].json,
			     is_default(shown, i) ? "  (default)" : "");
	return fflush(stdout) != 0;
}

static int show(const struct arguments *arguments)
{
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct config config, defaults;
	struct shown shown = {0};
	int r = config_load(arguments->config, &arena, &config, &err);

	if (r == 0 && (config_defaults(&arena, &defaults) < 0 ||
		       config_describe(&config, &arena, &shown.values) < 0 ||
		       config_describe(&defaults, &arena, &shown.defaults) < 0))
		r = error_memory(&err);
	if (r < 0)
		return cli_fail(&err);
	shown.path = config.path;
	return arguments->json ? show_json(&shown) : show_text(&shown);
}

static const struct command command_show = {
	.name = "show",
	.summary = "show the current configuration",
	.help = "Prints every key with its value, and marks defaults.\n",
	.example = "davit config show --json",
	.json = true,
	.run = show,
};

static int check_json(const char *path, int r, const struct error *err)
{
	struct json_object *answer = json_object_new_object();

	json_object_object_add(answer, "file", path ? json_object_new_string(path) : NULL);
	json_object_object_add(answer, "error", r < 0 ? cli_json_error(err) : NULL);
	return cli_print_json(answer);
}

static int check(const struct arguments *arguments)
{
	AUTO_ARENA arena = {0};
	struct error err = {0};
	struct config config = {0};
	const char *path =
		arguments->words.count > 0 ? arguments->words.items[0] : arguments->config;
	int r = config_load(path, &arena, &config, &err);

	if (r == 0)
		path = config.path;
	if (arguments->json)
		return check_json(path ? path : CONFIG_PATH, r, &err) != 0 || r < 0;
	if (r < 0)
		return cli_fail(&err);
	(void)printf(path ? "%s is valid\n" : "%s doesn't exist: every key has its default\n",
		     path ? path : CONFIG_PATH);
	return fflush(stdout) != 0;
}

static const struct command command_check = {
	.name = "check",
	.summary = "check a configuration file",
	.help = "Reports errors in FILE (" CONFIG_PATH ") with their position. If there are any,\n"
		"the exit code is 1.\n",
	.example = "davit config check ./config.json",
	.words = "[FILE]",
	.words_max = 1,
	.json = true,
	.run = check,
};

static const struct command *const commands[] = {&command_check, &command_config_import,
						 &command_show, NULL};

const struct command command_config = {
	.name = "config",
	.summary = "show or check the configuration, or import NVIDIA's",
	.help = "The configuration is " CONFIG_PATH ". Keys that are missing have their default,\n"
		"and so has every key if the file is missing.\n",
	.example = "davit config show",
	.commands = commands,
};
