// SPDX-License-Identifier: Apache-2.0
/* nvidia-ctk runtime configure, translated into davit configure. */
#include <stdio.h>
#include <string.h>

#include "command/commands.h"
#include "ctk.h"
#include "davit/configure_podman.h"

#define WORDS_MAX 32

/* The command line of davit configure in the making. */
struct words {
	char *items[WORDS_MAX];
	int count;
	struct arena *arena;
	bool failed;
};

static void add(struct words *words, const char *word)
{
	char *copy = arena_strdup(words->arena, word);

	if (!copy || words->count == WORDS_MAX)
		words->failed = true;
	else
		words->items[words->count++] = copy;
}

static void add_option(struct words *words, const char *option, const char *value)
{
	if (!value)
		return;
	add(words, option);
	add(words, value);
}

/* ---- the hooks.d file ------------------------------------------------------------------- */

/* The text of hooks/davit.json with another program. NULL without memory. */
static const char *hook_text(const char *program, struct arena *arena)
{
	const char *path = DAVIT_BINDIR "/davit-hook", *at = strstr(configure_hook, path);

	if (!program || !at)
		return configure_hook;
	return arena_printf(arena, "%.*s%s%s", (int)(at - configure_hook), configure_hook, program,
			    at + strlen(path));
}

static int write_hook(const struct arguments *arguments)
{
	const char *program = arguments_value(arguments, "nvidia-runtime-hook-path");
	const char *path = arguments_value(arguments, "oci-hook-path"), *text;
	struct error err = {0};

	if (program && (program[0] != '/' || strpbrk(program, "\"\\\n")))
		return usage_error(arguments,
				   "--nvidia-runtime-hook-path %.100s: it is not an absolute path",
				   program);
	text = hook_text(program, arguments->arena);
	if (!text)
		return 1;
	if (!path || !*path || arguments_flag(arguments, "dry-run"))
		return fputs(text, stdout) < 0 || fflush(stdout) != 0;
	if (file_save(path, text, false, arguments->arena, &err) < 0)
		return cli_fail(&err);
	if (!cli_is_quiet())
		(void)printf("wrote %s\n", path);
	return fflush(stdout) != 0;
}

/* ---- engines' files --------------------------------------------------------------------- */

/* nvidia-container-runtime, wherever it is, is davit-runtime; for Docker any name on its PATH. */
static int add_program(const struct arguments *arguments, const char *engine, struct words *words)
{
	const char *program = arguments_value(arguments, "nvidia-runtime-path");

	if (!program || string_equal(program, "nvidia-container-runtime"))
		return 0;
	if (program[0] != '/' && !string_equal(engine, "docker"))
		return usage_error(arguments,
				   "--nvidia-runtime-path %.100s: it is not an absolute path",
				   program);
	add_option(words, "--runtime-path", program);
	return 0;
}

/* Files in this folder are CRI-O's drop-ins, each of a program; others that aren't davit's are main
 * files. */
static bool is_crio_main(const char *path, struct arena *arena)
{
	AUTO_ROOT root = {.fd = -1};
	struct error err;
	char *text = NULL;

	path = cli_absolute(path, arena);
	if (!path || strstr(path, "/crio.conf.d/") || root_open("/", &root, &err) < 0)
		return false;
	return root_read(&root, path, CONFIGURE_SIZE_MAX, arena, &text, NULL) == 0 &&
	       !strstr(text, CONFIGURE_MARK);
}

/*
 * With CRI-O --config names a drop-in (NVIDIA's guide has it so), or the main file, whose settings
 * a drop-in takes over. An empty --drop-in-config means to write into the main file itself, which
 * davit does with Docker alone: others read drop-ins, and the main file stays as it is.
 */
static int add_files(const struct arguments *arguments, const char *engine, struct words *words)
{
	const char *config = arguments_value(arguments, "config");
	const char *drop_in = arguments_value(arguments, "drop-in-config");
	bool docker = string_equal(engine, "docker"), crio = string_equal(engine, "crio");

	if (docker && drop_in && *drop_in)
		return usage_error(arguments, "--drop-in-config %.100s: docker has no drop-ins",
				   drop_in);
	if (drop_in && !*drop_in && !docker &&
	    !(crio && config && !is_crio_main(config, arguments->arena)))
		return usage_error(arguments,
				   "--drop-in-config is empty: for %s, davit writes its own file "
				   "and doesn't change the main one; name that file",
				   engine);
	if (drop_in && *drop_in && drop_in[0] != '/')
		return usage_error(arguments, "--drop-in-config %.100s: it is not an absolute path",
				   drop_in);
	if (drop_in && !*drop_in)
		drop_in = NULL;
	if (crio && config && !drop_in && !is_crio_main(config, arguments->arena)) {
		drop_in = cli_absolute(config, arguments->arena);
		config = NULL;
	}
	add_option(words, "--drop-in", drop_in);
	add_option(words, "--file", config ? cli_absolute(config, arguments->arena) : NULL);
	return 0;
}

static int check_options(const struct arguments *arguments, const char *engine)
{
	const char *mode = arguments_value(arguments, "config-mode");

	if (mode && *mode && !string_equal(mode, "config-file") && !string_equal(mode, "config"))
		return usage_error(arguments,
				   "--config-mode %.100s: it must be config-file or oci-hook",
				   mode);
	if (arguments_value(arguments, "oci-hook-path"))
		return usage_error(arguments, "--oci-hook-path needs --config-mode=oci-hook");
	if (arguments_value(arguments, "executable-path"))
		cli_note("note: --executable-path has no effect: davit finds %s itself", engine);
	if (string_equal(engine, "crio") && arguments_flag(arguments, "cdi.enabled"))
		cli_note("note: --cdi.enabled has no effect: CRI-O enables CDI by default");
	return 0;
}

static int run_configure(const struct arguments *arguments)
{
	const char *engine = arguments_value(arguments, "runtime");
	const char *mode = arguments_value(arguments, "config-mode");
	struct words words = {.arena = arguments->arena};
	int r;

	if (string_equal(mode, "oci-hook") || string_equal(mode, "hook"))
		return write_hook(arguments);
	engine = engine ? engine : "docker";
	r = check_options(arguments, engine);
	add(&words, engine);
	if (r == 0)
		r = add_program(arguments, engine, &words);
	if (r == 0)
		r = add_files(arguments, engine, &words);
	if (r != 0)
		return r;
	add_option(&words, "--runtime-name", arguments_value(arguments, "nvidia-runtime-name"));
	if (arguments_flag(arguments, "nvidia-set-as-default"))
		add(&words, "--set-default");
	if (arguments_flag(arguments, "cdi.enabled") && !string_equal(engine, "crio"))
		add(&words, "--cdi");
	if (arguments_flag(arguments, "dry-run")) {
		add(&words, "--dry-run");
		add(&words, "--whole");
	}
	if (words.failed)
		return usage_error(arguments, "too many arguments");
	return command_run(&command_configure, arguments->name, words.count, words.items);
}

static const struct command_option configure_options[] = {
	{"runtime", OPTION_VALUE, "docker|containerd|crio", "the engine (docker)"},
	{"config", OPTION_VALUE, "FILE", "the engine's file"},
	{"drop-in-config", OPTION_VALUE, "FILE", "the file that is written for containerd or crio"},
	{"dry-run", OPTION_FLAG, NULL,
	 "print the whole resulting files, and don't change any file"},
	{"nvidia-runtime-name", OPTION_VALUE, "NAME", "the runtime's name (nvidia)"},
	{"nvidia-runtime-path", OPTION_VALUE, "FILE", "the runtime (davit-runtime)"},
	{"nvidia-set-as-default", OPTION_FLAG, NULL, "use davit for every container"},
	{"cdi.enabled", OPTION_FLAG, NULL, "enable CDI devices"},
	{"config-mode", OPTION_VALUE, "MODE",
	 "oci-hook: write a hooks.d file instead (config-file)"},
	{"oci-hook-path", OPTION_VALUE, "FILE", "where to write that file (standard output)"},
	{"nvidia-runtime-hook-path", OPTION_VALUE, "FILE",
	 "the hook that the file names (davit-hook)"},
	{"runtime-name", OPTION_VALUE, "NAME", NULL},
	{"runtime-path", OPTION_VALUE, "FILE", NULL},
	{"set-as-default", OPTION_FLAG, NULL, NULL},
	{"cdi.enable", OPTION_FLAG, NULL, NULL},
	{"enable-cdi", OPTION_FLAG, NULL, NULL},
	{"config-source", OPTION_VALUE, "file|command", "accepted; davit always uses both sources"},
	{"executable-path", OPTION_VALUE, "FILE", NULL},
	{NULL, 0, NULL, NULL},
};
static const struct option_more configure_more[] = {
	{"runtime-name", "nvidia-runtime-name", NULL, NULL},
	{"runtime-path", "nvidia-runtime-path", NULL, NULL},
	{"set-as-default", "nvidia-set-as-default", NULL, NULL},
	{"cdi.enable", "cdi.enabled", NULL, NULL},
	{"enable-cdi", "cdi.enabled", NULL, NULL},
	{NULL, NULL, NULL, NULL},
};
static const struct command ctk_configure = {
	.name = "configure",
	.summary = "configure docker, containerd or CRI-O to use davit",
	.help = "Works like `davit configure`; see its --help.\n",
	.example = "davit ctk runtime configure --runtime=containerd --nvidia-set-as-default",
	.options = configure_options,
	.more = configure_more,
	.one_dash = true,
	.run = run_configure,
};
static const struct command *const commands[] = {&ctk_configure, NULL};

const struct command ctk_runtime = {
	.name = "runtime",
	.summary = "configure engines",
	.example = "davit ctk runtime configure --runtime=docker --dry-run",
	.commands = commands,
	.one_dash = true,
	.help_without = true,
};
