// SPDX-License-Identifier: Apache-2.0
/* davit: the command line for people. */
#include <stdio.h>
#include <string.h>

#include "cli.h"

struct command {
	const char *name;
	int (*run)(const struct options *options);
	const char
		*takes; /* options besides --config, --json, --help; each character one of "bchw" */
	const char *summary, *help;
};

static const struct command commands[] = {
	{"cdi",     cli_cdi,     "cw", "specs of the Container Device Interface: generate, list",
	 "usage: davit cdi generate [--output FILE] [--format json|yaml] [--vendor V] [--class C]\n"
	 "                          [--device-name-strategy index,uuid] [--config FILE]\n"
	 "       davit cdi list [--spec-dir DIR]... [--json]\n"
	 "\n"
	 "generate prints a spec of this host's GPUs and MIG instances, or puts it in the place of\n"
	 "FILE. list shows the devices of the specs in /etc/cdi and /var/run/cdi, or in DIR, and what\n"
	 "is wrong with them (exit code 1, when something is).\n"
	 "\n"
	 "example: davit cdi generate --output /var/run/cdi/nvidia.json\n"                          },
	{"explain", cli_explain, "b",  "what the hook would do to a container, and why",
	 "usage: davit explain --bundle DIR [--config FILE] [--json]\n"
	 "\n"
	 "Prints the request, the driver, the selected GPUs and the plan for the OCI bundle in DIR,\n"
	 "and changes nothing.\n"
	 "\n"
	 "example: davit explain --bundle /run/containerd/io.containerd.runtime.v2.task/k8s.io/ID\n"},
	{"info",    cli_info,    "",   "the driver and the GPUs of this host",
	 "usage: davit info [--config FILE] [--json]\n"
	 "\n"
	 "Prints the driver's version, the CUDA version and the GPUs.\n"
	 "\n"
	 "example: davit info --json\n"							     },
	{"list",    cli_list,    "",   "what a container with all GPUs and capabilities gets",
	 "usage: davit list [--config FILE]\n"
	 "\n"
	 "Prints the files and nodes of the host that a container gets when it asks for all GPUs and\n"
	 "all capabilities, a line each.\n"
	 "\n"
	 "example: davit list\n"								    },
	{"require", cli_require, "hw", "whether a NVIDIA_REQUIRE_* expression holds",
	 "usage: davit require --have FACTS [--json] EXPRESSION...\n"
	 "\n"
	 "Evaluates constraints for a host that needn't be this one. FACTS is a list such as\n"
	 "cuda=12.2,driver=535.104.05,arch=8.0,brand=tesla. Exit code 0: satisfied, 3: not, 2: no\n"
	 "expression.\n"
	 "\n"
	 "example: davit require --have cuda=12.2,driver=535.104.05 'cuda>=12.4 driver>=535'\n"     },
	{"system",  cli_system,  "w",  "load the driver's modules and make its nodes, at boot",
	 "usage: davit system prepare [--config FILE]\n"
	 "\n"
	 "Loads the kernel modules nvidia, nvidia-uvm and nvidia-modeset, makes the driver's device\n"
	 "nodes that are missing and replaces those with a stale number, so that containers find all\n"
	 "in place. Prints what it did. davit-prepare.service runs it at boot.\n"
	 "\n"
	 "example: davit system prepare\n"							  },
};

/* Those that parse their arguments themselves. */
static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} own_commands[] = {
	{"configure", cli_configure, "make docker, containerd, CRI-O or podman use davit"  },
	{"ctk",       cli_ctk,       "the commands of nvidia-ctk, for scripts that call it"},
};

static void print_usage(FILE *stream)
{
	(void)fputs("usage: davit COMMAND [OPTION...]\n\n", stream);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		(void)fprintf(stream, "  %-9s  %s\n", commands[i].name, commands[i].summary);
	for (size_t i = 0; i < ARRAY_SIZE(own_commands); i++)
		(void)fprintf(stream, "  %-9s  %s\n", own_commands[i].name,
			      own_commands[i].summary);
	(void)fputs(
		"\n`davit COMMAND --help` says more; `davit --version` says which davit it is.\n",
		stream);
}

static int usage_error(const char *what, const char *word)
{
	(void)fprintf(stderr,
		      "davit: cannot understand the command line: %s %s (fix: see `davit "
		      "--help`)\n",
		      what, word);
	return -EINVAL;
}

static const char **cdi_value_place(struct options *options, const char *name)
{
	const struct {
		const char *name, **place;
	} places[] = {
		{"output",               &options->output  },
		{"format",               &options->format  },
		{"device-name-strategy", &options->strategy},
		{"vendor",               &options->vendor  },
		{"class",                &options->class   },
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (strcmp(name, places[i].name) == 0)
			return places[i].place;
	if (strcmp(name, "spec-dir") == 0 &&
	    options->spec_dir_count < ARRAY_SIZE(options->spec_dirs))
		return &options->spec_dirs[options->spec_dir_count++];
	return NULL;
}

/* The place for the value of an option that takes one, or NULL. */
static const char **value_place(struct options *options, const char *takes, const char *name)
{
	if (strcmp(name, "config") == 0)
		return &options->config;
	if (strcmp(name, "bundle") == 0 && strchr(takes, 'b'))
		return &options->bundle;
	if (strcmp(name, "have") == 0 && strchr(takes, 'h'))
		return &options->have;
	return strchr(takes, 'c') ? cdi_value_place(options, name) : NULL;
}

static int parse_option(struct options *options, const char *takes, int argc, char **argv, int *at)
{
	char name[32];
	const char *word = argv[*at] + 2, *value = strchr(word, '=');
	size_t length = value ? (size_t)(value - word) : strlen(word);
	const char **place;

	if (length >= sizeof(name))
		return usage_error("unknown option", argv[*at]);
	memcpy(name, word, length);
	name[length] = '\0';
	if (!value && strcmp(name, "json") == 0) {
		options->json = true;
		return 0;
	}
	if (!value && strcmp(name, "help") == 0) {
		options->help = true;
		return 0;
	}
	place = value_place(options, takes, name);
	if (!place)
		return usage_error("unknown option", argv[*at]);
	if (!value && *at + 1 == argc)
		return usage_error("no value after", argv[*at]);
	*place = value ? value + 1 : argv[++*at];
	return 0;
}

static int parse_arguments(struct options *options, const char *takes, int argc, char **argv)
{
	bool only_words = false;

	/* Words are moved to the front of argv: they are fewer than what was read. */
	options->words = (const char **)argv;
	for (int i = 0; i < argc; i++) {
		if (!only_words && strcmp(argv[i], "--") == 0)
			only_words = true;
		else if (!only_words && string_starts(argv[i], "--")) {
			if (parse_option(options, takes, argc, argv, &i) < 0)
				return -EINVAL;
		} else if (strchr(takes, 'w'))
			options->words[options->word_count++] = argv[i];
		else
			return usage_error("unexpected word", argv[i]);
	}
	return 0;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	struct options options = {0};

	if (parse_arguments(&options, command->takes, argc, argv) < 0)
		return EXIT_USAGE;
	if (options.help)
		return fputs(command->help, stdout) < 0;
	return command->run(&options);
}

int cli_dispatch(int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_SIZE(own_commands); i++)
		if (strcmp(argv[0], own_commands[i].name) == 0)
			return own_commands[i].run(argc - 1, argv + 1);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (strcmp(argv[0], commands[i].name) == 0)
			return run_command(&commands[i], argc - 1, argv + 1);
	(void)usage_error("there is no command", argv[0]);
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "";
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;

	if (argc > 0 && strcmp(slash ? slash + 1 : argv[0], "nvidia-ctk") == 0)
		return cli_ctk(argc - 1, argv + 1);
	if (strcmp(name, "--version") == 0)
		return puts("davit " DAVIT_VERSION) < 0;
	if (strcmp(name, "--help") == 0 || strcmp(name, "help") == 0) {
		print_usage(stdout);
		return 0;
	}
	if (argc > 1)
		return cli_dispatch(argc - 1, argv + 1);
	print_usage(stderr);
	return EXIT_USAGE;
}
