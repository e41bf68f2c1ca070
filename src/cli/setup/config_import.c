// SPDX-License-Identifier: Apache-2.0
/* `davit config import`: from NVIDIA's config.toml to our config.json. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "config_import.h"
#include "davit/configure.h"
#include "davit/json.h"

#define NVIDIA_CONFIG "/etc/nvidia-container-runtime/config.toml"

static int read_file(const char *path, struct arena *arena, char **ret, struct error *err)
{
	AUTO_ROOT root = {.fd = -1};
	const char *absolute = cli_absolute(path, arena);
	int r = absolute ? root_open("/", &root, err) : error_memory(err);

	if (r == 0)
		r = configure_read(&root, absolute, arena, ret, err);
	if (r == 0 && !*ret)
		r = error_set(err, ERROR_SYSTEM, ENOENT, "name the file: davit config import FILE",
			      "read %s: the file doesn't exist", path);
	return r;
}

/* davit must accept the result, because it may not know all names of capabilities. */
static int make_text(struct json_object *object, const char *path, struct arena *arena,
		     const char **ret, struct error *err)
{
	struct config ignored;
	const char *text = json_object_to_json_string_ext(
		object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_PRETTY_TAB |
				JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);
	int r;

	*ret = text ? arena_printf(arena, "%s\n", text) : NULL;
	if (!*ret)
		return error_memory(err);
	r = config_parse(*ret, strlen(*ret), "the result", arena, &ignored, err);
	return r < 0 ? error_prefix(err, r, "import %s", path) : 0;
}

static int print_json(struct json_object *config, const struct import_notes *notes)
{
	struct json_object *answer = json_object_new_object();
	struct json_object *left_out = json_object_new_array();

	for (size_t i = 0; i < notes->count; i++) {
		struct json_object *item = json_object_new_object();

		json_object_object_add(item, "key", json_object_new_string(notes->items[i].key));
		json_object_object_add(item, "value",
				       json_object_new_string(notes->items[i].value));
		json_object_object_add(item, "why", json_object_new_string(notes->items[i].why));
		(void)json_object_array_add(left_out, item);
	}
	json_object_object_add(answer, "config", json_object_get(config));
	json_object_object_add(answer, "left_out", left_out);
	return cli_print_json(answer);
}

static void print_notes(const struct import_notes *notes)
{
	for (size_t i = 0; i < notes->count; i++) {
		char line[512];

		(void)snprintf(line, sizeof(line), "skipped: %.100s = %.100s: %s",
			       notes->items[i].key, notes->items[i].value, notes->items[i].why);
		string_printable(line);
		(void)fprintf(stderr, "davit: %s\n", line);
	}
}

static int run(const struct arguments *arguments)
{
	AUTO_ARENA arena = {0};
	AUTO_JSON *config = NULL;
	const char *path = arguments->words.count > 0 ? arguments->words.items[0] : NVIDIA_CONFIG;
	const char *output = arguments_value(arguments, "output"), *made = NULL;
	struct import_notes notes = {0};
	struct error err = {0};
	char *text = NULL;
	int r = read_file(path, &arena, &text, &err);

	if (r == 0)
		r = configure_import(text, path, &arena, &config, &notes, &err);
	if (r == 0)
		r = make_text(config, path, &arena, &made, &err);
	if (r == 0 && output)
		r = file_save(output, made, !arguments_flag(arguments, "force"), &arena, &err);
	if (r != 0)
		return cli_fail(&err);
	if (arguments->json)
		return print_json(config, &notes);
	print_notes(&notes);
	if (!output)
		(void)fputs(made, stdout);
	else
		(void)printf("wrote %s\n", output);
	return fflush(stdout) != 0;
}

static const struct command_option options[] = {
	{"output", OPTION_VALUE, "FILE", "write the result to FILE, instead of printing it"},
	{"force", OPTION_FLAG, NULL, "replace FILE if it exists"},
	{NULL, 0, NULL, NULL},
};

const struct command command_config_import = {
	.name = "import",
	.summary = "convert NVIDIA's config.toml to a configuration of davit",
	.help = "Reads FILE (" NVIDIA_CONFIG ") and prints an equivalent\n"
		"configuration of davit. Standard error names each key that has no counterpart, with the\n"
		"reason.\n",
	.example = "davit config import --output " CONFIG_PATH,
	.options = options,
	.words = "[FILE]",
	.words_max = 1,
	.json = true,
	.run = run,
};
