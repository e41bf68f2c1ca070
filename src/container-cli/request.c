// SPDX-License-Identifier: Apache-2.0
#include <string.h>
#include <unistd.h>

#include <linux/capability.h>

#include "container_cli.h"

/*
 * A user who starts a container isn't told each time that the administrator's log can't be written.
 * Root is told, and so is whoever names a log.
 */
static void open_log(const struct arguments *arguments, const struct config *config)
{
	if (arguments->debug)
		log_to_file(arguments->debug, LOG_LEVEL_DEBUG);
	else if (!config->log.file[0])
		log_to(STDERR_FILENO, config->log.level);
	else if (geteuid() != 0 || user_namespace_is_nested())
		(void)log_try_file(config->log.file, config->log.level);
	else
		log_to_file(config->log.file, config->log.level);
}

int settings_load(const struct arguments *arguments, struct arena *arena, struct config *ret,
		  struct error *err)
{
	/* Launchers call from namespaces that aren't complete yet. */
	int r = proc_check(err);

	if (r == 0)
		r = config_load(NULL, arena, ret, err);
	if (r < 0)
		return r;
	open_log(arguments, ret);
	if (arguments->root)
		ret->driver.root = arguments->root;
	if (arguments->no_compat)
		ret->cuda_compat = false;
	/* The caller says whether modules are loaded; our configuration may still forbid it. */
	ret->driver.load_modules = ret->driver.load_modules && arguments->load_modules;
	/* Who calls us is root, or acts on what is its own: there is no image's variable to doubt.
	 */
	ret->policy.env = ACCEPT_ALWAYS;
	return 0;
}

static int add_variable(struct arena *arena, struct strings *env, const char *name,
			const char *value)
{
	const char *entry = value ? arena_printf(arena, "%s=%s", name, value) : NULL;

	return entry ? strings_add(arena, env, entry) : -ENOMEM;
}

/* A single blank asks for no capability; an empty list for the usual ones. */
static const char *capability_list(unsigned capabilities, struct arena *arena)
{
	struct strings names = {0};

	for (unsigned bit = 1; bit < CAPABILITY_ALL; bit <<= 1)
		if (capabilities & bit && strings_add(arena, &names, capability_name(bit)) < 0)
			return NULL;
	return names.count ? strings_join(arena, &names, ",") : " ";
}

static int make_environment(const struct arguments *arguments, const struct config *config,
			    struct arena *arena, struct strings *env)
{
	const struct strings *devices = &arguments->devices;
	/* Callers name every capability there is: they get what policy allows. */
	const char *capabilities =
		capability_list(arguments->capabilities & config->policy.capabilities, arena);
	int r = add_variable(arena, env, "NVIDIA_VISIBLE_DEVICES",
			     devices->count ? strings_join(arena, devices, ",") : "none");

	if (r == 0)
		r = add_variable(arena, env, "NVIDIA_DRIVER_CAPABILITIES", capabilities);
	if (r == 0 && arguments->mig_config)
		r = add_variable(arena, env, "NVIDIA_MIG_CONFIG_DEVICES", "all");
	if (r == 0 && arguments->mig_monitor)
		r = add_variable(arena, env, "NVIDIA_MIG_MONITOR_DEVICES", "all");
	if (r == 0 && arguments->imex.count)
		r = add_variable(arena, env, "NVIDIA_IMEX_CHANNELS",
				 strings_join(arena, &arguments->imex, ","));
	for (size_t i = 0; r == 0 && i < arguments->requirements.count; i++) {
		const char *name = arena_printf(arena, "NVIDIA_REQUIRE_%zu", i);

		r = name ? add_variable(arena, env, name, arguments->requirements.items[i])
			 : -ENOMEM;
	}
	return r;
}

/* Messages quote the flag, which the caller knows: not the variable that it was turned into. */
static int name_requirements(const struct arguments *arguments, struct arena *arena,
			     struct gpu_request *request, struct error *err)
{
	static const char prefix[] = "NVIDIA_REQUIRE_";
	struct oci_pairs *requirements = &request->requirements;

	for (size_t i = 0; i < requirements->count; i++) {
		struct oci_pair *pair = &requirements->items[i];
		const char *number = pair->name + strlen(prefix);
		uint64_t n;

		if (!string_starts(pair->name, prefix) ||
		    parse_number(number, strlen(number), 10, arguments->requirements.count - 1,
				 &n) < 0)
			continue;
		pair->name = arena_printf(arena, "--require=%.40s%s", pair->value,
					  strlen(pair->value) > 40 ? "..." : "");
		if (!pair->name)
			return error_memory(err);
	}
	return 0;
}

/*
 * The flags are turned into the variables that they were made of, so that they mean what variables
 * mean: one module decides on requests.
 */
int request_make(const struct arguments *arguments, const struct config *config,
		 struct arena *arena, struct gpu_request *ret, struct error *err)
{
	struct oci_spec spec = {.version = "", .root_path = "", .cgroups_path = ""};
	struct config resolving = *config;
	int r;

	spec.bounding = UINT64_C(1) << CAP_SYS_ADMIN;
	resolving.policy.env_names = (struct strings){0};
	if (strings_add(arena, &resolving.policy.env_names, "NVIDIA_VISIBLE_DEVICES") < 0 ||
	    make_environment(arguments, config, arena, &spec.env) < 0)
		return error_memory(err);
	r = gpu_request_resolve(&spec, &resolving, arena, ret, err);
	return r < 0 ? r : name_requirements(arguments, arena, ret, err);
}

static bool is_left_out(const struct arguments *arguments, const struct driver_file *file)
{
	if (file->kind == DRIVER_FILE_FIRMWARE)
		return arguments->no_firmware;
	if (file->kind != DRIVER_FILE_SOCKET)
		return false;
	return (arguments->no_persistenced && strstr(file->path, "nvidia-persistenced")) ||
	       (arguments->no_fabricmanager && strstr(file->path, "nvidia-fabricmanager"));
}

void files_leave_out(const struct arguments *arguments, struct driver_files *files)
{
	size_t kept = 0;

	for (size_t i = 0; i < files->count; i++) {
		if (!is_left_out(arguments, &files->items[i]))
			files->items[kept++] = files->items[i];
		else
			fd_close(&files->items[i].fd);
	}
	files->count = kept;
}
