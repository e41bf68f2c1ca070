// SPDX-License-Identifier: Apache-2.0
/* The arguments of running daemons. */
#include <string.h>

#include "davit/json_edit.h"
#include "doctor.h"

/* The next value of the option, from argument *i on; NULL: none. */
static const char *next_of(const struct strings *arguments, const char *name, size_t *i)
{
	while (*i < arguments->count) {
		const char *word = arguments->items[(*i)++];

		if (!word || !string_starts(word, name))
			continue;
		word += strlen(name);
		if (*word == '=')
			return word + 1;
		if (!*word && *i < arguments->count)
			return arguments->items[(*i)++];
	}
	return NULL;
}

const char *doctor_option_of(const struct strings *arguments, const char *name)
{
	const char *value, *found = NULL;
	size_t i = 1;

	while ((value = next_of(arguments, name, &i)))
		found = value;
	return found;
}

const char *doctor_option_pair(const struct strings *arguments, const char *name, const char *key)
{
	size_t length = strlen(key), i = 1;
	const char *value, *found = NULL;

	while ((value = next_of(arguments, name, &i)))
		if (strncmp(value, key, length) == 0 && value[length] == '=')
			found = value + length + 1;
	return found;
}

int doctor_option_keys(const struct strings *arguments, const char *name, struct arena *arena,
		       struct strings *ret)
{
	const char *value;
	size_t i = 1;

	*ret = (struct strings){0};
	while ((value = next_of(arguments, name, &i)))
		if (strings_add(arena, ret, arena_strndup(arena, value, strcspn(value, "="))) < 0)
			return -ENOMEM;
	return 0;
}

/*
 * Options with another name than their key in daemon.json, as in moby's cmd/dockerd/config.go. The
 * key "runtimes" may be set by --add-runtime as well.
 */
static const struct {
	const char *option, *key;
} other_keys[] = {
	{"-H", "hosts"},
	{"-D", "debug"},
	{"-G", "group"},
	{"-b", "bridge"},
	{"-l", "log-level"},
	{"-p", "pidfile"},
	{"-s", "storage-driver"},
	{"--host", "hosts"},
	{"--authorization-plugin", "authorization-plugins"},
	{"--cdi-spec-dir", "cdi-spec-dirs"},
	{"--default-address-pool", "default-address-pools"},
	{"--default-ulimit", "default-ulimits"},
	{"--dns-opt", "dns-opts"},
	{"--exec-opt", "exec-opts"},
	{"--feature", "features"},
	{"--insecure-registry", "insecure-registries"},
	{"--label", "labels"},
	{"--log-opt", "log-opts"},
	{"--registry-mirror", "registry-mirrors"},
	{"--storage-opt", "storage-opts"},
};

/* Whether the word is that option: "-H", "-Hfd://", "--host" or "--host=fd://". */
static bool is_option(const char *word, const char *option)
{
	size_t length = strlen(option);

	return string_starts(word, option) &&
	       (option[1] != '-' || word[length] == '\0' || word[length] == '=');
}

/* The key of daemon.json that this option of dockerd sets, too; NULL: not an option, or no memory.
 */
static const char *key_of(const char *word, struct arena *arena)
{
	for (size_t i = 0; i < ARRAY_SIZE(other_keys); i++)
		if (is_option(word, other_keys[i].option))
			return other_keys[i].key;
	return string_starts(word, "--") ? arena_strndup(arena, word + 2, strcspn(word + 2, "="))
					 : NULL;
}

const char *doctor_find_doubled(const struct json_edit *edit, const struct strings *arguments)
{
	for (size_t i = 1; i < arguments->count; i++) {
		const char *key = key_of(arguments->items[i], edit->arena);

		if (key && json_edit_get(edit, (const char *const[]){key, NULL}))
			return key;
	}
	return NULL;
}
