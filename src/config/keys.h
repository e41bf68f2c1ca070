// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "davit/config.h"
#include "davit/json_text.h"

/* Every key, its member of struct config, and what kind of value_KIND it is. */
/* clang-format off */
#define CONFIG_KEYS(X) \
	X("driver.root", driver.root, path) \
	X("driver.search", driver.search, paths) \
	X("driver.proc", driver.proc, path) \
	X("driver.dev", driver.dev, path) \
	X("driver.sys", driver.sys, path) \
	X("driver.run", driver.run, path) \
	X("driver.mps", driver.mps, path) \
	X("driver.csv", driver.csv, path) \
	X("driver.csv-ignore", driver.csv_ignore, patterns) \
	X("driver.csv-compat", driver.csv_compat, path) \
	X("driver.load-modules", driver.load_modules, bool) \
	X("policy.accept-env", policy.env, accept) \
	X("policy.accept-annotations", policy.annotations, accept_annotations) \
	X("policy.accept-mounts", policy.mounts, bool) \
	X("policy.env-names", policy.env_names, env_names) \
	X("policy.vendor-env-names", policy.vendor_env_names, vendor_env_names) \
	X("policy.exclude-from-all", policy.exclude_from_all, bus_ids) \
	X("policy.capabilities", policy.capabilities, capabilities) \
	X("policy.image-capabilities", policy.image_capabilities, capabilities) \
	X("policy.features", policy.features, features) \
	X("policy.requirements", policy.requirements, requirements) \
	X("policy.ignore-requirements", policy.ignore_requirements, bool) \
	X("policy.imex", policy.imex, bool) \
	X("policy.csv-mounts", policy.csv_mounts, bool) \
	X("policy.csv-debug", policy.csv_debug, bool) \
	X("policy.csv-allow", policy.csv_allow, paths) \
	X("cdi.spec-dirs", cdi.spec_dirs, paths) \
	X("cdi.annotation-prefixes", cdi.annotation_prefixes, prefixes) \
	X("cgroups", cgroups, auto) \
	X("cuda-compat", cuda_compat, auto) \
	X("runtime.mode", runtime.mode, mode) \
	X("runtime.mounts", runtime.mounts, mounts) \
	X("runtime.candidates", runtime.candidates, programs) \
	X("limits.seconds", limits.seconds, seconds) \
	X("log.file", log.file, log_file) \
	X("log.level", log.level, log_level)
/* clang-format on */

/* Reads every key of the text into config, which has the defaults. Errors as config_parse. */
int config_parse_keys(const struct json_text *json, struct arena *arena, struct config *config,
		      struct error *err);
