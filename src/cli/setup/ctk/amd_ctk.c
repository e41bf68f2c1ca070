// SPDX-License-Identifier: Apache-2.0
/* The commands of amd-ctk, AMD's own program, translated into davit's. */
#include <stdio.h>
#include <string.h>

#include "amd_ctk.h"
#include "command/commands.h"
#include "setup/cdi.h"

#define SPEC "/var/run/cdi/amd.json"
#define WORDS_MAX 16

/* A command line in the making. */
struct words {
	char *items[WORDS_MAX];
	int count;
	struct arena *arena;
};

/* Without memory a word is missing, and the command says so. */
static void add(struct words *words, const char *word)
{
	char *copy = arena_strdup(words->arena, word);

	if (copy && words->count < WORDS_MAX)
		words->items[words->count++] = copy;
}

static void add_value(struct words *words, const char *option, const char *value)
{
	if (!value)
		return;
	add(words, option);
	add(words, value);
}

/* ---- cdi -------------------------------------------------------------------------------- */

static int run_generate(const struct arguments *arguments)
{
	const char *output = arguments_value(arguments, "output");
	struct words words = {.arena = arguments->arena};

	add_value(&words, "--vendor", "amd");
	add_value(&words, "--output", output ? output : SPEC);
	add_value(&words, "--config", arguments->config);
	return command_run(&command_cdi_generate, arguments->name, words.count, words.items);
}

static int run_list(const struct arguments *arguments)
{
	return command_cdi_list.run(arguments);
}

static int read_spec(const char *path, struct arena *arena, struct json_object **ret,
		     struct error *err)
{
	AUTO_ROOT root = {.fd = -1};
	char *text = NULL;
	size_t length = 0;
	int r = root_open("/", &root, err);

	if (r < 0)
		return r;
	r = root_read(&root, path, CDI_SPEC_MAX, arena, &text, &length);
	if (r < 0)
		return error_fix(err, error_errno(err, -r, "read %s", path),
				 "generate it with `davit cdi generate --vendor amd --output %s`",
				 path);
	return json_parse(text, length, ERROR_BAD_REQUEST, path, ret, err);
}

static struct json_object *member(struct json_object *object, const char *name)
{
	struct json_object *value = NULL;

	(void)json_object_object_get_ex(object, name, &value);
	return value;
}

/* The nodes of the device of that name, as text: what a spec comes to, whoever wrote it. */
static const char *nodes_of(struct json_object *spec, const char *name, struct arena *arena)
{
	struct json_object *devices = member(spec, "devices");
	struct strings paths = {0};

	for (size_t i = 0; i < json_object_array_length(devices); i++) {
		struct json_object *device = json_object_array_get_idx(devices, i);
		struct json_object *nodes = member(member(device, "containerEdits"), "deviceNodes");

		if (!string_equal(json_object_get_string(member(device, "name")), name))
			continue;
		for (size_t j = 0; nodes && j < json_object_array_length(nodes); j++)
			if (strings_add(arena, &paths,
					json_object_get_string(member(
						json_object_array_get_idx(nodes, j), "path"))) < 0)
				return NULL;
		return strings_join(arena, &paths, " ");
	}
	return "none";
}

/* Whether each device of the spec has the nodes that its GPU has now. */
static int compare(const char *path, struct json_object *spec, struct json_object *now,
		   struct arena *arena, struct error *err)
{
	struct json_object *devices = member(now, "devices");

	for (size_t i = 0; i < json_object_array_length(devices); i++) {
		const char *name = json_object_get_string(
			member(json_object_array_get_idx(devices, i), "name"));
		const char *there = nodes_of(spec, name, arena);
		const char *wanted = nodes_of(now, name, arena);

		if (!there || !wanted)
			return error_memory(err);
		/* Names by unique id are davit's own. */
		if (strcmp(there, wanted) == 0 ||
		    (strcmp(there, "none") == 0 && string_starts(name, "0x")))
			continue;
		error_set(err, ERROR_BAD_REQUEST, EINVAL, NULL,
			  "use %s: device %s has the nodes %s, but the GPU has %s", path, name,
			  there, wanted);
		return error_fix(err, -EINVAL,
				 "regenerate it with `davit cdi generate --vendor amd --output %s`",
				 path);
	}
	return 0;
}

static int run_validate(const struct arguments *arguments)
{
	const char *path = arguments_value(arguments, "path");
	const struct cdi_options options = {
		.by_index = true, .by_uuid = true, .hook = "/davit-hook"};
	struct arena *arena = arguments->arena;
	AUTO_JSON *spec = NULL;
	AUTO_JSON *now = NULL;
	struct strings left_out;
	struct config config;
	struct error err = {0};
	int r = read_spec(path ? path : SPEC, arena, &spec, &err);

	if (r == 0)
		r = cdi_check(spec, path ? path : SPEC, &err);
	if (r == 0)
		r = config_load(arguments->config, arena, &config, &err);
	if (r == 0)
		r = cdi_make_vendor(&config, &vendor_amd, &options, arena, &now, &left_out, &err);
	if (r == 0)
		r = compare(path ? path : SPEC, spec, now, arena, &err);
	if (r < 0)
		return cli_fail(&err);
	(void)printf("%s matches this host\n", path ? path : SPEC);
	return 0;
}

static const struct command_option generate_options[] = {
	{"output", OPTION_VALUE, "FILE", "the spec (" SPEC ")"},
	{NULL, 0, NULL, NULL},
};
static const struct command amd_generate = {
	.name = "generate",
	.summary = "generate a spec of this host's AMD GPUs",
	.help = "Works like `davit cdi generate --vendor amd`. Without --output it writes\n" SPEC
		", which engines prefer to /etc/cdi/amd.json.\n",
	.example = "amd-ctk cdi generate --output=" SPEC,
	.options = generate_options,
	.one_dash = true,
	.run = run_generate,
};
static const struct command_option list_options[] = {
	{"spec-dir", OPTION_REPEATED, "DIR",
	 "read DIR (/etc/cdi and /var/run/cdi); may be repeated"},
	{NULL, 0, NULL, NULL},
};
static const struct command amd_list = {
	.name = "list",
	.summary = "list the devices of the specs, and report problems",
	.help = "Works like `davit cdi list`; see its --help.\n",
	.example = "amd-ctk cdi list",
	.options = list_options,
	.json = true,
	.one_dash = true,
	.run = run_list,
};
static const struct command_option validate_options[] = {
	{"path", OPTION_VALUE, "FILE", "the spec (" SPEC ")"},
	{NULL, 0, NULL, NULL},
};
static const struct command amd_validate = {
	.name = "validate",
	.summary = "compare a spec with this host's GPUs",
	.help = "Checks the spec as strictly as engines do, and checks that its device nodes exist.\n",
	.example = "amd-ctk cdi validate --path=/etc/cdi/amd.json",
	.options = validate_options,
	.one_dash = true,
	.run = run_validate,
};
static const struct command *const cdi_commands[] = {&amd_generate, &amd_list, &amd_validate, NULL};
static const struct command amd_cdi = {
	.name = "cdi",
	.summary = "generate, list and validate CDI specs",
	.example = "amd-ctk cdi generate",
	.commands = cdi_commands,
};

/* ---- runtime configure ------------------------------------------------------------------ */

static int configure(const struct arguments *arguments, bool remove, bool set_default)
{
	struct words words = {.arena = arguments->arena};

	add(&words, "docker");
	add_value(&words, "--runtime-name", "amd");
	add_value(&words, "--file", arguments_value(arguments, "config-path"));
	if (arguments_flag(arguments, "dry-run"))
		add(&words, "--dry-run");
	if (remove)
		add(&words, "--remove");
	else
		add(&words, "--cdi");
	if (set_default)
		add(&words, "--set-default");
	return command_run(&command_configure, arguments->name, words.count, words.items);
}

static int run_configure(const struct arguments *arguments)
{
	int code;

	if (arguments_flag(arguments, "remove"))
		return configure(arguments, true, false);
	if (!arguments_flag(arguments, "unset-as-default"))
		return configure(arguments, false, arguments_flag(arguments, "set-as-default"));
	/* What it was before, but for the runtime itself. */
	code = configure(arguments, true, false);
	return code ? code : configure(arguments, false, false);
}

static const struct command_option configure_options[] = {
	{"runtime", OPTION_VALUE, "docker",
	 "the engine: only docker (for others, use davit configure)"},
	{"config-path", OPTION_VALUE, "FILE", "the engine's file (/etc/docker/daemon.json)"},
	{"set-as-default", OPTION_FLAG, NULL, "use davit for every container"},
	{"unset-as-default", OPTION_FLAG, NULL, "use davit no longer for every container"},
	{"remove", OPTION_FLAG, NULL, "revert the configuration, but keep CDI specs"},
	{"dry-run", OPTION_FLAG, NULL, "print the change as a diff, and don't change any file"},
	{NULL, 0, NULL, NULL},
};
static const struct command amd_configure = {
	.name = "configure",
	.summary = "configure docker to use davit as the runtime amd",
	.help = "Works like `davit configure docker --runtime-name amd --cdi`; see `davit configure\n"
		"--help`.\n",
	.example = "amd-ctk runtime configure --runtime=docker --dry-run",
	.options = configure_options,
	.one_dash = true,
	.run = run_configure,
};
static const struct command *const runtime_commands[] = {&amd_configure, NULL};
static const struct command amd_runtime = {
	.name = "runtime",
	.summary = "configure docker",
	.example = "amd-ctk runtime configure --runtime=docker",
	.commands = runtime_commands,
};

/* ---- gpu, gpu-tracker ------------------------------------------------------------------- */

static int run_gpus(const struct arguments *arguments)
{
	struct words words = {.arena = arguments->arena};

	add_value(&words, "--vendor", "amd");
	add_value(&words, "--config", arguments->config);
	if (arguments->json)
		add(&words, "--json");
	return command_run(&command_info, arguments->name, words.count, words.items);
}

static int run_tracker(const struct arguments *arguments)
{
	(void)arguments;
	(void)fputs("davit: cannot reserve GPUs: davit keeps no state of its own (fix: see which "
		    "containers have which GPU with `davit list --containers`)\n",
		    stderr);
	return 1;
}

static const struct command amd_gpu_list = {
	.name = "list",
	.summary = "list this host's AMD GPUs",
	.help = "Works like `davit info --vendor amd`.\n",
	.example = "amd-ctk gpu list",
	.json = true,
	.one_dash = true,
	.run = run_gpus,
};
static const struct command *const gpu_commands[] = {&amd_gpu_list, NULL};
static const struct command amd_gpu = {
	.name = "gpu",
	.summary = "list this host's AMD GPUs",
	.example = "amd-ctk gpu list",
	.commands = gpu_commands,
};
static const struct command amd_tracker = {
	.name = "gpu-tracker",
	.summary = "not supported: davit doesn't reserve GPUs",
	.help = "Use a scheduler to reserve GPUs for containers.\n",
	.example = "davit list --containers",
	.words_max = WORDS_ANY,
	.words = "WORD",
	.run = run_tracker,
};

static const struct command *const commands[] = {&amd_cdi, &amd_gpu, &amd_tracker, &amd_runtime,
						 NULL};
static const struct command_option options[] = {
	{"version", OPTION_FLAG, NULL, "print davit's version"},
	{NULL, 0, NULL, NULL},
};

const struct command command_amd_ctk = {
	.name = "amd-ctk",
	.summary = "the commands of amd-ctk, for scripts that call it",
	.help = "Works like the corresponding commands of davit.\n",
	.example = "amd-ctk cdi generate",
	.options = options,
	.commands = commands,
	.one_dash = true,
	.run = cli_version,
};
