// SPDX-License-Identifier: Apache-2.0
/* nvidia-ctk: what its commands have in common. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctk.h"
#include "davit/configure.h"
#include "davit/json.h"

/* Of the options before the command. */
static const char *config_file;

static void before(const struct arguments *arguments)
{
	config_file = arguments_value(arguments, "config");
	if (arguments_flag(arguments, "quiet"))
		cli_be_quiet();
	else if (arguments_flag(arguments, "debug"))
		log_to(STDERR_FILENO, LOG_LEVEL_DEBUG);
}

/* NVIDIA's is TOML, where a value of davit's begins with a brace or a comment. */
static bool is_toml(const char *text)
{
	text += strspn(text, " \t\r\n");
	return *text && *text != '{' && *text != '/';
}

static int load_toml(const char *text, const char *path, struct arena *arena, struct config *ret,
		     struct error *err)
{
	AUTO_JSON *made = NULL;
	struct import_notes notes;
	const char *json;
	int r = configure_import(text, path, arena, &made, &notes, err);

	if (r < 0)
		return r;
	json = json_object_to_json_string(made);
	return config_parse(json, strlen(json), path, arena, ret, err);
}

int ctk_load_config(struct arena *arena, struct config *ret, struct error *err)
{
	AUTO_ROOT root = {.fd = -1};
	const char *path = config_file ? cli_absolute(config_file, arena) : NULL;
	char *text = NULL;
	int r;

	if (!config_file)
		return config_load(NULL, arena, ret, err);
	r = path ? root_open("/", &root, err) : error_memory(err);
	if (r < 0)
		return r;
	r = root_read(&root, path, CONFIG_SIZE_MAX, arena, &text, NULL);
	if (r < 0)
		return error_errno(err, -r, "read %s", config_file);
	return is_toml(text) ? load_toml(text, path, arena, ret, err)
			     : config_load(path, arena, ret, err);
}

/* ---- info ------------------------------------------------------------------------------- */

static int run_info(const struct arguments *arguments)
{
	return command_info.run(arguments);
}

static const struct command ctk_info = {
	.name = "info",
	.summary = "show the driver and the GPUs of this host",
	.help = "Works like `davit info`. NVIDIA's nvidia-ctk info only prints its help.\n",
	.example = "davit ctk info",
	.one_dash = true,
	.json = true,
	.run = run_info,
};

/* ---- hook ------------------------------------------------------------------------------- */

/* Never run: main has these done by davit-hook's code. */
static int run_hook(const struct arguments *arguments)
{
	return usage_error(arguments, "no hook is named");
}

static const struct command ctk_hook = {
	.name = "hook",
	.summary = "run a hook of a CDI spec: create-symlinks, update-ldcache, ...",
	.help = "Runtimes call it with the container's state on standard input.\n",
	.example = "davit ctk hook update-ldcache --folder /usr/lib64 < state.json",
	.words = "HOOK [OPTION...]",
	.words_max = WORDS_ANY,
	.one_dash = true,
	.run = run_hook,
};

/* ---- the whole -------------------------------------------------------------------------- */

static int run(const struct arguments *arguments)
{
	if (!arguments_flag(arguments, "version"))
		return command_help(arguments->command, arguments->name);
	return puts("NVIDIA Container Toolkit CLI version " NVIDIA_TOOLKIT_VERSION
		    "\ndavit " DAVIT_VERSION) < 0;
}

static const struct command *const commands[] = {&ctk_hook,   &ctk_runtime, &ctk_info, &ctk_cdi,
						 &ctk_system, &ctk_config,  NULL};
static const struct command_option options[] = {
	{"version", OPTION_FLAG, NULL,
	 "print nvidia-ctk's version that this command matches, and davit's"},
	{"v", OPTION_FLAG, NULL, NULL},
	{"debug", OPTION_FLAG, NULL, "print each step on standard error"},
	{"d", OPTION_FLAG, NULL, NULL},
	{"quiet", OPTION_FLAG, NULL, "print only errors"},
	{"q", OPTION_FLAG, NULL, NULL},
	{"config", OPTION_VALUE, "FILE", "davit's configuration, or NVIDIA's config.toml"},
	{NULL, 0, NULL, NULL},
};
static const struct option_more more[] = {
	{"v", "version", NULL, NULL}, {"debug", NULL, "NVIDIA_CTK_DEBUG", NULL},
	{"d", "debug", NULL, NULL},   {"quiet", NULL, "NVIDIA_CTK_QUIET", NULL},
	{"q", "quiet", NULL, NULL},   {"config", NULL, "NVIDIA_CTK_CONFIG", NULL},
	{NULL, NULL, NULL, NULL},
};

const struct command command_ctk = {
	.name = "ctk",
	.summary = "the commands of nvidia-ctk, for scripts that call it",
	.help = "Accepts the commands, options and environment variables of nvidia-ctk " NVIDIA_TOOLKIT_VERSION
		". What davit\n"
		"doesn't support is refused with the reason.\n",
	.example = "davit ctk runtime configure --runtime=containerd --nvidia-set-as-default",
	.options = options,
	.more = more,
	.commands = commands,
	.one_dash = true,
	.help_without = true,
	.before = before,
	.run = run,
};
