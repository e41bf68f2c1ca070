// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/runtime.h"

/*
 * The flags that have a value, of runc, crun and youki, so that a value isn't taken for the command
 * (`--root create`). A flag that none of them has is taken for one without.
 */
static const char *const global_values[] = {
	"criu", "cgroup-manager", "l", "log", "log-format", "log-level", "r", "root", "rootless",
};
static const char *const command_values[] = {
	"b", "bundle", "config", "console-socket", "f", "pid-file", "pidfd-socket", "preserve-fds",
};

static bool is_listed(struct slice name, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equal(name, list[i]))
			return true;
	return false;
}

/* Whether what follows the letter is its value, "-b/bundle": both runtimes take the bundle so. */
static bool is_short(char letter)
{
	return letter == 'b' || letter == 'f';
}

/* One flag: its name without dashes, and its value, when it has one. */
struct flag {
	struct slice name;
	const char *value;
};

/*
 * Takes argv[*index], which begins with a dash, apart: --name, -name (Go takes one dash or two),
 * --name=value, --name value and, for -b and -f, -bvalue. *index is on its last word then.
 */
static struct flag read_flag(int argc, char *const *argv, int *index, const char *const *values,
			     size_t count)
{
	const char *word = argv[*index] + (argv[*index][1] == '-' ? 2 : 1);
	struct flag flag = {.name = {word, strcspn(word, "=")}};

	if (word[flag.name.length] == '=') {
		flag.value = word + flag.name.length + 1;
	} else if (is_listed(flag.name, values, count)) {
		if (*index + 1 < argc)
			flag.value = argv[++*index];
	} else if (is_short(argv[*index][1]) && word[1]) {
		flag = (struct flag){{word, 1}, word + 1};
	}
	return flag;
}

static void read_global(const struct flag *flag, struct runtime_arguments *ret)
{
	static const char *const help[] = {"h", "help", "?", "usage", "v", "V", "version"};

	if (is_listed(flag->name, help, ARRAY_SIZE(help)))
		ret->asks_for_help = true;
	else if (slice_equal(flag->name, "log") || slice_equal(flag->name, "l"))
		ret->log = flag->value;
	else if (slice_equal(flag->name, "debug"))
		ret->debug = !string_equal(flag->value, "false");
	else if (slice_equal(flag->name, "log-format"))
		ret->log_json = string_equal(flag->value, "json");
}

static bool is_flag(const char *word)
{
	return word[0] == '-' && word[1];
}

void runtime_arguments_parse(int argc, char *const *argv, struct runtime_arguments *ret)
{
	int i = 1;

	*ret = (struct runtime_arguments){0};
	for (; i < argc && is_flag(argv[i]) && strcmp(argv[i], "--") != 0; i++) {
		struct flag flag =
			read_flag(argc, argv, &i, global_values, ARRAY_SIZE(global_values));

		read_global(&flag, ret);
	}
	if (i < argc && strcmp(argv[i], "--") == 0)
		i++;
	if (i >= argc)
		return;
	ret->command = argv[i++];
	/* Flags may stand behind the container's name, too. */
	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		struct flag flag;

		if (!is_flag(argv[i])) {
			ret->name = argv[i];
			continue;
		}
		flag = read_flag(argc, argv, &i, command_values, ARRAY_SIZE(command_values));
		if (slice_equal(flag.name, "b") || slice_equal(flag.name, "bundle"))
			ret->bundle = flag.value;
		else if (slice_equal(flag.name, "f") || slice_equal(flag.name, "config"))
			ret->config = flag.value;
	}
	if (i + 1 < argc)
		ret->name = argv[i + 1];
}

bool runtime_arguments_make_container(const struct runtime_arguments *arguments)
{
	return !arguments->asks_for_help && (string_equal(arguments->command, "create") ||
					     string_equal(arguments->command, "run"));
}
