// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "davit/runtime.h"

/*
 * The flags of runc, crun and youki, so that a value isn't mistaken for the command (`--root
 * create`). crun uses getopt_long(3), which accepts an unambiguous beginning of a long flag. runc
 * accepts whole names after one or two dashes. The runtime refuses ambiguous flags.
 */
struct known_flag {
	const char *name;
	bool value;
};
struct known_flags {
	const struct known_flag *items;
	size_t count;
	const char *letters; /* the one-letter flags with a value, which may follow directly */
};
static const struct known_flag global_items[] = {
	{"cgroup-manager", true},  {"criu", true},   {"debug", false},
	{"help", false},           {"log", true},    {"log-format", true},
	{"log-level", true},       {"root", true},   {"rootless", true},
	{"systemd-cgroup", false}, {"usage", false}, {"version", false},
};
static const struct known_flags global_flags = {global_items, ARRAY_SIZE(global_items), "lr"};
static const struct known_flag command_items[] = {
	{"bundle", true},          {"config", true},       {"console-socket", true},
	{"detach", false},         {"help", false},        {"keep", false},
	{"no-new-keyring", false}, {"no-pivot", false},    {"no-subreaper", false},
	{"pid-file", true},        {"pidfd-socket", true}, {"preserve-fds", true},
	{"usage", false},
};
static const struct known_flags command_flags = {command_items, ARRAY_SIZE(command_items), "bf"};

/*
 * If one of these words follows an unknown flag, it is the command. Any other word is probably the
 * flag's value.
 */
static const char *const commands[] = {
	"checkpoint", "completion", "create", "delete", "events", "exec",   "features", "h",
	"help",       "info",       "init",   "kill",   "list",   "mounts", "pause",    "ps",
	"restore",    "resume",     "run",    "spec",   "start",  "state",  "update",
};

static bool is_listed(struct slice name, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (slice_equal(name, list[i]))
			return true;
	return false;
}

/* The flag of that name or, after two dashes, the only flag that begins with it. Or NULL. */
static const struct known_flag *find_flag(const struct known_flags *flags, struct slice name,
					  bool shortened)
{
	const struct known_flag *found = NULL;
	size_t count = 0;

	for (size_t i = 0; i < flags->count; i++) {
		const struct known_flag *flag = &flags->items[i];

		if (slice_equal(name, flag->name))
			return flag;
		if (shortened && strncmp(flag->name, name.data, name.length) == 0) {
			found = flag;
			count++;
		}
	}
	return count == 1 ? found : NULL;
}

/* One flag: its name without dashes, and its value if it has one. */
struct flag {
	struct slice name;
	const char *value;
	bool unknown;
};

/* The letter with a value in a word of letters: "-b", "-b/bundle", "-db". NULL: none. */
static const char *find_letter(const struct known_flags *flags, const char *word)
{
	for (const char *at = word; *at && *at != '='; at++) {
		if (strchr(flags->letters, *at))
			return at;
		if (*at != 'd') /* --detach, the only letter without a value */
			return NULL;
	}
	return NULL;
}

static const char *next_word(int argc, char *const *argv, int *index)
{
	return *index + 1 < argc ? argv[++*index] : NULL;
}

/*
 * Splits argv[*index], which begins with a dash: --name, -name (Go accepts one or two dashes),
 * --name=value, --name value, or letters. Afterwards *index is the flag's last word.
 */
static struct flag read_flag(int argc, char *const *argv, int *index,
			     const struct known_flags *flags)
{
	bool two = argv[*index][1] == '-';
	const char *word = argv[*index] + (two ? 2 : 1), *letter;
	struct flag flag = {.name = {word, strcspn(word, "=")}};
	const struct known_flag *known = find_flag(flags, flag.name, two);
	bool equals = word[flag.name.length] == '=';

	if (known) {
		flag.name = slice_from(known->name);
		if (equals)
			flag.value = strchr(word, '=') + 1;
		else if (known->value)
			flag.value = next_word(argc, argv, index);
		return flag;
	}
	letter = two ? NULL : find_letter(flags, word);
	if (letter) {
		flag.name = (struct slice){letter, 1};
		if (letter[1] == '=')
			flag.value = letter + 2;
		else
			flag.value = letter[1] ? letter + 1 : next_word(argc, argv, index);
		return flag;
	}
	if (equals)
		flag.value = strchr(word, '=') + 1;
	flag.unknown = !equals;
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

/* Whether the word after an unknown flag is neither a command nor a flag. */
static bool has_value(int argc, char *const *argv, int index)
{
	return index + 1 < argc && !is_flag(argv[index + 1]) &&
	       !is_listed(slice_from(argv[index + 1]), commands, ARRAY_SIZE(commands));
}

void runtime_arguments_parse(int argc, char *const *argv, struct runtime_arguments *ret)
{
	int i = 1;

	*ret = (struct runtime_arguments){0};
	for (; i < argc && is_flag(argv[i]) && strcmp(argv[i], "--") != 0; i++) {
		struct flag flag = read_flag(argc, argv, &i, &global_flags);

		read_global(&flag, ret);
		/*
		 * A flag of a later version may have a value. Otherwise a `create` after it would
		 * be missed.
		 */
		if (flag.unknown && has_value(argc, argv, i))
			i++;
	}
	if (i < argc && strcmp(argv[i], "--") == 0)
		i++;
	if (i >= argc)
		return;
	ret->command = argv[i++];
	/* Flags may also follow the container's name. */
	for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
		struct flag flag;

		if (!is_flag(argv[i])) {
			ret->name = argv[i];
			continue;
		}
		flag = read_flag(argc, argv, &i, &command_flags);
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
