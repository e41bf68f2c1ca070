// SPDX-License-Identifier: Apache-2.0
/*
 * The values of the configuration, each kind with its check. `key` is the whole name
 * ("driver.root"), for messages; `ret` points to the member of struct config.
 */
#pragma once

#include "davit/config.h"
#include "davit/json_text.h"

struct value {
	const char *key;
	const struct json_text *json;
	const struct json_value *at;
	struct arena *arena;
	struct error *err;
};

/* A value of the wrong kind: "KEY must be WHAT". Returns -EINVAL. */
int value_refuse(const struct value *value, const char *what);

int value_seconds(const struct value *value, void *ret);
int value_bool(const struct value *value, void *ret);             /* bool */
int value_auto(const struct value *value, void *ret);             /* bool: "auto", "never" */
int value_path(const struct value *value, void *ret);             /* const char *: absolute */
int value_log_file(const struct value *value, void *ret);         /* const char *: absolute or "" */
int value_paths(const struct value *value, void *ret);            /* struct strings: absolute */
int value_patterns(const struct value *value, void *ret);         /* struct strings */
int value_env_names(const struct value *value, void *ret);        /* struct strings */
int value_vendor_env_names(const struct value *value, void *ret); /* struct strings */
int value_bus_ids(const struct value *value, void *ret);          /* struct strings */
int value_programs(const struct value *value, void *ret);         /* struct strings, at least one */
int value_capabilities(const struct value *value, void *ret);     /* unsigned */
int value_features(const struct value *value, void *ret);         /* unsigned */
int value_accept(const struct value *value, void *ret);           /* enum accept, not AS_ENV */
int value_accept_annotations(const struct value *value, void *ret); /* enum accept */
int value_requirements(const struct value *value, void *ret);       /* enum requirements */
int value_prefixes(const struct value *value, void *ret);           /* struct strings */
int value_mode(const struct value *value, void *ret);               /* enum runtime_mode */
int value_mounts(const struct value *value, void *ret);             /* enum runtime_mounts */
int value_log_level(const struct value *value, void *ret);          /* enum log_level */

/* By their enums. */
extern const char *const value_auto_words[2], *const value_accept_words[4];
extern const char *const value_mode_words[2], *const value_mounts_words[3];
extern const char *const value_requirements_words[4];
