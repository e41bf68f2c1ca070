// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <string.h>

#include "davit/bus_id.h"
#include "value.h"

#define SECONDS_MAX 3600

/* By their enums. */
const char *const value_auto_words[] = {"never", "auto"};
const char *const value_accept_words[] = {"always", "privileged", "never", "as-env"};
const char *const value_mode_words[] = {"spec", "hook"};
const char *const value_mounts_words[] = {"auto", "hook", "spec"};
const char *const value_requirements_words[] = {"auto", "enforce", "warn", "ignore"};

int value_refuse(const struct value *value, const char *what)
{
	return error_set(value->err, ERROR_BAD_CONFIG, EINVAL, NULL, "%s must be %s", value->key,
			 what);
}

int value_bool(const struct value *value, void *ret)
{
	if (value->at->kind != JSON_BOOLEAN)
		return value_refuse(value, "true or false");
	*(bool *)ret = json_is_true(value->json, value->at);
	return 0;
}

int value_seconds(const struct value *value, void *ret)
{
	int64_t seconds =
		value->at->kind == JSON_INTEGER ? json_integer(value->json, value->at) : -1;

	if (seconds < 0 || seconds > SECONDS_MAX)
		return value_refuse(value, "a number of seconds from 0 (no limit) to 3600");
	*(unsigned *)ret = (unsigned)seconds;
	return 0;
}

/* The index of the text among words, or -1. */
static int word_index(const struct value *value, const char *const *words, size_t count)
{
	if (value->at->kind != JSON_STRING)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (json_equals(value->json, value->at, words[i]))
			return (int)i;
	return -1;
}

int value_auto(const struct value *value, void *ret)
{
	int index = word_index(value, value_auto_words, ARRAY_SIZE(value_auto_words));

	if (index < 0)
		return value_refuse(value, "\"auto\" or \"never\"");
	*(bool *)ret = index == 1;
	return 0;
}

int value_accept(const struct value *value, void *ret)
{
	int index = word_index(value, value_accept_words, ACCEPT_AS_ENV);

	if (index < 0)
		return value_refuse(value, "\"always\", \"privileged\" or \"never\"");
	*(enum accept *)ret = (enum accept)index;
	return 0;
}

int value_accept_annotations(const struct value *value, void *ret)
{
	int index = word_index(value, value_accept_words, ARRAY_SIZE(value_accept_words));

	if (index < 0)
		return value_refuse(value, "\"as-env\", \"always\", \"privileged\" or \"never\"");
	*(enum accept *)ret = (enum accept)index;
	return 0;
}

int value_requirements(const struct value *value, void *ret)
{
	int index =
		word_index(value, value_requirements_words, ARRAY_SIZE(value_requirements_words));

	if (index < 0)
		return value_refuse(value, "\"auto\", \"enforce\", \"warn\" or \"ignore\"");
	*(enum requirements *)ret = (enum requirements)index;
	return 0;
}

int value_mode(const struct value *value, void *ret)
{
	int index = word_index(value, value_mode_words, ARRAY_SIZE(value_mode_words));

	if (index < 0)
		return value_refuse(value, "\"spec\" or \"hook\"");
	*(enum runtime_mode *)ret = (enum runtime_mode)index;
	return 0;
}

int value_mounts(const struct value *value, void *ret)
{
	int index = word_index(value, value_mounts_words, ARRAY_SIZE(value_mounts_words));

	if (index < 0)
		return value_refuse(value, "\"auto\", \"hook\" or \"spec\"");
	*(enum runtime_mounts *)ret = (enum runtime_mounts)index;
	return 0;
}

/* ---- texts ------------------------------------------------------------------------------ */

static bool is_path(const char *text)
{
	for (const char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	return text[0] == '/';
}

static bool is_env_name(const char *text)
{
	for (const char *c = text; *c; c++)
		if (*c <= 0x20 || *c > 0x7e || *c == '=')
			return false;
	return text[0] != '\0';
}

static bool is_not_empty(const char *text)
{
	return text[0] != '\0';
}

/* The text itself, in the arena, or NULL when it is none or the check says no. */
static const char *read_text(const struct value *value, const struct json_value *at,
			     bool (*check)(const char *))
{
	const char *text = NULL;

	if (at->kind == JSON_STRING)
		text = json_string(value->json, at, value->arena);
	return text && check(text) ? text : NULL;
}

int value_log_level(const struct value *value, void *ret)
{
	const char *name = read_text(value, value->at, is_not_empty);
	enum log_level level;

	if (!name || log_level_parse(name, &level) < 0)
		return value_refuse(value, "\"error\", \"warning\", \"info\" or \"debug\"");
	*(enum log_level *)ret = level;
	return 0;
}

int value_path(const struct value *value, void *ret)
{
	const char *path = read_text(value, value->at, is_path);

	if (!path)
		return value_refuse(value, "an absolute path");
	*(const char **)ret = path;
	return 0;
}

int value_log_file(const struct value *value, void *ret)
{
	if (value->at->kind == JSON_STRING && value->at->length == 0) {
		*(const char **)ret = "";
		return 0;
	}
	if (value_path(value, ret) < 0)
		return value_refuse(value, "an absolute path or \"\"");
	return 0;
}

/* A list of texts that pass the check. It replaces the default. */
static int read_list(const struct value *value, bool (*check)(const char *), const char *what,
		     struct strings *ret)
{
	const struct json_value *item;
	struct strings list = {0};

	if (value->at->kind != JSON_ARRAY)
		return value_refuse(value, what);
	for (item = json_first(value->at); item; item = json_next(value->at, item)) {
		const char *text = read_text(value, item, check);

		if (!text)
			return value_refuse(value, what);
		if (strings_add(value->arena, &list, text) < 0)
			return error_memory(value->err);
	}
	*ret = list;
	return 0;
}

int value_paths(const struct value *value, void *ret)
{
	return read_list(value, is_path, "a list of absolute paths", ret);
}

static bool is_pattern(const char *text)
{
	return *text != '\0';
}

int value_patterns(const struct value *value, void *ret)
{
	return read_list(value, is_pattern, "a list of patterns (\"**/*.so\")", ret);
}

int value_env_names(const struct value *value, void *ret)
{
	return read_list(value, is_env_name, "a list of names of environment variables", ret);
}

/* "DOCKER_RESOURCE_AMD_GPU=amd.com/gpu": the kind is looked at where kinds are known. */
static bool is_env_name_of_kind(const char *text)
{
	const char *equals = strchr(text, '=');

	for (const char *c = text; *c; c++)
		if (*c <= 0x20 || *c > 0x7e)
			return false;
	return equals && equals != text && strchr(equals, '/') && !strchr(equals + 1, '=');
}

int value_vendor_env_names(const struct value *value, void *ret)
{
	return read_list(value, is_env_name_of_kind,
			 "a list of strings NAME=KIND (\"DOCKER_RESOURCE_AMD_GPU=amd.com/gpu\")",
			 ret);
}

/* What annotations of CDI devices begin with: "cdi.k8s.io/". */
static bool is_prefix(const char *text)
{
	return is_env_name(text) && text[strlen(text) - 1] == '/';
}

int value_prefixes(const struct value *value, void *ret)
{
	return read_list(value, is_prefix,
			 "a list of annotation prefixes, each ending with / (\"cdi.k8s.io/\")",
			 ret);
}

static bool is_bus_id(const char *text)
{
	bus_id id;

	return bus_id_parse(text, &id) == 0;
}

int value_bus_ids(const struct value *value, void *ret)
{
	return read_list(value, is_bus_id, "a list of PCI bus ids (\"0000:0e:00.0\")", ret);
}

int value_programs(const struct value *value, void *ret)
{
	static const char what[] = "a list of at least one program";

	if (value->at->kind == JSON_ARRAY && !json_first(value->at))
		return value_refuse(value, what);
	return read_list(value, is_not_empty, what, ret);
}

/* A list of names, each with a bit; `all` names them for the remedy. */
static int read_bits(const struct value *value, const char *one, const char *what, const char *all,
		     unsigned (*bit_of)(struct slice), unsigned *ret)
{
	char list[64];
	struct strings names = {0};
	unsigned bits = 0;
	int r;

	(void)snprintf(list, sizeof(list), "a list of %s", what);
	r = read_list(value, is_not_empty, list, &names);
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		unsigned bit = bit_of(slice_from(names.items[i]));

		if (!bit) {
			r = error_set(value->err, ERROR_BAD_CONFIG, EINVAL, NULL,
				      "%s: unknown %s \"%.64s\"", value->key, one, names.items[i]);
			return error_fix(value->err, r, "choose among %s and all", all);
		}
		bits |= bit;
	}
	if (r == 0)
		*ret = bits;
	return r;
}

int value_capabilities(const struct value *value, void *ret)
{
	return read_bits(value, "capability", "capabilities",
			 "compat32, compute, display, graphics, ngx, utility, video",
			 capability_bit, ret);
}

int value_features(const struct value *value, void *ret)
{
	return read_bits(value, "feature", "features", "gdrcopy, gds, imex, mofed, nvswitch",
			 feature_bit, ret);
}
