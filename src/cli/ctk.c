// SPDX-License-Identifier: Apache-2.0
/* nvidia-ctk's commands, translated into davit's. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

#define WORDS_MAX 64

static const char help[] =
	"usage: davit ctk runtime configure [--runtime docker|containerd|crio] [--dry-run] ...\n"
	"       davit ctk cdi generate|list [OPTION...]\n"
	"       davit ctk config [default]\n"
	"       davit ctk system create-dev-char-symlinks [--dry-run] [--dev-char-path DIR]\n"
	"       davit ctk system create-device-nodes\n"
	"\n"
	"Commands that scripts call as nvidia-ctk; each becomes a command of davit.\n"
	"\n"
	"example: davit ctk runtime configure --runtime=containerd --nvidia-set-as-default\n";

/* An option of nvidia-ctk and what it becomes. */
struct translation {
	const char *name;
	bool value;     /* it takes one */
	const char *to; /* NULL: it has no meaning for davit; "": the value alone */
};

/* A command line in the making. */
struct words {
	char *items[WORDS_MAX];
	int count;
	struct arena *arena;
};

static int usage_error(const char *what, const char *word)
{
	(void)fprintf(stderr,
		      "davit: cannot understand the command line: %s %s (fix: see `davit ctk "
		      "--help`)\n",
		      what, word);
	return -EINVAL;
}

static int add(struct words *words, const char *word)
{
	char *copy = arena_strdup(words->arena, word);

	if (!copy || words->count == WORDS_MAX)
		return usage_error("too many words:", word);
	words->items[words->count++] = copy;
	return 0;
}

static int add_translated(struct words *words, const struct translation *t, const char *value)
{
	if (!t->to || (!t->value && value && strcmp(value, "false") == 0))
		return 0;
	if (t->to[0] && add(words, t->to) < 0)
		return -EINVAL;
	return t->value ? add(words, value) : 0;
}

static int translate(struct words *words, const struct translation *table, size_t count, int argc,
		     char **argv)
{
	for (int i = 0; i < argc; i++) {
		const char *word = argv[i] + strspn(argv[i], "-"), *value = strchr(word, '=');
		size_t length = value ? (size_t)(value - word) : strlen(word), at = 0;

		while (at < count && (strlen(table[at].name) != length ||
				      memcmp(table[at].name, word, length) != 0))
			at++;
		if (argv[i][0] != '-' || at == count)
			return usage_error("unknown option", argv[i]);
		value = value ? value + 1 : NULL;
		if (table[at].value && !value) {
			if (i + 1 == argc)
				return usage_error("no value after", argv[i]);
			value = argv[++i];
		}
		if (add_translated(words, &table[at], value) < 0)
			return -EINVAL;
	}
	return 0;
}

static int run(struct words *words, const struct translation *table, size_t count, int argc,
	       char **argv)
{
	if (translate(words, table, count, argc, argv) < 0)
		return EXIT_USAGE;
	return cli_dispatch(words->count, words->items);
}

/* Whether an option is among the words, with one dash or two. */
static bool names_option(int argc, char **argv, const char *name)
{
	for (int i = 0; i < argc; i++) {
		const char *word = argv[i] + strspn(argv[i], "-");
		size_t length = strcspn(word, "=");

		if (argv[i][0] == '-' && length == strlen(name) && memcmp(word, name, length) == 0)
			return true;
	}
	return false;
}

static int runtime_configure(int argc, char **argv)
{
	static const struct translation table[] = {
		{"runtime",               true,  ""              },
		{"config",                true,  "--file"        },
		{"drop-in-config",        true,  "--drop-in"     },
		{"dry-run",               false, "--dry-run"     },
		{"nvidia-runtime-name",   true,  "--runtime-name"},
		{"runtime-name",          true,  "--runtime-name"},
		{"nvidia-runtime-path",   true,  "--runtime-path"},
		{"runtime-path",          true,  "--runtime-path"},
		{"nvidia-set-as-default", false, "--set-default" },
		{"set-as-default",        false, "--set-default" },
		{"cdi.enabled",           false, "--cdi"         },
		{"cdi.enable",            false, "--cdi"         },
		{"enable-cdi",            false, "--cdi"         },
 /* How nvidia-ctk finds out what is configured: davit reads the file. */
		{"config-source",         true,  NULL            },
		{"config-mode",           true,  NULL            },
		{"executable-path",       true,  NULL            },
	};
	AUTO_ARENA arena = {0};
	struct words words = {.arena = &arena};

	if (add(&words, "configure") < 0 ||
	    (!names_option(argc, argv, "runtime") && add(&words, "docker") < 0))
		return EXIT_USAGE;
	return run(&words, table, ARRAY_SIZE(table), argc, argv);
}

static int cdi(const char *command, int argc, char **argv)
{
	static const struct translation table[] = {
		{"output",               true, "--output"              },
		{"format",               true, "--format"              },
		{"device-name-strategy", true, "--device-name-strategy"},
		{"vendor",               true, "--vendor"              },
		{"class",                true, "--class"               },
 /* Where the driver is says the configuration; hooks are davit's own. */
		{"mode",                 true, NULL                    },
		{"driver-root",          true, NULL                    },
		{"dev-root",             true, NULL                    },
		{"ldconfig-path",        true, NULL                    },
		{"nvidia-cdi-hook-path", true, NULL                    },
		{"nvidia-ctk-path",      true, NULL                    },
		{"library-search-path",  true, NULL                    },
		{"spec-dir",             true, "--spec-dir"            },
	};
	AUTO_ARENA arena = {0};
	struct words words = {.arena = &arena};

	if (add(&words, "cdi") < 0 || add(&words, command) < 0)
		return EXIT_USAGE;
	/* nvidia-ctk prints YAML unless told otherwise. */
	if (strcmp(command, "generate") == 0 && !names_option(argc, argv, "format") &&
	    !names_option(argc, argv, "output") &&
	    (add(&words, "--format") < 0 || add(&words, "yaml") < 0))
		return EXIT_USAGE;
	return run(&words, table, ARRAY_SIZE(table), argc, argv);
}

/* The configuration as it is in force: davit's own format. */
static int config(int argc, char **argv)
{
	bool defaults = argc > 0 && strcmp(argv[0], "default") == 0;
	const char *path = defaults ? DAVIT_CONFIG_DEFAULT : CONFIG_PATH;
	AUTO_ARENA arena = {0};
	struct error err = {0};
	AUTO_ROOT root = {.fd = -1};
	char *text = NULL;
	int r;

	if (argc > (defaults ? 1 : 0)) {
		(void)fprintf(stderr,
			      "davit: cannot set %s: the configuration is JSON with other keys "
			      "(fix: edit " CONFIG_PATH ")\n",
			      argv[defaults ? 1 : 0]);
		return EXIT_USAGE;
	}
	r = root_open("/", &root, &err);
	if (r == 0) {
		r = root_read(&root, path, CONFIG_SIZE_MAX, &arena, &text, NULL);
		if (r == -ENOENT && !defaults) {
			path = DAVIT_CONFIG_DEFAULT;
			r = root_read(&root, path, CONFIG_SIZE_MAX, &arena, &text, NULL);
		}
		if (r < 0)
			(void)error_errno(&err, -r, "read %s", path);
	}
	if (r < 0 || !text)
		return cli_fail(&err);
	return fputs(text, stdout) < 0 || fflush(stdout) != 0;
}

static int link_nodes(int argc, char **argv)
{
	const char *directory = "/dev/char";
	bool pretend = false;

	for (int i = 0; i < argc; i++) {
		const char *word = argv[i];

		if (strcmp(word, "--dry-run") == 0)
			pretend = true;
		else if (string_starts(word, "--dev-char-path="))
			directory = strchr(word, '=') + 1;
		else if (strcmp(word, "--dev-char-path") == 0 && i + 1 < argc)
			directory = argv[++i];
		else if (strcmp(word, "--driver-root") == 0 && i + 1 < argc)
			i++;
		else if (strcmp(word, "--create-all") != 0 &&
			 strcmp(word, "--load-kernel-modules") != 0 &&
			 !string_starts(word, "--driver-root="))
			return usage_error("unknown option", word) < 0 ? EXIT_USAGE : 0;
	}
	return cli_link_nodes(NULL, directory, pretend);
}

static bool are(int argc, char **argv, const char *first, const char *second)
{
	return argc >= 2 && strcmp(argv[0], first) == 0 && strcmp(argv[1], second) == 0;
}

int cli_ctk(int argc, char **argv)
{
	static char prepare[] = "prepare", system[] = "system";
	char *words[] = {system, prepare, NULL};

	while (argc > 0 && (strcmp(argv[0], "--debug") == 0 || strcmp(argv[0], "-d") == 0 ||
			    strcmp(argv[0], "--quiet") == 0 || strcmp(argv[0], "-q") == 0)) {
		argc--;
		argv++;
	}
	if (argc > 0 && (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0))
		return fputs(help, stdout) < 0;
	if (argc > 0 && strcmp(argv[0], "--version") == 0)
		return puts("davit " DAVIT_VERSION) < 0;
	if (are(argc, argv, "runtime", "configure"))
		return runtime_configure(argc - 2, argv + 2);
	if (are(argc, argv, "cdi", "generate") || are(argc, argv, "cdi", "list"))
		return cdi(argv[1], argc - 2, argv + 2);
	if (argc > 0 && strcmp(argv[0], "config") == 0)
		return config(argc - 1, argv + 1);
	if (are(argc, argv, "system", "create-dev-char-symlinks"))
		return link_nodes(argc - 2, argv + 2);
	if (are(argc, argv, "system", "create-device-nodes"))
		return cli_dispatch(2, words);
	(void)usage_error("there is no command", argc > 0 ? argv[argc > 1] : "named");
	return EXIT_USAGE;
}
