// SPDX-License-Identifier: Apache-2.0
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "container_cli.h"

/* Options without a letter, and those whose letter means another thing elsewhere. */
enum {
	OPTION_COMPAT32 = 256,
	OPTION_MIG_CONFIG,
	OPTION_MIG_MONITOR,
	OPTION_IMEX,
	OPTION_NO_CGROUPS,
	OPTION_NO_DEVICES,
	OPTION_NO_PERSISTENCED,
	OPTION_NO_FABRICMANAGER,
	OPTION_NO_FIRMWARE,
	OPTION_COMPAT_MODE,
	OPTION_NO_COMPAT,
	OPTION_CSV,
	OPTION_ALL,
	OPTION_USAGE,
	OPTION_IGNORED, /* has no meaning for davit: how files are found and caches made */
};

static const struct option global_options[] = {
	{"debug", required_argument, NULL, 'd'},
	{"load-kmods", no_argument, NULL, 'k'},
	{"no-pivot", no_argument, NULL, 'n'},
	{"user", optional_argument, NULL, 'u'},
	{"root", required_argument, NULL, 'r'},
	{"ldcache", required_argument, NULL, 'l'},
	{"no-create-imex-channels", no_argument, NULL, OPTION_IGNORED},
	{"version", no_argument, NULL, 'V'},
	{"usage", no_argument, NULL, OPTION_USAGE},
	{"help", no_argument, NULL, '?'},
	{NULL, 0, NULL, 0}};
#define REQUEST_OPTIONS                                                            \
	{"compat32", no_argument, NULL, OPTION_COMPAT32},                          \
		{"mig-config", required_argument, NULL, OPTION_MIG_CONFIG},        \
		{"mig-monitor", required_argument, NULL, OPTION_MIG_MONITOR},      \
		{"imex-channel", required_argument, NULL, OPTION_IMEX},            \
		{"no-persistenced", no_argument, NULL, OPTION_NO_PERSISTENCED},    \
		{"no-fabricmanager", no_argument, NULL, OPTION_NO_FABRICMANAGER},  \
		{"no-gsp-firmware", no_argument, NULL, OPTION_NO_FIRMWARE},        \
		{"cuda-compat-mode", required_argument, NULL, OPTION_COMPAT_MODE}, \
		{"no-cntlibs", no_argument, NULL, OPTION_NO_COMPAT},               \
		{"device", required_argument, NULL, 'd'},                          \
	{                                                                          \
		NULL, 0, NULL, 0                                                   \
	}
static const struct option configure_options[] = {
	{"pid", required_argument, NULL, 'p'},
	{"require", required_argument, NULL, 'r'},
	{"ldconfig", required_argument, NULL, 'l'},
	{"compute", no_argument, NULL, 'c'},
	{"utility", no_argument, NULL, 'u'},
	{"video", no_argument, NULL, 'v'},
	{"graphics", no_argument, NULL, 'g'},
	{"display", no_argument, NULL, 'D'},
	{"ngx", no_argument, NULL, 'n'},
	{"no-cgroups", no_argument, NULL, OPTION_NO_CGROUPS},
	{"no-devbind", no_argument, NULL, OPTION_NO_DEVICES},
	REQUEST_OPTIONS};
static const struct option list_options[] = {
	{"libraries", no_argument, NULL, 'l'},  {"binaries", no_argument, NULL, 'b'},
	{"ipcs", no_argument, NULL, 'i'},       {"firmwares", no_argument, NULL, 'f'},
	{"all", no_argument, NULL, OPTION_ALL}, REQUEST_OPTIONS};
static const struct option info_options[] = {{"csv", no_argument, NULL, OPTION_CSV},
					     {NULL, 0, NULL, 0}};

/* `nearest` is what the user may have meant; NULL: unknown. */
static int refuse_word(const char *what, const char *word, const char *dashes, const char *nearest)
{
	(void)fprintf(stderr,
		      "davit: cannot understand the command line: %s \"%.100s\" (fix: ", what,
		      word);
	if (nearest)
		(void)fprintf(stderr, "did you mean \"%s%s\"? ", dashes, nearest);
	(void)fputs("see `davit-container-cli --help`)\n", stderr);
	return -EINVAL;
}

/* Of "--devices=all", the name counts. */
static int refuse_option(const char *word, const struct option *options)
{
	const char *known[64], *name = word + strspn(word, "-"), *nearest = NULL;
	size_t count = 0;
	char asked[64];

	while (count < ARRAY_SIZE(known) && options[count].name) {
		known[count] = options[count].name;
		count++;
	}
	(void)snprintf(asked, sizeof(asked), "%.*s", (int)strcspn(name, "="), name);
	if (string_starts(word, "--"))
		nearest = string_nearest(asked, known, count);
	return refuse_word("unknown option", word, "--", nearest);
}

static int usage_error(const char *what, const char *word)
{
	(void)fprintf(stderr,
		      "davit: cannot understand the command line: %s %s (fix: see "
		      "`davit-container-cli --help`)\n",
		      what, word);
	return -EINVAL;
}

static int add_items(struct arena *arena, struct strings *list, const char *value)
{
	struct slice rest = slice_from(value), item;

	while (slice_next(&rest, ',', &item)) {
		const char *text = item.length ? arena_strndup(arena, item.data, item.length) : "";

		if (!text || (*text && strings_add(arena, list, text) < 0))
			return -ENOMEM;
	}
	return 0;
}

static int take_all(const char *name, bool *ret)
{
	if (strcmp(optarg, "all") != 0)
		return usage_error(name, "accepts only all");
	*ret = true;
	return 0;
}

/* What `list` and `configure` have in common. */
static int take_request(int option, struct arena *arena, struct arguments *ret)
{
	switch (option) {
	case 'd':
		ret->listed |= LIST_DEVICES;
		return add_items(arena, &ret->devices, optarg);
	case OPTION_COMPAT32:
		ret->capabilities |= CAPABILITY_COMPAT32;
		return 0;
	case OPTION_MIG_CONFIG:
		return take_all("--mig-config", &ret->mig_config);
	case OPTION_MIG_MONITOR:
		return take_all("--mig-monitor", &ret->mig_monitor);
	case OPTION_IMEX:
		return add_items(arena, &ret->imex, optarg);
	case OPTION_NO_PERSISTENCED:
		ret->no_persistenced = true;
		return 0;
	case OPTION_NO_FABRICMANAGER:
		ret->no_fabricmanager = true;
		return 0;
	case OPTION_NO_FIRMWARE:
		ret->no_firmware = true;
		return 0;
	case OPTION_NO_COMPAT:
		ret->no_compat = true;
		return 0;
	case OPTION_COMPAT_MODE:
		ret->no_compat = strcmp(optarg, "disabled") == 0;
		return 0;
	default:
		return -ENOENT;
	}
}

static int take_pid(struct arguments *ret)
{
	uint64_t pid;

	if (parse_number(optarg, strlen(optarg), 10, INT_MAX, &pid) < 0 || pid == 0)
		return usage_error("not a process id:", optarg);
	ret->pid = (pid_t)pid;
	return 0;
}

/*
 * No ldconfig is ever run; but a name that runs nothing ("/usr/bin/true", "@/bin/true") says to
 * leave the loader cache alone.
 */
static void take_ldconfig(struct arguments *ret)
{
	const char *slash = strrchr(optarg, '/');

	ret->no_loader_cache = strcmp(slash ? slash + 1 : optarg, "true") == 0;
}

static int take_configure(int option, struct arena *arena, struct arguments *ret)
{
	static const struct {
		int option;
		unsigned capability;
	} capabilities[] = {
		{'c', CAPABILITY_COMPUTE},  {'u', CAPABILITY_UTILITY}, {'v', CAPABILITY_VIDEO},
		{'g', CAPABILITY_GRAPHICS}, {'D', CAPABILITY_DISPLAY}, {'n', CAPABILITY_NGX},
	};

	for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++)
		if (capabilities[i].option == option) {
			ret->capabilities |= capabilities[i].capability;
			return 0;
		}
	switch (option) {
	case 'p':
		return take_pid(ret);
	case 'r':
		return strings_add(arena, &ret->requirements, optarg);
	case 'l':
		take_ldconfig(ret);
		return 0;
	case OPTION_NO_CGROUPS:
		ret->no_cgroups = true;
		return 0;
	case OPTION_NO_DEVICES:
		ret->no_devices = true;
		return 0;
	default:
		return take_request(option, arena, ret);
	}
}

static int take_list(int option, struct arena *arena, struct arguments *ret)
{
	static const struct {
		int option;
		unsigned listed;
	} kinds[] = {{'l', LIST_LIBRARIES},
		     {'b', LIST_BINARIES},
		     {'i', LIST_IPCS},
		     {'f', LIST_FIRMWARE}};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].option == option) {
			ret->listed |= kinds[i].listed;
			return 0;
		}
	if (option == OPTION_ALL) {
		ret->list_all = true;
		return 0;
	}
	return take_request(option, arena, ret);
}

static int take_info(int option, struct arena *arena, struct arguments *ret)
{
	(void)arena;
	ret->csv |= option == OPTION_CSV;
	return option == OPTION_CSV ? 0 : -ENOENT;
}

static int take_global(int option, struct arena *arena, struct arguments *ret)
{
	(void)arena;
	switch (option) {
	case 'd':
		ret->debug = optarg;
		return 0;
	case 'k':
		ret->load_modules = true;
		return 0;
	case 'r':
		ret->root = optarg;
		return 0;
	case 'V':
		ret->version = true;
		return 0;
	case 'n': /* how the container's root is left, as whom NVML is asked, which cache is read */
	case 'u':
	case 'l':
	case OPTION_IGNORED:
		return 0;
	default:
		return -ENOENT;
	}
}

static const struct command {
	const char *name, *letters;
	const struct option *options;
	int (*take)(int option, struct arena *arena, struct arguments *ret);
	int words;
} commands[] = {
	{"configure", "p:d:r:l:cuvgDn", configure_options, take_configure, 1},
	{"list", "d:lbif", list_options, take_list, 0},
	{"info", "", info_options, take_info, 0},
};

static int parse_options(int argc, char **argv, const char *letters, const struct option *options,
			 int (*take)(int, struct arena *, struct arguments *), struct arena *arena,
			 struct arguments *ret)
{
	int option;

	optind = 0; /* glibc: begin anew, with another list */
	opterr = 0;
	while ((option = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		const char *word = argv[optind > 1 ? optind - 1 : 1];
		int r;

		/* Of every command, as GNU's argp has it. */
		ret->help =
			option == '?' && (string_equal(word, "--help") || string_equal(word, "-?"));
		ret->usage =
			option == OPTION_USAGE || (option == '?' && string_equal(word, "--usage"));
		ret->version |= option == '?' &&
				(string_equal(word, "--version") || string_equal(word, "-V"));
		if (ret->help || ret->usage || ret->version)
			return 0;
		r = option == '?'   ? refuse_option(word, options)
		    : option == ':' ? usage_error("missing value after", word)
				    : take(option, arena, ret);
		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_command(int argc, char **argv, struct arena *arena, struct arguments *ret)
{
	const char *known[ARRAY_SIZE(commands)];
	char letters[32];

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command *command = &commands[i];
		int r;

		known[i] = command->name;
		if (strcmp(argv[0], command->name) != 0)
			continue;
		(void)snprintf(letters, sizeof(letters), ":%s", command->letters);
		r = parse_options(argc, argv, letters, command->options, command->take, arena, ret);
		if (r < 0 || ret->help || ret->usage || ret->version)
			return r;
		if (argc - optind < command->words)
			return usage_error("missing root file system after", argv[0]);
		if (argc - optind > command->words)
			return usage_error("unexpected argument", argv[optind + command->words]);
		ret->command = command->name;
		ret->rootfs = command->words ? argv[optind] : NULL;
		return 0;
	}
	return refuse_word("unknown command", argv[0], "",
			   string_nearest(argv[0], known, ARRAY_SIZE(known)));
}

int arguments_parse(int argc, char **argv, struct arena *arena, struct arguments *ret)
{
	int r = parse_options(argc, argv, "+:d:knu::r:l:V", global_options, take_global, arena,
			      ret);

	if (r < 0 || ret->version || ret->help || ret->usage)
		return r;
	if (optind >= argc)
		return usage_error("no command", "is named");
	return parse_command(argc - optind, argv + optind, arena, ret);
}
