// SPDX-License-Identifier: Apache-2.0
/* Reads the command lines of `davit cdi generate` and of nvidia-ctk's command. */
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cdi.h"

static const char *value_or(const struct arguments *arguments, const char *option,
			    const char *otherwise)
{
	const char *value = arguments_value(arguments, option);

	return value ? value : otherwise;
}

/* Each value may be a list: "index,uuid". Without the option, *ret remains NULL. */
static int parse_lists(const struct arguments *arguments, const char *option,
		       const struct strings **ret)
{
	struct strings values = {0}, *items;

	if (arguments_values(arguments, option, &values) < 0)
		return -ENOMEM;
	if (values.count == 0)
		return 0;
	items = arena_alloc(arguments->arena, sizeof(*items));
	if (!items)
		return -ENOMEM;
	*items = (struct strings){0};
	for (size_t i = 0; i < values.count; i++) {
		struct slice rest = slice_from(values.items[i]), item;

		while (slice_next(&rest, ',', &item)) {
			const char *text = arena_strndup(arguments->arena, item.data, item.length);

			item = slice_trim(item);
			if (!text ||
			    (item.length && strings_add(arguments->arena, items, text) < 0))
				return -ENOMEM;
		}
	}
	*ret = items;
	return 0;
}

static int parse_strategies(const struct arguments *arguments, struct cdi_options *ret)
{
	const struct strings *names = NULL;

	if (parse_lists(arguments, "device-name-strategy", &names) < 0)
		return 1;
	if (!names) {
		ret->by_index = ret->by_uuid = true;
		return 0;
	}
	for (size_t i = 0; i < names->count; i++) {
		if (string_equal(names->items[i], "index"))
			ret->by_index = true;
		else if (string_equal(names->items[i], "type-index"))
			ret->by_type_index = true;
		else if (string_equal(names->items[i], "uuid"))
			ret->by_uuid = true;
		else
			return usage_error(arguments,
					   "--device-name-strategy %.100s: it must be index, "
					   "type-index or uuid, or a list of them",
					   names->items[i]);
	}
	if (!ret->by_index && !ret->by_type_index && !ret->by_uuid)
		return usage_error(arguments, "--device-name-strategy: it is empty");
	return 0;
}

static int parse_mode(const struct arguments *arguments, struct cdi_options *ret)
{
	static const struct {
		const char *name;
		enum cdi_mode mode;
		bool platform; /* only on hosts of that kind */
	} modes[] = {
		{"auto", CDI_MODE_GPU, false},
		{"nvml", CDI_MODE_GPU, false},
		{"csv", CDI_MODE_GPU, true},
		{"wsl", CDI_MODE_GPU, true},
		{"management", CDI_MODE_MANAGEMENT, false},
		{"gds", CDI_MODE_GDS, false},
		{"mofed", CDI_MODE_MOFED, false},
		{"gdrcopy", CDI_MODE_GDRCOPY, false},
		{"nvswitch", CDI_MODE_NVSWITCH, false},
		{"imex", CDI_MODE_IMEX, false},
	};
	const char *name = value_or(arguments, "mode", "auto");

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (strcasecmp(modes[i].name, name) == 0) {
			ret->mode = modes[i].mode;
			ret->platform = modes[i].platform ? modes[i].name : NULL;
			return 0;
		}
	return usage_error(arguments,
			   "--mode %.100s: it must be auto, nvml, csv, wsl, management, "
			   "gds, mofed, gdrcopy, nvswitch or imex",
			   name);
}

/* The commands of CDI hooks that davit writes into specs. */
static const char *const hooks[] = {"create-symlinks",
				    "update-ldcache",
				    "enable-cuda-compat",
				    "update-application-profile",
				    "disable-device-node-modification",
				    "chmod"};

static bool is_hook(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		if (strcmp(hooks[i], name) == 0)
			return true;
	return false;
}

/* chmod is off unless it is enabled. --enable-hook takes precedence over --disable-hook. */
static int parse_hooks(const struct arguments *arguments, struct cdi_options *ret)
{
	const struct strings *enabled = NULL, *disabled = NULL, none = {0};
	struct strings *left_out = arena_alloc(arguments->arena, sizeof(*left_out));
	bool all;

	if (!left_out || parse_lists(arguments, "enable-hook", &enabled) < 0 ||
	    parse_lists(arguments, "disable-hook", &disabled) < 0)
		return 1;
	*left_out = none;
	enabled = enabled ? enabled : &none;
	disabled = disabled ? disabled : &none;
	all = strings_contain(disabled, "all");
	for (size_t i = 0; i < enabled->count; i++)
		if (!is_hook(enabled->items[i]))
			return usage_error(arguments, "--enable-hook %.100s: unknown hook",
					   enabled->items[i]);
	for (size_t i = 0; i < disabled->count; i++)
		if (!is_hook(disabled->items[i]) && !string_equal(disabled->items[i], "all"))
			cli_note("note: --disable-hook %.100s: davit writes no such hook",
				 disabled->items[i]);
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		if ((all || strings_contain(disabled, hooks[i])) &&
		    !strings_contain(enabled, hooks[i]) &&
		    strings_add(arguments->arena, left_out, hooks[i]) < 0)
			return 1;
	ret->chmod = strings_contain(enabled, "chmod");
	ret->disabled_hooks = left_out;
	return 0;
}

/* nvidia-ctk's feature flags. Those that match davit's behaviour change nothing. */
static int parse_features(const struct arguments *arguments, struct cdi_options *ret)
{
	static const char *const needless[] = {"disable-nvsandboxutils", "disable-nvsandbox-utils",
					       "disable-multiple-csv-devices"};
	const struct strings *flags = NULL;

	if (parse_lists(arguments, "feature-flag", &flags) < 0)
		return 1;
	for (size_t i = 0; flags && i < flags->count; i++) {
		const char *flag = flags->items[i];
		bool known = false;

		for (size_t j = 0; j < ARRAY_SIZE(needless); j++)
			known |= strcmp(flag, needless[j]) == 0;
		if (string_equal(flag, "no-additional-gids-for-device-nodes"))
			ret->no_groups = true;
		else if (string_equal(flag, "disable-ipc-discoverer"))
			ret->no_sockets = true;
		else if (string_equal(flag, "enable-explicit-driver-libraries"))
			return usage_error(arguments,
					   "--feature-flag %s: libGL, libEGL and libOpenCL are the "
					   "image's own",
					   flag);
		else if (string_equal(flag, "enable-coherent-annotations"))
			return usage_error(
				arguments,
				"--feature-flag %s: davit generates no specs by coherence", flag);
		else if (!known)
			return usage_error(arguments, "--feature-flag %.100s: unknown flag", flag);
	}
	return 0;
}

static int parse_format(const struct arguments *arguments, struct generate *ret)
{
	const char *format = arguments_value(arguments, "format");
	const char *output = ret->output ? ret->output : "";
	bool yaml = string_ends(output, ".yaml") || string_ends(output, ".yml");

	if (format && strcasecmp(format, "json") != 0 && strcasecmp(format, "yaml") != 0)
		return usage_error(arguments, "--format %.100s: it must be json or yaml", format);
	if (format)
		ret->yaml = strcasecmp(format, "yaml") == 0;
	else if (yaml || string_ends(output, ".json"))
		ret->yaml = yaml;
	return 0;
}

/* nvidia-ctk's alone. */
static int parse_csv(const struct arguments *arguments, struct generate *ret)
{
	ret->csv_compat = arguments_value(arguments, "csv.compat-container-root");
	return parse_lists(arguments, "csv.file", &ret->csv_files) < 0 ||
	       parse_lists(arguments, "csv.ignore-pattern", &ret->csv_ignore) < 0;
}

int generate_parse(const struct arguments *arguments, struct generate *ret)
{
	struct cdi_options *cdi = &ret->cdi;
	const char *output = arguments_value(arguments, "output");
	int r = parse_mode(arguments, cdi);

	ret->output = output && *output && !string_equal(output, "-") ? output : NULL;
	if (r == 0)
		r = parse_format(arguments, ret);
	if (r == 0)
		r = parse_strategies(arguments, cdi);
	if (r == 0)
		r = parse_hooks(arguments, cdi);
	if (r == 0)
		r = parse_features(arguments, cdi);
	if (r == 0 && (parse_lists(arguments, "device-id", &cdi->devices) < 0 ||
		       parse_lists(arguments, "library-search-path", &ret->search) < 0))
		r = 1;
	if (r == 0)
		r = parse_csv(arguments, ret);
	cdi->vendor = value_or(arguments, "vendor", cdi_mode_vendor(cdi->mode));
	if (string_equal(cdi->vendor, "nvidia"))
		cdi->vendor = "nvidia.com";
	cdi->class = value_or(arguments, "class", cdi_mode_class(cdi->mode));
	cdi->no_all = arguments_flag(arguments, "no-all-device");
	cdi->ldconfig = arguments_value(arguments, "ldconfig-path");
	cdi->hook = arguments_value(arguments, "hook-path");
	ret->driver_root = arguments_value(arguments, "driver-root");
	ret->dev_root = arguments_value(arguments, "dev-root");
	return r;
}

/* Whether engines read specs there. A spec elsewhere is for people or other programs. */
static bool is_for_engines(const char *output)
{
	static const char *const folders[] = {"/etc/cdi/", "/run/cdi/", "/var/run/cdi/"};

	for (size_t i = 0; output && i < ARRAY_SIZE(folders); i++)
		if (string_starts(output, folders[i]))
			return true;
	return false;
}

/* A program on this host that uses a spec's mounts but runs none of its hooks, or NULL. */
static const char *find_reader_without_hooks(void)
{
	static const char *const names[] = {"runsc", "kata-runtime", "containerd-shim-kata-v2",
					    "apptainer", "singularity"};
	static const char *const folders[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
					      "/usr/bin", "/opt/kata/bin"};
	char path[64];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		for (size_t j = 0; j < ARRAY_SIZE(folders); j++) {
			(void)snprintf(path, sizeof(path), "%s/%s", folders[j], names[i]);
			if (access(path, X_OK) == 0)
				return names[i];
		}
	return NULL;
}

static bool engine_mounts(const char *mounts, const char *output)
{
	const char *reader;

	if (!string_equal(mounts, "auto"))
		return string_equal(mounts, "spec");
	if (!is_for_engines(output))
		return true;
	reader = find_reader_without_hooks();
	if (reader)
		cli_note("note: the spec has the mounts for %s, which runs no hooks (--mounts)",
			 reader);
	return reader != NULL;
}

int generate_parse_form(const struct arguments *arguments, struct generate *ret)
{
	const char *mounts = value_or(arguments, "mounts", "auto"), *name;
	struct cdi_options *cdi = &ret->cdi;

	if (!string_equal(mounts, "auto") && !string_equal(mounts, "hook") &&
	    !string_equal(mounts, "spec"))
		return usage_error(arguments, "--mounts %.100s: it must be auto, hook or spec",
				   mounts);
	name = cdi->hook && strrchr(cdi->hook, '/') ? strrchr(cdi->hook, '/') + 1 : cdi->hook;
	cdi->one_hook = cdi->mode == CDI_MODE_GPU && (!name || string_equal(name, "davit-hook")) &&
			!arguments_value(arguments, "enable-hook") &&
			!arguments_value(arguments, "disable-hook");
	cdi->mounts_in_spec = !cdi->one_hook || engine_mounts(mounts, ret->output);
	return 0;
}
