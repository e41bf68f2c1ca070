// SPDX-License-Identifier: Apache-2.0
/* nvidia-ctk's commands, translated into davit's. */
#include <stdio.h>
#include <string.h>

#include "cdi.h"
#include "commands.h"

#define WORDS_MAX 64

/* A command line in the making. */
struct words {
	char *items[WORDS_MAX];
	int count;
	struct arena *arena;
};

static int add(struct words *words, const char *word)
{
	char *copy = arena_strdup(words->arena, word);

	if (!copy || words->count == WORDS_MAX)
		return -E2BIG;
	words->items[words->count++] = copy;
	return 0;
}

/* What an option becomes: "--output", "" for its value alone. */
struct translation {
	const char *name, *to;
};

/* The options that davit's command has no use for are in no translation. */
static int translate(const struct arguments *arguments, const struct translation *table,
		     struct words *words)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < arguments->options.count; i++) {
		const struct argument *argument = &arguments->options.items[i];
		const struct translation *t = table;

		while (t->name && strcmp(t->name, argument->option->name) != 0)
			t++;
		if (t->name && t->to[0])
			r = add(words, t->to);
		if (r == 0 && t->name && argument->value)
			r = add(words, argument->value);
	}
	return r;
}

static int run_translated(const struct arguments *arguments, const struct command *command,
			  const struct translation *table, struct words *words)
{
	if (translate(arguments, table, words) < 0)
		return usage_error(arguments, "there are too many words");
	return command_run(command, arguments->name, words->count, words->items);
}

/* ---- runtime configure ------------------------------------------------------------------ */

static const struct command_option configure_options[] = {
	{"runtime",               OPTION_VALUE, "docker|containerd|crio", "the engine (docker)"                           },
	{"dry-run",               OPTION_FLAG,  NULL,                     "print the change as a diff, and change nothing"},
	{"nvidia-set-as-default", OPTION_FLAG,  NULL,                     "every container"                               },
	{"set-as-default",        OPTION_FLAG,  NULL,                     "the same"                                      },
	{"cdi.enabled",           OPTION_FLAG,  NULL,                     "switch CDI devices on"                         },
	{"cdi.enable",            OPTION_FLAG,  NULL,                     "the same"                                      },
	{"enable-cdi",            OPTION_FLAG,  NULL,                     "the same"                                      },
	{"config",                OPTION_VALUE, "FILE",                   "the engine's file"                             },
	{"drop-in-config",        OPTION_VALUE, "FILE",                   "the file to be written for containerd or crio" },
	{"nvidia-runtime-name",   OPTION_VALUE, "NAME",                   "the runtime's name (nvidia)"                   },
	{"runtime-name",          OPTION_VALUE, "NAME",                   "the same"                                      },
	{"nvidia-runtime-path",   OPTION_VALUE, "FILE",                   "the runtime"                                   },
	{"runtime-path",          OPTION_VALUE, "FILE",                   "the same"                                      },
 /* How nvidia-ctk finds out what is configured: davit reads the file. */
	{"config-source",         OPTION_VALUE, "WORD",                   NULL                                            },
	{"config-mode",           OPTION_VALUE, "WORD",                   NULL                                            },
	{"executable-path",       OPTION_VALUE, "FILE",                   NULL                                            },
	{NULL,		    0,            NULL,                     NULL					    },
};

static int run_configure(const struct arguments *arguments)
{
	static const struct translation table[] = {
		{"runtime",               ""              },
		{"config",                "--file"        },
		{"drop-in-config",        "--drop-in"     },
		{"dry-run",               "--dry-run"     },
		{"nvidia-runtime-name",   "--runtime-name"},
		{"runtime-name",          "--runtime-name"},
		{"nvidia-runtime-path",   "--runtime-path"},
		{"runtime-path",          "--runtime-path"},
		{"nvidia-set-as-default", "--set-default" },
		{"set-as-default",        "--set-default" },
		{"cdi.enabled",           "--cdi"         },
		{"cdi.enable",            "--cdi"         },
		{"enable-cdi",            "--cdi"         },
		{NULL,                    NULL            },
	};
	struct words words = {.arena = arguments->arena};

	if (!arguments_value(arguments, "runtime") && add(&words, "docker") < 0)
		return 1;
	return run_translated(arguments, &command_configure, table, &words);
}

static const struct command ctk_configure = {
	.name = "configure",
	.summary = "make docker, containerd or CRI-O use davit",
	.help = "The same as `davit configure`, which says more.\n",
	.example = "davit ctk runtime configure --runtime=containerd --nvidia-set-as-default",
	.options = configure_options,
	.one_dash = true,
	.run = run_configure,
};
static const struct command *const runtime_commands[] = {&ctk_configure, NULL};
static const struct command ctk_runtime = {
	.name = "runtime",
	.summary = "engines' configuration",
	.example = "davit ctk runtime configure --runtime=docker --dry-run",
	.commands = runtime_commands,
};

/* ---- cdi -------------------------------------------------------------------------------- */

static const struct command_option generate_options[] = {
	{"output",               OPTION_VALUE,    "FILE",      "put it in the place of FILE, as a whole"},
	{"format",               OPTION_VALUE,    "json|yaml", "how (by the name of FILE, else YAML)"   },
	{"device-name-strategy", OPTION_VALUE,    "NAMES",     "index, uuid or index,uuid (both)"       },
	{"vendor",               OPTION_VALUE,    "NAME",      "the vendor of the kind (nvidia.com)"    },
	{"class",                OPTION_VALUE,    "NAME",      "the class of the kind (gpu)"            },
 /* Where the driver is says the configuration; hooks are davit's own. */
	{"mode",		 OPTION_VALUE,    "WORD",      NULL                                     },
	{"driver-root",          OPTION_VALUE,    "DIR",       NULL                                     },
	{"dev-root",             OPTION_VALUE,    "DIR",       NULL                                     },
	{"ldconfig-path",        OPTION_VALUE,    "FILE",      NULL                                     },
	{"nvidia-cdi-hook-path", OPTION_VALUE,    "FILE",      NULL                                     },
	{"nvidia-ctk-path",      OPTION_VALUE,    "FILE",      NULL                                     },
	{"library-search-path",  OPTION_REPEATED, "DIR",       NULL                                     },
	{NULL,		   0,               NULL,        NULL				     },
};

static int run_generate(const struct arguments *arguments)
{
	static const struct translation table[] = {
		{"output",               "--output"              },
		{"format",               "--format"              },
		{"device-name-strategy", "--device-name-strategy"},
		{"vendor",               "--vendor"              },
		{"class",                "--class"               },
		{NULL,                   NULL                    },
	};
	struct words words = {.arena = arguments->arena};

	/* nvidia-ctk prints YAML unless told otherwise. */
	if (!arguments_value(arguments, "format") && !arguments_value(arguments, "output") &&
	    (add(&words, "--format") < 0 || add(&words, "yaml") < 0))
		return 1;
	if (arguments->config &&
	    (add(&words, "--config") < 0 || add(&words, arguments->config) < 0))
		return 1;
	return run_translated(arguments, &command_cdi_generate, table, &words);
}

static const struct command ctk_generate = {
	.name = "generate",
	.summary = "a spec of this host's GPUs and MIG instances",
	.help = "The same as `davit cdi generate`, which says more, but for the format.\n",
	.example = "davit ctk cdi generate --output=/var/run/cdi/nvidia.yaml",
	.options = generate_options,
	.one_dash = true,
	.run = run_generate,
};
/* What is the same for both programs, but for Go's way with options. */
static int run_list(const struct arguments *arguments)
{
	return command_cdi_list.run(arguments);
}

static const struct command_option list_options[] = {
	{"spec-dir", OPTION_REPEATED, "DIR", "look there; may stand several times"},
	{NULL,       0,               NULL,  NULL				 },
};
static const struct command ctk_list = {
	.name = "list",
	.summary = "the devices of the specs, and what is wrong with these",
	.help = "The same as `davit cdi list`, which says more.\n",
	.example = "davit ctk cdi list",
	.options = list_options,
	.one_dash = true,
	.json = true,
	.run = run_list,
};
static const struct command *const cdi_commands[] = {&ctk_generate, &ctk_list, NULL};
static const struct command ctk_cdi = {
	.name = "cdi",
	.summary = "specs of the Container Device Interface",
	.example = "davit ctk cdi list",
	.commands = cdi_commands,
};

/* ---- config ----------------------------------------------------------------------------- */

/* The configuration as it is in force: davit's own format. */
static int print_file(const char *path, bool optional)
{
	AUTO_ARENA arena = {0};
	AUTO_ROOT root = {.fd = -1};
	struct error err = {0};
	char *text = NULL;
	int r = root_open("/", &root, &err);

	if (r == 0) {
		r = root_read(&root, path, CONFIG_SIZE_MAX, &arena, &text, NULL);
		if (r == -ENOENT && optional)
			return print_file(DAVIT_CONFIG_DEFAULT, false);
		if (r < 0)
			(void)error_errno(&err, -r, "read %s", path);
	}
	if (r < 0 || !text)
		return cli_fail(&err);
	return fputs(text, stdout) < 0 || fflush(stdout) != 0;
}

static int run_config(const struct arguments *arguments)
{
	if (arguments->options.count > 0) {
		(void)fprintf(stderr,
			      "davit: cannot set --%s: the configuration is JSON with other keys "
			      "(fix: edit " CONFIG_PATH ", or see `davit config import`)\n",
			      arguments->options.items[0].option->name);
		return EXIT_USAGE;
	}
	return arguments->words.count > 0 ? print_file(DAVIT_CONFIG_DEFAULT, false)
					  : print_file(CONFIG_PATH, true);
}

static const struct command_option config_options[] = {
	{"config-file", OPTION_VALUE,    "FILE",      NULL},
	{"config",      OPTION_VALUE,    "FILE",      NULL},
	{"c",           OPTION_VALUE,    "FILE",      NULL},
	{"set",         OPTION_REPEATED, "KEY=VALUE", NULL},
	{"in-place",    OPTION_FLAG,     NULL,        NULL},
	{"i",           OPTION_FLAG,     NULL,        NULL},
	{"output",      OPTION_VALUE,    "FILE",      NULL},
	{"o",           OPTION_VALUE,    "FILE",      NULL},
	{NULL,          0,               NULL,        NULL},
};
static const struct command ctk_config = {
	.name = "config",
	.summary = "print the configuration",
	.help = "Prints davit's configuration as it is in force, or the default one. It is no TOML, and isn't\n"
		"set by options: those of nvidia-ctk are refused.\n",
	.example = "davit ctk config default",
	.options = config_options,
	.words = "default",
	.words_max = 1,
	.one_dash = true,
	.run = run_config,
};

/* ---- system, and the whole -------------------------------------------------------------- */

static const struct command *const system_commands[] = {&command_create_links,
							&command_create_nodes, NULL};
static const struct command ctk_system = {
	.name = "system",
	.summary = "the driver's nodes on this host",
	.example = "davit ctk system create-device-nodes",
	.commands = system_commands,
};

static const struct command *const commands[] = {&ctk_cdi, &ctk_config, &ctk_runtime, &ctk_system,
						 NULL};
static const struct command_option options[] = {
	{"version", OPTION_FLAG, NULL, "print which davit it is"},
	{"debug",   OPTION_FLAG, NULL, NULL                     },
	{"d",       OPTION_FLAG, NULL, NULL                     },
	{"quiet",   OPTION_FLAG, NULL, NULL                     },
	{"q",       OPTION_FLAG, NULL, NULL                     },
	{NULL,      0,           NULL, NULL                     },
};

const struct command command_ctk = {
	.name = "ctk",
	.summary = "the commands of nvidia-ctk, for scripts that call it",
	.help = "Each becomes a command of davit.\n",
	.example = "davit ctk runtime configure --runtime=containerd --nvidia-set-as-default",
	.options = options,
	.commands = commands,
	.one_dash = true,
	.run = cli_version,
};
